"""Readers of nested records: JSON lines, JSON arrays, XML, and Parquet with structs and lists.

All but plain JSON lines and plain Parquet are cut into one record a line first (``documents``,
``markup``), which counts them; ``json_sql`` then takes the columns out of the records.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.ingest.documents import LARGEST_VALUE, Documents, array_to_documents
from cdp_pipeline.ingest.headers import map_names, plain_name, refuse_missing, spellings
from cdp_pipeline.ingest.inflation import is_compressed, read_chunks
from cdp_pipeline.ingest.json_sql import array_path, paths_of, record_relation
from cdp_pipeline.ingest.markup import markup_to_documents
from cdp_pipeline.ingest.parts import repeat_records
from cdp_pipeline.ingest.plaintext import PlainText
from cdp_pipeline.ingest.reading import Reading, lacking_columns, unknown_columns
from cdp_pipeline.ingest.records import count_records
from cdp_pipeline.ingest.refusal import RefusedError, is_of_machine
from cdp_pipeline.ingest.sequences import SAMPLE_BYTES, is_sequence, sequence_to_documents
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.record_paths import Step
from cdp_pipeline.storage.warehouse import quote_column

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
    found = []
    for line in head.splitlines():
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            continue
        found += [document] if isinstance(document, dict) else []
    return found


def _first_line(path: Path) -> list[dict[str, Any]]:
    """Return the record in a first line that is longer than the head of a text."""
    with path.open("rb") as stream:
        line = stream.readline(LARGEST_VALUE)
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return []
    return [document] if isinstance(document, dict) else []


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


def open_parquet(
    con: duckdb.DuckDBPyConnection, path: Path, contract: SourceContract, scratch: Path
) -> Reading:
    """Return how to read Parquet; columns are found by name, fields of structs by path.

    Raises:
        RefusedError: It cannot be read, or columns are missing.
    """
    if is_compressed(path):
        target = scratch / "inflated.parquet"
        with target.open("wb") as stream:
            stream.writelines(read_chunks(path))
        path = target
    try:
        rows = con.execute("describe select * from read_parquet(?)", [str(path)]).fetchall()
        records = con.execute("select count(*) from read_parquet(?)", [str(path)]).fetchall()
    except duckdb.Error as error:
        if is_of_machine(error):
            raise
        raise RefusedError(
            "it is not a readable Parquet file", hint="Have it sent again, or set `format:`."
        ) from error
    places = {plain_name(row[0]): quote_column(row[0]) for row in rows}
    if _needs_json(contract):
        return _open_structs(path, contract, places, records=int(records[0][0]))
    spelled = [s for n, c in contract.read_columns.items() for s in spellings(n, c)]
    for spelling in spelled:  # as in JSON, quotes keep the dots of a name from being steps
        bare = plain_name(spelling.removeprefix('"').removesuffix('"'))
        if bare != plain_name(spelling) and bare in places:
            places[plain_name(spelling)] = places.pop(bare)
    top_level = set(places) - {plain_name(s.split(".")[0]) for s in spelled}
    for spelling in spelled:
        places.update(_nested_place(spelling, places))
    names = list(places)
    columns = map_names(names, contract)
    reading = Reading(
        relation="read_parquet(?)",
        path=path,
        texts={n: f"cast({places[names[i]]} as varchar)" for n, i in columns.positions.items()},
        records=int(records[0][0]),
        messages=(
            *unknown_columns(
                tuple(n for n in columns.unknown if n in top_level), contract.drift.new_columns
            ),
            *lacking_columns(columns.lacking, contract.drift.missing_columns),
        ),
    )
    return repeat_records(reading, contract, {})


def _needs_json(contract: SourceContract) -> bool:
    """Return whether a path goes into a list."""
    return any(
        step.is_each or step.selector or step.index is not None
        for paths in paths_of(contract).values()
        for steps in paths
        for step in steps
    )


def _open_structs(
    path: Path, contract: SourceContract, places: dict[str, str], *, records: int
) -> Reading:
    """Return how to read Parquet as if its rows were JSON."""
    known = {n: {plain_name(p[0].name) for p in ps} for n, ps in paths_of(contract).items()}
    missing = [
        n for n, c in contract.read_columns.items() if not c.optional and not known[n] & set(places)
    ]
    all_known = {name for names in known.values() for name in names}
    unknown = tuple(
        n
        for n in places
        if n not in all_known and not any(map_ignore(n, p) for p in contract.ignore)
    )
    if missing:
        refuse_missing(missing, unknown, contract)
    packed = ", ".join(
        f"{quote_column(name)} := {column}" for name, column in places.items() if name in all_known
    )
    lines = f"(select cast(to_json(struct_pack({packed})) as varchar) as line from read_parquet(?))"  # noqa: S608 - quoted
    relation, texts = record_relation(lines, contract)
    return Reading(
        relation=relation,
        path=path,
        texts=texts,
        records=records,
        is_nested=True,
        is_repeated=bool(array_path(contract)),
        messages=unknown_columns(unknown, contract.drift.new_columns),
    )


def _nested_place(spelling: str, places: dict[str, str]) -> dict[str, str]:
    """Return name and SQL of a field within a struct column, if the path begins with one."""
    top, *steps = spelling.split(".")
    name = plain_name(spelling)
    if name in places or not steps or plain_name(top) not in places:
        return {}
    return {name: ".".join([places[plain_name(top)], *map(quote_column, steps)])}
