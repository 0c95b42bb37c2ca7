"""Hash dialects against known answers, and text that no spreadsheet executes."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cdp_pipeline.activation.dialects import hashed, inert_text, is_free_text
from cdp_pipeline.project.marketing import DestinationField


@lru_cache(maxsize=1)
def database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def evaluate(sql: str, value: str | None) -> str | None:
    rows = database().execute(f"select {sql} from (select ?::varchar as v)", [value]).fetchall()
    result: str | None = rows[0][0]
    return result


def hash_of(dialect: str, kind: str, value: str | None) -> str | None:
    return evaluate(hashed("v", dialect=dialect, kind=kind), value)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("dialect", "kind", "value", "digest"),
    [
        (
            "google",
            "email",
            "test@gmail.com",
            "87924606b4131a8aceeeae8868531fbb9712aaa07a5d3a756b26ce0f5d6ca674",
        ),
        (
            "meta",
            "email",
            " Mary@Example.com ",
            "f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79",
        ),
        (
            "google",
            "email",
            "Cloudy.SanFrancisco+shopping@gmail.com",
            "223ebda6f6889b1494551ba902d9d381daf2f642bae055888e96343d53e9f9c4",
        ),
        (
            "google",
            "email",
            "user.name+nyc@example.com",
            "f109a2a632fbcea5fc82049f50beed3d8621bf9034399f437fb622222acccdac",
        ),
        (
            "google",
            "phone",
            "+1 (800) 555-0100",
            "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30",
        ),
        (
            "meta",
            "phone",
            "+1 (800) 555-0100",
            "92cfdc5fbcd4a20fbe5d3857af6c1aba31762105bba7f21a17155e920653046c",
        ),
        (
            "meta",
            "name",
            " ZOË ",
            "2752b88686847fa5c86f47b94ce652b7b3f22a91c37617d451a4db9afa431450",
        ),
        (
            "google",
            "name",
            "zoe\u0308",
            "2752b88686847fa5c86f47b94ce652b7b3f22a91c37617d451a4db9afa431450",
        ),
    ],
)
def test_known_answers(dialect: str, kind: str, value: str, digest: str) -> None:
    assert hash_of(dialect, kind, value) == digest


@pytest.mark.parametrize(
    ("dialect", "kind", "value", "plain"),
    [
        ("google", "email", "Jane.Doe+Shopping@googlemail.com", "janedoe@googlemail.com"),
        ("google", "email", "a n n@example.com", "ann@example.com"),
        ("meta", "email", "cloudy.sanfrancisco+shopping@gmail.com",
         "cloudy.sanfrancisco+shopping@gmail.com"),
        ("google", "phone", "0044 7700 900123", "+447700900123"),
        ("meta", "phone", "0044 7700 900123", "447700900123"),
        ("google", "name", "Mary Ann", "maryann"),
        ("meta", "name", "O'Brien-Smith", "obriensmith"),
        ("meta", "city", "Stratford-upon-Avon", "stratforduponavon"),
        ("meta", "city", "St. Ives", "stives"),
        ("meta", "postcode", "SW1A 1AA", "sw1a1"),
        ("meta", "postcode", "94025-1234", "94025"),
        ("meta", "postcode", "1234 AB", "1234ab"),
        ("meta", "country", "GB", "gb"),
    ],
)  # fmt: skip
def test_normalisation(dialect: str, kind: str, value: str, plain: str) -> None:
    assert hash_of(dialect, kind, value) == sha256(plain)


@pytest.mark.parametrize("dialect", ["google", "meta"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", None),
        ("email", "  "),
        ("email", "nobody"),
        ("email", "two@@example.com"),
        ("email", "ann@localhost"),
        ("phone", "07700 900123"),
        ("phone", "+44"),
        ("phone", "+0 7700 900123"),
        ("phone", "unknown"),
        ("name", " "),
    ],
)
def test_a_bad_identifier_is_dropped_not_hashed(dialect: str, kind: str, value: str | None) -> None:
    assert hash_of(dialect, kind, value) is None


@pytest.mark.parametrize("dialect", ["google", "meta"])
@pytest.mark.parametrize("kind", ["email", "phone", "name"])
def test_what_is_hashed_is_not_hashed_again(dialect: str, kind: str) -> None:
    digest = sha256("ann@example.com")
    assert hash_of(dialect, kind, digest) == digest
    assert hash_of(dialect, kind, f" {digest.upper()}") == digest


ACTIVE = re.compile(r"^[\s\u200b-\u200f\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]")


@given(text=st.text(alphabet=st.sampled_from("=+-@\t\r\n \u200b\uff1d'a1."), max_size=6))
@example(text="=cmd|' /C calc'!A0")
@example(text=" \u200b@sum")
@settings(max_examples=80, deadline=None)
def test_no_text_starts_a_formula(text: str) -> None:
    safe = evaluate(inert_text("v"), text)
    is_number = re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text)
    assert safe in {text, f"'{text}"}
    assert is_number or not ACTIVE.search(safe)


@pytest.mark.parametrize("text", ["+447700900123", "-12.50", "Ann", "O'Brien", ""])
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert evaluate(inert_text("v"), text) == text


def test_free_text_is_known_by_name_and_kind() -> None:
    assert is_free_text(DestinationField(column="nearest_store_name", header="s"))
    assert is_free_text(DestinationField(column="nickname", header="n", kind="name"))
    assert not is_free_text(DestinationField(column="phone", header="p"))
