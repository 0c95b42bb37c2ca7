"""Find deliveries, recognise them by content, decide which are new.

Only regular files with plain names inside the landing folder count; links, pipes and odd names are
listed as refused. No delivery is parsed here; ``plan.json`` is written, and what people decided
(``data/stewardship``) is copied, so that the whole night sees the same decisions.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb

from cdp_pipeline import __version__
from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.errors import ConfigError, SourceNotReadyError
from cdp_pipeline.ingest.arrivals import (
    MAY_BE_INCOMPLETE,
    STILL_WRITTEN,
    Arrival,
    find_arrivals,
    misplaced,
)
from cdp_pipeline.ingest.claims import (
    claimed_by,
    companions_among,
    describe_nothing_yet,
    describe_unclaimed,
    find_unclaimed,
)
from cdp_pipeline.ingest.deciding import Known, decide
from cdp_pipeline.ingest.deliveries import FILE_ID_CHARACTERS, Delivery
from cdp_pipeline.ingest.expiring import mark_expired
from cdp_pipeline.ingest.hashing import Hasher, RefusedFileError
from cdp_pipeline.ingest.standing_in import replaced_by
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.layout import BusinessDate, beside
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.storage.files import read_json, write_json
from cdp_pipeline.storage.journal import snapshot_journals
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.redactions import original_hashes
from cdp_pipeline.storage.versions import find_base
from cdp_pipeline.storage.warehouse import DATABASE_FILE, connect, fetch_dicts, quote_literal

NAME_CHARACTERS = re.compile(r"[A-Za-z0-9._\-/ ]+")
"""Characters a path below landing may have: none that globs, SQL or shells read specially."""

IMMATERIAL_SETTINGS = {"mail", "engine", "locations", "schedule", "data_dir", "landing_dir"}
IMMATERIAL_SETTINGS |= {"keep_versions", "keep_versions_gb"}
"""Settings that decide nothing about a version's rows."""


def run(context: RunContext) -> StepResult:
    """Write the plan of the night.

    Returns:
        Deliveries found, and of them the new ones; ``facts`` count them by status.

    Raises:
        SourceNotReadyError: A required source has no file for the night.
        ConfigError: A later night is published already, or a contract's path is unsafe.
    """
    paths, night = DataPaths.of(context), context.business_date
    project = load_project(context.project_root)
    base = find_base(paths, night)
    known, superseded = read_ledger(base, context) if base else ({}, [])
    originals, hasher = original_hashes(paths), Hasher.of(context.settings.keys, paths.hashes)
    deliveries: list[Delivery] = []
    claimed: set[str] = set()
    for name, contract in project.sources.items():
        found = list(
            find_files(
                paths.landing,
                contract,
                where=_where(project, contract),
                unsettled=read_json(paths.unsettled).get(name, []),
                originals=originals,
                hasher=hasher,
            )
        )
        history = (*_gone(known, contract, found), *(d for d in superseded if d.source == name))
        claimed.update(claimed_by((*found, *history), contract))
        arrived = [_dated(d, night) for d in (*found, *history)]
        arrived = [d for d in arrived if d.business_date <= night]
        decided = decide(arrived, known, replaces=contract.load.is_latest_word)
        deliveries += mark_expired(decided, contract, night=night)
    unclaimed = find_unclaimed(paths.landing, claimed)
    said, strays = _describe_strays(paths, unclaimed, project, is_first=not (claimed or base))
    _require_tonight(project, deliveries, night)
    arrivals = list(find_arrivals(deliveries, known, project, night, has_base=base is not None))
    upon = _built_upon(paths, base, strays)
    plan = {
        "business_date": night.isoformat(),
        "base_path": str(base / DATABASE_FILE) if base else None,
        "base_version": base.name if base else None,
        "deliveries": [d.as_dict() for d in sorted(deliveries, key=lambda d: (d.source, d.order))],
        "arrivals": [*_at_origin(paths), *map(asdict, (*arrivals, *strays))],
        "fingerprint": fingerprint(deliveries, project, context, built_upon=upon),
    }
    write_json(paths.plan, plan)
    hasher.remember(paths.hashes)
    return _report(deliveries, (*said, *(arrival.sentence for arrival in arrivals)))


def _built_upon(paths: DataPaths, base: Path | None, strays: Iterable[Arrival]) -> dict[str, Any]:
    """Return what a night's result follows from beside deliveries: it tells of strays, too."""
    return {
        "base": base.name if base else "",
        "decisions": snapshot_journals(paths),
        "misplaced": [stray.file_name for stray in strays],
    }


