"""How the deliveries of a source add up to its current rows.

append: events by key, a repetition is a duplicate, another content under the same key is set
aside. upsert: the newest version by key. replace: the newest file. rewrite: of each day the newest
file that covers it. What is marked as deleted goes last of all. Each staged row gets exactly one
fate, so that the ledger can account for it; joins and entities are none of this module's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import duckdb

from cdp_pipeline.ingest.deliveries import Delivery
from cdp_pipeline.ingest.same_keys import find_candidates
from cdp_pipeline.project.contracts import SQL_TYPES, SourceContract
from cdp_pipeline.project.expressions import vet_predicate
from cdp_pipeline.storage.warehouse import (
    fetch_value,
    quote_column,
    quote_literal,
)

CONFLICT_RULE = "conflicting_key"
SOURCES = "staging.sources"
"""Schema of what is made of a source's deliveries; entities that are views read it all night."""

_MOST_BYTES = 10**9
_UNITS = {unit: 1024**power for power, unit in enumerate(("bytes", "KiB", "MiB", "GiB", "TiB"))}

PSEUDO_TYPES = {
    "_file": "varchar",
    "_line": "bigint",
    "_item": "bigint",
    "_business_date": "date",
    "_file_name": "varchar",
}


@dataclass(frozen=True)
class LoadFile:
    """A staged file in loading order; its position in the list is its ``_seq``."""

    delivery: Delivery
    rows: Path


@dataclass(frozen=True)
class CurrentRows:
    """The current rows of a source.

    Attributes:
        view: View with the contract's columns, ``PSEUDO_TYPES`` and ``_seq``.
        duplicates: Repetitions by position of the file.
        conflicts: Rows set aside as ``conflicting_key`` by position of the file.
        excluded: Rows that an exclusion names, by position of the file.
        messages: Warnings for people.
        has_fates: Whether rows were delivered, so that there is a table of their fates.
        rows: Their number, where it follows from these; else None.
    """

    view: str
    duplicates: Counter[int] = field(default_factory=Counter)
    conflicts: Counter[int] = field(default_factory=Counter)
    excluded: Counter[int] = field(default_factory=Counter)
    messages: tuple[str, ...] = ()
    has_fates: bool = False
    rows: int | None = None


def source_object(kind: str, source: str) -> str:
    """Return the full name of a table or view that is made of a source's deliveries."""
    return f"{SOURCES}.{kind}_{source}"


def contract_columns(contract: SourceContract) -> dict[str, str]:
    """Return the columns that exclusions and feeds may use, with their DuckDB types."""
    types = {name: SQL_TYPES[column.type] for name, column in contract.columns.items()}
    return {**types, **PSEUDO_TYPES}


def make_current(
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    files: Sequence[LoadFile],
    *,
    where: str,
    past: str = "",
) -> CurrentRows:
    """Make the view of a source's current rows and count what is not in it.

    Args:
        con: Connection to the build, or any with a catalog ``staging``.
        contract: The source's contract.
        files: Its staged files in loading order.
        where: Declaring file, for messages.
        past: SQL that is true of rows past their time (``expiring.is_past``); empty if none is.

    Raises:
        ConfigError: An exclusion or ``deleted_when`` is no predicate over the contract's columns.
    """
    con.execute(f"create schema if not exists {SOURCES}")
    delivered = _make_delivered(con, contract, files, where=where, past=past)
    view = source_object("current", contract.name)
    if not files:
        con.execute(
            f"create or replace view {view} as select *, _business_date as _first_date "  # noqa: S608 - plain name
            f"from {delivered}"
        )
        return CurrentRows(view)
    excluded = _count_excluded(con, delivered) if contract.exclude or past else Counter()
    with _little_memory(con):
        fates = _make_fates(con, contract, delivered)
    rows = con.execute(
        f"select fate, _seq, count(*) from {fates} group by fate, _seq"  # noqa: S608 - plain name
    ).fetchall()
    gone = sum(count for fate, _, count in rows if fate != "kept")
    newest = _newest(con, contract, delivered, files, where=where)
    _make_view(con, contract, delivered, fates=fates if gone else "", newest=newest)
    counted = {fate: Counter({s: n for f, s, n in rows if f == fate}) for fate, _, _ in rows}
    return CurrentRows(
        view,
        duplicates=counted.get("duplicate", Counter()),
        conflicts=counted.get(CONFLICT_RULE, Counter()),
        excluded=excluded,
        messages=_hub_messages(con, contract, delivered),
        has_fates=True,
        rows=_count_current(con, contract, delivered, gone=gone),
    )


