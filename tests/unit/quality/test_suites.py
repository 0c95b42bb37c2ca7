from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.types import Severity
from cdp_pipeline.project.checks import Check
from cdp_pipeline.quality.checkpoints import open_checkpoints
from cdp_pipeline.quality.results import CheckResult
from cdp_pipeline.quality.suites import Subject, build_expectation, build_suite

SUBJECT = Subject("core.sales", "sales", {"sku": "varchar", "units": "bigint"}, "sales.sql")


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a connection with a table whose column names are reserved words."""
    with duckdb.connect() as connection:
        connection.execute("create schema core")
        connection.execute("create table core.products as select 'A' as sku union all select null")
        connection.execute(
            'create table core.sales ("order" varchar, "qualify" varchar, "Pivot it" bigint)'
        )
        connection.execute("insert into core.sales values ('A', 'x', 1), ('B', ':y{z}?', 2)")
        connection.execute("insert into core.sales values (null, null, null)")
        yield connection


def judge(con: duckdb.DuckDBPyConnection, *checks: Check) -> list[CheckResult]:
    with open_checkpoints(con, business_date=date(2026, 11, 20)) as checkpoints:
        subject = checkpoints.look_at("core.sales", "from core.sales", where="sales.sql")
        return checkpoints.run([(subject, checks)], stage="warehouse")


def test_severity_and_rule_travel_with_the_expectation() -> None:
    checks = [
        Check(expect="not_null", column="sku", severity=severity, name=f"r_{severity}")
        for severity in Severity
    ]
    suite = build_suite(SUBJECT, checks)
    assert [(e.severity.value, e.meta["severity"], e.meta["rule"]) for e in suite.expectations] == [
        ("critical", "stop", "r_stop"),
        ("warning", "quarantine", "r_quarantine"),
        ("warning", "warn", "r_warn"),
    ]


def test_an_unknown_kind_is_an_error() -> None:
    check = Check.model_construct(expect="looks_nice", column="sku", columns=(), name=None)
    with pytest.raises(ConfigError, match="looks_nice"):
        build_expectation(check, SUBJECT)


@pytest.mark.parametrize(
    "check",
    [
        Check(expect="not_null", column="sqku"),
        Check(expect="unique", columns=("sku", "sqku")),
        Check(expect="true", where="sqku is not null"),
        Check(expect="exists_in", column="sqku", table="core.products.sku"),
    ],
)
def test_an_unknown_column_is_an_error_that_names_the_file(check: Check) -> None:
    with pytest.raises(ConfigError, match="sqku") as caught:
        build_expectation(check, SUBJECT)
    assert caught.value.where == "sales.sql"


def test_exists_in_needs_schema_table_and_column() -> None:
    check = Check(expect="exists_in", column="sku", table="products.sku")
    with pytest.raises(ConfigError, match=r"schema\.table\.column"):
        build_expectation(check, SUBJECT)


def test_a_condition_may_not_reach_other_tables() -> None:
    check = Check(expect="true", where="units > (select count(*) from core.products)")
    with pytest.raises(ConfigError):
        build_expectation(check, SUBJECT)


def test_every_kind_runs_on_reserved_names_and_odd_characters(
    con: duckdb.DuckDBPyConnection,
) -> None:
    results = judge(
        con,
        Check(expect="not_null", column="order", name="a"),
        Check(expect="unique", columns=("order", "qualify"), name="b"),
        Check(expect="exists_in", column="order", table="core.products.sku", name="c"),
        Check(expect="true", where="\"qualify\" <> ':y{z}?'", name="d"),
        Check(expect="matches", column="qualify", pattern=r"(?:\{z\}|x)", name="e"),
        Check(expect="between", column="Pivot it", max=1, name="f"),
        Check(expect="length_between", column="Pivot it", max=0, name="g"),
        Check(expect="row_count_between", min=5, name="h"),
        Check(expect="row_count_between", min=1, max=2, name="i"),
    )
    assert {r.rule: (r.unexpected_rows, r.evaluated_rows) for r in results} == {
        "a": (1, 3),
        "b": (0, 3),
        "c": (1, 3),
        "d": (1, 3),
        "e": (0, 3),
        "f": (1, 3),
        "g": (2, 3),
        "h": (2, 3),
        "i": (1, 3),
    }
    assert {r.rule for r in results if r.success} == {"b", "e"}


@pytest.mark.parametrize(("mostly", "succeeds"), [(0.6, True), (0.7, False)])
def test_a_condition_may_hold_mostly(
    con: duckdb.DuckDBPyConnection, *, mostly: float, succeeds: bool
) -> None:
    check = Check(expect="true", where="\"order\" = 'A'", mostly=mostly)
    assert judge(con, check)[0].success is succeeds


def test_columns_are_named_in_the_result(con: duckdb.DuckDBPyConnection) -> None:
    results = judge(con, Check(expect="unique", columns=("order", "qualify")))
    assert (results[0].columns, results[0].kind) == ("order, qualify", "unique")
