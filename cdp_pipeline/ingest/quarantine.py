"""Look into the quarantine, and replay it once a contract or a file has been mended.

A replay stages the deliveries of set-aside rows again, under the contract of now, and says what
became of each row. The next night loads what it accepted; nothing is published here.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest.deliveries import Delivery, StagedFile, StagedPlaces, staged_places
from cdp_pipeline.ingest.entities import CONFLICTS_FILE, REFUSED_RULE
from cdp_pipeline.ingest.hashing import Hasher
from cdp_pipeline.ingest.landing import find_files
from cdp_pipeline.ingest.loading import CONFLICT_RULE
from cdp_pipeline.ingest.originals import archived_file
from cdp_pipeline.ingest.reasons import of_any_row
from cdp_pipeline.ingest.sealing import seal_staged
from cdp_pipeline.ingest.staging import open_scratch, stage_delivery
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.storage.at_rest import plain_file
from cdp_pipeline.storage.lock import hold_lock
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.redactions import original_hashes
from cdp_pipeline.storage.warehouse import connect, fetch_dicts, open_published

REPLAY_RUN = "quarantine-replay"

_LEDGER = """
    select d.source, d.file_id, d.file_name, d.sha256, d.bytes, d.business_date, d.status,
        coalesce(d.reason, '') as reason, coalesce(q.rule, 'file_refused') as rule,
        coalesce(q.rows, 0) as rows
    from ops.deliveries as d
    left join ops.quarantine_summary as q
        on q.source = d.source and q.file_name = d.file_name and q.file_id = d.file_id
    where d.status <> 'superseded' and (q.rule is not null or d.status = 'refused')
    order by d.source, d.business_date, d.file_name, rule
"""


@dataclass(frozen=True)
class Finding:
    """Rows of one delivery that broke one rule, as published.

    Attributes:
        delivery: The delivery.
        rule: Rule broken first.
        rows: How many rows.
        reason: Sentence for people.
    """

    delivery: Delivery
    rule: str
    rows: int
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        d = self.delivery
        return {
            "source": d.source,
            "file": d.file_name,
            "business_date": d.business_date.isoformat(),
            "rule": self.rule,
            "rows": self.rows,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class SetAside:
    """One row in quarantine, as it was delivered."""

    source: str
    file: str
    line: int
    rule: str
    reason: str
    delivered: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, the delivered texts by column."""
        return {**asdict(self), "delivered": json.loads(self.delivered)}


@dataclass(frozen=True)
class Fate:
    """What became of one row, or of a whole file that was refused.

    Attributes:
        source: Source.
        file: Path below the landing folder.
        line: Line in the file; None for a whole file.
        rule: Rule it broke before.
        outcome: accepted, set_aside, refused, gone, or left_to_the_night.
        detail: Rule it breaks now, or why.
        rows: Rows it stands for.
    """

    source: str
    file: str
    line: int | None
    rule: str
    outcome: str
    detail: str = ""
    rows: int = 1


def _ledger(context: RunContext) -> list[dict[str, Any]]:
    try:
        with open_published(context.data_dir) as con:
            return fetch_dicts(con, _LEDGER)
    except ConfigError as error:
        if not any(DataPaths.of(context).quarantine.glob("*/*.parquet")):
            raise
        raise ConfigError(
            "rows were set aside, but no night that says why has been published",
            where=error.where,
            hint="A night that ended early (`--to stage_...`) counts them, step by step; "
            "`cdp run` without `--to` publishes it, and then they are listed here.",
        ) from error


def list_findings(context: RunContext, *, source: str | None = None) -> list[Finding]:
    """Return what the published night has in quarantine, by delivery and rule.

    Raises:
        ConfigError: Nothing is published, or the source is not declared.
    """
    project = load_project(context.project_root)
    _require_source(project, source)
    rows = _ledger(context)
    found = []
    with connect(context.settings.engine) as con:
        for row in rows:
            if source in (None, row["source"]) and row["source"] in project.sources:
                delivery = _delivery(row)
                meaning = row["reason"] or _meaning(con, context, project, delivery, row["rule"])
                found.append(Finding(delivery, row["rule"], row["rows"], meaning))
    return found


def _require_source(project: Project, source: str | None) -> None:
    if source is not None and source not in project.sources:
        raise ConfigError(
            f"there is no source {source!r}",
            where="expectations",
            hint=f"Known: {', '.join(project.sources)}.",
        )


