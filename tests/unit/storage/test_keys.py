from __future__ import annotations

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_pipeline.storage import keys
from cdp_pipeline.storage.keys import KeyCounts, count_keys, count_repeating

PART = st.one_of(st.none(), st.text(max_size=2))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(PART, PART), max_size=30), at_once=st.sampled_from([1, 7, 1_000]))
def test_different_keys_are_counted_exactly_however_many_are_held_together(
    monkeypatch: pytest.MonkeyPatch, rows: list[tuple[str | None, str | None]], at_once: int
) -> None:
    monkeypatch.setattr(keys, "_ROWS_AT_ONCE", at_once)
    with duckdb.connect() as con:
        con.execute("create table main.held (a varchar, b varchar)")
        if rows:
            con.executemany("insert into main.held values (?, ?)", rows)
        counts = count_keys(con, "main.held", ["a", "b"])
    assert counts == KeyCounts(len(rows), len(set(rows)), sum(None in row for row in rows))


@settings(deadline=None)
@given(rows=st.lists(st.tuples(PART, PART), max_size=30))
def test_rows_that_share_their_values_are_counted_exactly(
    rows: list[tuple[str | None, str | None]],
) -> None:
    with duckdb.connect() as con:
        con.execute("create table main.held (a varchar, b varchar)")
        if rows:
            con.executemany("insert into main.held values (?, ?)", rows)
        found = count_repeating(con, "main.held", ["a", "b"])
    repeating = [row for row in rows if None not in row and rows.count(row) > 1]
    assert found == (len(rows), len(repeating))


@pytest.mark.parametrize(("rows", "is_compared"), [([("a",), ("b",)], False), ([("a",)] * 2, True)])
def test_keys_are_compared_only_where_hashes_repeat(
    rows: list[tuple[str]], *, is_compared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(_: object, sql: str) -> int:
        asked.append(sql)
        return 1

    monkeypatch.setattr("cdp_pipeline.storage.keys.fetch_value", answer)
    with duckdb.connect() as con:
        con.execute("create table main.held (a varchar)")
        con.executemany("insert into main.held values (?)", rows)
        assert count_keys(con, "main.held", ["a"]).different == (1 if is_compared else 2)
    assert len(asked) == is_compared
