"""Rows about people who were erased: found among staged rows, taken out, or left without a name.

One recogniser serves both the night, which knows tombstones only, and an erasure, which still
knows the values: so whoever is erased today is kept out tomorrow. Rows that carry money
(``erasure: detach`` in the entity's header) stay without anything that names the person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import parquet

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.ingest.deliveries import StagedFile, StagedPlaces
from cdp_pipeline.ingest.feeds import PERSON_ENTITY, record_key
from cdp_pipeline.ingest.loading import contract_columns
from cdp_pipeline.ingest.splitting import RowWriter
from cdp_pipeline.privacy.suppression import (
    KINDS,
    create_normalisers,
    has_tombstones,
    load_tombstones,
    suppression_keys,
)
from cdp_pipeline.project.contracts import SQL_TYPES, Feed, SourceContract
from cdp_pipeline.project.expressions import vet_scalar
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.storage.files import fsync, read_json, write_json
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import fetch_value, quote_column, quote_literal

PII_KINDS = {"email": "email", "phone": "phone", "cookie": "cookie"}
"""Kinds of personal data by which a column names a person even if it feeds none."""

ERASED = '{"_text": "[erased]"}'
"""What the quarantine keeps of a record about an erased person."""

_SHORTEST_NUMBER = 6


@dataclass(frozen=True)
class Suppressed:
    """What was found in one staged file.

    Attributes:
        dropped: Rows taken out.
        detached: Rows that stay without a name.
        lines: Lines of the delivery on which they stood.
        spellings: Personal values of those rows as staged, by kind; empty for tombstones.
    """

    dropped: int = 0
    detached: int = 0
    lines: tuple[int, ...] = ()
    spellings: frozenset[tuple[str, str]] = frozenset()


def is_detaching(contract: SourceContract, project: Project) -> bool:
    """Return whether rows of a source outlive the person, because an entity it feeds does."""
    return any(
        project.entities[feed.entity].header.erasure == "detach"
        for feed in contract.feeds
        if feed.entity in project.entities
    )


@dataclass(frozen=True)
class Trace:
    """Something in a row of a source that stands for one person.

    Attributes:
        kind: What it is, as in tombstones.
        raw: SQL over the staged columns: the value as it was delivered.
        clean: SQL that gives every spelling the same text, as ``value``: select lists over ``raw``
            and what the list before made. One expression would repeat itself within the macros
            until nothing can plan it.
    """

    kind: str
    raw: str
    clean: tuple[str, ...]


def person_traces(contract: SourceContract) -> list[Trace]:
    """Return everything in a row of a source that stands for one person."""
    columns = contract_columns(contract)
    found: dict[Trace, None] = {}
    for feed in contract.feeds:
        if feed.entity == PERSON_ENTITY:
            found |= dict.fromkeys(_feed_traces(contract, feed, columns))
    for name, column in contract.columns.items():
        kind = PII_KINDS.get(column.pii or "")
        if kind:
            found[_plain_trace(kind, quote_column(name))] = None
    return list(found)


def _plain_trace(kind: str, value: str) -> Trace:
    return Trace(
        kind, f"cast({value} as varchar)", (f"{KINDS[kind].format(value='raw')} as value",)
    )


def _feed_traces(contract: SourceContract, feed: Feed, columns: dict[str, str]) -> Iterator[Trace]:
    values = {
        name: vet_scalar(sql, columns=columns, where=f"{contract.name}: {name}")
        for name, sql in feed.columns.items()
    }
    for kind in KINDS:
        if kind in values:
            yield _plain_trace(kind, values[kind])
    source = quote_literal(f"{contract.name}/")
    yield Trace("record", f"cast({record_key(values)} as varchar)", (f"{source} || raw as value",))
    yield from _name_traces(values)


def _name_traces(values: dict[str, str]) -> Iterator[Trace]:
    """Yield names with a birth date or an address, which together tell a person."""
    part = "nullif(split_part(raw, chr(31), {number}), '')".format
    if "full_name" in values:
        names = [values["full_name"], "''"]
        steps = [
            f"identity_unmark({part(number=1)}) as whole",
            "identity_split_name(whole) as name",
            "name.given as given, name.family as family",
        ]
    elif {"given_name", "family_name"} <= set(values):
        names = [values["given_name"], values["family_name"]]
        steps = [
            f"identity_unmark({part(number=1)}) as a, identity_unmark({part(number=2)}) as b",
            "identity_untitle(a) as given, identity_untitle(b) as family",
        ]
    else:
        return
    steps += [
        "identity_letters(given) as given_words, identity_letters(family) as family_words",
        "nullif(split_part(given_words, ' ', 1), '') || '|' || nullif(family_words, '') as told",
    ]
    if "birth_date" in values:
        raw = _joined(*names, values["birth_date"])
        yield Trace("name_birth", raw, (*steps, f"told || '|' || {part(number=3)} as value"))
    if {"street", "postcode"} <= set(values):
        place = f"identity_street({part(number=3)}) as street, {part(number=4)} as code"
        last = "told || '|' || street || '|' || identity_postcode(code) as value"
        raw = _joined(*names, values["street"], values["postcode"])
        yield Trace("name_address", raw, (*steps, f"told, {place}", last))


def _joined(*values: str) -> str:
    texts = ", ".join(f"coalesce(cast({value} as varchar), '')" for value in values)
    return f"concat_ws(chr(31), {texts})"


def match_values(
    con: duckdb.DuckDBPyConnection, selects: Sequence[str], *, known: str | None
) -> None:
    """Make ``suppressed_values`` (kind, raw) of values that stand for erased people.

    Args:
        con: Connection; after ``load_tombstones`` unless values are known.
        selects: SELECTs of kind, raw and value, each of distinct rows.
        known: Table (kind, value) of the people's values; default: tombstones decide.
    """
    seen = f"({' union all '.join(selects)})"
    match = (
        f"inner join {known} as k on k.kind = seen.kind and k.value = seen.value"
        if known
        else "cross join suppression_keys as k inner join suppressed_tokens as t "
        "on t.kind = seen.kind and t.key_id = k.key_id "
        "and t.token = suppression_token(k.inner_pad, k.outer_pad, seen.kind, seen.value)"
    )
    con.execute(
        "create or replace temp table suppressed_values as "  # noqa: S608 - own SQL
        f"select distinct seen.kind, seen.raw from {seen} as seen {match} "
        "where seen.value is not null"
    )


def _trace_select(trace: Trace, relation: str, *, also: str = "") -> str:
    """Return the SELECT of kind, raw and value of a trace's distinct values, and more columns."""
    more = f", {also}" if also else ""
    known = f"(select distinct {trace.raw} as raw{more} from {relation})"  # noqa: S608 - own SQL
    for step in trace.clean:
        known = f"(select raw{more}, {step} from {known})"  # noqa: S608 - own SQL
    return f"select '{trace.kind}' as kind, raw, value{more} from {known} where raw is not null"  # noqa: S608 - own SQL


