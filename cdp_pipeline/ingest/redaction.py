"""A raw delivery without erased people: records blanked out, or all of them but what a sale needs.

Lines keep their numbers, since the ledger, the quarantine and a later redaction refer to them: a
record that goes leaves an empty line, which no reader counts. Text tables (CSV) and JSON lines can
be rewritten so, compressed or not; of other formats, and of JSON texts that are not one a line, the
caller keeps the staged rows only.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self, cast

import pyarrow as pa

from cdp_pipeline.ingest.detaching import is_needed_by_others, kept_places, without_person
from cdp_pipeline.ingest.headers import split_fields
from cdp_pipeline.ingest.inflation import CHUNK, read_chunks
from cdp_pipeline.ingest.physical_lines import blocks_of_lines
from cdp_pipeline.ingest.sequences import SAMPLE_BYTES, is_sequence
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.layout import Delivery

_MAXIMUM_FIELD = 1 << 28


def redact_delivery(
    path: Path,
    contract: SourceContract,
    lines: Collection[int],
    *,
    is_detaching: bool,
    refused: Collection[int] = (),
) -> Iterator[bytes] | None:
    """Return a delivery without the people on some of its lines.

    Args:
        path: The file as it lies in landing.
        contract: Its source's contract.
        lines: Lines on which their records begin, from 1.
        is_detaching: Keep the records and empty all but what is declared and not personal.
        refused: Those of them whose records go all the same: they were set aside, so that nobody
            can say what stands in which field.

    Returns:
        The new bytes, decompressed, in pieces that end with a line; None if the format cannot be
        rewritten.

    Raises:
        RefusedError: The file is broken; while the pieces are taken.
        ValueError: Its letters or records are of a kind that cannot be rewritten; as above.
    """
    delivery = contract.delivery
    is_simple = len(delivery.delimiter) == 1 and not delivery.escape
    if delivery.format not in {"csv", "jsonl"} or path.suffix.lower() == ".zip":
        return None
    is_apt = is_simple and not is_needed_by_others(contract, loses_records=bool(refused))
    if delivery.format == "csv" and is_detaching and not is_apt:
        return None
    if delivery.format == "jsonl" and (delivery.fallback_encoding or is_sequence(_head(path))):
        return None
    encoding = delivery.encoding if delivery.format == "csv" else "utf-8"
    redact = _redact_table if delivery.format == "csv" else _redact_objects
    wanted = {line: is_detaching and line not in refused for line in lines}
    kept = redact(_Lines(blocks_of_lines(path, encoding, delivery)), contract, wanted)
    return _encoded(kept, encoding)


@contextmanager
def open_like(path: Path, target: Path) -> Iterator[BinaryIO]:
    """Open a file to write that is compressed as the suffix of another says.

    The same bytes written give the same file.

    Args:
        path: File whose suffix tells.
        target: What is written.
    """
    with target.open("wb") as raw:
        if path.suffix.lower() == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                yield cast("BinaryIO", packed)
        elif path.suffix.lower() == ".zst":
            with pa.CompressedOutputStream(pa.PythonFile(raw, "w"), "zstd") as packed:
                yield cast("BinaryIO", packed)
        else:
            yield raw


def _head(path: Path) -> bytes:
    head = b""
    for chunk in read_chunks(path):
        head += chunk
        if len(head) >= SAMPLE_BYTES:
            break
    return head[:SAMPLE_BYTES]


class _Lines:
    """Lines of a text that are taken many or one at a time."""

    def __init__(self, blocks: Iterator[list[str]]) -> None:
        """Begin before the first line."""
        self._blocks = blocks
        self._held: list[str] = []
        self._at = 0

    def first(self, count: int) -> list[str]:
        """Return the first lines, which stay to be taken; nothing has been taken yet."""
        while len(self._held) < count and (block := next(self._blocks, None)):
            self._held += block
        return self._held[:count]

    def take(self, count: int) -> Iterator[list[str]]:
        """Yield lines, in as many lists as they come in; fewer at the end."""
        while count > 0 and self._fill():
            taken = self._held[self._at : self._at + count]
            self._at += len(taken)
            count -= len(taken)
            yield taken

    def next(self) -> str:
        """Return the next line; empty at the end."""
        if not self._fill():
            return ""
        self._at += 1
        return self._held[self._at - 1]

    def _fill(self) -> bool:
        if self._at == len(self._held):
            self._held, self._at = next(self._blocks, []), 0
        return bool(self._held)


def _encoded(lines: Iterable[str], encoding: str) -> Iterator[bytes]:
    encoder = codecs.getincrementalencoder(encoding)("surrogateescape")
    held: list[str] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size > CHUNK:
            yield encoder.encode("".join(held))
            held, size = [], 0
    yield encoder.encode("".join(held), final=True)


def _ending(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _records(
    lines: _Lines, wanted: Collection[int], delivery: Delivery
) -> Iterator[tuple[list[str], int | None]]:
    """Yield lines, those of a wanted record together with its first line; others at once."""
    number = 0
    for place in sorted(wanted):
        for others in lines.take(place - 1 - number):
            number += len(others)
            yield others, None
        first = lines.next() if place > number else ""
        if not first:  # it lies within the record before, or the file has ended
            continue
        record = _record(first, lines, delivery)
        number += len(record)
        yield record, place
    yield from ((others, None) for others in lines.take(sys.maxsize))


def _record(first: str, lines: _Lines, delivery: Delivery) -> list[str]:
    """Return the lines of the record that begins with one.

    Quotes that are open go on into the next line, and so does a line whose end is escaped.
    """
    quote = delivery.quote if delivery.multiline else ""
    record = [first]

    def bare() -> Iterator[str]:
        line = first
        while line:
            body = line.rstrip("\r\n").replace("\r", " ")
            yield f"{body.replace(delivery.delimiter, delimiter)}\n"
            if line := lines.next():
                record.append(line)

    if delivery.format != "csv" or not (delivery.escape or (quote and quote in first)):
        return record
    if delivery.escape:
        quotes, goes_on = _open_marks(first, quote, delivery.escape)
        while (quotes % 2 or goes_on) and (more := lines.next()):
            record.append(more)
            further, goes_on = _open_marks(more, quote, delivery.escape)
            quotes += further
        return record
    delimiter = delivery.delimiter if len(delivery.delimiter) == 1 else "\x1f"
    csv.field_size_limit(_MAXIMUM_FIELD)
    blanks = not delimiter.isspace()
    # A quote within a field that does not begin with one is a letter like others.
    next(csv.reader(bare(), delimiter=delimiter, quotechar=quote, skipinitialspace=blanks), None)
    return record


def _open_marks(line: str, quote: str, escape: str) -> tuple[int, bool]:
    """Return how many quotes a line has, escaped ones aside, and whether its end is escaped."""
    bare = re.sub(rf"{re.escape(escape)}.", "", line.replace("\r\n", "\n"), flags=re.DOTALL)
    return bare.count(quote) if quote else 0, not bare.endswith(("\n", "\r"))


def _redact_table(
    lines: _Lines, contract: SourceContract, wanted: Mapping[int, bool]
) -> Iterator[str]:
    delivery = contract.delivery
    kept = kept_places(_header(lines, delivery), contract) if any(wanted.values()) else frozenset()
    for record, line in _records(lines, wanted, delivery):
        text = "".join(record)
        if line is None:
            yield text
        elif wanted[line] and text.strip():
            yield _emptied(text, kept, delivery)
        else:
            yield "".join(map(_ending, record))


def _emptied(record: str, kept: Collection[int], delivery: Delivery) -> str:
    """Return a record without what stands elsewhere than in some places; as many lines.

    What stays is spelt as it was, blanks and quotes too, so that it reads as it did.
    """
    end = _ending(record)
    fields = _fields(record.removesuffix(end), delivery.delimiter, delivery.quote)
    gone = "".join(field for place, field in enumerate(fields) if place not in kept)
    left = [field if place in kept else "" for place, field in enumerate(fields)]
    if left == [""]:  # an empty line would be no record
        left = [delivery.quote * 2]
    return delivery.delimiter.join(left) + end * (gone.count("\n") + 1)


def _fields(body: str, delimiter: str, quote: str) -> list[str]:
    """Return the fields of a record as they are spelt."""
    if not quote or quote not in body:  # as nearly all
        return body.split(delimiter)
    mark, end = re.escape(quote), re.escape(delimiter)
    blanks = "" if delimiter.isspace() else " *"
    field = re.compile(rf"{blanks}{mark}(?:[^{mark}]|{mark}{mark})*{mark}[^{end}]*|[^{end}]*")
    found, at = [], -1
    while at < len(body):
        match = field.match(body, at + 1)
        found.append(match[0] if match else "")
        at += 1 + len(found[-1])
    return found


def _header(lines: _Lines, delivery: Delivery) -> list[str] | None:
    """Return the names of a text's columns; None if it has none. Nothing has been taken yet."""
    if not delivery.header:
        return None
    quote = delivery.quote
    end = first = delivery.skip_lines
    while len(head := lines.first(end + 1)) > end:
        end += 1
        record = "".join(head[first:])
        if not record.strip("\ufeff \t\r\n"):  # empty lines stand before it
            first = end
        elif not (quote and record.count(quote) % 2):
            break
    text = "".join(head[first:end]).lstrip("\ufeff")
    if delivery.fallback_encoding:
        text = _decoded(text, delivery.fallback_encoding)
    return split_fields(text.rstrip("\r\n"), delivery.delimiter, quote, skips_blanks=True)


