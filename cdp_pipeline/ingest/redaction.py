"""A raw delivery without erased people: records blanked out, or only their personal fields.

Lines keep their numbers, since the ledger, the quarantine and a later redaction refer to them: a
record that goes leaves an empty line, which no reader counts. Text tables (CSV) and JSON lines can
be rewritten so, compressed or not; of other formats, and of JSON texts that are not one a line, the
caller keeps the staged rows only.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from cdp_pipeline.ingest.inflation import read_chunks
from cdp_pipeline.ingest.sequences import SAMPLE_BYTES, is_sequence
from cdp_pipeline.project.contracts import SourceContract

_MAXIMUM_FIELD = 1 << 28


def redact_delivery(
    path: Path, contract: SourceContract, lines: Collection[int], *, is_detaching: bool
) -> bytes | None:
    """Return the bytes of a delivery without the people on some of its lines.

    Args:
        path: The file as it lies in landing.
        contract: Its source's contract.
        lines: Lines on which their records begin, from 1.
        is_detaching: Keep the records and empty their personal fields.

    Returns:
        The new bytes, compressed like the old ones; None if the format cannot be rewritten.
    """
    delivery = contract.delivery
    is_simple = len(delivery.delimiter) == 1 and not delivery.escape
    if delivery.format not in {"csv", "jsonl"} or path.suffix == ".zip":
        return None
    if delivery.format == "csv" and is_detaching and not is_simple:
        return None
    encoding = delivery.encoding if delivery.format == "csv" else "utf-8"
    text = b"".join(read_chunks(path)).decode(encoding, "surrogateescape")
    if delivery.format == "jsonl" and is_sequence(text[:SAMPLE_BYTES].encode("utf-8", "replace")):
        return None
    parts = _physical_lines(text)
    if delivery.format == "csv":
        _redact_table(parts, contract, lines, is_detaching=is_detaching)
    else:
        _redact_objects(parts, contract, lines, is_detaching=is_detaching)
    return compress_like(path, "".join(parts).encode(encoding, "surrogateescape"))


def compress_like(path: Path, data: bytes) -> bytes:
    """Return bytes compressed as the suffix of a file says; the same for the same bytes."""
    if path.suffix == ".gz":
        return gzip.compress(data, mtime=0)
    if path.suffix == ".zst":
        compressed: bytes = pa.Codec("zstd").compress(data, asbytes=True)
        return compressed
    return data


def _physical_lines(text: str) -> list[str]:
    """Return lines with their ends; files of old Macs end lines with CR alone."""
    mark = "\n" if "\n" in text or "\r" not in text else "\r"
    pieces = text.split(mark)
    return [piece + mark for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def _ending(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _blank(parts: list[str], start: int, end: int) -> None:
    for number in range(start, end):
        parts[number] = _ending(parts[number])


def _record_end(parts: Sequence[str], start: int, quote: str) -> int:
    """Return the line after a record: quotes that are open go on into the next line."""
    open_quotes = 0
    for number in range(start, len(parts)):
        open_quotes += parts[number].count(quote) if quote else 0
        if open_quotes % 2 == 0:
            return number + 1
    return len(parts)


def _redact_table(
    parts: list[str], contract: SourceContract, lines: Collection[int], *, is_detaching: bool
) -> None:
    delivery = contract.delivery
    personal = _personal_places(parts, contract) if is_detaching else set()
    for line in sorted(lines):
        start = line - 1
        if not 0 <= start < len(parts):
            continue
        end = _record_end(parts, start, delivery.quote if delivery.multiline else "")
        record = "".join(parts[start:end])
        _blank(parts, start, end)
        if is_detaching and record.strip():
            fields = _parse(record, delivery.delimiter, delivery.quote)
            kept = ["" if place in personal else field for place, field in enumerate(fields)]
            parts[start] = _join(kept, delivery.delimiter, delivery.quote) + parts[start]


def _personal_places(parts: Sequence[str], contract: SourceContract) -> set[int]:
    """Return places of personal columns, which the header tells, or else the declared order."""
    delivery = contract.delivery
    if delivery.header and delivery.skip_lines < len(parts):
        header = parts[delivery.skip_lines].lstrip("\ufeff")
        names = [
            name.strip().casefold() for name in _parse(header, delivery.delimiter, delivery.quote)
        ]
    else:
        names = [name.casefold() for name in contract.read_columns]
    wanted = set()
    for name, column in contract.read_columns.items():
        if column.pii and name not in contract.load.key:
            titles = (column.source or name, name, *column.aliases)
            wanted |= {title.strip().casefold() for title in titles}
    return {place for place, name in enumerate(names) if name in wanted}


def _parse(record: str, delimiter: str, quote: str) -> list[str]:
    csv.field_size_limit(_MAXIMUM_FIELD)
    text = io.StringIO(record, newline="")
    if not quote:
        return next(csv.reader(text, delimiter=delimiter, quoting=csv.QUOTE_NONE), [])
    return next(csv.reader(text, delimiter=delimiter, quotechar=quote), [])


def _join(fields: Sequence[str], delimiter: str, quote: str) -> str:
    if not quote:
        return delimiter.join(fields)
    target = io.StringIO(newline="")
    csv.writer(target, delimiter=delimiter, quotechar=quote, lineterminator="").writerow(
        [field.replace("\r", " ").replace("\n", " ") for field in fields]
    )
    return target.getvalue()


def _redact_objects(
    parts: list[str], contract: SourceContract, lines: Collection[int], *, is_detaching: bool
) -> None:
    paths = [
        (column.source or name).split(".")
        for name, column in contract.read_columns.items()
        if column.pii and name not in contract.load.key
    ]
    for line in sorted(lines):
        start = line - 1
        if not 0 <= start < len(parts):
            continue
        record = parts[start]
        _blank(parts, start, start + 1)
        if is_detaching and record.strip():
            document = json.loads(record)
            for path in paths:
                _remove(document, path)
            parts[start] = json.dumps(document, ensure_ascii=False) + parts[start]


def _remove(document: Any, path: Sequence[str]) -> None:  # noqa: ANN401 - any JSON
    """Empty a value inside a document, if it is there."""
    for step in path[:-1]:
        document = document.get(step) if isinstance(document, dict) else None
    if isinstance(document, dict) and path[-1] in document:
        document[path[-1]] = None
