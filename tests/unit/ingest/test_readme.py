"""The page beside the contracts names every key, entity and column; examples have pages too."""

from __future__ import annotations

import re

import yaml

from cdp_pipeline.core.settings import LocationSettings
from cdp_pipeline.project.checks import Check
from cdp_pipeline.project.contracts import Column, Join, Load, SourceContract
from cdp_pipeline.project.drift import Drift
from cdp_pipeline.project.layout import Completeness, Control, Delivery, FillDown
from tests.unit.ingest.conftest import REPOSITORY

PAGE = (REPOSITORY / "expectations" / "README.md").read_text("utf-8")

ENTITIES = (REPOSITORY / "sql" / "staging" / "README.md").read_text("utf-8")


def test_pages_are_short() -> None:
    assert max(PAGE.count("\n"), ENTITIES.count("\n")) <= 150


def test_every_key_of_a_contract_stands_on_the_page() -> None:
    for model in (SourceContract, Delivery, Control, FillDown, Drift, Load, Join, Column, Check):
        for name, field in model.model_fields.items():
            spelt = field.alias or name
            assert re.search(rf"`[^`]*\b{spelt}\b[^`]*`", PAGE), f"{model.__name__}.{spelt}"


def test_every_key_of_arrival_stands_on_its_page() -> None:
    page = (REPOSITORY / "expectations" / "arrival.md").read_text("utf-8")
    assert all(f"`{name}:" in page or f"`{name}`" in page for name in Completeness.model_fields)
    assert all(f"`{name.upper()}`" in page for name in LocationSettings.model_fields)


def test_every_entity_and_its_columns_stand_on_the_page() -> None:
    filled = {
        "source",
        "delivered_on",
        "first_delivered_on",
        "person_source",
        "person_record_key",
        "file_id",
        "file_line",
        "recorded_on",
    }
    for path in (REPOSITORY / "sql" / "staging").glob("*.yml"):
        header = yaml.safe_load(path.read_text("utf-8"))
        (row,) = re.findall(rf"^\| `{path.stem}`.*$", ENTITIES, re.MULTILINE)
        for name in set(header["columns"]) - filled:
            assert re.search(rf"\b{name}\b", row), f"{path.stem}.{name}"
        assert (" P |" in row) == ("person_source" in header["columns"])


def test_every_example_has_a_page_that_names_its_contracts() -> None:
    catalogue = (REPOSITORY / "data" / "examples" / "README.md").read_text("utf-8")
    for folder in (REPOSITORY / "data" / "examples").iterdir():
        if not folder.is_dir():
            continue
        page = (folder / "README.md").read_text("utf-8")
        assert f"({folder.name}/README.md)" in catalogue
        if not (folder / "expectations").is_dir():
            continue
        assert page.count("\n") <= 60
        contracts = [path.name for path in (folder / "expectations").glob("*.yml")]
        assert all(name in page for name in contracts if len(contracts) > 1)


def test_every_contract_the_page_points_to_is_there() -> None:
    known = {path.name for path in (REPOSITORY / "data" / "examples").rglob("*.yml")}
    known |= {path.name for path in (REPOSITORY / "expectations").glob("*.yml")}
    named = set(re.findall(r"`(\w+\.yml)`", PAGE))
    assert named <= known
