"""Rows that share their key with another are found, however many are looked at together."""

from __future__ import annotations

from collections import Counter

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_pipeline.ingest.same_keys import find_candidates
from cdp_pipeline.storage import keys as storage_keys


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    keys=st.lists(st.one_of(st.none(), st.integers(0, 40)), max_size=60),
    at_once=st.sampled_from([1, 7, 1_000]),
)
def test_those_of_keys_that_stand_more_than_once(
    con: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
    keys: list[int | None],
    at_once: int,
) -> None:
    monkeypatch.setattr(storage_keys, "_ROWS_AT_ONCE", at_once)
    con.execute("create or replace temp table keyed (_seq bigint, _line bigint, k bigint)")
    if keys:
        rows = [(n % 3, n, key) for n, key in enumerate(keys)]
        con.executemany("insert into keyed values (?, ?, ?)", rows)
    find_candidates(con, "keyed", key="k", table="found_places")
    found = con.execute("select _seq, _line from found_places order by _line").fetchall()
    often = {key for key, count in Counter(keys).items() if count > 1}
    assert found == [(n % 3, n) for n, key in enumerate(keys) if key in often]
