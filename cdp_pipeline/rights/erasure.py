"""Erasure from beginning to end: everywhere, provably, and again without harm after any crash.

The order: tombstones, so that nothing comes back; staged rows, which tell where people stand; what
people wrote; what was delivered and, beside it, versions; files; the search that proves it; the
certificate. What is needed to go on after a crash lies in ``privacy/pending`` and is removed last.
Finding the person is ``identity``'s business.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import PrivacyError
from cdp_pipeline.identity.erasure.journals import erase_lines
from cdp_pipeline.identity.erasure.subjects import Subject, find_subjects
from cdp_pipeline.identity.grouping.remembered import Memory
from cdp_pipeline.privacy.suppression import add_tombstones, suppression_keys
from cdp_pipeline.rights.certifying import (
    SHOWN_FINDS,
    Certificate,
    Done,
    certificate_of,
    certify,
    state_facts,
)
from cdp_pipeline.rights.deliveries import (
    DeliveryCleaning,
    clean_raw,
    clean_staged,
    own_spellings,
)
from cdp_pipeline.rights.departed import find_all_traces
from cdp_pipeline.rights.files import clean_exports, clean_tree
from cdp_pipeline.rights.ignored import load_ignored
from cdp_pipeline.rights.mentions import redact_rows
from cdp_pipeline.rights.packed import forget_unpacked
from cdp_pipeline.rights.pending import (
    Pending,
    end_erasure,
    next_number,
    pending_files,
    read_pending,
    write_pending,
)
from cdp_pipeline.rights.removals import FOLDER as REMOVALS
from cdp_pipeline.rights.removals import find_removals, write_removals
from cdp_pipeline.rights.renewing import Renewing, drop_telling
from cdp_pipeline.rights.scan import Lookout, Scan, begin_folder, scan_folder
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.strays import clean_strays, look_again, written_here
from cdp_pipeline.rights.traces import Traces, add_words
from cdp_pipeline.rights.versions import CLEAN_PREFIX, Cleaning, clean_version
from cdp_pipeline.storage.at_rest import editable_file
from cdp_pipeline.storage.audit import Deed, note
from cdp_pipeline.storage.container import key_of
from cdp_pipeline.storage.exchange import remove_leftovers
from cdp_pipeline.storage.files import read_json
from cdp_pipeline.storage.lease import refuse_beside_living
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.renewal import FOLDER as RENEWAL
from cdp_pipeline.storage.renewal import PENDING
from cdp_pipeline.storage.versions import published_versions, recover
from cdp_pipeline.storage.warehouse import create_macros, open_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb


@contextmanager
def open_resolver(context: RunContext) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the current version so that people can be found in it."""
    with open_whole(context.settings, sandboxed=False) as con:
        create_macros(con, context)
        yield con


def find_people(
    con: duckdb.DuckDBPyConnection, context: RunContext, asked: Sequence[str]
) -> list[Subject]:
    """Return who is meant by customer ids, record names or identifiers; each person once.

    Raises:
        ConfigError: Nobody is meant, or several customers hold an identifier.
    """
    memory = Memory.of(context.settings.identity)
    load_ignored(con, context)
    return list(dict.fromkeys(find_subjects(con, asked, memory=memory)))


def erase_people(
    context: RunContext,
    subjects: Sequence[Subject],
    *,
    reason: str = "",
    requests: Sequence[tuple[str, str]] = (),
) -> Certificate:
    """Erase people from everything below the data folder; the caller holds the lock.

    Args:
        context: Settings, project, and the business date that is noted.
        subjects: The people, by ``find_people``.
        reason: Why, in a few words without personal data.
        requests: Source and number of the requests that asked for it.

    Raises:
        LockedError: Another night goes on between two steps.
        PrivacyError: Something of them is left; it is named, and a further try goes on.
    """
    paths = DataPaths.of(context)
    refuse_beside_living(paths)  # its work holds the people, and it would publish them again
    with open_resolver(context) as con:
        load_ignored(con, context)
        traces = find_all_traces(con, context, subjects)
        removals = find_removals(con, traces.customers)
    number = next_number(paths)
    what = f"{number}: {len(subjects)} people"
    note(context.settings, Deed("erase", what, traces.customers, reason, context.run_id))
    pending = Pending(number, traces, removals, tuple(requests), reason)
    write_pending(paths, pending)
    return _carry_out(context, pending)


