"""Tonight's files for every destination: full lists, differences and triggers, each with proof.

Order of the night: carry the contact log, choose triggers, then per destination choose people,
write files and the manifest, and remember what was sent, so that tomorrow only differences go out
and everybody can be removed by the identifiers that were sent. Files lie in ``exports/`` of the
run's tree until the version is published; ``deliver`` hands them over.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import duckdb

from cdp_pipeline.activation.audience import (
    EXCLUSIONS,
    Reach,
    ReachFinder,
    choose_members,
    count_outcomes,
    prove_consent,
)
from cdp_pipeline.activation.differences import (
    added_sql,
    open_memory,
    remember,
    removed_sql,
    segments_held,
)
from cdp_pipeline.activation.files import ExportedFile, write_manifest, write_rows
from cdp_pipeline.activation.projection import (
    file_columns,
    rows_sql,
    vet_destination,
)
from cdp_pipeline.activation.proofs import finish_proofs, note_proofs, open_proofs
from cdp_pipeline.activation.triggers import OfferOutcome, carry_contact_log, choose_triggers
from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.log import get_logger
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.project.marketing import DestinationSpec
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import (
    declare_table,
    describe,
    fetch_dicts,
    open_build,
)

_LOG = get_logger(__name__)

_EXPORTS_TABLE = """
create or replace table ops.exports (
    destination varchar, segment_or_offer varchar, content varchar, file_name varchar,
    kind varchar, rows bigint, bytes bigint, sha256 varchar, definition_sha256 varchar,
    member_count bigint, excluded_no_consent bigint, excluded_no_contact bigint,
    excluded_shared_contact bigint, excluded_holdout bigint, excluded_cap bigint,
    excluded_incomplete bigint
)
"""


@dataclass(frozen=True)
class _Night:
    """What every file of this night needs."""

    con: duckdb.DuckDBPyConnection
    context: RunContext
    project: Project
    folder: Path
    columns: dict[str, str]
    segments: dict[str, dict[str, str]]
    offers: list[OfferOutcome]
    finder: ReachFinder


@dataclass(frozen=True)
class _Item:
    """The segment or offer that a file holds, for one destination."""

    spec: DestinationSpec
    name: str
    definition_sha256: str


def run(context: RunContext) -> StepResult:
    """Write tonight's files of every destination below ``exports/`` of the run's tree.

    Makes:
        ``ops.exports``: one row per file. ``ops.contact_log``: one row per trigger handed over,
        ever. ``ops.export_members``: what each destination was last told. ``ops.export_proofs``:
        the consent behind every row.

    Raises:
        ConfigError: An offer or destination names a column that does not exist.
        PrivacyError: A file would hold somebody who is not permitted; nothing is published.
    """
    project = load_project(context.project_root)
    folder = DataPaths.of(context).tree / "exports"
    shutil.rmtree(folder, ignore_errors=True)
    with open_build(context) as con:
        columns = describe(con, "features.customer_features")
        for name, spec in project.destinations.items():
            path = project.path_of("destination", name)
            vet_destination(spec, columns=columns, path=path)
        definitions = fetch_dicts(con, "select * from segments.definitions order by segment")
        segments = {row["segment"]: row for row in definitions}
        carry_contact_log(con)
        finder = ReachFinder(con, context.business_date, project.consent)
        offers, messages = choose_triggers(
            con, context, project, served=frozenset(segments), finder=finder
        )
        night = _Night(con, context, project, folder, columns, segments, offers, finder)
        files = _write_all(night, messages)
        _record(con, files)
        finish_proofs(con)
        for table in ("exports", "contact_log", "export_members", "export_proofs"):
            declare_table(con, project.table(f"ops.{table}"))
    return _tell(files, offers, messages)


def _write_all(night: _Night, messages: list[str]) -> list[tuple[DestinationSpec, ExportedFile]]:
    open_memory(night.con)
    open_proofs(night.con)
    files: list[tuple[DestinationSpec, ExportedFile]] = []
    for _, spec in sorted(night.project.destinations.items()):
        if spec.content == "trigger":
            written = _write_triggers(night, spec)
        else:
            written = _write_audiences(night, spec, messages)
        facts = {
            "destination": spec.name,
            "business_date": night.context.business_date.isoformat(),
            "content": spec.content,
            "consent_purpose": spec.purpose,
            "consent_channel": spec.channel,
            "consent_also": sorted(spec.also_needs),
        }
        write_manifest(night.folder / spec.name, facts, written)
        files += [(spec, file) for file in written]
    return files


def _write_triggers(night: _Night, spec: DestinationSpec) -> list[ExportedFile]:
    written = []
    for offer in night.offers:
        if spec.name not in offer.destinations:
            continue
        # A trigger row has passed consent, holdout and caps; this file only gives it its shape.
        night.con.execute(
            "create or replace temp table chosen as "
            "select customer_id, 'sent' as outcome from triggers where offer = $offer",
            {"offer": offer.spec.name},
        )
        purpose = night.project.segments[offer.spec.segment].purpose
        reach = _reach(night, spec, purpose)
        _make_rows(night, spec, offer.spec.name, reach)
        item = _Item(spec, offer.spec.name, offer.spec.fingerprint)
        written.append(_write_full(night, item, offer.counts))
        note_proofs(night.con, destination=spec.name, name=offer.spec.name, reach=reach)
    return written


def _write_audiences(
    night: _Night, spec: DestinationSpec, messages: list[str]
) -> list[ExportedFile]:
    written: list[ExportedFile] = []
    wanted = _wanted(night, spec)
    for segment in wanted:
        reach = _reach(night, spec, night.segments[segment]["purpose"])
        choose_members(
            night.con,
            segment=segment,
            reach=reach,
            one_per_household=spec.one_per == "household",
        )
        counts = count_outcomes(night.con)
        _make_rows(night, spec, segment, reach)
        item = _Item(spec, segment, night.segments[segment]["definition_sha256"])
        is_small = counts["sent"] < spec.minimum_rows
        if is_small:
            too_few = f"{counts['sent']} rows, fewer than {spec.minimum_rows}: not written"
            messages.append(f"{spec.name}: {segment} has {too_few}")
        else:
            written.append(_write_full(night, item, counts))
            note_proofs(night.con, destination=spec.name, name=segment, reach=reach)
        if spec.has_delta:
            written += _write_differences(night, item, with_added=not is_small)
    return written + _withdraw_retired(night, spec, wanted)


def _wanted(night: _Night, spec: DestinationSpec) -> list[str]:
    """Return the served segments of a destination: those it names, or those of its channel."""
    if spec.segments:
        return [name for name in spec.segments if name in night.segments]
    if not spec.channel:
        return list(night.segments)
    return [name for name, row in night.segments.items() if row["channel"] == spec.channel]


def _withdraw_retired(
    night: _Night, spec: DestinationSpec, wanted: list[str]
) -> list[ExportedFile]:
    """Write removals for segments that the destination still holds but gets no longer."""
    written: list[ExportedFile] = []
    retired = set(segments_held(night.con, spec)) - set(wanted) if spec.has_delta else set()
    for segment in sorted(retired):
        night.con.execute(
            "create or replace temp table chosen as "
            "select customer_id, 'sent' as outcome from segments.membership where false"
        )
        _make_rows(night, spec, segment, None)
        written += _write_differences(night, _Item(spec, segment, ""), with_added=False)
    return written


def _reach(night: _Night, spec: DestinationSpec, segment_purpose: str) -> Reach | None:
    if not spec.channel:
        return None
    own = (segment_purpose, str(spec.channel))
    return night.finder.find(purposes=spec.gates | {own}, channel=spec.channel)


def _make_rows(night: _Night, spec: DestinationSpec, name: str, reach: Reach | None) -> None:
    night.con.execute(rows_sql(spec, columns=night.columns), {"name": name})
    prove_consent(night.con, rows="export_rows", reach=reach)


def _write_full(night: _Night, item: _Item, counts: dict[str, int]) -> ExportedFile:
    columns = file_columns(item.spec)
    select = f"select {columns} from export_rows order by customer_id"  # noqa: S608 - quoted
    return _write(night, item, kind="full", select=select, counts=counts)


def _write_differences(night: _Night, item: _Item, *, with_added: bool) -> list[ExportedFile]:
    removed = removed_sql(item.spec, segment=item.name)
    written = [_write(night, item, kind="removed", select=removed, counts={})]
    if with_added:
        added = added_sql(item.spec, segment=item.name)
        written.append(_write(night, item, kind="added", select=added, counts={}))
    remember(night.con, item.spec, segment=item.name, only_known=not with_added)
    return written


def _write(
    night: _Night, item: _Item, *, kind: str, select: str, counts: dict[str, int]
) -> ExportedFile:
    file_format = item.spec.format
    suffix = "" if kind == "full" else f"_{kind}"
    path = night.folder / item.spec.name / f"{item.name}{suffix}.{file_format}"
    rows, size, sha256 = write_rows(night.con, select=select, path=path, file_format=file_format)
    return ExportedFile(
        name=item.name,
        file_name=path.name,
        kind=kind,
        rows=rows,
        bytes=size,
        sha256=sha256,
        definition_sha256=item.definition_sha256,
        members=sum(counts.values()),
        excluded={reason: counts[reason] for reason in EXCLUSIONS if reason in counts},
    )


def _record(
    con: duckdb.DuckDBPyConnection, files: list[tuple[DestinationSpec, ExportedFile]]
) -> None:
    con.execute(_EXPORTS_TABLE)
    for spec, file in sorted(files, key=lambda pair: (pair[0].name, pair[1].file_name)):
        values = [
            spec.name,
            file.name,
            spec.content,
            file.file_name,
            file.kind,
            file.rows,
            file.bytes,
            file.sha256,
            file.definition_sha256,
            file.members,
            *(file.excluded.get(reason, 0) for reason in EXCLUSIONS),
        ]
        marks = ", ".join("?" * len(values))
        con.execute(f"insert into ops.exports values ({marks})", values)  # noqa: S608 - marks only


def _tell(
    files: list[tuple[DestinationSpec, ExportedFile]],
    offers: list[OfferOutcome],
    messages: list[str],
) -> StepResult:
    full = [file for _, file in files if file.kind == "full"]
    excluded: Counter[str] = Counter()
    for file in full:
        excluded.update(file.excluded)
    for offer in offers:
        members = sum(offer.counts.values())
        messages.append(f"offer {offer.spec.name}: {offer.counts['sent']} of {members} get it")
    _LOG.info("audiences_exported", files=len(files), rows=sum(file.rows for file in full))
    return StepResult(
        rows_in=sum(file.members for file in full),
        rows_out=sum(file.rows for file in full),
        rows_set_aside=sum(excluded.values()),
        messages=tuple(messages),
        facts={"files": len(files), "excluded": dict(sorted(excluded.items()))},
    )
