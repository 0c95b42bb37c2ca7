from __future__ import annotations

import duckdb
import pytest

from cdp_pipeline.identity.standard.spelling import building_sql, street_key_sql, street_words_sql


def _ask(sql: str, line: str) -> str:
    with duckdb.connect() as con:
        row = con.execute(f"select {sql} from (select $1 as line)", [line]).fetchall()[0]
    return str(row[0])


def _told(line: str) -> str:
    return _ask(street_words_sql("line"), line)


def _key(line: str) -> str:
    return _ask(street_key_sql("line"), _told(line))


def _building(line: str) -> str:
    return _ask(street_key_sql(building_sql("line")), _told(line))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ave leopold ii 27", "27 av leopold ii"),
        ("blvd pasteur 4 flat 2", "4 bd pasteur bte 2"),
        ("rue saint michel 12", "12 r st michel"),
        ("ul dluga 5 m 3", "dluga 5 3"),
        ("kerkstraat 5 bus 2", "kerkstr 5 2"),
        ("12 high st flat 3", "flat 3 12 high st"),
        ("ataturk caddesi 9", "9 ataturk cad"),
    ],
)
def test_a_street_line_is_one_text_however_it_is_written(one: str, other: str) -> None:
    assert _key(one) == _key(other)


@pytest.mark.parametrize(
    ("full", "short"),
    [
        ("12 high st flat 3", "12 high st"),
        ("flat 3 12 high st", "12 high st"),
        ("12 high st 3", "12 high st"),
        ("123 main st flat 4b", "123 main st"),
        ("flat b 123 main st", "123 main st"),
        ("flat c 123 main st", "123 main st"),
        ("123 main st flat m", "123 main st"),
        ("flat m 123 main st", "123 main st"),
        ("rue haute 12 bte 3", "12 rue haute"),
        ("gartenstr 5 3", "gartenstr 5"),
    ],
)
def test_a_flat_is_in_its_building(full: str, short: str) -> None:
    assert _building(full) == _key(short) == _building(short)
    assert _key(full) != _key(short)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12 high st", "14 high st"),
        ("12 high st flat 3", "3 high st flat 12"),
        ("12 high st", "12a high st"),
        ("12 high st", "12 high rd"),
    ],
)
def test_other_buildings_stay_others(one: str, other: str) -> None:
    assert _building(one) != _building(other)
