"""A delivery as rows of text for DuckDB: CSV, JSON lines and Parquet look alike afterwards.

Each reader gives a FROM clause and, per declared column, the SQL of its delivered text. Nothing is
cast and nothing is judged here; what DuckDB's reader rejects is gathered by ``rejections``.
"""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from cdp_pipeline.ingest.headers import (
    Header,
    map_header,
    map_names,
    plain_name,
    read_header,
    refuse_missing,
    spellings,
)
from cdp_pipeline.ingest.inflation import is_compressed, read_chunks
from cdp_pipeline.ingest.plaintext import PlainText, prepare_text
from cdp_pipeline.ingest.records import count_records
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.ingest.salvage import needs_salvage, salvage_lines
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

_NO_DELIMITER = "\x1f"
_SAMPLE_BYTES = 1 << 16
_SHOWN_NAMES = 10


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
        has_long_fields: Whether a field may be longer than 64 KB.
        width: Columns of a record.
        kept: Line of each record of a salvaged copy, from 0 at the first record.
        broken: Lines that salvage set aside, from 0 at the first record, with their text.
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
    has_long_fields: bool = True
    width: int = 0
    kept: list[int] | None = None
    broken: list[tuple[int, str]] = field(default_factory=list)
    messages: tuple[str, ...] = ()


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
    return _open_csv(text, contract, scratch)


def _open_csv(text: PlainText, contract: SourceContract, scratch: Path) -> Reading:
    written = contract.delivery
    header = read_header(text.path, contract)
    columns = map_header(header, contract)
    count = count_records(
        text.path, start=header.start, quote=written.quote, keeps_blank=header.width == 1
    )
    reading = Reading(
        relation=_csv_relation(header.width, header.lines, contract),
        path=text.path,
        texts={name: f"c{position}" for name, position in columns.positions.items()},
        first_line=text.first_line + header.lines,
        start=header.start,
        records=count.records,
        is_regular=count.is_regular,
        has_nul=text.has_nul,
        has_long_fields=count.has_long_lines or count.has_quotes,
        width=header.width,
        messages=_unknown(columns.unknown),
    )
    is_single = not written.multiline and count.has_quotes
    if is_single and needs_salvage(text.path, start=header.start, quote=written.quote):
        return _salvage(reading, header, contract, scratch)
    return reading


def _salvage(reading: Reading, header: Header, contract: SourceContract, scratch: Path) -> Reading:
    saved = salvage_lines(
        reading.path, contract.delivery, start=header.start, target=scratch / "salvaged.txt"
    )
    message = f"salvaged line by line: in {len(saved.broken)} lines a quote does not close"
    return Reading(
        relation=_csv_relation(header.width, 0, contract),
        path=saved.path,
        texts=reading.texts,
        first_line=reading.first_line,
        records=len(saved.kept) + len(saved.broken),
        is_regular=False,
        has_nul=reading.has_nul,
        width=header.width,
        kept=saved.kept,
        broken=saved.broken,
        messages=(*reading.messages, *([message] if saved.broken else [])),
    )


def _csv_relation(width: int, skipped: int, contract: SourceContract) -> str:
    """Return ``read_csv`` with every column as text, by position; nothing is sniffed."""
    written = contract.delivery
    columns = ", ".join(f"'c{index}': 'varchar'" for index in range(width))
    quote = quote_literal(written.quote)
    return (
        f"read_csv(?, columns = {{{columns}}}, header = false, auto_detect = false, "
        f"delim = {quote_literal(written.delimiter)}, quote = {quote}, escape = {quote}, "
        f"skip = {skipped}, strict_mode = true, store_rejects = true, rejects_limit = 0)"
    )


