"""Rows about people who were erased: found among staged rows, taken out, or left without a name.

One recogniser serves both the night, which knows tombstones only, and an erasure, which still
knows the values: so whoever is erased today is kept out tomorrow. Rows that carry money
(``erasure: detach`` in the entity's header) stay without anything that names the person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.ingest.deliveries import StagedFile, StagedPlaces
from cdp_pipeline.ingest.person_traces import (
    Trace,
    key_columns,
    match_values,
    person_traces,
    staged_relation,
    trace_select,
)
from cdp_pipeline.ingest.reasons import of_any_row
from cdp_pipeline.ingest.splitting import DICTIONARY_BYTES, RowWriter
from cdp_pipeline.privacy.suppression import (
    KINDS,
    create_normalisers,
    has_tombstones,
    load_tombstones,
    suppression_keys,
)
from cdp_pipeline.project.contracts import SQL_TYPES, SourceContract
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.storage.files import fsync, read_json, write_json
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

ERASED = '{"_text": "[erased]"}'
"""What the quarantine keeps of a record about an erased person."""

UNKNOWN_LINE = 0
"""Noted where a row's number is no line of its file: such a file is removed, not rewritten."""

SHORTEST_NUMBER = 6
"""Characters of a word that may stand for a person."""

WORDS = {
    kind: (f"{clean.format(value='raw')} as value",)
    for kind, clean in KINDS.items()
    if kind != "record"
}
"""SQL of what a word may be, by kind, whichever column it stands in."""


@dataclass(frozen=True)
class Suppressed:
    """What was found in one staged file.

    Attributes:
        dropped: Rows taken out.
        detached: Rows that stay without a name.
        lines: Lines of the delivery on which they stood.
        spellings: Personal values of those rows as staged, by kind; empty for tombstones.
        keys: Their keys, if people's values are known and no part of the key is personal.
    """

    dropped: int = 0
    detached: int = 0
    lines: tuple[int, ...] = ()
    spellings: frozenset[tuple[str, str]] = frozenset()
    keys: pa.Table | None = None


def is_detaching(contract: SourceContract, project: Project) -> bool:
    """Return whether rows of a source outlive the person, because an entity it feeds does."""
    return any(
        project.entities[feed.entity].header.erasure == "detach"
        for feed in contract.feeds
        if feed.entity in project.entities
    )


def suppress_staged(
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    rows: Path,
    *,
    is_detaching: bool,
    known: str | None = None,
    prepare: Callable[[Suppressed], None] | None = None,
) -> Suppressed:
    """Take erased people out of a staged file, which is replaced if it holds any.

    Args:
        con: Connection after ``create_normalisers``; after ``load_tombstones`` unless values
            are known.
        contract: The source's contract.
        rows: Staged Parquet file.
        is_detaching: Whether rows stay without a name.
        known: Table (kind, value) of the people's values; default: tombstones decide.
        prepare: Told what was found before the file is replaced: afterwards nothing tells it.
    """
    traces = person_traces(contract)
    if not traces:
        return Suppressed()
    staged = staged_relation(contract, rows)
    hits = _hits(con, traces, staged, known)
    columns = dict.fromkeys([*_telling(contract), *key_columns(contract)])
    told = ", ".join(["file_row_number, _line, _item", *map(quote_column, columns)])
    con.execute(
        f"create or replace temp table suppressed_rows as select {told} from {staged} where {hits}"  # noqa: S608 - quoted
    )
    found = con.sql("select file_row_number, _line, _item from suppressed_rows").to_arrow_table()
    count = found.num_rows
    if not count:
        return Suppressed()
    # Several rows of one record count up, so that their number is no line of the file.
    is_counted = found.column("_item").null_count < count
    lines = [UNKNOWN_LINE] if is_counted else sorted(set(found.column("_line").to_pylist()))
    suppressed = Suppressed(
        dropped=0 if is_detaching else count,
        detached=count if is_detaching else 0,
        lines=tuple(lines),
        spellings=_spellings(con, contract) if known else frozenset(),
        keys=_keys(con, contract) if known else None,
    )
    con.execute("drop table suppressed_rows")
    if prepare:
        prepare(suppressed)
    places = found.column("file_row_number").to_numpy()
    _rewrite(contract, rows, places, is_detaching=is_detaching)
    return suppressed