def _describe_strays(
    paths: DataPaths, unclaimed: list[str], project: Project, *, is_first: bool
) -> tuple[list[str], list[Arrival]]:
    """Return what is said of files that no contract asks for, in all and one by one."""
    said = describe_unclaimed(unclaimed)
    if is_first:
        said.append(describe_nothing_yet(paths.landing, unclaimed, project.sources.values()))
    return said, misplaced(unclaimed)


def _at_origin(paths: DataPaths) -> list[dict[str, Any]]:
    """Return what was said of files that could not be fetched."""
    return list(read_json(paths.fetched).get("arrivals", ()))


def find_files(
    landing: Path,
    contract: SourceContract,
    *,
    where: str,
    unsettled: Collection[str] = (),
    originals: Mapping[str, str] | None = None,
    hasher: Hasher | None = None,
) -> Iterator[Delivery]:
    """Yield a source's files in landing, by name, as ``new``; as ``refused`` if not to be read.

    Args:
        landing: The folder.
        contract: The source's contract.
        where: Declaring file, for messages.
        unsettled: Names of files that were still being written.
        originals: SHA-256 of a delivery by that of its bytes without erased people.
        hasher: What hashes the files; default: one that knows none and has no keys.

    Raises:
        ConfigError: The contract's path leads out of the landing folder.
    """
    pattern = PurePosixPath(contract.delivery.path)
    if pattern.is_absolute() or ".." in pattern.parts:
        raise ConfigError(
            f"path {contract.delivery.path!r} leads out of the landing folder",
            where=where,
            hint="Give a glob below it, such as `pos_sales/*/*.csv`.",
        )
    found = [p for p in sorted(landing.glob(str(pattern))) if p.is_symlink() or not p.is_dir()]
    companions = companions_among(map(str, found), contract)
    hasher = hasher or Hasher.of(KeySettings())
    for path in found:
        if str(path) not in companions:
            yield _describe(path, landing, contract, unsettled, originals or {}, hasher)


def _describe(
    path: Path,
    landing: Path,
    contract: SourceContract,
    unsettled: Collection[str],
    originals: Mapping[str, str],
    hasher: Hasher,
) -> Delivery:
    name = path.relative_to(landing).as_posix()
    try:
        day = business_date(name, contract.delivery.business_date)
    except RefusedFileError as error:
        return _refused(contract.name, name, date.min, str(error))
    try:
        _check_place(path, landing, name)
        _check_complete(path, name, contract, unsettled)
        digest, size = hasher.hash_delivery(path)
    except RefusedFileError as error:
        return _refused(contract.name, name, day, str(error))
    sha256 = originals.get(digest, digest)
    identity = (sha256[:FILE_ID_CHARACTERS], contract.name, str(path), name, sha256, size)
    return Delivery(*identity, day, "new", redacted_sha256=digest if sha256 != digest else "")


def _check_place(path: Path, landing: Path, name: str) -> None:
    if not NAME_CHARACTERS.fullmatch(name):
        raise RefusedFileError("its name has characters other than A-Z a-z 0-9 . _ - and space")
    if path.parent.resolve() != landing.resolve() / PurePosixPath(name).parent:
        raise RefusedFileError("a folder on its path is a link")


def _check_complete(
    path: Path, name: str, contract: SourceContract, unsettled: Collection[str]
) -> None:
    """Raise unless all that belongs to a file is there; what was fetched came when it was."""
    if name in unsettled:
        raise RefusedFileError(STILL_WRITTEN)
    written = contract.delivery
    if written.control and written.control.source == "manifest":
        manifest = beside(path.name, written.control.manifest)
        if not path.with_name(manifest).is_file():
            raise RefusedFileError(f"its manifest {manifest} {MAY_BE_INCOMPLETE}")
    if written.location is None and written.complete and written.complete.by == "marker":
        marker = beside(path.name, written.complete.marker)
        if not path.with_name(marker).is_file():
            raise RefusedFileError(f"its marker {marker} {MAY_BE_INCOMPLETE}")


def _refused(source: str, name: str, day: date, reason: str) -> Delivery:
    # Such a file is not opened, so it has no hash of its own; its name must do.
    identity = hashlib.sha256(f"{source}/{name}".encode(errors="surrogateescape")).hexdigest()
    printable = name.encode("utf-8", "replace").decode("utf-8")
    file_id = identity[:FILE_ID_CHARACTERS]
    return Delivery(file_id, source, None, printable, "", 0, day, "refused", reason)


def business_date(file_name: str, rule: BusinessDate) -> date:
    """Return the business date that a delivery's path names; the last match wins.

    >>> business_date("pos/2026-11-20/pos_20261120.csv", BusinessDate())
    datetime.date(2026, 11, 20)
    """
    found = re.findall(rule.pattern, file_name)
    layout = rule.format.replace("-", "")
    for text in reversed(found):
        digits = (text if isinstance(text, str) else text[0]).replace("-", "")
        try:
            return datetime.strptime(digits, layout).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    raise RefusedFileError(f"its path holds no business date ({rule.format})")


