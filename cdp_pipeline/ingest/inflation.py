"""Bytes of a delivery, decompressed in a stream with every checksum looked at.

DuckDB reads compressed files itself but ignores gzip's checksum and has no limit against bombs.
What the bytes mean is none of this module's business.
"""

from __future__ import annotations

import fnmatch
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path, PureWindowsPath
from typing import BinaryIO

import pyarrow as pa

from cdp_pipeline.ingest.refusal import RefusedError

CHUNK = 1 << 20
MAXIMUM_RATIO = 200
"""Decompressed bytes per delivered byte; real exports stay below 30."""

_LONGEST_SUFFIX = 16
_GZIP_WINDOW = 31  # zlib: largest window, gzip header and checksum


def read_chunks(path: Path) -> Iterator[bytes]:
    """Yield the decompressed bytes of a file; the suffix says how it is compressed.

    Raises:
        RefusedError: Compression is broken, cut short, followed by rubbish, or a bomb.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        if path.suffix.lower() == ".gz":
            yield from _limited(_gunzip(stream), size)
        elif path.suffix.lower() == ".zst":
            yield from _limited(_unzstd(stream), size)
        else:
            while chunk := stream.read(CHUNK):
                yield chunk


def unpack_member(path: Path, pattern: str, folder: Path) -> Path:
    """Copy the one file of a .zip whose name matches into a folder, and return the copy.

    Raises:
        RefusedError: The archive is broken, a bomb, locked, or not one file matches.
    """
    found = member_names(path, pattern)
    if len(found) != 1:
        raise RefusedError(
            f"{len(found)} of the {len(member_names(path))} files in it match {pattern or '*'!r}",
            hint="Set `member:` so that exactly one does.",
        )
    return copy_member(read_member(path, found[0]), found[0], folder)


def copy_member(chunks: Iterable[bytes], name: str, folder: Path) -> Path:
    """Write a file of a .zip into a folder and return the copy, whose suffixes are its own.

    Its name is not: nobody keeps a sender from one that no file system takes.
    """
    suffixes = [suffix for suffix in Path(name).suffixes[-2:] if len(suffix) <= _LONGEST_SUFFIX]
    target = folder / f"member{''.join(suffixes)}"
    with target.open("wb") as copy:
        copy.writelines(chunks)
    return target


def member_names(path: Path, pattern: str = "") -> list[str]:
    """Return the files of a .zip whose names match, in order; none that only macOS knows.

    Raises:
        RefusedError: The archive is broken, names a place outside itself or holds a name twice.
    """
    with _explained(), zipfile.ZipFile(path) as archive:
        names = [i.filename for i in archive.infolist() if not i.is_dir()]
    astray = [n for n in names if n.startswith("/") or ".." in PureWindowsPath(n).parts]
    if astray:
        raise RefusedError(
            f"the archive names a place outside itself: {astray[0]!r}",
            hint="No export is packed so; ask who made it, and for an archive without such paths.",
        )
    plain = [n for n in names if not any(p.startswith((".", "__")) for p in Path(n).parts)]
    found = sorted(n for n in plain if fnmatch.fnmatchcase(Path(n).name, pattern or "*"))
    twice = next((one for one, other in pairwise(found) if one == other), None)
    if twice is not None:  # only the last of the two could be opened by its name
        raise RefusedError(
            f"two files in it have one name: {twice!r}",
            hint="Have it packed again, each file under a name of its own.",
        )
    return found


def read_member(path: Path, name: str) -> Iterator[bytes]:
    """Yield the bytes of one file of a .zip.

    Raises:
        RefusedError: The archive is broken, a bomb or locked.
    """
    for _, chunks in read_members(path, [name]):
        yield from chunks


def read_members(path: Path, names: Iterable[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield files of a .zip with their bytes; each is read before the next, or not at all.

    The list of what is in the archive is read once: it may tell of a hundred thousand files.

    Raises:
        RefusedError: The archive is broken, a bomb or locked.
    """
    with _explained(), zipfile.ZipFile(path) as archive:
        for name in names:
            yield name, _read(archive, name)


def _read(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with _explained(), archive.open(name) as source:
        chunks = iter(lambda: source.read(CHUNK), b"")
        yield from _limited(chunks, max(1, archive.getinfo(name).compress_size))


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise RefusedError(f"corrupt zip data ({error})", hint="Have it sent again.") from error
    except RuntimeError as error:
        raise RefusedError("it has a password", hint="Ask for it without one.") from error


def is_compressed(path: Path) -> bool:
    """Return whether the suffix names a compression we read."""
    return path.suffix.lower() in {".gz", ".zst"}


def _limited(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > CHUNK and total > MAXIMUM_RATIO * size:
            raise RefusedError(
                f"it inflates to more than {MAXIMUM_RATIO} times its size: a decompression bomb",
                hint="Ask the sender for the file uncompressed.",
            )
        yield chunk


def _gunzip(stream: BinaryIO) -> Iterator[bytes]:
    member = None
    has_begun = False
    while block := stream.read(CHUNK):
        while block:
            if member is None:
                if has_begun and not (block := block.lstrip(b"\0")):
                    break  # zeros that fill up a block of a tape or disk, as gzip(1) passes over
                if not block.startswith(b"\x1f"):
                    what = "rubbish follows the gzip data" if has_begun else "it is not gzip"
                    raise RefusedError(what, hint="Have it sent again, or drop the .gz suffix.")
                member, has_begun = zlib.decompressobj(_GZIP_WINDOW), True
            try:
                yield member.decompress(block, CHUNK)
            except zlib.error as error:
                raise RefusedError(
                    f"corrupt gzip data ({error})", hint="Have it sent again."
                ) from error
            block = member.unused_data if member.eof else member.unconsumed_tail
            member = None if member.eof else member
    if member is not None:
        raise RefusedError("the gzip data ends too early", hint="Have it sent again.")


def _unzstd(stream: BinaryIO) -> Iterator[bytes]:
    try:
        with pa.CompressedInputStream(stream, "zstd") as source:
            while chunk := source.read(CHUNK):
                yield chunk
    except OSError as error:
        raise RefusedError(f"corrupt zstd data ({error})", hint="Have it sent again.") from error
