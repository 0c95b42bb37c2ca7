from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset as ds
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.project.tables import TableHeader, TableSpec
from cdp_pipeline.rights.versions import _write_vault
from cdp_pipeline.storage.basis import decide
from cdp_pipeline.storage.differences import select_difference, write_difference
from cdp_pipeline.storage.files import sha256_of
from cdp_pipeline.storage.mirror import (
    FORMAT,
    NO_DATE,
    PART,
    WHOLE,
    Earlier,
    Mirror,
    month_folder,
    rewrite_table,
    write_mirror,
)
from cdp_pipeline.storage.splicing import splice_columns
from cdp_pipeline.storage.warehouse import VAULT

TABLE = "core.sales"


def declare() -> dict[str, TableSpec]:
    header = TableHeader.model_validate(
        {
            "name": "sales",
            "description": "Sales.",
            "grain": "one row per id",
            "key": ["id"],
            "owner": "tests",
            "partition_by": "sold_on",
            "columns": {"id": "Number", "sold_on": "Day", "amount": "Money"},
        }
    )
    path = Path("sql/core/sales.sql")
    return {TABLE: TableSpec("core", "sales", header, path, "select 1", 1)}


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    opened = duckdb.connect()
    for name in ("cdp", "staging"):
        opened.execute(f"attach ':memory:' as {name}")
    opened.execute("use cdp")
    opened.execute("create schema core")
    yield opened
    opened.close()


def publish(
    con: duckdb.DuckDBPyConnection, rows: list[tuple[int, str | None, int]], folder: Path,
    earlier: Earlier | None = None,
) -> tuple[Mirror, Earlier]:  # fmt: skip
    con.execute(f"create or replace table {TABLE} (id integer, sold_on date, amount integer)")
    for row in rows:
        con.execute(f"insert into {TABLE} values (?, ?, ?)", row)
    mirror = write_mirror(con, declare(), folder, earlier)
    files = {
        path.relative_to(folder).as_posix(): {
            "sha256": sha256_of(path),
            "bytes": path.stat().st_size,
        }
        for path in folder.rglob("*.parquet")
    }
    manifest: dict[str, Any] = {"mirror": mirror.facts(), "files": files}
    return mirror, Earlier(folder, manifest)


def read(folder: Path) -> list[tuple[Any, ...]]:
    place = folder / "parquet" / "core" / "sales"
    table = ds.dataset(place, format="parquet", partitioning="hive").to_table()
    assert "month" in table.column_names
    columns = [table.column(name).to_pylist() for name in ("id", "sold_on", "amount")]
    found = [
        (number, day.isoformat() if day else None, amount)
        for number, day, amount in zip(*columns, strict=True)
    ]
    return sorted(found, key=lambda row: row[0])


def linked(mirror: Mirror) -> set[str]:
    return {name.split("month=")[1].split("/")[0] for name in mirror.linked}


ROWS: list[tuple[int, str | None, int]] = [
    (3, "2026-10-31", 1), (1, "2026-11-30", 2), (2, "2026-11-01", 3), (4, None, 4),
]  # fmt: skip


