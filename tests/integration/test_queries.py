"""Named queries answer as they promise, in plain DuckDB on the published file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from cdp_pipeline.cli.app import run_app
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.project.queries import ROLES, QuerySpec
from tests.integration.store import ROOT, Store

QUERIES = load_project(ROOT).queries
MAY_BE_EMPTY = {
    "joiners_and_leavers",
    "journey_of_boots_lookers",
    "open_privacy_requests",  # requests are done in the night that brings them
    "valuable_and_leaving",
}

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def warehouse(store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    con = duckdb.connect(str(store.data / "warehouse" / "cdp.duckdb"), read_only=True)
    yield con
    con.close()


def ask(con: duckdb.DuckDBPyConnection, query: QuerySpec) -> Rows:
    cursor = con.execute(query.sql)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def value(con: duckdb.DuckDBPyConnection, sql: str) -> Any:
    return con.execute(sql).fetchall()[0][0]


def test_there_are_queries_for_everybody() -> None:
    assert len(QUERIES) >= 20
    assert {query.header.role for query in QUERIES.values()} == set(ROLES)


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_answers(name: str, warehouse: duckdb.DuckDBPyConnection) -> None:
    rows = ask(warehouse, QUERIES[name])
    assert rows or name in MAY_BE_EMPTY
    for row in rows:
        assert list(row) == list(QUERIES[name].header.columns)
        for column, found in row.items():
            if column.endswith(("_share", "_prob")) and found is not None:
                low = -1 if column == "change_share" else 0
                assert found >= low, (column, row)
                assert found <= 1 or name in {"campaign_response", "revenue_by_retail_week"}
            if column.endswith("_count") and column != "unit_count":
                assert found >= 0, (column, row)
    warehouse.execute("set threads = 1")
    assert ask(warehouse, QUERIES[name]) == rows
    warehouse.execute("reset threads")


def test_sums_agree_with_the_tables(warehouse: duckdb.DuckDBPyConnection) -> None:
    groups = ask(warehouse, QUERIES["rfm_now"])
    assert sum(row["revenue_share"] for row in groups) == pytest.approx(1)
    tenths = ask(warehouse, QUERIES["value_by_tenth"])
    assert sum(row["clv_12m_amount"] for row in tenths) == value(
        warehouse, "select sum(clv_12m_amount) from features.clv"
    )
    channels = ask(warehouse, QUERIES["channels_of_customers"])
    assert sum(row["customer_count"] for row in channels) == value(
        warehouse,
        "select count(*) from features.customer_features where visit_count_365d > 0",
    )
    week = ask(warehouse, QUERIES["revenue_by_retail_week"])[0]
    assert week["net_amount"] == value(
        warehouse,
        "select sum(net_amount) from marts.daily_performance where business_date >= "
        f"date '{week['week_starts_on']}'",
    )
    stores = ask(warehouse, QUERIES["baskets_by_store"])
    assert sum(row["net_amount"] for row in stores) == value(
        warehouse,
        "select sum(net_amount) from core.fct_sales where channel = 'store' "
        "and line_kind <> 'gift_card' and sold_on > (select max(date_on) from core.dim_date "
        "where is_business_date) - 28",
    )
    assert all(row["is_accounted_for"] for row in ask(warehouse, QUERIES["deliveries_of_the_week"]))
    for row in ask(warehouse, QUERIES["segment_overlap"]):
        assert 0 < row["share_of_first"] <= 1
        assert row["segment"] < row["other_segment"]


def test_by_name_on_the_command_line(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--project", str(ROOT), "--data-dir", str(store.data), "query"]
    assert run_app([*command, "rfm_now", "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("rfm_segment,customer_count,")
    assert run_app([*command, "--list"]) == 0
    assert "value_by_tenth" in capsys.readouterr().out
    assert run_app([*command, "rfm_nou"]) == 2
    assert "`rfm_now`" in capsys.readouterr().err
