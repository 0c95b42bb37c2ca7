"""Tables that are last night's but for a few rows: read where they lie, published whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import pytest
from pydantic import SecretStr

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.keys import new_key
from cdp_pipeline.storage import versions
from cdp_pipeline.storage.basis import decide, has_changes
from cdp_pipeline.storage.differences import forget_difference, note_difference
from cdp_pipeline.storage.patching import clear_place, remove_rows, write_patched
from cdp_pipeline.storage.warehouse import fetch_value, open_build, open_whole
from tests.unit.storage.nights import build_night, day

if TYPE_CHECKING:
    import duckdb

MakeContext = Callable[..., RunContext]
ROWS = 20


def first_night(make_context: MakeContext, **settings: object) -> RunContext:
    """Publish a night with people and begin the next, which builds upon it."""
    before = make_context(day(0), **settings)
    build_night(before, 10)
    with open_build(before) as con:
        con.execute(
            f"create table identity.people as select range as id, 'old' as said from range({ROWS})"
        )
    versions.run(before)
    context = make_context(day(1), **settings)
    build_night(context, 10)
    return context


def patch(con: duckdb.DuckDBPyConnection, *, replaced: int = 2) -> None:
    write_patched(
        con,
        "identity.people",
        key="id",
        replaced=f"select range as id from range({replaced})",
        anew="select 'new' as said, 1::bigint as id union all select 'new', 99",
    )


def kind(con: duckdb.DuckDBPyConnection) -> str:
    is_view = "select count(*) from duckdb_views() where database_name = 'vault' and not internal"
    return "view" if fetch_value(con, is_view) else "table"


def said(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    return con.execute(
        "select said, count(*) from identity.people group by all order by 1"
    ).fetchall()


def test_what_stays_is_read_where_it_lies_and_published(make_context: MakeContext) -> None:
    context = first_night(make_context)
    for _ in ("once", "again after a failure"):
        with open_build(context) as con:
            patch(con)
            assert kind(con) == "view"
            assert said(con) == [("new", 2), ("old", ROWS - 2)]
    versions.run(context)
    with open_whole(context.settings) as con:
        assert said(con) == [("new", 2), ("old", ROWS - 2)]


@pytest.mark.parametrize(
    ("replaced", "is_sealed"), [(ROWS // 2, False), (2, True)], ids=["many replaced", "encrypted"]
)
def test_a_table_is_written_where_reading_would_cost_more(
    make_context: MakeContext, replaced: int, *, is_sealed: bool
) -> None:
    keys = {"keys": {"master": SecretStr(new_key())}} if is_sealed else {}
    with open_build(first_night(make_context, **keys)) as con:
        patch(con, replaced=replaced)
        assert kind(con) == "table"
        assert said(con) == [("new", 2), ("old", ROWS - replaced)]


@pytest.mark.parametrize("replaced", [2, ROWS // 2], ids=["few", "many"])
def test_what_differs_is_found_among_replaced_and_new_rows(
    make_context: MakeContext, replaced: int
) -> None:
    with open_build(first_night(make_context)) as con:
        decide(con, "")
        patch(con, replaced=replaced)
        noted = con.execute(
            f'select id, said, "is now" from {note_difference(con, "identity.people")} order by all'
        ).fetchall()
        old = [(number, "old", False) for number in range(replaced)]
        assert noted == sorted([*old, (1, "new", True), (99, "new", True)])
        clear_place(con, "identity.people")
        assert not has_changes(con, "identity.people")


def test_what_was_noted_is_forgotten_once_rows_go(make_context: MakeContext) -> None:
    with open_build(first_night(make_context)) as con:
        decide(con, "")
        patch(con)
        note_difference(con, "identity.people")
        remove_rows(con, "identity.people", "id < $least", {"least": 5})
        rows = f"select count(*) from {note_difference(con, 'identity.people')}"
        assert fetch_value(con, rows) == 5 + 1


def test_its_place_is_cleared_whatever_lay_there(make_context: MakeContext) -> None:
    with open_build(first_night(make_context)) as con:
        for made in ("table", "view"):
            con.execute(f"create {made} identity.people as select 1 as id")
            clear_place(con, "identity.people")
            con.execute("create table identity.people as select 2 as id")
            clear_place(con, "identity.people")
        clear_place(con, "identity.people")


@pytest.mark.parametrize("is_sealed", [False, True])
def test_rows_past_their_time_leave_a_table_that_is_still_a_view(
    make_context: MakeContext, *, is_sealed: bool
) -> None:
    keys = {"keys": {"master": SecretStr(new_key())}} if is_sealed else {}
    context = first_night(make_context, **keys)
    with open_build(context) as con:
        patch(con)
        was = kind(con)
        remove_rows(con, "identity.people", "id < $least", {"least": 0})
        assert kind(con) == was, "nothing was past its time, so nothing is written"
        for _ in ("once", "again after a failure"):
            remove_rows(con, "identity.people", "id < $least", {"least": 5})
            assert kind(con) == "table"
            assert said(con) == [("new", 1), ("old", ROWS - 5)]
    versions.run(context)
    with open_whole(context.settings) as con:
        assert said(con) == [("new", 1), ("old", ROWS - 5)]


class DyingConnection:
    """Stops before its n-th statement."""

    def __init__(self, con: duckdb.DuckDBPyConnection, at: int) -> None:
        self.con, self.left = con, at

    def execute(self, *statement: object) -> duckdb.DuckDBPyConnection:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return self.con.execute(*statement)  # type: ignore[arg-type]


def test_whoever_dies_while_rows_go_leaves_all_of_them_or_those_that_stay(
    make_context: MakeContext,
) -> None:
    context = first_night(make_context)
    kept = []
    for at in range(1, 30):
        with open_build(context) as con:
            patch(con)
            dying = cast("duckdb.DuckDBPyConnection", DyingConnection(con, at))
            try:
                remove_rows(dying, "identity.people", "id < $least", {"least": 5})
            except KeyboardInterrupt:
                kept.append(sum(count for _, count in said(con)))
            else:
                break
    assert set(kept) == {ROWS, ROWS - 4}


def test_rows_without_the_column_that_counts_stay(make_context: MakeContext) -> None:
    with open_build(first_night(make_context)) as con:
        write_patched(
            con,
            "identity.people",
            key="id",
            replaced="select 1 as id",
            anew="select null as said, 1::bigint as id",
        )
        remove_rows(con, "identity.people", "said < $before", {"before": "z"})
        assert said(con) == [(None, 1)]


@pytest.mark.parametrize(
    ("kind_of_value", "values"),
    [
        ("varchar", ["null", "''", "'a'", "'NULL'"]),
        ("varchar[]", ["null", "[]", "[null]", "['']", "['NULL']", "['a', 'b']", "['a, b']"]),
        ("struct(a integer)", ["null", "{'a': null}", "{'a': 0}"]),
        ("map(varchar, integer)", ["null", "map {}", "map {'a': null}"]),
        ("decimal(9, 2)", ["null", "0", "0.01"]),
    ],
)
def test_any_other_value_is_a_difference(
    make_context: MakeContext, kind_of_value: str, values: list[str]
) -> None:
    with open_build(first_night(make_context)) as con:
        decide(con, "")
        for before in values:
            for now in values:
                for place, value in (("base.core", before), ("core", now)):
                    con.execute(f"create schema if not exists {place}")
                    con.execute(
                        f"create or replace table {place}.things as "
                        f"select 1 as id, {value}::{kind_of_value} as told"
                    )
                rows = f"select count(*) from {note_difference(con, 'core.things')}"
                assert fetch_value(con, rows) == (0 if before == now else 2), (before, now)
                forget_difference(con, "core.things")
