"""Declarations of reports: which marts, in which order, drawn how, for whom.

A report is data: a new number is a column of a mart, a new report is one YAML file. How a block
looks is decided by ``cdp_pipeline.reporting`` and the templates, not here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from cdp_pipeline.core.errors import CombinedConfigError, ConfigError
from cdp_pipeline.project.checks import Declaration
from cdp_pipeline.project.mistakes import suggest
from cdp_pipeline.project.positions import Positions
from cdp_pipeline.project.tables import TableSpec

Format = Literal[
    "text",
    "count",
    "people",
    "people_change",
    "money",
    "money_whole",
    "money_short",
    "share",
    "points",
    "change",
    "decimal",
    "date",
    "date_long",
    "weekday",
    "month",
    "days",
    "bytes",
]
"""How a value is written. ``people`` hides small counts; ``change`` and ``points`` carry an
arrow and a word; ``money_short`` is compact (1.85M)."""

Kind = Literal[
    "kpi", "table", "line", "bar", "stack", "heatmap", "funnel", "facts", "checks", "terms", "note"
]

PLACEHOLDER = re.compile(r"\{(?P<column>[a-z][a-z0-9_]*)(?::(?P<format>[a-z_]+))?\}")
"""``{column}`` or ``{column:format}`` in a sentence."""


class ReportColumn(Declaration):
    """One column of a table, one measure of a chart, or the axis of either."""

    column: str = Field(description="Column of the mart.")
    label: str = Field(default="", description="What readers see; default: the column's name.")
    format: Format = Field(default="text", description="How values are written.")
    good: Literal["up", "down", "none"] = Field(default="none", description="Good direction.")
    show: Literal["plain", "bar", "pill", "code", "sub"] = Field(
        default="plain", description="bar: with a bar; sub: small, under the row's name."
    )
    below: bool = Field(default=False, description="In a bar chart: drawn below the zero line.")
    people: str | None = Field(
        default=None,
        description="Count of people this value rests upon; if that is hidden, so is the value.",
    )

    @property
    def heading(self) -> str:
        """The label, or the column's name in words."""
        return self.label or self.column.replace("_", " ").capitalize()


class Sentence(Declaration):
    """A sentence that is shown when its mart has a row for it.

    The first row (after ``where`` and ``sort``) fills the placeholders; a sentence with an empty
    placeholder is left out, so a weaker one below it can take its place.
    """

    mart: str = Field(alias="from", description="Table in marts.")
    where: str | None = Field(default=None, description="SQL over the mart's columns.")
    sort: tuple[str, ...] = Field(default=(), description="Columns; a leading - sorts downwards.")
    lead: str = Field(default="", description="Few words in bold before the sentence.")
    text: str = Field(description="Sentence with {column:format} placeholders.")
    topic: str = Field(default="", description="Of several sentences on a topic, the first wins.")

    @property
    def placeholders(self) -> list[tuple[str, str]]:
        """Columns and formats named by lead and text."""
        found = PLACEHOLDER.findall(f"{self.lead} {self.text}")
        return [(column, form or "text") for column, form in found]

    @model_validator(mode="after")
    def _formats_exist(self) -> Self:
        for column, form in self.placeholders:
            if form not in get_args(Format):
                known = ", ".join(get_args(Format))
                message = f"{{{column}:{form}}} has no such format; known: {known}"
                raise ValueError(message)
        return self


class Block(Declaration):
    """One card of a report."""

    kind: Kind = Field(description="How it is drawn.")
    title: str = Field(default="", description="Heading.")
    section: str = Field(default="", description="Group in the page's navigation.")
    width: Literal["full", "wide", "half", "narrow"] = Field(
        default="full", description="Share of the row: full, 3/5, 1/2, 2/5."
    )
    mart: str | None = Field(default=None, alias="from", description="Table in marts.")
    x: ReportColumn | None = Field(default=None, description="Horizontal axis, or the row's name.")
    y: ReportColumn | None = Field(default=None, description="Vertical axis of a heatmap.")
    columns: tuple[ReportColumn, ...] = Field(default=(), description="Measures or columns.")
    where: str | None = Field(default=None, description="SQL over the mart's columns.")
    sort: tuple[str, ...] = Field(
        default=(), description="Columns, a leading - sorts downwards; default: the mart's key."
    )
    limit: int = Field(default=40, ge=1, le=400, description="Rows at most.")
    diagonal: bool = Field(default=False, description="Heatmap: row and column share their names.")
    terms: dict[str, str] = Field(default_factory=dict, description="Words and their meaning.")
    lead: str = Field(default="", description="Sentence above the content.")
    note: str = Field(default="", description="Sentence under the content.")
    mail: bool = Field(default=False, description="Also shown in the e-mail.")
    empty: str = Field(
        default="Not enough data yet.", description="Shown instead when the mart has no rows."
    )

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        needs = _NEEDS.get(self.kind, ("mart", "columns"))
        for need in needs:
            if not getattr(self, need):
                message = f"a {self.kind} block needs `{'from' if need == 'mart' else need}:`"
                raise ValueError(message)
        return self

    @property
    def used_columns(self) -> list[str]:
        """Every column of the mart that the block names."""
        named = [*([self.x] if self.x else []), *([self.y] if self.y else []), *self.columns]
        used = [c.column for c in named] + [c.people for c in named if c.people]
        return used + [name.removeprefix("-") for name in self.sort]


