"""A delivery as rows of text for DuckDB: all formats look alike afterwards.

Each reader gives a FROM clause and, per declared column, the SQL of its delivered text. Nothing is
cast and nothing is judged here; what DuckDB's reader rejects is gathered by ``rejections``. CSV and
workbooks are opened here, nested records by ``nested``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import duckdb
import numpy as np

from cdp_pipeline.ingest.cells import Marks
from cdp_pipeline.ingest.columnar import open_parquet
from cdp_pipeline.ingest.drift import sample_columns
from cdp_pipeline.ingest.endless import refuse_endless
from cdp_pipeline.ingest.escapes import plain_quote, write_unescaped
from cdp_pipeline.ingest.headers import Header, map_header, plain_name, read_header
from cdp_pipeline.ingest.line_numbers import keep_lines
from cdp_pipeline.ingest.members import unpack_members
from cdp_pipeline.ingest.nested import open_array, open_lines, open_markup
from cdp_pipeline.ingest.parts import repeat_records
from cdp_pipeline.ingest.plaintext import PlainText, prepare_text
from cdp_pipeline.ingest.reading import Reading, lacking_columns, unknown_columns
from cdp_pipeline.ingest.records import count_records
from cdp_pipeline.ingest.salvage import needs_salvage, salvage_lines
from cdp_pipeline.ingest.trailers import refuse_lost_records
from cdp_pipeline.ingest.traits import Traits, find_traits
from cdp_pipeline.ingest.workbook import write_sheet
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.storage.warehouse import quote_literal

ZIP_SUFFIX = ".zip"


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
    written = contract.delivery
    if path.suffix.lower() == ZIP_SUFFIX:
        path = unpack_members(path, written, scratch)
    if written.format == "parquet":
        return open_parquet(con, path, contract, scratch)
    if written.format == "xml":
        return open_markup(path, contract, scratch)
    if written.format == "excel":
        return _open_sheet(path, contract, scratch)
    text = prepare_text(path, written, scratch)
    openers = {"jsonl": open_lines, "json": open_array, "csv": _open_csv}
    reading = openers[written.format](text, contract, scratch)
    return replace(reading, margins=text.margins, messages=(*text.messages, *reading.messages))


def _open_sheet(path: Path, contract: SourceContract, scratch: Path) -> Reading:
    """Read a sheet by way of CSV, so that everything a contract says of CSV holds for it."""
    written = contract.delivery
    target = scratch / "sheet.csv"
    grouping = {
        written.thousands_mark,
        *(c.thousands_mark or "" for c in contract.columns.values()),
    }
    marks = Marks(written.decimal_mark, frozenset(grouping))
    rows = write_sheet(path, target, sheet=written.sheet, skipped=written.skip_lines, marks=marks)
    as_csv = {"format": "csv", "encoding": "utf-8", "delimiter": ",", "quote": '"'}
    contract = contract.model_copy(update={"delivery": written.model_copy(update=as_csv)})
    text = prepare_text(target, contract.delivery, scratch)
    reading = replace(_open_csv(text, contract, scratch), margins=text.margins)
    last = len(rows) - written.trailer_lines
    lines = np.array(rows[max(0, last - reading.records) : max(0, last)], np.int64)
    return replace(reading, record_lines=keep_lines(scratch / "sheet.lines", [lines]))


def _open_csv(text: PlainText, contract: SourceContract, scratch: Path) -> Reading:
    refuse_lost_records(text, contract)
    if contract.delivery.escape:
        text, contract = _unescape(text, contract, scratch)
    written = contract.delivery
    header = read_header(text.path, contract)
    columns = map_header(header, contract, partial(_sample, text.path, header, contract))
    count = count_records(
        text.path, start=header.start, quote=written.quote, keeps_blank=header.width == 1
    )
    first_line = text.first_line + header.lines
    refuse_endless(text.path, count.longest, written, first_line=first_line, records=count.records)
    reading = Reading(
        relation=_csv_relation(header.width, header.skipped, contract),
        path=text.path,
        texts={name: f"c{position}" for name, position in columns.positions.items()},
        first_line=first_line,
        start=header.start,
        records=count.records,
        is_regular=count.is_regular,
        has_nul=text.has_nul,
        has_long_fields=count.has_long_lines or count.has_quotes,
        traits=_traits(text.path, header, contract),
        width=header.width,
        headers={n: header.names[i] for n, i in columns.positions.items() if header.names},
        messages=(
            *unknown_columns(columns.unknown, contract.drift.new_columns),
            *lacking_columns(columns.lacking, contract.drift.missing_columns),
        ),
    )
    is_single = not written.multiline and count.has_quotes and not count.is_regular
    if is_single and needs_salvage(text.path, start=header.start, quote=written.quote):
        reading = _salvage(reading, header, contract, scratch)
    return repeat_records(reading, contract, columns.repeated)


def _unescape(
    text: PlainText, contract: SourceContract, scratch: Path
) -> tuple[PlainText, SourceContract]:
    """Return a text without escapes, line for line, and a contract that says so."""
    written = contract.delivery
    target = scratch / "unescaped.txt"
    write_unescaped(text.path, written, target=target)
    plain = {"escape": "", "quote": plain_quote(written)}
    contract = contract.model_copy(update={"delivery": written.model_copy(update=plain)})
    return replace(text, path=target), contract


def _traits(path: Path, header: Header, contract: SourceContract) -> Traits:
    if any(column.split for column in contract.read_columns.values()):
        return Traits()  # what a field does not begin with, a part of it may
    written = contract.delivery
    return find_traits(path, start=header.start, delimiter=written.delimiter, quote=written.quote)


def _sample(path: Path, header: Header, contract: SourceContract) -> dict[str, list[str]]:
    names = [plain_name(name) for name in header.names]
    return sample_columns(path, header.start, names, contract.delivery)


def _salvage(reading: Reading, header: Header, contract: SourceContract, scratch: Path) -> Reading:
    saved = salvage_lines(
        reading.path, contract.delivery, start=header.start, target=scratch / "salvaged.txt"
    )
    message = f"salvaged line by line: in {saved.broken_count} lines a quote does not close"
    return Reading(
        relation=_csv_relation(header.width, 0, contract),
        path=saved.path,
        texts=reading.texts,
        first_line=reading.first_line,
        records=len(saved.kept) + saved.broken_count,
        is_regular=False,
        has_nul=reading.has_nul,
        traits=reading.traits,
        width=header.width,
        headers=reading.headers,
        kept=saved.kept,
        broken=saved.broken,
        broken_count=saved.broken_count,
        messages=(*reading.messages, *([message] if saved.broken_count else [])),
    )


def _csv_relation(width: int, skipped: int, contract: SourceContract) -> str:
    """Return ``read_csv`` with every column as text, by position; nothing is sniffed."""
    written = contract.delivery
    columns = ", ".join(f"'c{index}': 'varchar'" for index in range(width))
    quote = quote_literal(written.quote)
    padding = "true, parallel = false" if written.short_rows == "fill" else "false"
    return (
        f"read_csv(?, columns = {{{columns}}}, header = false, auto_detect = false, "
        f"delim = {quote_literal(written.delimiter)}, quote = {quote}, escape = {quote}, "
        f"skip = {skipped}, strict_mode = true, null_padding = {padding}, "
        f"store_rejects = true, rejects_limit = 0)"
    )
