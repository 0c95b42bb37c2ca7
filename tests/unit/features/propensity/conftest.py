"""A small store with a deed that inputs foretell, and one that nothing foretells."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

AS_OF = date(2026, 6, 30)
DAYS = 400

TABLES = """
create schema features;
create schema core;
create table features.customer_day (
    customer_id varchar, purchased_on date, net_amount decimal(18, 2), gross_amount decimal(18, 2),
    returned_amount decimal(18, 2), promoted_amount decimal(18, 2), unit_count decimal(18, 3),
    is_visit boolean, is_web_visit boolean
);
create table core.fct_web_events (
    customer_id varchar, event_type varchar, occurred_on date, occurred_at timestamp,
    identified_at timestamp
);
create table core.fct_email_events (
    customer_id varchar, event_type varchar, occurred_on date, is_machine boolean
);
create table core.deeds (customer_id varchar, happened_on date);
create temp table refused (customer_id varchar)
"""


def add_visits(con: duckdb.DuckDBPyConnection, visits: list[tuple[str, date]]) -> None:
    insert(con, visits)
    con.execute(
        "insert into features.customer_day "
        "select name, day, 20, 20, 0, 0, 1, true, false from given"
    )


def insert(con: duckdb.DuckDBPyConnection, rows: list[tuple[str, date]]) -> None:
    names, days = zip(*rows, strict=True)
    columns = {"name": np.array(names, object), "day": np.array(days, "datetime64[s]")}
    con.register("given_rows", columns)
    con.execute(
        "create or replace temp table given as select name, day::date as day from given_rows"
    )
    con.unregister("given_rows")


def draw_store(con: duckdb.DuckDBPyConnection, *, customers: int = 1_600, seed: int = 5) -> None:
    """Everybody comes at random; who looked at four goods does it within a month.

    Lookers are others every time, so neither habit nor recency foretells them.
    """
    draw = np.random.default_rng(seed)
    visits: list[tuple[str, date]] = []
    looks: list[tuple[str, date]] = []
    deeds: list[tuple[str, date]] = []
    for number in range(customers):
        name = f"C{number:04d}"
        days = np.flatnonzero(draw.random(DAYS) < draw.uniform(0.01, 0.05))
        visits += [(name, AS_OF - timedelta(days=DAYS - int(day))) for day in [0, *days]]
        offset = int(draw.integers(0, 30))
        for month in range(14):
            start = AS_OF + timedelta(days=offset - 30 * month)
            if draw.random() < 0.15:
                looks += [(name, start + timedelta(days=i)) for i in range(4)]
                if draw.random() < 0.9:
                    deeds.append((name, start + timedelta(days=int(draw.integers(10, 30)))))
    add_visits(con, visits)
    insert(con, looks)
    con.execute(
        "insert into core.fct_web_events select name, 'product_view', day, day, day from given"
    )
    insert(con, deeds)
    con.execute("insert into core.deeds select name, day from given")


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("attach ':memory:' as cdp; use cdp")
    con.execute(TABLES)
    return con


@pytest.fixture(scope="session")
def drawn_store() -> duckdb.DuckDBPyConnection:
    """Return a store that tests only read, but for tables of their own."""
    con = duckdb.connect()
    con.execute("attach ':memory:' as cdp; use cdp")
    con.execute(TABLES)
    draw_store(con)
    return con
