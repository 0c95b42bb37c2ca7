"""Rows of sums that stand among the records: told by their words and their gaps.

Lines of sums after the last record are the dialect's business.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdp_pipeline.ingest.totals import says_totals

_MOST_SHARE = 0.5


def find_totals(records: Sequence[Sequence[str]], *, width: int) -> tuple[frozenset[int], int]:
    """Return the numbers of rows of sums, and that of a column which only they leave empty.

    In one column stands a word for sums, and nothing in another which all other rows fill.

    Args:
        records: Fields of each record, without the header.
        width: Fields of most records.
    """
    for word in range(width):
        rows = frozenset(
            number
            for number, fields in enumerate(records)
            if len(fields) == width and says_totals(fields[word])
        )
        if not rows or len(rows) > _MOST_SHARE * len(records):
            continue
        for empty in range(width):
            if empty != word and all(
                len(fields) != width or bool(fields[empty].strip()) is (number not in rows)
                for number, fields in enumerate(records)
            ):
                return rows, empty
    return frozenset(), -1
