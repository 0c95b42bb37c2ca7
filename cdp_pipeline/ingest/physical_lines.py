"""The lines of a raw delivery, numbered as the reader numbers them, each with its end.

What is noted of a delivery, such as where an erased person stands, is noted by these numbers.
How the reader makes one kind of line end of several is told in ``storage.line_ends``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from cdp_pipeline.ingest.inflation import read_chunks
from cdp_pipeline.project.layout import Delivery

_PIECE = 1 << 17
"""Characters whose lines are held at a time: as texts of their own they take several times that."""


def _texts(path: Path, encoding: str) -> Iterator[str]:
    """Yield a delivery's text as it is decompressed."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
    for chunk in read_chunks(path):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def physical_lines(path: Path, encoding: str, delivery: Delivery) -> Iterator[str]:
    """Yield lines with their ends, as the reader counts them; old Macs end lines with CR alone."""
    return chain.from_iterable(blocks_of_lines(path, encoding, delivery))


def blocks_of_lines(path: Path, encoding: str, delivery: Delivery) -> Iterator[list[str]]:
    """Yield physical lines with their ends, many at a time."""
    pieces = (
        text[start : start + _PIECE]
        for text in _texts(path, encoding)
        for start in range(0, len(text), _PIECE)
    )
    returns, feeds = _count_ends(path, encoding)
    if returns:
        return _odd_lines(pieces, delivery, "\r" if returns > feeds else "\n")
    return _even_lines(pieces)


def _even_lines(pieces: Iterable[str]) -> Iterator[list[str]]:
    """Yield the lines of a text in which LF ends them all."""
    held: list[str] = []
    for piece in pieces:
        first, *others = piece.split("\n")
        held.append(first)
        if others:
            rest = others.pop()
            yield [f"{line}\n" for line in ("".join(held), *others)]
            held = [rest]
    if rest := "".join(held):
        yield [rest]


def _odd_lines(pieces: Iterable[str], delivery: Delivery, mark: str) -> Iterator[list[str]]:
    """Yield the lines of a text in which CR ends some, which it does not within quotes.

    Before the header, quotes are text, and ``mark`` alone ends a line.
    """
    quote = delivery.quote if delivery.format == "csv" else ""
    ends = re.compile(rf"\r\n|\r|\n|{re.escape(quote)}" if quote else r"\r\n|\r|\n")
    held, skipped, is_open = "", 0, False
    for piece in chain(pieces, [""]):
        text, start, lines = held + piece, 0, []
        at = len(held)
        for found in ends.finditer(text, max(0, at - 1) if held.endswith("\r") else at):
            end = found[0]
            if end == "\r" and piece and found.end() == len(text):  # LF may follow
                break
            before = skipped < delivery.skip_lines
            if end == quote:
                is_open = is_open != (not before)
            elif mark in end if before else "\n" in end or not is_open:
                skipped += 1
                lines.append(text[start : found.end()])
                start = found.end()
        held = text[start:]
        if lines:
            yield lines
    if held:
        yield [held]


def _count_ends(path: Path, encoding: str) -> tuple[int, int]:
    """Return how often CR stands without LF, and how often LF stands."""
    returns = feeds = 0
    last = ""
    for text in _texts(path, encoding):
        if "\r" in text or last == "\r":
            pairs = text.count("\r\n") + (last == "\r" and text.startswith("\n"))
            returns += text.count("\r") - pairs
        feeds += text.count("\n")
        last = text[-1:] or last
    return returns, feeds
