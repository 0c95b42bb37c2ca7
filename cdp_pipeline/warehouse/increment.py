"""Bring a model up to date with the night's changes instead of building it in one scan.

The night's file began as a copy of the published one (``storage.basis``). Of units that something
has touched, the model's own SELECT, over their rows alone, gives all rows anew; those that differ
take the place of the published ones, at the end of the table. A personal table lies in no such
file: its published rows are read where they are (``storage.patching``). Either way the table holds
the same rows, and trying again ends the same. What a unit is, the header declares
(``project.incremental``); which rows of entities have changed, ``ingest.touched`` has noted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

import duckdb

from cdp_pipeline.core.errors import WarehouseError
from cdp_pipeline.project.incremental import Incremental, IncrementalInput, Trail, Unit
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.basis import changes_of, has_changes, rebuild_reason
from cdp_pipeline.storage.differences import (
    IS_NOW,
    forget_difference,
    has_keys_only,
    note_difference,
    project_rows,
    select_difference,
    write_difference,
)
from cdp_pipeline.storage.patching import write_patched
from cdp_pipeline.storage.renewal import left_units
from cdp_pipeline.storage.warehouse import (
    fetch_value,
    has_base_table,
    has_table,
    quote_column,
    quote_identifier,
)
from cdp_pipeline.warehouse.retrying import put_in, take_out, undo_try, why_scanned

MOST_SHARE = 0.25
"""Share of the published rows in touched units above which one scan costs less."""

_DATED = re.compile(r"\{\{\s*business_date")
_READ_BY = re.compile(r"(?P<only>\w+)|coalesce\((?P<first>\w+), (?P<second>\w+)\)")
"""Parts of a unit whose rows are found by the values of one column, or of two in turn."""

_UNITS, _BEFORE, _MADE, _DIFFERENT = (
    f"touched.main.{name}" for name in ("units", "before", "made", "different")
)


Dates = tuple[date, date]


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
    has_turns = any(entry.is_dated for entry in plan.inputs.values())
    if _DATED.search(spec.sql or "") and not has_turns:
        found.append(
            "depends on the business date, and no input says with `turns:` at what age, or with "
            "`anniversaries:` of what dates the years count"
        )
    if found:
        raise WarehouseError(
            f"{spec.full_name}: incremental: {found[0]}",
            where=str(spec.path),
            hint="Mend `incremental:` in the header, or leave it out: then one scan builds it.",
        )


def apply_changes(
    con: duckdb.DuckDBPyConnection, spec: TableSpec, select: str, dates: Dates | None = None
) -> Increment:
    """Make a model's table from the published one and the night's changes, where that is possible.

    The rows that were there before or are there now, and not both, go to the changes of the night,
    for the models that read this one.

    Args:
        con: Connection to the build; what the model reads has been made.
        spec: The model.
        select: Its rendered SELECT.
        dates: Business dates of the version built upon and of the night, if there is one.

    Returns:
        Rows, or the reason for which nothing was made.

    Raises:
        duckdb.Error: The SELECT does not run.
        WarehouseError: A key repeats.
    """
    plan = spec.header.incremental
    undo_try(con, spec)
    forget_difference(con, spec.full_name)
    reason = _why_not(con, spec, plan, dates)
    if plan is None or reason:
        return Increment(reason)
    con.execute("attach if not exists ':memory:' as touched")
    try:
        changed = _whole_input(con, plan)
        if changed:
            return Increment(f"rows of {changed} have changed, which may change all")
        _find_units(con, spec, plan, dates)
        source = f"base.{_quoted(spec.full_name)}"
        con.execute(f"create table {_BEFORE} as from {_in_units(con, source, plan.unit)}")
        touched, whole = max(_count(con, _BEFORE), _count(con, _UNITS)), _count(con, source)
        if touched > MOST_SHARE * whole:
            return Increment(f"{touched:,} rows or units are touched, of {whole:,} rows")
        restricted = _restrict(con, plan, select)
        return _replace_units(con, spec, restricted)
    finally:
        con.execute("detach touched")


def _why_not(
    con: duckdb.DuckDBPyConnection,
    spec: TableSpec,
    plan: Incremental | None,
    dates: Dates | None,
) -> str:
    if plan is None:
        return "not declared incremental"
    reason = rebuild_reason(con) or _why_undated(plan, dates) or why_scanned(con, spec)
    if reason:
        return reason
    is_carried = spec.is_personal or has_table(con, spec.full_name)
    if not (has_base_table(con, spec.full_name) and is_carried):
        return "not in the version it builds upon"
    for name, entry in plan.inputs.items():
        if has_changes(con, name) or entry.changes_with:
            continue
        if has_keys_only(name) or name in plan.leaders:
            return f"which rows of {name} have changed is not known"
        if not has_base_table(con, name):
            return f"{name} is not in the version it builds upon"
    return ""


def _why_undated(plan: Incremental, dates: Dates | None) -> str:
    has_turns = any(entry.is_dated for entry in plan.inputs.values())
    if has_turns and not (dates and dates[0] <= dates[1]):
        return "of which earlier day the version is that it builds upon is not known"
    return ""


def _whole_input(con: duckdb.DuckDBPyConnection, plan: Incremental) -> str:
    """Return the first input that has changed of which any change may change all; or nothing."""
    for name, entry in plan.inputs.items():
        rows = f"({changed_rows(con, name, entry)})" if entry.is_whole else ""
        if rows and _count(con, rows):
            return name
    return ""


def _find_units(
    con: duckdb.DuckDBPyConnection, spec: TableSpec, plan: Incremental, dates: Dates | None
) -> None:
    """Make the table of units that a changed row of any input leads to, or one of another age."""
    found = []
    for number, (name, entry) in enumerate(plan.inputs.items()):
        if entry.changes_with or entry.is_whole:
            continue
        changed = f"touched.main.changed_{number}"
        con.execute(f"create table {changed} as {changed_rows(con, name, entry)}")
        if entry.is_dated and dates:
            rows = f"{_read(name, entry)} where {_has_turned(entry, *dates)}"
            found.append(f"select {unit_parts(entry.unit)} from {rows}")  # noqa: S608 - declared
        if not entry.found_in:
            found.append(f"select {unit_parts(entry.unit)} from {changed}")  # noqa: S608 - declared
        for step, trail in enumerate(entry.found_in):
            is_own = trail.table == spec.full_name
            unit = plan.unit if is_own else plan.inputs[trail.table].unit
            source = f"base.{_quoted(trail.table)}" if is_own else _quoted(trail.table)
            leading = leading_rows(changed, trail)
            left = left_units(con, name_trail(spec.full_name, name, step))
            if left:
                leading = f"(select * from {leading} union all by name from {left})"  # noqa: S608 - quoted
            rows = _led_to(con, source, leading, trail)
            found.append(f"select {unit_parts(unit)} from {rows}")  # noqa: S608 - quoted
    if left := left_units(con, spec.full_name):
        found.append(f"from {left}")
    con.execute(f"create table {_UNITS} as {' union '.join(found)}")


def name_trail(model: str, table: str, step: int) -> str:
    """Return the name of what an erasure leaves at the beginning of a trail to units of a model."""
    return f"{model} by {table} {step}"


def _has_turned(entry: IncrementalInput, before: date, today: date) -> str:
    """Return SQL that is true of rows that have reached an age at which they count otherwise."""
    turned = [
        f"(({day}) > date '{before}' - {age} and ({day}) <= date '{today}' - {age})"
        for day, ages in entry.turns.items()
        for age in ages
    ]
    turned += [
        f"date_sub('year', {day}, date '{before}') <> date_sub('year', {day}, date '{today}')"
        for day in entry.anniversaries
    ]
    return " or ".join(turned)


def changed_rows(con: duckdb.DuckDBPyConnection, name: str, entry: IncrementalInput) -> str:
    """Return a SELECT of the rows of an input that are new, gone or different."""
    if has_keys_only(name):
        return f"select * from {changes_of(name)}"  # noqa: S608 - quoted
    return project_rows(note_difference(con, name), entry.columns, entry.where)


def leading_rows(changed: str, trail: Trail) -> str:
    """Return the changed rows that a trail begins at: all, or those of which no row is left."""
    if not trail.gone:
        return changed
    same = " and ".join(
        f"n.{quote_column(name)} is not distinct from c.{quote_column(name)}" for name in trail.gone
    )
    return (
        f"(select c.* from {changed} as c anti join (select * from {changed} where {IS_NOW}) as n "  # noqa: S608 - quoted
        f"on {same} where not c.{IS_NOW})"
    )


def _led_to(con: duckdb.DuckDBPyConnection, source: str, changed: str, trail: Trail) -> str:
    """Return a FROM term of the rows of a table that changed rows lead to."""
    pairs = {quote_column(own): quote_column(other) for own, other in trail.by.items()}
    joined = " and ".join(f"t.{own} = c.{other}" for own, other in pairs.items())
    own, other = _telling(con, changed, pairs)
    rows = f"(select t.* from {source} as t semi join {changed} as c on t.{own} = c.{other})"  # noqa: S608 - quoted
    if len(pairs) == 1:
        return rows
    return f"(select t.* from {rows} as t semi join {changed} as c on {joined})"  # noqa: S608 - quoted


def _telling(con: duckdb.DuckDBPyConnection, small: str, pairs: dict[str, str]) -> tuple[str, str]:
    """Return the pair of columns that leaves the fewest rows.

    DuckDB hands a join by one column down to the files, so that what cannot match is not read.
    """
    if len(pairs) == 1:
        return next(iter(pairs.items()))
    counts = ", ".join(f"count(distinct {other})" for other in pairs.values())
    row = con.execute(f"select {counts} from {small}").fetchall()[0]  # noqa: S608 - quoted
    return max(zip(row, pairs.items(), strict=True), key=lambda counted: int(counted[0]))[1]


def unit_parts(unit: Unit) -> str:
    """Return the parts of a unit as columns of a SELECT, always in the same order."""
    return ", ".join(f"({sql}) as {_part(name)}" for name, sql in sorted(unit.items()))


def _part(name: str) -> str:
    return quote_column(f"unit of {name}")


def _in_units(con: duckdb.DuckDBPyConnection, source: str, unit: Unit) -> str:
    """Return a FROM term of the rows of a table that are in touched units."""
    parts = ", ".join(map(_part, unit))
    narrowed = _narrow(con, f"(select *, {unit_parts(unit)} from {source})", unit)  # noqa: S608 - quoted
    return (
        f"(select t.* exclude ({parts}) from {narrowed} as t "  # noqa: S608 - quoted
        f"semi join {_UNITS} as u on {_same_unit(unit)})"
    )


def _narrow(con: duckdb.DuckDBPyConnection, rows: str, unit: Unit) -> str:
    """Return rows without most of those that are in no touched unit, read by one column."""
    read_by = {
        _part(name): match.groupdict()
        for name, sql in unit.items()
        if (match := _READ_BY.fullmatch(sql))
        and not fetch_value(con, f"select count(*) from {_UNITS} where {_part(name)} is null")  # noqa: S608 - quoted
    }
    if not read_by:
        return rows
    part, _ = _telling(con, _UNITS, {part: part for part in read_by})
    first, second = read_by[part]["first"] or read_by[part]["only"], read_by[part]["second"]
    found = f"select t.* from {rows} as t semi join {_UNITS} as u on t.{first} = u.{part}"  # noqa: S608 - quoted
    if second:
        found += (
            f" union all select t.* from (select * from {rows} where {first} is null) as t "  # noqa: S608 - quoted
            f"semi join {_UNITS} as u on t.{second} = u.{part}"
        )
    return f"({found})"


def _same_unit(unit: Unit) -> str:
    return " and ".join(f"t.{_part(name)} is not distinct from u.{_part(name)}" for name in unit)


def _restrict(con: duckdb.DuckDBPyConnection, plan: Incremental, select: str) -> str:
    """Return the SELECT over copies of its inputs that hold the rows of touched units only."""
    for name, entry in plan.inputs.items():
        if not entry.unit:
            continue
        schema = quote_column(name.split(".")[0])
        con.execute(f"create schema if not exists touched.{schema}")
        rows = _in_units(con, _read(name, entry), entry.unit)
        con.execute(f"create table touched.{_quoted(name)} as from {rows}")
        select = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w.])", f"touched.{name}", select)
    return select


def _read(name: str, entry: IncrementalInput) -> str:
    """Return a FROM term of what a model reads of an input."""
    listed = ", ".join(map(quote_column, entry.columns)) or "*"
    condition = f" where {entry.where}" if entry.where else ""
    return f"(select {listed} from {_quoted(name)}{condition})"  # noqa: S608 - declared


def _replace_units(con: duckdb.DuckDBPyConnection, spec: TableSpec, restricted: str) -> Increment:
    """Put the rows of touched units that differ in the place of those that were there.

    Most rows of a touched unit are made as they were. They stay where they lie: to take them out
    and append them would leave their blocks idle, and the table out of its order.
    """
    name, key = spec.full_name, ", ".join(map(quote_column, spec.header.key))
    con.execute(f"create table {_MADE} as select * from ({restricted}\n)")  # noqa: S608 - a model's own SQL
    different = select_difference(now=f"from {_MADE}", before=f"from {_BEFORE}")
    con.execute(f"create table {_DIFFERENT} as {different}")
    _hold_new_keys(con, spec, key)
    if spec.is_personal:
        order = ", ".join(map(quote_column, spec.header.stored_by))
        anew = f"select * exclude ({IS_NOW}) from {_DIFFERENT} where {IS_NOW} order by {order}"  # noqa: S608 - quoted
        write_patched(con, name, key=key, replaced=f"from {_DIFFERENT}", anew=anew)
        write_difference(con, name, f"from {_DIFFERENT}")
    else:
        # Noted first: whoever tries again must know what to undo.
        write_difference(con, name, f"from {_DIFFERENT}")
        take_out(con, spec, _DIFFERENT)
        put_in(con, spec, _DIFFERENT, IS_NOW)
    return Increment(rows=_count(con, _quoted(name)), made=_count(con, _MADE))


def _hold_new_keys(con: duckdb.DuckDBPyConnection, spec: TableSpec, key: str) -> None:
    """Raise if a key stands twice among the rows made, or also in a unit that nothing touched.

    Rows are taken out by their keys, so afterwards the row of the other unit would be lost unseen.
    """
    others = (
        f"select {key} from base.{_quoted(spec.full_name)} "  # noqa: S608 - quoted
        f"semi join {_DIFFERENT} using ({key}) anti join {_BEFORE} using ({key})"
    )
    keys = f"select {key} from {_MADE} union all ({others})"  # noqa: S608 - quoted
    twice = fetch_value(
        con,
        f"select count(*) from (select 1 from ({keys}) group by {key} having count(*) > 1)",  # noqa: S608 - quoted
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
