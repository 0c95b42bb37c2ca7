"""Every ``tests/sql/<schema>/<table>/<case>.yml``: given rows, expected rows.

A case says ``given:`` rows per table the model reads (columns not named are NULL, tables not named
are empty) and ``expect:`` rows of the model, of which only the named columns are compared; NULL is
spelt out. ``where:`` looks at some rows only. ``business_date:`` is the Friday below unless the
case names another; ``settings:`` replaces fields of a settings group.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from cdp_pipeline.project.lineage import find_tables
from cdp_pipeline.project.loader import Project
from cdp_pipeline.storage.warehouse import quote_column, quote_identifier
from cdp_pipeline.warehouse.build import build_model
from cdp_pipeline.warehouse.rendering import Base, RenderValues, render_model

from .conftest import EmptyWarehouse

FOLDER = Path(__file__).parent
CASES = sorted(FOLDER.glob("*/*/*.yml"))
FRIDAY = date(2026, 11, 20)
KEYS = {"description", "business_date", "settings", "given", "where", "expect"}


def case_id(path: Path) -> str:
    return path.relative_to(FOLDER).with_suffix("").as_posix()


@pytest.mark.parametrize("path", CASES, ids=case_id)
def test_case(path: Path, warehouse: EmptyWarehouse) -> None:
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(case) <= KEYS, f"unknown keys {set(case) - KEYS}"
    spec = warehouse.project.table(f"{path.parent.parent.name}.{path.parent.name}")
    given: dict[str, list[dict[str, Any]]] = case["given"]
    base = Base({name.removeprefix("base.") for name in given if name.startswith("base.")})
    values = RenderValues(
        case.get("business_date", FRIDAY), change_settings(warehouse, case), base=base
    )
    select = render_model(spec, values)
    reads = find_tables(select, where=str(spec.path))
    assert set(given) <= set(reads), f"not read by {spec.full_name}: {set(given) - set(reads)}"
    for table in reads:
        fill(warehouse.con, table, given.get(table) or [])
    build_model(warehouse.con, spec, select)
    expected: list[dict[str, Any]] = case["expect"]
    where = case.get("where", "true")
    if not expected:
        assert read(warehouse.con, spec.full_name, ["count(*)"], where) == [(0,)]
        return
    columns = list(expected[0])
    assert all(list(row) == columns for row in expected), "all expected rows name the same columns"
    wanted = cast_like(warehouse.con, spec.full_name, columns, expected)
    assert read(warehouse.con, spec.full_name, [quote_column(c) for c in columns], where) == wanted


@pytest.mark.parametrize("layer", ["core", "features"])
def test_every_model_has_a_case(layer: str, shipped_project: Project) -> None:
    covered = {f"{path.parent.parent.name}.{path.parent.name}" for path in CASES}
    models = {spec.full_name for spec in shipped_project.models(layer)}
    assert models - covered == set()


def change_settings(warehouse: EmptyWarehouse, case: dict[str, Any]) -> Any:
    settings = warehouse.settings
    for group, fields in case.get("settings", {}).items():
        changed = getattr(settings, group).model_copy(update=fields)
        settings = settings.model_copy(update={group: changed})
    return settings


def fill(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    name = quote_identifier(table)
    if table.startswith("base."):
        # What an earlier night had; only tables made by Python are there from the start.
        model = quote_identifier(table.removeprefix("base."))
        con.execute(f"create table if not exists {name} as select * from {model} limit 0")
    con.execute(f"delete from {name}")
    for row in rows:
        columns = ", ".join(quote_column(column) for column in row)
        marks = ", ".join("?" for _ in row)
        con.execute(f"insert into {name} ({columns}) values ({marks})", list(row.values()))


def read(
    con: duckdb.DuckDBPyConnection, table: str, columns: list[str], where: str = "true"
) -> list[tuple[Any, ...]]:
    return con.execute(
        f"select {', '.join(columns)} from {quote_identifier(table)} where {where} order by all"
    ).fetchall()


def cast_like(
    con: duckdb.DuckDBPyConnection, table: str, columns: list[str], rows: list[dict[str, Any]]
) -> list[tuple[Any, ...]]:
    listed = ", ".join(quote_column(column) for column in columns)
    con.execute(
        f"create or replace temp table expected as "
        f"select {listed} from {quote_identifier(table)} limit 0"
    )
    fill(con, "temp.expected", rows)
    return read(con, "temp.expected", [quote_column(column) for column in columns])