def _count_current(
    con: duckdb.DuckDBPyConnection, contract: SourceContract, delivered: str, *, gone: int
) -> int | None:
    """Return the current rows without making them, unless days, files or deletions thin them."""
    if contract.load.mode not in {"append", "upsert"} or contract.load.deleted_when:
        return None
    left = f"select count(*) from {delivered} where _excluded is null"  # noqa: S608 - plain name
    return int(fetch_value(con, left)) - gone


def _count_excluded(con: duckdb.DuckDBPyConnection, delivered: str) -> Counter[int]:
    """Return the rows that an exclusion names, by position of the file."""
    rows = con.execute(
        f"select _seq, count(*) from {delivered} where _excluded is not null group by _seq"  # noqa: S608 - plain name
    ).fetchall()
    return Counter(dict(rows))


def _make_view(
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    delivered: str,
    *,
    fates: str,
    newest: str,
) -> None:
    """Make the view of current rows; ``_first_date`` is the day on which the key first came."""
    first, joined = _make_first_dates(con, contract, delivered)
    kept = ""
    if fates:
        kept = (
            f"and not exists (select 1 from {fates} as f where f._seq = d._seq "  # noqa: S608 - plain name
            "and f._line = d._line and f.fate <> 'kept')"
        )
    con.execute(
        f"create or replace view {source_object('current', contract.name)} as "  # noqa: S608 - plain names
        f"select d.* exclude (_excluded) {without_hubs(contract)}, "
        f"{first} as _first_date from {delivered} as d{joined} "
        f"where _excluded is null {newest} {kept}"
    )


def _make_first_dates(
    con: duckdb.DuckDBPyConnection, contract: SourceContract, delivered: str
) -> tuple[str, str]:
    """Return SQL for the business date on which a row's key first came, and the join it needs."""
    if contract.load.mode == "append" or not contract.load.key:  # the first row of a key counts
        return "_business_date", ""
    first = source_object("first_dates", contract.name)
    key = ", ".join(quote_column(name) for name in contract.load.key)
    con.execute(
        f"create or replace table {first} as select {key}, "  # noqa: S608 - quoted
        f"min(_business_date) as _first_date from {delivered} where _excluded is null "
        f"group by {key} having count(*) > 1"
    )
    return (
        "coalesce(first._first_date, _business_date)",
        f" left join {first} as first using ({key})",
    )


def _newest(
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    delivered: str,
    files: Sequence[LoadFile],
    *,
    where: str,
) -> str:
    """Return SQL that leaves out rows of replaced files and days, and deleted ones."""
    load = contract.load
    found = ""
    if load.mode == "replace":
        found = f"and _seq = {len(files) - 1}"
    elif load.mode == "rewrite":
        days = _make_days(con, contract, delivered, files)
        found = f"and (_seq, {_day(contract)}) in (select (_seq, _day) from {days})"  # noqa: S608 - plain name
    if load.deleted_when:
        types = contract_columns(contract)
        gone = vet_predicate(load.deleted_when, columns=types, where=f"{where}: deleted_when")
        found += f" and {gone} is not true"
    return found


def _day(contract: SourceContract) -> str:
    return f"coalesce({quote_column(contract.load.day or '')}, _business_date)"


def _make_days(
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    delivered: str,
    files: Sequence[LoadFile],
) -> str:
    """Make the table of days with the newest file that covers each.

    A file covers the days in it, and the last ``days`` up to its business date even where it holds
    none of their rows: what is missing from it then has been taken back.
    """
    table = source_object("days", contract.name)
    whole = [
        (place, file.delivery.business_date - timedelta(days=back))
        for place, file in enumerate(files)
        for back in range(contract.load.days)
    ]
    con.execute(
        f"create or replace table {table} as select _day, max(_seq) as _seq from ("  # noqa: S608 - plain names
        f"select _seq, {_day(contract)} as _day from {delivered} where _excluded is null "
        "union all select unnest(?::bigint[]), unnest(?::date[])) group by _day",
        [[place for place, _ in whole], [day for _, day in whole]],
    )
    return table


def _is_hub(contract: SourceContract) -> dict[str, str]:
    """Return SQL that is true of values that name nobody, by column."""
    return {
        name: f"regexp_full_match(cast({quote_column(name)} as varchar), "
        f"{quote_literal('(?i)' + '|'.join(f'(?:{hub})' for hub in column.hubs))})"
        for name, column in contract.columns.items()
        if column.hubs
    }


def without_hubs(contract: SourceContract) -> str:
    """Return SQL that replaces values which name nobody; empty if the contract has none."""
    values = ", ".join(
        f"case when {is_hub} then null else {quote_column(name)} end as {quote_column(name)}"
        for name, is_hub in _is_hub(contract).items()
    )
    return f"replace ({values})" if values else ""


