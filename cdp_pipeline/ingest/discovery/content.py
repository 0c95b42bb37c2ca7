"""The bytes of a delivery that are looked at: a bounded head and tail, and what kind they are.

Compression and archives are opened by ``inflation``; what the bytes say is found elsewhere.
"""

from __future__ import annotations

import fnmatch
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest.claims import is_beside_any
from cdp_pipeline.ingest.discovery.naming import few_of_each
from cdp_pipeline.ingest.inflation import (
    CHUNK,
    copy_member,
    is_compressed,
    member_names,
    read_chunks,
    read_members,
)
from cdp_pipeline.ingest.plaintext import MAGIC
from cdp_pipeline.ingest.readers import ZIP_SUFFIX
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.storage.container import key_of

SAMPLE_BYTES = 8 << 20
"""Bytes of a delivery that are looked at."""

TAIL_BYTES = 1 << 16
_MOST_INFLATED = 1 << 28
_PARQUET = b"PAR1"
_ENCRYPTED = (".gpg", ".pgp", ".age", ".enc")

Kind = Literal["text", "parquet", "excel"]


@dataclass(frozen=True)
class Content:
    """What is looked at of a delivery.

    Attributes:
        path: The delivery, or a private copy of its member.
        kind: Whether it is text, Parquet or a workbook.
        head: Its first bytes, decompressed.
        tail: Its last bytes; empty if they were too far away to be looked at.
        is_whole: Whether ``head`` is all of it.
        member: Name of the file within a .zip; empty otherwise.
    """

    path: Path
    kind: Kind
    head: bytes
    tail: bytes
    is_whole: bool
    member: str = ""


def open_contents(path: Path, scratch: Path) -> list[Content]:
    """Return what there is to look at in a file: itself, or a few members of each kind of a .zip.

    Args:
        path: A delivery.
        scratch: Private folder for members; the caller removes it.

    Raises:
        ConfigError: It is empty or of a kind that no contract can read.
    """
    if path.stat().st_size == 0:
        raise ConfigError(
            "the file is empty", where=str(path), hint="Look at a delivery that holds something."
        )
    if key_of(path) is not None:
        raise ConfigError(
            "it was encrypted after its night, so that a source with a contract delivered it",
            where=str(path),
            hint="Look at a file as it is delivered, or at that source's contract.",
        )
    if zipfile.is_zipfile(path) and path.suffix.lower() == ZIP_SUFFIX:
        return list(_members(path, scratch))
    if zipfile.is_zipfile(path):
        return [Content(path, "excel", b"", b"", is_whole=True)]
    return [_open(path)]


def _member_names(path: Path) -> list[str]:
    try:
        names = member_names(path)
    except RefusedError as error:
        raise ConfigError(error.reason, where=str(path), hint=error.hint) from error
    with zipfile.ZipFile(path) as archive:
        filled = [name for name in names if archive.getinfo(name).file_size]
    if not filled:
        raise ConfigError("the archive holds no file", where=str(path), hint="Look at another one.")
    return [name for name in filled if not is_beside_the_data(Path(name).name)] or filled


def _members(path: Path, scratch: Path) -> Iterator[Content]:
    names = few_of_each(_member_names(path), lambda name: Path(name).name)
    for number, (name, chunks) in enumerate(read_members(path, names)):
        folder = scratch / f"member-{number}"
        folder.mkdir()
        copy = copy_member(chunks, name, folder)
        try:
            yield replace(_open(copy), member=name)
        except ConfigError as error:  # people know the archive, not our copy
            raise ConfigError(error.message, where=f"{path}: {name}", hint=error.hint) from error


def _open(path: Path) -> Content:
    head, tail, is_whole = _ends(path)
    if path.suffix.lower() in _ENCRYPTED:
        raise ConfigError(
            "it is encrypted", where=str(path), hint="Decrypt it before it is delivered."
        )
    if head.startswith(_PARQUET):
        return Content(path, "parquet", head, b"", is_whole)
    for magic, (what, hint) in MAGIC.items():
        if head.startswith(magic):
            raise ConfigError(f"it is {what}", where=str(path), hint=hint)
    if head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        raise ConfigError(
            "it is a web page", where=str(path), hint="It may be an error page of the download."
        )
    return Content(path, "text", head, tail, is_whole)


def _ends(path: Path) -> tuple[bytes, bytes, bool]:
    """Return the first and the last bytes, and whether the first ones are all."""
    chunks = read_chunks(path)
    head = _take(chunks)
    if len(head) < SAMPLE_BYTES:
        return head, head[-TAIL_BYTES:], True
    if not is_compressed(path):
        with path.open("rb") as stream:
            stream.seek(-TAIL_BYTES, 2)
            return head, stream.read(), False
    tail, total = head[-TAIL_BYTES:], len(head)
    for chunk in chunks:
        tail, total = (tail + chunk)[-TAIL_BYTES:], total + len(chunk)
        if total > _MOST_INFLATED:
            return head, b"", False
    return head, tail, False


def _take(chunks: Iterator[bytes]) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size < SAMPLE_BYTES and (chunk := next(chunks, b"")):
        parts.append(chunk)
        size += len(chunk)
    return b"".join(parts)


def is_beside_the_data(name: str) -> bool:
    """Return whether a file only speaks of deliveries: markers, manifests, checksums, notes.

    >>> is_beside_the_data("sales.csv.done"), is_beside_the_data("sales.csv")
    (True, False)
    """
    patterns = ("*.md", "*.pdf", "readme*", ".*")
    is_note = any(fnmatch.fnmatchcase(name.lower(), pattern) for pattern in patterns)
    return is_note or is_beside_any(name)


def sample_size(content: Content) -> str:
    """Return how much was looked at, for people."""
    if content.is_whole:
        return "the whole file"
    return f"the first {len(content.head) / CHUNK:.0f} MB of the file"
