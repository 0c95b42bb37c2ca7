"""Mistyped providers are mended from the addresses alone, real small ones are left alone."""

from __future__ import annotations

import duckdb
import pytest

from cdp_pipeline.identity.standard.providers import (
    GREAT_MINIMUM,
    SLIP_RATIO,
    SMALL_PROVIDERS,
    find_provider_slips,
)
from cdp_pipeline.identity.standard.spelling import fold_sql


def slips(**providers: int) -> dict[str, str]:
    """Return what each provider is mended to; names have ``_`` for the dot."""
    with duckdb.connect() as con:
        con.execute("create table addresses (email varchar)")
        for name, number in providers.items():
            con.execute(
                "insert into addresses select 'u' || range || '@' || $name from range($n)",
                {"name": name.replace("_", "."), "n": number},
            )
        con.execute("insert into addresses values (null)")
        find_provider_slips(con, "addresses")
        return dict(con.execute("from identity_provider_slips").fetchall())


GREAT = GREAT_MINIMUM * SLIP_RATIO


@pytest.mark.parametrize("typed", ["gmial.com", "gmail.con", "gmai.com", "gmaill.com", "hmail.com"])
def test_one_slip_from_a_great_provider_is_that_provider(typed: str) -> None:
    assert slips(gmail_com=GREAT, **{typed.replace(".", "_"): 3}) == {typed: "gmail.com"}


def test_two_slips_and_short_likenesses_stay() -> None:
    assert slips(gmail_com=GREAT, gmial_con=3, mail_org=3, web_de=3) == {}


def test_what_many_have_is_no_slip() -> None:
    assert slips(gmail_com=GREAT, gmail_con=GREAT // SLIP_RATIO + 1) == {}
    assert slips(gmail_com=GREAT_MINIMUM - 1, gmail_con=0) == {}


def test_a_store_too_small_to_know_mends_nothing() -> None:
    assert slips(gmail_com=GREAT_MINIMUM - 1, gmail_con=1) == {}


def test_real_providers_near_greater_ones_stay() -> None:
    assert "ymail.com" in SMALL_PROVIDERS
    assert slips(gmail_com=GREAT, ymail_com=3, gmx_de=GREAT, gmx_net=3, gmx_at=3) == {}


def test_between_two_great_ones_the_greater_is_meant() -> None:
    assert slips(aol_com=GREAT, aon_com=GREAT * 2, aom_com=2) == {"aom.com": "aon.com"}


@pytest.mark.parametrize(
    ("one", "other", "is_alike"),
    [
        ("mueller", "muller", True),
        ("macdonald", "mcdonald", True),
        ("aagaard", "agard", True),
        ("joe", "jo", False),
        ("mace", "mce", False),
        ("mcdonald", "mcdowell", False),
    ],
)
def test_spellings_of_one_name_fold_to_one(one: str, other: str, *, is_alike: bool) -> None:
    folded = [
        duckdb.execute(f"select {fold_sql('name')} from (select $1 as name)", [name]).fetchall()
        for name in (one, other)
    ]
    assert (folded[0] == folded[1]) is is_alike
