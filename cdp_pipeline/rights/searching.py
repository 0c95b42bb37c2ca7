"""Finding traces of people in bytes, at a cost that does not grow with the number of people.

A table of hashed five-byte beginnings tells where a trace may begin; only there is anything
compared. Telephone numbers are looked for in the bytes without blanks, brackets and dashes. What
to look for is made in ``traces``; where to look is decided in ``scan`` and ``files``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from cdp_pipeline.rights.traces import Traces

_PREFIX = 5
_PACKED = 8
_STRETCH = 1 << 17
_TABLE_BITS = 20
_FIVE_BYTES = np.uint64((1 << 40) - 1)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_LONGEST_PHONE = 15
_NAME_GAP = 24
_BETWEEN = re.compile(rb"(?:<[^<>]{0,16}>\s*|[ \t,;:|\"'/\\&#\0])+")
"""What may stand between two names of one person: the end of a line only in HTML."""

SEPARATOR = "\x01"
"""Stands between texts that are searched together; no trace goes over it."""
_LOWER = bytes(b + 32 if 65 <= b <= 90 else b for b in range(256))  # noqa: PLR2004 - A to Z
_ALNUM = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyz")
_DIGITS = frozenset(b"0123456789")
_MAILBOX = _ALNUM | frozenset(b"._+-")
_JOINER_BYTES = b" ().-/"
_JOINERS = np.zeros(256, dtype=bool)
_JOINERS[list(_JOINER_BYTES)] = True

Span = tuple[str, int, int]
"""Kind (word, phone, number or name), start and end in bytes."""


class _Prefixes:
    """Texts by their first five bytes, and a table that tells where one may begin."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        self.by_prefix: dict[bytes, list[bytes]] = {}
        for text in sorted(set(texts)):
            if len(text) >= _PREFIX:
                self.by_prefix.setdefault(text[:_PREFIX], []).append(text)
        self._table = np.zeros(1 << _TABLE_BITS, dtype=bool)
        for prefix in self.by_prefix:
            self._table[_hashes(prefix.ljust(_PACKED, b"\0"), 0, 1)] = True

    def candidates(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield every place where a text begins, with the text."""
        if not self.by_prefix:
            return
        padded = data + bytes(_PACKED)
        for start in range(0, len(data), _STRETCH):
            hashes = _hashes(padded, start, min(_STRETCH, len(data) - start))
            for offset in np.flatnonzero(self._table[hashes]).tolist():
                place = start + offset
                for text in self.by_prefix.get(data[place : place + _PREFIX], ()):
                    if data.startswith(text, place):
                        yield place, text


def _hashes(data: bytes, start: int, count: int) -> npt.NDArray[np.uint64]:
    """Return a hash of the five bytes at each of some places; eight must follow each."""
    packed = np.ndarray((count,), dtype="<u8", buffer=data, offset=start, strides=(1,))
    hashes = packed & _FIVE_BYTES
    hashes *= _FACTOR
    hashes >>= np.uint64(64 - _TABLE_BITS)
    return hashes


class Searcher:
    """Looks for the traces of people in bytes."""

    def __init__(self, traces: Traces) -> None:
        """Prepare the search."""
        self._numbers = frozenset(number.encode() for number in traces.numbers)
        self._texts = _Prefixes({*(word.encode() for word in traces.words), *self._numbers})
        self._phones = _Prefixes(phone.encode() for phone in traces.phones)
        self._names = [
            (first.encode(), last.encode())
            for given, family in sorted(traces.names)
            for first, last in ((given, family), (family, given))
        ]

    def kinds(self, text: str | bytes) -> set[str]:
        """Return which kinds of traces a text holds."""
        return {kind for kind, _, _ in self.spans(text)}

    def spans(self, text: str | bytes) -> Iterator[Span]:
        """Yield every trace in a text."""
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        plain = data.translate(_LOWER)
        yield from self._find_words(plain)
        yield from self._find_phones(plain)
        yield from self._find_names(plain)

    def hits(self, values: Sequence[str]) -> list[bool]:
        """Return which of many texts hold a trace."""
        parts = [value.encode("utf-8", "surrogateescape") for value in values]
        ends = np.cumsum([len(part) + len(SEPARATOR) for part in parts])
        found = [False] * len(parts)
        for _, start, _ in self.spans(SEPARATOR.encode().join(parts)):
            found[int(np.searchsorted(ends, start, side="right"))] = True
        return found

    def _find_words(self, plain: bytes) -> Iterator[Span]:
        for place, text in self._texts.candidates(plain):
            start, end = place, place + len(text)
            if text in self._numbers:
                while start and plain[start - 1 : start] == b"0":
                    start -= 1
            inner = _MAILBOX if b"@" in text else _ALNUM
            if (start == 0 or plain[start - 1] not in inner) and (
                end == len(plain) or plain[end] not in _ALNUM
            ):
                yield ("number" if text in self._numbers else "word"), start, end

    def _find_phones(self, plain: bytes) -> Iterator[Span]:
        if not self._phones.by_prefix:
            return
        kept = np.flatnonzero(~_JOINERS[np.frombuffer(plain, dtype=np.uint8)])
        squeezed = plain.translate(None, _JOINER_BYTES)
        for place, phone in self._phones.candidates(squeezed):
            end, start = place + len(phone), place
            while start and squeezed[start - 1] in _DIGITS and end - start <= _LONGEST_PHONE:
                start -= 1
            is_number = end == len(squeezed) or squeezed[end] not in _DIGITS
            if is_number and end - start <= _LONGEST_PHONE:
                yield "phone", int(kept[start]), int(kept[end - 1]) + 1

    def _find_names(self, plain: bytes) -> Iterator[Span]:
        """Yield given and family name beside each other, with little between them."""
        for first, last in self._names:
            start = plain.find(first)
            while start >= 0:
                end = start + len(first)
                place = plain.find(last, end, end + _NAME_GAP + len(last))
                is_near = place > end and _BETWEEN.fullmatch(plain, end, place)
                if is_near and _stands_alone(plain, start, place + len(last)):
                    yield "name", start, place + len(last)
                start = plain.find(first, end)


def _stands_alone(plain: bytes, start: int, end: int) -> bool:
    """Return whether a name is no part of a longer word or of an address."""
    return (start == 0 or plain[start - 1] not in _MAILBOX) and (
        end >= len(plain) or plain[end] not in _ALNUM | {ord("@")}
    )
