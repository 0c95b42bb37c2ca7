"""What one file holds of people: in its bytes, and in what is packed inside it.

Bytes alone miss compressed columns, so Parquet and DuckDB files are read value by value, and what
is packed is unpacked, archives within archives, too. Which files are looked into is decided in
``scan``.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path

import duckdb

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.rights.columns import Piece, database_texts, parquet_texts
from cdp_pipeline.rights.mails import mail_text
from cdp_pipeline.rights.packed import (
    ARCHIVES,
    BROKEN,
    HEAD,
    PACKED,
    Budget,
    kind_of,
    kind_of_file,
    labels_of,
    parts_of,
    unpacking,
)
from cdp_pipeline.rights.searching import SEPARATOR, Searcher
from cdp_pipeline.rights.spellings import wide_encoding
from cdp_pipeline.storage.at_rest import plain_file
from cdp_pipeline.storage.cipher import read_vault_key
from cdp_pipeline.storage.container import SealedFileError, key_of

_BLOCK = 1 << 24
_OVERLAP = 1 << 12
_HEAD = 4096
_NO_CHANCE = 8
"""Bytes of a trace that compressed bytes, which are like drawn ones, do not hold by chance.

A name of two short words stands somewhere in some gigabytes; what is packed is searched for it.
"""


class _UnreadableError(Exception):
    """A file whose inside cannot be looked at."""


def lies_open(path: Path) -> bool:
    """Return whether a file is looked into where it lies: nothing is unsealed or unpacked."""
    return key_of(path) is None and kind_of_file(path, path.name) in {None, "parquet", "duckdb"}


def look_into(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    searcher: Searcher,
    keys: KeySettings,
    folder: Path,
    *,
    figures: bool,
) -> tuple[set[tuple[str, str]], bool]:
    """Return place and kind of every trace in a file, sealed or not, and whether it is broken.

    Args:
        con: Any connection that nobody else uses meanwhile.
        path: The file.
        searcher: Looks for the people.
        keys: What opens encrypted files.
        folder: Private folder for copies in clear, one at a time.
        figures: Whether digits of figures are a text too.
    """
    found: set[tuple[str, str]] = set()
    try:
        with plain_file(path, keys, folder) as plain:
            found |= {("bytes", kind) for kind in _in_bytes(plain, searcher)}
            for find in _inside(con, plain, searcher, keys, folder, figures=figures):
                found.add(find)
    except (SealedFileError, _UnreadableError):
        return found, True
    return found, False


def holds_trace(
    con: duckdb.DuckDBPyConnection, path: Path, searcher: Searcher, scratch: Path
) -> bool:
    """Return whether a file holds a trace, outside or inside.

    Args:
        con: Any connection.
        path: The file.
        searcher: Looks for the people.
        scratch: Private folder for copies of what is packed, one at a time.
    """
    try:
        return any(_outside(path, searcher)) or any(
            _inside(con, path, searcher, KeySettings(), scratch, figures=True)
        )
    except _UnreadableError:
        return False


def _outside(path: Path, searcher: Searcher) -> Iterator[tuple[str, str]]:
    """Yield place and kind of every trace in a file's name and bytes."""
    yield from (("name", kind) for kind in searcher.kinds(path.name))
    yield from (("bytes", kind) for kind in _in_bytes(path, searcher))


def _inside(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    searcher: Searcher,
    keys: KeySettings,
    folder: Path,
    *,
    figures: bool,
) -> Iterator[tuple[str, str]]:
    """Yield place and kind of every trace in what a file packs.

    Raises:
        _UnreadableError: It is broken, as a delivery that was refused may be.
    """
    kind = kind_of_file(path, path.name)
    try:
        if kind == "parquet":
            key = read_vault_key(path.parent.parent, keys)
            yield from _in_pieces(parquet_texts(con, path, key, figures=figures), searcher)
        elif kind == "duckdb":
            yield from _in_pieces(database_texts(con, path, figures=figures), searcher)
        elif kind:
            budget = Budget(path.stat().st_size)
            with unpacking(folder) as made:
                yield from _in_parts(con, path, kind, searcher, budget, made)
    except (duckdb.Error, ConfigError, *BROKEN) as error:
        raise _UnreadableError from error