def suppress_staged(
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    rows: Path,
    *,
    is_detaching: bool,
    known: str | None = None,
) -> Suppressed:
    """Take erased people out of a staged file, which is replaced if it holds any.

    Args:
        con: Connection after ``create_normalisers``; after ``load_tombstones`` unless values
            are known.
        contract: The source's contract.
        rows: Staged Parquet file.
        is_detaching: Whether rows stay without a name.
        known: Table (kind, value) of the people's values; default: tombstones decide.
    """
    traces = person_traces(contract)
    if not traces:
        return Suppressed()
    staged = f"read_parquet({quote_literal(str(rows))}, file_row_number = true)"
    match_values(con, [_trace_select(trace, staged) for trace in traces], known=known)
    if not fetch_value(con, "select count(*) from suppressed_values"):
        return Suppressed()
    hits = " or ".join(
        f"coalesce({t.raw} in (select raw from suppressed_values where kind = '{t.kind}'), false)"  # noqa: S608 - own SQL
        for t in traces
    )
    found = con.execute(
        f"select file_row_number, _line, _item from {staged} where {hits} order by all"  # noqa: S608 - own SQL
    ).fetchall()
    if not found:
        return Suppressed()
    spellings = _spellings(con, contract, staged, hits) if known else frozenset()
    _rewrite(contract, rows, [place for place, _, _ in found], is_detaching=is_detaching)
    # Several rows of one record count up, so that their number is no line of the file.
    lines = () if any(item is not None for _, _, item in found) else {line for _, line, _ in found}
    count = len(found)
    return Suppressed(
        dropped=0 if is_detaching else count,
        detached=count if is_detaching else 0,
        lines=tuple(sorted(lines)),
        spellings=spellings,
    )


def _spellings(
    con: duckdb.DuckDBPyConnection, contract: SourceContract, staged: str, hits: str
) -> frozenset[tuple[str, str]]:
    """Return the personal values of the rows, as they are written there."""
    parts = [
        f"select {quote_literal(column.pii)} as kind, cast({quote_column(name)} as varchar) as value "  # noqa: S608, E501 - quoted
        f"from {staged} where ({hits}) and {quote_column(name)} is not null"
        for name, column in contract.columns.items()
        if column.pii and column.pii != "free_text"
    ]
    if not parts:
        return frozenset()
    found = con.execute(" union ".join(parts)).fetchall()
    return frozenset((str(kind), str(value)) for kind, value in found)


