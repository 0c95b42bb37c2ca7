"""The consent ledger grows only: older versions, late files, repeats."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from cdp_pipeline.ingest.statements import STATEMENTS, keep_ledger, note_statements
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.basis import changes_of, decide
from tests.unit.ingest.conftest import NIGHT, REPOSITORY, Store

MEMBERS: dict[str, Any] = {
    "title": "Members",
    "owner": "tests",
    "delivery": {"path": "members/*", "format": "csv"},
    "load": {"mode": "upsert", "key": ["id"], "updated_at": "changed"},
    "columns": {
        "id": {},
        "agreed": {"type": "boolean"},
        "words": {},
        "changed": {"type": "timestamp"},
    },
    "feeds": [
        {"entity": "person_records", "columns": {"record_key": "id", "loyalty_id": "id"}},
        {
            "entity": "consents",
            "where": "agreed is not null",
            "columns": {
                "purpose": "'marketing'",
                "channel": "'email'",
                "status": "case when agreed then 'granted' else 'withdrawn' end",
                "captured_at": "changed",
                "wording_version": "words",
            },
        },
    ],
}
STATED = "select person_record_key, status, captured_at::date::varchar, wording_version from "
STATED += "staging.consents order by all"


def rows(*lines: str) -> str:
    return "id,agreed,words,changed\n" + "".join(f"{line}\n" for line in lines)


def test_what_a_newer_version_no_longer_says_was_said(store: Store) -> None:
    store.declare("members", MEMBERS)
    store.deliver("members/20261118.csv", rows("1,yes,v1,2026-11-18 10:00:00"))
    store.deliver("members/20261119.csv", rows("1,no,,2026-11-19 10:00:00"))
    store.deliver("members/20261120.csv", rows("1,,,2026-11-20 10:00:00"))
    store.night()
    ledger = [
        ("1", "granted", "2026-11-18", "v1"),
        ("1", "withdrawn", "2026-11-19", None),
    ]
    assert store.query(STATED) == ledger
    first = store.query("from staging.consents")
    store.deliver("members/again.csv", rows("1,no,,2026-11-19 10:00:00"))
    store.night()
    assert store.query("from staging.consents") == first


@pytest.mark.parametrize("mode", ["replace", "upsert"])
def test_a_source_without_times_states_only_its_changes(store: Store, mode: str) -> None:
    feeds = [MEMBERS["feeds"][0], {**MEMBERS["feeds"][1]}]
    columns = {k: v for k, v in feeds[1]["columns"].items() if k in {"purpose", "channel"}}
    feeds[1]["columns"] = {**columns, "status": MEMBERS["feeds"][1]["columns"]["status"]}
    load = {"mode": mode, "key": ["id"]}
    store.declare("members", {**MEMBERS, "load": load, "feeds": feeds})
    for number, agreed in enumerate(("yes", "yes", "no", "no", "yes")):
        day = NIGHT - timedelta(days=4 - number)
        store.deliver(f"members/{day:%Y%m%d}.csv", rows(f"1,{agreed},x,", f"2,,x{number},"))
    store.night()
    said = store.query("select status, delivered_on from staging.consents order by delivered_on")
    assert [(status, (NIGHT - on).days) for status, on in said] == [
        ("granted", 4),
        ("withdrawn", 2),
        ("granted", 0),
    ]


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute("attach ':memory:' as cdp; attach ':memory:' as base; use cdp")
    entity = load_project(REPOSITORY).entities["consents"]
    columns = ", ".join(f"{name} {c.type}" for name, c in entity.header.columns.items())
    connection.execute(f"create schema staging; create table staging.consents ({columns})")
    connection.execute(
        "create schema base.ops; create table base.ops.deliveries "
        "(source varchar, file_id varchar, first_loaded_on date)"
    )
    yield connection
    connection.close()


def test_the_night_that_knew_first_is_kept(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("insert into base.ops.deliveries values ('shop', 'f1', '2026-01-02')")
    for name, file_id in (("old", "f1"), ("late", "f2")):
        con.execute(
            f"insert into staging.consents by name select 'shop' as source, '{name}' as "
            f"statement_id, '{file_id}' as file_id, 'granted' as status, "
            "timestamp '2026-01-01 10:00:00' as captured_at, date '2026-01-01' as delivered_on"
        )
    known = {"old": date(2026, 1, 2), "late": NIGHT}
    for night in (NIGHT, NIGHT):
        assert keep_ledger(con, night=night) == 2
        found = con.execute("select statement_id, recorded_on from staging.consents").fetchall()
        assert dict(found) == known


def test_statements_that_are_new_gone_or_different_are_noted() -> None:
    before, now = (
        ", ".join(f"('members', '{key}', '{status}')" for key, status in said)
        for said in (
            [("same", "granted"), ("gone", "granted"), ("linked", "granted")],
            [("same", "granted"), ("new", "granted"), ("linked", "withdrawn")],
        )
    )
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as staging; attach ':memory:' as base")
        decide(con, "")
        note_statements(con)  # nothing published to compare with
        for place, rows in ((STATEMENTS, now), (f"base.{STATEMENTS}", before)):
            con.execute(f"create schema {place.rpartition('.')[0]}")
            con.execute(
                f"create table {place} as select * from (values {rows}) "
                "as said(statement_source, statement_id, status)"
            )
        note_statements(con)
        found = con.execute(f"from {changes_of('staging.consents')} order by all").fetchall()
    assert found == [("members", key) for key in ("gone", "linked", "new")]
