"""A warehouse of empty typed tables in memory, shared by the tests of the SQL models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.settings import Settings, load_settings
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.warehouse.build import build_model, plan_layer
from cdp_pipeline.warehouse.rehearsal import REHEARSAL_DATE, open_rehearsal
from cdp_pipeline.warehouse.rendering import RenderValues


@dataclass(frozen=True)
class EmptyWarehouse:
    """An open rehearsal in which the models of core and features were built on nothing."""

    con: duckdb.DuckDBPyConnection
    project: Project
    settings: Settings


@pytest.fixture(scope="session")
def shipped_project(repository: Path) -> Project:
    """Return the declarations that ship with the package."""
    return load_project(repository)


@pytest.fixture(scope="session")
def shipped_settings(repository: Path) -> Settings:
    """Return the settings of the checkout's own project file."""
    return load_settings(repository)


@pytest.fixture(scope="session")
def warehouse(shipped_project: Project, shipped_settings: Settings) -> Iterator[EmptyWarehouse]:
    """Return the shared warehouse; each case fills the tables it reads anew."""
    with open_rehearsal(shipped_project, shipped_settings) as con:
        for layer in ("core", "features"):
            values = RenderValues(REHEARSAL_DATE, shipped_settings)
            for spec, select in plan_layer(shipped_project, layer, values):
                build_model(con, spec, select)
        yield EmptyWarehouse(con, shipped_project, shipped_settings)
