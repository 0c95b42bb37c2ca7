from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import DataQualityError
from cdp_pipeline.quality.gate import run_warehouse
from cdp_pipeline.quality.results import read_results
from cdp_pipeline.storage.files import read_json
from cdp_pipeline.storage.paths import DataPaths

DIM_PERSON = """\
/*
description: People.
grain: one row per person
key: [person_id]
owner: analytics
columns:
  person_id: Stable id
  city: Town
checks:
  - {expect: not_null, column: city, severity: warn}
*/
select * from identity.golden_records
"""
FCT_VISITS = """\
/*
description: Visits.
grain: one row per line
key: [source, line_no]
owner: analytics
columns: {source: Source, line_no: Line, person_id: Buyer}
checks:
  - {expect: exists_in, column: person_id, table: core.dim_person.person_id, name: buyer}
  - {expect: unique, columns: [source, person_id], name: one_visit}
*/
select * from staging.sale_lines
"""


@pytest.fixture
def models(project_root: Path) -> Path:
    """Return the SQL folder of a project with two tables."""
    core = project_root / "sql" / "core"
    core.mkdir(parents=True)
    (core / "dim_person.sql").write_text(DIM_PERSON, encoding="utf-8")
    (core / "fct_visits.sql").write_text(FCT_VISITS, encoding="utf-8")
    return core


@pytest.fixture
def built(context: RunContext, models: Path) -> Path:
    """Return the file of a finished warehouse that passes."""
    assert models.is_dir()
    paths = DataPaths.of(context)
    paths.ensure(paths.work)
    with duckdb.connect(str(paths.build_db)) as con:
        con.execute("create schema core")
        con.execute(
            "create table core.dim_person as "
            "from (values ('C1', 'York'), ('C2', 'Leeds')) as t(person_id, city)"
        )
        con.execute(
            "create table core.fct_visits as from (values "
            "('tills', '1', 'C1'), ('tills', '2', null), ('web', '1', 'C2')) "
            "as t(source, line_no, person_id)"
        )
    return paths.build_db


def change(file: Path, sql: str) -> None:
    with duckdb.connect(str(file)) as con:
        con.execute(sql)


def test_a_sound_warehouse_passes_and_is_not_written_to(context: RunContext, built: Path) -> None:
    before = hashlib.sha256(built.read_bytes()).hexdigest()
    result = run_warehouse(context)
    assert result.facts["failed_checks"] == 0
    assert result.messages == ()
    assert hashlib.sha256(built.read_bytes()).hexdigest() == before
    rules = {(r.suite, r.rule) for r in read_results(DataPaths.of(context).tree)}
    assert {
        ("core.dim_person", "key_not_null"),
        ("core.dim_person", "key_unique"),
        ("core.fct_visits", "key_unique"),
        ("core.fct_visits", "buyer"),
        ("core.fct_visits", "one_visit"),
        ("reconciliation", "money_is_conserved"),
    } <= rules


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "insert into core.dim_person values ('C2', 'Hull')",
            "(stops the night; rule key_unique)",
        ),
        ("insert into core.dim_person values (null, 'Hull')", "rule key_not_null)"),
        ("insert into core.fct_visits values ('web', '1', null)", "rule key_unique)"),
        (
            "insert into core.fct_visits values ('web', '9', 'C9')",
            "1 of 4 rows name what does not exist in `person_id`",
        ),
        (
            "insert into core.fct_visits values ('tills', '9', 'C1'), ('tills', '8', null)",
            "2 of 5 rows repeat `source, person_id` (stops the night; rule one_visit)",
        ),
        ("drop table core.fct_visits", "it is declared, but not built"),
    ],
)
def test_a_broken_warehouse_is_not_published(
    context: RunContext, built: Path, sql: str, expected: str
) -> None:
    change(built, sql)
    with pytest.raises(DataQualityError) as caught:
        run_warehouse(context)
    assert expected in str(caught.value)
    assert "what is published stays" in str(caught.value)


def test_a_warning_does_not_stop(context: RunContext, built: Path) -> None:
    change(built, "update core.dim_person set city = null where person_id = 'C1'")
    assert run_warehouse(context).messages == (
        "core.dim_person: 1 of 2 rows have no `city` (a warning; rule city_not_null)",
    )


def test_rows_that_reach_nobody_stop_the_night(context: RunContext, built: Path) -> None:
    change(built, "create table core.fct_sales as select 't' as source, 'k' as sale_line_key")
    with pytest.raises(DataQualityError, match=r"1 of 1 rows .*rule money_is_conserved"):
        run_warehouse(context)


def test_many_failures_are_counted_and_five_are_named(context: RunContext, built: Path) -> None:
    change(built, "insert into core.dim_person from (values (null, 'a'), ('C1', 'b'))")
    change(built, "insert into core.fct_visits from (values (null, null, 'X'), ('web', '1', 'Y'))")
    change(built, "create table core.fct_sales as select 't' as source, 'k' as sale_line_key")
    with pytest.raises(DataQualityError, match=r"; and 1 more"):
        run_warehouse(context)


def test_results_of_both_gates_stand_in_one_summary(context: RunContext, built: Path) -> None:
    assert built.is_file()
    tree = DataPaths.of(context).tree
    run_warehouse(context)
    first = (tree / "quality/summary.json").read_bytes()
    run_warehouse(context)
    assert (tree / "quality/summary.json").read_bytes() == first
    suites = read_json(tree / "quality/summary.json")["suites"]
    statuses = {suite["suite"]: suite["status"] for suite in suites}
    assert statuses == {
        "core.dim_person": "passed",
        "core.fct_visits": "passed",
        "reconciliation": "passed",
    }
