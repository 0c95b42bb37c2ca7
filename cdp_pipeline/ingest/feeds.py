"""From the current rows of sources to the entity tables of ``sql/staging``.

Every feed is vetted, cast to the entity's types and completed: source, business date of the
delivery, store-local dates, keys of statements and person records. A decimal that would have to be
rounded stops the night. Which rows are current is decided in ``loading``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from cdp_pipeline.core.errors import DataQualityError
from cdp_pipeline.ingest.refusal import is_of_machine
from cdp_pipeline.project.contracts import Feed, SourceContract
from cdp_pipeline.project.expressions import vet_predicate, vet_scalar
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.warehouse import (
    create_table,
    fetch_value,
    first_line,
    quote_column,
    quote_literal,
)

PERSON_ENTITY = "person_records"
CONSENT_ENTITY = "consents"
LINE_ENTITIES = frozenset({"sale_lines", "order_lines"})
"""Entities in which a repeated key would lose money."""

IDENTIFYING = (
    "given_name",
    "family_name",
    "full_name",
    "birth_date",
    "email",
    "phone",
    "street",
    "postcode",
    "loyalty_id",
    "account_id",
    "payment_token",
    "push_token",
    "national_id",
    "identifier",
)
"""Columns by which a person can be told; a record without any of them is none."""

_HASHED = (
    *("title", "middle_name", "sex", "birth_year", "birth_place", "occupation", "category"),
    *("house_number", "city", "state", "country", *IDENTIFYING),
)
_OF_FILE = {"file_id": "v._file", "file_line": "v._line"}
_WORDED = ("legal_basis", "wording_version")
_SEPARATOR = "chr(31)"


@dataclass(frozen=True)
class SourceFeed:
    """A feed together with what it reads.

    Attributes:
        contract: Contract that declares it.
        feed: The feed.
        view: View of the source's current rows.
        where: Declaring file, for messages.
        columns: Columns of the view that feeds may use, with types.
        rows: Rows of the view; None if they have to be counted.
    """

    contract: SourceContract
    feed: Feed
    view: str
    where: str
    columns: dict[str, str]
    rows: int | None = None

    @property
    def place(self) -> str:
        """Declaring file and entity, for messages."""
        return f"{self.where}: feed of {self.feed.entity}"


def build_entity(
    con: duckdb.DuckDBPyConnection,
    entity: TableSpec,
    feeds: Sequence[SourceFeed],
    *,
    untried: Mapping[str, Sequence[int]] | None = None,
) -> tuple[int, list[str]]:
    """Make ``staging.<entity>`` and return its rows and warnings for people.

    Grain and key are those of the entity's header. An entity whose keys the contracts keep apart,
    as all events are, is a view: what would be written, sorted and read again each night is the
    whole history. Its casts are tried here, so that a value that does not fit is found here. Other
    entities are tables in the order of the key. The person records must have been built before any
    other entity.

    Args:
        con: Connection to the build.
        entity: The entity.
        feeds: What feeds it.
        untried: Positions of files with new values by source; of sources without, all are tried.

    Raises:
        ConfigError: A feed is no SQL over its contract's columns.
        DataQualityError: A value does not fit, or a line key stands twice.
    """
    name = f"staging.{entity.name}"
    key = [quote_column(column) for column in entity.header.key]
    if not feeds:
        return create_table(con, name, _no_rows(entity)), []
    select = " union all ".join(feed_select(con, entity, feed) for feed in feeds)
    try:
        if not key:
            return create_table(con, name, select), []
        if keeps_keys(entity, feeds):
            if entity.name in {PERSON_ENTITY, CONSENT_ENTITY}:  # few rows, read many times
                return create_table(con, name, f"{select} order by {', '.join(key)}"), []
            con.execute(f"create or replace view {name} as {select}")
            return _try_rows(con, entity, feeds, untried or {}), []
        con.execute(f"create or replace temp table incoming as {select}")
    except duckdb.Error as error:
        if is_of_machine(error):
            raise
        raise DataQualityError(
            f"rows do not fit the entity {entity.name}: {first_line(error)}",
            where=feeds[0].place,
            hint="Set such rows aside with a check, or write round(...) or a case.",
        ) from error
    found = _one_row_a_key(con, entity)
    con.execute("drop table incoming")
    return found


def _no_rows(entity: TableSpec) -> str:
    columns = entity.header.columns.items()
    nothing = ", ".join(f"cast(null as {c.type}) as {quote_column(n)}" for n, c in columns)
    return f"select {nothing} where false"


def _try_rows(
    con: duckdb.DuckDBPyConnection,
    entity: TableSpec,
    feeds: Sequence[SourceFeed],
    untried: Mapping[str, Sequence[int]],
) -> int:
    """Return the rows of an entity's view, after every value that a cast could refuse is cast."""
    rows = 0
    for feed in feeds:
        rows += _count(con, feed)
        tried = ", ".join(map(quote_column, sorted(_computed(feed, entity))))
        if not tried:
            continue
        new = feed
        if feed.contract.name in untried:
            places = ", ".join(map(str, untried[feed.contract.name])) or "null"
            new = replace(feed, view=f"(select * from {feed.view} where _seq in ({places}))")  # noqa: S608 - numbers
        select = feed_select(con, entity, new)
        fetch_value(con, f"select bit_xor(hash({tried})) from {select}")  # noqa: S608 - quoted
    return rows


