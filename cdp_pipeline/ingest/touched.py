"""Which rows of the entities tonight's files may have changed, against the version built upon.

A file that has come since touches the keys of its rows, whatever becomes of them: rows of other
files change only if they share a key with it. That holds where rows add up by key (append, upsert)
and the entity's key is the contract's. A file past its time touches the keys of its rows likewise,
as long as it is there: it is deleted after the night. An erasure tells the keys of rows that it
took out or changed (``storage.renewal``). Where all that does not hold, or where a staged file has
otherwise changed or gone, no statement is made, and what reads the entity is built in one scan.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from cdp_pipeline import __version__
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.log import get_logger
from cdp_pipeline.ingest.deliveries import (
    plain_rows,
    planned_deliveries,
    read_notes,
    require_notes,
    staged_places,
)
from cdp_pipeline.ingest.expiring import is_past
from cdp_pipeline.ingest.feeds import SourceFeed
from cdp_pipeline.ingest.landing import IMMATERIAL_SETTINGS
from cdp_pipeline.ingest.ledger import EXPIRED
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.loader import Project
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.basis import Basis, Staged, begin_build, changes_of, read_basis
from cdp_pipeline.storage.container import size_of
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.renewal import Renewal, ended_erasures, find_renewal
from cdp_pipeline.storage.versions import parse_version
from cdp_pipeline.storage.warehouse import quote_column, quote_literal, read_plan

_BY_KEY = frozenset({"append", "upsert"})
_log = get_logger(__name__)


@dataclass(frozen=True)
class TouchedFiles:
    """Staged files of one source that have come since the version built upon.

    Attributes:
        added: Their rows.
        is_known: Whether nothing else has changed.
        past: SQL that is true of rows that went past their time since; empty if none can have.
        kept: All files, of which such rows may be.
        changed: Files with keys of rows that erasures took out or changed.
        is_told: Whether erasures told the keys of all such rows.
    """

    added: tuple[Path, ...] = ()
    is_known: bool = True
    past: str = ""
    kept: tuple[Path, ...] = ()
    changed: tuple[Path, ...] = ()
    is_told: bool = True


@dataclass(frozen=True)
class Changes:
    """What is new tonight, against the version built upon.

    Attributes:
        reason: Why every table is built anew; empty if the night's changes are enough.
        files: Files that have come since, by source.
        units: What erasures since left to be made anew: files of values, by name.
    """

    reason: str
    files: dict[str, TouchedFiles] = field(default_factory=dict)
    units: dict[str, tuple[Path, ...]] = field(default_factory=dict)


def begin_changes(context: RunContext, project: Project) -> Changes:
    """Note what the night rests on, decide whether it builds upon tables, and begin its file.

    Once a staged file has gone, or changed otherwise than by an erasure that told how, nothing is
    carried over: in a file of its own, nothing of rows that were taken back can remain. The version
    that an erasure leaves holds nothing of whom it erased.
    """
    paths = DataPaths.of(context)
    settings = context.settings.model_dump(mode="json", exclude=IMMATERIAL_SETTINGS)
    staged = {c.name: _staged_rows(context, c) for c in project.sources.values()}
    basis = Basis(
        package=__version__,
        declarations=project.fingerprint,
        settings=hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest(),
        staged={source: describe_staged(files) for source, files in staged.items()},
        erasures=ended_erasures(paths),
    )
    basis.write(paths.tree)
    published = read_plan(context).get("base_path")
    base = read_basis(Path(published).parent if published else None)
    files = {}
    renewal = _renewal_since(context, base) if base else None
    if renewal:
        for name, contract in project.sources.items():
            files[name] = _touched_files(context, contract, staged[name], renewal)
    changed = [name for name, found in files.items() if not found.is_known]
    reason = "a full build was asked for" if context.is_full else basis.differs_from(base)
    if base and not renewal and not reason:
        reason = "what an erasure changed since the version it builds upon is not proved"
    if changed and not reason:
        reason = f"staged files of {', '.join(changed)} have changed or gone"
    carried = {
        spec.full_name
        for spec in project.tables.values()
        if spec.header.incremental or spec.header.is_carried
    }
    for path in (paths.vault_db, paths.staging_db):
        path.unlink(missing_ok=True)
    begin_build(paths.build_db, Path(published) if published and not reason else None, carried)
    _log.info("basis_compared", rebuild=reason or "not needed")
    if reason or renewal is None:
        return Changes(reason)
    return Changes(reason, files, renewal.units)


def _renewal_since(context: RunContext, base: Basis) -> Renewal | None:
    """Return what erasures changed since the version built upon; None if that is not proved."""
    return find_renewal(
        DataPaths.of(context),
        context.settings.keys,
        known=base.erasures,
        version=str(read_plan(context).get("base_version")),
        staged=base.staged,
    )


def _touched_files(
    context: RunContext, contract: SourceContract, rows: list[tuple[Path, int]], renewal: Renewal
) -> TouchedFiles:
    gone = _expired_rows(context, contract)
    found = compare_staged(contract.name, rows, renewal.staged, expired=gone)
    past = _past_since(context, contract)
    kept = tuple(path for path, _ in rows) if past else ()
    changed = renewal.keys.get(contract.name, ())
    is_told = contract.name not in renewal.keyless
    found = replace(found, past=past, kept=kept, changed=changed, is_told=is_told)
    return _in_clear(context, found)


def _staged_rows(context: RunContext, contract: SourceContract) -> list[tuple[Path, int]]:
    found = []
    for delivery in planned_deliveries(context, contract.name):
        if delivery.is_loaded:
            notes, places = require_notes(context, delivery, contract)
            if notes.status == "loaded":
                found.append((places.rows, notes.accepted))
    return found


def _expired_rows(context: RunContext, contract: SourceContract) -> list[tuple[Path, int]]:
    """Return staged files past their time that are still there, with their rows."""
    found = []
    for delivery in planned_deliveries(context, contract.name):
        places = staged_places(context, delivery, contract)
        notes = read_notes(places) if delivery.status == EXPIRED else None
        if notes and notes.status == "loaded":
            found.append((places.rows, notes.accepted))
    return found


def _past_since(context: RunContext, contract: SourceContract) -> str:
    """Return SQL of the rows past their time tonight that the version built upon still had."""
    past = is_past(contract, night=context.business_date)
    base = read_plan(context).get("base_version")
    if not (past and base):
        return ""
    before = parse_version(Path(base)).business_date
    return f"{past} and not ({is_past(contract, night=before)})"


def describe_staged(files: Sequence[tuple[Path, int]]) -> dict[str, tuple[int, int]]:
    """Return rows and bytes of staged files by name: what tells that one has changed."""
    return {path.name: (rows, size_of(path)) for path, rows in files}


def compare_staged(
    source: str,
    files: Sequence[tuple[Path, int]],
    base: Staged,
    *,
    expired: Sequence[tuple[Path, int]] = (),
) -> TouchedFiles:
    """Return which staged files of a source have come since, or went past their time.

    Args:
        source: The source.
        files: Its staged files with their rows.
        base: Staged files of the version built upon.
        expired: Files past their time that have not been deleted yet.
    """
    now, before = describe_staged([*files, *expired]), base.get(source, {})
    kept = {name: now[name] for name in before if name in now}
    added = tuple(path for path, _ in files if path.name not in before)
    gone = tuple(path for path, _ in expired if path.name in before)
    return TouchedFiles((*added, *gone), is_known=kept == before)


def _in_clear(context: RunContext, found: TouchedFiles) -> TouchedFiles:
    added, kept = (
        tuple(plain_rows(context, path) for path in paths) for paths in (found.added, found.kept)
    )
    return replace(found, added=added, kept=kept)


def note_touched(
    con: duckdb.DuckDBPyConnection,
    entity: TableSpec,
    feeds: Sequence[SourceFeed],
    touched: dict[str, TouchedFiles],
) -> bool:
    """Make the table of an entity's keys that may have changed; return whether they are known.

    Args:
        con: Connection to the build.
        entity: The entity.
        feeds: What feeds it.
        touched: Files that have come since, by source.
    """
    keys = []
    for feed in feeds:
        named = _key_columns(entity, feed)
        sources = [feed.contract.name, *(join.source for join in feed.contract.join)]
        files = [touched.get(name, TouchedFiles(is_known=False)) for name in sources]
        if named is None or not all(file.is_known and file.is_told for file in files):
            return False
        # What is joined changes any row.
        if any(file.added or file.past or file.changed for file in files[1:]):
            return False
        told = filter(None, (files[0].added, files[0].changed))
        keys += [_keys_of(entity, feed.contract, named, rows) for rows in told]
        if files[0].past and files[0].kept:
            gone = _keys_of(entity, feed.contract, named, files[0].kept)
            keys.append(f"{gone} where {files[0].past}")
    types = {name: entity.header.columns[name].type for name in entity.header.key}
    nothing = ", ".join(f"cast(null as {t}) as {quote_column(n)}" for n, t in types.items())
    select = " union ".join([f"select {nothing} where false", *keys])
    con.execute(f"create or replace table {changes_of(f'staging.{entity.name}')} as {select}")
    return True


def _key_columns(entity: TableSpec, feed: SourceFeed) -> dict[str, str] | None:
    """Return the contract's column for each part of the entity's key; None if it is no such."""
    contract = feed.contract
    if contract.load.mode not in _BY_KEY or not entity.header.key:
        return None
    named = {}
    for name in entity.header.key:
        if name == "source":
            continue
        column = feed.feed.columns.get(name, "").strip()
        if column not in contract.load.key:
            return None
        named[name] = column
    return named


def _keys_of(
    entity: TableSpec, contract: SourceContract, named: dict[str, str], added: Sequence[Path]
) -> str:
    values = {"source": quote_literal(contract.name)}
    values |= {name: quote_column(column) for name, column in named.items()}
    selected = ", ".join(
        f"cast({values[name]} as {entity.header.columns[name].type}) as {quote_column(name)}"
        for name in entity.header.key
    )
    paths = ", ".join(quote_literal(str(path)) for path in added)
    return f"select distinct {selected} from read_parquet([{paths}])"  # noqa: S608 - quoted
