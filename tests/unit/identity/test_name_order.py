"""Family names that come first are known by the families, and parents by what registers tell."""

from __future__ import annotations

import random
from itertools import product

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from cdp_pipeline.identity.files.columns import recognise
from cdp_pipeline.identity.files.link import link_tables
from cdp_pipeline.identity.files.name_order import is_family_first, turned
from cdp_pipeline.identity.standard.nodes import load_nicknames
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
