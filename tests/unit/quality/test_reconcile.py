from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.quality.reconcile import read_rule, reconcile

BUSINESS_DATE = date(2026, 11, 20)
TABLES = """
attach ':memory:' as staging;
attach ':memory:' as cdp;
use cdp;
create schema core; create schema identity; create schema ops; create schema features;
create table ops.deliveries as from (values
    ('f1', 'loaded', 12, 7, 1, 1, 1, 2), ('f2', 'refused', 5, 0, 5, 0, 0, 0)
) as t(file_id, status, records, loaded, quarantined, duplicates, excluded, suppressed);
create table ops.quarantine_summary as
    select 'f1' as file_id, 'tills' as source, 'amount_not_null' as rule, 1 as rows;
create table staging.sale_lines as from (values
    ('tills', '1', 1.000, 9.99, 0.00, 9.99), ('tills', '2', 3.000, 1.00, 0.50, null)
) as t(source, sale_id, quantity, unit_price, discount_amount, net_amount);
create table staging.orders as from (values
    ('shop', 'o1', 'paid'), ('shop', 'o2', 'cancelled')
) as t(source, order_id, status);
create table staging.order_lines as from (values
    ('shop', 'o1', 1.000, 20.00, 0.00, 20.00), ('shop', 'o2', 1.000, 50.00, 0.00, 50.00)
) as t(source, order_id, quantity, unit_price, discount_amount, net_amount);
create table core.fct_sales as
    select * replace (net_amount::decimal(18, 2) as net_amount) from (values
        ('a', 'tills', 9.99, 'C1'), ('b', 'tills', 2.50, null), ('c', 'shop', 20.00, 'C1'),
        ('c:return', 'shop', -20.00, 'C1')
    ) as t(sale_line_key, source, net_amount, customer_id);
create table identity.records as from (values
    ('tills', 'r1', true), ('shop', 'r2', true), ('shop', 'r3', false)
) as t(source, record_key, is_comparable);
create table identity.customer_map as from (values ('tills', 'r1', 'C1'), ('shop', 'r2', 'C1'))
    as t(source, record_key, customer_id);
create table core.dim_customer as select 'C1' as customer_id;
create table ops.exports as from (values
    ('mail', 'boots', 'trigger', 2), ('mail', 'vip', 'audience', 9)
) as t(destination, segment_or_offer, content, rows);
create table ops.contact_log as from (values
    ('C1', 'boots', 'mail', date '2026-11-20'), ('C2', 'boots', 'mail', date '2026-11-20'),
    ('C1', 'boots', 'mail', date '2026-11-01')
) as t(customer_id, offer, destination, sent_on);
"""


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a small warehouse in which everything adds up."""
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        yield connection


def failures(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    results = reconcile(con, business_date=BUSINESS_DATE)
    return {r.rule: r.unexpected_rows for r in results if not r.success}


def test_everything_adds_up(con: duckdb.DuckDBPyConnection) -> None:
    assert failures(con) == {}
    looked_at = {r.rule: r.evaluated_rows for r in reconcile(con, business_date=BUSINESS_DATE)}
    assert looked_at == {
        "core.fct_sales_names_known_people": 3,
        "customers_have_records": 1,
        "deliveries_add_up": 2,
        "money_is_conserved": 3,
        "order_lines_have_orders": 2,
        "quarantine_has_reasons": 1,
        "records_belong_to_one_person": 3,
        "triggers_are_logged": 2,
    }


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("update ops.deliveries set loaded = 6 where file_id = 'f1'", {"deliveries_add_up": 1}),
        ("update ops.deliveries set loaded = 1 where file_id = 'f2'", {"deliveries_add_up": 1}),
        ("update ops.deliveries set suppressed = 0", {"deliveries_add_up": 1}),
        ("update ops.deliveries set loaded = null", {"deliveries_add_up": 1}),
        ("delete from ops.quarantine_summary", {"quarantine_has_reasons": 1}),
        (
            "update core.fct_sales set net_amount = 9.98 where sale_line_key = 'a'",
            {"money_is_conserved": 1},
        ),
        ("delete from core.fct_sales where sale_line_key = 'c'", {"money_is_conserved": 1}),
        (
            "insert into core.fct_sales values ('d', 'ghost', 0.00, null)",
            {"money_is_conserved": 1},
        ),
        (
            "insert into staging.order_lines values ('shop', 'o9', 1, 1, 0, 1)",
            {"order_lines_have_orders": 1},
        ),
        (
            "insert into identity.customer_map values ('shop', 'r2', 'C2')",
            {"records_belong_to_one_person": 1, "customers_have_records": 1},
        ),
        (
            "delete from identity.customer_map where record_key = 'r1'",
            {"records_belong_to_one_person": 1},
        ),
        (
            "update core.fct_sales set customer_id = 'C7' where sale_line_key = 'a'",
            {"core.fct_sales_names_known_people": 1},
        ),
        (
            "update core.fct_sales set customer_id = 'C7' where sale_line_key in ('a', 'b')",
            {"core.fct_sales_names_known_people": 2},
        ),
        (
            """
            create table features.spend as select 'C1' as customer_id union all select null;
            delete from core.dim_customer
            """,
            {
                "core.fct_sales_names_known_people": 3,
                "features.spend_names_known_people": 1,
                "customers_have_records": 1,
            },
        ),
        ("delete from ops.contact_log where customer_id = 'C2'", {"triggers_are_logged": 1}),
        ("delete from ops.exports", {"triggers_are_logged": 1}),
    ],
)
def test_what_is_lost_is_found(
    con: duckdb.DuckDBPyConnection, sql: str, expected: dict[str, int]
) -> None:
    con.execute(sql)
    assert failures(con) == expected


def test_an_absent_table_is_fine_only_while_nothing_should_reach_it(
    con: duckdb.DuckDBPyConnection,
) -> None:
    con.execute("drop table core.fct_sales")
    assert failures(con) == {"money_is_conserved": 6}
    for table in ("sale_lines", "orders", "order_lines"):
        con.execute(f"delete from staging.{table}")
    assert failures(con) == {}


def test_empty_tables_add_up(con: duckdb.DuckDBPyConnection) -> None:
    tables = con.execute(
        "select database_name || '.' || schema_name || '.' || table_name from duckdb_tables()"
    ).fetchall()
    for (table,) in tables:
        con.execute(f"delete from {table}")
    assert failures(con) == {}


def test_a_rule_without_a_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rule.sql"
    path.write_text("select 1, 0", encoding="utf-8")
    with pytest.raises(ConfigError, match="header"):
        read_rule(path)
