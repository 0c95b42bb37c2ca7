"""Nothing that ships is undocumented: tables, columns, units, keys, sources, segments, reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.core.settings import Settings, load_settings
from cdp_pipeline.project.column_lineage import trace_columns
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.project.units import needs_unit, unit_of
from cdp_pipeline.warehouse.build import plan_layer
from cdp_pipeline.warehouse.rehearsal import REHEARSAL_DATE, SQL_LAYERS, rehearse
from cdp_pipeline.warehouse.rendering import Base, RenderValues


@pytest.fixture(scope="module")
def project(repository: Path) -> Project:
    return load_project(repository)


@pytest.fixture(scope="module")
def settings(repository: Path) -> Settings:
    return load_settings(repository)


@pytest.fixture(scope="module")
def tables(project: Project) -> dict[str, TableSpec]:
    staging = {f"staging.{name}": spec for name, spec in project.entities.items()}
    return {**staging, **project.tables}


def is_blank(text: str) -> bool:
    return len(text.strip()) < 3


def test_every_table_says_what_it_is(tables: dict[str, TableSpec]) -> None:
    assert [
        name
        for name, spec in tables.items()
        if is_blank(spec.header.description)
        or is_blank(spec.header.grain)
        or is_blank(spec.header.owner)
    ] == []


def test_every_column_says_what_it_means(tables: dict[str, TableSpec]) -> None:
    assert [
        f"{name}.{column}"
        for name, spec in tables.items()
        for column, declared in spec.header.columns.items()
        if is_blank(declared.description)
    ] == []


def test_every_table_says_what_identifies_a_row(tables: dict[str, TableSpec]) -> None:
    """By a key; by a check of uniqueness where a part of it may be missing."""
    assert [
        name
        for name, spec in tables.items()
        if not spec.header.key and not any(check.expect == "unique" for check in spec.header.checks)
    ] == []


def test_every_measure_has_a_unit(
    tables: dict[str, TableSpec], project: Project, settings: Settings
) -> None:
    built = rehearse(project, settings)
    missing = []
    for name, spec in tables.items():
        for column, declared in spec.header.columns.items():
            sql_type = declared.type or built[name][column]
            if needs_unit(sql_type) and not unit_of(column, declared, sql_type):
                missing.append(f"{name}.{column}: name its `unit:` in {spec.path.name}")
    assert missing == []


def test_every_column_of_a_model_has_origins_that_exist(
    tables: dict[str, TableSpec], project: Project, settings: Settings
) -> None:
    columns = {name: list(spec.header.columns) for name, spec in tables.items()}
    values = RenderValues(
        REHEARSAL_DATE, settings, tuple(project.sources), Base(set(project.tables))
    )
    for layer in SQL_LAYERS:
        for spec, select in plan_layer(project, layer, values):
            traced = trace_columns(select, columns, where=str(spec.path))
            assert traced.unresolved == (), spec.full_name
            assert list(traced.columns) == list(spec.header.columns), spec.full_name


def test_sources_segments_and_reports_explain_themselves(project: Project) -> None:
    declared = {**project.sources, **project.segments, **project.reports}
    assert [name for name, spec in declared.items() if is_blank(spec.description)] == []
    assert [
        f"{name}.{column}"
        for name, contract in project.sources.items()
        for column, spec in contract.columns.items()
        if is_blank(spec.description)
    ] == []
