"""Append-only JSON lines: what people decided, one line a decision, edited only by erasure.

A line is on disk (fsync) before the call returns, and two writers cannot interleave. A crash in
mid-line leaves an unfinished last line: readers skip and report it, the next writer drops it.
A night works on a snapshot of all journals, so that a decision made meanwhile counts the night
after, and a night run again sees the same decisions.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.storage.files import fsync, sha256_of, write_atomic
from cdp_pipeline.storage.lock import hold_lock
from cdp_pipeline.storage.paths import DataPaths

SUFFIX = ".jsonl"
LONGEST_LINE = 1_000_000
"""Bytes of one line; more is no decision of a person."""

WAIT_SECONDS = 5.0

Document = dict[str, Any]


@dataclass(frozen=True)
class Journal:
    """What a journal holds.

    Attributes:
        path: The file, existing or not.
        lines: Line numbers and documents, in the order of the file.
        torn: Bytes of an unfinished last line; 0 without one.
    """

    path: Path
    lines: tuple[tuple[int, Document], ...] = ()
    torn: int = 0

    def place(self, line: int) -> str:
        """Return ``file:line`` for messages."""
        return f"{self.path}:{line}"


def read_journal(path: Path) -> Journal:
    """Read a journal; a missing file is an empty one.

    Raises:
        ConfigError: A line is not one JSON object in UTF-8, or the file is not a regular one.
    """
    data = _read_bytes(path)
    whole, _, tail = data.rpartition(b"\n")
    pieces = whole.split(b"\n") if whole else []
    lines = [
        (number, _parse(piece, f"{path}:{number}"))
        for number, piece in enumerate(pieces, start=1)
        if piece.strip()
    ]
    if not tail:
        return Journal(path, tuple(lines))
    try:
        lines.append((len(pieces) + 1, _parse(tail, f"{path}:{len(pieces) + 1}")))
    except ConfigError:
        return Journal(path, tuple(lines), torn=len(tail))
    return Journal(path, tuple(lines))


def append_lines(path: Path, compose: Callable[[Journal], Iterable[Document]]) -> Journal:
    """Append documents to a journal and return it with them.

    Args:
        path: The file; made if missing.
        compose: Given what the journal holds, returns the documents to add. It runs under the
            lock, so that numbers it gives out are unique.

    Raises:
        ConfigError: The journal cannot be read, or a document is too long.
        LockedError: Another process is writing and does not end.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    with hold_lock(path.parent / ".lock", f"writing {path.name}", wait_seconds=WAIT_SECONDS):
        before = read_journal(path)
        texts = [json.dumps(d, ensure_ascii=False, sort_keys=True) for d in compose(before)]
        data = "".join(f"{text}\n" for text in texts).encode()
        if any(len(text.encode()) > LONGEST_LINE for text in texts):
            raise ConfigError(
                f"a line of more than {LONGEST_LINE:,} bytes",
                where=str(path),
                hint="Decide about fewer records at once.",
            )
        if data:
            _write(path, data, torn=before.torn)
    return read_journal(path)


def rewrite_lines(path: Path, compose: Callable[[Journal], Iterable[Document]]) -> int:
    """Replace a journal's documents, all at once; for erasure alone.

    Args:
        path: The file.
        compose: Given what the journal holds, returns all documents it shall hold, in order.

    Returns:
        Number of lines that changed; an unfinished last line counts and goes.

    Raises:
        ConfigError: The journal cannot be read.
        LockedError: Another process is writing and does not end.
    """
    with hold_lock(path.parent / ".lock", f"rewriting {path.name}", wait_seconds=WAIT_SECONDS):
        before = read_journal(path)
        held = [document for _, document in before.lines]
        after = list(compose(before))
        changed = sum(one != other for one, other in zip(held, after, strict=True))
        changed += bool(before.torn)
        if changed:
            texts = [json.dumps(d, ensure_ascii=False, sort_keys=True) for d in after]
            write_atomic(path, "".join(f"{text}\n" for text in texts).encode())
            path.chmod(0o640)
    return changed


def snapshot_journals(paths: DataPaths) -> dict[str, str]:
    """Copy every journal into the run's work folder and return their hashes by name."""
    shutil.rmtree(paths.decisions, ignore_errors=True)
    folder = paths.ensure(paths.decisions)
    hashes = {}
    for source in sorted(paths.stewardship.glob(f"*{SUFFIX}")):
        copy = folder / source.name
        copy.write_bytes(_read_bytes(source))
        hashes[source.name] = sha256_of(copy)
    return hashes


def _write(path: Path, data: bytes, *, torn: int) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    with os.fdopen(descriptor, "r+b") as stream:
        size = os.fstat(descriptor).st_size - torn
        stream.truncate(size)
        stream.seek(max(size - 1, 0))
        if size and stream.read(1) != b"\n":
            data = b"\n" + data
        stream.seek(size)
        stream.write(data)
        stream.flush()
        os.fsync(descriptor)
    fsync(path.parent)


def _read_bytes(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    except OSError as error:
        what = "it is a link" if path.is_symlink() else str(error.strerror)
        raise ConfigError(
            f"cannot be read: {what}", where=str(path), hint="Put a regular file in its place."
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigError(
            "is not a regular file", where=str(path), hint="Put a regular file in its place."
        )
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()


def _parse(line: bytes, where: str) -> Document:
    if len(line) > LONGEST_LINE:
        raise ConfigError(
            f"a line of {len(line):,} bytes; {LONGEST_LINE:,} are allowed",
            where=where,
            hint="Remove the line; no command of ours writes such a one.",
        )
    try:
        document = json.loads(
            line.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse
        )
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"not JSON in UTF-8: {error}",
            where=where,
            hint="Mend or remove the line; each line is one decision as one JSON object.",
        ) from error
    if not isinstance(document, dict):
        raise ConfigError(
            "not a JSON object", where=where, hint="Each line is one decision in braces."
        )
    return document


def _unique(pairs: list[tuple[str, Any]]) -> Document:
    document = dict(pairs)
    if len(document) < len(pairs):
        message = "a key occurs twice"
        raise ValueError(message)
    return document


def _refuse(constant: str) -> float:
    message = f"{constant} is no JSON value"
    raise ValueError(message)
