"""Shipped SQL models built without a project or a night: what commands on files stand upon."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb

from cdp_pipeline.core.settings import Settings
from cdp_pipeline.project.loader import read_sql_model, starter_folder
from cdp_pipeline.storage.warehouse import create_macros_of
from cdp_pipeline.warehouse.build import build_model, list_base_tables
from cdp_pipeline.warehouse.rendering import Base, RenderValues, render_model


def build_alone(
    con: duckdb.DuckDBPyConnection, tables: Sequence[str], settings: Settings, as_of: date
) -> None:
    """Build shipped models in a connection that has what they read, in the order given.

    Args:
        con: Connection with the schemas and tables that the models read; of an attached ``base``
            they see what is in it.
        tables: Models as ``schema.table``.
        settings: What models may ask of settings.
        as_of: Business date.

    Raises:
        WarehouseError: A model fails.
    """
    folder = starter_folder("sql")
    # Only what is built is read: a whole project takes longer than scoring a small file.
    macros = sorted((folder / "macros").glob("*.sql"))
    create_macros_of(con, macros, time_zone=settings.time_zone)
    values = RenderValues(as_of, settings, base=Base(list_base_tables(con)))
    for name in tables:
        schema, _, table = name.partition(".")
        spec = read_sql_model(folder / schema / f"{table}.sql", schema)
        build_model(con, spec, render_model(spec, values))
