"""The lineage of all tables as a drawing: one column of boxes a layer, one curve a dependency.

Only places are decided here; the template draws. Tables that Python makes hang on their step, so
that a step that reads thirteen tables and makes ten is twenty-three curves and not a hundred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cdp_pipeline.documentation.catalogue import SOURCE, STAGING, Catalogue
from cdp_pipeline.documentation.places import page_of
from cdp_pipeline.project.loader import LAYERS

REPORT, STEP = "report", "step"
BOX_WIDTH, BOX_HEIGHT = 178, 20
_PITCH_X, _PITCH_Y, _TOP = 226, 26, 34
_ROUNDS = 4
_COLUMNS = (SOURCE, STAGING, *LAYERS, REPORT)


@dataclass(frozen=True)
class Box:
    """A table, source, step or report."""

    name: str
    label: str
    kind: str
    href: str
    x: int
    y: int


@dataclass(frozen=True)
class Curve:
    """A dependency between two boxes, as an SVG path."""

    before: str
    after: str
    path: str


@dataclass(frozen=True)
class Drawing:
    """The whole drawing with its size; heads are (text, x)."""

    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]
    heads: tuple[tuple[str, int], ...]
    width: int
    height: int


def draw_lineage(catalogue: Catalogue) -> Drawing:
    """Return the drawing of a project's tables, sources and reports."""
    edges = sorted(_edges(catalogue))
    columns = _arrange(_columns_of(catalogue), edges)
    boxes: dict[str, Box] = {}
    for number, layer in enumerate(_COLUMNS):
        for place, name in enumerate(columns[layer]):
            kind = name.partition(".")[0] if name.startswith(STEP) else layer
            boxes[name] = Box(
                name,
                name.partition(".")[2],
                kind,
                _href(name),
                number * _PITCH_X,
                _TOP + place * _PITCH_Y,
            )
    curves = tuple(
        Curve(before, after, _curve(boxes[before], boxes[after]))
        for before, after in edges
        if before in boxes and after in boxes
    )
    tallest = max(len(names) for names in columns.values())
    heads = tuple((layer, number * _PITCH_X) for number, layer in enumerate(_COLUMNS))
    width = (len(_COLUMNS) - 1) * _PITCH_X + BOX_WIDTH + 30
    return Drawing(tuple(boxes.values()), curves, heads, width, _TOP + tallest * _PITCH_Y)


def _href(name: str) -> str:
    kind, _, rest = name.partition(".")
    if kind == STEP:
        return f"timetable.html#step-{rest}"
    return f"reports.html#report-{rest}" if kind == REPORT else page_of(name)


def _step_of(catalogue: Catalogue, name: str) -> str:
    """Return the box of the step behind a table, if the table hangs on it."""
    entry = catalogue.tables[name]
    is_hung = entry.step and not entry.select and entry.schema != STAGING
    return f"{STEP}.{entry.step}" if is_hung else ""


def _edges(catalogue: Catalogue) -> set[tuple[str, str]]:
    edges: set[tuple[str, str]] = set()
    for name, entry in catalogue.tables.items():
        step = _step_of(catalogue, name)
        if step:
            edges.add((step, name))
        edges |= {(read, step or name) for read in entry.reads}
    for name, report in catalogue.project.reports.items():
        edges |= {(mart, f"{REPORT}.{name}") for mart in report.marts}
    return {(before, after) for before, after in edges if before != after}


def _columns_of(catalogue: Catalogue) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {layer: [] for layer in _COLUMNS}
    columns[SOURCE] = [f"{SOURCE}.{name}" for name in sorted(catalogue.project.sources)]
    columns[REPORT] = [f"{REPORT}.{name}" for name in sorted(catalogue.project.reports)]
    for name, entry in sorted(catalogue.tables.items()):
        step = _step_of(catalogue, name)
        if step and step not in columns[entry.schema]:
            columns[entry.schema].append(step)
        columns[entry.schema].append(name)
    placed: set[str] = set()
    for names in columns.values():  # a step stands once, in the first layer it makes tables of
        names[:] = [name for name in names if name not in placed]
        placed |= set(names)
    return columns


def _arrange(
    columns: Mapping[str, Sequence[str]], edges: Sequence[tuple[str, str]]
) -> dict[str, list[str]]:
    """Order the boxes of each column by the mean place of their neighbours, a few times over."""
    arranged = {layer: list(names) for layer, names in columns.items()}
    near: dict[str, list[str]] = {}
    for before, after in edges:
        near.setdefault(before, []).append(after)
        near.setdefault(after, []).append(before)
    for _ in range(_ROUNDS):
        for names in arranged.values():
            place = {
                name: position / max(1, len(column) - 1)
                for column in arranged.values()
                for position, name in enumerate(column)
            }

            def mean(name: str, place: Mapping[str, float] = place) -> tuple[float, str]:
                found = [place[other] for other in near.get(name, ()) if other in place]
                return (sum(found) / len(found) if found else place[name], name)

            names.sort(key=mean)
    return arranged


def _curve(before: Box, after: Box) -> str:
    middle = BOX_HEIGHT // 2
    x1, y1, y2 = before.x + BOX_WIDTH, before.y + middle, after.y + middle
    if before.x == after.x:  # within a layer: an arc on its right
        bend = x1 + 12 + min(30, abs(y2 - y1) // 12)
        return f"M{x1} {y1}C{bend} {y1} {bend} {y2} {x1} {y2}"
    x2 = after.x if after.x > before.x else after.x + BOX_WIDTH
    x1 = x1 if after.x > before.x else before.x
    half = (x1 + x2) // 2
    return f"M{x1} {y1}C{half} {y1} {half} {y2} {x2} {y2}"