def find_staged(
    con: duckdb.DuckDBPyConnection, contract: SourceContract, rows: Path, *, known: str
) -> str:
    """Return a condition on the rows of a staged file that holds for those about some people.

    Args:
        con: Connection after ``create_normalisers``.
        contract: The source's contract.
        rows: Staged Parquet file.
        known: Table (kind, value) of the people's values.
    """
    traces = person_traces(contract)
    return _hits(con, traces, staged_relation(contract, rows), known) if traces else "false"


def _hits(
    con: duckdb.DuckDBPyConnection, traces: Sequence[Trace], staged: str, known: str | None
) -> str:
    """Return a condition on staged rows that holds for those about erased people."""
    match_values(con, [trace_select(trace, staged) for trace in traces], known=known)
    held = con.execute("select distinct kind from suppressed_values").fetchall()
    # Each column is looked up for itself: a condition on all of them would read all of every row.
    parts = {
        f"select file_row_number from {staged} where {trace.raw} in "  # noqa: S608 - own SQL
        f"(select raw from suppressed_values where kind = '{trace.kind}')": None
        for trace in traces
        if (trace.kind,) in held
    }
    if not parts:
        return "false"
    con.execute(f"create or replace temp table suppressed_places as {' union all '.join(parts)}")
    return "file_row_number in (from suppressed_places)"


def _telling(contract: SourceContract) -> dict[str, str]:
    """Return columns whose values tell a person, with the kind of personal data."""
    return {
        name: column.pii
        for name, column in contract.columns.items()
        if column.pii and column.pii != "free_text"
    }


def _spellings(
    con: duckdb.DuckDBPyConnection, contract: SourceContract
) -> frozenset[tuple[str, str]]:
    """Return the personal values of the rows, as they are written there."""
    parts = [
        f"select {quote_literal(kind)} as kind, cast({quote_column(name)} as varchar) as value "  # noqa: S608 - quoted
        f"from suppressed_rows where {quote_column(name)} is not null"
        for name, kind in _telling(contract).items()
    ]
    if not parts:
        return frozenset()
    found = con.execute(" union ".join(parts)).fetchall()
    return frozenset((str(kind), str(value)) for kind, value in found)


def _keys(con: duckdb.DuckDBPyConnection, contract: SourceContract) -> pa.Table | None:
    """Return the keys of the rows that were found; None if they are personal data."""
    key = ", ".join(map(quote_column, key_columns(contract)))
    if not key:
        return None
    return con.sql(f"select distinct {key} from suppressed_rows order by all").to_arrow_table()  # noqa: S608 - quoted


def _rewrite(
    contract: SourceContract, rows: Path, places: npt.NDArray[np.int64], *, is_detaching: bool
) -> None:
    """Write a staged file again without the rows, or with their personal columns empty."""
    personal = {n for n, c in contract.columns.items() if c.is_sensitive} - set(contract.load.key)
    # What is declared no longer may be personal, and nothing reads it.
    held = parquet.read_schema(rows).names
    personal |= {n for n in held if n not in contract.columns and not n.startswith("_")}
    # Where rows stay, other texts pass as the numbers by which the file tells them. A dictionary
    # keeps what no row holds any more: of personal columns, and where rows go, there is none.
    texts = [name for name in _told_by_numbers(rows) if name not in personal]
    source = parquet.ParquetFile(rows, read_dictionary=texts if is_detaching else None)
    schema = source.schema_arrow
    copy = rows.with_name(f".{rows.name}.erasing")
    gone = np.zeros(source.metadata.num_rows, dtype=bool)
    gone[places] = True
    start = 0
    with RowWriter(copy, schema) as writer:
        for batch in source.iter_batches():
            is_theirs = pa.array(gone[start : start + batch.num_rows])
            start += batch.num_rows
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
    fsync(rows.parent)


def _told_by_numbers(rows: Path) -> list[str]:
    """Return columns that a staged file may hold by dictionaries alone, by the room they take.

    Such a dictionary has fewer than 2^16 values. Where it is given up for being too large, a copy
    would hold every text twice: in a dictionary of all, and in its place.
    """
    file = parquet.read_metadata(rows)
    groups = [file.row_group(number) for number in range(file.num_row_groups)]
    return [
        name
        for number, name in enumerate(file.schema.names)
        if all(
            group.column(number).total_uncompressed_size <= DICTIONARY_BYTES + 2 * group.num_rows
            for group in groups
        )
    ]


