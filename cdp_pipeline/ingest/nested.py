"""Readers of nested records: JSON lines, JSON arrays and XML.

All but plain JSON lines are cut into one record a line first (``documents``, ``markup``), which
counts them; ``json_sql`` then takes the columns out of the records.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cdp_pipeline.ingest.documents import (
    LARGEST_VALUE,
    Documents,
    array_to_documents,
    has_half_pairs,
)
from cdp_pipeline.ingest.endless import refuse_endless
from cdp_pipeline.ingest.headers import plain_name, refuse_missing
from cdp_pipeline.ingest.inflation import read_chunks
from cdp_pipeline.ingest.json_sql import array_path, paths_of, record_relation
from cdp_pipeline.ingest.markup import markup_to_documents
from cdp_pipeline.ingest.parts import repeat_records
from cdp_pipeline.ingest.plaintext import PlainText
from cdp_pipeline.ingest.reading import Reading, unknown_columns
from cdp_pipeline.ingest.records import count_records
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.ingest.sequences import SAMPLE_BYTES, is_sequence, sequence_to_documents
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.record_paths import Step

_NO_DELIMITER = "\x1f"
_LINES = (
    "read_csv(?, columns = {'line': 'varchar'}, header = false, auto_detect = false, "
    f"delim = '{_NO_DELIMITER}', quote = '', escape = '', strict_mode = false, "
    "store_rejects = true, rejects_limit = 0)"
)


def open_lines(text: PlainText, contract: SourceContract, scratch: Path) -> Reading:
    """Return how to read JSON lines.

    Raises:
        RefusedError: A required key stands in none of the first records.
    """
    with text.path.open("rb") as stream:
        head = stream.read(SAMPLE_BYTES)
    if head.lstrip()[:1] == b"[":
        raise RefusedError(
            "it is a JSON array, not JSON lines",
            hint="Set `format: json`, or have it delivered with one object a line.",
        )
    array = array_path(contract)
    if array or is_sequence(head):
        documents = Documents(scratch / "documents.txt", array)
        sequence_to_documents(text.path, documents, first_line=text.first_line)
        _refuse_columns(_first_records(documents.path), contract)
        return replace(_open_documents(documents, contract), has_nul=text.has_nul)
    first = _first_records(text.path)
    _refuse_columns(first or _first_line(text.path), contract)
    messages = _look_into_records(first, contract)
    count = count_records(text.path, start=0, quote="")
    refuse_endless(
        text.path,
        count.longest,
        contract.delivery,
        first_line=text.first_line,
        records=count.records,
    )
    relation, texts = record_relation(_LINES, contract, first=first)
    reading = Reading(
        relation=relation,
        path=text.path,
        texts=texts,
        first_line=text.first_line,
        records=count.records,
        is_regular=count.is_regular,
        is_nested=True,
        has_nul=text.has_nul,
        messages=messages,
    )
    return repeat_records(reading, contract, {})


def open_array(text: PlainText, contract: SourceContract, scratch: Path) -> Reading:
    """Return how to read a JSON array.

    Raises:
        RefusedError: It is no JSON, ends too early, or holds no such array.
    """
    documents = Documents(scratch / "documents.txt", array_path(contract))
    place = contract.delivery.records.split(".") if contract.delivery.records else []
    array_to_documents(text.path, documents, place=place)
    return replace(_open_documents(documents, contract), has_nul=text.has_nul)


def open_markup(path: Path, contract: SourceContract, scratch: Path) -> Reading:
    """Return how to read XML.

    Raises:
        RefusedError: It is no sound XML.
    """
    if path.stat().st_size == 0:
        raise RefusedError("the file is empty", hint="The export was not written; ask the sender.")
    documents = Documents(scratch / "documents.txt", array_path(contract), is_xml=True)
    markup_to_documents(read_chunks(path), documents, record=contract.delivery.records)
    return _open_documents(documents, contract)


def _open_documents(documents: Documents, contract: SourceContract) -> Reading:
    first = _first_records(documents.path)
    messages = _look_into_records(first, contract)
    relation, texts = record_relation(_LINES, contract, first=None if documents.is_xml else first)
    reading = Reading(
        relation=relation,
        path=documents.path,
        texts=texts,
        records=len(documents.lines),
        rows=documents.rows,
        is_nested=True,
        is_document=True,
        is_repeated=bool(documents.repeated),
        record_lines=documents.lines,
        messages=messages,
    )
    split = repeat_records(reading, contract, {})
    return split if split is reading else replace(split, rows=None)


def _first_records(path: Path) -> list[dict[str, Any]]:
    """Return the records in the head of a text with one on each line."""
    with path.open("rb") as stream:
        head = stream.read(SAMPLE_BYTES)
    return [document for line in head.splitlines() for document in _record_of(line)]


def _first_line(path: Path) -> list[dict[str, Any]]:
    """Return the record in a first line that is longer than the head of a text."""
    with path.open("rb") as stream:
        return _record_of(stream.readline(LARGEST_VALUE))


def _record_of(line: bytes) -> list[dict[str, Any]]:
    """Return the record on a line, if there is one whose keys and texts can be written."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return []
    is_record = isinstance(document, dict)
    return [document] if is_record and not has_half_pairs(document) else []


def _refuse_columns(records: Sequence[Mapping[str, Any]], contract: SourceContract) -> None:
    """Refuse a text whose one object lists the values of each column.

    Raises:
        RefusedError: Its key, or else each column, is a list where one value belongs.
    """
    record = records[0] if len(records) == 1 else {}
    plain = {
        name: record[steps[0].name]
        for name, paths in paths_of(contract).items()
        for steps in paths
        if len(steps) == 1 and steps[0] == Step(steps[0].name) and steps[0].name in record
    }
    key = [plain[name] for name in contract.load.key if name in plain]
    values = key or list(plain.values())
    if not values or not all(isinstance(value, list | dict) for value in values):
        return
    if key or len(values) > len({len(value) for value in values}) == 1:
        raise RefusedError(
            "it lists its columns one after another, not its records",
            hint="Have one object written for each record (pandas: orient='records').",
        )


def _look_into_records(
    records: Sequence[Mapping[str, Any]], contract: SourceContract
) -> tuple[str, ...]:
    """Return a warning about unknown keys in the first records.

    Raises:
        RefusedError: A required key stands in none of them.
    """
    keys = {key: None for record in records for key in record}
    known = {n: {steps[0].name for steps in paths} for n, paths in paths_of(contract).items()}
    all_known = {name for names in known.values() for name in names}
    unknown = tuple(
        k for k in keys if k not in all_known and not any(map_ignore(k, p) for p in contract.ignore)
    )
    missing = [
        name
        for name, column in contract.read_columns.items()
        if column.required and not known[name] & set(keys)
    ]
    if keys and missing:
        refuse_missing(missing, unknown, contract)
    return unknown_columns(unknown, contract.drift.new_columns)


def map_ignore(name: str, pattern: str) -> bool:
    """Return whether a contract's ``ignore`` entry covers a name."""
    return fnmatch.fnmatchcase(plain_name(name), plain_name(pattern))
