"""Family names that come first are known by the families, and parents by what registers tell."""

from __future__ import annotations

import random
from itertools import product

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from cdp_pipeline.identity.files.columns import recognise
from cdp_pipeline.identity.files.gather import gather
from cdp_pipeline.identity.files.link import link_tables
from cdp_pipeline.identity.files.name_order import is_family_first, turned
from cdp_pipeline.identity.standard.nicknames import load_nicknames
from cdp_pipeline.storage.tabular import load_arrow

FAMILIES = [a + b for a, b in product(("Kov", "Szab", "Hor", "Tak"), ("acs", "ady", "vath", "oli"))]
GIVEN = ("Anna", "Bence", "Dora", "Gabor", "Ilona", "Janos", "Kata", "Levente", "Nora", "Zsolt")


def _names(order: str, *, homes: int = 40) -> pa.Table:
    """Two or three people a street line, their names written in an order."""
    chance = random.Random(3)  # noqa: S311 - no secrets
    rows = []
    for home in range(homes):
        family = chance.choice(FAMILIES)
        for given in chance.sample(GIVEN, chance.choice((2, 3))):
            name = order.format(given=given, family=family)
            rows.append({"name": name, "street": f"{home} Fo utca", "town": "Eger"})
    return pa.Table.from_pylist(rows)


def _is_family_first(table: pa.Table) -> bool:
    with duckdb.connect() as con:
        load_nicknames(con)
        (loaded,) = load_arrow(con, [("people", table)])
        return is_family_first(con, recognise(con, loaded))


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("{family} {given}", True),
        ("Dr. {family} {given}", True),
        ("{given} {family}", False),
        ("{family}, {given}", False),  # a comma says it already
    ],
)
def test_the_name_that_a_household_shares_is_the_familys(order: str, *, expected: bool) -> None:
    assert _is_family_first(_names(order)) is expected


def test_a_few_neighbours_do_not_turn_all_names() -> None:
    assert not _is_family_first(_names("{family} {given}", homes=5))


def _strangers_of_many_towns() -> list[dict[str, str]]:
    chance = random.Random(4)  # noqa: S311 - no secrets
    lines = ("High Street", "Station Road", "Church Lane")
    return [
        {
            "name": f"{chance.choice(GIVEN)} {chance.choice(FAMILIES)}{place}",
            "street": f"{chance.randrange(100)} {chance.choice(lines)}",
        }
        for place in "abcdefghijklmnopqrstuvwxyz" * 30
    ]


def _twice(second: str, contact: str) -> list[dict[str, str]]:
    """People who are in the file twice, the second time under another name."""
    chance = random.Random(5)  # noqa: S311 - no secrets
    rows = []
    for number in range(80):
        given, family, other = chance.choice(GIVEN), *chance.sample(FAMILIES, 2)
        slip = family[:2] + family[3:]
        names = {"given": given, "family": family, "other": other, "slip": slip}
        rows += [
            {"name": form.format(**names), contact: f"{number} Fo utca"}
            for form in ("{given} {family}", second)
        ]
    return rows


@pytest.mark.parametrize(
    "rows",
    [
        _strangers_of_many_towns(),
        _twice("{given} {slip}", "street"),
        _twice("{given} {family} Jr", "street"),
        _twice("{given} {family[0]}.", "street"),
        _twice("{given} {other}", "email"),
    ],
    ids=["one street line in many towns", "slips", "juniors", "initials", "brides"],
)
def test_one_given_name_is_no_family(rows: list[dict[str, str]]) -> None:
    assert not _is_family_first(pa.Table.from_pylist(rows))


def test_a_second_column_of_names_is_turned_as_well() -> None:
    rows = _names("{family} {given}").to_pylist()
    table = pa.Table.from_pylist(
        [row | {"full name": None if place % 2 else row["name"], "name": row["name"]}
         for place, row in enumerate(rows)]
    )  # fmt: skip
    with duckdb.connect() as con:
        con.execute("create schema staging")
        load_nicknames(con)
        (loaded,) = load_arrow(con, [("people", table.select(["full name", "name", "street"]))])
        gather(con, [recognise(con, loaded)])
        found = con.execute("select full_name from staging.person_records").fetchall()
        columns = [row[0] for row in con.execute("describe staging.person_records").fetchall()]
    assert [name for (name,) in found] == [" ".join(reversed(row["name"].split())) for row in rows]
    assert "father_name" not in columns, "a column that no file has would change the sample"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Nagy Anna", "Anna Nagy"),
        (" Dr. Nagy Anna Ilona", "Anna Ilona Nagy"),
        ("Nagy, Anna", "Nagy, Anna"),
        ("Nagy", "Nagy"),
    ],
)
def test_names_are_turned_round(written: str, expected: str) -> None:
    with duckdb.connect() as con:
        found = con.execute(f"select {turned('name')} from (select ? as name)", [written])
        assert found.fetchall() == [(expected,)]


def _registers() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Baptisms of three children a couple, and their burials, some daughters as wives."""
    chance = random.Random(5)  # noqa: S311 - no secrets
    baptisms, burials = [], []
    for couple in range(120):
        family, mothers = (chance.choice(FAMILIES) + chance.choice("aeiou") for _ in range(2))
        parents = {
            "father": f"{chance.choice(GIVEN)} {family}",
            "mother": f"{chance.choice(GIVEN)} {mothers}",
        }
        year = 1800 + couple % 40
        for child, given in enumerate(chance.sample(GIVEN, 3)):
            person = {"id": f"{couple}-{child}", "forename": given, "parish": f"P{couple % 9}"}
            born = year + 2 * child
            baptisms.append(person | parents | {"surname": family, "birth_year": born})
            last = chance.choice(FAMILIES) if child == 0 else family
            burials.append(
                person | parents | {"surname": last, "birth_year": born + chance.choice((-1, 0, 1))}
            )
    chance.shuffle(burials)
    return pd.DataFrame(baptisms), pd.DataFrame(burials)


def test_parents_find_brides_and_do_not_join_brothers_and_sisters() -> None:
    result = link_tables(*_registers(), names=["baptisms", "burials"], id_column="id")
    groups: dict[str, list[str]] = {}
    for row in result.clusters.to_pylist():
        groups.setdefault(row["entity_id"], []).append(row["record_id"])
    pairs = [members for members in groups.values() if len(members) == 2]
    right = [members for members in pairs if members[0] == members[1]]
    assert len(right) >= 0.9 * 360
    assert sum(len(members) == 2 and members[0].endswith("-0") for members in right) >= 90
    assert len(right) >= 0.97 * len(pairs)
    assert max(map(len, groups.values())) == 2
