"""What a file packs: streams inflated, members of archives, parts of mails, whatever its name is.

The first bytes tell what a file is. What is packed may pack more: the caller looks into each part
again. Compressed zeros are a few bytes, so there is an end to what is inflated of one file.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import pyarrow as pa

from cdp_pipeline.rights.mail_parts import is_mail
from cdp_pipeline.rights.mails import mail_labels, mail_parts

UNPACKED = "unpacked"
"""Folder of parts in clear, within the work of a run."""

HEAD = 4096
"""Bytes that tell what a file is: seals of mail servers stand before what tells a mail."""

BROKEN = (
    *(OSError, EOFError, NotImplementedError, RuntimeError, ValueError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, tarfile.TarError),
)
"""Errors of a file that cannot be unpacked: it is broken, needs a password, or is not known."""

_MOST_INFLATED = 1 << 30
_LARGEST_RATIO = 1000
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\0": "xz",
    b"PK\3\4": "zip",
    b"PAR1\x15": "parquet",  # and the first page; a text may begin with these letters, too
}
_SUFFIXES = {
    ".gz": "gzip",
    ".zst": "zstd",
    ".zip": "zip",
    ".xlsx": "zip",
    ".parquet": "parquet",
    ".duckdb": "duckdb",
    ".db": "duckdb",
    ".eml": "mail",
}
_FURTHER_ON = {"bz2": (4, b"1AY&SY"), "tar": (257, b"ustar"), "duckdb": (8, b"DUCK")}
_STREAMS = {"gzip", "zstd", "bz2", "xz"}
ARCHIVES = {"zip", "tar"}
PACKED = {*_STREAMS, *ARCHIVES, "parquet"}


_GZIP_HEADER, _GZIP_FLAGS = 10, 3
_GZIP_EXTRA, _GZIP_NAME, _GZIP_COMMENT = 1 << 2, 1 << 3, 1 << 4
_LONGEST_LABEL = 1 << 16
_ZIP_END = (1 << 16) + 22
"""Bytes at the end of a zip file in which its directory's end stands, by its format."""


class Budget:
    """How much may still be inflated of a file that was found on disk."""

    def __init__(self, size: int) -> None:
        """Begin with what a file of so many bytes may hold."""
        self._left = max(_MOST_INFLATED, size * _LARGEST_RATIO)

    def spend(self, data: bytes) -> bytes:
        """Take the size of an inflated piece off and return the piece.

        Raises:
            ValueError: There is more in the file than anybody would look at.
        """
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("it inflates to more than a file of its size should")
        return data


def kind_of(head: bytes, name: str) -> str | None:
    r"""Return what a file is by its first bytes, else by its name; None for what packs nothing.

    >>> kind_of(b"PK\3\4....", "members.csv"), kind_of(b"a,b", "members.csv")
    ('zip', None)
    """
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    for kind, (place, magic) in _FURTHER_ON.items():
        if head[place : place + len(magic)] == magic:
            return kind
    return "mail" if is_mail(head) else _SUFFIXES.get(Path(name).suffix.lower())


def kind_of_file(path: Path, name: str) -> str | None:
    """Return what a file is; archives may stand behind a program that extracts them.

    Args:
        path: The file.
        name: What it is called.
    """
    with path.open("rb") as stream:
        kind = kind_of(stream.read(HEAD), name)
        if kind is None:
            stream.seek(max(0, path.stat().st_size - _ZIP_END))
            kind = "zip" if b"PK\5\6" in stream.read() and zipfile.is_zipfile(path) else None
    return kind


@contextmanager
def unpacking(scratch: Path) -> Iterator[Path]:
    """Give a private folder for what is unpacked; what somebody who died left there goes first.

    Args:
        scratch: The folder below which it lies.
    """
    folder = scratch / UNPACKED
    forget_unpacked(scratch)
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        forget_unpacked(scratch)


def forget_unpacked(scratch: Path) -> None:
    """Remove what somebody who died left unpacked."""
    shutil.rmtree(scratch / UNPACKED, ignore_errors=True)


def parts_of(path: Path, kind: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield name and content of what a file packs; each is to be read before the next.

    Args:
        path: The file.
        kind: What it is, by ``kind_of``.

    Raises:
        BROKEN: It cannot be unpacked.
    """
    if kind in _STREAMS:
        with _inflated(path, kind) as stream:
            yield "inflated", stream
    elif kind == "zip":
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                with archive.open(info) as member:
                    yield info.filename, member
    elif kind == "mail":
        yield from mail_parts(path)
    elif kind == "tar":
        with tarfile.open(path, "r:") as tape:
            for entry in tape:
                content = tape.extractfile(entry) if entry.isfile() else None
                if content is not None:
                    yield entry.name, content


def labels_of(path: Path, kind: str) -> Iterator[str]:
    """Yield what a file says beside its parts: comments, names of folders and links, a stub.

    Args:
        path: The file.
        kind: What it is, by ``kind_of``.

    Raises:
        BROKEN: It cannot be unpacked.
    """
    if kind == "zip":
        with zipfile.ZipFile(path) as archive:
            comments = (archive.comment, *(info.comment for info in archive.infolist()))
        for said in (*comments, stub_of(path)):
            yield said.decode("utf-8", "surrogateescape")
    elif kind == "mail":
        yield from mail_labels(path)
    elif kind == "gzip":
        for said in _gzip_labels(path):
            yield said.decode("utf-8", "surrogateescape")
    elif kind == "tar":
        with tarfile.open(path, "r:") as tape:
            for entry in tape:
                yield from () if entry.isfile() else (entry.name, entry.linkname)


def stub_of(path: Path) -> bytes:
    """Return what stands before the members of a zip file: the program that extracts them."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
        first = min((info.header_offset for info in archive.infolist()), default=0)
        stub = stream.read(first)
    return b"" if stub.startswith(b"PK\3\4") else stub  # a member that was deleted is no program


def _gzip_labels(path: Path) -> Iterator[bytes]:
    """Yield the name of the file and the comment that a gzip header tells (RFC 1952)."""
    with path.open("rb") as stream:
        head = stream.read(_GZIP_HEADER)
        flags = head[_GZIP_FLAGS] if len(head) == _GZIP_HEADER else 0
        if flags & _GZIP_EXTRA:
            stream.seek(int.from_bytes(stream.read(2), "little"), 1)
        told = stream.read(_LONGEST_LABEL)
    for _ in range(bool(flags & _GZIP_NAME) + bool(flags & _GZIP_COMMENT)):
        said, _, told = told.partition(b"\0")
        yield said


@contextmanager
def _inflated(path: Path, kind: str) -> Iterator[IO[bytes]]:
    if kind == "zstd":
        with pa.CompressedInputStream(pa.OSFile(str(path)), kind) as stream:
            yield cast("IO[bytes]", stream)
        return
    opened: dict[str, Callable[[Path], object]] = {
        "gzip": gzip.open,
        "bz2": bz2.open,
        "xz": lzma.open,
    }
    with cast("IO[bytes]", opened[kind](path)) as stream:
        yield stream
