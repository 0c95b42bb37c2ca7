"""What each column of a file says about people: recognised by its name and by its values.

A name proposes a role, the values must fit it; a column whose name says nothing is recognised by
its values alone where they are unmistakable. Every column that is not used gets a reason, so that
nothing is left out in silence. Columns that hold the answer (clusters, true persons) are never
evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.files.column_values import (
    Profile,
    misfit,
    needed_looks,
    profile_column,
    refine_role,
    role_by_values,
    sample_rows,
    year_misfit,
)
from cdp_pipeline.identity.files.headers import FILE_ROLES, header_roles
from cdp_pipeline.project.column_names import delivery_role, is_number_name
from cdp_pipeline.storage.dates import DateReading, Order, read_dates
from cdp_pipeline.storage.tabular import ROW, Loaded
from cdp_pipeline.storage.warehouse import quote_column

SEVERAL = frozenset({"email", "phone", "truth", "identifier", "full_name", "middle_name"})
"""Roles that several columns may have; of the others the fullest column wins."""

NUMBER_ROLES = ("account_id", "loyalty_id", "national_id", "payment_token", "identifier")
"""Roles whose values tell something only if some records share them."""

EVIDENCE_ROLES = FILE_ROLES - {"record_id", "source", "truth", "country", "age_year"}


@dataclass(frozen=True)
class Column:
    """One column and what became of it.

    Attributes:
        name: Header.
        role: Its role, or None.
        is_used: Whether it is evidence, record id or source.
        why: How it was recognised, or why it is not used.
        filled: Share of records with a value.
        distinct: Number of distinct values in the sample.
    """

    name: str
    role: str | None
    is_used: bool
    why: str
    filled: float
    distinct: int


@dataclass(frozen=True)
class Recognition:
    """The columns of one file.

    Attributes:
        loaded: The file.
        columns: All of its columns, in order.
        dates: How date columns are read, by column.
        notes: What was assumed, for people.
    """

    loaded: Loaded
    columns: tuple[Column, ...]
    dates: Mapping[str, DateReading] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def used(self, role: str) -> list[str]:
        """Return the names of the columns used in a role, in order."""
        return [c.name for c in self.columns if c.is_used and c.role == role]

    def without(self, role: str, why: str) -> Recognition:
        """Return the same with the columns of a role left out, for a reason."""
        columns = tuple(
            replace(c, is_used=False, why=why) if c.is_used and c.role == role else c
            for c in self.columns
        )
        return replace(self, columns=columns)

    def first(self, role: str) -> str | None:
        """Return the first column used in a role, or None."""
        return next(iter(self.used(role)), None)


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
            columns.append(_column(name, "record_id", profiles[name], "named by --id"))
        elif name in assigned:
            columns.append(_assigned(con, name, assigned[name], profiles[name], dates, order))
        else:
            columns.append(_recognised(con, name, roles[name], profiles[name], dates, order))
    columns = _settle_ids(con, loaded, columns, id_column)
    columns = _settle_deliveries(con, columns)
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


def _column(
    name: str, role: str | None, profile: Profile, why: str, *, used: bool = True
) -> Column:
    filled = profile.filled / profile.rows if profile.rows else 0.0
    return Column(name, role, used, why, round(filled, 4), profile.distinct)


def _assigned(
    con: duckdb.DuckDBPyConnection,
    name: str,
    role: str | None,
    profile: Profile,
    dates: dict[str, DateReading],
    order: Order | None,
) -> Column:
    if role is None:
        return _column(name, None, profile, "left out by the configuration", used=False)
    if role == "birth_date":
        dates[name] = read_dates(con, "link_sample", quote_column(name), order=order)
    return _column(name, role, profile, "named by the configuration", used=role != "truth")


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
            why = "its name tells nothing about a person"
        else:
            return _column(name, role, profile, f"its values look like {role.replace('_', ' ')}")
    else:
        why = misfit(con, name, role, profile, dates, order)
        role = refine_role(name, role, profile)
    return _column(name, role, profile, why or "by its name", used=why is None)


def _settle_ids(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, columns: list[Column], id_column: str | None
) -> list[Column]:
    """Keep one record id: the column that people name, or the first recognised unique one."""
    source = next((c.name for c in columns if c.role == "source" and c.is_used), None)
    chosen = id_column
    if id_column:
        _require_unique(con, loaded, id_column, source)
    for column in columns:
        is_free = chosen is None and column.role == "record_id" and column.is_used
        if is_free and not _duplicate(con, loaded, column.name, source):
            chosen = column.name
    if chosen is None:
        chosen = _natural_key(con, loaded, columns, source)
        columns = _as_key(columns, chosen)
    settled = []
    for column in columns:
        kept = column
        if column.role == "record_id" and column.name != chosen:
            kept = replace(column, is_used=False, why="an id that is not unique, or a second id")
        elif column.role == "source" and (
            chosen is None or _duplicate(con, loaded, chosen, None) is None
        ):
            distinct_few = column.distinct <= 50  # noqa: PLR2004 - systems, not records
            kept = column if distinct_few else replace(column, is_used=False, why="too many values")
        settled.append(kept)
    return settled


def _natural_key(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, columns: list[Column], source: str | None
) -> str | None:
    """Return the first number that names every record: orders are known by order numbers.

    What a file's first column is called does not matter, if it holds codes.
    """
    for place, column in enumerate(columns):
        is_number = column.role in NUMBER_ROLES or is_number_name(column.name)
        if place == 0 and column.role is None and not is_number:
            is_number = _holds_codes(con, column.name)
        is_full = is_number and column.role != "truth" and column.filled == 1
        if is_full and not _duplicate(con, loaded, column.name, source):
            return column.name
    return None


def _holds_codes(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Return whether all sampled values of a column are codes such as R000123 or 17."""
    return bool(
        con.execute(
            "select coalesce(bool_and(regexp_full_match(cast(v as varchar), "  # noqa: S608 - quoted
            "'[A-Za-z]{0,6}[-_/#]?[0-9]{1,18}')), false) "
            f"from (select trim({quote_column(name)}) as v from link_sample)"
        ).fetchall()[0][0]
    )