_NEEDS: dict[str, tuple[str, ...]] = {
    "kpi": ("mart", "x", "columns"),
    "line": ("mart", "x", "columns"),
    "bar": ("mart", "x", "columns"),
    "stack": ("mart", "x", "columns"),
    "heatmap": ("mart", "x", "y", "columns"),
    "checks": (),
    "terms": ("terms",),
    "note": ("note",),
}


class ReportSpec(Declaration):
    """One HTML report, also sent by e-mail."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$", description="The file's stem.")
    title: str = Field(description="Heading of the page.")
    description: str = Field(default="", description="What the reader learns.")
    owner: str = Field(description="Who answers questions about it.")
    audience: str = Field(description="Who reads it.")
    recipients: str | None = Field(default=None, description="Group in settings mail.recipients.")
    subject: tuple[Sentence, ...] = Field(default=(), description="Mail subject; first that fits.")
    headline: tuple[Sentence, ...] = Field(default=(), description="Opening; first that fits.")
    changes: tuple[Sentence, ...] = Field(default=(), description="What changed; all that fit.")
    blocks: tuple[Block, ...] = Field(min_length=1)

    @property
    def marts(self) -> list[str]:
        """Every table the report reads, in name order."""
        read = {block.mart for block in self.blocks if block.mart}
        return sorted(read | {sentence.mart for sentence in self.sentences})

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """All sentences of subject, headline and changes."""
        return self.subject + self.headline + self.changes


_COLOUR = "^#[0-9a-f]{6}$"


class Brand(Declaration):
    """Look of all reports: colours of the light and of the dark page."""

    name: str = Field(default="brand")
    accent: str = Field(default="#0b5d4e", pattern=_COLOUR, description="Main colour.")
    accent_dark: str = Field(default="#63c7ad", pattern=_COLOUR, description="On dark pages.")
    compare: str = Field(default="#857e73", pattern=_COLOUR, description="Comparison lines.")
    compare_dark: str = Field(default="#968f83", pattern=_COLOUR, description="On dark pages.")
    down: str = Field(default="#a8321f", pattern=_COLOUR, description="Bad news.")
    down_dark: str = Field(default="#f2917e", pattern=_COLOUR, description="On dark pages.")
    footer: str = Field(default="", description="Line at the end of every page.")


def check_report(report: ReportSpec, tables: Mapping[str, TableSpec], path: Path) -> None:
    """Hold a report against the tables it reads.

    Raises:
        ConfigError: It names tables that nothing makes, tables outside ``marts``, or columns that
            the tables' headers do not document; ``parts`` holds each.
    """
    positions, found = Positions(path), list[ConfigError]()
    readers = [(("blocks", n), b.mart, b.used_columns) for n, b in enumerate(report.blocks)]
    for key in ("subject", "headline", "changes"):
        for n, sentence in enumerate(getattr(report, key)):
            used = [column for column, _ in sentence.placeholders]
            used += [name.removeprefix("-") for name in sentence.sort]
            readers.append(((key, n), sentence.mart, used))
    for loc, mart, used in readers:
        if mart:
            found += _mistakes(loc, mart, used, tables, positions)
    found += _counts_in_clear(report, tables, positions)
    if found:
        raise found[0] if len(found) == 1 else CombinedConfigError(found)


def _counts_in_clear(
    report: ReportSpec, tables: Mapping[str, TableSpec], positions: Positions
) -> Iterator[ConfigError]:
    written = [
        (("blocks", n), block.mart, column.column, column.format)
        for n, block in enumerate(report.blocks)
        for column in block.columns
    ]
    written += [
        ((key, n), sentence.mart, column, form)
        for key in ("subject", "headline", "changes")
        for n, sentence in enumerate(getattr(report, key))
        for column, form in sentence.placeholders
    ]
    for loc, mart, column, form in written:
        if (
            mart
            and form == "count"
            and mart in tables
            and tables[mart].header.counts_people(column)
        ):
            yield ConfigError(
                f"{column!r} counts people, and `format: count` would show small counts",
                where=positions.of_word(loc, column),
                hint="Write `format: people`; if it does not count people, give it a `unit:` in "
                f"the header of {mart}.",
            )


def _mistakes(
    loc: tuple[str, int],
    mart: str,
    used: Iterable[str],
    tables: Mapping[str, TableSpec],
    positions: Positions,
) -> Iterator[ConfigError]:
    marts = [name for name in tables if name.startswith("marts.")]
    if mart not in marts:
        hint = suggest(mart, marts, else_="Reports read marts only; add sql/marts/<name>.sql.")
        message = f"reads {mart!r}, which is no mart"
        yield ConfigError(message, where=positions(*loc, "from"), hint=hint)
        return
    known = list(tables[mart].header.columns)
    for column in dict.fromkeys(used):
        if column not in known:
            yield ConfigError(
                f"{mart} has no column {column!r}",
                where=positions.of_word(loc, column),
                hint=suggest(column, known, else_=f"{mart} has: {{}}."),
            )