def _open_lines(text: PlainText, contract: SourceContract) -> Reading:
    messages = _look_into_objects(text.path, contract)
    count = count_records(text.path, start=0, quote="")
    paths: list[str] = []
    texts: dict[str, str] = {}
    for name, column in contract.columns.items():
        found = [json_path(spelling) for spelling in spellings(name, column)]
        fields = [f"fields[{len(paths) + index}]" for index in range(1, len(found) + 1)]
        texts[name] = fields[0] if len(fields) == 1 else f"coalesce({', '.join(fields)})"
        paths += found
    literals = ", ".join(quote_literal(path) for path in paths)
    # One parse gives all fields: a list of paths costs what a single one does.
    relation = (
        "(select line, case when json_valid(line) and starts_with(ltrim(line), '{') "  # noqa: S608 - literals quoted
        f"then json_extract_string(line, [{literals}]) end as fields "
        "from read_csv(?, columns = {'line': 'varchar'}, header = false, auto_detect = false, "
        f"delim = {quote_literal(_NO_DELIMITER)}, quote = '', escape = '', strict_mode = false, "
        "store_rejects = true, rejects_limit = 0) where line is not null)"
    )
    return Reading(
        relation=relation,
        path=text.path,
        texts=texts,
        first_line=text.first_line,
        records=count.records,
        is_regular=count.is_regular,
        has_nul=text.has_nul,
        messages=messages,
    )


def _look_into_objects(path: Path, contract: SourceContract) -> tuple[str, ...]:
    """Return a warning about unknown keys in the first objects.

    Raises:
        RefusedError: The file is a JSON array, or a required key stands in none of them.
    """
    with path.open("rb") as stream:
        head = stream.read(_SAMPLE_BYTES)
    if head.lstrip()[:1] == b"[":
        raise RefusedError(
            "it is a JSON array, not JSON lines", hint="Deliver one object a line, no brackets."
        )
    keys: dict[str, None] = {}
    for line in head.splitlines():
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            continue
        keys.update(dict.fromkeys(document if isinstance(document, dict) else ()))
    known = {s.split(".")[0] for n, c in contract.columns.items() for s in spellings(n, c)}
    unknown = tuple(
        k for k in keys if k not in known and not any(map_ignore(k, p) for p in contract.ignore)
    )
    missing = [
        name
        for name, column in contract.columns.items()
        if column.required and not any(s.split(".")[0] in keys for s in spellings(name, column))
    ]
    if keys and missing:
        refuse_missing(missing, unknown, contract)
    return _unknown(unknown)


def map_ignore(name: str, pattern: str) -> bool:
    """Return whether a contract's ``ignore`` entry covers a name."""
    return fnmatch.fnmatchcase(plain_name(name), plain_name(pattern))


def json_path(spelling: str) -> str:
    """Return the JSON path of a column; dots separate levels.

    >>> json_path("consent.email")
    '$."consent"."email"'
    """
    return "$" + "".join('."' + step.replace('"', "") + '"' for step in spelling.split("."))


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
    places = {plain_name(row[0]): quote_column(row[0]) for row in rows}
    spelled = [s for n, c in contract.columns.items() for s in spellings(n, c)]
    top_level = set(places) - {plain_name(s.split(".")[0]) for s in spelled}
    for spelling in spelled:
        places.update(_nested_place(spelling, places))
    names = list(places)
    columns = map_names(names, contract)
    return Reading(
        relation="read_parquet(?)",
        path=path,
        texts={n: f"cast({places[names[i]]} as varchar)" for n, i in columns.positions.items()},
        records=int(records[0][0]),
        messages=_unknown(tuple(n for n in columns.unknown if n in top_level)),
    )


def _nested_place(spelling: str, places: dict[str, str]) -> dict[str, str]:
    """Return name and SQL of a field within a struct column, if the path begins with one."""
    top, *steps = spelling.split(".")
    name = plain_name(spelling)
    if name in places or not steps or plain_name(top) not in places:
        return {}
    return {name: ".".join([places[plain_name(top)], *map(quote_column, steps)])}


def _unknown(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        return ()
    shown = ", ".join(repr(name) for name in names[:_SHOWN_NAMES])
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return (f"unknown columns {shown}{more}: declare them, or list them under `ignore:`",)
