"""What ends the lines of a text file, and one kind of end for all of them.

DuckDB's reader takes LF, CR LF or CR, but not two of them in one file. What the lines hold is not
looked at here, but for quotes: within them, a line end is text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_CHUNK = 1 << 20
_CR, _LF = 13, 10


@dataclass(frozen=True)
class Marks:
    """How often a text file has each mark; line feeds are counted only if it has returns."""

    nul: int
    cr: int
    crlf: int
    lf: int

    @property
    def has_odd_ends(self) -> bool:
        """Whether lines end otherwise than all with LF or all with CR LF."""
        return self.cr > 0 and not self.cr == self.crlf == self.lf

    @property
    def line_end(self) -> bytes:
        """What ends most lines, CR alone or LF: of few, the other may stand within a cell."""
        return b"\r" if self.cr - self.crlf > self.lf else b"\n"


def count_marks(path: Path) -> Marks:
    """Count the marks of a text file that is UTF-8 or a superset of ASCII."""
    nul = cr = crlf = 0
    ends_with_cr = False
    for chunk in bytes_between(path, 0, path.stat().st_size):
        nul += chunk.count(b"\0") if b"\0" in chunk else 0  # looking is faster than counting
        returns = chunk.count(b"\r") if b"\r" in chunk else 0
        cr += returns
        crlf += chunk.count(b"\r\n") if returns else 0
        crlf += ends_with_cr and chunk.startswith(b"\n")
        ends_with_cr = chunk.endswith(b"\r")
    chunks = bytes_between(path, 0, path.stat().st_size) if cr else iter(())
    return Marks(nul, cr, crlf, sum(chunk.count(b"\n") for chunk in chunks))


def bytes_between(path: Path, start: int, end: int) -> Iterator[bytes]:
    """Yield a file's bytes from one place up to another."""
    with path.open("rb") as stream:
        stream.seek(start)
        left = end - start
        while left > 0 and (chunk := stream.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk


def one_line_end(chunks: Iterable[bytes], quote: str) -> Iterator[bytes]:
    """Turn CR LF and lone CR into LF, except inside quoted fields, which stay as they are."""
    parity = 0
    held = b""
    for chunk in chunks:
        block = held + chunk
        held = b"\r" if block.endswith(b"\r") else b""
        text = np.frombuffer(block[: len(block) - len(held)], np.uint8)
        quotes = np.flatnonzero(text == ord(quote)) if quote else np.empty(0, np.int64)
        returns = np.flatnonzero(text == _CR)
        outside = returns[(np.searchsorted(quotes, returns) + parity) % 2 == 0]
        # The byte after the last one is not LF: a closing CR was held back.
        following = np.append(text, np.uint8(0))[outside + 1]
        changed = text.copy()
        changed[outside[following != _LF]] = _LF
        parity = (parity + len(quotes)) % 2
        yield np.delete(changed, outside[following == _LF]).tobytes()
    yield b"\n" if held else b""