def _delivery(row: Mapping[str, Any]) -> Delivery:
    return Delivery(
        row["file_id"],
        row["source"],
        None,
        row["file_name"],
        row["sha256"],
        row["bytes"],
        row["business_date"],
        "known",
        row["reason"],
    )


def _meaning(
    con: duckdb.DuckDBPyConnection,
    context: RunContext,
    project: Project,
    delivery: Delivery,
    rule: str,
) -> str:
    for path in _files(context, project.sources[delivery.source], delivery):
        with _plain(context, path) as plain:
            rows = con.execute(
                "select min_by(reason, (length(rules), reason)) from read_parquet(?) "
                "where file_id = ? and rule = ?",
                [str(plain), delivery.file_id, rule],
            ).fetchall()
        if rows and rows[0][0]:
            return of_any_row(str(rows[0][0]))
    return ""


def _files(context: RunContext, contract: SourceContract, delivery: Delivery) -> list[Path]:
    """Return the quarantine files that hold rows of a delivery.

    The contract may have changed since: then the newest file of the same bytes counts.
    """
    folder = DataPaths.of(context).quarantine / delivery.source
    exact = staged_places(context, delivery, contract).quarantine
    others = sorted(
        folder.glob(f"{delivery.file_id}-*.parquet"), key=lambda p: (p.stat().st_mtime_ns, p.name)
    )
    found = [exact] if exact.is_file() else others[-1:]
    conflicts = folder / CONFLICTS_FILE
    return [*found, *([conflicts] if conflicts.is_file() else [])]


def _plain(context: RunContext, path: Path) -> AbstractContextManager[Path]:
    return plain_file(path, context.settings.keys, DataPaths.of(context).work)


def read_rows(
    context: RunContext,
    findings: Iterable[Finding],
    *,
    rule: str | None = None,
    file: str | None = None,
) -> Iterator[SetAside]:
    """Yield the rows in quarantine as they were delivered, by file and line.

    Args:
        context: Settings and paths.
        findings: What ``list_findings`` found.
        rule: Only rows that broke this rule first.
        file: Only files whose path holds this text.
    """
    project = load_project(context.project_root)
    deliveries = {(f.delivery.source, f.delivery.file_name): f.delivery for f in findings}
    with connect(context.settings.engine) as con:
        for delivery in deliveries.values():
            if file is not None and file not in delivery.file_name:
                continue
            for path in _files(context, project.sources[delivery.source], delivery):
                with _plain(context, path) as plain:
                    rows = fetch_dicts(
                        con,
                        "select line, rule, reason, raw from read_parquet(?) "
                        "where file_id = ? and rule = coalesce(?, rule) order by line, rule, raw",
                        [str(plain), delivery.file_id, rule],
                    )
                for row in rows:
                    yield SetAside(
                        delivery.source,
                        delivery.file_name,
                        row["line"],
                        row["rule"],
                        row["reason"] or "",
                        row["raw"],
                    )


def replay(context: RunContext, *, source: str | None = None) -> list[Fate]:
    """Stage the deliveries of set-aside rows again and say what became of each.

    Args:
        context: Settings and paths; its run folder is removed in the end.
        source: Only this source; default: all.

    Raises:
        ConfigError: Nothing is published, or the source is not declared.
        LockedError: A night is running.
    """
    project = load_project(context.project_root)
    paths = DataPaths.of(context)
    fates: list[Fate] = []
    # From the first look on: whoever holds the lock clears the work of those who do not.
    with hold_lock(paths.lock, "replay of the quarantine"):
        try:
            findings = list_findings(context, source=source)
            before = list(read_rows(context, findings))
            for name in dict.fromkeys(f.delivery.source for f in findings):
                mine = [f for f in findings if f.delivery.source == name]
                rows = [row for row in before if row.source == name]
                fates += _replay_source(context, project, project.sources[name], mine, rows)
        finally:
            seal_staged(context)
            shutil.rmtree(paths.work, ignore_errors=True)
    return fates


