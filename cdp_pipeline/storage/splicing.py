"""A Parquet file of which some columns are written anew; those that stay are copied as bytes.

To take a person out of sales empties one column of nineteen: nothing else is decompressed for it.
New chunks come from a file of the new columns alone, with as many rows in each of its row groups.
What stood beside an old chunk (its least and greatest value, its Bloom filter) goes with it.
Source: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cdp_pipeline.storage.footers import (
    I32,
    I64,
    Struct,
    number_of,
    read_struct,
    struct_of,
    structs_of,
    texts_of,
    write_struct,
)

_MAGIC = b"PAR1"
_TAIL = 8
"""Bytes of the footer's length and of the magic behind it."""

_SCHEMA, _GROUPS = 2, 4
"""Fields of ``FileMetaData``."""

_REPETITION, _NAME, _CHILDREN = 3, 4, 5
"""Fields of ``SchemaElement``."""

_COLUMNS, _UNCOMPRESSED, _ROWS, _FILE_OFFSET, _COMPRESSED = 1, 2, 3, 5, 6
"""Fields of ``RowGroup``."""

_ELSEWHERE, _DEPRECATED, _META = 1, 2, 3
"""Fields of ``ColumnChunk``: the file it is in, a deprecated offset, ``ColumnMetaData``."""

_INDEXES = (4, 6)
"""Fields of ``ColumnChunk``: where its page indexes lie, which are not moved here."""

_PATH, _PLAIN_SIZE, _SIZE, _DATA, _INDEX, _DICTIONARY, _BLOOM, _BLOOM_SIZE = (
    3,
    6,
    7,
    9,
    10,
    11,
    14,
    15,
)
"""Fields of ``ColumnMetaData``."""


@dataclass(frozen=True)
class _Source:
    """An open file and what its footer says."""

    stream: BinaryIO
    footer: Struct

    @property
    def groups(self) -> list[Struct]:
        return structs_of(self.footer, _GROUPS)

    @property
    def columns(self) -> dict[object, list[Struct]]:
        """The schema's elements of each column, its own before those within it."""
        found: dict[object, list[Struct]] = {}
        elements = iter(structs_of(self.footer, _SCHEMA)[1:])  # the first is the table itself
        for element in elements:
            held = [element]
            left = _children(element)
            while left:
                held.append(_next_of(elements))
                left += _children(held[-1]) - 1
            _, name = element.get(_NAME, (0, None))
            if name is None or found.setdefault(name, held) is not held:
                raise ValueError("a column has no name of its own")
        return found


def _next_of(elements: Iterator[Struct]) -> Struct:
    for element in elements:
        return element
    raise ValueError("the schema ends within a column")


def _children(element: Struct) -> int:
    return number_of(element, _CHILDREN) or 0


def splice_columns(source: Path, anew: Path, target: Path) -> None:
    """Write a file with the rows of another, of which some columns are those of a third.

    Args:
        source: The Parquet file; it stays.
        anew: A Parquet file of nothing but columns that ``source`` has, in the same order of rows.
        target: The file to write.

    Raises:
        ValueError: They do not fit: another type, other row groups, page indexes.
        OSError: A file cannot be read or written.
    """
    with ExitStack() as stack:
        old, new = (_open(stack, path) for path in (source, anew))
        if len(old.groups) != len(new.groups):
            raise ValueError("the files have other row groups")
        _declare(old, new)
        out = stack.enter_context(target.open("wb"))
        out.write(_MAGIC)
        pairs = list(zip(old.groups, new.groups, strict=True))
        moved = [chunk for was, now in pairs for chunk in _write_group(out, (old, was), (new, now))]
        for origin, chunk in moved:
            _write_bloom(out, origin, chunk)
        footer = write_struct(old.footer)
        out.write(footer + len(footer).to_bytes(4, "little") + _MAGIC)


