"""The step that turns the SQL models of a layer into tables, in the order of what they read.

Every table is written in one order, that of its key or first of the date that splits it, so that
two runs give the same files, and its key is held to be unique: a join that multiplies rows stops
here. What Jinja may do belongs to ``rendering``, checking a project without data to ``rehearsal``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb

from cdp_pipeline.core.context import Clock, RunContext, StepResult
from cdp_pipeline.core.errors import WarehouseError
from cdp_pipeline.core.log import get_logger
from cdp_pipeline.privacy.retention import apply_retention
from cdp_pipeline.project.lineage import find_tables, sort_by_lineage
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.compression import uncompressed
from cdp_pipeline.storage.differences import forget_differences
from cdp_pipeline.storage.keys import count_keys
from cdp_pipeline.storage.patching import clear_place
from cdp_pipeline.storage.versions import parse_version
from cdp_pipeline.storage.warehouse import (
    create_table,
    declare_table,
    open_build,
    quote_column,
    read_plan,
)
from cdp_pipeline.warehouse.increment import Dates, Increment, apply_changes, check_declaration
from cdp_pipeline.warehouse.named_queries import create_query_views
from cdp_pipeline.warehouse.rendering import Base, RenderValues, render_model
from cdp_pipeline.warehouse.retrying import note_scan
from cdp_pipeline.warehouse.statistics import counted_from, with_earlier_days

LAST_LAYER = "marts"
"""After it, all that named queries read is there."""

_CARET = re.compile(r"^(?P<label>LINE \d+: )(?P<text>.*)\n(?P<blank> *)\^", re.MULTILINE)
_OF_MACHINE = (duckdb.OutOfMemoryException, duckdb.IOException, duckdb.FatalException)
"""Errors of memory and disk, which no SELECT is to blame for."""

_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)
_log = get_logger(__name__)


def run(context: RunContext, layer: str, *, rest: bool = False) -> StepResult:
    """Build the models of a layer.

    Args:
        context: The night.
        layer: Folder below ``sql``: ``core``, ``features`` or ``marts``.
        rest: Build the models that read a table which a Python step makes in the same layer;
            without it, build all others.

    Returns:
        Rows made, and rows and milliseconds of each table.

    Raises:
        ConfigError: Models read each other in a circle, or a model is not one SELECT.
        WarehouseError: A model fails, differs from its header or repeats its key.
    """
    project = load_project(context.project_root)
    clock = Clock()
    dates = _find_dates(context)
    rows: dict[str, int] = {}
    milliseconds: dict[str, int] = {}
    made: dict[str, str] = {}
    with open_build(context) as con:
        if layer == LAST_LAYER:
            went = apply_retention(con, project, context.business_date)
            _log.info("retention_applied", rows=went)
        values = RenderValues(
            context.business_date,
            context.settings,
            tuple(project.sources),
            Base(list_base_tables(con)),
        )
        models = {name for name, spec in project.tables.items() if spec.sql is not None}
        forget_differences(con, kept=models)
        for spec, select in plan_layer(project, layer, values, rest=rest):
            began = clock.monotonic()
            first = counted_from(project, spec, context.business_date)
            whole = with_earlier_days(con, spec, select, first)
            rows[spec.full_name], found = bring_up_to_date(con, spec, whole, dates)
            if spec.header.incremental:
                made[spec.full_name] = found.reason or f"{found.made:,} rows made anew"
            milliseconds[spec.full_name] = round((clock.monotonic() - began) * 1000)
            _log.debug("model_built", model=spec.full_name, rows=rows[spec.full_name])
        views = create_query_views(con, project) if layer == LAST_LAYER else []
    return StepResult(
        rows_out=sum(rows.values()),
        messages=(f"{len(rows)} tables of {layer}", *_tell_views(views)),
        facts={"rows": rows, "milliseconds": milliseconds, "incremental": made},
    )


def _find_dates(context: RunContext) -> Dates | None:
    """Return the business dates of the version that the night builds upon, and of the night."""
    base = read_plan(context).get("base_path")
    since = parse_version(Path(base).parent).business_date if base else None
    return (since, context.business_date) if since else None


def _tell_views(views: Sequence[str]) -> tuple[str, ...]:
    return (f"{len(views)} named queries as views",) if views else ()


def bring_up_to_date(
    con: duckdb.DuckDBPyConnection, spec: TableSpec, select: str, dates: Dates | None = None
) -> tuple[int, Increment]:
    """Make one table by the night's changes where its header says how, else in one scan.

    Args:
        con: Connection to the build.
        spec: The table's declaration.
        select: Its rendered SELECT.
        dates: Business dates of the version built upon and of the night, if there is one.

    Returns:
        Its number of rows, and what became of the changes.

    Raises:
        WarehouseError: DuckDB refuses it, its columns differ from its header, or its key repeats.
    """
    try:
        found = apply_changes(con, spec, select, dates)
    except _OF_MACHINE as error:
        error.add_note(f"while making {spec.full_name}")
        raise
    except duckdb.Error as error:
        raise explain_failure(error, spec) from error
    if found.reason:
        if spec.header.incremental:
            note_scan(con, spec)
        return build_model(con, spec, select), found
    declare_table(con, spec)
    return found.rows, found


def plan_layer(
    project: Project, layer: str, values: RenderValues, *, rest: bool | None = None
) -> list[tuple[TableSpec, str]]:
    """Return the models of a layer with their rendered SELECTs, in the order to build them.

    Args:
        project: The declarations.
        layer: Folder below ``sql``.
        values: What Jinja may use.
        rest: True: only models that read, directly or not, a Python table of the same layer;
            False: only the others; None: all.

    Raises:
        ConfigError: Models read each other in a circle, or a model is not one SELECT.
        WarehouseError: The Jinja of a model is wrong, or what it declares as incremental.
    """
    specs = {spec.full_name: spec for spec in project.models(layer)}
    selects = {name: render_model(spec, values) for name, spec in specs.items()}
    reads = {
        name: find_tables(selects[name], where=str(spec.path), first_line=spec.sql_line)
        for name, spec in specs.items()
    }
    for name, spec in specs.items():
        check_declaration(spec, frozenset(reads[name]))
    order = sort_by_lineage(reads, where=f"sql/{layer}")
    if rest is not None:
        later = _reading_python_tables(project, layer, reads, order)
        order = [name for name in order if (name in later) == rest]
    return [(specs[name], selects[name]) for name in order]


def build_model(con: duckdb.DuckDBPyConnection, spec: TableSpec, select: str) -> int:
    """Make one table, hold it against its header and return its number of rows.

    Args:
        con: Connection whose catalog takes the table.
        spec: The table's declaration.
        select: Its rendered SELECT.

    Raises:
        WarehouseError: DuckDB refuses it, its columns differ from its header, or its key repeats.
    """
    if not spec.header.key:
        raise WarehouseError(
            f"{spec.full_name} has no key",
            where=f"{spec.path}:1",
            hint="Name the columns that identify a row in `key:`; rows are stored in its order.",
        )
    try:
        count = _create_sorted(con, spec, select)
    except _OF_MACHINE as error:
        error.add_note(f"while making {spec.full_name}")
        raise
    except duckdb.Error as error:
        raise explain_failure(error, spec) from error
    declare_table(con, spec)
    _hold_key(con, spec, count)
    return count


def _create_sorted(con: duckdb.DuckDBPyConnection, spec: TableSpec, select: str) -> int:
    """Make a model's table in its order and return its rows.

    In one pass the hash tables of all joins and the sort share the memory, and not all of them can
    be spilled. Where that is too little, the rows are made first and sorted then.
    """
    order = ", ".join(map(quote_column, spec.header.stored_by))
    body = f"select * from ({select}\n)"  # noqa: S608 - a model's own SQL
    if spec.is_personal:
        clear_place(con, spec.full_name)
        with uncompressed(con):
            return _create_ordered(con, spec, body, order)
    return _create_ordered(con, spec, body, order)


def _create_ordered(con: duckdb.DuckDBPyConnection, spec: TableSpec, body: str, order: str) -> int:
    try:
        return create_table(con, spec.full_name, f"{body} order by {order}")
    except duckdb.OutOfMemoryException:
        _log.info("model_in_two_passes", model=spec.full_name)
    con.execute(f"create or replace temp table unsorted as {body}")
    try:
        return create_table(con, spec.full_name, f"from unsorted order by {order}")
    finally:
        con.execute("drop table unsorted")


def list_base_tables(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Return ``schema.table`` of the version that the night builds upon; empty without one."""
    rows = con.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'base' "
        "union all "
        "select schema_name || '.' || view_name from duckdb_views() where database_name = 'base'"
    ).fetchall()
    return frozenset(row[0] for row in rows)


