"""What each column of a file says about people: recognised by its name and by its values.

A name proposes a role, the values must fit it; a column whose name says nothing is recognised by
its values alone where they are unmistakable. Every column that is not used gets a reason, so that
nothing is left out in silence. Columns that hold the answer (clusters, true persons) are never
evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.files.column_values import (
    Profile,
    birth_date_by_values,
    misfit,
    names_by_values,
    needed_looks,
    profile_column,
    refine_role,
    role_by_values,
    sample_rows,
    year_misfit,
)
from cdp_pipeline.identity.files.headers import FILE_ROLES, header_roles
from cdp_pipeline.identity.files.recognition import (
    NUMBER_ROLES,
    Column,
    Recognition,
    describe_column,
)
from cdp_pipeline.identity.files.record_ids import settle_ids
from cdp_pipeline.project.column_names import delivery_role
from cdp_pipeline.storage.dates import DateReading, Order, read_dates
from cdp_pipeline.storage.tabular import Loaded
from cdp_pipeline.storage.warehouse import quote_column

SEVERAL = frozenset({"email", "phone", "truth", "identifier", "full_name", "middle_name"})
"""Roles that several columns may have; of the others the fullest column wins."""

UNTELLING = "its name tells nothing about a person"

NAME_ROLES = frozenset({"given_name", "family_name", "full_name"})
BIRTH_ROLES = frozenset({"birth_date", "birth_year", "age"})

_LOOKS_LIKE = "its values look like"

EVIDENCE_ROLES = FILE_ROLES - {"record_id", "source", "truth", "country", "age_year"}


def recognise(
    con: duckdb.DuckDBPyConnection,
    loaded: Loaded,
    *,
    assigned: Mapping[str, str | None] | None = None,
    id_column: str | None = None,
    order: Order | None = None,
) -> Recognition:
    """Return what the columns of a file mean.

    Args:
        con: Connection with the file's table and ``identity_nicknames``.
        loaded: The file.
        assigned: Roles by column that people have given; None: leave the column out.
        id_column: Column that names records.
        order: What people say about day and month.

    Raises:
        ConfigError: A column that people name does not exist, or an id is not unique.
    """
    assigned = dict(assigned or {})
    _check_named(loaded, {**assigned, **({id_column: "record_id"} if id_column else {})})
    sample_rows(con, loaded)
    roles = header_roles(loaded.columns)
    profiles = {name: profile_column(con, name, needed_looks(name, roles[name])) for name in roles}
    dates: dict[str, DateReading] = {}
    columns = []
    for name in loaded.columns:
        if name == id_column:
            columns.append(describe_column(name, "record_id", profiles[name], "named by --id"))
        elif name in assigned:
            columns.append(_assigned(con, name, assigned[name], profiles[name], dates, order))
        else:
            columns.append(_recognised(con, name, roles[name], profiles[name], dates, order))
    columns = settle_ids(con, loaded, columns, id_column)
    columns = _settle_deliveries(con, columns)
    columns = _settle_unnamed(con, columns, dates, order)
    columns = _settle_rivals(columns)
    columns = _settle_years(con, loaded, columns, assigned)
    notes = tuple(
        f"{name}: {dates[name].text}"
        for name in dates
        if any(c.name == name and c.is_used and c.role == "birth_date" for c in columns)
    )
    return Recognition(loaded, tuple(columns), dates, notes)


def _settle_years(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, columns: list[Column], given: Collection[str]
) -> list[Column]:
    """Leave out years in which no age was told, unless people say that they were."""
    used = {column.role: column.name for column in columns if column.is_used and column.role}
    year = used.get("age_year")
    why = year_misfit(con, loaded, used) if year and year not in given else None
    return [replace(c, is_used=False, why=why) if why and c.name == year else c for c in columns]


def _check_named(loaded: Loaded, named: Mapping[str, str | None]) -> None:
    for column, role in named.items():
        if column not in loaded.columns:
            raise ConfigError(
                f"there is no column {column!r}",
                where=loaded.where,
                hint=f"It has: {', '.join(loaded.columns)}.",
            )
        if role is not None and role not in FILE_ROLES:
            raise ConfigError(
                f"{role!r} is not a role of a column",
                where=loaded.where,
                hint=f"Known: {', '.join(sorted(FILE_ROLES))}; `ignore` leaves it out.",
            )


def _assigned(
    con: duckdb.DuckDBPyConnection,
    name: str,
    role: str | None,
    profile: Profile,
    dates: dict[str, DateReading],
    order: Order | None,
) -> Column:
    if role is None:
        return describe_column(name, None, profile, "left out by the configuration", used=False)
    if role == "birth_date":
        dates[name] = read_dates(con, "link_sample", quote_column(name), order=order)
    return describe_column(name, role, profile, "named by the configuration", used=role != "truth")


def _recognised(
    con: duckdb.DuckDBPyConnection,
    name: str,
    role: str | None,
    profile: Profile,
    dates: dict[str, DateReading],
    order: Order | None,
) -> Column:
    why: str | None = None
    if profile.filled == 0:
        why = "is empty"
    elif role == "other":
        role, why = None, "speaks of somebody or something else"
    elif role == "truth":
        why = "looks like the answer, so it is never evidence"
    elif role == "country":
        why = "not compared"
    elif role is None:
        role = role_by_values(con, name, profile, dates, order)
        if role is None:
            why = UNTELLING
        else:
            return describe_column(name, role, profile, f"{_LOOKS_LIKE} {_said(role)}")
    else:
        why = misfit(con, name, role, profile, dates, order)
        role = refine_role(name, role, profile)
    return describe_column(name, role, profile, why or "by its name", used=why is None)


def _said(role: str) -> str:
    return role.replace("_", " ")


_TOLD_TOGETHER = (
    frozenset({"full_name", "given_name", "family_name"}),
    frozenset({"street", "street_name", "house_number", "unit"}),
    frozenset({"city", "postcode"}),
    frozenset({"phone"}),
)
"""Roles of which a delivery tells all or none."""


def _settle_deliveries(con: duckdb.DuckDBPyConnection, columns: list[Column]) -> list[Column]:
    """Take the recipient for the customer where a file says nothing else of her."""
    told = {column.role for column in columns if column.is_used}
    missing = frozenset().union(*(roles for roles in _TOLD_TOGETHER if not roles & told))
    settled = []
    for column in columns:
        role = delivery_role(column.name) if column.role is None and column.filled else None
        if role in missing:
            profile = profile_column(con, column.name, needed_looks(column.name, role))
            why = misfit(con, column.name, role, profile, {}, None)
            because = "of a delivery, and the file has none of the customer's own"
            settled.append(
                describe_column(column.name, role, profile, why or because, used=why is None)
            )
        else:
            settled.append(column)
    return settled


def _settle_unnamed(
    con: duckdb.DuckDBPyConnection,
    columns: list[Column],
    dates: dict[str, DateReading],
    order: Order | None,
) -> list[Column]:
    """Find names and birth dates by their values where no header of the file names them."""
    told = {column.role for column in columns if column.is_used}
    unnamed = [c.name for c in columns if c.why == UNTELLING and c.filled]
    found: dict[str, str] = {}
    if unnamed and not told & NAME_ROLES:
        found |= names_by_values(con, unnamed)
    if unnamed and not told & BIRTH_ROLES:
        birth = birth_date_by_values(con, unnamed, dates, order)
        found |= {birth: "birth_date"} if birth else {}
    return [
        replace(c, role=found[c.name], is_used=True, why=f"{_LOOKS_LIKE} {_said(found[c.name])}")
        if c.name in found
        else c
        for c in columns
    ]


def _settle_rivals(columns: list[Column]) -> list[Column]:
    """Of several columns with one role keep the fullest, but for roles that may be several."""
    best: dict[str, Column] = {}
    for column in columns:
        if column.is_used and column.role and column.role not in SEVERAL:
            rival = best.get(column.role)
            if rival is None or column.filled > rival.filled + 0.05:
                best[column.role] = column
    settled = []
    for column in columns:
        winner = best.get(column.role or "")
        if column.is_used and winner is not None and winner is not column:
            why = f"{winner.name} says the same"
            settled.append(replace(column, is_used=False, why=why))
        else:
            settled.append(column)
    return settled


def settle_numbers(
    con: duckdb.DuckDBPyConnection, files: Sequence[Recognition]
) -> list[Recognition]:
    """Leave out numbers that every record of all files has for itself.

    A file without a record id takes such a column for one.
    """
    settled = list(files)
    for role in NUMBER_ROLES:
        parts = [
            f"select trim({quote_column(name)}) as v from {found.loaded.table}"  # noqa: S608 - quoted
            for found in files
            for name in found.used(role)
        ]
        if not parts:
            continue
        rows = con.execute(
            f"select count(*), count(distinct v) from ({' union all '.join(parts)}) where v <> ''"  # noqa: S608 - quoted
        ).fetchall()
        if rows[0][0] == rows[0][1]:
            settled = [_without_numbers(found, role) for found in settled]
    return settled


def _without_numbers(found: Recognition, role: str) -> Recognition:
    full = next((c for c in found.columns if c.is_used and c.role == role and c.filled == 1), None)
    if full is not None and found.first("record_id") is None:
        named = replace(full, role="record_id", why="every record has its own")
        columns = tuple(named if c is full else c for c in found.columns)
        found = replace(found, columns=columns)
    return found.without(role, "every record has its own, so it tells nothing")
