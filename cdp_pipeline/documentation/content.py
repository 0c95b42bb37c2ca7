"""What pages say, gathered from catalogue and warehouse; no markup and no addresses of files.

Everything a template prints that is more than a field of a declaration is made here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.documentation.catalogue import (
    FEATURES_TABLE,
    SOURCE,
    Catalogue,
    TableEntry,
)
from cdp_pipeline.documentation.observed import Observed
from cdp_pipeline.project.checks import Check
from cdp_pipeline.project.column_lineage import Origin, trace_expression
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.loader import LAYERS
from cdp_pipeline.project.reports import Block
from cdp_pipeline.project.units import CURRENCY, unit_of

LAYER_TEXTS = {
    "staging": "Typed rows of all sources, one table an entity; private to the night.",
    "identity": "Which records are one person, and the best value of each field.",
    "core": "People, things and days; what happened; who is who.",
    "features": "What is known of a person; one wide row at the end.",
    "segments": "Who is in which segment, since when.",
    "ops": "Deliveries, exports, what was sent to whom.",
    "marts": "One table a question.",
}


@dataclass(frozen=True)
class ColumnView:
    """One row of a table's page."""

    name: str
    type: str
    description: str
    unit: str
    pii: str
    is_key: bool
    examples: tuple[str, ...]
    origins: tuple[Origin, ...]
    sources: tuple[Origin, ...]
    uses: tuple[Origin, ...]


@dataclass(frozen=True)
class NumberView:
    """One number of a report and the outermost columns it comes from."""

    label: str
    mart: str
    column: str
    description: str
    sources: tuple[Origin, ...]


@dataclass(frozen=True)
class BlockView:
    """One card of a report."""

    section: str
    title: str
    mart: str
    numbers: tuple[NumberView, ...]


def layers_of(catalogue: Catalogue) -> list[tuple[str, str, list[TableEntry]]]:
    """Return every layer with its text and its tables, in the order they are made."""
    found = []
    for layer in ("staging", *LAYERS):
        entries = [entry for entry in catalogue.tables.values() if entry.schema == layer]
        if entries:
            entries.sort(key=lambda entry: entry.name)
            found.append((layer, LAYER_TEXTS[layer], entries))
    return found


def columns_of(catalogue: Catalogue, seen: Observed, entry: TableEntry) -> list[ColumnView]:
    """Return the columns of a table as its page shows them."""
    types = seen.types.get(entry.name, {})
    views = []
    for name, column in entry.spec.header.columns.items():
        sql_type = types.get(name) or (column.type or "").upper()
        origins = tuple(sorted(entry.origins.get(name, ())))
        sources = catalogue.sources_of((entry.name, name))
        views.append(
            ColumnView(
                name=name,
                type=sql_type,
                description=column.description,
                unit=_shown_unit(catalogue, unit_of(name, column, sql_type)),
                pii=column.pii or "",
                is_key=name in entry.spec.header.key,
                examples=seen.examples.get((entry.name, name), ()),
                origins=origins,
                sources=() if sources == origins else sources,
                uses=catalogue.uses.get((entry.name, name), ()),
            )
        )
    return views


def _shown_unit(catalogue: Catalogue, unit: str) -> str:
    """Say which currency and zone the store's are."""
    if unit == CURRENCY:
        return catalogue.settings.currency
    return f"date in {catalogue.settings.time_zone}" if unit == "store-local date" else unit


def check_text(check: Check) -> str:
    """Return a check in words.

    >>> check_text(Check(expect="between", column="quantity", min=1, max=9))
    'quantity from 1 to 9'
    """
    concerned = check.column or ", ".join(check.columns) or "the table"
    texts = {
        "not_null": f"{concerned} is filled in",
        "unique": f"{concerned} does not repeat",
        "in_set": f"{concerned} is one of {', '.join(str(value) for value in check.values)}",
        "between": f"{concerned} {_range(check)}",
        "matches": f"{concerned} matches {check.pattern}",
        "length_between": f"length of {concerned} {_range(check)}",
        "true": f"every row: {check.where}",
        "row_count_between": f"rows {_range(check)}",
        "exists_in": f"{concerned} exists in {check.table}",
    }
    share = "" if check.mostly == 1 else f", in {check.mostly:.0%} of rows"
    return " ".join(f"{texts[check.expect]}{share}".split())


def _range(check: Check) -> str:
    if check.max is None:
        return f"at least {check.min}"
    return f"at most {check.max}" if check.min is None else f"from {check.min} to {check.max}"


def report_blocks(catalogue: Catalogue, blocks: Iterable[Block]) -> list[BlockView]:
    """Return the cards of a report that show numbers."""
    views = []
    for block in blocks:
        if block.mart is None:
            continue
        header = catalogue.project.table(block.mart).header
        named = [*([block.x] if block.x else []), *([block.y] if block.y else []), *block.columns]
        numbers = tuple(
            NumberView(
                label=column.heading,
                mart=block.mart,
                column=column.column,
                description=header.columns[column.column].description,
                sources=catalogue.sources_of((block.mart, column.column)),
            )
            for column in named
        )
        views.append(BlockView(block.section, block.title, block.mart, numbers))
    return views


def segment_columns(catalogue: Catalogue, name: str) -> list[str]:
    """Return the columns of ``features.customer_features`` that a segment's condition names.

    Raises:
        ConfigError: It is no condition; names the segment's file.
    """
    project = catalogue.project
    header, path = project.table(FEATURES_TABLE).header, str(project.path_of("segment", name))
    condition = project.segments[name].where
    try:
        traced = trace_expression(condition, FEATURES_TABLE, list(header.columns), where=path)
    except ConfigError as error:
        raise ConfigError(
            f"`{condition}` is no condition: {error.message}",
            where=path,
            hint="`cdp check` says more; mend it, or delete the file.",
        ) from error
    return sorted(column for _, column in traced.columns["value"])


def feeds_of(catalogue: Catalogue, name: str, contract: SourceContract) -> dict[str, list[Origin]]:
    """Return which staging columns each column of a source becomes."""
    return {
        column: list(catalogue.uses.get((f"{SOURCE}.{name}", column), ()))
        for column in contract.columns
    }


def personal_columns(catalogue: Catalogue) -> dict[str, list[tuple[str, str, str]]]:
    """Return table, column and key of the person for every kind of personal data."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for name, entry in sorted(catalogue.tables.items()):
        for column, declared in entry.spec.header.columns.items():
            if declared.pii:
                subject = entry.spec.header.subject_key or ""
                found.setdefault(declared.pii, []).append((name, column, subject))
    return dict(sorted(found.items()))


def glossary_of(catalogue: Catalogue) -> dict[str, str]:
    """Return every word that the project's glossary or a report explains, in alphabetical order."""
    terms = {
        word: text
        for report in catalogue.project.reports.values()
        for block in report.blocks
        for word, text in block.terms.items()
    }
    terms |= catalogue.project.glossary
    return dict(sorted(terms.items(), key=lambda item: (item[0].casefold(), item[0])))
