"""Files in which some lines are UTF-8 and some are of an older encoding."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cdp_pipeline.ingest.discovery.looking import draft_sources
from cdp_pipeline.ingest.discovery.writing import write_draft
from cdp_pipeline.ingest.mixed_lines import write_mended
from tests.unit.ingest.conftest import Stage, make_contract

NAMES = ["Zoë Müller", "José Peña", "Ann Lee", "Jörg Groß"] * 6
COLUMNS: dict[str, Any] = {"id": {"required": True}, "name": {}}


def _mixed(lines: list[str], *, end: str = "\n") -> bytes:
    """Return lines of which every other is Windows-1252."""
    return b"".join(
        (line + end).encode("cp1252" if number % 2 else "utf-8")
        for number, line in enumerate(lines)
    )


TABLE = _mixed(["id,name", *(f"{number},{name}" for number, name in enumerate(NAMES))])


@pytest.mark.parametrize("name", ["orders.csv", "orders.csv.gz"])
def test_each_line_is_read_in_its_encoding_and_counted(stage: Stage, name: str) -> None:
    contract = make_contract(COLUMNS, delivery={"fallback_encoding": "cp1252"})
    data = gzip.compress(TABLE, mtime=0) if name.endswith(".gz") else TABLE
    outcome = stage(data, contract, name=name)
    assert [row["name"] for row in outcome.rows] == NAMES
    assert outcome.notes.messages == ("lines that are not UTF-8 and were read as cp1252: 6",)


def test_without_the_word_such_lines_are_set_aside_or_refused(stage: Stage) -> None:
    outcome = stage(TABLE, make_contract(COLUMNS))
    assert outcome.status == "refused"
    assert "`fallback_encoding: cp1252`" in outcome.notes.reason


def test_json_lines_may_mix_encodings_too(stage: Stage) -> None:
    lines = [json.dumps({"id": str(n), "name": x}, ensure_ascii=False) for n, x in enumerate(NAMES)]
    delivery = {"format": "jsonl", "fallback_encoding": "cp1252"}
    outcome = stage(_mixed(lines), make_contract(COLUMNS, delivery=delivery), name="orders.jsonl")
    assert [row["name"] for row in outcome.rows] == NAMES


@pytest.mark.parametrize(
    "delivery",
    [
        {"encoding": "cp1252", "fallback_encoding": "cp1250"},
        {"fallback_encoding": "utf-16"},
        {"fallback_encoding": "cp12525"},
        {"fallback_encoding": "cp1252", "format": "parquet"},
    ],
)
def test_only_lines_of_utf8_can_be_mixed_with_others(delivery: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_contract(COLUMNS, delivery=delivery)


def test_a_first_look_proposes_it(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(TABLE)
    draft = write_draft(draft_sources(path, name="orders", landing=tmp_path / "landing")[0])
    assert yaml.safe_load(draft.replace("!ask", ""))["delivery"]["fallback_encoding"] == "cp1252"
    assert "a guess by their letters" in draft


@given(
    st.lists(st.text("aéüŁ,\x00", max_size=6), max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 9),
)
def test_pieces_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str, size: int
) -> None:
    target = tmp_path_factory.getbasetemp() / "mended.txt"
    text = [line.replace("Ł", "") if number % 2 else line for number, line in enumerate(lines)]
    data = _mixed(text, end=end)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    count = write_mended(pieces, "cp1252", target=target)
    assert target.read_bytes().decode() == "".join(line + end for line in text)
    assert count == sum(not line.isascii() for line in text[1::2])
