"""The footer of a Parquet file as a tree that can be changed and written again.

It is written in Thrift's compact protocol, of which no library here gives the tree. Only what a
footer holds is read: structs, lists of them, numbers, texts and truths. What a field means is
``columnwise``'s business, so a footer that nobody changed is written with the very bytes it had.

Source: apache/thrift, doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TRUE, FALSE, BYTE, DOUBLE, TEXT, LIST, STRUCT = 1, 2, 3, 7, 8, 9, 12
_NUMBERS = frozenset({4, 5, 6})
_TRUTHS = frozenset({TRUE, FALSE})
_LONG_LIST = 15
_MOST_APART = 15
"""Ids of fields further apart are written out."""


@dataclass
class Field:
    """A field of a struct.

    Attributes:
        number: Its id.
        kind: Its type in the protocol; a truth is its type.
        value: An int, bytes, None of a truth, or what a ``Struct`` or ``Items`` is.
    """

    number: int
    kind: int
    value: Any


Struct = list[Field]


@dataclass
class Items:
    """A list: type of its items, and these."""

    kind: int
    values: list[Any]


def value_of(struct: Struct, number: int) -> Any:  # noqa: ANN401 - what the file holds
    """Return the value of a field; None if the struct lacks it."""
    return next((field.value for field in struct if field.number == number), None)


def set_value(struct: Struct, number: int, value: object) -> None:
    """Change the value of a field that is there."""
    for field in struct:
        if field.number == number:
            field.value = value


def parse_struct(data: bytes) -> Struct:
    """Return the struct that bytes begin with.

    Raises:
        ValueError: They are no struct, or hold what no footer holds.
        IndexError: They end within it.
    """
    return _Reader(data).read_struct()


def write_struct(struct: Struct) -> bytes:
    """Return the bytes of a struct."""
    out = bytearray()
    _put_struct(out, struct)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read_struct(self) -> Struct:
        found: Struct = []
        number = 0
        while head := self._byte():
            apart, kind = head >> 4, head & 15
            number = number + apart if apart else self._number()
            found.append(Field(number, kind, None if kind in _TRUTHS else self._value(kind)))
        return found

    def _value(self, kind: int) -> Any:  # noqa: ANN401 - what the file holds
        if kind in _NUMBERS:
            return self._number()
        if kind == BYTE or kind in _TRUTHS:  # a truth here is an item of a list
            return self._byte()
        if kind == DOUBLE:
            return self._take(8)
        if kind == TEXT:
            return self._take(self._natural())
        if kind == LIST:
            return self._items()
        if kind == STRUCT:
            return self.read_struct()
        message = f"type {kind} in a footer"
        raise ValueError(message)

    def _items(self) -> Items:
        head = self._byte()
        count, kind = head >> 4, head & 15
        if count == _LONG_LIST:
            count = self._natural()
        return Items(kind, [self._value(kind) for _ in range(count)])

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def _natural(self) -> int:
        found = shift = 0
        while True:
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:  # noqa: PLR2004 - seven bits at a time
                return found
            shift += 7

    def _number(self) -> int:
        found = self._natural()
        return (found >> 1) ^ -(found & 1)


def _put_struct(out: bytearray, struct: Struct) -> None:
    before = 0
    for field in struct:
        apart = field.number - before
        if 0 < apart <= _MOST_APART:
            out.append(apart << 4 | field.kind)
        else:
            out.append(field.kind)
            _put_number(out, field.number)
        if field.kind not in _TRUTHS:
            _put(out, field.kind, field.value)
        before = field.number
    out.append(0)


def _put(out: bytearray, kind: int, value: Any) -> None:  # noqa: ANN401 - as it was read
    if kind in _NUMBERS:
        _put_number(out, value)
    elif kind == BYTE or kind in _TRUTHS:
        out.append(value)
    elif kind == DOUBLE:
        out += value
    elif kind == TEXT:
        _put_natural(out, len(value))
        out += value
    elif kind == LIST:
        _put_items(out, value)
    else:
        _put_struct(out, value)


def _put_items(out: bytearray, items: Items) -> None:
    count = len(items.values)
    out.append(min(count, _LONG_LIST) << 4 | items.kind)
    if count >= _LONG_LIST:
        _put_natural(out, count)
    for value in items.values:
        _put(out, items.kind, value)


def _put_natural(out: bytearray, number: int) -> None:
    while number > 127:  # noqa: PLR2004 - seven bits at a time
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def _put_number(out: bytearray, number: int) -> None:
    _put_natural(out, number << 1 if number >= 0 else (-number << 1) - 1)
