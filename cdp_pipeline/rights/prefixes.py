"""Finding many texts in bytes at once: by a table of their hashed beginnings.

The cost hardly grows with the number of texts: only where a beginning's hash and then its bytes
agree is anything compared in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

LONGEST_PREFIX = 5
_PACKED = 8
_STRETCH = 1 << 15
"""Bytes looked at together: eight of each in numbers and hashes stay in a core's cache."""

_TABLE_BITS = 20
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


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
        self._table = np.zeros(1 << _TABLE_BITS, dtype=bool)
        self._table[_hashes(self._beginnings)] = True

    def candidates(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield every place where a text begins, with the text."""
        if not self.by_prefix:
            return
        padded = data + bytes(_PACKED)
        for start in range(0, len(data), _STRETCH):
            for place in self._places(padded, start, min(_STRETCH, len(data) - start)):
                for text in self.by_prefix[data[place : place + self._size]]:
                    if data.startswith(text, place):
                        yield place, text

    def _places(self, padded: bytes, start: int, count: int) -> list[int]:
        """Return the places of a stretch at which a beginning stands."""
        read = np.ndarray((count,), dtype="<u8", buffer=padded, offset=start, strides=(1,))
        packed = read & self._mask
        places = np.flatnonzero(self._table[_hashes(packed)])
        held = packed[places]
        found = np.searchsorted(self._beginnings, held)
        found[found == len(self._beginnings)] = 0
        return list((places[self._beginnings[found] == held] + start).tolist())


def _hashes(packed: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    hashes = packed * _FACTOR
    hashes >>= np.uint64(64 - _TABLE_BITS)
    return hashes
