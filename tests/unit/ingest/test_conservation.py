"""Every record of every file is accounted for, and the ledger says what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import duckdb
import pytest

from cdp_pipeline.core.errors import DataQualityError
from cdp_pipeline.core.settings import EngineSettings
from cdp_pipeline.ingest.deliveries import Delivery
from cdp_pipeline.ingest.ledger import (
    EXPIRED,
    LedgerEntry,
    check_conservation,
    write_arrivals,
    write_ledger,
)
from cdp_pipeline.project.tables import TableHeader, TableSpec
from cdp_pipeline.project.yaml_source import read_model
from cdp_pipeline.storage.warehouse import connect, fetch_dicts

from .conftest import NIGHT, REPOSITORY

FATES = ("loaded", "quarantined", "duplicates", "excluded", "suppressed")
FILE = Delivery("f1", "till", "/landing/till/a.csv", "till/a.csv", "5ha", 70, NIGHT, "new")


def entry(**parts: object) -> LedgerEntry:
    counts = {fate: 2**number for number, fate in enumerate(FATES)}
    return LedgerEntry(**{"delivery": FILE, "status": "loaded", "records": 31, **counts, **parts})


def table(name: str) -> TableSpec:
    path = REPOSITORY / "sql" / "ops" / f"{name}.yml"
    return TableSpec("ops", name, read_model(TableHeader, path), path)


@pytest.fixture
def build() -> Iterator[duckdb.DuckDBPyConnection]:
    con = connect(EngineSettings(threads=1))
    con.execute("attach ':memory:' as base; create schema base.ops")
    con.execute("attach ':memory:' as cdp; use cdp; create schema ops")
    yield con
    con.close()


def write(con: duckdb.DuckDBPyConnection, *entries: LedgerEntry, night: date = NIGHT) -> None:
    specs = {"deliveries": table("deliveries"), "summary": table("quarantine_summary")}
    write_ledger(con, entries, **specs, night=night)


def test_records_whose_fates_add_up_pass() -> None:
    check_conservation([])
    nothing = dict.fromkeys(FATES, 0)
    check_conservation(
        [entry(), entry(records=0, **nothing), entry(records=1, **nothing | {"loaded": 1})]
    )


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("off", [-1, 1])
def test_one_record_lost_or_counted_twice_is_told_with_its_file(fate: str, off: int) -> None:
    right = entry()
    wrong = replace(right, **{fate: getattr(right, fate) + off})
    wrong = replace(wrong, delivery=replace(FILE, file_name="till/b.csv"))
    with pytest.raises(DataQualityError, match=f"31 records .* make {31 + off}") as caught:
        check_conservation([right, wrong])
    assert caught.value.where == "till/b.csv"


@pytest.mark.parametrize("fate", ["loaded", "excluded"])
def test_a_count_below_none_makes_up_for_nothing(fate: str) -> None:
    right = entry(loaded=0, excluded=0, records=22)
    check_conservation([right])
    wrong = replace(right, **{fate: -1}, suppressed=right.suppressed + 1)
    with pytest.raises(DataQualityError):
        check_conservation([wrong])


def test_the_counts_of_a_file_nobody_has_read_are_none() -> None:
    assert LedgerEntry(FILE, "refused").records == 0
    check_conservation([LedgerEntry(FILE, "refused")])


def test_the_ledger_says_of_each_file_what_became_of_it(build: duckdb.DuckDBPyConnection) -> None:
    gone = replace(FILE, file_id="f2", file_name="till/0.csv", path=None)
    write(build, entry(reason="late"), entry(delivery=gone))
    said = {
        "file_id": "f1", "source": "till", "file_name": "till/a.csv", "sha256": "5ha", "bytes": 70,
        "business_date": NIGHT, "records": 31, "loaded": 1, "quarantined": 2, "duplicates": 4,
        "excluded": 8, "suppressed": 16, "status": "loaded", "reason": "late", "in_landing": True,
        "first_loaded_on": NIGHT,
    }  # fmt: skip
    other = {"file_id": "f2", "file_name": "till/0.csv", "reason": None, "in_landing": False}
    assert fetch_dicts(build, "from ops.deliveries") == [said | other, said]
    assert fetch_dicts(build, "from ops.quarantine_summary") == []
    left = build.execute("select table_name from duckdb_tables() where temporary").fetchall()
    assert left == []


def test_the_ledger_is_documented_as_its_header_says(build: duckdb.DuckDBPyConnection) -> None:
    write(build, entry())
    said = dict(build.execute("select column_name, comment from duckdb_columns()").fetchall())
    assert said["suppressed"] == "Rows about people who were erased"


def test_an_expired_file_has_left_landing(build: duckdb.DuckDBPyConnection) -> None:
    write(build, entry(status=EXPIRED))
    assert build.execute("select status, in_landing from ops.deliveries").fetchall() == [
        ("expired", False)
    ]


def test_a_file_keeps_the_night_that_saw_it_first(build: duckdb.DuckDBPyConnection) -> None:
    first, later = date(2026, 11, 1), date(2026, 11, 2)
    build.execute(
        "create table base.ops.deliveries as select * from (values ('till', 'till/a.csv', '5ha', "
        "$later), ('till', 'till/a.csv', '5ha', $first), ('till', 'till/a.csv', 'x', $first)) "
        "as known (source, file_name, sha256, first_loaded_on)",
        {"first": first, "later": later},
    )
    same = {"file_id": "f2", "file_name": "till/b.csv"}
    write(build, entry(), entry(delivery=replace(FILE, **same)))
    seen = build.execute("select file_name, first_loaded_on from ops.deliveries").fetchall()
    assert seen == [("till/a.csv", first), ("till/b.csv", NIGHT)]


def test_rules_that_set_records_aside_are_counted_others_not_named(
    build: duckdb.DuckDBPyConnection,
) -> None:
    write(build, entry(rules={"price_type": 2, "conflicting_key": 0, "date_type": 1}))
    whose = {"file_id": "f1", "source": "till", "file_name": "till/a.csv"}
    assert fetch_dicts(build, "from ops.quarantine_summary") == [
        {**whose, "rule": "date_type", "rows": 1},
        {**whose, "rule": "price_type", "rows": 2},
    ]


def test_the_same_of_one_file_is_said_once(build: duckdb.DuckDBPyConnection) -> None:
    late = {"source": "till", "kind": "late", "file_name": "till/a.csv", "detail": "by a day"}
    others = [{**late, "source": "shop"}, {**late, "kind": "gone"}, {**late, "file_name": "b"}]
    write_arrivals(build, [late, *others, {**late, "detail": "by two days"}], table("arrivals"))
    said = {(a["source"], a["kind"], a["file_name"]): a["detail"] for a in others}
    said["till", "late", "till/a.csv"] = "by two days"
    found = build.execute("select source, kind, file_name, detail from ops.arrivals").fetchall()
    assert found == [(*key, detail) for key, detail in sorted(said.items())]