def _dated(delivery: Delivery, night: date) -> Delivery:
    # A refused file without a date in its path is reported every night until it is put right.
    return (
        delivery if delivery.business_date != date.min else replace(delivery, business_date=night)
    )


def read_ledger(base: Path, context: RunContext) -> tuple[Known, list[Delivery]]:
    """Return what earlier nights knew, by source and file name, and the superseded deliveries."""
    con = connect(context.settings.engine)
    try:
        path = quote_literal(str(base / DATABASE_FILE))
        con.execute(f"attach {path} as base (read_only)")
        was_here = "in_landing" if has_column(con, "in_landing") else "false"
        rows = fetch_dicts(
            con,
            "select file_id, source, file_name, sha256, bytes, business_date, status, reason, "  # noqa: S608 - fixed
            f"{was_here} as was_in_landing, cast(first_loaded_on as varchar) as first_seen "
            "from base.ops.deliveries where sha256 <> '' "
            "order by source, business_date, file_name, file_id",
        )
    finally:
        con.close()
    known: Known = {}
    superseded: list[Delivery] = []
    for row in rows:
        old = Delivery(**{**row, "reason": row["reason"] or "", "path": None})
        if old.status == "superseded":
            superseded.append(old)
            continue
        keeps = old.status in {"duplicate_file", "expired"}
        was_refused = old.status == "refused"
        now = old if keeps else replace(old, status="known", was_refused=was_refused)
        other = known.get((old.source, old.file_name))
        if other is not None:  # one was refused, or a copy of such, and the one before it stood in
            now, before = (now, other) if keeps or was_refused else (other, now)
            superseded.append(replace(before, status="superseded", reason=replaced_by(now.file_id)))
        known[now.source, now.file_name] = now
    return known, superseded


def has_column(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Return whether the ledger of the version built upon has a column: older ones have fewer."""
    rows = con.execute(
        "select 1 from duckdb_columns() where database_name = 'base' and schema_name = 'ops' "
        "and table_name = 'deliveries' and column_name = ?",
        [name],
    ).fetchall()
    return bool(rows)


def _gone(known: Known, contract: SourceContract, found: Iterable[Delivery]) -> Iterator[Delivery]:
    """Yield known deliveries that have left landing or whose name carries other bytes now."""
    present = {d.file_name: d for d in found}
    for (source, name), old in known.items():
        now = present.get(name)
        if source != contract.name or (now and now.sha256 == old.sha256):
            continue
        if now and now.sha256:
            yield replace(old, status="superseded", reason=replaced_by(now.file_id))
        else:
            yield old


def _require_tonight(project: Project, deliveries: Iterable[Delivery], night: date) -> None:
    tonight = [d for d in deliveries if d.business_date == night]
    come = {d.source for d in tonight if d.status != "refused"}
    for name, contract in project.sources.items():
        if not contract.delivery.required or name in come:
            continue
        refused = next((d for d in tonight if d.source == name), None)
        why = f" but a file that was refused: {refused.reason}" if refused else ""
        raise SourceNotReadyError(
            f"{contract.title} has delivered nothing for {night}{why}",
            where=refused.file_name if refused else contract.delivery.path,
            hint=f"{'Mend that' if refused else 'Wait for it'}, ask {contract.owner}, "
            "or set `required: false`.",
        )


def fingerprint(
    deliveries: Iterable[Delivery],
    project: Project,
    context: RunContext,
    *,
    built_upon: dict[str, Any],
) -> str:
    """Return a hash of everything that decides the night's result.

    Names, bytes and dates of the deliveries, all declarations, the package, the settings that
    matter, what is built upon (the version before, people's decisions), the names of files that no
    contract asks for, and the business date.
    """
    material = [
        sorted((d.source, d.file_name, d.sha256, d.business_date.isoformat()) for d in deliveries),
        project.fingerprint,
        __version__,
        context.settings.model_dump(mode="json", exclude=IMMATERIAL_SETTINGS),
        built_upon,
        context.business_date.isoformat(),
    ]
    return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()


def _report(deliveries: list[Delivery], notices: Iterable[str]) -> StepResult:
    counts: dict[str, int] = {}
    for delivery in deliveries:
        counts[delivery.status] = counts.get(delivery.status, 0) + 1
    return StepResult(
        rows_in=len(deliveries),
        rows_out=counts.get("new", 0),
        rows_set_aside=counts.get("duplicate_file", 0) + counts.get("refused", 0),
        messages=tuple(notices),
        facts={"deliveries": counts},
    )


def _where(project: Project, contract: SourceContract) -> str:
    return str(project.files.get(f"source/{contract.name}", contract.name))
