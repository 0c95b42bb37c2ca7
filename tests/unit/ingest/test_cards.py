"""Card numbers are found in every way of writing them, and other numbers are left alone."""

from __future__ import annotations

import random
from collections.abc import Iterator

import duckdb
import pytest

from cdp_pipeline.ingest.cards import create_card_macros, masked

CARDS = {
    "visa": "4111111111111111",
    "visa spaced": "4111 1111 1111 1111",
    "visa dashes": "4111-1111-1111-1111",
    "visa dots": "4111.1111.1111.1111",
    "visa unbroken spaces": "4111\u00a01111\u00a01111\u00a01111",
    "visa of 13 digits": "4222222222222",
    "visa of 19 digits": "4000000000000000006",
    "mastercard": "5555555555554444",
    "mastercard 2-series": "2223003122003222",
    "amex": "378282246310005",
    "amex spaced": "3782 822463 10005",
    "diners": "30569309025904",
    "discover": "6011111111111117",
    "jcb": "3530111333300000",
    "unionpay": "6200000000000005",
    "maestro": "6304000000000000",
    "in a sentence": "pd w/ card 4111111111111111 exp 12/27",
    "arabic digits": "".join(chr(0x660 + int(c)) for c in "4111111111111111"),
    "wide digits": "".join(chr(0xFF10 + int(c)) for c in "4111111111111111"),
}


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    create_card_macros(connection)
    yield connection
    connection.close()


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_found_and_masked(con: duckdb.DuckDBPyConnection, name: str) -> None:
    text = CARDS[name]
    found, kept = con.execute(
        f"select has_card_number(txt), {masked('txt')} from (select ? as txt)", [text]
    ).fetchall()[0]
    assert found
    assert "[card number]" in kept
    assert sum(character.isdigit() for character in kept) <= 4


@pytest.mark.parametrize("kind", ["EAN", "order", "moment"])
def test_other_numbers_are_no_cards(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    draw = random.Random(1)  # noqa: S311 - no secret
    made = {
        "EAN": lambda: f"590{draw.randrange(10**10):010}",
        "order": lambda: f"2026{draw.randrange(10**10):010}",
        "moment": lambda: f"202603{draw.randrange(1, 29):02}{draw.randrange(10**8):08}",
    }[kind]
    values = [made() for _ in range(20_000)]
    alarms = con.execute(
        "select count(*) from (select unnest(?::varchar[]) as txt) where has_card_number(txt)",
        [values],
    ).fetchall()[0][0]
    assert alarms <= 20