def _count(con: duckdb.DuckDBPyConnection, source: SourceFeed) -> int:
    """Return the rows that a feed takes; each finds at most one person record."""
    wanted = _wanted(source)
    if source.rows is not None and not wanted:
        return source.rows
    condition = f" where {wanted}" if wanted else ""
    return int(fetch_value(con, f"select count(*) from {source.view} as v{condition}"))  # noqa: S608 - vetted


def _wanted(source: SourceFeed) -> str:
    """Return SQL that is true of the rows that a feed takes; empty: all."""
    if not source.feed.where:
        return ""
    return vet_predicate(source.feed.where, columns=source.columns, where=source.place)


def _computed(source: SourceFeed, entity: TableSpec) -> list[str]:
    """Return the entity's columns that are more than a column of the delivery as it is."""
    types = {name: column.type for name, column in entity.header.columns.items()}
    return [
        name
        for name, sql in source.feed.columns.items()
        if source.columns.get(sql.strip()) != types[name]
    ]


def keeps_keys(entity: TableSpec, feeds: Sequence[SourceFeed]) -> bool:
    """Return whether the entity's key repeats the contracts' keys, so that no key stands twice."""
    sources = [feed.contract.name for feed in feeds]
    if "source" not in entity.header.key or len(set(sources)) != len(sources):
        return False
    return all(
        set(feed.contract.load.key)
        <= {feed.feed.columns.get(name, "").strip() for name in entity.header.key}
        for feed in feeds
    )


def feed_select(con: duckdb.DuckDBPyConnection, entity: TableSpec, source: SourceFeed) -> str:
    """Return the SELECT of one feed, with the entity's columns in order."""
    contract, feed = source.contract, source.feed
    columns = source.columns
    values = {
        name: vet_scalar(
            sql,
            columns=columns,
            where=f"{source.place}: {name}",
            cast_to=entity.header.columns[name].type or "varchar",
        )
        for name, sql in feed.columns.items()
    }
    exact = _exact(con, entity, values, source)
    selected = {
        name: exact.get(name) or _default(name, entity, values, contract)
        for name in entity.header.columns
    }
    wanted = [taken] if (taken := _wanted(source)) else []
    joins = ""
    if entity.name == PERSON_ENTITY:
        known = [values[name] for name in IDENTIFYING if name in values]
        wanted.append(f"coalesce({', '.join(f'cast({v} as varchar)' for v in known)}) is not null")
        selected["record_key"] = record_key(values)
    else:
        joins = _person_join(entity, source, selected)
    if entity.name == CONSENT_ENTITY and "statement_id" not in values:
        selected["statement_id"] = _statement_id(selected)
    listed = ", ".join(
        f"cast({value} as {entity.header.columns[name].type}) as {quote_column(name)}"
        for name, value in selected.items()
    )
    condition = f" where {' and '.join(wanted)}" if wanted else ""
    if entity.name == PERSON_ENTITY:  # many rows say the same about one person, whose key is a hash
        said = _mentioned(columns, [*selected.values(), *wanted])
        rows = f"(select distinct {said} from {source.view} as v{condition})"  # noqa: S608 - vetted
        # What is alike only now falls to one row a key: to tell all columns apart costs more.
        return f"(select {listed} from {rows} as v)"  # noqa: S608 - vetted
    return f"(select {listed} from {source.view} as v{joins}{condition})"  # noqa: S608 - vetted


