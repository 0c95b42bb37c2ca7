"""A Parquet file of which only some columns have changed, made without encoding the others.

When two customers turn out to be one, a few rows of a past month name another customer; each other
column holds what it held. DuckDB encodes the columns of a row group independently of each other, so
a column that has not changed is the same bytes, and these are taken from the file as it was
published. Only the changed columns are encoded. The file that comes of it is, byte for byte, the
one that DuckDB would have written of all columns (a test says so for the engine in use); where a
file is not laid out as that rests upon, nothing is made and it is written whole.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cdp_pipeline.storage.footers import (
    Field,
    Struct,
    parse_struct,
    set_value,
    value_of,
    write_struct,
)

MAGIC = b"PAR1"
_END = 8
"""Bytes behind the footer: its length and the magic word."""

_GROUPS = 4
_COLUMNS, _BYTES, _GROUP_ROWS, _GROUP_START, _GROUP_SIZE = 1, 2, 3, 5, 6
_CHUNK = 3
_PATH, _PLAIN_SIZE, _SIZE, _DATA_AT = 3, 6, 7, 9
_DICTIONARY_AT, _BLOOM_AT, _BLOOM_SIZE = 11, 14, 15
_KNOWN_OF_COLUMN = frozenset({2, _CHUNK})
_KNOWN_OF_CHUNK = frozenset(
    {*range(1, 8), _DATA_AT, _DICTIONARY_AT, 12, 13, _BLOOM_AT, _BLOOM_SIZE}
)
_KNOWN_OF_GROUP = frozenset({_COLUMNS, _BYTES, _GROUP_ROWS, _GROUP_START, _GROUP_SIZE})


@dataclass
class _Column:
    """A column of a row group: what its footer says, and the file it lies in."""

    told: Struct
    file: BinaryIO

    @property
    def path(self) -> tuple[bytes, ...]:
        return tuple(value_of(self.told, _PATH).values)

    @property
    def start(self) -> int:
        """Return where its first page begins; a dictionary lies before the data."""
        dictionary = value_of(self.told, _DICTIONARY_AT)
        found: int = value_of(self.told, _DATA_AT) if dictionary is None else dictionary
        return found

    @property
    def size(self) -> int:
        found: int = value_of(self.told, _SIZE)
        return found

    def copy(self, target: BinaryIO) -> None:
        """Append its pages and say where they lie now."""
        moved = target.tell() - self.start
        _copy_bytes(self.file, self.start, self.size, target)
        for number in (_DATA_AT, _DICTIONARY_AT):
            at = value_of(self.told, number)
            if at is not None:
                set_value(self.told, number, at + moved)

    def copy_bloom(self, target: BinaryIO) -> None:
        """Append its Bloom filter, if it has one, and say where that lies now."""
        at = value_of(self.told, _BLOOM_AT)
        if at is not None:
            _copy_bytes(self.file, at, value_of(self.told, _BLOOM_SIZE), target)
            set_value(self.told, _BLOOM_AT, target.tell() - value_of(self.told, _BLOOM_SIZE))


def replace_columns(published: Path, changed: Path, target: Path) -> bool:
    """Write a file with the columns of one file in the place of another's.

    Args:
        published: The file as it was.
        changed: The columns that have changed, of the same rows in the same order.
        target: Where to write.

    Returns:
        Whether it was written; not if one of the files is laid out otherwise than is known here,
        or if their row groups differ.
    """
    with published.open("rb") as old, changed.open("rb") as new:
        try:
            footer, other = _read_footer(old), _read_footer(new)
            groups, others = _groups(footer, old), _groups(other, new)
        except (ValueError, IndexError):
            return False
        if not _fit(footer, other, groups, others):
            return False
        with target.open("wb") as file:
            _write(file, footer, groups, others)
    return True


def _write(
    file: BinaryIO, footer: Struct, groups: list[list[_Column]], others: list[list[_Column]]
) -> None:
    file.write(MAGIC)
    told = value_of(footer, _GROUPS).values
    for group, columns, newer in zip(told, groups, others, strict=True):
        by_path = {column.path: column for column in newer}
        columns[:] = [by_path.get(column.path, column) for column in columns]
        start = file.tell()
        for column in columns:
            column.copy(file)
        for kept, column in zip(value_of(group, _COLUMNS).values, columns, strict=True):
            set_value(kept, _CHUNK, column.told)
        set_value(group, _BYTES, sum(value_of(column.told, _PLAIN_SIZE) for column in columns))
        set_value(group, _GROUP_SIZE, sum(column.size for column in columns))
        set_value(group, _GROUP_START, start)
    for columns in groups:
        for column in columns:
            column.copy_bloom(file)
    written = write_struct(footer)
    file.write(written + len(written).to_bytes(4, "little") + MAGIC)


def _read_footer(file: BinaryIO) -> Struct:
    """Return what the end of a file says of it.

    Raises:
        ValueError: It is no Parquet file, or tells of no row groups.
    """
    end = file.seek(0, io.SEEK_END)
    file.seek(max(end - _END, 0))
    length, magic = int.from_bytes(file.read(4), "little"), file.read(4)
    if magic != MAGIC or length + _END + len(MAGIC) > end:
        message = "no Parquet file"
        raise ValueError(message)
    file.seek(end - _END - length)
    footer = parse_struct(file.read(length))
    if value_of(footer, _GROUPS) is None:
        message = "a footer of no rows"
        raise ValueError(message)
    return footer


def _groups(footer: Struct, file: BinaryIO) -> list[list[_Column]]:
    """Return the columns of each row group.

    Raises:
        ValueError: They do not lie one behind the other, or more is told of them than is known.
    """
    groups = value_of(footer, _GROUPS).values
    if not all(map(_is_known, groups)):
        message = "told of otherwise"
        raise ValueError(message)
    found = [
        [_Column(value_of(told, _CHUNK), file) for told in value_of(group, _COLUMNS).values]
        for group in groups
    ]
    end = file.seek(0, io.SEEK_END) - _END - len(write_struct(footer))
    pieces = [(column.start, column.size) for columns in found for column in columns]
    pieces += list(_blooms(found))
    starts = [len(MAGIC)]
    for at, size in pieces:
        if at != starts[-1]:
            break
        starts.append(at + size)
    if not (len(starts) == len(pieces) + 1 and starts[-1] == end):
        message = "laid out otherwise"
        raise ValueError(message)
    return found


def _blooms(groups: list[list[_Column]]) -> Iterator[tuple[int, int]]:
    for columns in groups:
        for column in columns:
            if (at := value_of(column.told, _BLOOM_AT)) is not None:
                yield at, value_of(column.told, _BLOOM_SIZE)


def _is_known(group: Struct) -> bool:
    """Return whether everything that is told of a row group is set anew when its columns move."""
    columns: list[Struct] = value_of(group, _COLUMNS).values
    return (
        _numbers(group) == _KNOWN_OF_GROUP
        and all(_numbers(column) == _KNOWN_OF_COLUMN for column in columns)
        and all(_numbers(value_of(column, _CHUNK)) <= _KNOWN_OF_CHUNK for column in columns)
    )


def _numbers(struct: list[Field]) -> frozenset[int]:
    return frozenset(field.number for field in struct)


def _fit(
    footer: Struct, other: Struct, groups: list[list[_Column]], others: list[list[_Column]]
) -> bool:
    """Return whether the row groups of two files hold as many rows, and one file's columns."""
    rows, more = (
        [value_of(group, _GROUP_ROWS) for group in value_of(told, _GROUPS).values]
        for told in (footer, other)
    )
    return rows == more and all(
        {column.path for column in newer} <= {column.path for column in columns}
        for columns, newer in zip(groups, others, strict=True)
    )


def _copy_bytes(source: BinaryIO, start: int, size: int, target: BinaryIO) -> None:
    source.seek(start)
    piece = io.BytesIO(source.read(size))
    shutil.copyfileobj(piece, target)
