from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.identity.scoring.compare import have_two_births, pattern_sql, unpack
from cdp_pipeline.identity.scoring.design import fitting_design, shipped_design
from cdp_pipeline.identity.standard.nodes import build_nodes
from cdp_pipeline.identity.standard.records import run
from cdp_pipeline.storage.warehouse import open_build

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Store

ALL = shipped_design().comparisons

ANNA = {
    "given_name": "Elizabeth",
    "family_name": "Smith-Jones",
    "birth_date": "1956-02-11",
    "email": "e.smith@web.de",
    "phone": "07700 900123",
    "street": "12 High Street, Flat 3",
    "postcode": "HA1 1AA",
    "loyalty_id": "0071000019",
    "national_id": "QQ123456C",
    "middle_name": "Mary",
    "birth_place": "Saint Helier",
    "occupation": "Printer",
}


CASES = [
    ("given name", {}, "same"),
    ("given name", {"given_name": "Liz"}, "nickname"),
    ("given name", {"given_name": "Elisabeth"}, "alike"),
    ("given name", {"given_name": "E"}, "same initial"),
    ("given name", {"given_name": "Bartholomew"}, "differs"),
    ("given name", {"given_name": None}, "missing"),
    (
        "given name",
        {"given_name": "Smith-Jones", "family_name": "Elizabeth"},
        "swapped with family name",
    ),
    ("family name", {"given_name": "Smith-Jones", "family_name": "Elizabeth"}, "missing"),
    ("family name", {"family_name": "Jones"}, "one part of a double name"),
    ("birth date", {"birth_date": "1956-11-02"}, "day and month swapped"),
    ("birth date", {"birth_date": "1956-02-12"}, "one slip"),
    ("birth date", {"birth_date": "1965-02-11"}, "one slip"),
    ("birth date", {"birth_date": "1956-02-25"}, "same year and month or day"),
    ("birth date", {"birth_date": "1967-08-25"}, "another date of one generation"),
    ("birth date", {"birth_date": "1968-08-25"}, "differs"),
    ("e-mail", {"email": "e.smith+shop@web.de"}, "same mailbox"),
    ("e-mail", {"email": "e.smith@gmx.de"}, "same name at another provider"),
    ("e-mail", {"email": "e.smyth@web.de"}, "alike"),
    ("e-mail", {"email": "f.smith@web.de", "family_name": "Smith"}, "differs"),  # a relative
    ("e-mail", {"email": "e.smyth7@web.de"}, "differs"),
    ("year in the mailbox", {"email": "anna1956@gmx.de"}, "missing"),
    ("year in the mailbox", {"email": "anna5619@gmx.de", "birth_date": None}, "missing"),
    (
        "year in the mailbox",
        {"email": "anna1956@gmx.de", "birth_date": None},
        "year in the mailbox",
    ),
    (
        "year in the mailbox",
        {"email": "an56na@gmx.de", "birth_date": None},
        "two digits of the year",
    ),
    ("year in the mailbox", {"email": "anna_57@gmx.de", "birth_date": None}, "two other digits"),
    ("year in the mailbox", {"email": "anna1957@gmx.de", "birth_date": None}, "differs"),
    ("phone", {"phone": "+44 7700 900123"}, "same"),
    ("phone", {"phone": "07700 900132"}, "one slip"),
    ("phone", {"phone": "07700 911999"}, "differs"),
    ("address", {"street": "Apt 3 12 High St"}, "same"),
    ("address", {"street": "3 12 High Street"}, "same"),
    ("address", {"street": "12, High Street 3"}, "same"),
    ("address", {"street": "12 High Street"}, "same but for the flat"),
    ("address", {"street": "12 High Street, Flat 4"}, "street alike"),
    ("address", {"street": "14 High Street"}, "same postcode"),
    ("address", {"postcode": "HA1 9ZZ"}, "same street line, other postcode"),
    ("address", {"street": "12 Hihg Street, Flat 3"}, "street alike"),
    ("address", {"street": "99 Long Lane"}, "same postcode"),
    ("loyalty card", {"loyalty_id": "71000019"}, "same"),
    ("loyalty card", {"loyalty_id": "0071000091"}, "one slip"),
    ("national number", {"national_id": None}, "missing"),
    ("national number", {"national_id": "QQ 12 34 56 C"}, "same"),
    ("national number", {"national_id": "QQ123465C"}, "one slip"),
    ("middle name", {"middle_name": "M."}, "same initial"),
    ("birth place", {"birth_place": "Saint Hélier"}, "same"),
    ("birth place", {"birth_place": "St Helier"}, "differs"),
    ("occupation", {"occupation": "Printers"}, "alike"),
]