def _mentioned(columns: Iterable[str], expressions: Iterable[str]) -> str:
    """Return the columns of a view that expressions may read, listed."""
    words = {word.lower() for sql in expressions for word in re.findall(r"\w+", sql)}
    read = [name for name in columns if name.lower() in words]
    return ", ".join(map(quote_column, dict.fromkeys([*read, "_business_date", "_first_date"])))


def record_key(values: dict[str, str]) -> str:
    """Return SQL of a person record's key: the given one, or a hash of what identifies."""
    if "record_key" in values:
        return values["record_key"]
    parts = ", ".join(
        f"coalesce(cast({values[name]} as varchar), '')" for name in _HASHED if name in values
    )
    return f"md5(concat_ws({_SEPARATOR}, {parts}))"


def _statement_id(selected: dict[str, str]) -> str:
    names = ["person_record_key", "purpose", "channel", "status", "captured_at"]
    names += [name for name in _WORDED if selected[name] != "null"]
    if selected["captured_at"] == "null":  # it was stated when it was delivered, for all we know
        names.append("delivered_on")
    parts = ", ".join(f"coalesce(cast({selected[name]} as varchar), '')" for name in names)
    return f"md5(concat_ws({_SEPARATOR}, {parts}))"


def _exact(
    con: duckdb.DuckDBPyConnection,
    entity: TableSpec,
    values: dict[str, str],
    source: SourceFeed,
) -> dict[str, str]:
    """Return values in which a decimal that a cast would round raises an error instead."""
    probes = ", ".join(f"{sql} as {quote_column(name)}" for name, sql in values.items())
    described = con.execute(f"describe select {probes} from {source.view}").fetchall()  # noqa: S608 - vetted
    found = {row[0]: str(row[1]) for row in described}
    exact = {}
    for name, sql in values.items():
        wanted = (entity.header.columns[name].type or "").lower()
        is_number = found[name].startswith(("DECIMAL", "DOUBLE", "FLOAT"))
        if not wanted.startswith("decimal") or not is_number or found[name].lower() == wanted:
            exact[name] = sql
            continue
        text = quote_literal(f"{name} has more decimals than {wanted} keeps")
        exact[name] = (
            f"case when cast({sql} as {wanted}) is distinct from {sql} then error({text}) "
            f"else cast({sql} as {wanted}) end"
        )
    return exact


def _default(name: str, entity: TableSpec, values: dict[str, str], contract: SourceContract) -> str:
    """Return what the builder puts into a column that the feed does not set."""
    if name == "source":
        return quote_literal(contract.name)
    if name == "delivered_on":
        return "v._business_date"
    if name == "first_delivered_on":
        return "v._first_date"
    if name in _OF_FILE:
        return _OF_FILE[name]
    moment = f"{name.removesuffix('_on')}_at"
    if name.endswith("_on") and moment in values and moment in entity.header.columns:
        return f"business_date({values[moment]})"
    return "null"


