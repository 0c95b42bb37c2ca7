"""Drawings: something is drawn, colours follow the page, nothing can be smuggled in."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.reporting.charts import TOKENS, Plot, Series, draw, nice_ticks, to_png, to_svg


def make_plot(kind: str, *, label: str = "18 Nov", is_below: bool = False) -> Plot:
    first = Series("New", [3.0, None, 5.0, 9.0], [label] * 4)
    second = Series("Lapsed", [2.0, 4.0, 1.0, 3.0], [label] * 4, is_below=is_below)
    points = [label, "b", "c", "d"]
    return Plot(kind, points, [first, second], [(t, str(t)) for t in nice_ticks([-4.0, 9.0])])


@given(st.lists(st.integers(min_value=-(10**14), max_value=10**14), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_ticks_are_few_and_span_all_values(hundredths: list[int]) -> None:
    values = [number / 100 for number in hundredths]
    ticks = nice_ticks(values)
    assert 2 <= len(ticks) <= 8
    slack = (max(ticks) - min(ticks)) * 1e-6
    assert min(ticks) <= min([*values, 0]) + slack
    assert max(ticks) >= max([*values, 0]) - slack


@pytest.mark.parametrize("kind", ["line", "bar"])
@pytest.mark.parametrize("width", [290, 600])
def test_every_chart_draws_marks_of_some_size(kind: str, width: int) -> None:
    drawing = to_svg(
        draw(make_plot(kind, is_below=kind == "bar"), width=width, height=180),
        uid="c1",
        label="A chart",
    )
    marks = re.findall(r'd="M[^"]+"[^>]*(?:fill|stroke)="var\(--accent\)"', drawing)
    assert marks
    boxes = re.findall(r'd="M([-\d.]+),([-\d.]+)[hL]([-\d.]+)', drawing)
    assert any(float(width_of) != 0 for _, _, width_of in boxes)
    assert 'role="img" aria-label="A chart"' in drawing


def test_colours_become_variables_and_ids_are_prefixed() -> None:
    drawing = str(to_svg(draw(make_plot("line"), width=300, height=100), uid="c7", label="x"))
    assert not [colour for colour in TOKENS if colour in drawing.lower()]
    assert all(name.startswith("c7-") for name in re.findall(r'\bid="([^"]+)"', drawing))


def test_hostile_labels_stay_text() -> None:
    evil = '</text><script>alert(1)</script>"'
    drawing = str(
        to_svg(draw(make_plot("line", label=evil), width=300, height=100), uid="c", label=evil)
    )
    assert "<script" not in drawing


def test_drawings_repeat_byte_for_byte() -> None:
    spec = draw(make_plot("line"), width=300, height=100)
    assert to_svg(spec, uid="a", label="x") == to_svg(spec, uid="a", label="x")
    assert to_png(spec) == to_png(spec)
    assert to_png(spec).startswith(b"\x89PNG")
