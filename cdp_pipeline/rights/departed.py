"""What kept nights still tell of people whose records have left the current one.

A record goes when its source no longer delivers it or its time is over; the customer's id then
sleeps as a hash, but deliveries and earlier versions hold what the record said. Without it, an
erasure would look for nothing but the id. A record is theirs if the last night that gave it to
anybody gave it to them; what others said in that night or since is no trace of theirs. Versions
that were rolled back or replaced are not asked: their ids may since have been given to others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import duckdb
import pyarrow as pa

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import PrivacyError
from cdp_pipeline.identity.erasure.subjects import IDENTIFIERS, Subject
from cdp_pipeline.rights.homonyms import unshared_names
from cdp_pipeline.rights.names import Name
from cdp_pipeline.rights.traces import Holder, Traces, find_holders, find_traces
from cdp_pipeline.storage.history import find_lineage
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.versions import Version, published_versions
from cdp_pipeline.storage.warehouse import create_macros, first_line, has_table, open_whole

Record = tuple[str, str]
"""Source and key."""

Owners = dict[Record, int]
"""Number of a person among the subjects, from 1, by record."""

_THEIRS = """
select m.source, m.record_key, a.number
from identity.customer_map as m
left join departed_people as a using (customer_id)
where a.number is not null
    or (m.source, m.record_key) in (select (source, record_key) from departed_records)
order by all
"""

_KNOWN = """
select source, record_key from identity.records
semi join departed_records using (source, record_key)
"""

_CALLED = """
select distinct number, printed_given, printed_family
from told_records
where number is not null and printed_given is not null and printed_family is not null
order by all
"""


@dataclass
class _Told:
    """What versions told so far: who held what, names that nobody else has, who had which."""

    held: set[Holder] = field(default_factory=set)
    names: set[Name] = field(default_factory=set)
    called: set[tuple[int, str, str]] = field(default_factory=set)


def find_all_traces(
    con: duckdb.DuckDBPyConnection, context: RunContext, subjects: Sequence[Subject]
) -> Traces:
    """Return the traces of people, with those of records that only earlier versions tell.

    Args:
        con: Connection to the current version, with the macros of ``sql/macros``.
        context: Settings, which name the versions.
        subjects: The people as the current version knows them.

    Raises:
        PrivacyError: An earlier version is damaged; it is named.
    """
    earlier = find_lineage(published_versions(DataPaths.of(context)))[:-1]
    owners: Owners = {}
    nights: list[Owners] = []
    for version in earlier:
        with _opened(context, version) as old:
            nights.append(_find_theirs(old, subjects, owners))
    now = {record: n for n, s in enumerate(subjects, start=1) for record in s.records}
    known = _find_known(con, owners)
    owners = {r: n for r, n in owners.items() if r not in known or now.get(r) == n}
    last = {record: night for night, theirs in enumerate(nights) for record in theirs}
    told = _Told()
    for night, version in enumerate(earlier):
        theirs = {r: n for r, n in nights[night].items() if owners.get(r) == n}
        leaving = {r: n for r, n in theirs.items() if last[r] == night and r not in known}
        if leaving or told.held or told.names:
            with _opened(context, version) as old:
                create_macros(old, context)
                _hear(old, subjects, leaving, theirs, told)
    departed = {record: n for record, n in owners.items() if record not in known}
    everybody = _with_records(subjects, departed)
    traces = find_traces(con, everybody, departed=told.held, names=told.names)
    return replace(traces, subjects=_with_values(everybody, traces, told))


@contextmanager
def _opened(context: RunContext, version: Version) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        with open_whole(context.settings, version=version.path, sandboxed=False) as old:
            yield old
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise PrivacyError(
            f"what this night tells of those to be erased cannot be read: {first_line(error)}",
            where=str(version.path),
            hint="Restore the version or remove its folder, then erase again.",
        ) from error


def _find_theirs(
    old: duckdb.DuckDBPyConnection, subjects: Sequence[Subject], owners: Owners
) -> Owners:
    """Return whose records a version says are the people's, and bring ``owners`` up to it."""
    if not has_table(old, "identity.customer_map"):
        return {}
    people = [(n, c) for n, s in enumerate(subjects, start=1) for c in s.customers]
    table = {
        "number": pa.array([number for number, _ in people], pa.int64()),
        "customer_id": pa.array([customer for _, customer in people], pa.string()),
    }
    old.register("departed_people", pa.table(table))
    _register_records(old, owners)
    theirs: Owners = {}
    for source, key, number in old.execute(_THEIRS).fetchall():
        if number is None:
            del owners[source, key]  # it is somebody else's since
        else:
            owners[source, key] = theirs[source, key] = number
    return theirs


