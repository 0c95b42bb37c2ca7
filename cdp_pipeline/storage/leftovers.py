"""What processes that died leave behind, whoever they were: deleted by whoever holds the lock next.

Half-written files and copies hold what people were told of or erased from, so none may stay until
its own command is run again. That holds for the work of a night too, unless it can be resumed.
Versions that a dead publication finished without making them current are ``versions``' business.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import LockedError
from cdp_pipeline.storage.exchange import remove_leftovers
from cdp_pipeline.storage.files import remove_drafts, remove_folder
from cdp_pipeline.storage.lease import living_run
from cdp_pipeline.storage.lock import hold_lock
from cdp_pipeline.storage.paths import DataPaths

ROTATING = ".rotate-"
"""What names of versions begin with whose vault is being encrypted again."""
GATHERING = ".build-"
"""What names of versions begin with while their files are gathered."""
SHOWING = "**/.*.link"
"""Names in landing of what was fetched, until they are whole; other hidden names are not ours."""

_NIGHT, _AIRFLOW = "night-", "airflow-"
"""What names of runs begin with that make a night; all others are those of single commands."""

_LOOKING = "looking-"
"""What names of the work of single commands begin with that hold no lock of the data folder."""

_ALIVE = ".lock"


def clear_leftovers(paths: DataPaths) -> int:
    """Delete drafts of files, folders and versions, and what a dead rotation left; return how many.

    Only under the lock: what a living process works with looks the same.
    """
    found = remove_drafts(paths.written)
    shallow = (paths.data_dir, paths.warehouse, paths.versions, paths.data_dir / "work")
    found += remove_drafts(shallow, ".*")
    found += remove_drafts([paths.landing], SHOWING)
    found += paths.rotation.is_dir()
    for unfinished in (ROTATING, GATHERING):
        found += len(list(paths.versions.glob(f"{unfinished}*")))
        remove_leftovers(paths.versions, unfinished)
    shutil.rmtree(paths.rotation, ignore_errors=True)
    return found


def clear_dead_work(paths: DataPaths, *, starting: date | None = None) -> list[str]:
    """Delete the work of runs that died and cannot be resumed; return their names.

    Such are the runs of single commands, and nights that another overtook: a later one was
    published, or is starting now. Only under the lock. A night that may still go on is not dead.

    Args:
        paths: The data folder and the run that asks, whose own work stays.
        starting: Business date of the night that starts or was published; None if none does.
    """
    folders = [path for path in sorted((paths.data_dir / "work").glob("[!.]*")) if path.is_dir()]
    published = paths.current.resolve().name.partition("-")[2] if paths.current.is_symlink() else ""
    last = max(published, starting.isoformat() if starting else "")
    gone = []
    for folder in folders:
        if folder.name == paths.run_id or _is_alive(folder):
            continue
        day = folder.name.removeprefix(_NIGHT)
        if folder.name.startswith(_AIRFLOW) and not starting:
            continue
        if day != folder.name and (day > last or (day == last and not starting)):
            continue
        remove_folder(folder)
        gone.append(folder.name)
    return gone


@contextmanager
def own_work(context: RunContext) -> Iterator[RunContext]:
    """Give somebody who looks without the lock a run whose work nobody else clears.

    It is removed in the end; if the process dies, whoever holds the lock or looks next removes it:
    there may be copies in clear of what is encrypted.
    """
    mine = replace(context, run_id=f"{_LOOKING}{context.run_id}-{os.getpid()}")
    folder = DataPaths.of(mine).work
    for other in sorted(folder.parent.glob(f"{_LOOKING}*")):
        if not (_is_process(other.name.rpartition("-")[2]) or _is_alive(other)):
            shutil.rmtree(other, ignore_errors=True)  # somebody else may have been faster
    with hold_lock(folder / _ALIVE, context.run_id):
        try:
            yield mine
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # an erasure may have been faster


def _is_process(number: str) -> bool:
    """Return whether a process of this machine has a number: it may not hold its lock yet."""
    return Path("/proc", number).exists()


def _is_alive(folder: Path) -> bool:
    if living_run(folder):
        return True
    if not (folder / _ALIVE).is_file():
        return False
    try:
        with hold_lock(folder / _ALIVE, "clearing"):
            return False
    except LockedError:
        return True
