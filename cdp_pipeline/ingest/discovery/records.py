"""Records of nested deliveries, read from the head of a file: JSON, XML and Parquet.

Only the records are found here; ``nested`` makes columns of them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest.discovery.content import Content
from cdp_pipeline.ingest.discovery.dialect import MOST_RECORDS
from cdp_pipeline.ingest.documents import Documents
from cdp_pipeline.ingest.markup import markup_to_documents, read_markup
from cdp_pipeline.ingest.refusal import RefusedError

Record = dict[str, Any]
_DEEPEST = 4
_OPENING = re.compile(r"\[\s*[\[{]")
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str)


@dataclass(frozen=True)
class Records:
    """Records of a nested delivery.

    Attributes:
        format: As in ``format:``.
        records: The first of them.
        place: What ``records:`` says; empty if nothing needs to be said.
        is_whole: Whether these are all.
    """

    format: str
    records: list[Record]
    place: str = ""
    is_whole: bool = True


def read_json(text: str, content: Content) -> Records | None:
    """Return the records of a JSON text; None if it is none.

    Raises:
        ConfigError: It is JSON without an array of objects.
    """
    start = text.replace("\x1e", "").lstrip("\ufeff \t\r\n")
    if start.startswith("["):
        found = list(islice(_elements(start, 1), MOST_RECORDS))
        records = [record for record in found if isinstance(record, dict)]
        if found and all(isinstance(element, list) for element in found):
            raise _no_records(content, "arrays stand where records should")
        if not records:
            if _OPENING.match(start):
                raise _no_records(content, "it begins like JSON, but cannot be read")
            return None
        return Records("json", records, is_whole=content.is_whole and len(found) < MOST_RECORDS)
    if not start.startswith("{"):
        return None
    lines = [line for line in start.splitlines() if line.strip()]
    if not content.is_whole and len(lines) > 1:
        lines = lines[:-1]
    by_line = [_objects(line, is_whole=content.is_whole) for line in lines[:MOST_RECORDS]]
    records = [record for found in by_line for record in found]
    if sum(map(bool, by_line)) * 2 > len(by_line):
        whole = content.is_whole and max(len(lines), len(records)) <= MOST_RECORDS
        if len(records) == 1 and _is_by_column(records[0]):
            raise _no_records(content, "each of its keys holds a whole column")
        if len(records) > 1 or not _places(records[0]):
            return Records("jsonl", records[:MOST_RECORDS], is_whole=whole)
    return _within(start, content)


def _objects(line: str, *, is_whole: bool) -> list[Record]:
    """Return the objects of a line of JSON, which may follow each other; none of any other line."""
    found = list(_elements(line, 0))
    if not is_whole and len(found) > 1:  # the last one may be cut off
        return [record for record in found if isinstance(record, dict)]
    single = _object(line)
    if single is not None:
        return [single]
    is_sequence = len(found) > 1 and all(isinstance(record, dict) for record in found)
    return found if is_sequence and line.rstrip().endswith("}") else []


def _object(line: str) -> Record | None:
    try:
        found = _DECODER.decode(line.strip())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _elements(text: str, at: int) -> Iterator[Any]:
    """Yield the elements of an array as far as the text goes."""
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at >= len(text) or text[at] == "]":
            return
        try:
            element, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield element


def _within(text: str, content: Content) -> Records:
    """Return the records of an array within one object."""
    document = _object(text)
    if document is not None:
        places = _places(document)
        if places:
            place = max(places, key=lambda p: (len(places[p]), -p.count(".")))
            return Records("json", places[place][:MOST_RECORDS], place)
        if _is_by_column(document):
            raise _no_records(content, "each of its keys holds a whole column")
        return Records("jsonl", [document])
    following = list(islice(_elements(text, 0), MOST_RECORDS))
    if following and all(isinstance(record, dict) for record in following):
        whole = content.is_whole and len(following) < MOST_RECORDS
        return Records("jsonl", following, is_whole=whole)
    for key in _top_arrays(text):
        found = list(islice(_elements(text, text.index("[", key[1]) + 1), MOST_RECORDS))
        records = [record for record in found if isinstance(record, dict)]
        if len(records) > 1:
            return Records("json", records, key[0], is_whole=False)
    raise ConfigError(
        "it begins like JSON, but holds no array of objects",
        where=str(content.path),
        hint="Look at it: it may be cut short.",
    )


def _is_by_column(document: Record) -> bool:
    """Return whether a document holds columns, each with all of its values, and no records."""
    data = document.get("data")
    if "columns" in document and isinstance(data, list) and data:
        return all(isinstance(row, list) for row in data)
    values = list(document.values())
    if all(isinstance(value, list) for value in values):
        is_column = not any(isinstance(cell, dict) for value in values for cell in value)
    else:  # by number of the row, as pandas writes a frame unless told otherwise
        is_column = all(
            isinstance(value, dict) and all(map(str.isdigit, value)) for value in values
        )
    sizes = {len(value) for value in values} if is_column else set()
    return len(values) > 1 and len(sizes) == 1 and max(sizes) > 1


def _no_records(content: Content, what: str) -> ConfigError:
    return ConfigError(
        f"{what}: its records are no objects, which is what can be read",
        where=str(content.path),
        hint="Have it written with one object a record (pandas: to_json(orient='records')).",
    )


def _top_arrays(text: str) -> Iterator[tuple[str, int]]:
    """Yield the keys of a large object whose values are arrays, with their places."""
    at = 1
    while at < len(text):
        start = text.find('"', at)
        if start < 0:
            return
        try:
            key, at = _DECODER.raw_decode(text, start)
            at = text.index(":", at) + 1
            while text[at] in " \t\r\n":
                at += 1
            if text[at] == "[":
                yield str(key), at
            _, at = _DECODER.raw_decode(text, at)
        except (ValueError, IndexError, RecursionError):
            return


def _places(document: Any, depth: int = 0) -> dict[str, list[Record]]:  # noqa: ANN401 - any JSON value
    """Return the arrays of objects within an object by their path."""
    found: dict[str, list[Record]] = {}
    if depth > _DEEPEST or not isinstance(document, dict):
        return found
    for key, value in document.items():
        if "." in key:
            continue
        if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            found[key] = value
        found.update({f"{key}.{k}": v for k, v in _places(value, depth + 1).items()})
    return found


def read_xml(content: Content, scratch: Path) -> Records:
    """Return the records of an XML text: the repeated element that lies highest.

    Raises:
        ConfigError: Nothing in it is repeated, or it is no XML.
    """
    name = _repeated_element(content)
    documents = Documents(scratch / "documents.txt", is_xml=True)
    try:
        markup_to_documents([content.head], documents, record=name)
    except RefusedError as error:
        if content.is_whole:
            raise ConfigError(
                error.reason, where=str(content.path), hint=error.hint or "Look at it."
            ) from error
    lines = documents.path.read_text(encoding="utf-8").splitlines()[:MOST_RECORDS]
    records = [record for line in lines if (record := _object(line)) is not None]
    return Records("xml", records, name, is_whole=content.is_whole)


def _with_short_floats(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows with numbers of 32 bits as they were written: 11.37, not 11.369999885559082."""
    for position, field in enumerate(batch.schema):
        if pa.types.is_float32(field.type):
            texts = pa.array(
                [
                    None if v is None else str(np.float32(v))
                    for v in batch.column(position).to_pylist()
                ]
            )
            batch = batch.set_column(position, field.name, texts)
    return batch


