"""Rows of a mart become cards: comparisons, shades, bars, and what is hidden."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from cdp_pipeline.privacy.small_counts import Withheld
from cdp_pipeline.project.reports import Block
from cdp_pipeline.reporting.blocks import make_card, make_grid, make_tiles, spark_points
from cdp_pipeline.reporting.figures import make_figure, make_plot
from cdp_pipeline.reporting.formats import MISSING, Formatter
from cdp_pipeline.reporting.tables import make_table

BRITISH = Formatter("en_GB", "GBP")
DAY = date(2026, 11, 18)


def block(kind: str, **more: object) -> Block:
    return Block.model_validate({"kind": kind, "from": "marts.any", **more})


def kpi_block(form: str, good: str = "up") -> Block:
    column = {"column": "v", "label": "Figure", "format": form, "good": good}
    return block("kpi", x={"column": "day"}, columns=[column])


def days(**values: float) -> list[dict[str, Any]]:
    """Return rows by ``d<days before>``."""
    return [{"day": DAY - timedelta(days=int(k[1:])), "v": v} for k, v in values.items()]


def test_a_tile_compares_with_the_same_weekday_a_week_and_364_days_before() -> None:
    tiles = make_tiles(kpi_block("money"), days(d0=110, d1=1, d7=100, d364=220, d365=5), BRITISH)
    assert tiles is not None
    (tile,) = tiles
    assert tile.value == "£110.00"
    assert tile.week is not None
    assert tile.year is not None
    assert (tile.week.phrase, tile.week.tone) == ("up 10.0%", "good")
    assert (tile.year.phrase, tile.year.tone) == ("down 50.0%", "bad")


def test_shares_compare_in_points() -> None:
    tiles = make_tiles(kpi_block("share"), days(d0=0.709, d7=0.692), BRITISH)
    assert tiles is not None
    assert tiles[0].week is not None
    assert tiles[0].week.phrase == "up 1.7 pts"
    assert tiles[0].year is None


def test_hidden_people_have_no_comparison_and_a_line_of_one_height() -> None:
    rows = days(d0=90, d1=40, d7=80)
    for row in (rows[0], rows[2]):
        row["v"] = Withheld.FEW
    tiles = make_tiles(kpi_block("people"), rows, BRITISH)
    assert tiles is not None
    assert (tiles[0].value, tiles[0].week, tiles[0].year) == ("<11", None, None)
    heights = [point.partition(",")[2] for point in tiles[0].spark.split()]
    assert heights[0] == heights[2] != heights[1]


def test_a_spark_needs_two_points() -> None:
    assert spark_points([None, 3.0]) == ""
    assert spark_points([2.0, 2.0]).count(",") == 2


def test_a_card_says_what_its_marks_mean_and_only_then() -> None:
    columns = [{"column": "name"}, {"column": "n", "format": "people", "show": "bar"}]
    spec = block("table", columns=columns, note="Of the day.")
    values = (Withheld.FEW, Withheld.HIDDEN, Withheld.RESTING, 40, None)
    rows = [{"name": str(n), "n": n} for n in values]
    card = make_card(spec, rows, BRITISH, uid="c")
    texts = [row.cells[0].text for row in card.body.rows]
    assert texts == ["<11", "hidden", MISSING, "40", MISSING]
    assert card.note == (
        "Of the day. <11 stands for fewer than 11 people. "
        "A hidden figure is of fewer than 11 people, or would tell such a one. "
        "What would tell of fewer than 11 people is left out."
    )
    assert make_card(spec, rows[3:], BRITISH, uid="c").note == "Of the day."


def test_bars_are_measured_against_the_longest() -> None:
    spec = block("table", columns=[{"column": "name"}, {"column": "v", "show": "bar"}])
    table = make_table(spec, [{"name": "a", "v": 2}, {"name": "b", "v": 8}], BRITISH)
    assert [row.cells[0].share for row in table.rows] == [0.25, 1.0]


def test_a_grid_shades_from_least_to_most_and_hatches_who_stayed() -> None:
    spec = block(
        "heatmap",
        x={"column": "x"},
        y={"column": "y"},
        columns=[{"column": "n", "format": "people"}],
        diagonal=True,
    )
    rows = [
        {"x": "a", "y": "a", "n": 99_999},
        {"x": "b", "y": "a", "n": 10},
        {"x": "a", "y": "b", "n": 80},
        {"x": "b", "y": "b", "n": 99_999},
    ]
    grid = make_grid(spec, rows, BRITISH)
    first, second = grid.rows
    assert [shade.is_diagonal for shade in first.shades] == [True, False]
    assert (first.shades[1].level, second.shades[0].level) == (0, 6)
    assert "99" not in "".join(shade.text for row in grid.rows for shade in row.shades)


def test_hidden_bars_do_not_give_the_count_away_by_their_height() -> None:
    spec = block("bar", x={"column": "x"}, columns=[{"column": "n", "format": "people"}])
    plot = make_plot(
        spec,
        [{"x": "a", "n": Withheld.FEW}, {"x": "b", "n": 40}, {"x": "c", "n": Withheld.HIDDEN}],
        BRITISH,
    )
    assert list(plot.series[0].values) == [5.5, 40.0, None]
    assert list(plot.series[0].labels) == ["<11", "40", "hidden"]


def test_newest_first_rows_are_drawn_from_left_to_right() -> None:
    spec = block(
        "line",
        x={"column": "day", "format": "date"},
        columns=[{"column": "v", "format": "count"}],
        sort=["-day"],
    )
    figure = make_figure(spec, days(d0=3, d1=2, d2=1), BRITISH, uid="c")
    assert "from 16 Nov to 18 Nov; last value 3" in figure.alternative
    assert [row.name for row in figure.numbers.rows] == ["18 Nov", "17 Nov", "16 Nov"]


@pytest.mark.parametrize("kind", ["kpi", "table", "line", "bar", "stack", "heatmap", "funnel"])
def test_a_block_without_rows_says_so(kind: str) -> None:
    spec = block(
        kind,
        x={"column": "x"},
        y={"column": "y"},
        columns=[{"column": "n"}],
        empty="Nobody agreed yet.",
    )
    card = make_card(spec, [], BRITISH, uid="c")
    assert card.body is None
    assert card.empty == "Nobody agreed yet."