def _hub_messages(
    con: duckdb.DuckDBPyConnection, contract: SourceContract, delivered: str
) -> tuple[str, ...]:
    messages = []
    for name, is_hub in _is_hub(contract).items():
        rows = fetch_value(con, f"select count(*) from {delivered} where {is_hub}")  # noqa: S608 - quoted
        if rows:
            messages.append(
                f"{contract.name}: {rows} rows have a value in {name} that names nobody"
            )
    return tuple(messages)


def _make_delivered(
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    files: Sequence[LoadFile],
    *,
    where: str,
    past: str,
) -> str:
    """Make the view of all staged rows with the position of their file and their exclusion."""
    view = source_object("delivered", contract.name)
    types = contract_columns(contract)
    if not files:
        nothing = ", ".join(f"cast(null as {t}) as {quote_column(n)}" for n, t in types.items())
        con.execute(
            f"create or replace view {view} as "
            f"select {nothing}, cast(null as bigint) as _seq where false"
        )
        return view
    positions = source_object("load_files", contract.name)
    con.execute(
        f"create or replace table {positions} as "
        "select unnest(?::varchar[]) as rows_path, unnest(?::bigint[]) as _seq, "
        "unnest(?::varchar[]) as _file_name",
        [
            [str(file.rows) for file in files],
            list(range(len(files))),
            [file.delivery.file_name for file in files],
        ],
    )
    excluded = f"when {past} then 'past_retention' " if past else ""
    excluded += " ".join(
        f"when {vet_predicate(rule.where, columns=types, where=f'{where}: {rule.rule}')} "
        f"then {quote_literal(rule.rule)}"
        for rule in contract.exclude
    )
    paths = ", ".join(map(quote_literal, dict.fromkeys(str(file.rows) for file in files)))
    columns = ", ".join(map(quote_column, types))
    con.execute(
        f"create or replace view {view} as select {columns}, _seq, "  # noqa: S608 - vetted
        f"{f'case {excluded} end' if excluded else 'cast(null as varchar)'} as _excluded "
        f"from read_parquet([{paths}], filename = true) "
        f"inner join {positions} on rows_path = filename"
    )
    return view


@contextmanager
def _little_memory(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let DuckDB spill what finding repeated keys takes beyond 1 GB, whatever the rows."""
    limit = str(fetch_value(con, "select current_setting('memory_limit')"))
    number, unit = limit.split()
    if float(number) * _UNITS[unit] <= _MOST_BYTES:
        yield
        return
    try:
        con.execute(f"set memory_limit = '{_MOST_BYTES}B'")
    except duckdb.OutOfMemoryException:  # more is held already and stays
        yield
        return
    try:
        yield
    finally:
        con.execute(f"set memory_limit = {quote_literal(limit)}")


def _make_fates(con: duckdb.DuckDBPyConnection, contract: SourceContract, delivered: str) -> str:
    """Make the table of rows whose key stands more than once: kept, duplicate, superseded, ..."""
    fates, places = (source_object(kind, contract.name) for kind in ("fates", "candidates"))
    key = [quote_column(name) for name in contract.load.key]
    if contract.load.mode in {"replace", "rewrite"}:
        key.append("_seq")
    is_unique = {"_file", "_line"} <= set(contract.load.key)
    listed = ", ".join(key)
    keyed = "_excluded is null and false" if is_unique else "_excluded is null"
    counted = f"(select * from {delivered} where {keyed})"  # noqa: S608 - plain names
    find_candidates(con, counted, key=listed, table=places)
    contents = ", ".join([*key, *(quote_column(name) for name in contract.columns)])
    # said again is said last
    first = "_seq desc, _line desc" if contract.load.is_by_arrival else "_seq, _line"
    con.execute(
        f"create or replace table {fates} as "  # noqa: S608 - identifiers quoted
        f"with candidates as (select * from {delivered} semi join {places} using (_seq, _line)), "
        "ranked as (select *, "
        f"row_number() over (partition by {contents} order by {first}) as repetition, "
        f"row_number() over (partition by {listed} order by _seq, _line) as place "
        "from candidates), "
        f"versioned as (select *, min(place) over (partition by {contents}) as first_place "
        f"from ranked) select _seq, _line, {_fate(contract, listed)} as fate from versioned"
    )
    return fates


def _fate(contract: SourceContract, key: str) -> str:
    if contract.load.mode != "upsert":
        return (
            "case when place = 1 then 'kept' when first_place = 1 then 'duplicate' "
            f"else '{CONFLICT_RULE}' end"
        )
    newest = f"{quote_column(by)} desc nulls last, " if (by := contract.load.updated_at) else ""
    return (
        "case when repetition > 1 then 'duplicate' when row_number() over ("
        f"partition by {key}, repetition = 1 "
        f"order by {newest}_seq desc, _line desc) = 1 then 'kept' "
        "else 'superseded' end"
    )
