r"""CSV in which a backslash takes a quote's or a separator's meaning away, as plain CSV.

``"5\" pipe"`` becomes ``"5"" pipe"`` and ``a\,b`` becomes ``"a,b"``, line for line, so that all
that comes after it knows one way of quoting. Before a letter or digit it is a character as any:
``C:\temp`` is a path and ``\N`` what databases write for no value. Records whose quotes do not
close stay as they are.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from cdp_pipeline.project.layout import Delivery

PLAIN_QUOTE = '"'
_MAXIMUM_FIELD = 1 << 28


def write_unescaped(path: Path, written: Delivery, *, target: Path) -> None:
    """Write a CSV text with doubled quotes instead of escapes.

    Args:
        path: UTF-8 text with LF line ends.
        written: How the contract says it is written.
        target: File to write; its quote is ``plain_quote``.
    """
    csv.field_size_limit(_MAXIMUM_FIELD)
    with path.open("rb") as source, target.open("wb") as copy:
        lines = _Lines(iter(source), written.escape)
        records = csv.reader(
            lines,
            delimiter=written.delimiter,
            quotechar=written.quote or None,
            quoting=csv.QUOTE_MINIMAL if written.quote else csv.QUOTE_NONE,
            escapechar=written.escape,
            doublequote=True,
            strict=True,
        )
        while True:
            try:
                fields = next(records, None)
            except csv.Error:
                copy.write(lines.take())
                continue
            if fields is None:
                copy.write(lines.take())
                return
            raw = lines.take()
            plain = _plain(fields, written).encode("utf-8", "surrogateescape")
            copy.write(plain if raw.strip() else raw)


class _Lines:
    """Lines as texts; keeps what was read since it was last asked."""

    def __init__(self, source: Iterator[bytes], escape: str) -> None:
        self.source = source
        self.plain = re.compile(rf"({re.escape(escape)})(.)", re.DOTALL)
        self.read: list[bytes] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self.source)
        self.read.append(line)
        return self.plain.sub(_kept, line.decode("utf-8", "surrogateescape"))

    def take(self) -> bytes:
        """Return the lines that were read since the last call."""
        found, self.read = b"".join(self.read), []
        return found


def _kept(found: re.Match[str]) -> str:
    """Return an escape and what follows it so that only of marks the escape is taken away."""
    escape, following = found.groups()
    return f"{escape * 2}{following}" if following.isalnum() else found[0]


def _plain(fields: list[str], written: Delivery) -> str:
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=written.delimiter,
        quotechar=plain_quote(written),
        lineterminator="\n",
    )
    writer.writerow(fields)
    return text.getvalue()


def plain_quote(written: Delivery) -> str:
    """Return the quote of the text that ``write_unescaped`` makes."""
    return written.quote or PLAIN_QUOTE