def _find_known(con: duckdb.DuckDBPyConnection, owners: Owners) -> set[Record]:
    """Return those records that the current version still has, whosever they are."""
    _register_records(con, owners)
    known = {(source, key) for source, key in con.execute(_KNOWN).fetchall()}
    con.unregister("departed_records")
    return known


def _register_records(con: duckdb.DuckDBPyConnection, owners: Owners) -> None:
    records = sorted(owners)
    table = {
        "source": pa.array([source for source, _ in records], pa.string()),
        "record_key": pa.array([key for _, key in records], pa.string()),
    }
    con.register("departed_records", pa.table(table))


def _hear(
    old: duckdb.DuckDBPyConnection,
    subjects: Sequence[Subject],
    leaving: Mapping[Record, int],
    theirs: Mapping[Record, int],
    told: _Told,
) -> None:
    """Add what records said in the last night that had them; drop what others say in it.

    What the people's other records say is no stranger's, and is theirs if it is when they go.
    """
    gone = set(leaving.values())
    staying = {record: n for record, n in theirs.items() if record not in leaving}
    first, rest = _of_each(subjects, leaving), _of_each(subjects, staying)
    then = [
        *(
            replace(s, customers=s.customers if n in gone else (), records=first[n - 1])
            for n, s in enumerate(subjects, start=1)
        ),
        *(
            replace(s, customers=() if n in gone else s.customers, records=rest[n - 1])
            for n, s in enumerate(subjects, start=1)
        ),
    ]
    found = find_holders(old, then, departed=told.held)
    told.held = {holder for holder in found if holder[0] <= len(subjects)}
    told.names = unshared_names(old, told.names)
    told.called |= {
        ((number - 1) % len(subjects) + 1, given.casefold(), family.casefold())
        for number, given, family in old.execute(_CALLED).fetchall()
    }


def _of_each(subjects: Sequence[Subject], owners: Mapping[Record, int]) -> list[tuple[Record, ...]]:
    """Return the records of each of the people, sorted."""
    found: list[list[Record]] = [[] for _ in subjects]
    for record, number in sorted(owners.items()):
        found[number - 1].append(record)
    return [tuple(records) for records in found]


def _with_records(subjects: Sequence[Subject], departed: Owners) -> list[Subject]:
    more = _of_each(subjects, departed)
    return [
        replace(subject, records=tuple(sorted({*subject.records, *records})))
        for subject, records in zip(subjects, more, strict=True)
    ]


def _with_values(subjects: Sequence[Subject], traces: Traces, told: _Told) -> tuple[Subject, ...]:
    """Return the people with the identifiers and names of then that nobody else has now."""
    kept = [h for h in told.held & traces.holders if h[1] in IDENTIFIERS]
    called = [c for c in told.called if c[1:] in traces.names]
    return tuple(
        replace(
            s,
            values=tuple(sorted({*s.values, *(value for m, _, value in kept if m == n)})),
            names=tuple(sorted({*s.names, *((a, b) for m, a, b in called if m == n)})),
        )
        for n, s in enumerate(subjects, start=1)
    )
