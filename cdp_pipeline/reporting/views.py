"""What templates print: finished texts, shares for widths, levels for shades.

Templates choose markup only; every text here is final. No reading and no formatting belongs here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from cdp_pipeline.project.reports import ReportSpec
from cdp_pipeline.reporting.formats import Delta


@dataclass(frozen=True)
class Cell:
    """One value of a table.

    Attributes:
        text: The value as text.
        show: How the template marks it: ``plain``, ``bar``, ``pill`` or ``code``.
        is_number: Whether it is right-aligned.
        share: Length of the bar, 0 to 1, if there is one.
        delta: The change, if the value is one.
        tone: Colour of a pill: ``ok``, ``warn``, ``bad`` or ``mute``.
        is_date: Whether it must not be broken over two lines.
    """

    text: str
    show: str = "plain"
    is_number: bool = False
    share: float | None = None
    delta: Delta | None = None
    tone: str = ""
    is_date: bool = False


@dataclass(frozen=True)
class Row:
    """One row of a table: its name, a small line under the name, its values."""

    name: str
    cells: tuple[Cell, ...]
    sub: str = ""
    name_is_code: bool = False


@dataclass(frozen=True)
class Table:
    """A table; ``heads`` holds label and alignment of every column after the name."""

    name_head: str
    heads: tuple[tuple[str, bool], ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Tile:
    """One key figure with its two comparisons and its last 28 days."""

    label: str
    value: str
    week: Delta | None
    year: Delta | None
    spark: str


@dataclass(frozen=True)
class Figure:
    """A chart in two sizes, its legend (CSS class, text) and its numbers."""

    wide: Markup
    narrow: Markup
    key: tuple[tuple[str, str], ...]
    numbers: Table
    png: bytes | None = None
    alternative: str = ""


@dataclass(frozen=True)
class Shade:
    """One cell of a heat map; level 0 to 6, or -1 for a cell without a value."""

    level: int
    text: str
    second: str = ""
    is_diagonal: bool = False


@dataclass(frozen=True)
class GridRow:
    """One row of a heat map: its name, values without a shade, shades."""

    name: str
    subs: tuple[str, ...]
    shades: tuple[Shade, ...]


@dataclass(frozen=True)
class Grid:
    """A heat map; a dense one has its headings set upright to save width."""

    corner: str
    heads: tuple[str, ...]
    sub_heads: tuple[str, ...]
    rows: tuple[GridRow, ...]
    is_dense: bool


@dataclass(frozen=True)
class Funnel:
    """Figures that lead to one another, and facts below them; pairs of label and value."""

    steps: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Stack:
    """Bars of a whole: legend, and rows of name, parts (width in percent, text), first part."""

    key: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[float, str], ...], str], ...]
    numbers: Table


@dataclass(frozen=True)
class Card:
    """One block, ready for a template.

    Attributes:
        kind: Name of the template macro that draws ``body``.
        body: One of the views above, or a list of pairs; None when there is nothing to show.
        empty: What to say instead, when ``body`` is None.
    """

    kind: str
    title: str
    width: str
    body: Any
    lead: str = ""
    note: str = ""
    empty: str = ""
    in_mail: bool = False


@dataclass(frozen=True)
class Section:
    """Cards under one heading of the page's navigation."""

    anchor: str
    title: str
    cards: tuple[Card, ...] = field(default=())


@dataclass(frozen=True)
class Checks:
    """What the gates of this night found so far.

    Attributes:
        passed: Checks that passed.
        total: Checks that ran.
        table: One row a suite; None when no gate has run.
        site: Great Expectations' pages about them, relative to the report; None if not written.
    """

    passed: int
    total: int
    table: Table | None
    site: str | None = None

    @property
    def tone(self) -> str:
        """Colour of the summary: ``ok`` when all passed, ``warn`` otherwise, ``mute`` unrun."""
        if not self.total:
            return "mute"
        return "ok" if self.passed == self.total else "warn"


@dataclass(frozen=True)
class Line:
    """A finished sentence with the words that are set in bold before it."""

    lead: str
    text: str


@dataclass(frozen=True)
class Page:
    """A report with all its texts, before any markup.

    Attributes:
        spec: Declaration.
        store: Name of the store.
        day: Business date in words.
        headline: Opening sentence.
        subject: Subject of the mail.
        changes: What changed, as sentences.
        sections: Cards in order, by section.
        checks: Results of the quality gates.
        build_id: Business date and the first digits of the plan's fingerprint.
    """

    spec: ReportSpec
    store: str
    day: str
    headline: str
    subject: str
    changes: Sequence[Line]
    sections: Sequence[Section]
    checks: Checks
    build_id: str

    @property
    def file_name(self) -> str:
        """Name of the page's file, which the mail links to."""
        return f"{self.spec.name}.html"

    @property
    def cards(self) -> list[Card]:
        """All cards, in order."""
        return [card for section in self.sections for card in section.cards]
