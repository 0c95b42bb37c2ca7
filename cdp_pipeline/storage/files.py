"""Durable file operations: atomic writes, hashes, fsync of whole trees.

What a crash may lose is decided here: nothing is visible under its final name before its bytes are
on disk.
"""

from __future__ import annotations

import ctypes
import errno
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cdp_pipeline.core.errors import ConfigError

_DRAFTS = (".tmp", ".new", ".part", ".erasing", ".sealing", ".link", ".gone")
"""What hidden names of files and folders end in that are not whole yet."""

_MANY = 100
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """Force a file or folder to disk."""
    flags = os.O_RDONLY | (os.O_DIRECTORY if path.is_dir() else 0)
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_tree(root: Path) -> None:
    """Force every file and folder below ``root`` to disk, leaves first."""
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            fsync(Path(folder, name))
        fsync(Path(folder))


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that readers see the old bytes or the new ones, never a mixture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        error.filename = str(path)  # no system says what it could not write
        raise
    temporary.replace(path)
    fsync(path.parent)


def write_given(path: Path, data: bytes) -> None:
    """Write a file that a command gives out, wherever that is.

    What an earlier try that died left beside it goes: it may hold all that is known of a person,
    and outside the data folder nobody else looks for it.

    Raises:
        ConfigError: A folder or a device has that name.
    """
    if path.exists() and not path.is_file():
        raise ConfigError("is no file", where=str(path), hint="Name a file, or one to be made.")
    remove_drafts([path.parent], f".{glob.escape(path.name)}.*")
    write_atomic(path, data)


def write_new(path: Path, data: bytes) -> None:
    """Write a file for its owner alone that must not be there yet: it is there whole or not at all.

    Raises:
        FileExistsError: It is there.
    """
    remove_drafts([path.parent], f".{glob.escape(path.name)}.*.new")
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        _name_new(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    fsync(path.parent)


def _name_new(draft: Path, path: Path) -> None:
    """Give a file its name, unless somebody else has taken it meanwhile.

    ``renameat2`` does so at once on Linux's local file systems; elsewhere it is asked before.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    names = _AT_FDCWD, os.fsencode(draft), _AT_FDCWD, os.fsencode(path), _RENAME_NOREPLACE
    if hasattr(libc, "renameat2") and libc.renameat2(*names) == 0:
        return
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    draft.replace(path)


def remove_drafts(folders: Iterable[Path], pattern: str = "**/.*") -> int:
    """Delete what processes that died had half written and return how many things that were.

    Only under the lock: the draft of a living writer looks the same. A draft holds what its file
    was to hold, so one that stayed would keep the data of people who were erased since.

    Args:
        folders: Where to look; those that are missing hold nothing.
        pattern: Which names; default: hidden ones at any depth.
    """
    found = 0
    for folder in folders:
        for path in sorted(folder.glob(pattern)):
            if path.suffix in _DRAFTS and os.path.lexists(path):  # or gone with its folder
                _remove(path)
                found += 1
    return found


def remove_file(path: Path) -> None:
    """Delete a file, if it is there, so that no power cut brings it back.

    Nor one that somebody else has deleted and not made sure of.
    """
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        fsync(path.parent)


def remove_folder(folder: Path) -> None:
    """Delete a folder, if it is there, so that a crash leaves all of it under its name or nothing.

    What a crash leaves beside it is a draft.
    """
    gone = folder.with_name(f".{folder.name}.gone")
    shutil.rmtree(gone, ignore_errors=True)
    if folder.exists():
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def write_json(path: Path, document: Any) -> None:  # noqa: ANN401 - any JSON document
    """Write a document as readable JSON with sorted keys, atomically."""
    write_atomic(path, as_json(document))


def as_json(document: Any) -> bytes:  # noqa: ANN401 - any JSON document
    """Return a document as readable JSON with sorted keys.

    Entries stand on lines of their own, but many figures on one: Python takes a second for a
    million lines.
    """
    if not (isinstance(document, dict) and any(map(_is_figures, document.values()))):
        text = _as_json(document, indent=1)
    else:
        entries = (
            f" {_as_json(name)}: {_as_json(value, indent=None if _is_figures(value) else 1)}"
            for name, value in sorted(document.items())
        )
        text = "{\n" + ",\n".join(entry.replace("\n", "\n ") for entry in entries) + "\n}"
    return text.encode() + b"\n"


def _is_figures(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) > _MANY
        and all(isinstance(one, int) for one in value)
    )


def _as_json(value: object, *, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, sort_keys=True, ensure_ascii=False, default=str)


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object; empty if the file does not exist."""
    if not path.is_file():
        return {}
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
