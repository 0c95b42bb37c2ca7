"""Sizes of segments as the documentation shows them, with what it withheld the night before.

A size that is hidden beside a small one is shown again only when it tells nothing of the night
before (``remembered``). The night remembers; the documentation, which is written at any time from
a version that never changes, reads it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cdp_pipeline.project.tables import TableHeader
from cdp_pipeline.reporting.marts import RowDict
from cdp_pipeline.reporting.remembered import Remembered, read_remembered
from cdp_pipeline.reporting.withholding import (
    PeopleColumns,
    Seen,
    find_hidden_together,
    remember_hidden,
)

TABLE = "segments.definitions"
_SIZE = "size"
_SHOWN = f"documentation:{TABLE}"
"""What is remembered is called so: a report may show the table, too."""


def withhold_sizes(
    rows: Sequence[RowDict], header: TableHeader, version: Path, *, smallest: int, night: str
) -> list[RowDict]:
    """Return segments as the documentation of a version shows them.

    Args:
        rows: All rows of ``segments.definitions``.
        header: Its header.
        version: Folder of the version.
        smallest: Smallest count of people that may be shown.
        night: The version's business date, as YYYY-MM-DD.
    """
    seen = _seen(rows, header)
    before = read_remembered(version, business_date=night)
    hidden = find_hidden_together(seen, smallest=smallest, before=before)[_SHOWN]
    return [{**row, **hidden[tuple(row[column] for column in header.key)]} for row in rows]


def remember_sizes(
    rows: Sequence[RowDict], header: TableHeader, *, smallest: int, before: Remembered
) -> Remembered:
    """Return what the next night must know of sizes that the documentation withholds tonight.

    Args:
        rows: All rows of ``segments.definitions``.
        header: Its header.
        smallest: Smallest count of people that may be shown.
        before: What was withheld the night before.
    """
    seen = _seen(rows, header)
    hidden = find_hidden_together(seen, smallest=smallest, before=before)
    return remember_hidden(seen, hidden, smallest=smallest, before=before)


def _seen(rows: Sequence[RowDict], header: TableHeader) -> dict[str, Seen]:
    return {_SHOWN: Seen(rows, header, PeopleColumns(counts={_SIZE}))}
