"""Build every model on empty typed tables: finds misspelt columns in seconds, without any data.

Only the rehearsal belongs here; ``build`` makes the real tables by the same functions.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import duckdb

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import CdpError, CombinedConfigError, WarehouseError
from cdp_pipeline.core.settings import EngineSettings, Settings
from cdp_pipeline.project.lineage import find_tables
from cdp_pipeline.project.loader import LAYERS, Project
from cdp_pipeline.project.propensities import CHANCE, DAY, PERSON, PropensitySpec
from cdp_pipeline.project.queries import QuerySpec
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.warehouse import (
    connect,
    create_macros,
    declare_table,
    describe,
    first_line,
    place_of,
    quote_column,
    quote_identifier,
)
from cdp_pipeline.warehouse.build import build_model, plan_layer
from cdp_pipeline.warehouse.rendering import Base, RenderValues, render_model

REHEARSAL_DATE = date(2026, 1, 5)
"""Business date of rehearsals; any day would do."""

LONGEST_SECONDS = 60.0
"""How long one model may take; without rows, even large ones take a fraction of a second."""

SQL_LAYERS = ("core", "features", "marts")
"""Layers whose models are SQL."""


@contextmanager
def open_rehearsal(project: Project, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory warehouse that holds every Python-made table, typed and empty.

    Catalogs are those of a night: ``cdp`` in use, ``staging`` with the entities, ``base`` with all
    tables of the warehouse that have types.
    """
    con = connect(EngineSettings(threads=1))
    try:
        for catalog in ("cdp", "staging", "base"):
            con.execute(f"attach ':memory:' as {catalog}")
        con.execute("use cdp")
        for catalog in ("cdp", "base"):
            for schema in LAYERS:
                con.execute(f"create schema {catalog}.{schema}")
        create_macros(con, RunContext(REHEARSAL_DATE, "rehearsal", project.root, settings))
        create_empty(con, project.entities.values(), catalog="staging.main")
        python_made = [spec for spec in project.tables.values() if spec.sql is None]
        create_empty(con, python_made)
        create_empty(con, python_made, catalog="base")
        yield con
    finally:
        con.close()


def create_empty(
    con: duckdb.DuckDBPyConnection, specs: Iterable[TableSpec], *, catalog: str = ""
) -> None:
    """Create typed tables without rows from their headers.

    Args:
        con: A connection that has the catalog and its schemas.
        specs: Tables whose columns all have types.
        catalog: Where they go, if not to their place in a build; ``staging.main`` takes entities,
            whose schema is the catalog.

    Raises:
        WarehouseError: A type is none of DuckDB's; names the file.
    """
    for spec in specs:
        name = spec.name if catalog == "staging.main" else spec.full_name
        place = f"{catalog}.{name}" if catalog else place_of(con, name)
        columns = ", ".join(
            f"{quote_column(column)} {declared.type}"
            for column, declared in spec.header.columns.items()
        )
        try:
            con.execute(f"create table {quote_identifier(place)} ({columns})")
        except duckdb.Error as error:
            raise WarehouseError(
                f"{spec.full_name} cannot have these types: {first_line(error)}",
                where=f"{spec.path}:1",
                hint="`type:` is one of DuckDB's, such as varchar, date or decimal(18, 2).",
            ) from error


def rehearse(
    project: Project, settings: Settings, *, with_base: bool = False
) -> dict[str, dict[str, str]]:
    """Build every SQL model on empty tables and return their column types, in building order.

    Named queries and propensities are bound against the result.

    Args:
        project: The declarations.
        settings: Values for Jinja and the time zone of macros.
        with_base: Whether the night has an earlier version to read.

    Raises:
        ConfigError: Models read each other in a circle, or a model is not one SELECT.
        WarehouseError: A model or a query does not bind, or differs from its header. If several
            are wrong, ``parts`` of the error holds each; what reads a wrong one is left out.
    """
    found = _Rehearsal()
    with open_rehearsal(project, settings) as con:
        python_made = frozenset(name for name, spec in project.tables.items() if spec.sql is None)
        values = RenderValues(
            REHEARSAL_DATE,
            settings,
            tuple(project.sources),
            Base(python_made if with_base else ()),
        )
        for name in sorted(python_made):
            declare_table(con, project.tables[name])
        for layer in SQL_LAYERS:
            for spec, select in found.plan(project, layer, values):
                found.build(con, spec, select)
        for query in project.queries.values():
            found.bind(con, query)
        for propensity in project.propensities.values():
            found.bind_propensity(con, propensity)
    if found.errors:
        raise found.errors[0] if len(found.errors) == 1 else CombinedConfigError(found.errors)
    return found.built


