"""Files of people as tables of texts: CSV in any usual dialect, and Parquet.

Delimiter and encoding are found from the bytes. Every value arrives as text, with the row's number
in ``link_row``; what the columns mean is decided by whoever reads them.
"""

from __future__ import annotations

import csv
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from cdp_pipeline.core.errors import ContractError
from cdp_pipeline.storage.encodings import PLAIN, UTF_8, Encoding, find_encoding, read_as_utf8
from cdp_pipeline.storage.line_ends import count_marks, one_line_end
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

_BYTES = "BLOB"
ROW = "link_row"
PARQUET = frozenset({".parquet", ".pq"})
TEXT = frozenset({".csv", ".tsv", ".txt", ".psv"})
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAMPLE_BYTES = 262_144


@dataclass(frozen=True)
class Loaded:
    """A file in the database.

    Attributes:
        source: Name of the source: the file's stem, made unique.
        table: Table of texts, and ``link_row`` from 1.
        columns: Headers in order.
        rows: Number of rows.
        dialect: How the file was read, for people.
        where: The file, for messages.
        repeated: Headers that stood there more than once, in small letters; all but the first got
            a number.
    """

    source: str
    table: str
    columns: tuple[str, ...]
    rows: int
    dialect: str
    where: str
    repeated: frozenset[str] = frozenset()


