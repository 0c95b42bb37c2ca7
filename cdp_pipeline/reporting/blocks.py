"""A declared block and the rows of its mart to a card that templates print.

One function a kind of block. Charts are in ``figures``, tables in ``tables``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from cdp_pipeline.project.reports import Block, ReportColumn
from cdp_pipeline.reporting.figures import make_figure
from cdp_pipeline.reporting.formats import Delta, Formatter, as_date, as_number, is_missing
from cdp_pipeline.reporting.marts import RowDict
from cdp_pipeline.reporting.tables import make_table
from cdp_pipeline.reporting.views import Card, Funnel, Grid, GridRow, Shade, Stack, Table, Tile

WEEK_DAYS = 7
YEAR_DAYS = 364
"""The same weekday a year ago: 52 whole weeks, not the same date."""

_SPARK_DAYS = 28
_LEVELS = 7
_SPARK_WIDTH, _SPARK_HEIGHT = 120, 32
_DENSE_COLUMNS = 7


def make_card(
    block: Block,
    rows: Sequence[RowDict],
    formatter: Formatter,
    *,
    uid: str,
    checks: Table | None = None,
) -> Card:
    """Return a block as a card; without data its body is None and it says so.

    Args:
        block: Declaration.
        rows: Rows of its mart, in order; empty for kinds without a mart.
        formatter: Writes values.
        uid: Prefix of ids, unique on the page.
        checks: Results of quality gates, for blocks of kind ``checks``.
    """
    if block.kind == "checks":
        body: Any = checks
    elif block.kind in {"terms", "note"}:
        body = list(block.terms.items())
    elif block.kind in {"line", "bar"}:
        body = make_figure(block, rows, formatter, uid=uid) if _has_values(block, rows) else None
    else:
        body = _MAKERS[block.kind](block, rows, formatter) if rows else None
    return Card(
        kind=block.kind,
        title=block.title,
        width=block.width,
        body=body,
        lead=block.lead,
        note=" ".join(filter(None, (block.note, formatter.explain_withheld(_values(block, rows))))),
        empty=block.empty,
        in_mail=block.mail,
    )


def make_tiles(block: Block, rows: Sequence[RowDict], formatter: Formatter) -> list[Tile] | None:
    """Return key figures of the last day against the same weekday a week and a year before."""
    axis = block.x.column if block.x else ""
    by_day = {as_date(row[axis]): row for row in rows}
    last = max((day for day in by_day if day), default=None)
    if last is None:
        return None
    return [_make_tile(column, by_day, last, formatter) for column in block.columns]


def _make_tile(
    column: ReportColumn, by_day: dict[date | None, RowDict], last: date, formatter: Formatter
) -> Tile:
    def value(days_before: int) -> object:
        row = by_day.get(last - timedelta(days=days_before))
        return row[column.column] if row else None

    spark = [formatter.height(value(days)) for days in range(_SPARK_DAYS - 1, -1, -1)]
    now, week, year = (as_number(value(days)) for days in (0, WEEK_DAYS, YEAR_DAYS))
    return Tile(
        label=column.heading,
        value=formatter.write(by_day[last][column.column], column.format),
        week=_compare(column, now, week, formatter),
        year=_compare(column, now, year, formatter),
        spark=spark_points(spark),
    )


def _compare(
    column: ReportColumn, new: float | None, old: float | None, formatter: Formatter
) -> Delta | None:
    if new is None or old is None:
        return None
    if column.format == "share":
        return formatter.delta(new - old, good=column.good, is_points=True)
    return formatter.delta(new / old - 1, good=column.good) if old else None


def spark_points(values: Sequence[float | None]) -> str:
    """Return SVG points of a sparkline in a 120 by 32 box; empty with fewer than two values.

    >>> spark_points([1, None, 3])
    '0.0,30.0 120.0,2.0'
    """
    known = [(i, value) for i, value in enumerate(values) if value is not None]
    if len(known) < 2:  # noqa: PLR2004 - a line needs two points
        return ""
    low, high = min(v for _, v in known), max(v for _, v in known)
    span, across = (high - low) or 1.0, _SPARK_WIDTH / (len(values) - 1)
    inner = _SPARK_HEIGHT - 4
    return " ".join(
        f"{i * across:.1f},{_SPARK_HEIGHT - 2 - (v - low) / span * inner:.1f}" for i, v in known
    )


def make_grid(block: Block, rows: Sequence[RowDict], formatter: Formatter) -> Grid:
    """Return a heat map; rows and columns stand in the order in which the mart names them."""
    x, y = block.x or block.columns[0], block.y or block.columns[0]
    main, *others = [column for column in block.columns if column.show != "sub"]
    subs = [column for column in block.columns if column.show == "sub"]
    heads, names = _distinct(x, rows), _distinct(y, rows)
    found = {(row[y.column], row[x.column]): row for row in rows}
    shown = [row for row in rows if _is_shown(block, row, main)]
    heights = [formatter.height(row[main.column]) for row in shown]
    known = [height for height in heights if height is not None]
    low, span = min(known, default=0.0), (max(known, default=1.0) - min(known, default=0.0)) or 1.0

    def shade(name: object, head: object) -> Shade:
        row = found.get((name, head))
        if row is None or not _is_shown(block, row, main):
            return Shade(-1, "", is_diagonal=block.diagonal and name == head)
        height = formatter.height(row[main.column])
        level = int(((low if height is None else height) - low) / span * (_LEVELS - 0.001))
        second = [
            formatter.write(row[column.column], column.format)
            for column in others
            if not is_missing(row[column.column])
        ]
        return Shade(level, formatter.write(row[main.column], main.format), " · ".join(second))

    firsts = {row[y.column]: row for row in reversed(rows)}
    return Grid(
        corner=y.heading,
        heads=tuple(formatter.write(head, x.format) for head in heads),
        sub_heads=tuple(column.heading for column in subs),
        rows=tuple(
            GridRow(
                name=formatter.write(name, y.format),
                subs=tuple(formatter.write(firsts[name][c.column], c.format) for c in subs),
                shades=tuple(shade(name, head) for head in heads),
            )
            for name in names
        ),
        is_dense=len(heads) > _DENSE_COLUMNS and not subs,
    )


def _is_shown(block: Block, row: RowDict, main: ReportColumn) -> bool:
    x, y = block.x or main, block.y or main
    is_stay = block.diagonal and row[x.column] == row[y.column]
    return not (is_stay or is_missing(row[main.column]))


def _distinct(column: ReportColumn, rows: Sequence[RowDict]) -> list[Any]:
    return list(dict.fromkeys(row[column.column] for row in rows))


def make_stack(block: Block, rows: Sequence[RowDict], formatter: Formatter) -> Stack:
    """Return bars of a whole: every column is a share of it."""
    name = block.x or block.columns[0]
    return Stack(
        key=tuple(column.heading for column in block.columns),
        rows=tuple(
            (
                formatter.write(row[name.column], name.format),
                tuple(
                    (
                        round(100 * (as_number(row[c.column]) or 0.0), 2),
                        f"{c.heading.lower()} {formatter.write(row[c.column], c.format)}",
                    )
                    for c in block.columns
                ),
                formatter.write(row[block.columns[0].column], block.columns[0].format),
            )
            for row in rows
        ),
        numbers=make_table(block, rows, formatter),
    )


def make_facts(
    block: Block, rows: Sequence[RowDict], formatter: Formatter
) -> list[tuple[str, str]] | None:
    """Return label and value of every column of the first row; missing values are left out."""
    return _pairs(block.columns, rows[0], formatter) or None


def make_funnel(block: Block, rows: Sequence[RowDict], formatter: Formatter) -> Funnel:
    """Return the first row as figures; columns shown as ``sub`` become facts below them."""
    large = [column for column in block.columns if column.show != "sub"]
    small = [column for column in block.columns if column.show == "sub"]
    return Funnel(
        steps=tuple(_pairs(large, rows[0], formatter)),
        facts=tuple(_pairs(small, rows[0], formatter)),
    )


def _pairs(
    columns: Sequence[ReportColumn], row: RowDict, formatter: Formatter
) -> list[tuple[str, str]]:
    return [
        (column.heading, formatter.write(row[column.column], column.format))
        for column in columns
        if not is_missing(row[column.column])
    ]


def _values(block: Block, rows: Sequence[RowDict]) -> Iterator[object]:
    return (row[column.column] for row in rows for column in block.columns)


def _has_values(block: Block, rows: Sequence[RowDict]) -> bool:
    return any(not is_missing(value) for value in _values(block, rows))


_MAKERS: dict[str, Callable[[Block, Sequence[RowDict], Formatter], Any]] = {
    "kpi": make_tiles,
    "table": make_table,
    "heatmap": make_grid,
    "stack": make_stack,
    "facts": make_facts,
    "funnel": make_funnel,
}