def explain_failure(error: duckdb.Error, spec: TableSpec) -> WarehouseError:
    """Return DuckDB's complaint about a model as our error, with the line of the model's file."""
    text = str(error).strip()
    match = _LINE.search(text)
    line = spec.sql_line + (int(match.group(1)) if match else 1) - 1
    column = _column_of(text, spec, line)
    message, _, detail = text.partition("\n")
    candidates = re.search(r"(?:Candidate bindings|Did you mean)[^\n]*", detail)
    hint = candidates.group(0) if candidates else "Mend the SELECT at the line named above."
    return WarehouseError(
        f"{spec.full_name}: {message}", where=f"{spec.path}:{line}:{column}", hint=hint
    )


def _column_of(text: str, spec: TableSpec, line: int) -> int:
    """Return the column of the word that DuckDB's caret points to; 1 if it cannot be found."""
    shown = _CARET.search(text)
    if shown is None:
        return 1
    at = len(shown["blank"]) - len(shown["label"])
    word = re.match(r"\w+|\S", shown["text"][at:])
    lines = spec.path.read_text(encoding="utf-8").splitlines()
    found = lines[line - 1].find(word[0]) if word and line <= len(lines) else -1
    return found + 1 if found >= 0 else 1


def _reading_python_tables(
    project: Project, layer: str, reads: Mapping[str, Iterable[str]], order: Sequence[str]
) -> set[str]:
    later = {spec.full_name for spec in project.tables.values() if _is_python(spec, layer)}
    for name in order:
        if not later.isdisjoint(reads[name]):
            later.add(name)
    return later


def _is_python(spec: TableSpec, layer: str) -> bool:
    return spec.schema == layer and spec.sql is None


def _hold_key(con: duckdb.DuckDBPyConnection, spec: TableSpec, count: int) -> None:
    distinct = count_keys(con, spec.full_name, spec.header.key).different
    if distinct != count:
        raise WarehouseError(
            f"{spec.full_name} has {count} rows but {distinct} different keys "
            f"({', '.join(spec.header.key)})",
            where=str(spec.path),
            hint="A join multiplies rows, or `key:` lacks a column.",
        )
