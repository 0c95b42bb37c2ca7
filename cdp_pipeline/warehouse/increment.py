"""Bring a model up to date with the night's changes instead of building it in one scan.

The night's file began as a copy of the published one (``storage.basis``). Rows of units that
something has touched are taken out of it; the model's own SELECT, over the rows of those units
alone, gives them anew, and they follow in the table's order. Either way the table holds the same
rows, and trying again ends the same. What a unit is, the header declares (``project.incremental``);
which rows of entities have changed, ``ingest.touched`` has noted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb

from cdp_pipeline.core.errors import WarehouseError
from cdp_pipeline.project.incremental import Incremental, IncrementalInput, Unit
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.basis import changes_of, has_changes, rebuild_reason
from cdp_pipeline.storage.warehouse import (
    describe,
    fetch_value,
    has_base_table,
    has_table,
    quote_column,
    quote_identifier,
)

MOST_SHARE = 0.25
"""Share of the published rows in touched units above which one scan costs less."""

_DATED = re.compile(r"\{\{\s*business_date")
_UNITS = "touched.main.units"


@dataclass(frozen=True)
class Increment:
    """What became of a model's table.

    Attributes:
        reason: Why it has to be built in one scan; empty if it is up to date.
        rows: Rows of the table.
        made: Rows that were made anew.
    """

    reason: str = ""
    rows: int = 0
    made: int = 0


def check_declaration(spec: TableSpec, reads: frozenset[str]) -> None:
    """Raise if what a model declares as incremental does not fit what it reads.

    Args:
        spec: The model.
        reads: Tables that its SELECT reads.

    Raises:
        WarehouseError: Names the first mistake.
    """
    plan = spec.header.incremental
    if plan is None:
        return
    found = plan.mistakes(spec.full_name, reads)
    if _DATED.search(spec.sql or ""):
        found.append("depends on the business date, so every row may change every night")
    if found:
        raise WarehouseError(
            f"{spec.full_name}: incremental: {found[0]}",
            where=str(spec.path),
            hint="Mend `incremental:` in the header, or leave it out: then one scan builds it.",
        )


def apply_changes(con: duckdb.DuckDBPyConnection, spec: TableSpec, select: str) -> Increment:
    """Make a model's table from the published one and the night's changes, where that is possible.

    The rows that were there before or are there now, and not both, go to the changes of the night,
    for the models that read this one.

    Args:
        con: Connection to the build; what the model reads has been made.
        spec: The model.
        select: Its rendered SELECT.

    Returns:
        Rows, or the reason for which nothing was made.

    Raises:
        duckdb.Error: The SELECT does not run.
        WarehouseError: A key repeats.
    """
    plan = spec.header.incremental
    if has_changes(con, spec.full_name):  # left by an earlier try of the step
        con.execute(f"drop table {changes_of(spec.full_name)}")
    reason = _why_not(con, spec, plan)
    if plan is None or reason:
        return Increment(reason)
    con.execute("attach if not exists ':memory:' as touched")
    try:
        _find_units(con, spec, plan)
        touched = max(_count(con, _of_touched_units(spec, plan)), _count(con, _UNITS))
        whole = _count(con, f"base.{_quoted(spec.full_name)}")
        if touched > MOST_SHARE * whole:
            return Increment(f"{touched:,} rows or units are touched, of {whole:,} rows")
        restricted = _restrict(con, plan, select)
        return _replace_units(con, spec, plan, restricted)
    finally:
        con.execute("detach touched")


def _why_not(con: duckdb.DuckDBPyConnection, spec: TableSpec, plan: Incremental | None) -> str:
    if plan is None:
        return "not declared incremental"
    reason = rebuild_reason(con)
    if reason:
        return reason
    if not (has_base_table(con, spec.full_name) and has_table(con, spec.full_name)):
        return "not in the version it builds upon"
    for name in plan.inputs:
        if has_changes(con, name):
            continue
        if name.startswith("staging."):
            return f"which rows of {name} have changed is not known"
        if not has_base_table(con, name):
            return f"{name} is not in the version it builds upon"
    return ""


def _find_units(con: duckdb.DuckDBPyConnection, spec: TableSpec, plan: Incremental) -> None:
    """Make the table of units that a changed row of any input leads to."""
    found = []
    for number, (name, entry) in enumerate(plan.inputs.items()):
        changed = f"touched.main.changed_{number}"
        con.execute(f"create table {changed} as {_changed_rows(con, name, entry)}")
        if not entry.found_in:
            found.append(f"select {_parts(entry.unit)} from {changed}")  # noqa: S608 - declared
        for trail in entry.found_in:
            is_own = trail.table == spec.full_name
            unit = plan.unit if is_own else plan.inputs[trail.table].unit
            source = f"base.{_quoted(trail.table)}" if is_own else _quoted(trail.table)
            joined = " and ".join(
                f"t.{quote_column(own)} = c.{quote_column(other)}"
                for own, other in trail.by.items()
            )
            found.append(
                f"select {_parts(unit)} from (select t.* from {source} as t "  # noqa: S608 - quoted
                f"semi join {changed} as c on {joined})"
            )
    con.execute(f"create table {_UNITS} as {' union '.join(found)}")


def _changed_rows(con: duckdb.DuckDBPyConnection, name: str, entry: IncrementalInput) -> str:
    """Return a SELECT of the rows of an input that are new, gone or different."""
    if has_changes(con, name):
        return f"select * from {changes_of(name)}"  # noqa: S608 - quoted
    columns = ", ".join(map(quote_column, entry.columns or describe(con, name)))
    now, before = (f"select {columns} from {place}{_quoted(name)}" for place in ("", "base."))  # noqa: S608 - quoted
    return f"(({now}) except ({before})) union all (({before}) except ({now}))"


def _parts(unit: Unit) -> str:
    return ", ".join(f"({sql}) as {_part(name)}" for name, sql in sorted(unit.items()))


def _part(name: str) -> str:
    return quote_column(f"unit of {name}")


def _in_units(source: str, unit: Unit, *, columns: str = "*") -> str:
    """Return a FROM term of the rows of a table that are in touched units."""
    same = " and ".join(f"t.{_part(name)} is not distinct from u.{_part(name)}" for name in unit)
    parts = ", ".join(map(_part, unit))
    return (
        f"(select t.* exclude ({parts}) from (select {columns}, {_parts(unit)} from {source}) as t "  # noqa: S608 - quoted
        f"semi join {_UNITS} as u on {same})"
    )


def _of_touched_units(spec: TableSpec, plan: Incremental) -> str:
    return _in_units(f"base.{_quoted(spec.full_name)}", plan.unit)


def _restrict(con: duckdb.DuckDBPyConnection, plan: Incremental, select: str) -> str:
    """Return the SELECT over copies of its inputs that hold the rows of touched units only."""
    for name, entry in plan.inputs.items():
        if not entry.unit:
            continue
        schema = quote_column(name.split(".")[0])
        con.execute(f"create schema if not exists touched.{schema}")
        con.execute(
            f"create table touched.{_quoted(name)} as from {_in_units(_quoted(name), entry.unit)}"
        )
        select = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w.])", f"touched.{name}", select)
    return select


def _replace_units(
    con: duckdb.DuckDBPyConnection, spec: TableSpec, plan: Incremental, restricted: str
) -> Increment:
    table, name = _quoted(spec.full_name), spec.full_name
    key = ", ".join(quote_column(column) for column in spec.header.key)
    order = ", ".join(map(quote_column, spec.header.stored_by))
    rows = f"select * from ({restricted}\n) order by {order}"  # noqa: S608 - a model's own SQL
    con.execute(f"create table touched.main.made as {rows}")
    gone = _in_units(table, plan.unit, columns="rowid as row_no")
    con.execute(f"delete from {table} where rowid in (select row_no from {gone})")  # noqa: S608 - quoted
    con.execute(f"insert into {table} by name from touched.main.made")
    _hold_new_keys(con, spec, key)
    before, now = f"from {_of_touched_units(spec, plan)}", "from touched.main.made"
    con.execute(
        f"create or replace table {changes_of(name)} as "
        f"(({now}) except ({before})) union all (({before}) except ({now}))"
    )
    return Increment(rows=_count(con, table), made=_count(con, "touched.main.made"))


def _hold_new_keys(con: duckdb.DuckDBPyConnection, spec: TableSpec, key: str) -> None:
    """Raise if a key of the rows made tonight stands twice; the others were unique before."""
    twice = fetch_value(
        con,
        f"select count(*) from (select 1 from {_quoted(spec.full_name)} as t "  # noqa: S608 - quoted
        f"semi join touched.main.made using ({key}) group by {key} having count(*) > 1)",
    )
    if twice:
        raise WarehouseError(
            f"{spec.full_name}: {twice} keys ({', '.join(spec.header.key)}) stand twice",
            where=str(spec.path),
            hint="A join multiplies rows, `key:` lacks a column, or `incremental:` names too small "
            "a unit; `cdp run --full` builds the table in one scan.",
        )


def _count(con: duckdb.DuckDBPyConnection, source: str) -> int:
    return int(fetch_value(con, f"select count(*) from {source}"))  # noqa: S608 - quoted


def _quoted(full_name: str) -> str:
    return quote_identifier(full_name)
