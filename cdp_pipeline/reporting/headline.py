"""Sentences from rules: the opening of a page, the subject of its mail, what changed.

A rule is declared in the report (``Sentence``): the mart's first row that meets its condition
fills its placeholders. A rule whose row or value is missing stays silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cdp_pipeline.privacy.small_counts import is_small
from cdp_pipeline.project.reports import PLACEHOLDER, Sentence
from cdp_pipeline.reporting.formats import Formatter, is_missing, is_withheld
from cdp_pipeline.reporting.marts import RowDict
from cdp_pipeline.reporting.views import Line

Reader = Callable[[Sentence], RowDict | None]
"""Returns the first row of a sentence's mart that meets its condition."""


def write_first(sentences: Iterable[Sentence], read: Reader, formatter: Formatter) -> str | None:
    """Return the first sentence that can be filled; None when none can."""
    for sentence in sentences:
        line = fill(sentence, read(sentence), formatter)
        if line:
            return line.text
    return None


def write_all(sentences: Iterable[Sentence], read: Reader, formatter: Formatter) -> list[Line]:
    """Return all sentences that can be filled, at most one a topic, in declared order."""
    lines: list[Line] = []
    told: set[str] = set()
    for sentence in sentences:
        if sentence.topic and sentence.topic in told:
            continue
        line = fill(sentence, read(sentence), formatter)
        if line:
            lines.append(line)
            told.add(sentence.topic)
    return lines


def fill(sentence: Sentence, row: RowDict | None, formatter: Formatter) -> Line | None:
    """Return a sentence with its placeholders filled from a row, None if a value is missing.

    A count of few people also silences it: next to other figures it would be telling.
    """
    if row is None:
        return None
    for column, form in sentence.placeholders:
        value = row[column]
        is_few = form.startswith("people") and is_small(value, formatter.smallest)
        if is_missing(value) or is_withheld(value) or is_few:
            return None

    def write(template: str) -> str:
        return PLACEHOLDER.sub(
            lambda match: formatter.write(row[match["column"]], match["format"] or "text"),
            template,
        )

    return Line(write(sentence.lead), write(sentence.text))