@pytest.fixture(scope="module")
def outcomes(
    make_store: Callable[[Path], Store], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[str]]:
    """Level of each field in every case, in their order: each case is its own pair of records."""
    store = make_store(tmp_path_factory.mktemp("compare"))
    people = []
    for number, (_, change, _) in enumerate(CASES):
        people.append(ANNA | {"record_key": f"{number:02d}a"})
        people.append(ANNA | {"record_key": f"{number:02d}b"} | change)
    context = store.stage(people)
    run(context)
    with open_build(context) as con:
        con.execute("update identity.records set evidence_id = record_id")
        build_nodes(con)
        comparisons = fitting_design(con, shipped_design()).comparisons
        rows = con.execute(
            f"select {pattern_sql(comparisons)} from identity_nodes as l "
            "inner join identity_nodes as r on r.node_id = l.node_id + 1 "
            "where l.node_id % 2 = 0 order by l.node_id"
        ).fetchall()
    found = unpack(np.array([row[0] for row in rows]), comparisons)
    return {c.name: [c.level_name(int(o)) for o in found[:, p]] for p, c in enumerate(comparisons)}


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{CASES[n][0]}: {CASES[n][2]}")
def test_each_level_is_met_by_what_its_name_says(
    outcomes: dict[str, list[str]], number: int
) -> None:
    field, _, level = CASES[number]
    assert outcomes[field][number] == level


def test_a_second_account_has_another_number_and_mailbox_and_that_is_no_conflict(
    make_store: Callable[[Path], Store], tmp_path: Path
) -> None:
    """An order on another's account, from another mailbox, is one."""
    store = make_store(tmp_path)
    anna = {"source": "shop", "record_kind": "account", "full_name": "Anna Smith"}
    order = anna | {"source": "orders", "record_kind": "order"}
    others = [
        anna | {"account_id": "A20001", "email": "quite.other@gmx.de"},
        anna | {"account_id": "A30001", "email": "sunny.side@gmx.de"},
        order | {"account_id": "A20001", "email": "quite.other@gmx.de"},
        order | {"account_id": "A10001", "email": "sunny.side@web.de"},
    ]
    people = [anna | {"account_id": "A10001", "email": "sunny.side@web.de"}, *others]
    context = store.stage(person | {"record_key": str(n)} for n, person in enumerate(people))
    run(context)
    with open_build(context) as con:
        con.execute("update identity.records set evidence_id = record_id")
        build_nodes(con)
        comparisons = [c for c in ALL if c.name in {"web account", "e-mail"}]
        rows = con.execute(
            f"select {pattern_sql(comparisons)} from identity_nodes as l "
            "inner join identity.records as one on one.record_id = l.record_id "
            "cross join identity_nodes as r "
            "inner join identity.records as other on other.record_id = r.record_id "
            "where one.record_key = '0' and other.record_key > '0' order by other.record_key"
        ).fetchall()
    found = unpack(np.array([row[0] for row in rows]), comparisons)
    assert [c.name for c in comparisons] == ["e-mail", "web account"]
    assert [
        [c.level_name(int(o)) for c, o in zip(comparisons, row, strict=True)] for row in found
    ] == [
        ["missing", "missing"],
        ["same name at another provider", "missing"],
        ["differs", "differs"],
        ["same mailbox", "same"],
    ]


def test_what_no_record_says_is_not_compared(outcomes: dict[str, list[str]]) -> None:
    assert set(outcomes) == {case[0] for case in CASES}


@given(st.tuples(*(st.integers(min_value=-1, max_value=c.size - 1) for c in ALL)))
@settings(max_examples=50, deadline=None)
def test_patterns_unpack_to_what_was_packed(outcomes: tuple[int, ...]) -> None:
    code, factor = 0, 1
    for outcome, comparison in zip(outcomes, ALL, strict=True):
        code += factor * (outcome + 1)
        factor *= comparison.size + 1
    assert tuple(unpack(np.array([code]), ALL)[0]) == outcomes
    assert factor < 2**62


def test_only_two_dates_without_likeness_are_two_births() -> None:
    """A slip, a missing date and a year in a mailbox that is not one's own are one person's."""
    (date,) = (c for c in ALL if c.name == "birth date")
    (year,) = (c for c in ALL if c.name == "year in the mailbox")
    differs, missing = 1, 0
    packed = np.array([missing, differs, *range(2, date.size + 1)])
    assert date.levels[-1].name == "another date of one generation"
    assert have_two_births(packed, [date, year]).tolist() == [
        False,
        True,
        *[False] * (date.size - 2),
        True,
    ]
    assert not have_two_births(packed + (date.size + 1) * differs, [date, year])[0]
    assert not have_two_births(packed, [year]).any()
