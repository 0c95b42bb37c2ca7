"""A delivery as rows of text in DuckDB: CSV, JSON lines and Parquet look alike afterwards.

Each reader gives a FROM clause and, per declared column, the SQL of its delivered text. Nothing is
cast, nothing is judged; what the reader itself rejects is counted and kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from cdp_pipeline.ingest.headers import Header, map_header, map_names, read_header
from cdp_pipeline.ingest.inflation import CHUNK, is_compressed, read_chunks
from cdp_pipeline.ingest.plaintext import PlainText, prepare_text
from cdp_pipeline.ingest.records import count_exactly, count_records, locate_records
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.project.contracts import Column, SourceContract
from cdp_pipeline.storage.warehouse import first_line, quote_column, quote_literal

LINE = "line"
"""Name of the one column of a text that is read line by line."""

_NO_DELIMITER = "\x1f"
_SAMPLE_LINES = 1000

REJECTIONS = {
    "MISSING COLUMNS": "too_few_fields",
    "TOO MANY COLUMNS": "too_many_fields",
    "UNQUOTED VALUE": "broken_quotes",
    "INVALID ENCODING": "not_utf8",
    "LINE SIZE OVER MAXIMUM": "line_too_long",
}
"""Our rule for each kind of record that DuckDB's CSV reader rejects."""


@dataclass(frozen=True)
class Reading:
    """How to read one delivery.

    Attributes:
        relation: FROM clause with one ``?`` for the path.
        path: File that is read.
        texts: SQL of the delivered text, by declared column that the file has.
        first_line: Line of the delivery on which the first record stands.
        start: Byte offset of the first record in ``path``.
        records: Physical records, counted independently.
        is_regular: Whether record numbers are line numbers.
        has_nul: Whether NUL bytes were replaced.
        line_column: Column that holds the original line number, if the text was salvaged.
        set_aside: Lines that salvage set aside, with their text.
        messages: Warnings for people.
    """

    relation: str
    path: Path
    texts: dict[str, str]
    first_line: int = 1
    start: int = 0
    records: int = 0
    is_regular: bool = True
    has_nul: bool = False
    width: int = 0
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rejected:
    """Records that the reader could not take apart.

    Attributes:
        lines: Line of each, in file order.
        rules: Rule of each.
        texts: Delivered text of each, cut at 10,000 characters.
        accepted_lines: Line of each record that was taken; empty if they are consecutive.
    """

    lines: list[int] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    accepted_lines: pa.Array | None = None


def open_reading(
    con: duckdb.DuckDBPyConnection, path: Path, contract: SourceContract, scratch: Path
) -> Reading:
    """Return how to read a delivery.

    Args:
        con: Connection for looking into Parquet files.
        path: Delivered file.
        contract: Its contract.
        scratch: Private folder for copies; the caller removes it.

    Raises:
        RefusedError: It is not what the contract says.
    """
    if contract.delivery.format == "parquet":
        return _open_parquet(con, path, contract, scratch)
    text = prepare_text(path, contract.delivery, scratch)
    if contract.delivery.format == "jsonl":
        return _open_lines(text, contract)
    return _open_csv(text, contract)


def _open_csv(text: PlainText, contract: SourceContract) -> Reading:
    header = read_header(text.path, contract)
    columns = map_header(header, contract)
    quote = contract.delivery.quote
    count = count_records(
        text.path, start=header.start, quote=quote, keeps_blank=header.width == 1
    )
    return Reading(
        relation=csv_relation(header, contract),
        path=text.path,
        texts={name: f"c{position}" for name, position in columns.positions.items()},
        first_line=text.first_line + header.lines,
        start=header.start,
        records=count.records,
        is_regular=count.is_regular,
        has_nul=text.has_nul,
        width=header.width,
        messages=_unknown(columns.unknown),
    )


def csv_relation(header: Header, contract: SourceContract) -> str:
    """Return ``read_csv`` with every column as text, by position; nothing is sniffed."""
    written = contract.delivery
    columns = ", ".join(f"'c{index}': 'varchar'" for index in range(header.width))
    quote = quote_literal(written.quote)
    return (
        f"read_csv(?, columns = {{{columns}}}, header = false, auto_detect = false, "
        f"delim = {quote_literal(written.delimiter)}, quote = {quote}, escape = {quote}, "
        f"skip = {header.lines}, strict_mode = true, store_rejects = true, rejects_limit = 0)"
    )


def _open_lines(text: PlainText, contract: SourceContract) -> Reading:
    head = next(read_chunks(text.path), b"")[:CHUNK]
    if head.lstrip()[:1] == b"[":
        raise RefusedError(
            "it is a JSON array, not JSON lines", hint="Deliver one object a line, no brackets."
        )
    count = count_records(text.path, start=0, quote="")
    paths = {name: json_path(name, column) for name, column in contract.columns.items()}
    literals = ", ".join(quote_literal(path) for path in paths.values())
    # One parse gives all fields: a list of paths costs what a single one does.
    fields = (
        f"case when json_valid({LINE}) and starts_with(ltrim({LINE}), '{{') "
        f"then json_extract_string({LINE}, [{literals}]) end"
    )
    relation = (
        f"(select {LINE}, {fields} as fields from read_csv(?, columns = {{'{LINE}': 'varchar'}}, "
        f"header = false, auto_detect = false, delim = {quote_literal(_NO_DELIMITER)}, quote = '', "
        "escape = '', strict_mode = false, store_rejects = true, rejects_limit = 0) "
        f"where {LINE} is not null)"
    )
    return Reading(
        relation=relation,
        path=text.path,
        texts={name: f"fields[{index}]" for index, name in enumerate(paths, start=1)},
        first_line=text.first_line,
        records=count.records,
        is_regular=count.is_regular,
        has_nul=text.has_nul,
        width=1,
    )


def json_path(name: str, column: Column) -> str:
    """Return the JSON path of a column; dots separate levels.

    >>> json_path("email_consent", Column.model_validate({"from": "consent.email"}))
    '$."consent"."email"'
    """
    steps = (column.source or name).split(".")
    return "$" + "".join('."' + step.replace('"', "") + '"' for step in steps)


def _open_parquet(
    con: duckdb.DuckDBPyConnection, path: Path, contract: SourceContract, scratch: Path
) -> Reading:
    if is_compressed(path):
        target = scratch / "inflated.parquet"
        with target.open("wb") as stream:
            stream.writelines(read_chunks(path))
        path = target
    try:
        rows = con.execute("describe select * from read_parquet(?)", [str(path)]).fetchall()
        records = con.execute("select count(*) from read_parquet(?)", [str(path)]).fetchall()
    except duckdb.Error as error:
        raise RefusedError(
            "it is not a readable Parquet file", hint="Have it sent again, or set `format:`."
        ) from error
    names = [row[0] for row in rows]
    flat = [" ".join(name.split()).casefold() for name in names]
    columns = map_names(_with_nested(flat, contract), contract)
    texts = {}
    for name, position in columns.positions.items():
        nested = (contract.columns[name].source or name).split(".")[1:]
        steps = [names[position] if position < len(names) else names[flat.index(_top(name, contract))]]
        texts[name] = f"cast({'.'.join(quote_column(s) for s in (*steps, *(nested if position >= len(names) else [])))} as varchar)"
    return Reading(
        relation="read_parquet(?)",
        path=path,
        texts=texts,
        records=int(records[0][0]),
        messages=_unknown(columns.unknown),
    )
