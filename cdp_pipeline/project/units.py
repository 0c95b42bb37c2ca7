"""Units that the naming rules of columns promise: ``_amount`` is money, ``_at`` is UTC.

The rules are those of ``sql/README.md``; a header states ``unit:`` where a name cannot say it. A
test holds that every number that is no count and no rank has a unit by one way or the other.
"""

from __future__ import annotations

import re

from cdp_pipeline.project.tables import TableColumn

CURRENCY = "store currency"
"""Unit of money, except in facts that carry a column ``currency``."""

_BY_NAME = (
    (r"_at$", "UTC"),
    (r"_on$", "store-local date"),
    (r"_(share|change)(_|$)", "share, 1 is 100 %"),
    (r"(^|_)(amount|price)(_|$)", CURRENCY),
    (r"(^p_|_prob(_|$))", "probability, 0 to 1"),
    (r"_days(_|$)", "days"),
    (r"_visits(_|$)", "visit days"),
    (r"(^|_)weight$", "bits (log2 odds)"),
    (r"(^|_)quantity$", "units"),
    (r"_years$", "years"),
    (r"_per_ten_thousand$|^per_ten_thousand$", "of ten thousand"),
    (r"^(latitude|longitude)$", "degrees (WGS 84)"),
    (r"(^|_)bytes$", "bytes"),
    (r"(^|_)count(_|$)", "count"),
    (r"(^|_)log_loss(_|$)", "nats"),
    (r"(^|_)(auc|brier|correlation|gini|lift|ratio|spearman)(_|$)", "no unit"),
)
_RULES = tuple((re.compile(pattern), unit) for pattern, unit in _BY_NAME)
_MEASURED = re.compile(r"^(double|float|real|decimal|numeric)", re.IGNORECASE)
_TIMED = {"UTC": "TIMESTAMP", "store-local date": "DATE"}


def unit_of(name: str, column: TableColumn, sql_type: str = "") -> str:
    """Return the unit or zone of a column; empty if it needs none.

    Args:
        name: Column name.
        column: Its documentation; a stated unit wins.
        sql_type: DuckDB type; text has no unit by name.

    >>> unit_of("net_amount", TableColumn(description="Paid"), "DECIMAL(18,2)")
    'store currency'
    """
    if column.unit:
        return column.unit
    kind = (sql_type or column.type or "").upper()
    if kind.startswith(("VARCHAR", "BOOLEAN")):
        return ""
    for pattern, unit in _RULES:
        if pattern.search(name) and (unit not in _TIMED or kind.startswith(_TIMED[unit])):
            return unit
    return ""


def needs_unit(sql_type: str) -> bool:
    """Return whether values of a type measure something, so that a unit must be known.

    >>> needs_unit("DECIMAL(18,2)"), needs_unit("BIGINT")
    (True, False)
    """
    return bool(_MEASURED.match(sql_type))
