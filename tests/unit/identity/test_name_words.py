"""Where a file's words stand tells which are given names and which the family's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import duckdb
import pyarrow as pa
import pytest

from cdp_pipeline.identity.files.columns import recognise
from cdp_pipeline.identity.files.name_words import run_together, split_by_places
from cdp_pipeline.identity.standard.nicknames import load_nicknames
from cdp_pipeline.storage.tabular import load_arrow

GIVEN = ("Wilfrido", "Rosalba", "Elvia", "Porfirio", "Ariadna", "Yuridia", "Abelardo", "Pascual")
FAMILY = ("Mata", "Madera", "Palomo", "Quiroz", "Tapia", "Baeza", "Borrego", "Granados", "Segovia")
PAIRS = [(a, b) for a, b in product(FAMILY, FAMILY) if a != b]


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    load_nicknames(connection)
    yield connection
    connection.close()


def _told(con: duckdb.DuckDBPyConnection, names: list[str]) -> dict[str, str]:
    (loaded,) = load_arrow(con, [("people", pa.table({"name": names}))])
    sql = split_by_places(con, recognise(con, loaded), '"name"')
    return dict(con.execute(f"select name, {sql} from {loaded.table}").fetchall())


def _longer() -> list[str]:
    return [f"{GIVEN[n % len(GIVEN)]} {a} {b}" for n, (a, b) in enumerate(PAIRS)]


def test_two_family_names_are_told_apart_from_the_given_one_in_any_order(
    con: duckdb.DuckDBPyConnection,
) -> None:
    short = [f"{given} {family}" for given, family in product(GIVEN, FAMILY[:4])]
    odd = ["Mata Madera Wilfrido", "Quiroz Elvia", "Elvia de la Mata Tapia", "Tapia, Elvia"]
    told = _told(con, [*_longer(), *short, *odd])
    assert told["Wilfrido Mata Madera"] == "Mata Madera, Wilfrido"
    assert told["Mata Madera Wilfrido"] == "Mata Madera, Wilfrido"
    assert told["Quiroz Elvia"] == "Quiroz, Elvia"
    assert told["Elvia de la Mata Tapia"] == "de la Mata Tapia, Elvia"
    assert told["Tapia, Elvia"] == "Tapia, Elvia"
    assert told["Elvia Mata"] == "Elvia Mata"


def test_a_name_between_that_is_left_out_for_short_is_no_family_name(
    con: duckdb.DuckDBPyConnection,
) -> None:
    longer = _longer()
    short = [f"{name.split()[0]} {name.split()[2]}" for name in longer]
    told = _told(con, longer + short)
    assert told == {name: name for name in told}


def test_a_word_that_may_be_either_stays_where_it_is(con: duckdb.DuckDBPyConnection) -> None:
    told = _told(con, ["Taylor James", "James Taylor", "Morgan Lewis", "Lewis Morgan"])
    assert told == {name: name for name in told}


def _given(con: duckdb.DuckDBPyConnection, names: list[str]) -> list[str]:
    (loaded,) = load_arrow(con, [("people", pa.table({"first name": names}))])
    sql = run_together(con, recognise(con, loaded), "first name")
    rows = con.execute(f"select {sql} from {loaded.table} order by link_row").fetchall()
    return [row[0] for row in rows]


def test_given_names_are_one_word_where_others_write_them_so(
    con: duckdb.DuckDBPyConnection,
) -> None:
    first = ("guo", "jian", "wei", "ming", "hong", "yan", "li")
    second = ("xin", "hua", "jun", "lei", "min", "na", "fang", "bo")
    whole = [f"{a.title()}{b}" for a, b in product(first, second)]
    parted = [f"{a.title()}-{b.title()}" for a, b in product(first, second)]
    found = _given(con, [*whole, *parted, "Guo X."])
    assert found == [*whole, *(name.lower() for name in whole), "Guo X."]


def test_two_given_names_stay_two_where_nobody_writes_them_as_one(
    con: duckdb.DuckDBPyConnection,
) -> None:
    names = [f"{a} {b}" for a, b in product(GIVEN, FAMILY)]
    assert _given(con, [*names, *GIVEN]) == [*names, *GIVEN]
