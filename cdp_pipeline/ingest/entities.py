"""Staged deliveries to entity tables and the ledger: the step ``load_staging``.

Reads every staged file of the plan, makes the current rows of each source, feeds the entities and
writes down what became of every record. Reading of deliveries happened in ``staging``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import duckdb

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.errors import DataQualityError
from cdp_pipeline.ingest.deliveries import (
    Delivery,
    StagedFile,
    plain_rows,
    planned_deliveries,
    read_notes,
    require_notes,
    staged_places,
)
from cdp_pipeline.ingest.drift import compare_with_history
from cdp_pipeline.ingest.expiring import expired_entries, is_past
from cdp_pipeline.ingest.feeds import CONSENT_ENTITY, PERSON_ENTITY, SourceFeed, build_entity
from cdp_pipeline.ingest.joining import feed_columns, join_sources
from cdp_pipeline.ingest.ledger import (
    EXPIRED,
    LedgerEntry,
    check_conservation,
    write_arrivals,
    write_ledger,
)
from cdp_pipeline.ingest.loading import (
    CONFLICT_RULE,
    CurrentRows,
    LoadFile,
    make_current,
)
from cdp_pipeline.ingest.setting_aside import write_conflicts
from cdp_pipeline.ingest.statements import STATEMENTS, keep_ledger, make_stated, note_statements
from cdp_pipeline.ingest.touched import Changes, begin_changes, note_touched
from cdp_pipeline.privacy.actions import read_actions, write_actions
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.storage.basis import decide
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.renewal import lay_out_units
from cdp_pipeline.storage.warehouse import declare_table, open_build, read_plan

CONFLICTS_FILE = "conflicting_keys.parquet"
REFUSED_RULE = "file_refused"


@dataclass(frozen=True)
class _Source:
    """One source of the night: its deliveries, the staged ones and its current rows."""

    contract: SourceContract
    listed: list[Delivery]
    files: list[LoadFile]
    current: CurrentRows
    where: str
    view: str = ""
    stated: str = ""
    columns: dict[str, str] = field(default_factory=dict)


def run(context: RunContext) -> StepResult:
    """Make the entity tables, ``ops.deliveries`` and ``ops.quarantine_summary``.

    Returns:
        Records delivered, rows in all entities, records not loaded.

    Raises:
        DataQualityError: A delivery is too small, a record is unaccounted for, or a row does not
            fit its entity.
        ContractError: A delivery has not been staged.
        ConfigError: A feed or exclusion is no SQL over its contract's columns.
    """
    project = load_project(context.project_root)
    changes = begin_changes(context, project)
    with open_build(context, is_compressed=False) as con:
        decide(con, changes.reason)
        lay_out_units(con, changes.units)
        sources = [_load(context, con, project, contract) for contract in project.sources.values()]
        sources = [_join(con, project, source) for source in sources]
        messages = [text for source in sources for text in source.current.messages]
        messages += [text for source in sources for text in _check_volume(context, source)]
        messages += [text for source in sources for text in _check_history(context, source)]
        rows: dict[str, int] = {}
        untried = _untried(sources, changes)
        for entity in sorted(
            project.entities.values(), key=lambda e: (e.name != PERSON_ENTITY, e.name)
        ):
            feeds = _feeds_of(entity.name, sources)
            rows[entity.name], said = build_entity(con, entity, feeds, untried=untried)
            messages += said
            if entity.name == CONSENT_ENTITY:
                rows[entity.name] = _keep_ledger(context, con, project, sources)
                if not changes.reason:
                    note_statements(con)
            else:
                note_touched(con, entity, feeds, changes.files)
        entries = [entry for source in sources for entry in _entries(context, source)]
        entries += expired_entries(con, _expired(sources))
        check_conservation(entries)
        write_ledger(
            con,
            entries,
            deliveries=project.table("ops.deliveries"),
            summary=project.table("ops.quarantine_summary"),
            night=context.business_date,
        )
        write_arrivals(con, read_plan(context).get("arrivals", ()), project.table("ops.arrivals"))
        write_actions(con, read_actions(DataPaths.of(context)), before=context.business_date)
        declare_table(con, project.table("ops.privacy_actions"))
    return _report(entries, rows, messages)


def _untried(sources: list[_Source], changes: Changes) -> dict[str, list[int]]:
    """Return the positions of new files of sources whose other rows were cast in an earlier night.

    Where rows or files went past their time, or rows were erased, rows that those had set aside may
    come forward, and what is joined changes any row: then all rows count as new.
    """
    found = {}
    for source in sources:
        touched = changes.files.get(source.contract.name)
        places = {file.rows: place for place, file in enumerate(source.files)}
        if touched is None or not touched.is_known or touched.past or source.contract.join:
            continue
        if touched.changed or not touched.is_told:
            continue
        if places.keys() >= set(touched.added):  # else one of them has expired
            found[source.contract.name] = sorted(places[path] for path in touched.added)
    return found


def _expired(sources: list[_Source]) -> list[Delivery]:
    return [d for source in sources for d in source.listed if d.status == EXPIRED]


def _keep_ledger(
    context: RunContext,
    con: duckdb.DuckDBPyConnection,
    project: Project,
    sources: list[_Source],
) -> int:
    """Complete the ledger of consent, whose statements outlive the files that brought them."""
    spec = project.table(STATEMENTS)
    kept = spec.header.retention
    return keep_ledger(
        con,
        night=context.business_date,
        expired=[(d.source, d.file_id) for d in _expired(sources)],
        kept_from=kept.kept_from(context.business_date) if kept else None,
        spec=spec,
    )


def _feeds_of(entity: str, sources: list[_Source]) -> list[SourceFeed]:
    """Return what feeds an entity; consent is fed by everything that was ever stated."""
    return [
        SourceFeed(
            s.contract,
            feed,
            s.stated if entity == CONSENT_ENTITY else s.view,
            s.where,
            s.columns,
            None if entity == CONSENT_ENTITY or s.contract.join else s.current.rows,
        )
        for s in sources
        for feed in s.contract.feeds
        if feed.entity == entity
    ]


def _load(
    context: RunContext,
    con: duckdb.DuckDBPyConnection,
    project: Project,
    contract: SourceContract,
) -> _Source:
    where = str(project.path_of("source", contract.name))
    listed = planned_deliveries(context, contract.name)
    files: list[LoadFile] = []
    for delivery in listed:
        if not delivery.is_loaded:
            continue
        notes, places = require_notes(context, delivery, contract)
        if notes.status == "loaded":
            files.append(LoadFile(delivery, plain_rows(context, places.rows)))
    past = is_past(contract, night=context.business_date)
    current = make_current(con, contract, files, where=where, past=past)
    target = DataPaths.of(context).quarantine / contract.name / CONFLICTS_FILE
    if current.conflicts:
        write_conflicts(con, contract, target)
    else:
        target.unlink(missing_ok=True)
    return _Source(contract, listed, files, current, where)


def _join(con: duckdb.DuckDBPyConnection, project: Project, source: _Source) -> _Source:
    """Return a source with the views that its feeds read."""
    contract, where = source.contract, source.where
    columns = feed_columns(contract, project.sources, where=where)
    view = join_sources(con, contract, project.sources, view=source.current.view, where=where)
    stated = view
    if any(feed.entity == CONSENT_ENTITY for feed in contract.feeds):
        rows = make_stated(con, contract, source.current, where=where)
        stated = join_sources(con, contract, project.sources, view=rows, where=where)
    return replace(source, view=view, stated=stated, columns=columns)


def _check_volume(context: RunContext, source: _Source) -> Iterator[str]:
    """Yield a warning for each new file that is too large.

    Raises:
        DataQualityError: A new file is too small.
    """
    expected = source.contract.delivery
    for file in source.files:
        if file.delivery.status != "new":
            continue
        notes, _ = require_notes(context, file.delivery, source.contract)
        if notes.records < expected.minimum_rows:
            raise DataQualityError(
                f"{notes.records} records are fewer than minimum_rows, {expected.minimum_rows}",
                where=file.delivery.file_name,
                hint=f"Ask {source.contract.owner} whether the file is whole; if it is, set a "
                "smaller `minimum_rows`.",
            )
        if expected.maximum_rows is not None and notes.records > expected.maximum_rows:
            yield (
                f"{file.delivery.file_name}: {notes.records} records are more than maximum_rows, "
                f"{expected.maximum_rows}"
            )


def _check_history(context: RunContext, source: _Source) -> Iterator[str]:
    """Yield a warning for each way in which tonight's files are unlike earlier ones.

    Raises:
        DataQualityError: The contract says that such a difference stops the night.
    """
    staged = [(f.delivery, _notes(context, source, f.delivery)) for f in source.files]
    for breach in compare_with_history(source.contract, staged):
        if breach.policy == "stop":
            raise DataQualityError(
                breach.text,
                where=breach.file_name,
                hint=f"Ask {source.contract.owner}; if it is right, set {breach.lenient} below "
                "`drift:` for this night and run again.",
            )
        yield f"{breach.file_name}: {breach.text}"


def _entries(context: RunContext, source: _Source) -> Iterator[LedgerEntry]:
    positions = {_identity(f.delivery): i for i, f in enumerate(source.files)}
    records = {f.delivery.sha256: _notes(context, source, f.delivery).records for f in source.files}
    for delivery in source.listed:
        if delivery.status == "duplicate_file":
            count = records.get(delivery.sha256, 0)
            yield LedgerEntry(
                delivery, "duplicate_file", count, duplicates=count, reason=delivery.reason
            )
        elif delivery.status == "refused":
            yield LedgerEntry(delivery, "refused", reason=delivery.reason)
        elif delivery.status == EXPIRED:
            continue  # their files may be gone: the version built upon has counted them
        elif delivery.status == "superseded":
            yield _superseded(context, source, delivery)
        else:
            notes = _notes(context, source, delivery)
            position = positions.get(_identity(delivery))
            yield _loaded(delivery, notes, source.current, position)


def _identity(delivery: Delivery) -> tuple[str, str]:
    return (delivery.file_name, delivery.sha256)


def _notes(context: RunContext, source: _Source, delivery: Delivery) -> StagedFile:
    return require_notes(context, delivery, source.contract)[0]


def _loaded(
    delivery: Delivery, notes: StagedFile, current: CurrentRows, position: int | None
) -> LedgerEntry:
    if position is None:
        rules = {REFUSED_RULE: notes.records}
        return LedgerEntry(
            delivery,
            "refused",
            notes.records,
            quarantined=notes.records,
            reason=notes.reason,
            rules=rules,
        )
    duplicates, conflicts = current.duplicates[position], current.conflicts[position]
    excluded = current.excluded[position]
    return LedgerEntry(
        delivery,
        "loaded",
        notes.records,
        loaded=notes.accepted - duplicates - conflicts - excluded,
        quarantined=notes.quarantined + conflicts,
        duplicates=duplicates,
        excluded=excluded,
        suppressed=notes.suppressed,
        rules={**notes.rules, CONFLICT_RULE: conflicts},
    )


def _superseded(context: RunContext, source: _Source, delivery: Delivery) -> LedgerEntry:
    notes = read_notes(staged_places(context, delivery, source.contract))
    if notes is None:
        return LedgerEntry(delivery, "superseded", reason=delivery.reason)
    return LedgerEntry(
        delivery,
        "superseded",
        notes.records,
        quarantined=notes.quarantined,
        excluded=notes.accepted,
        suppressed=notes.suppressed,
        reason=delivery.reason,
        rules=notes.rules,
    )


def _report(entries: list[LedgerEntry], rows: dict[str, int], messages: list[str]) -> StepResult:
    not_loaded = sum(e.records - e.loaded for e in entries)
    return StepResult(
        rows_in=sum(e.records for e in entries),
        rows_out=sum(rows.values()),
        rows_set_aside=not_loaded,
        messages=tuple(messages[:20]),
        facts={
            "entities": rows,
            "loaded": sum(e.loaded for e in entries),
            "quarantined": sum(e.quarantined for e in entries),
            "duplicates": sum(e.duplicates for e in entries),
            "excluded": sum(e.excluded for e in entries),
            "suppressed": sum(e.suppressed for e in entries),
        },
    )
