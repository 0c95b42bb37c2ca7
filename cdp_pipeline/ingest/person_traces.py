"""What in the rows of a source stands for one person, in every spelling.

A contract's feeds tell it: identifiers, the key of the person record, names with a birth date or
an address. Taking such rows out is done in ``suppressing``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from pyarrow import parquet

from cdp_pipeline.ingest.feeds import PERSON_ENTITY, record_key
from cdp_pipeline.ingest.loading import contract_columns
from cdp_pipeline.privacy.suppression import KINDS
from cdp_pipeline.project.contracts import SQL_TYPES, Feed, SourceContract
from cdp_pipeline.project.expressions import vet_scalar
from cdp_pipeline.storage.warehouse import quote_column, quote_literal

PII_KINDS = {"email": "email", "phone": "phone", "cookie": "cookie"}
"""Kinds of personal data by which a column names a person even if it feeds none."""


@dataclass(frozen=True)
class Trace:
    """Something in a row of a source that stands for one person.

    Attributes:
        kind: What it is, as in tombstones.
        raw: SQL over the staged columns: the value as it was delivered.
        clean: SQL that gives every spelling the same text, as ``value``: select lists over ``raw``
            and what the list before made. One expression would repeat itself within the macros
            until nothing can plan it.
    """

    kind: str
    raw: str
    clean: tuple[str, ...]


def person_traces(contract: SourceContract) -> list[Trace]:
    """Return everything in a row of a source that stands for one person."""
    columns = contract_columns(contract)
    found: dict[Trace, None] = {}
    for feed in contract.feeds:
        if feed.entity == PERSON_ENTITY:
            found |= dict.fromkeys(_feed_traces(contract, feed, columns))
    for name, column in contract.columns.items():
        kind = PII_KINDS.get(column.pii or "")
        if kind:
            found[_plain_trace(kind, quote_column(name))] = None
    return list(found)


def key_columns(contract: SourceContract) -> list[str]:
    """Return the columns of a source's key; empty if there is none or it is personal data."""
    key = contract.load.key
    return [] if any(contract.columns[name].pii for name in key) else list(key)


def staged_relation(contract: SourceContract, rows: Path) -> str:
    """Return a staged file as a relation with row numbers that lacks no column of its contract.

    What was staged before a column was declared lies beside what was staged since, and tells people
    as well.

    Args:
        contract: The source's contract as it is now.
        rows: Staged Parquet file in clear.
    """
    held = set(parquet.read_schema(rows).names)
    lacking = [
        f", cast(null as {SQL_TYPES[column.type]}) as {quote_column(name)}"
        for name, column in contract.columns.items()
        if name not in held
    ]
    place = quote_literal(str(rows))
    return f"(select *{''.join(lacking)} from read_parquet({place}, file_row_number = true))"  # noqa: S608 - quoted


def _plain_trace(kind: str, value: str) -> Trace:
    return Trace(
        kind, f"cast({value} as varchar)", (f"{KINDS[kind].format(value='raw')} as value",)
    )


def _feed_traces(contract: SourceContract, feed: Feed, columns: dict[str, str]) -> Iterator[Trace]:
    values = {
        name: vet_scalar(sql, columns=columns, where=f"{contract.name}: {name}")
        for name, sql in feed.columns.items()
    }
    for kind in KINDS:
        if kind in values:
            yield _plain_trace(kind, values[kind])
    source = quote_literal(f"{contract.name}/")
    yield Trace("record", f"cast({record_key(values)} as varchar)", (f"{source} || raw as value",))
    yield from _name_traces(values)


def _name_traces(values: dict[str, str]) -> Iterator[Trace]:
    """Yield names with a birth date or an address, which together tell a person."""
    part = "nullif(split_part(raw, chr(31), {number}), '')".format
    if "full_name" in values:
        names = [values["full_name"], "''"]
        steps = [
            f"identity_unmark({part(number=1)}) as whole",
            "whole, identity_untitle(whole) as untitled",
            "identity_split_name(whole, untitled) as name",
            "name.given as given, name.family as family",
        ]
    elif {"given_name", "family_name"} <= set(values):
        names = [values["given_name"], values["family_name"]]
        steps = [
            f"identity_unmark({part(number=1)}) as a, identity_unmark({part(number=2)}) as b",
            "identity_untitle(a) as given, identity_untitle(b) as family",
        ]
    else:
        return
    steps += [
        "identity_letters(given) as given_words, identity_letters(family) as family_words",
        "nullif(split_part(given_words, ' ', 1), '') || '|' || nullif(family_words, '') as told",
    ]
    if "birth_date" in values:
        raw = _joined(*names, values["birth_date"])
        yield Trace("name_birth", raw, (*steps, f"told || '|' || {part(number=3)} as value"))
    if {"street", "postcode"} <= set(values):
        place = f"identity_street({part(number=3)}) as street, {part(number=4)} as code"
        last = "told || '|' || street || '|' || identity_postcode(code) as value"
        raw = _joined(*names, values["street"], values["postcode"])
        yield Trace("name_address", raw, (*steps, f"told, {place}", last))


def _joined(*values: str) -> str:
    texts = ", ".join(f"coalesce(cast({value} as varchar), '')" for value in values)
    return f"concat_ws(chr(31), {texts})"


def match_values(
    con: duckdb.DuckDBPyConnection, selects: Sequence[str], *, known: str | None
) -> None:
    """Make ``suppressed_values`` (kind, raw) of values that stand for erased people.

    Args:
        con: Connection; after ``load_tombstones`` unless values are known.
        selects: SELECTs of kind, raw and value, each of distinct rows.
        known: Table (kind, value) of the people's values; default: tombstones decide.
    """
    seen = f"({' union all '.join(selects)})"
    if known:
        found = (
            f"select distinct seen.kind, seen.raw from {seen} as seen "  # noqa: S608 - own SQL
            f"inner join {known} as k on k.kind = seen.kind and k.value = seen.value"
        )
    else:  # tokens are made before they are looked up, not once for every tombstone
        found = (
            "with told as materialized (select seen.kind, seen.raw, k.key_id, "  # noqa: S608 - same
            "suppression_token(k.inner_pad, k.outer_pad, seen.kind, seen.value) as token "
            f"from {seen} as seen cross join suppression_keys as k where seen.value is not null) "
            "select distinct kind, raw from told semi join suppressed_tokens as t "
            "on t.kind = told.kind and t.key_id = told.key_id and t.token = told.token"
        )
    con.execute(f"create or replace temp table suppressed_values as {found}")


def trace_select(trace: Trace, relation: str, *, also: str = "") -> str:
    """Return the SELECT of kind, raw and value of a trace's distinct values, and more columns."""
    more = f", {also}" if also else ""
    known = f"(select distinct {trace.raw} as raw{more} from {relation})"  # noqa: S608 - own SQL
    for step in trace.clean:
        known = f"(select raw{more}, {step} from {known})"  # noqa: S608 - own SQL
    return f"select '{trace.kind}' as kind, raw, value{more} from {known} where raw is not null"  # noqa: S608 - own SQL