@dataclass
class _Rehearsal:
    """What was built, what is wrong, and what was left out since it reads something wrong."""

    built: dict[str, dict[str, str]] = field(default_factory=dict)
    errors: list[CdpError] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)

    def plan(
        self, project: Project, layer: str, values: RenderValues
    ) -> list[tuple[TableSpec, str]]:
        """Return the models of a layer in order; none if one of them is no SELECT."""
        try:
            return plan_layer(project, layer, values)
        except CdpError as first:
            before = len(self.errors)
            for spec in project.models(layer):
                self.left_out.add(spec.full_name)
                try:
                    _read_tables(spec, render_model(spec, values))
                except CdpError as error:
                    self.errors += error.parts
            if len(self.errors) == before:  # a circle, which no model makes alone
                self.errors += first.parts
            return []

    def build(self, con: duckdb.DuckDBPyConnection, spec: TableSpec, select: str) -> None:
        """Build one model, unless it reads one that is wrong."""
        if self.left_out.intersection(_read_tables(spec, select)):
            self.left_out.add(spec.full_name)
            return
        try:
            with _ended_in_time(con, spec):
                build_model(con, spec, select)
        except CdpError as error:
            self.errors += error.parts
            self.left_out.add(spec.full_name)
        else:
            self.built[spec.full_name] = describe(con, spec.full_name)

    def bind(self, con: duckdb.DuckDBPyConnection, query: QuerySpec) -> None:
        """Bind one named query, unless it reads a model that is wrong."""
        try:
            where, line = str(query.path), query.sql_line
            reads = find_tables(query.sql, where=where, first_line=line)
            if not self.left_out.intersection(reads):
                bind_query(con, query)
        except CdpError as error:
            self.errors += error.parts

    def bind_propensity(self, con: duckdb.DuckDBPyConnection, spec: PropensitySpec) -> None:
        """Bind one propensity, unless it reads a model that is wrong."""
        try:
            reads = find_tables(spec.sql, where=str(spec.path), first_line=spec.sql_line)
            if not self.left_out.intersection(reads):
                bind_propensity(con, spec)
        except CdpError as error:
            self.errors += error.parts


@contextmanager
def _ended_in_time(con: duckdb.DuckDBPyConnection, spec: TableSpec) -> Iterator[None]:
    """Stop a model that goes on although there are no rows: it would never end."""
    over = threading.Event()

    def stop() -> None:
        while not over.wait(LONGEST_SECONDS):
            con.interrupt()  # again, since one that comes before the statement begins is lost

    stopper = threading.Thread(target=stop, daemon=True)
    stopper.start()
    try:
        yield
    except WarehouseError as error:
        if isinstance(error.__cause__, duckdb.InterruptException):
            raise WarehouseError(
                f"{spec.full_name} does not end, on tables without rows",
                where=f"{spec.path}:{spec.sql_line}",
                hint="Give what is recursive in it a condition that ends it.",
            ) from error
        raise
    finally:
        over.set()
        stopper.join()


def bind_propensity(con: duckdb.DuckDBPyConnection, spec: PropensitySpec) -> None:
    """Bind a propensity without running it.

    Args:
        con: A connection whose current catalog holds the tables.
        spec: The propensity.

    Raises:
        WarehouseError: It does not bind, or its columns are not those that a propensity has.
    """
    made = _column_types(con, spec, "propensity", "Propensities read tables of core")
    wanted = {PERSON: "VARCHAR", DAY: "DATE"} | ({CHANCE: "BOOLEAN"} if CHANCE in made else {})
    if made != wanted or set(made) != set(spec.header.columns):
        raise WarehouseError(
            f"propensity {spec.name} returns {', '.join(f'{n} {t}' for n, t in made.items())}",
            where=f"{spec.path}:1",
            hint=f"It returns {PERSON} varchar, {DAY} date and, where it needs a chance that was "
            f"given, {CHANCE} boolean; the header names the same columns.",
        )


def bind_query(con: duckdb.DuckDBPyConnection, query: QuerySpec) -> dict[str, str]:
    """Bind a named query without running it and return the types of its columns.

    Args:
        con: A connection whose current catalog holds the tables.
        query: The query.

    Raises:
        WarehouseError: It does not bind, or its columns are not those of its header.
    """
    made = _column_types(con, query, "query", "Queries read published tables")
    if list(made) != list(query.header.columns):
        raise WarehouseError(
            f"query {query.name} returns {', '.join(made)}",
            where=f"{query.path}:1",
            hint=f"Its header says {', '.join(query.header.columns)}; bring the two in line.",
        )
    return made


def _column_types(
    con: duckdb.DuckDBPyConnection, spec: PropensitySpec | QuerySpec, kind: str, rule: str
) -> dict[str, str]:
    try:
        rows = con.execute(f"describe {spec.sql}").fetchall()
    except duckdb.Error as error:
        raise WarehouseError(
            f"{kind} {spec.name}: {first_line(error)}",
            where=f"{spec.path}:{spec.sql_line}",
            hint=f"{rule}, as schema.table; no Jinja.",
        ) from error
    return {str(row[0]): str(row[1]) for row in rows}


def _read_tables(spec: TableSpec, select: str) -> tuple[str, ...]:
    return find_tables(select, where=str(spec.path), first_line=spec.sql_line)