def _as_key(columns: list[Column], name: str | None) -> list[Column]:
    """Return columns in which one is the record id; a card number stays evidence beside it."""
    settled = []
    for column in columns:
        if column.name == name:
            settled.append(
                replace(column, role="record_id", is_used=True, why="names every record")
            )
        if column.name != name or column.role in NUMBER_ROLES:
            settled.append(column)
    return settled


def _duplicate(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, column: str, source: str | None
) -> str | None:
    """Return a value that stands twice, or an empty one; None when the column is a key."""
    keys = ", ".join(quote_column(c) for c in ([source, column] if source else [column]))
    counts = con.execute(
        f"select count(*), count({quote_column(column)}), count(distinct hash({keys})) "  # noqa: S608 - quoted
        f"from {loaded.table}"
    ).fetchall()
    if len(set(counts[0])) == 1:  # numbers are counted much faster than texts
        return None
    rows = con.execute(
        f"select any_value({quote_column(column)}), count(*) as n, min({ROW}) from {loaded.table} "  # noqa: S608 - quoted
        f"group by {keys} having count(*) > 1 or any_value({quote_column(column)}) is null "
        "order by n desc, 3 limit 1"
    ).fetchall()
    if not rows:
        return None
    return "an empty id" if rows[0][0] is None else f"{rows[0][0]} ({rows[0][1]} times)"


def _require_unique(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, column: str, source: str | None
) -> None:
    twice = _duplicate(con, loaded, column, source)
    if twice:
        raise ConfigError(
            f"column {column!r} does not name records: it holds {twice}",
            where=loaded.where,
            hint="Name a column with one value a record, or leave --id out to number the rows.",
        )


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
            settled.append(_column(column.name, role, profile, why or because, used=why is None))
        else:
            settled.append(column)
    return settled


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
