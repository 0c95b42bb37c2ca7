"""Immutable versions of the warehouse, published by one rename.

Order of a publication: gather files in ``.build-<id>``, seal exports, write a manifest with a hash
per file, fsync all, rename to ``<id>``, fsync the folder, make the new link, rename it over
``current``, fsync. A crash before the last rename leaves yesterday's version; a crash after it
leaves today's.
The link only moves forward: a rollback publishes a new version that copies an old one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.errors import ConfigError, WarehouseError
from cdp_pipeline.core.settings import EngineSettings, Settings
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.audit import AuditLog, Deed, note
from cdp_pipeline.storage.disk import measure, share_unchanged
from cdp_pipeline.storage.exports import seal_exports
from cdp_pipeline.storage.files import (
    fsync,
    fsync_tree,
    read_json,
    remove_drafts,
    remove_file,
    remove_folder,
    sha256_of,
    write_json,
)
from cdp_pipeline.storage.leftovers import GATHERING, clear_leftovers
from cdp_pipeline.storage.mirror import Earlier, Mirror, write_mirror
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.sealing import seal
from cdp_pipeline.storage.vault import write_vault
from cdp_pipeline.storage.warehouse import (
    DATABASE_FILE,
    connect,
    open_build,
    quote_literal,
    read_plan,
)

MANIFEST_FILE = "MANIFEST.json"
FEWEST_KEPT = 2
"""Versions that no bound of size removes: the current one, and one to roll back to."""

_NEW_LINK = ".current.new"


@dataclass(frozen=True, order=True)
class Version:
    """One published version.

    Attributes:
        sequence: Counts publications from 1.
        business_date: The night it holds.
        path: Its folder.
    """

    sequence: int
    business_date: date
    path: Path

    @property
    def name(self) -> str:
        """Folder name, ``000012-2026-11-20``."""
        return self.path.name

    @property
    def manifest(self) -> dict[str, Any]:
        """What the version holds: fingerprint, rows per table, hash per file."""
        return read_json(self.path / MANIFEST_FILE)


def parse_version(path: Path) -> Version:
    """Return the version that a folder holds, by its name."""
    sequence, _, day = path.name.partition("-")
    return Version(int(sequence), date.fromisoformat(day), path)


def current_version(paths: DataPaths) -> Version | None:
    """Return the version that readers see, or None before the first publication."""
    if not paths.current.is_symlink():
        return None
    return parse_version(paths.current.resolve())


def published_versions(paths: DataPaths) -> list[Version]:
    """Return all versions up to the current one, oldest first."""
    current = current_version(paths)
    if current is None:
        return []
    found = [parse_version(p) for p in paths.versions.iterdir() if not p.name.startswith(".")]
    return sorted(v for v in found if v.sequence <= current.sequence)


def find_base(paths: DataPaths, business_date: date) -> Path | None:
    """Return the folder of the version that a night builds upon.

    That is the newest version of an earlier business date, so that running a night again starts
    from the same place and ends with the same bytes.

    Raises:
        ConfigError: A later night has been published already.
    """
    versions = published_versions(paths)
    if versions and versions[-1].business_date > business_date:
        raise ConfigError(
            f"{versions[-1].business_date} has been published; {business_date} lies before it",
            where=str(paths.current),
            hint="Late files are loaded into their own day by the next night: run that instead.",
        )
    earlier = [v for v in versions if v.business_date < business_date]
    return earlier[-1].path if earlier else None


def is_upon_base(paths: DataPaths, business_date: date, plan: Mapping[str, Any]) -> bool:
    """Return whether a night was planned upon the version that it would build upon now.

    It was not if that version was rolled back, or an earlier night was run again, since then.

    Raises:
        ConfigError: A later night has been published already.
    """
    base = find_base(paths, business_date)
    return plan.get("base_version") == (base.name if base else None)


def is_published(paths: DataPaths, business_date: date, fingerprint: str) -> bool:
    """Return whether the current version is this very night with these very inputs."""
    current = current_version(paths)
    return (
        current is not None
        and current.business_date == business_date
        and current.manifest.get("fingerprint") == fingerprint
    )


def run(context: RunContext) -> StepResult:
    """Publish what the run has built; the step ``publish``.

    Returns:
        Rows of all published tables; ``facts`` name the version.

    Raises:
        WarehouseError: The build is not there, or was built upon another version.
        ConfigError: A later night was published meanwhile.
    """
    paths = DataPaths.of(context)
    plan = read_plan(context)
    if not context.is_full and is_published(paths, context.business_date, plan["fingerprint"]):
        name = paths.current.resolve().name
        return StepResult(messages=(f"{name} already holds this night",), facts={"version": name})
    if not paths.build_db.is_file():
        raise WarehouseError(
            "there is no build to publish",
            where=str(paths.build_db),
            hint="Run the whole night: `cdp run`.",
        )
    if not is_upon_base(paths, context.business_date, plan):
        raise WarehouseError(
            f"the night was built upon {plan.get('base_version')}; another version came since",
            where=str(paths.build_db),
            hint="Run the whole night: `cdp run`.",
        )
    recover(paths)
    name, build = next_build(paths, context.business_date)
    mirror = _gather(context, paths, build)
    rows = mirror.rows
    # Before the deed, as everything that is logged: a crash may leave a word too many, never one
    # too few.
    note(context.settings, Deed("publish", name, run=context.run_id))
    manifest = {
        "version": name,
        "business_date": context.business_date.isoformat(),
        "fingerprint": plan["fingerprint"],
        "base_version": plan.get("base_version"),
        "rows": rows,
        "mirror": mirror.facts(),
    }
    made = publish_build(context.settings, paths, build, manifest, known=mirror.linked)
    return StepResult(
        rows_in=sum(rows.values()),
        rows_out=sum(rows.values()),
        messages=(f"published {name}",),
        facts={"version": name, "tables": len(rows), **made},
    )


def next_build(paths: DataPaths, business_date: date) -> tuple[str, Path]:
    """Return the name of the next version and the folder to gather it in; recover before."""
    current = current_version(paths)
    sequence = current.sequence + 1 if current else 1
    name = f"{sequence:06d}-{business_date.isoformat()}"
    return name, paths.versions / f"{GATHERING}{name}"


def publish_build(
    settings: Settings,
    paths: DataPaths,
    build: Path,
    manifest: dict[str, Any],
    *,
    known: Mapping[str, dict[str, Any]] | None = None,
) -> dict[str, int]:
    """Seal what was gathered, make it the current version and drop old ones.

    Args:
        settings: How many versions are kept; keys of the seal.
        paths: The data folder, locked by this process.
        build: Folder of ``next_build`` with all files of the version.
        manifest: What the version is, without its files.
        known: ``sha256`` and ``bytes`` of files that need not be hashed again.

    Returns:
        Number of files, bytes shared with the version before, and versions dropped.
    """
    seal_exports(build, settings.keys)
    files, shared = _seal(settings, build, manifest, current_version(paths), known or {})
    _flip(paths, build, manifest["version"])
    return {"files": files, "shared_bytes": shared, "dropped": finish_publication(settings, paths)}


def finish_publication(settings: Settings, paths: DataPaths) -> int:
    """Make the names that people know lead to the current version, and drop old ones.

    It may be repeated, as whoever died before it had published: nobody publishes that night again.

    Returns:
        Number of versions dropped.
    """
    _link_people(paths)
    return drop_old(paths, keep=settings.keep_versions, keep_gb=settings.keep_versions_gb)


def _seal(
    settings: Settings,
    build: Path,
    manifest: dict[str, Any],
    before: Version | None,
    known: Mapping[str, dict[str, Any]],
) -> tuple[int, int]:
    """Write the manifest with a hash per file; return the number of files and bytes shared."""
    log = AuditLog.of(settings)
    names = [p.relative_to(build).as_posix() for p in sorted(build.rglob("*")) if p.is_file()]
    files = {name: known.get(name) or _describe(build / name) for name in names}
    shared = 0
    if before is not None:
        shared = share_unchanged(build, files, before.path, before.manifest.get("files", {}))
    whole = {**manifest, "files": files, "audit": log.anchor().as_dict()}
    write_json(build / MANIFEST_FILE, seal(whole, log.keys.current))
    return len(files), shared


def _describe(path: Path) -> dict[str, Any]:
    return {"sha256": sha256_of(path), "bytes": path.stat().st_size}


def recover(paths: DataPaths) -> int:
    """Delete what a dead publication left behind and return how many things that were.

    Only under the lock: a living publication looks the same.
    """
    paths.ensure(paths.versions)
    cleared = clear_leftovers(paths)
    current = current_version(paths)
    unseen = [
        path
        for path in paths.versions.iterdir()
        if not path.name.startswith(".")
        and (current is None or parse_version(path).sequence > current.sequence)
    ]
    for path in unseen:
        shutil.rmtree(path)
    remove_file(paths.rolling_back)  # last: until then a rollback can be finished
    return cleared + len(unseen)


def drop_old(paths: DataPaths, *, keep: int, keep_gb: float | None = None) -> int:
    """Delete the oldest versions beyond a number or a size and return how many went.

    The night before the current one stays however often that is run again: without it, the next
    try would build upon nothing and forget what was sent. Open readers keep their files: the kernel
    frees them when the last reader closes.

    Args:
        paths: The data folder.
        keep: Versions that are kept.
        keep_gb: Disk that they may take together, in GB of 10^9 bytes; hard-linked files count
            once. The current version and the one before stay however large they are.
    """
    versions = published_versions(paths)
    kept = versions[-keep:]
    while (
        keep_gb is not None
        and len(kept) > FEWEST_KEPT
        and measure(version.path for version in kept) > keep_gb * 1e9
    ):
        kept = kept[1:]
    beneath = [v for v in versions if v.business_date < versions[-1].business_date][-1:]
    dropped = [v for v in versions if v not in kept and v not in beneath]
    for version in dropped:
        remove_folder(version.path)  # half of one could neither be read nor cleaned of people
    return len(dropped)


def _gather(context: RunContext, paths: DataPaths, build: Path) -> Mirror:
    paths.ensure(build)
    mirror = _write_parquet(context, paths, build)
    remove_drafts([paths.tree])  # of a step that died half-way, in a night that was resumed
    # Hard links: the run's folder stays whole, so a killed publication can simply be repeated.
    os.link(paths.build_db, build / DATABASE_FILE)
    for path in sorted(paths.tree.rglob("*")) if paths.tree.is_dir() else []:
        target = build / path.relative_to(paths.tree)
        if path.is_dir():  # before what is in it
            target.mkdir(exist_ok=True)
        else:
            os.link(path, target)
    return mirror


def _write_parquet(context: RunContext, paths: DataPaths, build: Path) -> Mirror:
    tables = load_project(context.project_root).tables
    before = current_version(paths)
    earlier = None
    if before:
        is_base = before.name == read_plan(context).get("base_version")
        earlier = Earlier(before.path, before.manifest, is_base=is_base)
    with open_build(context) as con:
        mirror = write_mirror(con, tables, build, earlier)
        mirror.rows |= write_vault(con, tables, build, context.settings.keys)
        con.execute("checkpoint cdp")
    return mirror


def _flip(paths: DataPaths, build: Path, name: str) -> None:
    fsync_tree(build)
    final = paths.versions / name
    build.rename(final)
    fsync(paths.versions)
    new_link = paths.warehouse / _NEW_LINK
    new_link.symlink_to(Path("versions") / name)
    new_link.replace(paths.current)
    fsync(paths.warehouse)


def _link_people(paths: DataPaths) -> None:
    """Keep the names that people know pointing through ``current``."""
    links = {
        paths.warehouse / DATABASE_FILE: Path("current") / DATABASE_FILE,
        paths.warehouse / "parquet": Path("current") / "parquet",
        paths.data_dir / "exports": Path("warehouse") / "current" / "exports",
        paths.data_dir / "reports": Path("warehouse") / "current" / "reports",
        paths.data_dir / "quality": Path("warehouse") / "current" / "quality",
    }
    for link, target in links.items():
        if link.is_symlink() and link.readlink() == target:
            continue
        temporary = link.with_name(f".{link.name}.new")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(link)


def verify(version: Version) -> list[str]:
    """Return what is wrong with a version's files; empty if every hash holds."""
    wrong: list[str] = []
    for name, expected in version.manifest.get("files", {}).items():
        path = version.path / name
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif sha256_of(path) != expected["sha256"]:
            wrong.append(f"{name} has other bytes than were published")
    database = quote_literal(str(version.path / DATABASE_FILE))
    try:
        with connect(EngineSettings()) as con:
            con.execute(f"attach {database} as cdp (read_only)")
    except duckdb.Error as error:
        wrong.append(f"{DATABASE_FILE} does not open: {error}")
    return wrong
