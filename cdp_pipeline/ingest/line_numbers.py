"""Line numbers of records in a file of their own, so that memory does not grow with a delivery.

They are written while records are found and read in blocks, forward only. How records are found is
``records``' business.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from cdp_pipeline.ingest.records import Positions

_BLOCK = 1 << 18
_WIDTH = 8


class LineNumbers:
    """A column of line numbers on disk; the caller removes its folder."""

    def __init__(self, path: Path) -> None:
        """Name the file."""
        self._path = path
        self._held = array("q")
        self._count = 0

    def __enter__(self) -> Self:
        """Begin the file."""
        self._stream = self._path.open("wb")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is held; afterwards it can be read."""
        self._flush()
        self._stream.close()

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def add(self, line: int) -> None:
        """Add one."""
        self._held.append(line)
        self._count += 1
        if len(self._held) >= _BLOCK:
            self._flush()

    def extend(self, lines: Positions) -> None:
        """Add many."""
        self._flush()
        self._stream.write(lines.astype(np.int64).tobytes())
        self._count += len(lines)

    def blocks(self) -> Iterator[Positions]:
        """Yield them in order, in arrays of bounded size."""
        with self._path.open("rb") as stream:
            while held := stream.read(_BLOCK * _WIDTH):
                yield np.frombuffer(held, np.int64)

    def _flush(self) -> None:
        self._stream.write(self._held.tobytes())
        del self._held[:]


def keep_lines(path: Path, found: Iterable[Positions]) -> LineNumbers:
    """Return line numbers that come in blocks, kept in a file."""
    with LineNumbers(path) as lines:
        for block in found:
            lines.extend(block)
    return lines


def shifted(blocks: Iterable[Positions], by: int) -> Iterator[Positions]:
    """Yield line numbers that are larger by a constant."""
    for block in blocks:
        yield block + by


def without(blocks: Iterable[Positions], places: Positions) -> Iterator[Positions]:
    """Yield line numbers but those at some places, which are in order."""
    begin = 0
    for block in blocks:
        end = begin + len(block)
        first, last = np.searchsorted(places, (begin, end))
        yield np.delete(block, places[first:last] - begin)
        begin = end


def count_on(blocks: Iterable[Positions], start: int) -> bool:
    """Return whether line numbers are ``start`` and those that follow it, none left out."""
    for block in blocks:
        if not np.array_equal(block, np.arange(start, start + len(block))):
            return False
        start += len(block)
    return True


def last_not_after(blocks: Iterable[Positions], positions: Positions) -> Positions:
    """Return the place of the last line number that is not after each position; -1 if all are."""
    found = np.full(len(positions), -1, np.int64)
    for block in blocks:
        found += np.searchsorted(block, positions, side="right")
    return found


class Walk:
    """Looks line numbers up by place, in one pass over their blocks."""

    def __init__(self, blocks: Iterable[Positions]) -> None:
        """Begin before the first block."""
        self._blocks = iter(blocks)
        self._block = np.empty(0, np.int64)
        self._begin = 0

    def at(self, places: Positions) -> Positions:
        """Return the line numbers at some places, which are in order and not before earlier ones.

        Raises:
            IndexError: There are not so many line numbers.
        """
        found = np.empty(len(places), np.int64)
        done = 0
        while done < len(places):
            upto = int(np.searchsorted(places, self._begin + len(self._block)))
            found[done:upto] = self._block[places[done:upto] - self._begin]
            done = max(done, upto)
            if done < len(places):
                self._begin += len(self._block)
                following = next(self._blocks, None)
                if following is None:
                    message = f"there are only {self._begin} line numbers"
                    raise IndexError(message)
                self._block = following
        return found
