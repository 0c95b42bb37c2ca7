"""Publishers that are broken in one way each: a harness that does not catch them has no teeth."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cdp_pipeline.storage import versions
from cdp_pipeline.storage.files import fsync, fsync_tree, write_json
from cdp_pipeline.storage.paths import DataPaths


def unlink_then_link() -> None:
    """Take the old link away before the new one is there."""

    def flip(paths: DataPaths, build: Path, name: str) -> None:
        fsync_tree(build)
        build.rename(paths.versions / name)
        fsync(paths.versions)
        paths.current.unlink(missing_ok=True)
        paths.current.symlink_to(Path("versions") / name)
        fsync(paths.warehouse)

    setattr(versions, "_flip", flip)  # noqa: B010 - a private name of another module


def flip_early() -> None:
    """Point readers to a version before it has its name."""

    def flip(paths: DataPaths, build: Path, name: str) -> None:
        link = paths.warehouse / ".current.new"
        link.symlink_to(Path("versions") / name)
        link.replace(paths.current)
        build.rename(paths.versions / name)

    setattr(versions, "_flip", flip)  # noqa: B010 - as above


def no_recovery() -> None:
    """Stumble over what a dead publication left."""
    setattr(versions, "recover", lambda _paths: 0)  # noqa: B010 - as above


def manifest_late() -> None:
    """Write the manifest once readers are there."""
    real, kept = versions._flip, []  # noqa: SLF001 - as above

    def keep(path: Path, document: Any) -> None:
        kept.append((path, document))

    def flip(paths: DataPaths, build: Path, name: str) -> None:
        real(paths, build, name)
        for path, document in kept:
            write_json(paths.versions / name / path.name, document)

    setattr(versions, "write_json", keep)  # noqa: B010 - as above
    setattr(versions, "_flip", flip)  # noqa: B010 - as above


def overwrite_in_place() -> None:
    """Copy over the files that readers have open."""

    def flip(paths: DataPaths, build: Path, name: str) -> None:
        current = paths.current.resolve()
        shutil.copytree(build, current, dirs_exist_ok=True)
        shutil.rmtree(build)
        current.rename(paths.versions / name)
        paths.current.unlink()
        paths.current.symlink_to(Path("versions") / name)

    setattr(versions, "_flip", flip)  # noqa: B010 - as above


def drop_first() -> None:
    """Make room before the new version serves."""
    real = versions._flip  # noqa: SLF001 - as above

    def flip(paths: DataPaths, build: Path, name: str) -> None:
        shutil.rmtree(paths.current.resolve())
        real(paths, build, name)

    setattr(versions, "_flip", flip)  # noqa: B010 - as above


def no_file_sync() -> None:
    """Trust that files reach the disk by themselves."""
    setattr(versions, "fsync_tree", lambda _folder: None)  # noqa: B010 - as above


def no_folder_sync() -> None:
    """Trust that the new name in ``versions`` reaches the disk by itself."""

    def sync(path: Path) -> None:
        if path.name != "versions":
            fsync(path)

    setattr(versions, "fsync", sync)  # noqa: B010 - as above


def no_link_sync() -> None:
    """Trust that the flipped link reaches the disk by itself."""

    def sync(path: Path) -> None:
        if path.name != "warehouse":
            fsync(path)

    setattr(versions, "fsync", sync)  # noqa: B010 - as above


KILLABLE = (
    unlink_then_link,
    flip_early,
    no_recovery,
    manifest_late,
    overwrite_in_place,
    drop_first,
)
"""Faults that kills show."""

UNSYNCED = (no_file_sync, no_folder_sync, no_link_sync)
"""Faults that only the order of calls shows: after a kill, the page cache is still there."""

MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant for mutant in (*KILLABLE, *UNSYNCED)
}
