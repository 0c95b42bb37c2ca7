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

_AFTER = 2
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


ALNUM = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyz")
_ZERO = ord("0")


class WordStarts:
    """Tells where in a text words begin that begin with certain bytes."""

    def __init__(self, words: Iterable[bytes], *, padded: Iterable[bytes] = ()) -> None:
        """Note the first bytes of what is looked for.

        Args:
            words: What begins where neither letter nor digit stands before.
            padded: Numbers, which may also have zeros before them.
        """
        first, first_padded = ({text[0] for text in texts if text} for texts in (words, padded))
        # two bits tell what may stand after a byte, and the next two what it may begin
        self._marks = bytes(
            (byte not in ALNUM)
            | (byte == _ZERO) << 1
            | (byte in first | first_padded) << _AFTER
            | (byte in first_padded) << _AFTER + 1
            for byte in range(256)
        )

    def places(self, plain: bytes) -> Places:
        """Return where they may begin in lower-case bytes."""
        marks = np.frombuffer(plain.translate(self._marks), dtype=np.uint8)
        starts = marks >> _AFTER
        starts[1:] &= marks[:-1]
        return Places.of(plain, np.flatnonzero(starts.astype(bool)))


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
        packed = places.beginnings & self._mask
        likely = np.flatnonzero(self._table[self._hashes(packed)])
        held = packed[likely]
        found = np.searchsorted(self._beginnings, held)
        found[found == len(self._beginnings)] = 0
        return list(places.offsets[likely[self._beginnings[found] == held]].tolist())

    def _hashes(self, packed: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        hashes = packed * _FACTOR
        hashes >>= self._shift
        return hashes