def _declare(old: _Source, new: _Source) -> None:
    """Let the first file's schema say of the other one's columns whether they may be null."""
    known = old.columns
    for name, (element, *inner) in new.columns.items():
        was, *within = known.get(name, [{}])
        if ({**was, _REPETITION: None}, within) != ({**element, _REPETITION: None}, inner):
            raise ValueError("a column is of another type")
        if _REPETITION not in was or _REPETITION not in element:
            raise ValueError("a column does not say whether it may be null")
        was[_REPETITION] = element[_REPETITION]


def _open(stack: ExitStack, path: Path) -> _Source:
    stream = stack.enter_context(path.open("rb"))
    end = stream.seek(0, 2)
    stream.seek(max(0, end - _TAIL))
    tail = stream.read()
    size = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or size + _TAIL > end:
        raise ValueError(f"{path.name} is no Parquet file in clear")
    stream.seek(end - _TAIL - size)
    return _Source(stream, read_struct(stream.read(size)))


def _write_group(
    out: BinaryIO, old: tuple[_Source, Struct], new: tuple[_Source, Struct]
) -> Iterator[tuple[_Source, Struct]]:
    """Write the chunks of a row group, note where they lie; yield each and the file it is from."""
    (kept, group), (other, fresh) = old, new
    if number_of(group, _ROWS) != number_of(fresh, _ROWS):
        raise ValueError("the files have other row groups")
    anew = {
        texts_of(struct_of(chunk, _META), _PATH): chunk for chunk in structs_of(fresh, _COLUMNS)
    }
    chunks, begin, plain = structs_of(group, _COLUMNS), out.tell(), 0
    for number, chunk in enumerate(chunks):
        found = anew.get(texts_of(struct_of(chunk, _META), _PATH))
        origin = kept if found is None else other
        chunks[number] = found or chunk
        _move_chunk(out, origin, chunks[number])
        plain += _known(struct_of(chunks[number], _META), _PLAIN_SIZE)
        yield origin, chunks[number]
    group[_UNCOMPRESSED] = I64, plain
    for field, value in ((_FILE_OFFSET, begin), (_COMPRESSED, out.tell() - begin)):
        if field in group:
            group[field] = I64, value


def _move_chunk(out: BinaryIO, origin: _Source, chunk: Struct) -> None:
    """Copy the pages of a column's chunk, and let it say where they lie now."""
    meta = struct_of(chunk, _META)
    if _ELSEWHERE in chunk or any(field in chunk for field in _INDEXES):
        raise ValueError("pages have an index, or lie in another file")
    places = [place for f in (_DATA, _INDEX, _DICTIONARY) if (place := number_of(meta, f))]
    begin, size = min(places), _known(meta, _SIZE)
    moved = out.tell() - begin
    for field in (_DATA, _INDEX, _DICTIONARY):
        place = number_of(meta, field)
        if place:
            meta[field] = I64, place + moved
    if number_of(chunk, _DEPRECATED):
        chunk[_DEPRECATED] = I64, out.tell()
    _copy(out, origin, begin, size)


def _write_bloom(out: BinaryIO, origin: _Source, chunk: Struct) -> None:
    """Copy a chunk's Bloom filter; one of unknown length is left out, and readers do without."""
    meta = struct_of(chunk, _META)
    begin, size = number_of(meta, _BLOOM), number_of(meta, _BLOOM_SIZE)
    if begin is None or size is None:
        meta.pop(_BLOOM, None)
        return
    meta[_BLOOM], meta[_BLOOM_SIZE] = (I64, out.tell()), (I32, size)
    _copy(out, origin, begin, size)


def _copy(out: BinaryIO, origin: _Source, begin: int, size: int) -> None:
    if min(begin, size) < 0:
        raise ValueError("a chunk lies before the beginning of its file")
    origin.stream.seek(begin)
    data = origin.stream.read(size)
    if len(data) < size:
        raise ValueError("a chunk lies beyond the end of its file")
    out.write(data)


def _known(struct: Struct, field: int) -> int:
    number = number_of(struct, field)
    if number is None:
        raise ValueError(f"field {field} is missing")
    return number