def _repeated_element(content: Content) -> str:
    counts: Counter[tuple[str, ...]] = Counter()
    has_children: set[tuple[str, ...]] = set()
    path: list[str] = []

    def start(name: str, attributes: Mapping[str, str], _: int) -> None:
        has_children.add(tuple(path))
        path.append(name)
        counts[tuple(path)] += 1
        if attributes:
            has_children.add(tuple(path))

    def end(_: str) -> None:
        path.pop()

    try:
        read_markup([content.head], start=start, end=end, text=_ignore)
    except RefusedError as error:
        if content.is_whole:
            raise ConfigError(
                error.reason, where=str(content.path), hint=error.hint or "Look at it."
            ) from error
    repeated = [p for p, n in counts.items() if n > 1 and p in has_children and len(p) > 1]
    candidates = repeated or [p for p in counts if p in has_children and len(p) > 1]
    if not candidates:
        raise ConfigError(
            "no element of it holds a record", where=str(content.path), hint="Look at another file."
        )
    return min(candidates, key=lambda p: (len(p), -counts[p]))[-1]


def _ignore(_: str) -> None:
    return


def read_parquet(content: Content) -> Records:
    """Return the first rows of a Parquet file.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        with pq.ParquetFile(content.path) as file:
            batch = next(file.iter_batches(batch_size=MOST_RECORDS), None)
            rows = file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(
            "it is no readable Parquet file", where=str(content.path), hint="Look at another one."
        ) from error
    records = _with_short_floats(batch).to_pylist() if batch is not None else []
    return Records("parquet", records, is_whole=rows <= MOST_RECORDS)
