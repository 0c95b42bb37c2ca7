"""What kept nights still tell of people whose records have left the current one.

A record goes when its source no longer delivers it or its time is over; the customer's id then
sleeps as a hash, but deliveries and earlier versions hold what the record said. Without it, an
erasure would look for nothing but the id. Versions that were rolled back or replaced are not asked:
their ids may since have been given to others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import duckdb
import pyarrow as pa

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.identity.erasure.subjects import IDENTIFIERS, Subject
from cdp_pipeline.rights.traces import Holder, Traces, find_traces
from cdp_pipeline.storage.history import find_lineage
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.versions import published_versions
from cdp_pipeline.storage.warehouse import create_macros, has_table, open_whole

Records = set[tuple[str, str]]

_THEIRS = """
select a.number, m.source, m.record_key
from identity.customer_map as m
inner join departed_asked as a using (customer_id)
order by all
"""

_KNOWN = """
select source, record_key from identity.records
semi join departed_records using (source, record_key)
"""


def find_all_traces(
    con: duckdb.DuckDBPyConnection, context: RunContext, subjects: Sequence[Subject]
) -> Traces:
    """Return the traces of people, with those of records that only earlier versions tell.

    Args:
        con: Connection to the current version, with the macros of ``sql/macros``.
        context: Settings, which name the versions.
        subjects: The people as the current version knows them.
    """
    found: list[Records] = [set() for _ in subjects]
    held: set[Holder] = set()
    earlier = find_lineage(published_versions(DataPaths.of(context)))[:-1]
    for version in reversed(earlier):  # what a record said last is what is looked for
        with open_whole(context.settings, version=version.path, sandboxed=False) as old:
            departed = _find_departed(con, old, subjects, found)
            if any(departed):
                create_macros(old, context)
                then = [
                    replace(subject, records=tuple(sorted(records)))
                    for subject, records in zip(subjects, departed, strict=True)
                ]
                held |= find_traces(old, then).holders
        found = [one | more for one, more in zip(found, departed, strict=True)]
    everybody = [_with(s, n, found[n - 1], held) for n, s in enumerate(subjects, start=1)]
    return find_traces(con, everybody, departed=held)


def _find_departed(
    con: duckdb.DuckDBPyConnection,
    old: duckdb.DuckDBPyConnection,
    subjects: Sequence[Subject],
    found: Sequence[Records],
) -> list[Records]:
    """Return, by person, records of an old version that neither the current nor a later one has."""
    theirs: list[Records] = [set() for _ in subjects]
    if not has_table(old, "identity.customer_map"):
        return theirs
    asked = [(n, customer) for n, s in enumerate(subjects) for customer in s.customers]
    old.register("departed_asked", _table(("number", "customer_id"), asked))
    for number, source, key in old.execute(_THEIRS).fetchall():
        theirs[number].add((source, key))
    old.unregister("departed_asked")
    con.register(
        "departed_records",
        _table(("source", "record_key"), sorted(set[tuple[str, str]]().union(*theirs))),
    )
    known = {(source, key) for source, key in con.execute(_KNOWN).fetchall()}
    con.unregister("departed_records")
    return [records - known - later for records, later in zip(theirs, found, strict=True)]


def _with(subject: Subject, number: int, records: Records, held: set[Holder]) -> Subject:
    values = {value for n, kind, value in held if n == number and kind in IDENTIFIERS}
    return replace(
        subject,
        records=tuple(sorted({*subject.records, *records})),
        values=tuple(sorted({*subject.values, *values})),
    )


def _table(names: tuple[str, str], rows: Sequence[tuple[int | str, str]]) -> pa.Table:
    kind = pa.int64() if names[0] == "number" else pa.string()
    left = pa.array([row[0] for row in rows], kind)
    return pa.table([left, pa.array([row[1] for row in rows], pa.string())], list(names))
