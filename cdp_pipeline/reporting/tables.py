"""Rows of a mart to tables."""

from __future__ import annotations

from collections.abc import Sequence

from cdp_pipeline.project.reports import Block, ReportColumn
from cdp_pipeline.reporting.formats import MISSING, Formatter, as_number, is_missing, is_withheld
from cdp_pipeline.reporting.marts import RowDict
from cdp_pipeline.reporting.views import Cell, Row, Table

_DATES = {"date", "date_long", "weekday", "month"}
_WORDY = {"text"} | _DATES
_TONES = {
    "loaded": "ok",
    "passed": "ok",
    "written": "ok",
    "fresh": "ok",
    "on time": "ok",
    "warning": "warn",
    "late": "warn",
    "waiting": "warn",
    "misplaced": "warn",
    "superseded": "mute",
    "duplicate file": "mute",
    "refused": "bad",
    "failed": "bad",
    "missing": "bad",
}


def make_table(block: Block, rows: Sequence[RowDict], formatter: Formatter) -> Table:
    """Return a block's columns as a table; the axis, or else the first column, names its rows."""
    name, *rest = ([block.x] if block.x else []) + list(block.columns)
    columns = [column for column in rest if column.show != "sub"]
    subs = [column for column in rest if column.show == "sub"]
    scales = {column.column: _longest(column, rows) for column in columns}
    return Table(
        name_head=name.heading,
        heads=tuple((column.heading, column.format not in _WORDY) for column in columns),
        rows=tuple(
            Row(
                name=formatter.write(row[name.column], name.format),
                cells=tuple(make_cell(c, row, formatter, scales[c.column]) for c in columns),
                sub=" · ".join(
                    formatter.write(row[c.column], c.format) for c in subs if row[c.column]
                ),
                name_is_code=name.show == "code",
            )
            for row in rows
        ),
    )


def make_cell(column: ReportColumn, row: RowDict, formatter: Formatter, longest: float) -> Cell:
    """Return one value of a table; an en dash when it is missing."""
    value = row[column.column]
    is_number = column.format not in _WORDY
    if is_missing(value):
        return Cell(MISSING, is_number=is_number)
    if is_withheld(value):
        return Cell(formatter.write(value, column.format), is_number=is_number)
    if column.format in {"change", "points"}:
        is_points = column.format == "points"
        delta = formatter.delta(float(value), good=column.good, is_points=is_points)
        return Cell(delta.signed, is_number=True, delta=delta)
    text = formatter.write(value, column.format)
    if column.show == "bar" and longest > 0:
        return Cell(text, "bar", is_number, share=round(max(0.0, float(value)) / longest, 4))
    tone = _TONES.get(str(value).lower(), "mute") if column.show == "pill" else ""
    return Cell(text, column.show, is_number, tone=tone, is_date=column.format in _DATES)


def _longest(column: ReportColumn, rows: Sequence[RowDict]) -> float:
    if column.show != "bar":
        return 0.0
    return max((as_number(row[column.column]) or 0.0 for row in rows), default=0.0)
