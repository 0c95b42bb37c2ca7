"""Reader of Parquet: columns by name, fields of structs by path, lists as if they were JSON.

Its values have types of their own; here they become the texts that a contract's types are held
against, without a digit more or less than was delivered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import duckdb
from duckdb.sqltypes import DuckDBPyType

from cdp_pipeline.ingest.headers import map_names, plain_name, refuse_missing, spellings
from cdp_pipeline.ingest.inflation import is_compressed, read_chunks
from cdp_pipeline.ingest.json_sql import array_path, paths_of, record_relation
from cdp_pipeline.ingest.nested import map_ignore
from cdp_pipeline.ingest.parts import repeat_records
from cdp_pipeline.ingest.reading import Reading, lacking_columns, unknown_columns
from cdp_pipeline.ingest.refusal import WITHOUT_KEY, RefusedError, is_of_machine
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.storage.tabular import text_of_bytes
from cdp_pipeline.storage.warehouse import quote_column

_WHOLE_BELOW = {"DOUBLE": 1 << 53, "FLOAT": 1 << 24}
"""Binary fractions below are exact if they are whole; from there on digits may be lost."""

_PLAIN_BELOW = "1e16"
"""Larger binary fractions are written with an exponent, by DuckDB as by others."""

_ELEMENT = "_cdp_element"
"""Name of a list's element in SQL; a column called so would be taken for it."""

_INEXACT_IN_JSON = re.compile(r"\bDECIMAL\(\d+,\s*\d+\)|\bFLOAT\b")
"""Types whose values JSON would make binary fractions of, and so other numbers."""


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
        raise _unreadable(error) from error
    places = {plain_name(row[0]): quote_column(row[0]) for row in rows}
    if _needs_json(contract):
        places = _exact_places(con, path, contract)
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
    found = {name: places[names[index]] for name, index in columns.positions.items()}
    reading = Reading(
        relation="read_parquet(?)",
        path=path,
        texts=_texts(con, path, contract, found),
        records=int(records[0][0]),
        messages=(
            *unknown_columns(
                tuple(n for n in columns.unknown if n in top_level), contract.drift.new_columns
            ),
            *lacking_columns(columns.lacking, contract.drift.missing_columns),
        ),
    )
    return repeat_records(reading, contract, {})


def _unreadable(error: duckdb.Error) -> RefusedError:
    if "is encrypted" in str(error):
        return RefusedError("it is encrypted Parquet", hint=WITHOUT_KEY)
    return RefusedError(
        "it is not a readable Parquet file", hint="Have it sent again, or set `format:`."
    )


def _texts(
    con: duckdb.DuckDBPyConnection, path: Path, contract: SourceContract, found: dict[str, str]
) -> dict[str, str]:
    """Return SQL of each column's text, by what the file's type and the declared one are."""
    if not found:
        return {}
    values = ", ".join(found.values())
    described = con.execute(f"describe select {values} from read_parquet(?)", [str(path)])  # noqa: S608 - quoted
    kinds = [row[1] for row in described.fetchall()]
    return {
        name: _text_sql(value, kind, declared=contract.columns[name].type)
        for (name, value), kind in zip(found.items(), kinds, strict=True)
    }


def _text_sql(value: str, kind: str, *, declared: str) -> str:
    """Return SQL of a value's text.

    Identifiers that met an empty cell are binary fractions in many tools: 17850.0 is 17850, and no
    number is no value. Days are moments at midnight there.
    """
    text = f"cast({value} as varchar)"
    if kind in _WHOLE_BELOW:
        is_whole = f"{value} = trunc({value}) and abs({value}) < {_WHOLE_BELOW[kind]}"
        whole = f"when {is_whole} then cast(cast({value} as bigint) as varchar)"
        if declared == "text":  # lost digits are written so that they are seen as those of CSV are
            lost = f"when {value} = trunc({value}) and abs({value}) < {_PLAIN_BELOW} "
            lost += f"then format('{{:.15E}}', cast({value} as double))"
            return f"case when isnan({value}) then null {whole} {lost} else upper({text}) end"
        return f"case {whole} else {text} end"
    if declared == "date" and re.fullmatch(r"TIMESTAMP(_S|_MS|_NS)?", kind):
        day = f"cast({value} as date)"
        return f"case when {value} = {day} then cast({day} as varchar) else {text} end"
    if kind == "BLOB":
        return text_of_bytes(value, otherwise=text)  # true bytes stay escaped
    return text


def _exact_places(
    con: duckdb.DuckDBPyConnection, path: Path, contract: SourceContract
) -> dict[str, str]:
    """Return SQL of each column by name; what JSON would change is a text, however deep within."""
    declared = {
        (plain_name(steps[0].name), *(step.name for step in steps[1:])): contract.columns[name].type
        for name, paths in paths_of(contract).items()
        for steps in paths
    }
    found = con.execute("select * from read_parquet(?) limit 0", [str(path)])
    columns = [(column[0], column[1]) for column in found.description]
    found.fetchall()  # what is not read to its end keeps the connection
    return {
        plain_name(header): _exact(quote_column(header), kind, (plain_name(header),), declared)
        for header, kind in columns
    }


def _exact(
    value: str, kind: DuckDBPyType, path: tuple[str, ...], declared: Mapping[tuple[str, ...], str]
) -> str:
    """Return SQL of a value whose declared parts are texts, as they are outside lists."""
    if kind.id == "struct":
        kinds = _within(kind)
        parts = {name: f"{value}.{quote_column(name)}" for name in kinds}
        exact = {n: _exact(parts[n], of, (*path, n), declared) for n, of in kinds.items()}
        if exact == parts:
            return value
        packed = ", ".join(f"{quote_column(name)} := {sql}" for name, sql in exact.items())
        return f"case when {value} is not null then struct_pack({packed}) end"
    if kind.id in {"list", "array"}:
        outer = value.partition(".")[0]  # the name of an element of a list around this one
        element = f"{outer}_" if outer.startswith(_ELEMENT) else _ELEMENT
        exact_element = _exact(element, _within(kind)["child"], path, declared)
        if exact_element == element:
            return value
        return f"list_transform({value}, lambda {element}: {exact_element})"
    if path in declared and re.fullmatch(r"DOUBLE|FLOAT|BLOB|TIMESTAMP\w*", str(kind)):
        return _text_sql(value, str(kind), declared=declared[path])
    exact_kind = _INEXACT_IN_JSON.sub("VARCHAR", str(kind))
    return value if exact_kind == str(kind) else f"cast({value} as {exact_kind})"


def _within(kind: DuckDBPyType) -> dict[str, DuckDBPyType]:
    """Return the types within one, by name; a list's is called child."""
    return {name: of for name, of in kind.children if isinstance(of, DuckDBPyType)}


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