def load_files(con: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> list[Loaded]:
    """Read files into tables of texts.

    Raises:
        ContractError: A file is missing, empty, ragged or of an unknown kind.
    """
    sources = _unique([path.stem for path in paths])
    return [
        _load(con, path, source, f"link_file_{number}")
        for number, (path, source) in enumerate(zip(paths, sources, strict=True))
    ]


def load_arrow(
    con: duckdb.DuckDBPyConnection, tables: Sequence[tuple[str, pa.Table]]
) -> list[Loaded]:
    """Take Arrow tables, each with the name of its source, as ``load_files`` takes files."""
    found = []
    for number, (source, rows) in enumerate(tables):
        con.register("link_arrow", rows)
        found.append(_keep(con, "link_arrow", source, f"link_file_{number}", "table", source))
        con.unregister("link_arrow")
    return found


def _unique(names: Sequence[str]) -> list[str]:
    taken: list[str] = []
    for name in names:
        free, number = name, 2
        while free.lower() in (known.lower() for known in taken):
            free, number = f"{name}_{number}", number + 1
        taken.append(free)
    return taken


def _load(con: duckdb.DuckDBPyConnection, path: Path, source: str, table: str) -> Loaded:
    where = str(path)
    if not path.is_file():
        raise ContractError("there is no such file", where=where, hint="Check the path.")
    if path.stat().st_size == 0:
        raise ContractError("the file is empty", where=where, hint="Give a file with records.")
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        origin = f"read_parquet({quote_literal(where)})"
        return _keep(con, origin, source, table, "Parquet", where)
    if suffix not in TEXT:
        raise ContractError(
            f"{path.suffix or 'a file without suffix'} is not a kind of file that can be read",
            where=where,
            hint="Give .csv, .tsv, .txt or .parquet.",
        )
    encoding = find_encoding(path)
    delimiter, header = _shape(path, encoding.name)
    counts = Counter(name.lower() for name in header)
    repeated = frozenset(name for name, times in counts.items() if times > 1)
    names = ", ".join(f"{quote_literal(name)}: 'varchar'" for name in _unique(header))
    dialect = f"CSV with {_DELIMITERS[delimiter]}, {encoding}"
    with _one_kind_of_line_end(path, encoding) as (copy, coding):
        origin = (
            f"read_csv({quote_literal(str(copy))}, header = true, auto_detect = false, "
            f"columns = {{{names}}}, delim = {quote_literal(delimiter)}, quote = '\"', "
            f"escape = '\"', nullstr = '', encoding = '{coding}', max_line_size = 10000000)"
        )
        return replace(_keep(con, origin, source, table, dialect, where), repeated=repeated)


@contextmanager
def _one_kind_of_line_end(path: Path, encoding: Encoding) -> Iterator[tuple[Path, str]]:
    """Give a file and its encoding; a copy in UTF-8 if its lines end in several ways.

    A copy as well of what DuckDB does not read: it knows none of the encodings of one byte a letter
    but the Western one, and takes UTF-16 for little-endian, whatever its mark says.
    """
    is_read = encoding.name in {UTF_8, PLAIN} and not encoding.others
    if is_read and not count_marks(path).has_odd_ends:
        yield path, encoding.name
        return
    with tempfile.TemporaryDirectory(prefix="cdp-table-") as folder:
        copy = path
        if not is_read:
            copy = _write(Path(folder) / "narrow.csv", _as_utf8(path, encoding))
            encoding = Encoding(UTF_8)
        if copy is path or count_marks(copy).has_odd_ends:  # in vain, a stray quote would stop it
            lines = one_line_end(_as_utf8(copy, encoding), '"')
            copy = _write(Path(folder) / "table.csv", lines)
        yield copy, UTF_8


def _write(path: Path, chunks: Iterable[bytes]) -> Path:
    with path.open("wb") as target:
        target.writelines(chunks)
    return path


def _as_utf8(path: Path, encoding: Encoding) -> Iterator[bytes]:
    try:
        yield from read_as_utf8(path, encoding)
    except UnicodeError as error:  # half a character of UTF-16; others were tried before
        raise ContractError(
            f"it is not {encoding} text",
            where=str(path),
            hint="Was it cut off? Have it sent again.",
        ) from error


def _keep(
    con: duckdb.DuckDBPyConnection, origin: str, source: str, table: str, dialect: str, where: str
) -> Loaded:
    try:
        described = con.execute(f"describe from {origin}").fetchall()
        kinds = {row[0]: row[1] for row in described}
        pictures = _true_bytes(
            con, origin, [name for name, kind in kinds.items() if kind == _BYTES]
        )
        plain = [
            name
            for name, kind in kinds.items()
            if not re.search(r"\[|STRUCT|MAP", kind) and name not in pictures
        ]
        items = ", ".join(
            f"{_text_sql(quote_column(name), kinds[name])} as {quote_column(name)}"
            for name in plain
        )
        con.execute(
            f"create or replace temp table {table} as "  # noqa: S608 - quoted
            f"select row_number() over () as {ROW}{', ' if items else ''}{items} from {origin}"
        )
    except duckdb.Error as error:
        raise _unreadable(error, where) from error
    rows = con.execute(f"select count(*) from {table}").fetchall()[0][0]  # noqa: S608 - own name
    if not rows:
        raise ContractError(
            "the file has a header but no records", where=where, hint="Give a file with records."
        )
    return Loaded(source, table, tuple(plain), int(rows), dialect, where)


def _true_bytes(con: duckdb.DuckDBPyConnection, origin: str, names: Sequence[str]) -> set[str]:
    """Return the columns of bytes in which no text stands."""
    if not names:
        return set()
    counts = ", ".join(f"count({text_of_bytes(quote_column(name))})" for name in names)
    found = con.execute(f"select {counts} from {origin}").fetchall()  # noqa: S608 - quoted
    return {name for name, count in zip(names, found[0], strict=True) if not count}


def text_of_bytes(value: str, *, otherwise: str = "null") -> str:
    """Return SQL of the text in bytes: some writers of Parquet do not mark their texts as such.

    Args:
        value: SQL of the bytes.
        otherwise: SQL for bytes that are no text, and for none.
    """
    decoded = f"try(decode({value}))"
    is_bytes = f"contains(coalesce({decoded}, chr(0)), chr(0))"
    return f"case when {is_bytes} then {otherwise} else {decoded} end"


def _text_sql(column: str, kind: str) -> str:
    """Return SQL for a value as text; 7700900123.0 is a number that met an empty cell."""
    if kind == _BYTES:
        return text_of_bytes(column)
    if kind not in {"DOUBLE", "FLOAT"}:
        return f"cast({column} as varchar)"
    return (
        f"case when isnan({column}) then null "
        f"when {column} = trunc({column}) and abs({column}) < 1e15 "
        f"then cast(cast({column} as bigint) as varchar) else cast({column} as varchar) end"
    )


def _unreadable(error: duckdb.Error, where: str) -> ContractError:
    text = str(error)
    line = re.search(r"[Ll]ine: ?(\d+)", text)
    counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    place = f"{where}:{line.group(1)}" if line else where
    if counts:
        return ContractError(
            f"this line has {counts.group(2)} fields where the header has {counts.group(1)}",
            where=place,
            hint='Mend the line; a separator inside a value needs "quotes" around the value.',
        )
    if "state machine" in text:
        return ContractError(
            "its lines end in several ways, and a quote in it does not close",
            where=where,
            hint="Look for a stray quote, or have the file written anew by one program.",
        )
    first = next((row for row in text.splitlines() if row.strip()), "unknown")
    return ContractError(
        f"cannot be read: {first.strip()}",
        where=place,
        hint="Is it the kind of file that its suffix says?",
    )


def _shape(path: Path, encoding: str) -> tuple[str, list[str]]:
    """Return the separator that cuts the first lines into equally many, most fields; the header."""
    with path.open("rb") as file:
        text = file.read(_SAMPLE_BYTES).decode(encoding, errors="replace").lstrip("\ufeff")
    if len(text) * 2 >= _SAMPLE_BYTES and "\n" in text:
        text = text[: text.rfind("\n") + 1]  # the last line may be cut
    best = (0.0, 0, ",")
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in csv.reader(text.splitlines(), delimiter=delimiter) if row]
        if not widths or widths[0] == 1:
            continue
        even = sum(width == widths[0] for width in widths) / len(widths)
        best = max(best, (round(even, 1), widths[0], delimiter))
    header = next((row for row in csv.reader(text.splitlines(), delimiter=best[2]) if row), [])
    named = [name.strip() or f"column_{place}" for place, name in enumerate(header, 1)]
    return best[2], named