def _in_parts(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    kind: str,
    searcher: Searcher,
    budget: Budget,
    folder: Path,
) -> Iterator[tuple[str, str]]:
    """Yield place and kind of every trace in what a file packs, and in what that packs.

    Raises:
        BROKEN: One of them cannot be unpacked.
    """
    copy = folder / "part"
    for label in labels_of(path, kind):
        yield from (("label", found) for found in searcher.kinds(label))
    for name, stream in parts_of(path, kind):
        if kind in ARCHIVES:
            yield from ((name, found) for found in searcher.kinds(name))
        pieces = iter(lambda s=stream: budget.spend(bytes(s.read(_BLOCK))), b"")  # type: ignore[misc]
        first = next(pieces, b"")
        inner = kind_of(first[:HEAD], "")
        if inner is None and b"\0" not in first:  # a text, behind which no archive stands
            blocks = chain([first], pieces)
            yield from ((name, found) for found in _in_blocks(blocks, searcher))
            continue
        with copy.open("wb") as target:
            target.writelines(chain([first], pieces))
        inner = inner or kind_of_file(copy, "")
        yield from ((name, found) for found in _in_bytes(copy, searcher, kind=inner))
        if inner is None:
            continue
        below = folder / "inside"
        below.mkdir(exist_ok=True)
        if inner in {"parquet", "duckdb"}:
            texts = database_texts if inner == "duckdb" else partial(parquet_texts, key=None)
            finds = _in_pieces(texts(con, copy, figures=True), searcher)
        else:
            finds = _in_parts(con, copy, inner, searcher, budget, below)
        yield from ((f"{name}/{place}", found) for place, found in finds)


def _in_bytes(path: Path, searcher: Searcher, *, kind: str | None = None) -> set[str]:
    kind = kind or kind_of_file(path, path.name)
    if kind == "mail":
        with suppress(ValueError):  # it is none that can be taken apart
            return _in_blocks(iter([mail_text(path)]), searcher)
    with path.open("rb") as stream:
        blocks = iter(lambda: stream.read(_BLOCK), b"")
        shortest = _NO_CHANCE if kind in PACKED else 0
        is_text = kind not in {"parquet", "duckdb"}
        return _in_blocks(blocks, searcher, is_text=is_text, shortest=shortest)


def _in_blocks(
    blocks: Iterator[bytes], searcher: Searcher, *, is_text: bool = True, shortest: int = 0
) -> set[str]:
    found: set[str] = set()
    tail = b""
    wide = None
    for block in blocks:
        data = tail + block
        found |= searcher.kinds(data, shortest=shortest)
        if is_text and (wide or b"\0" in data[:_HEAD]):
            found |= searcher.kinds(data.replace(b"\0", b""), shortest=shortest)
            wide = wide or wide_encoding(data[:_HEAD])
            if wide:  # letters that have no zeros beside them
                found |= searcher.kinds(data.decode(wide, "replace"), shortest=shortest)
                if wide == "utf-16":  # only its first block has the mark
                    wide += "-be" if data.startswith(codecs.BOM_UTF16_BE) else "-le"
        start = max(0, len(data) - _OVERLAP)
        tail = data[start + start % 2 :]  # no letter of UTF-16 is parted
    return found


def _in_pieces(pieces: Iterable[Piece], searcher: Searcher) -> Iterator[tuple[str, str]]:
    """Yield column and kind of every trace in the texts of a table.

    They are searched together, many columns at a time; each for itself only if there is something.
    """
    held: list[Piece] = []
    size = 0
    for piece in chain(pieces, [None]):
        if piece:
            held.append(piece)
            size += len(piece[1])
        if size > _BLOCK or not piece:
            if searcher.kinds(SEPARATOR.encode().join(text for _, text in held)):
                yield from {(name, kind) for name, text in held for kind in searcher.kinds(text)}
            held, size = [], 0
