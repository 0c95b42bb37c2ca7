"""A built warehouse with made-up people, marts and pages; everything the reports read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.reporting.render import run
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import open_build
from cdp_pipeline.warehouse.build import build_model, list_base_tables, plan_layer
from cdp_pipeline.warehouse.rehearsal import create_empty
from cdp_pipeline.warehouse.rendering import Base, RenderValues
from tests.whole import join_build

HERE = Path(__file__).parent
DAY = date(2026, 11, 18)
FEATURES = ("rfm_segment_map", "customer_day", "rfm", "rfm_thresholds", "consent_state")
SUITES = [
    {"suite": "pos_sales", "stage": "sources", "status": "passed", "checks": 22, "failed": 0},
    {
        "suite": "ecommerce_orders",
        "stage": "sources",
        "status": "warned",
        "checks": 18,
        "failed": 1,
    },
    {"suite": "crm_contacts", "stage": "sources", "status": "skipped", "checks": 0, "failed": 0},
]


@dataclass
class Night:
    """One fake night: its context, and a door to its warehouse."""

    context: RunContext
    project: Project

    @property
    def reports(self) -> Path:
        """Folder of the rendered reports."""
        return DataPaths.of(self.context).tree / "reports"

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Return the rows of a query on the night's warehouse."""
        with open_build(self.context) as con:
            return con.execute(sql).fetchall()


def make_night(
    data_dir: Path,
    repository: Path,
    *,
    day: date = DAY,
    run_id: str = "fake",
    base: Path | None = None,
    fill: bool = True,
) -> Night:
    """Build a fake warehouse with its marts; ``fill=False`` leaves every table empty."""
    settings = load_settings(repository, data_dir=data_dir)
    context = RunContext(day, run_id, repository, settings)
    paths = DataPaths.of(context)
    paths.ensure(paths.work)
    plan = {"fingerprint": "0123456789abcdef" * 4, "base_path": str(base) if base else None}
    paths.plan.write_text(json.dumps(plan))
    project = load_project(repository)
    with open_build(context) as con:
        python_made = [spec for spec in project.tables.values() if spec.sql is None]
        create_empty(con, python_made)
        run_script(con, "fake_warehouse.sql", day)
        if not fill:
            for table in ("dim_product", "dim_customer", "fct_sales", "fct_consents"):
                con.execute(f"delete from core.{table}")
            con.execute("delete from core.privacy_requests")
        values = RenderValues(day, settings, base=Base(list_base_tables(con)))
        build(con, project, "features", values, only=FEATURES)
        if fill:
            run_script(con, "fake_rest.sql", day)
        build(con, project, "marts", values)
    if fill:
        folder = paths.ensure(paths.tree / "quality")
        suites = [suite | {"rows": 1000} for suite in SUITES]
        (folder / "summary.json").write_text(json.dumps({"suites": suites, "results": []}))
        (paths.ensure(folder / "data_docs") / "index.html").write_text("<!doctype html>")
    return Night(context, project)


def run_script(con: duckdb.DuckDBPyConnection, name: str, day: date) -> None:
    """Run one of the SQL files beside this one."""
    text = (HERE / name).read_text().replace("$day", f"date '{day.isoformat()}'")
    con.execute(text).fetchall()


def build(
    con: duckdb.DuckDBPyConnection,
    project: Project,
    layer: str,
    values: RenderValues,
    *,
    only: tuple[str, ...] = (),
) -> None:
    """Build the models of a layer, or some of them, as the night does."""
    for spec, select in plan_layer(project, layer, values):
        if not only or spec.name in only:
            build_model(con, spec, select)


@pytest.fixture(scope="session")
def first_night(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Night:
    """Return a night without any night before it."""
    data = tmp_path_factory.mktemp("data")
    return make_night(data, repository, day=DAY - timedelta(days=7), run_id="first")


@pytest.fixture(scope="session")
def night(first_night: Night, repository: Path) -> Night:
    """Return a night that has a published night, one week older, to compare with."""
    base = join_build(DataPaths.of(first_night.context))
    return make_night(first_night.context.data_dir, repository, base=base)


@pytest.fixture(scope="session")
def rendered(night: Night) -> Night:
    """Return the night with its reports written."""
    run(night.context)
    return night


@pytest.fixture(scope="session")
def bare_night(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Night:
    """Return a first night on which nothing at all was delivered."""
    return make_night(tmp_path_factory.mktemp("bare"), repository, fill=False)
