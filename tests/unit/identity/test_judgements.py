from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.stewardship.judgements import (
    FILE_NAME,
    Freeze,
    PairJudgement,
    read_judgements,
    record_judgements,
)

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
LINE = {
    "id": "J1",
    "at": "2026-11-20T09:30:00+00:00",
    "who": "ann",
    "reason": "",
    "verdict": "same",
    "a": "crm:1",
    "b": "till:2:3",
}


def same(a: str, b: str | list[str]) -> dict[str, Any]:
    return {"verdict": "same", "a": a, "b": b}


def write(folder: Path, *lines: dict[str, Any]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / FILE_NAME).write_text(text, encoding="utf-8")


def test_judgements_get_numbers_and_are_read_back(tmp_path: Path) -> None:
    made = record_judgements(tmp_path, [same("crm:2", "crm:1")], who="ann", now=NOW)
    made += record_judgements(
        tmp_path,
        [
            {"verdict": "different", "a": "crm:1", "b": ["crm:3", "crm:4"], "reason": "twins"},
            {"verdict": "freeze", "customer": "C" + "0" * 16, "records": ["crm:9"]},
        ],
        who="ben",
        now=NOW + timedelta(hours=1),
    )
    assert read_judgements(tmp_path).lines == made
    assert [line.id for line in made] == ["J1", "J2", "J3"]
    first, second, third = made
    assert isinstance(first, PairJudgement)
    assert first.pairs == (("crm:1", "crm:2"),)
    assert isinstance(second, PairJudgement)
    assert second.pairs == (("crm:1", "crm:3"), ("crm:1", "crm:4"))
    assert isinstance(third, Freeze)


def test_a_record_key_may_hold_colons(tmp_path: Path) -> None:
    write(tmp_path, LINE)
    assert read_judgements(tmp_path).lines[0].pairs == (("crm:1", "till:2:3"),)


def test_time_never_runs_backwards(tmp_path: Path) -> None:
    record_judgements(tmp_path, [same("crm:1", "crm:2"), same("crm:1", "crm:3")], who="a", now=NOW)
    record_judgements(tmp_path, [same("crm:1", "crm:4")], who="a", now=NOW - timedelta(days=1))
    moments = [line.at for line in read_judgements(tmp_path).lines]
    assert moments == sorted(set(moments))


def test_whoever_died_before_being_told_and_asks_again_has_said_it_once(tmp_path: Path) -> None:
    asked = [same("crm:1", ["crm:2", "crm:3"]), {**same("crm:4", "crm:5"), "reason": "so"}]
    made = record_judgements(tmp_path, asked, who="ann", now=NOW)
    again = record_judgements(tmp_path, asked, who="ann", now=NOW + timedelta(hours=1))
    assert read_judgements(tmp_path).lines == again == made
    journal = tmp_path / FILE_NAME
    half = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(half[0] + half[1][:20])  # killed as the second was written
    finished = record_judgements(tmp_path, asked, who="ann", now=NOW)
    assert [line.id for line in read_judgements(tmp_path).lines] == ["J1", "J2"]
    assert [line.model_dump(exclude={"at"}) for line in finished] == [
        line.model_dump(exclude={"at"}) for line in made
    ]


def test_what_is_said_again_after_others_have_spoken_is_the_newest(tmp_path: Path) -> None:
    record_judgements(tmp_path, [same("crm:1", "crm:2")], who="ann", now=NOW)
    record_judgements(tmp_path, [same("crm:1", "crm:2")], who="ben", now=NOW)
    record_judgements(tmp_path, [{**same("crm:1", "crm:2"), "reason": "r"}], who="ben", now=NOW)
    record_judgements(tmp_path, [same("crm:1", "crm:2")], who="ann", now=NOW)
    assert [line.who for line in read_judgements(tmp_path).lines] == ["ann", "ben", "ben", "ann"]


def test_a_withdrawal_leaves_the_line_and_takes_its_force(tmp_path: Path) -> None:
    record_judgements(tmp_path, [same("crm:1", "crm:2")], who="ann", now=NOW)
    record_judgements(tmp_path, [{"verdict": "withdraw", "withdraws": "J1"}], who="ben", now=NOW)
    found = read_judgements(tmp_path)
    assert len(found.lines) == 2
    assert found.standing == ()
    assert found.withdrawn["J1"].who == "ben"


def test_a_withdrawal_of_nothing_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="J7"):
        record_judgements(tmp_path, [{"verdict": "withdraw", "withdraws": "J7"}], who="a", now=NOW)
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "maybe"},
        {"a": "no colon"},
        {"a": "Crm:1"},
        {"a": "crm:"},
        {"a": "crm:\n"},
        {"b": "crm:1"},
        {"b": []},
        {"b": 7},
        {"at": "yesterday"},
        {"at": "2026-11-20T09:30:00"},
        {"id": "1"},
        {"id": "J0"},
        {"who": ""},
        {"match_prob": 1.5},
        {"surprise": True},
        {"a": "crm:" + "9" * 500},
    ],
)
def test_a_line_that_is_no_judgement_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    write(tmp_path, LINE | {"id": "J9"}, LINE | change)
    with pytest.raises(ConfigError) as caught:
        read_judgements(tmp_path)
    assert caught.value.where == f"{tmp_path / FILE_NAME}:2"
    assert caught.value.hint


@pytest.mark.parametrize("key", ["id", "at", "who", "verdict", "a", "b"])
def test_a_missing_part_is_named(tmp_path: Path, key: str) -> None:
    write(tmp_path, {name: value for name, value in LINE.items() if name != key})
    with pytest.raises(ConfigError) as caught:
        read_judgements(tmp_path)
    assert caught.value.where == f"{tmp_path / FILE_NAME}:1"


def test_a_number_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, LINE, LINE)
    with pytest.raises(ConfigError, match="twice") as caught:
        read_judgements(tmp_path)
    assert caught.value.where == f"{tmp_path / FILE_NAME}:2"


def test_an_unfinished_last_line_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, LINE)
    with (tmp_path / FILE_NAME).open("a", encoding="utf-8") as stream:
        stream.write('{"id": "J2", "at"')
    found = read_judgements(tmp_path)
    assert len(found.lines) == 1
    assert found.torn > 0