def _replay_source(
    context: RunContext,
    project: Project,
    contract: SourceContract,
    findings: list[Finding],
    before: list[SetAside],
) -> Iterator[Fate]:
    paths = DataPaths.of(context)
    found = find_files(
        paths.landing,
        contract,
        where=str(project.path_of("source", contract.name)),
        originals=original_hashes(paths),
        hasher=Hasher.of(context.settings.keys),
    )
    present = {d.file_name: d for d in found}
    with open_scratch(context, contract.name) as (con, scratch):
        for name in dict.fromkeys(f.delivery.file_name for f in findings):
            mine = [f for f in findings if f.delivery.file_name == name]
            rows = [row for row in before if row.file == name]
            now = present.get(name) or _archived(paths, mine[0].delivery)
            if now is None or now.status == "refused":
                why = now.reason if now else "put the file back into the landing folder"
                yield from _whole(mine, "gone" if now is None else "refused", why)
                continue
            notes = stage_delivery(context, now, contract, con=con, scratch=scratch)
            places = staged_places(context, now, contract)
            if notes.status == "refused":
                yield from _whole(mine, "refused", notes.reason)
            elif now.sha256 != mine[0].delivery.sha256:
                yield from _by_key(con, contract, rows, mine, places, now.business_date)
            else:
                yield from _by_line(con, rows, mine, notes, places)


def _archived(paths: DataPaths, delivery: Delivery) -> Delivery | None:
    """Return a delivery that has left landing if it can still be read."""
    return delivery if archived_file(paths, delivery) else None


def _whole(findings: list[Finding], outcome: str, detail: str) -> Iterator[Fate]:
    for finding in findings:
        d = finding.delivery
        yield Fate(d.source, d.file_name, None, finding.rule, outcome, detail, finding.rows)


def _by_line(
    con: duckdb.DuckDBPyConnection,
    rows: list[SetAside],
    findings: list[Finding],
    notes: StagedFile,
    places: StagedPlaces,
) -> Iterator[Fate]:
    """Yield the fates of rows in a file that has stayed the same."""
    if any(finding.rule == REFUSED_RULE for finding in findings):
        detail = f"{notes.accepted} of {notes.records} records; {notes.quarantined} set aside"
        yield from _whole(findings, "accepted", detail)
        return
    now: dict[int, list[str]] = defaultdict(list)
    if notes.rules:
        for line, rule in con.execute(
            "select line, rule from read_parquet(?) order by line, rule", [str(places.quarantine)]
        ).fetchall():
            now[line].append(rule)
    for row in rows:
        if row.rule == CONFLICT_RULE:
            yield _fate(row, "left_to_the_night", "the next night compares keys again")
        elif now[row.line]:
            yield _fate(row, "set_aside", now[row.line].pop(0))
        else:
            yield _fate(row, "accepted")


def _set_aside_now(con: duckdb.DuckDBPyConnection, places: StagedPlaces) -> dict[str, str]:
    """Return the rows that a file sent again still has set aside, as delivered, with their rule."""
    if not places.quarantine.is_file():
        return {}
    query = "select raw, rule from read_parquet(?) order by line desc, rule"
    return dict(con.execute(query, [str(places.quarantine)]).fetchall())


def _by_key(
    con: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    rows: list[SetAside],
    findings: list[Finding],
    places: StagedPlaces,
    day: date,
) -> Iterator[Fate]:
    """Yield the fates of rows in a file that has been sent again with other content."""
    if any(finding.rule == REFUSED_RULE for finding in findings):
        yield from _whole(findings, "accepted", f"sent again for {day}")
        return
    key = [name for name in contract.load.key if name in contract.read_columns]
    selected = ", ".join(f'cast("{name}" as varchar)' for name in key) or "null"
    query = f"select {selected}, _line from read_parquet(?) order by _line desc"  # noqa: S608 - names of columns
    held = con.execute(query, [str(places.rows)]).fetchall()
    found = {tuple(row[:-1]): row[-1] for row in held}
    lines = {row[-1] for row in held}
    aside = _set_aside_now(con, places)
    for row in rows:
        delivered = json.loads(row.delivered)
        wanted = tuple(delivered.get(name) for name in key)
        if key and wanted in found:
            yield _fate(row, "accepted", f"line {found[wanted]} of the file sent again")
        elif row.delivered in aside:
            yield _fate(row, "set_aside", aside[row.delivered])
        elif row.line in lines and not any(wanted):  # no fields, or no key but the place
            yield _fate(row, "accepted", f"line {row.line} of the file sent again, by its place")
        else:
            yield _fate(row, "gone", "no row of the file sent again has its key")


def _fate(row: SetAside, outcome: str, detail: str = "") -> Fate:
    return Fate(row.source, row.file, row.line, row.rule, outcome, detail)
