"""An explanation as one self-contained HTML page in the style of the reports.

Bars, paths and graphs become numbers here and drawings in ``explanation.html.j2``, which stands
among the report templates and takes their style sheet and colours. No script, no request; every
drawing repeats what the text beside it says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

from cdp_pipeline.core.settings import Settings
from cdp_pipeline.identity.explaining.bridges import Link
from cdp_pipeline.identity.explaining.explanations import CustomerExplanation, PairExplanation
from cdp_pipeline.project.loader import Project, starter_folder
from cdp_pipeline.storage.files import write_given

TEMPLATE = "explanation.html.j2"

DRAWN_RECORDS = 24
"""A graph of more records is a ball of wool; the table below it lists all."""

RADIUS, MIDDLE = 120.0, 150.0


@dataclass(frozen=True)
class Bar:
    """A stretch of the waterfall, in per cent of the drawing's width."""

    x: float
    width: float
    zero: float
    is_against: bool


@dataclass(frozen=True)
class Step:
    """One row of the waterfall.

    Attributes:
        name: Field, or what the row is.
        level: Degree of agreement.
        left: Value of the first record.
        right: Value of the second.
        bits: Match bits as text.
        total: Running total as text.
        bar: Drawing of the match bits.
        household_bits: Household bits as text.
        household_total: Running total as text.
        household_bar: Drawing of the household bits.
    """

    name: str
    level: str
    left: str
    right: str
    bits: str
    total: str
    bar: Bar
    household_bits: str
    household_total: str
    household_bar: Bar


@dataclass(frozen=True)
class Node:
    """A record in the graph of a customer."""

    number: int
    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Line:
    """A link in the graph of a customer."""

    x1: float
    y1: float
    x2: float
    y2: float
    is_bridge: bool
    prob: float


def write_page(
    found: PairExplanation | CustomerExplanation,
    path: Path,
    *,
    project: Project,
    settings: Settings,
) -> None:
    """Write the page of an explanation.

    Args:
        found: What to show.
        path: File to write.
        project: Its templates and brand are used.
        settings: Store name.
    """
    write_given(path, render_page(found, project=project, settings=settings).encode())


def render_page(
    found: PairExplanation | CustomerExplanation, *, project: Project, settings: Settings
) -> str:
    """Return the page of an explanation as HTML."""
    shipped = starter_folder("reports") / "templates"
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(project.templates), FileSystemLoader(shipped)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    is_pair = isinstance(found, PairExplanation)
    return environment.get_template(TEMPLATE).render(
        store=settings.store_name,
        brand=project.brand,
        pair=found if is_pair else None,
        customer=None if is_pair else found,
        steps=waterfall(found) if isinstance(found, PairExplanation) else [],
        nodes=place_records(found) if isinstance(found, CustomerExplanation) else [],
        lines=place_links(found) if isinstance(found, CustomerExplanation) else [],
    )


def waterfall(pair: PairExplanation) -> list[Step]:
    """Return the rows of the waterfall: prior, each field with evidence, the sum."""
    fields = [field for field in pair.fields if field.level != "missing"]
    if not pair.fields:
        return []
    match = _totals(pair.prior_bits, [field.match_bits for field in fields])
    household = _totals(pair.household_prior_bits, [field.household_bits for field in fields])
    span = min(0.0, *match, *household), max(0.0, *match, *household)
    names = [("before any evidence", "", "", "")]
    names += [(field.field, field.level, field.left, field.right) for field in fields]
    steps = []
    for place, name in enumerate(names, 1):
        gains = [totals[place] - totals[place - 1] for totals in (match, household)]
        steps.append(
            Step(
                *name,
                bits=f"{gains[0]:+.1f}",
                total=f"{match[place]:+.1f}",
                bar=_bar(match[place - 1], match[place], span),
                household_bits=f"{gains[1]:+.1f}",
                household_total=f"{household[place]:+.1f}",
                household_bar=_bar(household[place - 1], household[place], span),
            )
        )
    steps.append(
        Step(
            "together",
            "",
            "",
            "",
            bits=f"{pair.match_weight:+.1f}",
            total=f"{pair.match_weight:+.1f}",
            bar=_bar(0.0, pair.match_weight, span),
            household_bits=f"{pair.household_weight:+.1f}",
            household_total=f"{pair.household_weight:+.1f}",
            household_bar=_bar(0.0, pair.household_weight, span),
        )
    )
    return steps


def _totals(prior: float, gains: Sequence[float]) -> list[float]:
    totals = [0.0, prior]
    for gain in gains:
        totals.append(totals[-1] + gain)
    return totals


def _bar(begin: float, end: float, span: tuple[float, float]) -> Bar:
    low, width = span[0], max(span[1] - span[0], 1e-9)
    left, right = sorted((begin, end))
    return Bar(
        x=round(100 * (left - low) / width, 2),
        width=round(max(100 * (right - left) / width, 0.4), 2),
        zero=round(100 * -low / width, 2),
        is_against=end < begin,
    )


def _linked_names(customer: CustomerExplanation) -> list[str]:
    return sorted({name for link in customer.links for name in (link.left, link.right)})


def place_records(customer: CustomerExplanation) -> list[Node]:
    """Return the linked records on a circle; none if there are too many to draw."""
    names = _linked_names(customer)
    if not 1 < len(names) <= DRAWN_RECORDS:
        return []
    nodes = []
    for place, name in enumerate(names):
        angle = 2 * math.pi * place / len(names) - math.pi / 2
        x, y = MIDDLE + RADIUS * math.cos(angle), MIDDLE + RADIUS * math.sin(angle)
        nodes.append(Node(place + 1, name, round(x, 1), round(y, 1)))
    return nodes


def place_links(customer: CustomerExplanation) -> list[Line]:
    """Return the links between placed records."""
    at = {node.name: node for node in place_records(customer)}
    bridges = {_ends(link) for link in customer.bridges}
    return [
        Line(
            at[link.left].x,
            at[link.left].y,
            at[link.right].x,
            at[link.right].y,
            is_bridge=_ends(link) in bridges,
            prob=link.prob,
        )
        for link in customer.links
        if at
    ]


def _ends(link: Link) -> tuple[str, ...]:
    return tuple(sorted((link.left, link.right)))
