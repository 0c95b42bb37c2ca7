"""Rows of a mart to charts with their legend and their table of numbers.

Which numbers a chart shows is decided here; how Vega draws them is in ``charts``.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdp_pipeline.project.reports import Block, ReportColumn
from cdp_pipeline.reporting.charts import Plot, Series, draw, nice_ticks, to_png, to_svg
from cdp_pipeline.reporting.formats import Formatter
from cdp_pipeline.reporting.marts import RowDict
from cdp_pipeline.reporting.tables import make_table
from cdp_pipeline.reporting.views import Figure

_SIZES = {"full": (1030, 220), "wide": (590, 290), "half": (460, 200), "narrow": (370, 200)}
_PHONE = (292, 180)
_MAIL = (500, 200)


def make_figure(block: Block, rows: Sequence[RowDict], formatter: Formatter, *, uid: str) -> Figure:
    """Return a line or bar block drawn for wide and for narrow screens.

    Args:
        block: Declaration with an axis and at least one measure.
        rows: Rows of its mart, in order.
        formatter: Writes labels.
        uid: Prefix of ids, unique on the page.
    """
    plot = make_plot(block, _oldest_first(block, rows), formatter)
    label = describe_plot(block, plot)
    width, height = _SIZES[block.width]
    picture = draw(plot, width=_MAIL[0], height=_MAIL[1]) if block.mail else None
    return Figure(
        wide=to_svg(draw(plot, width=width, height=height), uid=uid, label=label),
        narrow=to_svg(draw(plot, width=_PHONE[0], height=_PHONE[1]), uid=f"{uid}n", label=label),
        key=_key(block),
        numbers=make_table(block, rows, formatter),
        png=to_png(picture, scale=1.5) if picture else None,
        alternative=label,
    )


def make_plot(block: Block, rows: Sequence[RowDict], formatter: Formatter) -> Plot:
    """Return the points, series and vertical ticks of a chart block."""
    axis = block.x or block.columns[0]
    series = [
        Series(
            name=column.heading,
            values=[formatter.height(row[column.column]) for row in rows],
            labels=[formatter.write(row[column.column], column.format) for row in rows],
            is_below=column.below,
        )
        for column in drawn_columns(block)
    ]
    heights = [(-1 if s.is_below else 1) * v for s in series for v in s.values if v is not None]
    ticks = [
        (position, formatter.tick(abs(position), block.columns[0].format))
        for position in nice_ticks(heights)
    ]
    points = [formatter.write(row[axis.column], axis.format) for row in rows]
    return Plot(block.kind, points, series, ticks)


def describe_plot(block: Block, plot: Plot) -> str:
    """Return what a screen reader says: what is drawn, from where to where, the last value."""
    first = plot.series[0]
    kind = {"line": "Line chart", "bar": "Bar chart"}[plot.kind]
    names = " and ".join(series.name.lower() for series in plot.series)
    return (
        f"{kind}: {block.title or names}, {names}, from {plot.points[0]} to {plot.points[-1]}; "
        f"last value {first.labels[-1]}. The table below holds every value."
    )


def drawn_columns(block: Block) -> list[ReportColumn]:
    """Return the measures that share an axis with the first; the others stand in the table only."""
    return [column for column in block.columns if column.format == block.columns[0].format]


def _oldest_first(block: Block, rows: Sequence[RowDict]) -> Sequence[RowDict]:
    # a block asks for the newest days by sorting downwards; time still runs from left to right
    if block.x and block.sort and block.sort[0] == f"-{block.x.column}":
        return rows[::-1]
    return rows


def _key(block: Block) -> tuple[tuple[str, str], ...]:
    columns = drawn_columns(block)
    if len(columns) < 2:  # noqa: PLR2004 - one series needs no legend
        return ()
    if block.kind == "line":
        classes = ["line1", "line2"]
    else:
        classes = ["box3" if c.below else f"box{min(i, 1) + 1}" for i, c in enumerate(columns)]
    return tuple(zip(classes, (c.heading for c in columns), strict=False))
