"""Short forms of given names in many languages, and mailboxes that differ as names do."""

from __future__ import annotations

import csv
from importlib import resources

import duckdb
import pytest

from cdp_pipeline.identity.standard.nicknames import load_nicknames
from cdp_pipeline.project.evidence import EVIDENCE
from cdp_pipeline.project.levels import mailbox_alike, nickname


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    load_nicknames(con)
    return con


def _share_a_root(con: duckdb.DuckDBPyConnection, left: str, right: str) -> bool:
    condition = nickname(EVIDENCE["given_name"], None).condition
    rows = con.execute(
        f"select {condition} from identity_nicknames as l, identity_nicknames as r "
        "where l.name = ? and r.name = ?",
        [left, right],
    ).fetchall()
    return any(is_one for (is_one,) in rows)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("malgorzata", "gosia"),
        ("francisco", "paco"),
        ("giuseppe", "beppe"),
        ("youssef", "yusuf"),
        ("josef", "sepp"),
        ("elizabeth", "liz"),
    ],
)
def test_a_short_form_is_known_in_its_language(
    con: duckdb.DuckDBPyConnection, name: str, short: str
) -> None:
    assert _share_a_root(con, name, short)


def test_short_forms_of_different_names_are_different_people(
    con: duckdb.DuckDBPyConnection,
) -> None:
    assert not _share_a_root(con, "gosia", "kasia")
    assert not _share_a_root(con, "paco", "pepe")


@pytest.mark.parametrize(
    ("full", "one", "other"),
    [
        ("johannes", "hans", "jan"),
        ("helena", "lena", "leni"),
        ("elizabeth", "beth", "liz"),
        ("margaret", "peggy", "rita"),
    ],
)
def test_two_short_forms_of_one_name_are_brothers_or_sisters(
    con: duckdb.DuckDBPyConnection, full: str, one: str, other: str
) -> None:
    assert _share_a_root(con, full, one)
    assert _share_a_root(con, full, other)
    assert not _share_a_root(con, one, other)


@pytest.mark.parametrize(
    "names",
    ["jorg jurgen", "klaus nils", "klaus niklas", "ralf rolf", "christiane jana",
     "maria mia", "bartlomiej bartosz", "ksenia oksana", "georgi yuri"],
)  # fmt: skip
def test_names_of_one_origin_that_brothers_and_sisters_have_are_no_short_forms(
    con: duckdb.DuckDBPyConnection, names: str
) -> None:
    """Two at one address, of whom no birth date is known, would be one."""
    assert not _share_a_root(con, *names.split())


def test_names_are_listed_as_records_are_compared() -> None:
    """In small letters without accents, once in a language, and never as their own short form."""
    text = resources.files("cdp_pipeline.identity.standard").joinpath("short_forms.csv")
    rows = list(csv.DictReader(text.read_text(encoding="utf-8").splitlines()))
    assert len({(row["language"], row["name"]) for row in rows}) == len(rows)
    for row in rows:
        forms = row["short_forms"].split()
        assert forms
        assert row["name"] not in forms
        assert len(set(forms)) == len(forms)
        assert all(f.isascii() and f.isalpha() and f.islower() for f in (row["name"], *forms)), row


@pytest.mark.parametrize(
    ("givens", "families", "mailboxes", "is_slip"),
    [
        (("joshua", "joshua"), ("lewin", "lewis"), ("joshua.lewin", "joshua.lewis"), False),
        (("joshua", "joshua"), ("lewin", "lewin"), ("joshua.lewin", "joshua.lewis"), True),
        (("joshua", "joshua"), ("lewim", "lewin"), ("joshua.lewin", "joshua.lewis"), True),
        (("joshua", "joshua"), (None, "lewis"), ("joshua.lewin", "joshua.lewis"), True),
        (("jo", "joe"), ("jones", "jones"), ("jo.jones", "joe.jones"), False),
        (("jo", "joanne"), ("lewis", "lewis"), ("joanne.lewis", "joanne.lewi"), True),
        (("a", "anna"), ("lewis", "lewis"), ("anna.lwis", "anna.lewis"), True),
        (("alex", "alexander"), ("krol", "krol"), ("alexandr.krol", "alexander.krol"), True),
    ],
)
def test_mailboxes_that_differ_as_their_owners_names_do_are_no_slip_of_one(
    con: duckdb.DuckDBPyConnection,
    givens: tuple[str, str],
    families: tuple[str | None, str],
    mailboxes: tuple[str, str],
    *,
    is_slip: bool,
) -> None:
    condition = mailbox_alike(EVIDENCE["email"], 0.94).condition
    side = (
        "(select ? as given_name, ? as family_name, ? || '@gmail.com' as email, "
        "0 as email_digits, 0 as email_own)"
    )
    sides = list(zip(givens, families, mailboxes, strict=True))
    for one, other in (sides, sides[::-1]):
        found = con.execute(f"select {condition} from {side} as l, {side} as r", [*one, *other])
        assert bool(found.fetchall()[0][0]) is is_slip
