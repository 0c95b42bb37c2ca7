"""Thrift's compact protocol, in which a Parquet file says what is in it, read and written again.

A footer is taken as it is, fields by number, so that also what is unknown here is written again.
Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

Struct = dict[int, tuple[int, object]]
"""Kind and value of each field, by its number, in the order of the file."""

List = tuple[int, list[object]]
"""Kind of the elements, and the elements."""

_TRUE, _FALSE, _BYTE, _I16, I32, I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_LONG = 15
"""Elements, or a step between numbers of fields, from which they stand in bytes of their own."""


def read_struct(data: bytes) -> Struct:
    """Return the struct that bytes begin with.

    Raises:
        ValueError: They are no such struct, or hold a map, which Parquet never does.
    """
    try:
        return _Reader(data).struct()
    except (IndexError, RecursionError) as error:
        raise ValueError("the struct ends nowhere") from error


def write_struct(struct: Struct) -> bytes:
    """Return the bytes of a struct."""
    out = bytearray()
    _write_struct(out, struct)
    return bytes(out)


def struct_of(struct: Struct, field: int) -> Struct:
    """Return a field that is a struct itself.

    Raises:
        ValueError: It is missing or something else.
    """
    kind, value = struct.get(field, (0, None))
    if kind != _STRUCT:
        raise ValueError(f"field {field} is no struct")
    return cast("Struct", value)


def structs_of(struct: Struct, field: int) -> list[Struct]:
    """Return the elements of a field that is a list of structs.

    Raises:
        ValueError: It is missing or something else.
    """
    kind, value = struct.get(field, (0, None))
    if kind != _LIST or cast("List", value)[0] != _STRUCT:
        raise ValueError(f"field {field} is no list of structs")
    return cast("list[Struct]", cast("List", value)[1])


def texts_of(struct: Struct, field: int) -> tuple[bytes, ...]:
    """Return the elements of a field that is a list of texts.

    Raises:
        ValueError: It is missing or something else.
    """
    kind, value = struct.get(field, (0, None))
    if kind != _LIST or cast("List", value)[0] != _BINARY:
        raise ValueError(f"field {field} is no list of texts")
    return tuple(cast("list[bytes]", cast("List", value)[1]))


def number_of(struct: Struct, field: int) -> int | None:
    """Return a field that is a whole number; None if it is missing."""
    kind, value = struct.get(field, (0, None))
    return cast("int", value) if kind in {_I16, I32, I64} else None


class _Reader:
    """Reads values one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._values: dict[int, Callable[[], object]] = {
            _TRUE: lambda: True,
            _FALSE: lambda: False,
            _BYTE: self._byte,
            _I16: self._signed,
            I32: self._signed,
            I64: self._signed,
            _DOUBLE: lambda: self._take(8),
            _BINARY: lambda: self._take(self._unsigned()),
            _LIST: self._list,
            _SET: self._list,
            _STRUCT: self.struct,
        }

    def struct(self) -> Struct:
        """Return the fields up to the mark of their end."""
        fields: Struct = {}
        number = 0
        while head := self._byte():
            step, kind = head >> 4, head & 15
            number = number + step if step else self._signed()
            fields[number] = kind, self._value(kind)
        return fields

    def _value(self, kind: int) -> object:
        if kind not in self._values:
            raise ValueError(f"values of kind {kind} are not read")
        return self._values[kind]()

    def _list(self) -> List:
        head = self._byte()
        size, kind = head >> 4, head & 15
        size = self._unsigned() if size == _LONG else size
        if kind in {_TRUE, _FALSE}:  # of a list's elements only, each has a byte
            return kind, [self._byte() for _ in range(size)]
        return kind, [self._value(kind) for _ in range(size)]

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, size: int) -> bytes:
        found = self._data[self._at : self._at + size]
        if len(found) < size:
            raise IndexError
        self._at += size
        return found

    def _unsigned(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the mark that more follows
                return number
            shift += 7

    def _signed(self) -> int:
        number = self._unsigned()
        return (number >> 1) ^ -(number & 1)


def _write_struct(out: bytearray, struct: Struct) -> None:
    last = 0
    for number, (kind, value) in struct.items():
        step = number - last
        if 0 < step <= _LONG:
            out.append(step << 4 | kind)
        else:
            out.append(kind)
            _write_signed(out, number)
        _write_value(out, kind, value)
        last = number
    out.append(0)


def _write_value(out: bytearray, kind: int, value: object) -> None:
    if kind == _BYTE:
        out.append(cast("int", value))
    elif kind in {_I16, I32, I64}:
        _write_signed(out, cast("int", value))
    elif kind == _DOUBLE:
        out += cast("bytes", value)
    elif kind == _BINARY:
        _write_unsigned(out, len(cast("bytes", value)))
        out += cast("bytes", value)
    elif kind in {_LIST, _SET}:
        _write_list(out, *cast("List", value))
    elif kind == _STRUCT:
        _write_struct(out, cast("Struct", value))


def _write_list(out: bytearray, kind: int, values: list[object]) -> None:
    if len(values) < _LONG:
        out.append(len(values) << 4 | kind)
    else:
        out.append(_LONG << 4 | kind)
        _write_unsigned(out, len(values))
    for value in values:
        if kind in {_TRUE, _FALSE}:
            out.append(cast("int", value))
        else:
            _write_value(out, kind, value)


def _write_unsigned(out: bytearray, number: int) -> None:
    while number > 0x7F:  # noqa: PLR2004 - what fits in one byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _write_signed(out: bytearray, number: int) -> None:
    _write_unsigned(out, number << 1 if number >= 0 else (-number << 1) - 1)