def resume_erasures(context: RunContext) -> list[Certificate]:
    """Finish erasures that a crash interrupted.

    Raises:
        LockedError: Another night goes on between two steps.
        PrivacyError: Something of the people is left; it is named, and a further try goes on.
    """
    paths = DataPaths.of(context)
    pending = pending_files(paths)
    if pending:
        refuse_beside_living(paths)
    return [_finish(context, paths, path) for path in pending]


def _finish(context: RunContext, paths: DataPaths, path: Path) -> Certificate:
    certificate = certificate_of(paths, path.stem)
    if certificate.is_file():  # it died after everything was proved
        facts = read_json(certificate)
        end_erasure(paths, path.stem, facts)
        return Certificate(path.stem, certificate, facts)
    return _carry_out(context, read_pending(path))


def _carry_out(context: RunContext, pending: Pending) -> Certificate:
    paths = DataPaths.of(context)
    key = suppression_keys(context.settings)[0]
    tombstones = add_tombstones(
        paths,
        key,
        sorted(pending.traces.values),
        erasure=pending.erasure,
        on=context.business_date,
        holders=pending.traces.holders,
    )
    deliveries = pending.deliveries
    renewing = Renewing(context, pending.erasure)
    clean_staged(context, pending.traces, deliveries, keep=renewing.note_found)
    traces = add_words(pending.traces, own_spellings(context, pending.traces, deliveries))
    searcher = Searcher(traces)
    judged = erase_lines(paths, traces.everybody)
    remove_leftovers(paths.versions, CLEAN_PREFIX)
    recover(paths)
    forget_unpacked(paths.work)  # of a search that died: it is not looked at
    with (
        Lookout(searcher, context.settings.keys, paths.work) as lookout,
        ThreadPoolExecutor(1) as pool,
    ):
        # Deliveries are texts, which keep one core at work; versions leave some of each idle.
        delivered = pool.submit(_clean_delivered, context, paths, deliveries, lookout)
        versions = _clean_versions(context, paths, traces, searcher, renewing)
        delivered.result()
        write_removals(paths, pending.erasure, pending.removals)
        files = clean_files(context, paths, searcher)
        scan = _search(context, paths, lookout, deliveries, traces, renewing)
    closed = _closed_files(context, paths, scan)
    renewing.end(searcher, is_proved=not (closed or scan.finds))
    _refuse_unsearched(paths, pending, closed)
    done = Done(tombstones, deliveries, judged, versions, files, scan)
    return certify(paths, pending, state_facts(context, pending, done), scan.finds)


def _clean_versions(
    context: RunContext,
    paths: DataPaths,
    traces: Traces,
    searcher: Searcher,
    renewing: Renewing,
) -> dict[str, Cleaning]:
    """Clean every version; what two of them shared, they share again."""
    done: dict[str, Cleaning] = {}
    for before, version in pairwise([None, *published_versions(paths)]):
        if version:
            keep = renewing.keep_of(version)
            done[version.name] = clean_version(
                context, version, traces, searcher, cleaned=before, keep=keep
            )
    return done


def _clean_delivered(
    context: RunContext, paths: DataPaths, deliveries: DeliveryCleaning, lookout: Lookout
) -> None:
    """Rewrite what was delivered, and begin to look into it: it is clean from here on."""
    clean_raw(context, deliveries)
    for folder in (paths.landing, paths.staging, paths.archive):
        begin_folder(folder, lookout, typed=written_here(paths))


def _search(
    context: RunContext,
    paths: DataPaths,
    lookout: Lookout,
    deliveries: DeliveryCleaning,
    traces: Traces,
    renewing: Renewing,
) -> Scan:
    """Look everywhere, and take people out of deliveries and strays in which they are found."""
    look = partial(_search_folder, context, paths, lookout, deliveries)
    scan = look(context.data_dir, _excluded(paths))
    scan = _clean_mentions(context, paths, scan, traces, lookout.searcher, renewing)
    if paths.landing.is_relative_to(context.data_dir):
        return scan
    more = look(paths.landing, ())
    # What is broken there is no file of ours.
    closed = [str(p) for p in map(paths.landing.joinpath, more.unreadable) if key_of(p)]
    return Scan(
        scan.finds + more.finds,
        scan.files + more.files,
        scan.unreadable + closed,
        scan.cleaned + more.cleaned,
        scan.mentioning,
    )