def suppress_quarantined(
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    path: Path,
    *,
    known: str | None = None,
    prepare: Callable[[Suppressed], None] | None = None,
) -> tuple[int, ...]:
    """Take the text of records about erased people out of a quarantine file; the count stays.

    Args:
        con: As for ``suppress_staged``.
        contract: The source's contract.
        path: Quarantine file.
        known: As for ``suppress_staged``.
        prepare: As for ``suppress_staged``.

    Returns:
        Lines of the deliveries on which the records stood whose text went now.
    """
    selects = _quarantine_selects(contract, path)
    con.execute(f"create or replace temp table quarantined_traces as {' union '.join(selects)}")
    match_values(con, ["select kind, raw, value from quarantined_traces"], known=known)
    places = [
        place
        for (place,) in con.execute(
            "select distinct q.place from quarantined_traces as q "
            "inner join suppressed_values as s on s.kind = q.kind and s.raw = q.raw order by all"
        ).fetchall()
    ]
    con.execute("drop table quarantined_traces")
    return _blank_raw(path, places, prepare) if places else ()


def _quarantine_selects(contract: SourceContract, path: Path) -> list[str]:
    """Return SELECTs of everything in a quarantine file that may stand for a person."""
    traces = person_traces(contract)
    held = f"read_parquet({quote_literal(str(path))}, file_row_number = true)"
    columns = ", ".join(
        f"try_cast(json_extract_string(doc, {quote_literal('$.' + name)}) "
        f"as {SQL_TYPES[column.type]}) as {quote_column(name)}"
        for name, column in contract.columns.items()
    )
    valid = f"(select *, case when json_valid(raw) then raw end as doc from {held})"  # noqa: S608 - quoted
    relation = (
        f"(select file_row_number as place, {columns}, "  # noqa: S608 - quoted
        "cast(null as varchar) as _file, line as _line, cast(null as bigint) as _item, "
        f"business_date as _business_date, file_name as _file_name from {valid})"
    )
    spelled = (
        "(select * from (select file_row_number as place, "  # noqa: S608 - quoted
        f"unnest(regexp_split_to_array(raw, '[^0-9A-Za-z@._+-]+')) as word from {held}) "
        f"where length(word) >= {SHORTEST_NUMBER})"
    )
    words = [Trace(kind, "word", clean) for kind, clean in WORDS.items()]
    parts = [trace_select(trace, relation, also="place") for trace in traces]
    parts += [trace_select(trace, spelled, also="place") for trace in words]
    return parts


def _blank_raw(
    path: Path, places: Sequence[int], prepare: Callable[[Suppressed], None] | None
) -> tuple[int, ...]:
    """Replace the text of records in a quarantine file; returns lines of those not gone before.

    Their reasons keep what is true of any row: a name or an address may stand in any column.
    """
    table = parquet.read_table(path)
    texts, reasons = (table.column(name).to_pylist() for name in ("raw", "reason"))
    fresh = [number for number in places if texts[number] != ERASED]
    for number in fresh:
        texts[number], reasons[number] = ERASED, of_any_row(reasons[number] or "")
    lines = tuple(table.column("line")[number].as_py() for number in fresh)
    if fresh:
        if prepare:
            prepare(Suppressed(lines=lines))
        for name, values in (("raw", texts), ("reason", reasons)):
            place = table.schema.get_field_index(name)
            table = table.set_column(
                place, table.schema.field(place), pa.array(values, pa.string())
            )
        copy = path.with_name(f".{path.name}.erasing")
        parquet.write_table(table, copy, compression="zstd")
        copy.chmod(path.stat().st_mode & 0o777)
        fsync(copy)
        copy.replace(path)
        fsync(path.parent)
    return lines


def keep_erased_out(
    context: RunContext,
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    places: StagedPlaces,
    notes: StagedFile,
    *,
    on: date,
) -> StagedFile:
    """Take erased people out of what was staged just now and return the notes with the count.

    Whoever was readmitted from a day on is kept out of deliveries of the days before: ``on`` is
    the business date of the delivery.
    """
    paths = DataPaths.of(context)
    if notes.status != "loaded" or not has_tombstones(paths):
        return notes
    create_normalisers(con)
    load_tombstones(con, paths, suppression_keys(context.settings), on=on)
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


def note_suppressed(notes: Path, lines: Iterable[int], *, left: int | None) -> None:
    """Bring the notes of a staged file in line with its rows; again without harm.

    Args:
        notes: The notes, beside the rows.
        lines: Lines of the delivery that name an erased person.
        left: Rows of the staged file; None if there is none.
    """
    document = read_json(notes)
    if left is not None:
        document["suppressed"] = document.get("suppressed", 0) + document["accepted"] - left
        document["accepted"] = left
    document["erased_lines"] = sorted({*document.get("erased_lines", ()), *lines})
    write_json(notes, document)