def _person_join(entity: TableSpec, source: SourceFeed, selected: dict[str, str]) -> str:
    """Set the person columns of an entity that has them, and return the joins they need."""
    if "person_record_key" not in entity.header.columns:
        return ""
    contract = source.contract
    columns = source.columns
    joins, keys = [], []
    for number, feed in enumerate(f for f in contract.feeds if f.entity == PERSON_ENTITY):
        values = {
            name: vet_scalar(sql, columns=columns, where=f"{source.where}: {name}")
            for name, sql in feed.columns.items()
        }
        key = record_key(values)
        if feed.where:
            wanted = vet_predicate(feed.where, columns=columns, where=source.where)
            key = f"case when {wanted} then {key} end"
        alias = f"p{number}"
        joins.append(
            f" left join (select record_key as {alias}_key from staging.{PERSON_ENTITY} "  # noqa: S608 - quoted
            f"where source = {quote_literal(contract.name)}) as {alias} on {alias}_key = {key}"
        )
        keys.append(f"{alias}_key")
    if not keys:
        return ""
    found = keys[0] if len(keys) == 1 else f"coalesce({', '.join(keys)})"
    selected["person_record_key"] = found
    selected["person_source"] = (
        f"case when {found} is not null then {quote_literal(contract.name)} end"
    )
    return "".join(joins)


def _one_row_a_key(con: duckdb.DuckDBPyConnection, entity: TableSpec) -> tuple[int, list[str]]:
    """Keep the fullest, then newest incoming row of each key; refuse repeated money lines."""
    name = f"staging.{entity.name}"
    key = ", ".join(map(quote_column, entity.header.key))
    # The ledger of consent is made of its rows at once and sorts them itself.
    order = "" if entity.name == CONSENT_ENTITY else f"order by {key}"
    # Hashes find the few keys that repeat, NULL or not; rows that only share one do no harm.
    con.execute(
        f"create or replace temp table repeated as select hash({key}) as hash, "  # noqa: S608 - quoted
        f"count(*) as copies from incoming group by {key} having count(*) > 1"
    )
    keys = int(fetch_value(con, "select count(*) from repeated"))
    if not keys:
        return create_table(con, name, f"select * from incoming {order}"), []  # noqa: S608 - quoted
    copies = int(fetch_value(con, "select sum(copies) from repeated"))
    if entity.name in LINE_ENTITIES:
        named = ", ".join(entity.header.key)
        raise DataQualityError(
            f"{copies - keys} rows of {entity.name} repeat the key ({named})",
            where=name,
            hint="Make line_no unique in the feed, for example `line_no: _line`.",
        )
    repeats = f"hash({key}) in (select hash from repeated)"  # noqa: S608 - quoted
    best = (
        f"select * {_oldest(entity, key)}from incoming where {repeats} qualify row_number() over ("
        f"partition by {key} order by {_best_first(entity)}) = 1"
    )
    once = f"select * from incoming where not {repeats}"  # noqa: S608 - quoted
    rows = create_table(con, name, f"{once} union all {best} {order}")
    if entity.name in {PERSON_ENTITY, CONSENT_ENTITY}:
        return rows, []
    unlike = f"select count(*) from (select distinct * from incoming where {repeats})"  # noqa: S608 - quoted
    single = f"select count(*) from ({once})"  # noqa: S608 - quoted
    if fetch_value(con, unlike) == rows - fetch_value(con, single):
        return rows, []
    return rows, [f"{entity.name}: {copies} rows share {keys} keys; the newest of each counts"]


def _oldest(entity: TableSpec, key: str) -> str:
    if "first_delivered_on" not in entity.header.columns:
        return ""
    return f"replace (min(first_delivered_on) over (partition by {key}) as first_delivered_on) "


def _best_first(entity: TableSpec) -> str:
    header = entity.header.columns
    fullest = [f"{quote_column(n)} is not null" for n in IDENTIFYING if n in header]
    order = [f"({' + '.join(f'cast({f} as integer)' for f in fullest)}) desc"] if fullest else []
    order += ["updated_at desc nulls last"] if "updated_at" in header else []
    # A statement that is delivered again was made when it first came.
    direction = "asc" if entity.name == CONSENT_ENTITY else "desc"
    order += [f"delivered_on {direction}", *(f"{quote_column(n)} nulls last" for n in header)]
    return ", ".join(order)
