"""Tables that are no plain ones: names in two rows, records of several types.

Neither may be read as if it were plain: the second row of names would be a record, and all records
but those of the commonest type would be set aside.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from cdp_pipeline.ingest.discovery.dialect import Dialect, read_records
from cdp_pipeline.ingest.discovery.kinds import NULL_TOKENS
from cdp_pipeline.ingest.rejections import RULED_LINE

_MOST_TYPES = 12
_LEAST_RECORDS = 10
_LEAST_SHARE = 0.05
_NEARLY_ALL = 0.98
_LONGEST_TYPE = 12


def join_headers(
    rows: Sequence[Sequence[str]], *, is_value: Callable[[str], bool]
) -> list[str] | None:
    """Return the names of columns that stand in two rows, one above the other; None if they do not.

    Args:
        rows: Fields of each record, from the first row of names on.
        is_value: Whether a cell holds a number, a moment or an e-mail address.
    """
    if len(rows) < _LEAST_RECORDS or re.fullmatch(RULED_LINE, "".join(rows[1])):
        return None
    width = max(len(row) for row in rows[:50])
    top, below = ([*row, *[""] * (width - len(row))] for row in rows[:2])
    cells = [cell.strip() for cell in (*top, *below)]
    if any(map(is_value, filter(None, cells))) or all(cell.strip() for cell in below):
        return None
    if not any(t.strip() and b.strip() for t, b in zip(top, below, strict=True)):
        return None
    held = False
    for position in range(width):
        column = [row[position].strip() for row in rows[2:202] if position < len(row)]
        filled = [cell for cell in column if cell]
        if below[position].strip() in {*filled, *NULL_TOKENS}:
            return None  # what is a value elsewhere is no name
        is_typed = filled and sum(map(is_value, filled)) >= _NEARLY_ALL * len(filled)
        held = held or bool(is_typed and below[position].strip())
    if not held:
        return None  # a record of words, such as a customer without an e-mail address
    names, group = [], ""
    for above, name in zip(top, below, strict=True):
        group = above.strip() or (group if name.strip() else "")
        names.append(f"{group} {name.strip()}".strip())
    return names if all(names) else None


def find_record_types(text: str, dialect: Dialect) -> dict[str, int]:
    """Return the types of records by their first field, each with its fields; none if of one type.

    Args:
        text: The first lines.
        dialect: How they are written.
    """
    rows = [fields for _, fields in read_records(text, dialect) if len(fields) > 1]
    widths: dict[str, Counter[int]] = {}
    for row in rows:
        widths.setdefault(row[0].strip(), Counter())[len(row)] += 1
        if len(widths) > _MOST_TYPES:
            return {}
    usual = {name: counts.most_common(1)[0] for name, counts in widths.items()}
    types = {name: width for name, (width, _) in usual.items()}
    total = sum(counts.total() for counts in widths.values())
    others = sum(counts.total() for name, counts in widths.items() if types[name] != dialect.width)
    is_clean = sum(count for _, count in usual.values()) >= _NEARLY_ALL * total
    is_code = all(name and len(name) <= _LONGEST_TYPE and " " not in name for name in types)
    repeated = sum(counts.total() > 1 for counts in widths.values())
    if not (is_clean and is_code) or total < _LEAST_RECORDS or repeated < 2:  # noqa: PLR2004 - types
        return {}
    return types if others >= _LEAST_SHARE * total else {}
