"""How the command line speaks: data on standard output, talk on standard error.

Colour and redrawing only on a terminal, never with ``NO_COLOR``.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from cdp_pipeline.core.errors import CdpError
from cdp_pipeline.core.settings import has_colour_terminal

_WIDEST_CELL = 60


def say(text: str = "") -> None:
    """Print talk: progress, hints, confirmations."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is the place that prints


def write(text: str = "") -> None:
    """Print data."""
    print(text, flush=True)  # noqa: T201 - this is the place that prints


def write_bytes(parts: Iterable[bytes]) -> None:
    """Print data as it is, byte for byte."""
    for part in parts:
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


def write_json(document: Any) -> None:  # noqa: ANN401 - any JSON document
    """Print one JSON document."""
    write(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def write_table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows in aligned columns; numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [
        bool(cells) and all(_is_number(row[i]) for row in cells) for i in range(len(headers))
    ]
    widths = [
        max(len(header), *(len(row[i]) for row in cells), 0) for i, header in enumerate(headers)
    ]
    for row in [list(headers), ["-" * width for width in widths], *cells]:
        padded = (
            value.rjust(width) if right else value.ljust(width)
            for value, width, right in zip(row, widths, numeric, strict=True)
        )
        write("  ".join(padded).rstrip())


def write_csv(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as RFC 4180 CSV."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows(rows)


def show_error(error: CdpError, *, as_json: bool) -> None:
    """Print an error: what, where, how to fix."""
    if as_json:
        write_json({"error": error.as_dict()})
        return
    red, bold, plain = _codes("\033[31m", "\033[1m", "\033[0m")
    say(f"{red}error:{plain} {bold}{error.message}{plain}")
    if error.where:
        say(f"  where: {error.where}")
    if error.hint:
        say(f"  help:  {error.hint}")


def good(text: str) -> str:
    """Return text marked as good news."""
    green, plain = _codes("\033[32m", "\033[0m")
    return f"{green}{text}{plain}"


def bad(text: str) -> str:
    """Return text marked as bad news."""
    red, plain = _codes("\033[31m", "\033[0m")
    return f"{red}{text}{plain}"


def _codes(*codes: str) -> tuple[str, ...]:
    use = has_colour_terminal(is_terminal=sys.stderr.isatty())
    return codes if use else tuple("" for _ in codes)


def _cell(value: Any) -> str:  # noqa: ANN401 - any SQL value
    text = "" if value is None else str(value).replace("\n", " ")
    return text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 1] + "…"


def _is_number(text: str) -> bool:
    return not text or text.replace(",", "").lstrip("-").replace(".", "", 1).isdigit()
