"""Tombstones: who was erased is known in any spelling, by every key, and until when it holds."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import EngineSettings
from cdp_pipeline.privacy.suppression import (
    KINDS,
    SuppressionKey,
    add_tombstones,
    create_normalisers,
    has_tombstones,
    load_tombstones,
    suppression_keys,
    tombstone_file,
)
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import connect

DAY = date(2026, 11, 20)
KEY = SuppressionKey("new", b"n" * 32)
OLD_KEY = SuppressionKey("old", b"o" * 32)
ANNA = [("email", "anna@x.org"), ("phone", "700900123")]


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    return DataPaths(tmp_path, tmp_path / "landing", "night")


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = connect(EngineSettings(threads=1))
    yield connection
    connection.close()


def erase(
    paths: DataPaths, *values: tuple[str, str], key: SuppressionKey = KEY, **more: Any
) -> int:
    return add_tombstones(paths, key, values, **{"erasure": "E000007", "on": DAY, **more})


def lines(paths: DataPaths) -> list[dict[str, Any]]:
    text = tombstone_file(paths).read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def lift(paths: DataPaths, line: dict[str, Any], since: date) -> None:
    """Let somebody in again from a day on, as a readmission writes it."""
    with tombstone_file(paths).open("a", encoding="utf-8") as file:
        file.write(json.dumps({**line, "from": since.isoformat()}) + "\n")


@pytest.mark.parametrize(
    ("kind", "spellings"),
    [
        ("email", ["anna@gmail.com", " Anna+shop@GoogleMail.com ", "mailto:a.nna@gmail.com"]),
        ("phone", ["07700 900123", "+44 (0)7700-900.123", "700900123"]),
        ("loyalty_id", ["0012345678", "12-345-678", 12345678]),
        ("account_id", ["a-17", "A17", "00a17"]),
        ("payment_token", ["Tok_9", " tok_9 "]),
        ("push_token", ["Push_9", " Push_9"]),
        ("national_id", ["ab 12 34", "AB1234"]),
        ("identifier", ["x9", "X-9", "0X9"]),
        ("cookie", ["Ga1.2", " Ga1.2 "]),
        ("record", ["people/P1", "people/P1 "]),
    ],
)
def test_each_spelling_of_a_value_has_the_same_text(
    con: duckdb.DuckDBPyConnection, kind: str, spellings: list[object]
) -> None:
    create_normalisers(con)
    select = f"select {KINDS[kind].format(value='$1')}"
    texts = {con.execute(select, [spelling]).fetchall()[0][0] for spelling in spellings}
    assert len(texts) == 1
    assert texts.isdisjoint({None, ""})
    assert con.execute(select, [" "]).fetchall() == [(None,)]


@pytest.mark.parametrize("kind", ["push_token", "cookie", "record"])
def test_where_case_tells_people_apart_it_is_kept(
    con: duckdb.DuckDBPyConnection, kind: str
) -> None:
    select = f"select {KINDS[kind].format(value='$1')}"
    assert con.execute(select, [" aB "]).fetchall() == [("aB",)]


def test_nothing_else_stands_for_one_person_alone() -> None:
    assert set(KINDS) == {
        "email", "phone", "loyalty_id", "account_id", "payment_token", "push_token", "national_id",
        "identifier", "cookie", "record",
    }  # fmt: skip


def test_a_token_is_128_bits_of_the_hmac_of_kind_and_value() -> None:
    whole = hmac.digest(KEY.secret, b"email\0anna@x.org", "sha256").hex()
    assert KEY.token("email", "anna@x.org") == whole[:32]


@pytest.mark.parametrize("secret", [b"n" * 32, bytes(range(64))])
@pytest.mark.parametrize("value", ["anna@x.org", "", "Zoë 北"])
def test_duckdb_makes_the_tokens_that_python_makes(
    con: duckdb.DuckDBPyConnection, paths: DataPaths, secret: bytes, value: str
) -> None:
    key = SuppressionKey("k", secret)
    load_tombstones(con, paths, [key], on=DAY)
    select = (
        "select suppression_token(inner_pad, outer_pad, 'email', $1::varchar) from suppression_keys"
    )
    assert con.execute(select, [value]).fetchall() == [(key.token("email", value),)]


def test_a_tombstone_says_what_it_must_and_no_more(paths: DataPaths) -> None:
    assert not has_tombstones(paths)
    holders = [(2, *ANNA[0]), (1, *ANNA[0]), (1, *ANNA[1])]
    assert erase(paths, *ANNA, holders=holders) == 2
    assert has_tombstones(paths)
    assert tombstone_file(paths).name == "suppression.jsonl"
    said = {"key": "new", "erasure": "E000007", "on": "2026-11-20"}
    wanted = [
        {"token": KEY.token(*ANNA[0]), "kind": "email", "persons": ["E000007-1", "E000007-2"]},
        {"token": KEY.token(*ANNA[1]), "kind": "phone", "persons": ["E000007-1"]},
    ]
    assert lines(paths) == [line | said for line in wanted]


def test_what_is_known_is_not_written_again_unless_it_was_lifted(paths: DataPaths) -> None:
    assert erase(paths, *ANNA) == 2
    assert erase(paths, *ANNA, ("email", "ben@x.org")) == 1
    assert erase(paths, *ANNA) == 0
    lift(paths, lines(paths)[0], DAY)
    assert erase(paths, *ANNA, erasure="E000008") == 1
    assert [line["erasure"] for line in lines(paths)] == ["E000007"] * 4 + ["E000008"]


def test_a_value_of_another_kind_is_another_tombstone(paths: DataPaths) -> None:
    erase(paths, ("loyalty_id", "17"))
    assert erase(paths, ("account_id", "17")) == 1


def held(con: duckdb.DuckDBPyConnection, on: date, paths: DataPaths) -> list[tuple[Any, ...]]:
    count = load_tombstones(con, paths, [KEY, OLD_KEY], on=on)
    rows = con.execute("from suppressed_tokens order by all").fetchall()
    assert len(rows) == count
    return rows


def test_tombstones_of_all_keys_are_loaded_with_what_recognises_them(
    con: duckdb.DuckDBPyConnection, paths: DataPaths
) -> None:
    assert held(con, DAY, paths) == []
    erase(paths, ANNA[0])
    erase(paths, ANNA[0], key=OLD_KEY)
    wanted = [(key.token(*ANNA[0]), "email", key.id) for key in (KEY, OLD_KEY)]
    assert held(con, DAY, paths) == sorted(wanted)
    keys = con.execute("from suppression_keys").fetchall()
    assert keys == [("new", *KEY.pads(), True), ("old", *OLD_KEY.pads(), False)]


def test_who_is_let_in_again_is_let_in_from_that_day_on(
    con: duckdb.DuckDBPyConnection, paths: DataPaths
) -> None:
    erase(paths, ANNA[0])
    lift(paths, lines(paths)[0], DAY)
    assert [len(held(con, DAY + timedelta(days), paths)) for days in (-1, 0, 1)] == [1, 0, 0]
    erase(paths, ANNA[0])
    assert [len(held(con, DAY + timedelta(days), paths)) for days in (-1, 0, 1)] == [1, 1, 1]


def test_the_keys_are_derived_for_tombstones_alone(context: RunContext) -> None:
    (key,) = suppression_keys(context.settings)
    from cdp_pipeline.core.keys import load_keyring

    master = load_keyring(context.settings.keys).current
    assert (key.id, key.secret) == (master.id, master.subkey("suppression"))
