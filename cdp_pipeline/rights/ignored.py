"""Identifiers that linkage ignores, as they were delivered: null@..., noreply@..., shared ones.

Nobody is told from anybody else by such a value, so that no record of a version has it. Whoever
gives it with a request is found by it all the same, among the staged rows; and if nobody else has
it, it is a trace of theirs. Not so what is nobody's: 0000000000, a card of nines, none@none.com.
Strangers will write that again, and as the trace of one person it would keep all of them out.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.identity.erasure.subjects import IGNORED
from cdp_pipeline.ingest.person_traces import (
    Trace,
    person_traces,
    staged_relation,
    trace_select,
)
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.at_rest import plain_file
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import fetch_value, quote_literal

_KINDS = ("email", "phone", "loyalty_id")

_IS_MAILBOX = (
    "'{kind}' = 'email' and identity_is_junk_email(value) "
    "and not identity_is_junk_email(split_part(split_part(value, '@', 2), '.', 1))"
)
"""SQL of whether a value is an address that may be somebody's, though its name says "has none"."""

_IS_HUB = (
    "left(sha256('{kind}:' || value), 16) in "
    "(select value_hash from identity.hubs where field = '{kind}' and reason <> 'placeholder')"
)
"""SQL of whether linkage ignores a value because many strangers have it."""


def load_ignored(con: duckdb.DuckDBPyConnection, context: RunContext) -> None:
    """Make the temporary table ``subjects.IGNORED`` (source, record_key, kind, value).

    A value is normalised as in tombstones; it is listed for every record of a staged row with it.

    Args:
        con: Connection to a version, with the macros of ``sql/macros``.
        context: Settings and project.
    """
    con.execute(
        f"create or replace temp table {IGNORED} "
        "(source varchar, record_key varchar, kind varchar, value varchar)"
    )
    paths = DataPaths.of(context)
    for name, contract in load_project(context.project_root).sources.items():
        traces = person_traces(contract)
        keys = [trace for trace in traces if trace.kind == "record"]
        for path in sorted((paths.staging / name).glob("[!.]*.parquet")) if keys else []:
            with plain_file(path, context.settings.keys, paths.work) as plain:
                rows = staged_relation(contract, plain)
                for trace in traces:
                    if trace.kind in _KINDS:
                        _add(con, name, keys, trace, rows)


def _add(
    con: duckdb.DuckDBPyConnection, source: str, keys: Sequence[Trace], trace: Trace, relation: str
) -> None:
    """Add the ignored values of one column, with the records of the rows on which they stand."""
    con.execute(
        f"create or replace temp table ignored_values as select raw, value "  # noqa: S608 - own SQL
        f"from ({trace_select(trace, relation)}) "
        f"where ({_IS_MAILBOX.format(kind=trace.kind)}) or {_IS_HUB.format(kind=trace.kind)}"
    )
    if not fetch_value(con, "select count(*) from ignored_values"):
        return  # as in most: the keys need not be read
    for key in keys:
        con.execute(
            f"insert into {IGNORED} select distinct {quote_literal(source)}, "  # noqa: S608 - own SQL
            f"cast({key.raw} as varchar), '{trace.kind}', i.value from {relation} "
            f"inner join ignored_values as i on i.raw = {trace.raw} where {key.raw} is not null"
        )
