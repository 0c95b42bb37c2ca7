"""Units follow from names, and only where a value can have one."""

from __future__ import annotations

import pytest

from cdp_pipeline.project.tables import TableColumn
from cdp_pipeline.project.units import needs_unit, unit_of


@pytest.mark.parametrize(
    ("name", "sql_type", "unit"),
    [
        ("net_amount_365d", "DECIMAL(18,2)", "store currency"),
        ("list_price", "DECIMAL(18,2)", "store currency"),
        ("sold_at", "TIMESTAMP", "UTC"),
        ("sold_on", "DATE", "store-local date"),
        ("sold_on", "VARCHAR", ""),
        ("email_share", "DOUBLE", "share, 1 is 100 %"),
        ("p_alive", "DOUBLE", "probability, 0 to 1"),
        ("recency_days", "INTEGER", "days"),
        ("account_id", "VARCHAR", ""),
        ("sku", "VARCHAR", ""),
    ],
)
def test_units_by_name(name: str, sql_type: str, unit: str) -> None:
    assert unit_of(name, TableColumn(description="x"), sql_type) == unit


def test_a_stated_unit_wins() -> None:
    assert unit_of("net_amount", TableColumn(description="x", unit="EUR"), "DOUBLE") == "EUR"


def test_only_measures_need_one() -> None:
    assert needs_unit("double")
    assert not needs_unit("VARCHAR")
    assert not needs_unit("BIGINT")
