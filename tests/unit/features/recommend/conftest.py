"""A small store in which who buys pasta buys sauce later, and who buys nails buys a hammer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta

import duckdb
import pytest

Row = tuple[str | None, str | None, str | None, datetime]

AS_OF = date(2026, 11, 20)
COOKS = ("pasta", "sauce", "basil")
BUILDERS = ("nails", "hammer", "saw")


def at(days_ago: int) -> datetime:
    return datetime(2026, 11, 20, 12) - timedelta(days=days_ago)  # noqa: DTZ001 - store time


def two_habits(customers: int = 60) -> list[Row]:
    """Each buys two of three goods of one kind, milk always; the last basket holds the third."""
    rows: list[Row] = []
    for number in range(customers):
        name = f"C{number:03d}"
        kind = COOKS if number % 2 else BUILDERS
        missing = kind[number // 2 % 3]
        for basket, days in enumerate((90, 60, 30)):
            known = next(good for good in kind if good != missing)
            other = next(good for good in kind if good not in {missing, known})
            goods = ("milk", known if basket % 2 else other)
            rows += [(name, good, f"{name}-{basket}", at(days)) for good in goods]
        rows += [(name, good, f"{name}-9", at(1)) for good in ("milk", missing)]
    return rows


def load(con: duckdb.DuckDBPyConnection, rows: Iterable[Row], name: str = "bought") -> str:
    con.execute(
        f"create or replace table {name} "
        "(customer_id varchar, item_id varchar, basket_id varchar, bought_at timestamp)"
    )
    given = list(rows)
    if given:
        con.executemany(f"insert into {name} values (?, ?, ?, ?)", given)
    return name


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@pytest.fixture
def make(con: duckdb.DuckDBPyConnection) -> Callable[[Iterable[Row]], str]:
    return lambda rows: load(con, rows)