def test_a_file_a_month_in_the_order_of_the_date(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    mirror, _ = publish(con, ROWS, tmp_path)
    assert mirror.rows == {TABLE: 4}
    assert read(tmp_path) == sorted(ROWS, key=lambda row: row[0])
    november = tmp_path / month_folder(TABLE, "2026-11") / PART
    ids = duckdb.execute("select id from read_parquet(?)", [str(november)]).fetchall()
    assert ids == [(2,), (1,)]
    assert {path.parent.name for path in tmp_path.rglob(PART)} == {
        "month=2026-10",
        "month=2026-11",
        f"month={NO_DATE}",
    }


def test_rows_made_anew_leave_the_bytes_of_a_full_build(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    spec = declare()[TABLE]
    plan = {"unit": {"id": "id"}, "inputs": {"core.lines": {"unit": {"id": "id"}}}}
    header = spec.header.model_dump() | {"partition_by": None, "incremental": plan}
    spec = TableSpec("core", "sales", TableHeader.model_validate(header), spec.path, "select 1", 1)
    for name, ids in (("full", (1, 2, 3)), ("changes", (1, 3, 2))):
        con.execute(f"create or replace table {TABLE} (id integer, amount integer)")
        con.executemany(f"insert into {TABLE} values (?, 5)", [[number] for number in ids])
        write_mirror(con, {TABLE: spec}, tmp_path / name, None)
    files = [tmp_path / name / "parquet/core/sales.parquet" for name in ("full", "changes")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_files_of_another_format_are_written_anew(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("cdp_pipeline.storage.mirror.FORMAT", "format parquet, compression snappy")
        _, first = publish(con, ROWS, tmp_path / "1")
    mirror, second = publish(con, ROWS, tmp_path / "2", first)
    assert linked(mirror) == set()
    mirror, _ = publish(con, ROWS, tmp_path / "3", second)
    assert linked(mirror) == {"2026-10", "2026-11", NO_DATE}


def test_only_months_that_changed_are_written(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _, first = publish(con, ROWS, tmp_path / "1")
    mirror, second = publish(con, [*ROWS, (5, "2026-11-02", 9)], tmp_path / "2", first)
    assert linked(mirror) == {"2026-10", NO_DATE}
    october = month_folder(TABLE, "2026-10") / PART
    assert (tmp_path / "1" / october).samefile(tmp_path / "2" / october)
    assert len(read(tmp_path / "2")) == 5
    assert len(read(tmp_path / "1")) == 4
    # A late row goes to its month; a month that lost its rows is gone.
    late: list[tuple[int, str | None, int]] = [(3, "2026-10-31", 1), (9, "2026-10-01", 1)]
    mirror, _ = publish(con, late, tmp_path / "3", second)
    assert linked(mirror) == set()
    assert read(tmp_path / "3") == late


def test_a_list_that_becomes_empty_or_unknown_is_written_anew(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    place, earlier = Path("parquet") / "core" / "steps.parquet", None
    for night, steps in enumerate(("null", "[]", "[null]", "[null]")):
        con.execute(f"create or replace table core.steps as select {steps}::integer[] as steps")
        folder = tmp_path / str(night)
        mirror = write_mirror(con, {}, folder, earlier)
        text = "null" if steps == "null" else f"'{steps.upper()}'"
        written = con.execute(
            f"select steps::varchar is not distinct from {text} from read_parquet($1)",
            [str(folder / place)],
        )
        assert written.fetchall() == [(True,)]
        assert (place.as_posix() in mirror.linked) == (night == 3)
        facts = {"sha256": sha256_of(folder / place), "bytes": 1}
        manifest = {"mirror": mirror.facts(), "files": {place.as_posix(): facts}}
        earlier = Earlier(folder, manifest)
    con.execute("drop table core.steps")


def test_months_of_moments(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    moments = ["2026-10-31 23:59:59.999999", "2026-11-01 00:00:00", "2026-11-30 23:59:59.5"]
    con.execute(
        f"create or replace table {TABLE} as select unnest($1::timestamp[]) as sold_on, "
        "unnest(range(3)) as id",
        [moments],
    )
    write_mirror(con, declare(), tmp_path, None)
    found = duckdb.execute(
        "select month, sold_on::varchar from read_parquet($1, hive_partitioning = true) order by 2",
        [str(tmp_path / "parquet" / "core" / "sales" / "*" / PART)],
    ).fetchall()
    assert found == [
        ("2026-10", moments[0]),
        ("2026-11", moments[1]),
        ("2026-11", moments[2]),
    ]


def test_a_file_of_another_order_is_written_again(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _, first = publish(con, ROWS, tmp_path / "1")
    tables = declare()
    header = tables[TABLE].header.model_copy(update={"key": ("amount",)})
    tables[TABLE] = TableSpec("core", "sales", header, tables[TABLE].path, "select 1", 1)
    assert write_mirror(con, declare(), tmp_path / "2", first).linked != {}
    assert write_mirror(con, tables, tmp_path / "3", first).linked == {}


def test_a_damaged_file_or_another_engine_is_not_believed(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _, first = publish(con, ROWS, tmp_path / "1")
    (tmp_path / "1" / month_folder(TABLE, "2026-10") / PART).write_bytes(b"forged")
    mirror, _ = publish(con, ROWS, tmp_path / "2", first)
    assert linked(mirror) == {"2026-11", NO_DATE}
    first.manifest["mirror"]["engine"] = "1.5.5"
    mirror, _ = publish(con, ROWS, tmp_path / "3", first)
    assert linked(mirror) == set()
    assert read(tmp_path / "3") == read(tmp_path / "2")


def test_an_empty_table_is_a_table(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    mirror, _ = publish(con, [], tmp_path)
    assert mirror.rows == {TABLE: 0}
    assert read(tmp_path) == []


@pytest.mark.parametrize("is_split", [True, False])
def test_a_table_written_again_leaves_other_versions_alone(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, *, is_split: bool
) -> None:
    spec = declare()[TABLE]
    if not is_split:
        header = spec.header.model_copy(update={"partition_by": None})
        spec = TableSpec("core", "sales", header, spec.path, "select 1", 1)
    con.execute(f"create or replace table {TABLE} as select 1 as id, date '2026-11-01' as sold_on")
    write_mirror(con, {TABLE: spec}, tmp_path / "1", None)
    before = {path: sha256_of(path) for path in (tmp_path / "1").rglob("*.parquet")}
    for path in before:
        target = tmp_path / "2" / path.relative_to(tmp_path / "1")
        target.parent.mkdir(parents=True)
        target.hardlink_to(path)
    con.execute(f"update {TABLE} set sold_on = date '2026-12-01'")
    months = rewrite_table(con, TABLE, spec, tmp_path / "2", source=f"cdp.{TABLE}")
    assert list(months) == ["2026-12" if is_split else WHOLE]
    files = [str(path) for path in (tmp_path / "2").rglob("*.parquet")]
    found = duckdb.execute("select sold_on::varchar from read_parquet(?)", [files]).fetchall()
    assert found == [("2026-12-01",)]
    assert {path: sha256_of(path) for path in before} == before


def test_a_table_written_again_keeps_the_months_that_stay(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _, was = publish(con, ROWS, tmp_path / "1")
    for path in (tmp_path / "1").rglob("*.parquet"):
        target = tmp_path / "2" / path.relative_to(tmp_path / "1")
        target.parent.mkdir(parents=True)
        target.hardlink_to(path)
    con.execute(f"delete from {TABLE} where id = 2 or sold_on is null")
    spec, source = declare()[TABLE], f"cdp.{TABLE}"
    months = rewrite_table(con, TABLE, spec, tmp_path / "2", source=source, earlier=[was])
    assert list(months) == ["2026-10", "2026-11"]
    assert [row[0] for row in read(tmp_path / "2")] == [1, 3]
    assert [row[0] for row in read(tmp_path / "1")] == [1, 2, 3, 4]
    october = month_folder(TABLE, "2026-10") / PART
    assert (tmp_path / "1" / october).samefile(tmp_path / "2" / october)
    # A file from before the table was split holds what has gone.
    whole = tmp_path / "2" / "parquet" / "core" / "sales.parquet"
    whole.write_bytes(b"of another layout")
    rewrite_table(con, TABLE, spec, tmp_path / "2", source=source, earlier=[was])
    assert not whole.exists()


@pytest.mark.parametrize("is_personal", [True, False])
def test_a_table_of_which_rows_went_is_the_same_bytes_with_any_number_of_threads(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, *, is_personal: bool
) -> None:
    header = declare()[TABLE].header.model_copy(update={"partition_by": None})
    spec = TableSpec("core", "sales", header, Path("sql/core/sales.sql"), "select 1", 1)
    catalog = VAULT if is_personal else "cdp"
    con.execute(f"attach if not exists ':memory:' as {VAULT}")
    con.execute(f"create schema if not exists {VAULT}.core")
    con.execute(
        f"create or replace table {catalog}.{TABLE} as "
        "select range as id, date '2026-11-01' as sold_on from range(400_000)"
    )
    con.execute(f"delete from {catalog}.{TABLE} where id % 7 = 3 or id between 50_000 and 60_000")
    found = set()
    for threads in (1, 2, 4):
        con.execute(f"set threads = {threads}")
        folder = tmp_path / str(threads)
        if is_personal:
            (folder / VAULT).mkdir(parents=True)
            _write_vault(con, folder, {TABLE: spec}, KeySettings())
        else:
            rewrite_table(con, TABLE, spec, folder, source=f"cdp.{TABLE}")
        found |= {sha256_of(path) for path in folder.rglob("*.parquet")}
    con.execute("reset threads")
    assert len(found) == 1


def test_a_whole_table_is_linked_while_rows_and_columns_stay(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    spec = declare()[TABLE]
    header = spec.header.model_copy(update={"partition_by": None})
    tables = {TABLE: TableSpec("core", "sales", header, spec.path, "select 1", 1)}
    con.execute(f"create or replace table {TABLE} as select 1 as id, 2 as amount")
    made = write_mirror(con, tables, tmp_path / "1", None)
    file = "parquet/core/sales.parquet"
    facts = {"sha256": sha256_of(tmp_path / "1" / file), "bytes": 1}
    earlier = Earlier(tmp_path / "1", {"mirror": made.facts(), "files": {file: facts}})
    assert list(write_mirror(con, tables, tmp_path / "2", earlier).linked) == [file]
    for number, change in enumerate(
        ("select 1 as id, 3 as amount", "select 1 as id, 2 as money", "from range(0) as r(id)")
    ):
        con.execute(f"create or replace table {TABLE} as {change}")
        folder = tmp_path / f"changed{number}"
        assert write_mirror(con, tables, folder, earlier).linked == {}
        read_back = duckdb.execute("from read_parquet(?)", [str(folder / file)]).fetchall()
        assert read_back == con.execute(f"from {TABLE}").fetchall()


rows = st.dictionaries(
    st.integers(0, 9),
    st.tuples(
        st.sampled_from(["2026-10-01", "2026-10-31", "2026-11-15", "2027-01-01", None]),
        st.integers(0, 2),
    ),
    max_size=8,
).map(lambda found: [(number, *values) for number, values in found.items()])


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(nights=st.lists(rows, min_size=1, max_size=4))
def test_however_nights_follow_the_mirror_is_the_table(
    con: duckdb.DuckDBPyConnection,
    tmp_path_factory: pytest.TempPathFactory,
    nights: list[list[tuple[int, str | None, int]]],
) -> None:
    root, earlier = tmp_path_factory.mktemp("nights"), None
    for number, night in enumerate(nights):
        folder = root / str(number)
        _, earlier = publish(con, night, folder, earlier)
        assert read(folder) == sorted(night, key=lambda row: row[0])
        # Linked or written, the bytes are those of a version that had none before.
        alone = root / f"{number} alone"
        publish(con, night, alone)
        hashes = [
            {path.relative_to(place): sha256_of(path) for path in place.rglob("*.parquet")}
            for place in (folder, alone)
        ]
        assert hashes[0] == hashes[1]


def declare_incremental(column: str | None) -> dict[str, TableSpec]:
    spec = declare()[TABLE]
    plan = {"unit": {"id": "id"}, "inputs": {"core.lines": {"unit": {"id": "id"}}}}
    header = spec.header.model_dump() | {"partition_by": column, "incremental": plan}
    made = TableHeader.model_validate(header)
    return {TABLE: TableSpec("core", "sales", made, spec.path, "select 1", 1)}


def bytes_of(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    was=rows,
    others=st.dictionaries(st.integers(0, 9), st.integers(0, 2), max_size=3),
    late=rows,
    column=st.sampled_from(["sold_on", None]),
)
def test_files_of_which_columns_changed_have_the_bytes_of_a_full_build(
    con: duckdb.DuckDBPyConnection,
    tmp_path_factory: pytest.TempPathFactory,
    was: list[tuple[int, str | None, int]],
    others: dict[int, int],
    late: list[tuple[int, str | None, int]],
    column: str | None,
) -> None:
    root, tables = tmp_path_factory.mktemp("columns"), declare_incremental(column)
    con.execute(f"create or replace table {TABLE} (id integer, sold_on date, amount integer)")
    for row in was:
        con.execute(f"insert into {TABLE} values (?, ?, ?)", row)
    made = write_mirror(con, tables, root / "1", None)
    files = {
        path.relative_to(root / "1").as_posix(): {"sha256": sha256_of(path), "bytes": 1}
        for path in (root / "1").rglob("*.parquet")
    }
    con.execute(f"create or replace temp table was as from {TABLE}")
    for number, amount in others.items():
        con.execute(f"update {TABLE} set amount = ? where id = ?", [amount, number])
    for row in late[:1]:
        con.execute(f"insert into {TABLE} select ?, ?, ? where ? not in (select id from was)",
                    [*row, row[0]])  # fmt: skip
    decide(con, "")
    write_difference(con, TABLE, select_difference(now=f"from {TABLE}", before="from was"))
    facts = {"mirror": made.facts(), "files": files}
    write_mirror(con, tables, root / "2", Earlier(root / "1", facts, is_base=True))
    write_mirror(con, tables, root / "3", None)
    assert bytes_of(root / "2") == bytes_of(root / "3")


@pytest.mark.parametrize("is_damaged", [True, False])
def test_a_column_that_changed_is_encoded_alone_into_what_was_published(
    con: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_damaged: bool,
) -> None:
    tables, told = declare_incremental("sold_on"), []

    def splice(published: Path, changed: Path, target: Path) -> None:
        told.append([published, *duckdb.read_parquet(str(changed)).columns])
        splice_columns(published, changed, target)

    _, first = publish(con, ROWS, tmp_path / "1")
    made = write_mirror(con, tables, tmp_path / "1", None)
    earlier = Earlier(first.folder, {**first.manifest, "mirror": made.facts()}, is_base=True)
    con.execute(f"create or replace temp table was as from {TABLE}")
    con.execute(f"update {TABLE} set amount = 9 where id = 1")
    decide(con, "")
    write_difference(con, TABLE, select_difference(now=f"from {TABLE}", before="from was"))
    november = month_folder(TABLE, "2026-11") / PART
    if is_damaged:
        (tmp_path / "1" / november).write_bytes(b"forged")
    with monkeypatch.context() as patch:
        patch.setattr("cdp_pipeline.storage.mirror.splice_columns", splice)
        write_mirror(con, tables, tmp_path / "2", earlier)
    assert told == ([] if is_damaged else [[tmp_path / "1" / november, "amount"]])
    assert (2, "2026-11-01", 3) in read(tmp_path / "2")
    assert (1, "2026-11-30", 9) in read(tmp_path / "2")


def test_a_column_that_lost_values_is_written_alone_and_the_same_with_any_number_of_threads(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    spec = declare()[TABLE]
    con.execute(
        f"create or replace table {TABLE} as select range as id, date '2026-11-01' as sold_on, "
        "range % 90 as amount from range(130_000)"
    )
    lies = tmp_path / "lies.parquet"  # in an order of its own: whoever writes all columns sorts
    con.execute(f"copy (from {TABLE} order by amount, id) to '{lies}' ({FORMAT})")
    rows = f"select id, sold_on, nullif(amount, 7) as amount from '{lies}'"
    expected = duckdb.sql(rows).to_arrow_table()
    con.execute(f"update {TABLE} set amount = null where amount = 7")
    found = set()
    for threads in (1, 2, 4):
        con.execute(f"set threads = {threads}")
        folder = tmp_path / str(threads)
        part = folder / month_folder(TABLE, "2026-11") / PART
        part.parent.mkdir(parents=True)
        part.hardlink_to(lies)
        source = f"cdp.{TABLE}"
        rewrite_table(con, TABLE, spec, folder, source=source, emptied={"amount": "amount = 7"})
        assert duckdb.read_parquet(str(part), hive_partitioning=False).to_arrow_table() == expected
        assert _files(folder) == [part]  # and nothing beside it
        found.add(part.read_bytes())
    con.execute("reset threads")
    assert len(found) == 1
    assert lies.stat().st_nlink == 1  # the bytes that another version may share stay


def test_a_table_written_again_takes_what_another_version_holds_too(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _, was = publish(con, ROWS, tmp_path / "1")
    _, other = publish(con, [row for row in ROWS if row[0] != 2], tmp_path / "2")
    source, spec = f"cdp.{TABLE}", declare()[TABLE]
    rewrite_table(con, TABLE, spec, tmp_path / "1", source=source, earlier=[was, other])
    assert [row[0] for row in read(tmp_path / "1")] == [1, 3, 4]
    shared = [path for path in _files(tmp_path / "1") if path.stat().st_nlink == 2]
    assert shared == [tmp_path / "1" / month_folder(TABLE, "2026-11") / PART]
    # One that was damaged since is not spread.
    month = month_folder(TABLE, "2026-11") / PART
    (tmp_path / "2" / month).write_bytes(b"damaged")
    publish(con, ROWS, tmp_path / "3")
    con.execute(f"delete from {TABLE} where id = 2")
    rewrite_table(con, TABLE, spec, tmp_path / "3", source=source, earlier=[other])
    assert [row[0] for row in read(tmp_path / "3")] == [1, 3, 4]


@pytest.mark.parametrize(
    ("emptied", "changed"),
    [
        ({"amount": "amount = 8"}, "amount = 7"),
        ({"amount": "amount = 7 or id = 3"}, "amount = 7"),
        ({"amount": "no_such_column"}, "amount = 7"),
        ({"sold_on": "amount = 7"}, "sold_on = '2026-11-02'"),
    ],
)
def test_a_file_that_would_not_hold_the_rows_is_written_whole(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, emptied: dict[str, str], changed: str
) -> None:
    spec, source = declare()[TABLE], f"cdp.{TABLE}"
    con.execute(
        f"create or replace table {TABLE} as select range as id, date '2026-11-01' as sold_on, "
        "range % 90 as amount from range(1000)"
    )
    write_mirror(con, {TABLE: spec}, tmp_path, None)
    con.execute(f"update {TABLE} set amount = null where {changed}")
    rewrite_table(con, TABLE, spec, tmp_path, source=source, emptied=emptied)
    ids = con.sql(f"select id, sold_on::varchar, amount from {source} order by id").fetchall()
    assert read(tmp_path) == ids
    assert len(_files(tmp_path)) == 1


def test_a_file_in_an_order_that_is_declared_no_longer_is_written_whole(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    was = declare()[TABLE]
    con.execute(
        f"create or replace table {TABLE} as select range as id, date '2026-11-01' as sold_on, "
        "9 - range as line, 7 as amount from range(10)"
    )
    made = write_mirror(con, {TABLE: was}, tmp_path, None)
    spec = replace(was, header=was.header.model_copy(update={"key": ("line",)}))
    con.execute(f"update {TABLE} set amount = null where id = 3")
    source, emptied = f"cdp.{TABLE}", {"amount": "id = 3"}
    earlier = [Earlier(tmp_path, {"mirror": made.facts(), "files": {}})]
    rewrite_table(con, TABLE, spec, tmp_path, source=source, earlier=earlier, emptied=emptied)
    (part,) = _files(tmp_path)  # of which later nights take columns over, in the order declared
    lines = duckdb.execute("select line from read_parquet(?)", [str(part)]).fetchall()
    assert lines == [(line,) for line in range(10)]


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]
