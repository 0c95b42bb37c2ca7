"""Lines of refused deliveries that tell of erased people, so that they go from the raw file.

Nobody could say which columns such a file has, so it is asked differently from staged rows: every
word and every field of a line is held against the tombstones. Names, which only columns tell, are
found by what else the line says of the person.
"""

from __future__ import annotations

import codecs
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.ingest.inflation import member_names, read_members
from cdp_pipeline.ingest.person_traces import Trace, match_values, trace_select
from cdp_pipeline.ingest.physical_lines import physical_lines
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.ingest.suppressing import SHORTEST_NUMBER, UNKNOWN_LINE, WORDS
from cdp_pipeline.privacy.suppression import (
    create_normalisers,
    has_tombstones,
    load_tombstones,
    suppression_keys,
)
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

_FIELD = re.compile(r"""[^,;|\t"'<>{}\[\]\r\n\x00]+""")
_ENDS = re.compile(r"[<>\r\n]")
_WORD = re.compile(r"[0-9A-Za-z@._+-]+")
_LINES = 1 << 14
_MAYBE = {"email": "(from refused_words where contains(word, '@'))"}
"""What of the words may be of a kind, where that is cheaper told than cleaned."""

_LONGEST_RECORD = 50
"""Lines."""

_LONGEST = 200
"""Characters of a field that may stand for a person; what is longer is prose, of which words are
looked at."""


def refused_lines(
    context: RunContext,
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    path: Path,
    *,
    on: date,
) -> tuple[int, ...]:
    """Return the lines of a refused delivery that tell of erased people, from 1.

    Args:
        context: Settings and keys.
        con: Any connection.
        contract: The source's contract.
        path: The file.
        on: Business date of the delivery, by which people who were readmitted count.

    Returns:
        Ascending; ``UNKNOWN_LINE`` alone for Parquet, workbooks, archives and undeclared UTF-16,
        which cannot be rewritten by lines: such a file is removed.
    """
    paths = DataPaths.of(context)
    if not has_tombstones(paths):
        return ()
    create_normalisers(con)
    load_tombstones(con, paths, suppression_keys(context.settings), on=on)
    lines: set[int] = set()
    found = con.execute("select distinct kind from suppressed_tokens").fetchall()
    kinds = {kind for (kind,) in found} & WORDS.keys()
    numbered = _numbered(con, path, contract) if kinds else iter(())
    try:
        while some := list(islice(numbered, _LINES)):
            lines |= _told(con, some, kinds)
    except (RefusedError, ValueError, duckdb.Error):  # as far as it can be read
        pass
    return tuple(sorted(lines))


def _numbered(
    con: duckdb.DuckDBPyConnection, path: Path, contract: SourceContract
) -> Iterator[tuple[int, str]]:
    """Yield the texts of a file with the line that goes if they tell of somebody."""
    delivery = contract.delivery
    with path.open("rb") as stream:
        head = stream.read(_LINES)
    if zipfile.is_zipfile(path):
        for _, chunks in read_members(path, member_names(path)):
            yield from ((UNKNOWN_LINE, text) for text in _packed_texts(chunks))
    elif head.startswith(b"PAR1"):
        yield from ((UNKNOWN_LINE, text) for text in _column_texts(con.cursor(), path))
    elif encoding := _undeclared_encoding(head, delivery.encoding):
        yield from ((UNKNOWN_LINE, text) for text in physical_lines(path, encoding, delivery))
    else:
        encoding = delivery.encoding if delivery.format == "csv" else "utf-8"
        quote = delivery.quote if delivery.format == "csv" and delivery.multiline else ""
        yield from _by_record(physical_lines(path, encoding, delivery), quote)


def _packed_texts(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the texts of a member of an archive; a workbook's stand between tags, on one line."""
    held = ""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for chunk in chunks:
        *texts, held = _ENDS.split(held + decoder.decode(chunk))
        yield from texts
    yield held


def _column_texts(con: duckdb.DuckDBPyConnection, path: Path) -> Iterator[str]:
    relation = f"read_parquet({quote_literal(str(path))})"
    for name, kind, *_ in con.execute(f"describe select * from {relation}").fetchall():  # noqa: S608 - quoted
        if "VARCHAR" in str(kind) or "BLOB" in str(kind) or "INT" in str(kind):
            value = f"cast({quote_column(str(name))} as varchar)"
            con.execute(f"select distinct {value} from {relation} where {value} is not null")  # noqa: S608 - quoted
            while rows := con.fetchmany(_LINES):
                yield from (str(text) for (text,) in rows)


def _by_record(lines: Iterable[str], quote: str) -> Iterator[tuple[int, str]]:
    """Yield lines, each with the number of the line on which its record begins.

    A quote that many lines do not close is a slip, and a record then is a line again.
    """
    start, is_open = 1, False
    for number, text in enumerate(lines, 1):
        if not is_open or number - start >= _LONGEST_RECORD:
            start, is_open = number, False
        yield start, text
        is_open ^= bool(quote) and text.count(quote) % 2 == 1


def _undeclared_encoding(head: bytes, declared: str) -> str:
    """Return which UTF-16 a file is in that is not declared so; empty for all others."""
    odd, even = head[1::2].count(0), head[::2].count(0)
    if declared.lower().startswith("utf-16") or max(odd, even) * 4 < len(head):
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _told(
    con: duckdb.DuckDBPyConnection, lines: Iterable[tuple[int, str]], kinds: Collection[str]
) -> set[int]:
    """Return the numbers of those lines on which an erased person stands."""
    places, values = [], []
    for number, text in lines:
        for value in _values(text):
            places.append(number)
            values.append(value)
    told = pa.table({"place": pa.array(places, pa.int64()), "word": pa.array(values, pa.string())})
    con.register("refused_words", told)
    try:
        traces = (Trace(kind, "word", clean) for kind, clean in WORDS.items() if kind in kinds)
        selects = [trace_select(trace, _MAYBE.get(trace.kind, "refused_words")) for trace in traces]
        match_values(con, selects, known=None)
        found = con.execute(
            "select distinct place from refused_words "
            "where word in (select raw from suppressed_values)"
        ).fetchall()
    finally:
        con.unregister("refused_words")
    return {int(place) for (place,) in found}


def _values(text: str) -> Iterator[str]:
    """Yield what may stand for a person in a line: its fields, and their words."""
    for field in _FIELD.findall(text):
        plain = field.strip()
        if SHORTEST_NUMBER <= len(plain) <= _LONGEST:
            yield plain.encode("utf-8", "replace").decode()
        for word in _WORD.findall(plain):
            if SHORTEST_NUMBER <= len(word) < len(plain):
                yield word
