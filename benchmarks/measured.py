"""The measured part of a benchmark's page, and the rows of its bars."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_BEGIN, _END = "<!-- measured: written by --write -->\n", "<!-- end of measured -->\n"


def write_measured(page: Path, report: str) -> None:
    """Put a report in the place of what a page says was measured before."""
    head, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    tail = rest.partition(_END)[2]
    page.write_text(f"{head}{_BEGIN}\n{report}\n{_END}{tail}", encoding="utf-8")


def bar_rows(bars: Iterable[tuple[str, str, str, bool]]) -> list[str]:
    """Return a Markdown table of bars: what, asked, measured, met."""
    return [
        "| bar | asked | measured | |",
        "| --- | ---: | ---: | --- |",
        *(
            f"| {title} | {asked} | {measured} | {'pass' if is_met else '**fail**'} |"
            for title, asked, measured, is_met in bars
        ),
    ]
