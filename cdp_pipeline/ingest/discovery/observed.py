"""Columns of a draft, and the checks that what was seen in them suggests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from cdp_pipeline.ingest.discovery.kinds import Kind
from cdp_pipeline.ingest.discovery.numbers import number_of
from cdp_pipeline.project.column_names import plain_header
from cdp_pipeline.project.column_tags import is_name_of_amount

_FEW_VALUES, _MANY_ROWS = 12, 50
_TIMES_SEEN = 3
_LONGEST_VALUE = 40


@dataclass
class Drafted:
    """One column of a draft.

    Attributes:
        name: Our name.
        kind: What it is.
        is_key: Whether it is part of the key.
    """

    name: str
    kind: Kind
    is_key: bool = False


def propose_checks(columns: Sequence[Drafted]) -> list[dict[str, object]]:
    """Return checks that columns look as they were seen."""
    found: list[dict[str, object]] = []
    for column in columns:
        kind = column.kind
        if kind.tag == "occurred_at" and kind.type in {"date", "timestamp"}:
            found.append(
                {
                    "name": f"{column.name}_not_from_the_future",
                    "expect": "true",
                    "where": f"{column.name} < _business_date + interval '2 days'",
                    "severity": "warn",
                }
            )
        limits = bounds(column)
        is_measure = kind.tag == "quantity" or is_name_of_amount(plain_header(kind.field.name))
        if limits and is_measure:
            found.append(
                {
                    "name": f"{column.name}_as_seen",
                    "expect": "between",
                    "column": column.name,
                    "min": limits[0],
                    "max": limits[1],
                    "mostly": 0.99,
                    "severity": "warn",
                }
            )
        if values := vocabulary(column):
            found.append(
                {
                    "name": f"{column.name}_known",
                    "expect": "in_set",
                    "column": column.name,
                    "values": values,
                    "severity": "warn",
                }
            )
    return found


def bounds(column: Drafted) -> tuple[Decimal, Decimal] | None:
    """Return the smallest and largest number of a column; None while its marks are asked for."""
    look, asked = column.kind.numbers, column.kind.question
    if look is None or (asked and asked[0] == "decimal_mark"):
        return None
    if column.kind.type not in {"integer", "decimal", "number"}:
        return None
    mark = look.decimal_mark or "."
    numbers = [n for value in column.kind.field.counts if (n := number_of(value, mark)) is not None]
    return (min(numbers), max(numbers)) if numbers else None


def vocabulary(column: Drafted) -> list[str]:
    """Return the values of a column that has few of them, each often; none of personal data."""
    kind = column.kind
    counts = kind.field.counts
    few = kind.type == "text" and 1 < len(counts) <= _FEW_VALUES
    is_hidden = kind.pii or kind.special_category
    if not few or is_hidden or column.is_key or len(kind.field.filled) < _MANY_ROWS:
        return []
    if min(counts.values()) < _TIMES_SEEN or max(map(len, counts)) > _LONGEST_VALUE:
        return []
    return sorted(counts)
