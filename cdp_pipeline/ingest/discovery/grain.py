"""What a line of a table is: a record, one of several lines of it, or a record with its parts.

Columns that only the first line of a group fills, and columns that are numbered, tell. Nested
records say it themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby, pairwise

from cdp_pipeline.ingest.discovery.kinds import Kind
from cdp_pipeline.ingest.headers import plain_name
from cdp_pipeline.project.column_names import is_number_name
from cdp_pipeline.project.contracts import EACH

_NUMBERED = re.compile(r"(.*?)(\d{1,3})(\D*)")
_PARTS = re.compile(r"(^|[ _.])(line|item|lineitem|product|sku|article|artikel|produkt|pos)[ _.]?")
_HEADS_OF_GROUPS = frozenset(
    {"store_id", "store_name", "occurred_at", "sale_id", "order_id", "till_id", "department"}
)
_LEAST_COLUMNS = 2
_MOSTLY, _NEARLY_ALL = 0.6, 0.9


def unfold(
    names: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]], tuple[int, ...]]:
    """Return a table with a row for each part of a record that stands in numbered columns.

    The number of each row within its record comes along; none if nothing is numbered.

    Args:
        names: Headers.
        rows: Records, all as wide as the header.
    """
    groups = _numbered(names)
    if not groups:
        return list(names), [list(row) for row in rows], ()
    numbers = sorted({number for places in groups.values() for number in places})
    taken = {position for places in groups.values() for position in places.values()}
    kept = [i for i in range(len(names)) if i not in taken]
    unfolded: list[list[str]] = []
    numbered: list[int] = []
    for row in rows:
        parts = [
            [row[places[n]] if n in places else "" for places in groups.values()] for n in numbers
        ]
        filled = [part for part in parts if any(cell.strip() for cell in part)]
        filled = filled or [[""] * len(groups)]
        unfolded += [[*(row[i] for i in kept), *part] for part in filled]
        numbered += range(1, len(filled) + 1)
    return [*(names[i] for i in kept), *groups], unfolded, tuple(numbered)


def _numbered(names: Sequence[str]) -> dict[str, dict[int, int]]:
    """Return the positions of numbered columns by their header with ``{n}`` and their number."""
    found: dict[str, dict[int, int]] = {}
    for position, name in enumerate(names):
        match = _NUMBERED.fullmatch(name)
        if match and _PARTS.search(plain_name(match[1])):
            header = f"{match[1]}{EACH}{match[3]}"
            found.setdefault(header, {}).setdefault(int(match[2]), position)
    return {h: places for h, places in found.items() if len(places) > 1 and min(places) <= 1}


def find_fill_down(kinds: Sequence[Kind]) -> tuple[int, list[int]] | None:
    """Return the column that groups lines, and those that only a group's first line fills."""
    best: tuple[int, list[int]] | None = None
    for position, kind in enumerate(kinds):
        is_number = kind.tag in {"order_id", "sale_id"} or is_number_name(kind.field.name)
        is_full = len(kind.field.filled) == len(kind.field.values)
        is_heading = is_number or kind.field.name.lower() == "name"
        if not (is_heading and is_full) or len(kind.field.counts) == len(kind.field.values):
            continue
        filled = [
            i for i, other in enumerate(kinds) if i != position and _is_first_only(kind, other)
        ]
        is_more = len(filled) >= _LEAST_COLUMNS and (best is None or len(filled) > len(best[1]))
        if is_more and not _is_summed_up(kind, kinds):
            best = (position, filled)
    return best


def _is_summed_up(by: Kind, kinds: Sequence[Kind]) -> bool:
    """Return whether the lines are one group, whose first line is a record of another kind.

    A settlement begins with a line of its total, which has nothing that its other lines have.
    """
    if len(by.field.counts) > 1:
        return False
    later = [kind for kind in kinds if any(text.strip() for text in kind.field.values[1:])]
    return sum(bool(kind.field.values[0].strip()) for kind in later) * 2 < len(later)


def _is_first_only(by: Kind, other: Kind) -> bool:
    """Return whether of lines of one group only the first has a value."""
    groups = [
        [text.strip() for _, text in lines]
        for _, lines in groupby(
            zip(by.field.values, other.field.values, strict=True), key=lambda pair: pair[0]
        )
    ]
    several = [group for group in groups if len(group) > 1]
    if not several or any(any(group[1:]) for group in several):
        return False
    return sum(bool(group[0]) for group in several) >= _MOSTLY * len(several)


def find_leading(kinds: Sequence[Kind]) -> list[int]:
    """Return the first columns if only the first line of a group fills them, as merged cells do.

    Each group begins with the first of them; the others may begin smaller groups within.
    """
    lines = len(kinds[0].field.values) if kinds else 0
    found: list[int] = []
    for position, kind in enumerate(kinds):
        is_sparse = 0 < len(kind.field.filled) <= _MOSTLY * lines
        if not is_sparse or kind.tag not in _HEADS_OF_GROUPS or not kind.field.values[0].strip():
            break
        found.append(position)
    filled = [{n for n, v in enumerate(kinds[i].field.values) if v.strip()} for i in found]
    is_nested = all(outer <= inner for outer, inner in pairwise(filled))
    has_lines = any(
        kind.field.share >= _NEARLY_ALL and kind.numbers for kind in kinds[len(found) :]
    )
    return found if is_nested and has_lines else []
