"""Finding many texts in bytes at once: by a table of their hashed beginnings.

The cost hardly grows with the number of texts: only where a beginning's hash and then its bytes
agree is anything compared in Python. Where a text may begin at all is told by the caller, so that
most bytes are never hashed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LONGEST_PREFIX = 5
_PACKED = 8

_SMALLEST_TABLE, _LARGEST_TABLE = 12, 20
"""Bits of a hash: of few texts a table stays in a core's nearest cache."""

_SPARSE = 4
"""Bits more than the texts need, so that one place in sixteen is looked at in vain."""

_AFTER, _INNER = 2, 4
_BEGINNING = 0b11
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Places:
    """Where in bytes texts may begin.

    Attributes:
        offsets: Ascending.
        beginnings: The eight bytes from each of them, as one number; zeros follow the last byte.
    """

    offsets: npt.NDArray[np.intp]
    beginnings: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, data: bytes, offsets: npt.NDArray[np.intp]) -> Places:
        """Read what stands at some offsets."""
        padded = data + bytes(_PACKED)
        read = np.ndarray((len(data),), dtype="<u8", buffer=padded, strides=(1,))
        return cls(offsets, read[offsets])

    def not_before(self, size: int, refused: npt.NDArray[np.bool_]) -> Places:
        """Return the places at which no refused byte stands behind the first ``size`` ones.

        Args:
            size: Bytes of a text, less than eight.
            refused: For each byte whether it may not follow.
        """
        following = (self.beginnings >> np.uint64(8 * size)) & np.uint64(0xFF)
        kept = np.flatnonzero(~refused[following])
        return Places(self.offsets[kept], self.beginnings[kept])


def runs_of(marks: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Return the bits that each mark shares with all of the ``size - 1`` that follow it.

    Args:
        marks: A mark for each byte.
        size: At least one.

    Returns:
        ``size - 1`` marks less than there are bytes.

    Examples:
        >>> runs_of(np.array([1, 1, 3, 1, 0, 1], np.uint8), 3).tolist()
        [1, 1, 0, 0]
    """
    run, length = marks, 1
    while length < size:
        step = min(length, size - length)
        run, length = run[:-step] & run[step:], length + step
    return run


ALNUM = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyz")
_ZERO = ord("0")


class WordStarts:
    """Tells where in a text words may begin, by the bytes that stand there and shortly after."""

    def __init__(self, words: Iterable[bytes], *, padded: Iterable[bytes] = ()) -> None:
        """Note the first bytes of what is looked for.

        Args:
            words: What begins where neither letter nor digit stands before.
            padded: Numbers, which may also have zeros before them.
        """
        held = {text for text in words if text}, {text for text in padded if text}
        first, first_padded = ({text[0] for text in texts} for texts in held)
        every = held[0] | held[1]
        self._size = min((len(text) for text in every), default=1)
        self._size = min(self._size, LONGEST_PREFIX)
        inner = {byte for text in every for byte in text[: self._size]}
        # two bits tell what may stand after a byte, two what it may begin, one whether any of the
        # words has it among its first: of numbers, dates and packed bytes that leaves little
        self._marks = bytes(
            (byte not in ALNUM)
            | (byte == _ZERO) << 1
            | (byte in first | first_padded) << _AFTER
            | (byte in first_padded) << _AFTER + 1
            | (byte in inner) << _INNER
            for byte in range(256)
        )

    def places(self, plain: bytes) -> Places:
        """Return where they may begin in lower-case bytes."""
        marks = np.frombuffer(plain.translate(self._marks), dtype=np.uint8)
        count = max(0, len(marks) - self._size + 1)
        starts = (marks[:count] >> _AFTER) & _BEGINNING
        starts[1:] &= marks[: max(0, count - 1)]
        runs = runs_of(marks, self._size)[:count] >> _INNER
        return Places.of(plain, np.flatnonzero(starts.astype(bool) & runs.astype(bool)))


class Prefixes:
    """Texts by their first bytes, and a table that tells where one may begin."""

    def __init__(self, texts: Iterable[bytes], *, size: int = LONGEST_PREFIX) -> None:
        """Take texts up.

        Args:
            texts: What is looked for; what is shorter than ``size`` is left out.
            size: Bytes by which a beginning is recognised, one to eight.
        """
        self._size = size
        self._mask = np.uint64((1 << 8 * size) - 1)
        self.by_prefix: dict[bytes, list[bytes]] = {}
        for text in sorted(set(texts)):
            if len(text) >= size:
                self.by_prefix.setdefault(text[:size], []).append(text)
        packed = [int.from_bytes(prefix, "little") for prefix in self.by_prefix]
        self._beginnings = np.array(sorted(packed), dtype=np.uint64)
        needed = len(packed).bit_length() + _SPARSE
        bits = min(max(needed, _SMALLEST_TABLE), _LARGEST_TABLE)
        self._shift = np.uint64(64 - bits)
        self._table = np.zeros(1 << bits, dtype=bool)
        self._table[self._hashes(self._beginnings)] = True

    def likely(self, places: Places) -> Places:
        """Return places without nearly all of those at which no text begins."""
        kept = np.flatnonzero(self._table[self._hashes(places.beginnings & self._mask)])
        return Places(places.offsets[kept], places.beginnings[kept])

    def candidates(self, data: bytes, places: Places) -> Iterator[tuple[int, bytes]]:
        """Yield where a text begins, with the text.

        Args:
            data: What is searched.
            places: Where in it texts are looked for.
        """
        if not self.by_prefix:
            return
        for place in self._found(places):
            for text in self.by_prefix.get(data[place : place + self._size], ()):
                if data.startswith(text, place):
                    yield place, text

    def _found(self, places: Places) -> list[int]:
        """Return the offsets at which a beginning stands."""
        likely = self.likely(places)
        held = likely.beginnings & self._mask
        found = np.searchsorted(self._beginnings, held)
        found[found == len(self._beginnings)] = 0
        return list(likely.offsets[self._beginnings[found] == held].tolist())

    def _hashes(self, packed: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        hashes = packed * _FACTOR
        hashes >>= self._shift
        return hashes