def _decoded(text: str, fallback: str) -> str:
    """Return a line of UTF-8; one that is none in the other encoding of its file."""
    data = text.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode(fallback, "replace")


class _Exact(float):
    """A number with a fraction, as it is written: a binary fraction keeps 15 digits for sure."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Return the number that a text is."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def _redact_objects(
    lines: _Lines, contract: SourceContract, wanted: Mapping[int, bool]
) -> Iterator[str]:
    for held, line in _records(lines, wanted, contract.delivery):
        text = "".join(held)
        if line is None:
            yield text
            continue
        if wanted[line] and text.strip():
            yield _without_person(text.removeprefix("\ufeff"), contract)
        yield _ending(text)


def _without_person(text: str, contract: SourceContract) -> str:
    """Return what stays of a line of JSON.

    Raises:
        ValueError: It cannot be read.
    """
    try:
        document = json.loads(text.strip().removesuffix(","), parse_float=_Exact)
        return _written(without_person(document, contract))
    except RecursionError as error:
        raise ValueError("a record is nested too deep") from error


def _written(value: object) -> str:
    """Return JSON in which every number is spelt as it was."""
    if isinstance(value, dict):
        held = (f"{_written(name)}: {_written(each)}" for name, each in value.items())
        return f"{{{', '.join(held)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return value.text if isinstance(value, _Exact) else json.dumps(value, ensure_ascii=False)
