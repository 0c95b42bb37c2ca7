"""The lease of a night whose steps run one by one, in processes of their own, as Airflow's do.

Between two of its steps nobody holds the lock of the data folder, yet its work is no dead one's. So
each step holds the lease while it runs, in a way that ends with its process, and leaves the moment
at which it ended: until so long after, the next step may still come. A step that fails for good
gives the lease up, and so does a step that ends the night.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cdp_pipeline.core.context import Clock
from cdp_pipeline.core.errors import CdpError, LockedError
from cdp_pipeline.storage.paths import DataPaths

LEASE = ".lease"
"""File in the work of a run; its time of change is when a step was last seen."""

GAP_SECONDS = 1800.0
"""Longest time between two steps: a scheduler's turns, the waits before a step is tried again."""


@dataclass(frozen=True)
class Living:
    """A night that has begun and may still go on.

    Attributes:
        run_id: The run, which is the name of its work's folder.
        step: The step that was seen last.
        seen_at: When it was seen, in UTC.
        is_running: Whether a step is running now.
    """

    run_id: str
    step: str
    seen_at: datetime
    is_running: bool


@contextmanager
def hold_lease(paths: DataPaths, step: str) -> Iterator[None]:
    """Hold the lease of a run while one of its steps runs; several may at the same time.

    Args:
        paths: The data folder and the run.
        step: Its name, for messages.
    """
    path = paths.ensure(paths.work) / LEASE
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        text = json.dumps({"run": paths.run_id, "step": step}).encode()
        os.pwrite(descriptor, text, 0)  # of two at a time the last to begin is told
        os.ftruncate(descriptor, len(text))
        yield
    except CdpError as error:
        if not error.is_transient:
            path.unlink(missing_ok=True)
        raise
    finally:
        os.utime(descriptor)  # after any other error the step may be tried again, too
        os.close(descriptor)


def living_run(folder: Path, *, clock: Clock | None = None) -> Living | None:
    """Return the night whose work a folder is, if it may still go on.

    Args:
        folder: Folder of a run's work.
        clock: For the present moment.
    """
    path = folder / LEASE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # no such night, or gone by now
        return None
    try:
        is_running = not _is_free(descriptor)
        seen_at = datetime.fromtimestamp(os.fstat(descriptor).st_mtime, UTC)
        step = _step_in(os.read(descriptor, 4096))
    finally:
        os.close(descriptor)
    # a clock that was set back makes what was seen last one of the future
    waited = abs(((clock or Clock()).now() - seen_at).total_seconds())
    if not is_running and waited > GAP_SECONDS:
        return None
    return Living(folder.name, step, seen_at, is_running)


def refuse_beside_living(paths: DataPaths, *, clock: Clock | None = None) -> None:
    """Refuse what would publish, or rewrite what is published, while another night goes on.

    Only under the lock of the data folder.

    Raises:
        LockedError: Another night has begun and may still go on; it is named.
    """
    for folder in sorted((paths.data_dir / "work").glob("[!.]*")):
        found = living_run(folder, clock=clock) if folder.name != paths.run_id else None
        if found:
            since = "is running" if found.is_running else f"ended at {found.seen_at:%H:%M} UTC"
            raise LockedError(
                f"the night {found.run_id} has begun and not ended: its step {found.step} {since}",
                where=str(folder),
                hint=f"Wait for it. If it has died, it counts as dead {GAP_SECONDS / 60:.0f} "
                f"minutes after its last step, or once {folder / LEASE} is removed.",
            )


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _step_in(text: bytes) -> str:
    try:
        return str(json.loads(text)["step"])
    except (ValueError, KeyError, TypeError):  # the process died before it was written
        return "first step"