def _search_folder(
    context: RunContext,
    paths: DataPaths,
    lookout: Lookout,
    deliveries: DeliveryCleaning,
    root: Path,
    excluded: Sequence[Path],
) -> Scan:
    searcher, typed = lookout.searcher, written_here(paths)
    scan = scan_folder(root, searcher, excluded=excluded, typed=typed, lookout=lookout)
    found = {root / find.file for find in scan.finds}
    # Deliveries are searched here and not before: nearly all hold nobody but on the noted lines.
    cleaned = clean_raw(context, deliveries, searcher=searcher, only=found) if found else set()
    scan = look_again(context, root, scan, cleaned, searcher)
    return clean_strays(context, root, scan, searcher)


def _clean_mentions(
    context: RunContext,
    paths: DataPaths,
    scan: Scan,
    traces: Traces,
    searcher: Searcher,
    renewing: Renewing,
) -> Scan:
    """Replace words that are left in rows of others, staged, set aside or published."""
    found = {context.data_dir / find.file for find in scan.finds}
    cleaned, scratch = [], paths.ensure(paths.work)
    for path in sorted(found):
        if path.suffix == ".parquet" and {paths.staging, paths.quarantine} & {*path.parents}:
            # Rows that were set aside are in no table of entities.
            is_staged = paths.staging in path.parents
            told = partial(renewing.note_keys, path.parent.name) if is_staged else None
            with editable_file(path, context.settings.keys, scratch) as plain:
                cleaned += [path] if redact_rows(plain, searcher, scratch, keep=told) else []
    for version in published_versions(paths):
        held = [path for path in found if path.is_relative_to(version.path)]
        keep = renewing.keep_of(version)
        if (
            held
            and clean_version(context, version, traces, searcher, has_mentions=True, keep=keep).rows
        ):
            cleaned += held
    left = look_again(context, context.data_dir, scan, cleaned, searcher)
    return replace(left, mentioning=len(cleaned))


def _closed_files(context: RunContext, paths: DataPaths, scan: Scan) -> list[str]:
    """Return our own files that the search could not look into; a delivery may be broken."""
    delivered = (paths.landing, paths.archive)
    return [
        name
        for name in scan.unreadable
        if key_of(context.data_dir / name)  # encrypted with a key that is not set
        or not any((context.data_dir / name).is_relative_to(folder) for folder in delivered)
    ]


def _refuse_unsearched(paths: DataPaths, pending: Pending, closed: Sequence[str]) -> None:
    """Accept no search that could not look into our own files.

    Raises:
        PrivacyError: Such a file is broken; it is named.
    """
    if closed:
        raise PrivacyError(
            f"erasure {pending.erasure} is not proved: {len(closed)} files cannot be looked into: "
            + "; ".join(closed[:SHOWN_FINDS]),
            where=str(paths.privacy / PENDING / f"{pending.erasure}.json"),
            hint="Restore or remove these files, then run `cdp privacy resume`.",
        )


def clean_files(context: RunContext, paths: DataPaths, searcher: Searcher) -> dict[str, int]:
    """Take people out of everything beside deliveries and versions."""
    drop_telling(context, searcher)
    gone: dict[str, int] = {}
    for folder in sorted(paths.outbox.glob("*/*")) if paths.outbox.is_dir() else []:
        if folder.is_dir() and folder.name != REMOVALS:
            taken = clean_exports(folder, searcher, context.settings.keys, paths.work)
            gone["outbox"] = gone.get("outbox", 0) + sum(taken.values())
    for folder in sorted((context.data_dir / "work").glob("*")):
        if folder != paths.work:  # what is left of runs that died
            shutil.rmtree(folder)
    left_out = {
        *(paths.landing, paths.archive, paths.staging, paths.quarantine, paths.versions),
        *(paths.outbox, context.data_dir / "work"),
        *(paths.privacy / PENDING, paths.privacy / RENEWAL),
    }
    for name, count in clean_tree(context.data_dir, searcher, excluded=frozenset(left_out)).items():
        gone[name] = gone.get(name, 0) + count
    return {name: count for name, count in gone.items() if count}


def _excluded(paths: DataPaths) -> list[Path]:
    """Return what is not searched: the list by which to go on, and what recipients must be told."""
    removals = sorted(paths.outbox.glob(f"*/{REMOVALS}")) if paths.outbox.is_dir() else []
    return [paths.privacy / PENDING, paths.work, *removals]
