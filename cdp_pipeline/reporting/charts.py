"""Charts with axes: plain data to Vega-Lite to SVG for pages, PNG for mail.

All text on an axis is made by ``formats`` (babel) and handed in; Vega only places it. Drawn colours
are fixed and replaced by CSS variables afterwards, so that one drawing follows light and dark
pages. Bars, grids and sparklines without axes are HTML and live in the templates.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert
from markupsafe import Markup, escape

Spec = dict[str, Any]

VEGA_LITE = "6.4"
_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_INK, _MUTED, _RULE, _CARD = "#1c1b19", "#5e5a53", "#e6e1d8", "#ffffff"
_SOFT = "#cfe3db"
_ACCENT, _COMPARE, _DOWN = "#0b5d4e", "#857e73", "#a8321f"
TOKENS = {
    _INK: "--ink",
    _MUTED: "--muted",
    _RULE: "--rule",
    _CARD: "--card",
    _SOFT: "--soft",
    _ACCENT: "--accent",
    _COMPARE: "--compare",
    _DOWN: "--down",
}
"""Colours as drawn, and the CSS variable that takes their place on a page."""

_FONT = "Segoe UI, Helvetica Neue, Arial, sans-serif"
_AXIS = {
    "labelColor": _MUTED,
    "labelFontSize": 12,
    "gridColor": _RULE,
    "domainColor": _RULE,
    "tickColor": _RULE,
    "tickSize": 4,
    "labelPadding": 6,
}
_THEME: Spec = {
    "background": None,
    "font": _FONT,
    "padding": {"left": 2, "right": 8, "top": 8, "bottom": 2},
    "view": {"stroke": None},
    "axis": _AXIS,
    "axisX": {"grid": False},
    "axisY": {"domain": False, "ticks": False},
    "text": {"font": _FONT, "fontSize": 12, "color": _INK},
}
_LABELLED_BARS = 12
_TICKS = 4
_PHONE_WIDTH = 340


@dataclass(frozen=True)
class Series:
    """One measure over the points of a chart.

    Attributes:
        name: What the legend calls it.
        values: One number a point, None where there is none.
        labels: The same values as text.
        is_below: Whether bars grow downwards from zero.
    """

    name: str
    values: Sequence[float | None]
    labels: Sequence[str]
    is_below: bool = False


@dataclass(frozen=True)
class Plot:
    """What a chart shows, apart from its size.

    Attributes:
        kind: ``line`` or ``bar``.
        points: Labels along the horizontal, in order.
        series: The first is the subject; of a line chart, the second is what it is compared with.
        ticks: Positions on the vertical axis and their text.
    """

    kind: str
    points: Sequence[str]
    series: Sequence[Series]
    ticks: Sequence[tuple[float, str]]


def nice_ticks(values: Sequence[float | None]) -> list[float]:
    """Return round axis positions that span zero and all values.

    >>> nice_ticks([3, 97])
    [0.0, 25.0, 50.0, 75.0, 100.0]
    """
    known = [value for value in values if value is not None] or [1.0]
    low, high = min(0.0, *known), max(0.0, *known)
    rough = (high - low or 1.0) / _TICKS
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(f * magnitude for f in (1, 2, 2.5, 5, 10) if f * magnitude >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return [round(number * step, 10) for number in range(first, last + 1)]


def draw(plot: Plot, *, width: int, height: int) -> Spec:
    """Return the Vega-Lite specification of a chart at one size, in pixels of its data area."""
    layers = _line_layers(plot, width) if plot.kind == "line" else _bar_layers(plot, width)
    return {"$schema": _SCHEMA, "width": width, "height": height, "layer": layers}


def to_svg(spec: Spec, *, uid: str, label: str) -> Markup:
    """Return a chart as inline SVG that follows the page's colours.

    Args:
        spec: From ``draw``.
        uid: Prefix of ids, unique on the page: several drawings share Vega's own ids.
        label: What a screen reader says instead of the drawing.
    """
    drawing = vl_convert.vegalite_to_svg(
        spec, vl_version=VEGA_LITE, config=_THEME, allowed_base_urls=[]
    )
    for colour, variable in TOKENS.items():
        drawing = re.sub(re.escape(colour), f"var({variable})", drawing, flags=re.IGNORECASE)
    drawing = re.sub(r'\bid="([^"]+)"', rf'id="{uid}-\1"', drawing)
    drawing = drawing.replace("url(#", f"url(#{uid}-")
    drawing = re.sub(r'<path class="background"[^>]*/>', "", drawing)
    drawing = re.sub(
        r' (?:class|pointer-events|aria-[a-z]+|role|font-family|stroke-miterlimit)="[^"]*"',
        "",
        drawing,
    )
    drawing = re.sub(r"-?\d+\.\d{2,}", lambda match: f"{float(match[0]):.1f}", drawing)
    drawing = drawing.replace('<path d="" display="none"/>', "")
    drawing = re.sub(r"<g>\s*</g>", "", drawing)
    return Markup(_with_new_root(drawing, label))  # noqa: S704 - Vega escapes text, label is escaped


def to_png(spec: Spec, *, scale: float = 2.0) -> bytes:
    """Return a chart as PNG on a solid light ground: transparent ones vanish in dark mail."""
    image: bytes = vl_convert.vegalite_to_png(
        spec,
        vl_version=VEGA_LITE,
        config={**_THEME, "background": _CARD, "padding": 12},
        scale=scale,
        allowed_base_urls=[],
    )
    return image


def _with_new_root(drawing: str, label: str) -> str:
    size = re.search(r'width="([\d.]+)" height="([\d.]+)"', drawing)
    width, height = (float(part) for part in size.groups()) if size else (1.0, 1.0)
    # Vega measured labels in its own font; in a wider one of the reader's they outgrow the drawing.
    root = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'style="max-width:{width:g}px;overflow:visible" role="img" aria-label="{escape(label)}">'
    )
    return re.sub(r"<svg [^>]*>", lambda _: root, drawing, count=1)


def _rows(series: Series) -> list[Spec]:
    sign = -1 if series.is_below else 1
    return [
        {"i": i, "v": sign * value, "t": text, "s": series.name}
        for i, (value, text) in enumerate(zip(series.values, series.labels, strict=True))
        if value is not None
    ]


def _y(plot: Plot) -> Spec:
    positions = [position for position, _ in plot.ticks]
    axis = {
        "title": None,
        "values": positions,
        "labelExpr": _lookup({_key(position): text for position, text in plot.ticks}),
    }
    scale = {"domain": [min(positions), max(positions)], "nice": False}
    return {"field": "v", "type": "quantitative", "axis": axis, "scale": scale}


def _x(plot: Plot, *, kind: str, width: int) -> Spec:
    longest = max((len(point) for point in plot.points), default=1)
    room = max(2, width // (7 * longest + 24))
    step = max(1, math.ceil(len(plot.points) / room))
    last = len(plot.points) - 1
    # the last day matters most on a line; bars are read from the first
    shown = list(range(last % step if plot.kind == "line" else 0, last + 1, step))
    axis: Spec = {
        "title": None,
        "values": shown,
        "labelExpr": _lookup({str(i): plot.points[i] for i in shown}),
        "labelAngle": 0,
        "labelFlush": True,
        "ticks": kind == "quantitative",
    }
    scale = {"domain": [0, max(last, 1)], "nice": False} if kind == "quantitative" else None
    return {"field": "i", "type": kind, "axis": axis, **({"scale": scale} if scale else {})}


def _line_layers(plot: Plot, width: int) -> list[Spec]:
    x, y = _x(plot, kind="quantitative", width=width), _y(plot)
    at = {"x": x, "y": y}
    rows = _rows(plot.series[0])
    area = {"type": "area", "color": _SOFT, "opacity": 0.55}
    layers: list[Spec] = [{"data": {"values": rows}, "mark": area, "encoding": at}]
    for series in plot.series[1:2]:
        mark = {"type": "line", "color": _COMPARE, "strokeDash": [2, 5], "strokeWidth": 2}
        layers.append({"data": {"values": _rows(series)}, "mark": mark, "encoding": at})
    line = {"type": "line", "color": _ACCENT, "strokeWidth": 2.5, "strokeJoin": "round"}
    layers.append({"data": {"values": rows}, "mark": line, "encoding": at})
    point = {"type": "point", "filled": True, "size": 70, "color": _ACCENT, "opacity": 1}
    layers.append({"data": {"values": rows[-1:]}, "mark": point, "encoding": at})
    text = {"type": "text", "align": "right", "dx": 6, "dy": -14, "fontWeight": 600}
    halo = {**text, "stroke": _CARD, "strokeWidth": 5, "strokeJoin": "round"}
    encoding = {**at, "text": {"field": "t", "type": "nominal"}}
    last = {"values": rows[-1:]}
    layers += [{"data": last, "mark": mark, "encoding": encoding} for mark in (halo, text)]
    return layers


def _bar_layers(plot: Plot, width: int) -> list[Spec]:
    at = {"x": _x(plot, kind="ordinal", width=width), "y": _y(plot)}
    layers: list[Spec] = []
    for number, series in enumerate(plot.series):
        rows = {"values": _rows(series)}
        colour = _DOWN if series.is_below else (_ACCENT, _COMPARE)[min(number, 1)]
        bar = {"type": "bar", "color": colour, "width": {"band": 0.68}}
        layers.append({"data": rows, "mark": bar, "encoding": at})
        fits = len(plot.points) <= _LABELLED_BARS and width > _PHONE_WIDTH
        if len(plot.series) == 1 and fits:
            text = {"type": "text", "dy": -8, "fontWeight": 600}
            encoding = {**at, "text": {"field": "t", "type": "nominal"}}
            layers.append({"data": rows, "mark": text, "encoding": encoding})
    return layers


def _key(position: float) -> str:
    """Return a number as JavaScript writes it."""
    return str(int(position)) if position == int(position) else repr(position)


def _lookup(texts: dict[str, str]) -> str:
    """Return a Vega expression that turns a tick's value into its text."""
    return f"({json.dumps(texts, ensure_ascii=True)})[toString(datum.value)] || ''"
