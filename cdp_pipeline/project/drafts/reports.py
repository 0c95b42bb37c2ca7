"""The draft of a report: one mart, drawn as its columns suggest."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.drafts.words import Words, as_comments, as_scalar, as_text
from cdp_pipeline.project.mistakes import suggest
from cdp_pipeline.project.reports import Format
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.project.units import CURRENCY, unit_of

_USUAL = "marts.revenue_by_department"
_MOST_COLUMNS = 8
_NOTE = "      # "
_DAYS = ("business_date", "cohort_on")
_FORMATS: dict[str, Format] = {
    CURRENCY: "money",
    "share, 1 is 100 %": "share",
    "probability, 0 to 1": "share",
    "count": "count",
    "days": "days",
}


def find_marts(tables: Mapping[str, TableSpec]) -> dict[str, TableSpec]:
    """Return the marts that a report may read: those without a row for each person."""
    return {
        name: table
        for name, table in tables.items()
        if table.schema == "marts" and not table.header.subject_key
    }


def choose_mart(tables: Mapping[str, TableSpec], name: str | None) -> TableSpec:
    """Return the mart that a report begins with.

    Args:
        tables: Every table of the warehouse.
        name: ``marts.name`` or ``name``; None for the usual one.

    Raises:
        ConfigError: There is no such mart, or it has a row for each person.
    """
    marts = find_marts(tables)
    wanted = name or (_USUAL if _USUAL in marts else next(iter(marts), _USUAL))
    wanted = wanted if "." in wanted else f"marts.{wanted}"
    if wanted in marts:
        return marts[wanted]
    if wanted in tables and wanted.startswith("marts."):
        raise ConfigError(
            f"{wanted} has a row for each person, which no report may show",
            where="--from",
            hint="Count people in a mart of your own, sql/marts/<question>.sql, and name that.",
        )
    raise ConfigError(f"{wanted!r} is no mart", where="--from", hint=suggest(wanted, sorted(marts)))


def draft_report(words: Words, *, mart: TableSpec, marts: Mapping[str, TableSpec]) -> str:
    """Return the YAML of a report.

    Args:
        words: Name, title, owner.
        mart: What it shows first.
        marts: What else it could show.
    """
    return as_text(
        [
            "# A report: a page in data/reports after each night. Add blocks, take columns away.",
            "# Kinds of blocks, formats and the rules for counts of people: reports/README.md",
            f"title: {as_scalar(words.title, '--title')}",
            "description: What the reader learns.",
            f"owner: {as_scalar(words.owner, '--owner')}   # who answers questions about it",
            "audience: Who reads it",
            "# recipients: managers   # a group of [tool.cdp.mail.recipients]: also sent by e-mail",
            "",
            "blocks:",
            *_line(mart),
            *_table(mart),
            "",
            "# Marts that blocks can read; their columns stand in sql/marts/<name>.sql:",
            *as_comments({name: table.header.description for name, table in marts.items()}),
        ]
    )


def _table(mart: TableSpec) -> Iterable[str]:
    names = [name for name in mart.header.columns if not name.endswith("_rank")]
    yield "  - kind: table"
    yield "    title: " + as_scalar(mart.name.replace("_", " ").capitalize(), "--from")
    yield f"    from: {mart.full_name}"
    yield "    # sort: [-column]   # a leading - sorts downwards; default: the mart's key"
    yield "    # limit: 40"
    yield "    columns:"
    yield from (_column(mart, name) for name in names[:_MOST_COLUMNS])
    if rest := names[_MOST_COLUMNS:]:
        yield from textwrap.wrap(
            f"it also has: {', '.join(rest)}", 90, initial_indent=_NOTE, subsequent_indent=_NOTE
        )
    yield "    empty: Not enough data yet."


def _line(mart: TableSpec) -> Iterable[str]:
    """Draw the first measure over the days, if a row is a day."""
    day = mart.header.key[0] if len(mart.header.key) == 1 else ""
    forms = {name: format_of(mart, name) for name in mart.header.columns}
    drawn = [name for name, form in forms.items() if form in {"money", "people", "share"}]
    if day in _DAYS and drawn:
        yield "  - kind: line"
        yield "    title: Day by day"
        yield f"    from: {mart.full_name}"
        yield f"    x: {{column: {day}, label: Day, format: date}}"
        yield f"    sort: [-{day}]"
        yield "    limit: 28"
        yield "    columns:"
        yield _column(mart, drawn[0])
        yield "    empty: Not enough data yet."


def _column(mart: TableSpec, name: str) -> str:
    form, people = format_of(mart, name), _people(mart)
    rests = f", people: {people}" if form == "share" and people else ""
    written = "" if form == "text" else f", format: {form}"
    label = name.removesuffix("_amount").removesuffix("_count").replace("_", " ").capitalize()
    return f"      - {{column: {name}, label: {label}{written}{rests}}}"


def _people(mart: TableSpec) -> str | None:
    return next((name for name in mart.header.columns if mart.header.counts_people(name)), None)


def format_of(mart: TableSpec, name: str) -> Format:
    """Return how a column's values are written, as far as its name tells."""
    if mart.header.counts_people(name):
        return "people"
    if name.endswith(("_on", "_date")):
        return "date"
    if name.endswith("_change"):
        return "change"
    return _FORMATS.get(unit_of(name, mart.header.columns[name]), "text")
