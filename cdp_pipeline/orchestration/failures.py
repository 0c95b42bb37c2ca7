"""What a crash means, in words: full disks, broken disks, missing rights, no memory.

Errors raised on purpose speak for themselves; this is for those that the operating system and
DuckDB raise.
"""

from __future__ import annotations

import errno
import re
from pathlib import Path

from cdp_pipeline.core.errors import CdpError, ConfigError

_REMEDIES = {
    errno.ENOSPC: "Free space (`cdp doctor` shows it), then `cdp run --resume`.",
    errno.EDQUOT: "Free space or raise the quota, then `cdp run --resume`.",
    errno.EFBIG: "Raise the limit on file sizes (ulimit -f), then `cdp run --resume`.",
    errno.EIO: "The disk answers with errors: look at dmesg and smartctl before running again; "
    "then `cdp verify --all`.",
    errno.EROFS: "The disk is mounted read-only: mount it for writing, then `cdp run --resume`.",
    errno.EACCES: "Give the user who runs the night the right to write there.",
    errno.EPERM: "Give the user who runs the night the right to write there.",
    errno.EMFILE: "Raise the limit on open files (ulimit -n), then `cdp run --resume`.",
    errno.ENOMEM: "Lower engine.memory_limit or give the machine more memory.",
    # No system call says so: DuckDB has reached its own limit and cannot spill any more of it.
    errno.ENOBUFS: "Raise engine.memory_limit (CDP_ENGINE__MEMORY_LIMIT=8GB) if the machine has "
    "more, or lower engine.threads; then `cdp run --resume`.",
}
"""What to do, by the operating system's number of the error."""

_IMPOSSIBLE_PLACES = {
    errno.ENOENT: "there is no such file or folder, and none can be made",
    errno.EEXIST: "something of that name is there already",
    errno.ENOTDIR: "a part of that path is no folder",
    errno.EISDIR: "it is a folder, not a file",
    errno.ENAMETOOLONG: "a name that long is none",
    errno.ELOOP: "it is a link that leads to itself",
}

_DUCKDB_SIGNS = (
    (re.compile("No space left on device|ENOSPC"), errno.ENOSPC),
    (re.compile("File too large|EFBIG"), errno.EFBIG),
    (re.compile("Input/output error"), errno.EIO),
    (re.compile("Read-only file system"), errno.EROFS),
    (re.compile("Permission denied"), errno.EACCES),
    (re.compile("Too many open files"), errno.EMFILE),
    (re.compile("^std::bad_alloc|Cannot allocate memory"), errno.ENOMEM),
    (re.compile("^Out of Memory Error"), errno.ENOBUFS),
)
"""How DuckDB words the same."""


def explain_crash(error: Exception, *, step: str, log: Path) -> CdpError:
    """Return the error of a step that raised what it should not.

    Args:
        error: What it raised.
        step: Name of the step.
        log: File in which the traceback stands.
    """
    return explain_machine(error, where=f"step {step}") or CdpError(
        f"{type(error).__name__}: {_first_line(error)}",
        where=f"step {step}",
        hint=f"See {log} for the traceback.",
    )


def explain_machine(error: Exception, *, where: str = "") -> CdpError | None:
    """Return the error if the machine is to blame, with what to do; None if it is not.

    Args:
        error: What was raised.
        where: What was being done, if that is known.
    """
    remedy = _REMEDIES.get(_number(error) or 0)
    if remedy is None:
        return None
    places = (where, getattr(error, "filename", None), *getattr(error, "__notes__", ()))
    return CdpError(
        _first_line(error) or type(error).__name__,
        where=", ".join(str(place) for place in places if place) or "this machine",
        hint=f"{remedy} What was published before is untouched.",
    )


def explain_place(error: Exception) -> CdpError | None:
    """Return the error if a file or folder that a command names cannot be there; None if not.

    Not of a step: there such an error is a fault of ours.
    """
    if not isinstance(error, OSError) or error.errno not in _IMPOSSIBLE_PLACES:
        return None
    return ConfigError(
        _IMPOSSIBLE_PLACES[error.errno],
        where=str(error.filename2 or error.filename or ""),
        hint="Name another place.",
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _number(error: Exception) -> int | None:
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, OSError):
        return error.errno
    # DuckDB wraps what the system said; its module need not be imported to read that.
    text = str(error)
    return next((number for sign, number in _DUCKDB_SIGNS if sign.search(text)), None)
