"""Files that list each person once, told from files with copies, and what follows from it."""

from __future__ import annotations

import random

import pandas as pd
import pytest

pytest.importorskip("recordlinkage")

from cdp_pipeline.identity.files.link import LinkResult, link_tables
from cdp_pipeline.project.linkage import LinkConfig

CENSUSES = (1851, 1861)
COPIES = 40
GIVEN = [f"{a}{b}" for a in ("Jan", "Piet", "Kees", "Wim", "Dirk", "Hein") for b in ("", "us")]
PARTS = ("hof", "ter", "wie", "pop", "dek", "lan", "rij", "sto", "gro", "kam")


def _families(seed: int = 3) -> pd.DataFrame:
    """Return two censuses of 400 fathers and their sons, half of them of their father's name."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    rows = []
    for number in range(400):
        family = f"{draw.choice(PARTS)}{draw.choice(PARTS)}ma"
        town, born = (f"{draw.choice(PARTS)}dam" for _ in range(2))
        father = draw.choice(GIVEN)
        son = father if draw.random() < 0.5 else draw.choice(GIVEN)
        year = draw.randint(1790, 1820)
        for who, given, birth, place in (
            ("father", father, year, born),
            ("son", son, year + draw.randint(22, 35), town),
        ):
            for census in CENSUSES:
                age = census - birth + draw.choice([0, 0, 0, 1, -1, 2])
                rows.append((given, family, town, place, str(age), census, f"{number} {who}"))
    names = ["first_name", "last_name", "town", "birth_place", "age", "census_year", "who"]
    return pd.DataFrame(rows, columns=names)


def _link(people: pd.DataFrame, *, by_file: bool, config: LinkConfig | None = None) -> LinkResult:
    columns = people.drop(columns="who")
    if not by_file:
        return link_tables(columns, names=["people"], config=config)
    parts = [columns[columns.census_year == year] for year in CENSUSES]
    return link_tables(*parts, names=[f"census_{year}" for year in CENSUSES], config=config)


def _mixed(found: LinkResult, who: list[str]) -> int:
    """Return the number of entities that hold two people."""
    held: dict[str, set[str]] = {}
    for entity, person in zip(found.clusters["entity_id"].to_pylist(), who, strict=True):
        held.setdefault(entity, set()).add(person)
    return sum(len(people) > 1 for people in held.values())


def _in_one_list(found: LinkResult) -> int:
    """Return the number of entities that hold two records of one source."""
    seen = list(
        zip(found.clusters["source"].to_pylist(), found.clusters["entity_id"].to_pylist(),
            strict=True)
    )  # fmt: skip
    return len(seen) - len(set(seen))


def test_a_census_holds_each_person_once_and_sons_stay_apart_from_fathers() -> None:
    people = _families().sort_values("census_year", kind="stable", ignore_index=True)
    found = _link(people, by_file=True)
    assert found.lists == ("census_1851 1851", "census_1861 1861")
    assert found.as_dict()["lists"] == list(found.lists)
    assert "each person stands once in census_1851 1851, census_1861 1861" in found.report()
    assert _in_one_list(found) == 0
    assert _mixed(found, people.who.to_list()) <= 12
    assert found.counts["entities"] < 1000


def test_a_file_of_several_censuses_is_judged_year_by_year() -> None:
    people = _families()
    found = _link(people, by_file=False)
    assert found.lists == ("people 1851", "people 1861")
    assert _mixed(found, people.who.to_list()) <= 12


def test_a_file_with_copies_is_no_such_list() -> None:
    people = _families()
    copies = people[people.census_year == CENSUSES[0]].sample(COPIES, random_state=5)
    copies = copies.assign(age=(copies.age.astype(int) + 1).astype(str))
    found = _link(pd.concat([people, copies], ignore_index=True), by_file=False)
    assert "people 1851" not in found.lists


def test_people_may_say_it_themselves() -> None:
    people = _families().sort_values("census_year", kind="stable", ignore_index=True)
    free = _link(people, by_file=True, config=LinkConfig(listed_once=False))
    assert free.lists == ()
    assert _in_one_list(free) > 0
    alone = people[people.census_year == CENSUSES[0]].drop(columns="who")
    said = link_tables(alone, names=["census"], config=LinkConfig(listed_once=True))
    assert said.lists == ("census 1851",)
    assert said.counts["entities"] == said.counts["records"]


def test_rows_that_say_the_same_are_two_people_only_where_people_say_so() -> None:
    people = _families().drop(columns="who")
    alone = people[people.census_year == CENSUSES[0]]
    alone = alone.assign(phone=[f"0770090{n:04}" for n in range(len(alone))])
    twice = pd.concat([alone, alone.head(2)], ignore_index=True)
    said = link_tables(twice, names=["census"], config=LinkConfig(listed_once=True))
    assert said.counts["entities"] == len(twice)
    found = link_tables(twice, names=["census"], config=LinkConfig(listed_once=False))
    assert found.counts["entities"] < len(twice)
