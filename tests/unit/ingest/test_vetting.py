"""Contracts are vetted without data, and every mistake names its place and its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest.vetting import vet_contract
from cdp_pipeline.project.loader import load_project
from tests.unit.ingest.conftest import REPOSITORY, make_contract


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"exclude": [{"rule": "r", "where": "n"}]}, "not a condition"),
        ({"exclude": [{"rule": "r", "where": "nn > 1"}]}, "unknown column `nn`"),
        ({"checks": [{"expect": "true", "where": "now() > d"}]}, "another result on every run"),
        ({"checks": [{"expect": "between", "column": "n", "min": "x"}]}, "not a value of type"),
        ({"checks": [{"expect": "matches", "column": "id", "pattern": "(?=x)"}]}, "look-around"),
        (
            {"checks": [{"expect": "unique", "column": "id", "severity": "quarantine"}]},
            "judged on the whole file",
        ),
        ({"feeds": [{"entity": "products", "columns": {"brand": "id"}}]}, "does not set 'sku'"),
        ({"feeds": [{"entity": "products", "columns": {"sku": "(select 1)"}}]}, "a subquery"),
        (
            {"feeds": [{"entity": "products", "where": "id", "columns": {"sku": "id"}}]},
            "not a condition",
        ),
        (
            {"feeds": [{"entity": "person_records", "columns": {"record_key": "id"}}]},
            "no column by which a person can be told",
        ),
    ],
)
def test_a_mistake_is_found_before_any_data(parts: dict[str, Any], message: str) -> None:
    columns = {"id": {}, "n": {"type": "integer"}, "d": {"type": "date"}}
    feeds = [{"entity": "products", "columns": {"sku": "id"}}]
    contract = make_contract(columns, **{"feeds": feeds, **parts})
    with pytest.raises(ConfigError) as caught:
        vet_contract(contract, load_project(REPOSITORY).entities, where="goods.yml")
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("written", "meant"),
    [("dd.MM.yyyy HH:mm", "%d.%m.%Y %H:%M"), ("TT.MM.JJJJ", "%d.%m.%Y"), ("M/d/yy", "%m/%d/%y")],
)
def test_a_format_of_spreadsheets_is_answered_with_ours(written: str, meant: str) -> None:
    columns = {"id": {}, "d": {"type": "timestamp", "format": written}}
    contract = make_contract(columns, feeds=[{"entity": "products", "columns": {"sku": "id"}}])
    with pytest.raises(ConfigError, match="no % before its letters") as caught:
        vet_contract(contract, load_project(REPOSITORY).entities, where="goods.yml")
    assert caught.value.hint == f"Did you mean `{meant}`?"


@pytest.mark.parametrize("word", ["order", "at"])
@pytest.mark.parametrize("sql", ["order", "'W' || order", "coalesce(order, 'order')"])
def test_a_column_called_like_a_word_of_sql_is_told_to_be_quoted(sql: str, word: str) -> None:
    feeds = [{"entity": "products", "columns": {"sku": sql.replace("order", word, 2)}}]
    contract = make_contract({word: {}, "id": {}}, feeds=feeds)
    with pytest.raises(ConfigError, match="not one SQL expression") as caught:
        vet_contract(contract, load_project(REPOSITORY).entities, where="goods.yml")
    assert caught.value.hint == (
        f"`{word}` is a word of SQL: as a column it is written '\"{word}\"'."
    )


def test_the_shipped_project_is_sound() -> None:
    assert _vet_all(REPOSITORY) > 200


def test_the_real_example_is_sound() -> None:
    example: Path = REPOSITORY / "data" / "examples" / "online_retail"
    assert _vet_all(example) > 10


def _vet_all(root: Path) -> int:
    project = load_project(root)
    return sum(
        vet_contract(
            contract,
            project.entities,
            where=project.path_of("source", name),
            sources=project.sources,
        )
        for name, contract in project.sources.items()
    )