def _rewrite(
    contract: SourceContract, rows: Path, places: Sequence[int], *, is_detaching: bool
) -> None:
    """Write a staged file again without the rows, or with their personal columns empty."""
    source = parquet.ParquetFile(rows)
    schema = source.schema_arrow
    personal = {n for n, c in contract.columns.items() if c.pii} - set(contract.load.key)
    copy = rows.with_name(f".{rows.name}.erasing")
    start = 0
    gone = pa.array(sorted(places), pa.int64())
    with RowWriter(copy, schema) as writer:
        for batch in source.iter_batches():
            numbers = pa.array(range(start, start + batch.num_rows), pa.int64())
            start += batch.num_rows
            is_theirs = pa.compute.is_in(numbers, value_set=gone)
            if is_detaching:
                columns = [
                    pa.compute.if_else(is_theirs, pa.scalar(None, column.type), column)
                    if name in personal
                    else column
                    for name, column in zip(schema.names, batch.columns, strict=True)
                ]
                writer.write(pa.record_batch(columns, schema=schema))
            else:
                writer.write(batch.filter(pa.compute.invert(is_theirs)))
    fsync(copy)
    copy.replace(rows)


def suppress_quarantined(
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    path: Path,
    *,
    known: str | None = None,
) -> tuple[int, ...]:
    """Take the text of records about erased people out of a quarantine file; the count stays.

    Returns:
        Lines of the deliveries on which the records stood whose text went now.
    """
    traces = person_traces(contract)
    held = f"read_parquet({quote_literal(str(path))}, file_row_number = true)"
    columns = ", ".join(
        f"try_cast(json_extract_string(raw, {quote_literal('$.' + name)}) "
        f"as {SQL_TYPES[column.type]}) as {quote_column(name)}"
        for name, column in contract.columns.items()
    )
    valid = f"(select *, case when json_valid(raw) then raw end as doc from {held})"  # noqa: S608 - quoted
    relation = (
        f"(select file_row_number as place, {columns.replace('(raw,', '(doc,')}, "  # noqa: S608 - quoted
        "cast(null as varchar) as _file, line as _line, cast(null as bigint) as _item, "
        f"business_date as _business_date, file_name as _file_name from {valid})"
    )
    spelled = (
        "(select * from (select file_row_number as place, "  # noqa: S608 - quoted
        f"unnest(regexp_split_to_array(raw, '[^0-9A-Za-z@._+-]+')) as word from {held}) "
        f"where length(word) >= {_SHORTEST_NUMBER})"
    )
    words = [
        Trace(kind, "word", (f"{clean.format(value='raw')} as value",))
        for kind, clean in KINDS.items()
        if kind != "record"
    ]
    parts = [_trace_select(trace, relation, also="place") for trace in traces]
    parts += [_trace_select(trace, spelled, also="place") for trace in words]
    con.execute(f"create or replace temp table quarantined_traces as {' union '.join(parts)}")
    match_values(con, ["select kind, raw, value from quarantined_traces"], known=known)
    places = [
        place
        for (place,) in con.execute(
            "select distinct q.place from quarantined_traces as q "
            "inner join suppressed_values as s on s.kind = q.kind and s.raw = q.raw order by all"
        ).fetchall()
    ]
    con.execute("drop table quarantined_traces")
    return _blank_raw(path, places) if places else ()


def _blank_raw(path: Path, places: Sequence[int]) -> tuple[int, ...]:
    """Replace the text of records in a quarantine file; returns lines of those not gone before."""
    table = parquet.read_table(path)
    place = table.schema.get_field_index("raw")
    texts = table.column(place).to_pylist()
    fresh = [number for number in places if texts[number] != ERASED]
    for number in fresh:
        texts[number] = ERASED
    if fresh:
        table = table.set_column(place, table.schema.field(place), pa.array(texts, pa.string()))
        copy = path.with_name(f".{path.name}.erasing")
        parquet.write_table(table, copy, compression="zstd")
        copy.chmod(path.stat().st_mode & 0o777)
        fsync(copy)
        copy.replace(path)
    lines = table.column("line").to_pylist()
    return tuple(lines[number] for number in fresh)


def keep_erased_out(
    context: RunContext,
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    places: StagedPlaces,
    notes: StagedFile,
) -> StagedFile:
    """Take erased people out of what was staged just now and return the notes with the count."""
    paths = DataPaths.of(context)
    if notes.status != "loaded" or not has_tombstones(paths):
        return notes
    create_normalisers(con)
    load_tombstones(con, paths, suppression_keys(context.settings))
    is_kept = is_detaching(contract, load_project(context.project_root))
    found = suppress_staged(con, contract, places.rows, is_detaching=is_kept)
    aside: tuple[int, ...] = ()
    if notes.rules and places.quarantine.is_file():
        aside = suppress_quarantined(con, contract, places.quarantine)
    return replace(
        notes,
        accepted=notes.accepted - found.dropped,
        suppressed=found.dropped,
        erased_lines=tuple(sorted({*found.lines, *aside})),
    )


def note_suppressed(notes: Path, found: Suppressed) -> None:
    """Write into the notes of a staged file what was taken out of it."""
    document = read_json(notes)
    document["accepted"] -= found.dropped
    document["suppressed"] = document.get("suppressed", 0) + found.dropped
    lines = {*document.get("erased_lines", ()), *found.lines}
    document["erased_lines"] = sorted(lines)
    write_json(notes, document)
