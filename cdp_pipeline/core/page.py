"""One self-contained HTML page: style, tables, figures, bars and lines; no script, no request.

Only how things are drawn belongs here; what is drawn belongs to the command whose page it is. Texts
are escaped by whoever makes them, but for titles and names, which are escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

_STYLE = """
:root{color-scheme:light dark;--ink:#1b2430;--soft:#5b6776;--line:#dfe4ea;--bar:#2b6cb0;
--paper:#fff;--tint:#f4f6f9;--bad:#b4443c;--good:#2f7d4f}
@media (prefers-color-scheme:dark){:root{--ink:#e8ecf1;--soft:#a3afbd;--line:#333d49;
--bar:#6aa5e0;--paper:#12171d;--tint:#1b222b;--bad:#e58b83;--good:#7cc79a}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 20px 64px}
h1{font-size:1.7rem;margin:0 0 4px}h2{font-size:1.15rem;margin:40px 0 8px}
p{margin:0 0 12px;max-width:70ch}.soft{color:var(--soft)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;
margin:20px 0}
.figures div{background:var(--tint);border-radius:8px;padding:12px 14px}
.figures b{display:block;font-size:1.5rem;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto;margin:0 0 8px;background:
linear-gradient(90deg,var(--paper) 30%,transparent) 0 0/24px 100% no-repeat local,
linear-gradient(270deg,var(--paper) 30%,transparent) 100% 0/24px 100% no-repeat local,
linear-gradient(90deg,var(--line),transparent) 0 0/10px 100% no-repeat scroll,
linear-gradient(270deg,var(--line),transparent) 100% 0/10px 100% no-repeat scroll}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:6px 12px 6px 0;border-bottom:1px solid var(--line);
vertical-align:top}
th{font-weight:600;color:var(--soft);white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr.group td{font-weight:600;padding-top:16px}
.used{color:var(--good);font-weight:600}.unused{color:var(--soft)}
.bar{display:block;height:10px;background:var(--bar);border-radius:2px;min-width:2px}
.minus{background:var(--bad)}
td.b{width:34%;min-width:48px}
.note{border-left:3px solid var(--bar);padding:4px 12px;background:var(--tint)}
@media (max-width:560px){main{padding:16px 14px 48px}td,th{padding-right:8px}
td.b{width:12%;min-width:24px}table{font-size:.82rem}th,th.n{white-space:normal}}
"""


def write_page(title: str, sections: Iterable[str]) -> str:
    """Return a whole page.

    Args:
        title: Title of the browser's tab.
        sections: HTML of the parts, in order.
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def draw_figures(shown: Iterable[tuple[str, str]]) -> str:
    """Return boxes, each with a name below its value."""
    boxes = "".join(f"<div><b>{value}</b>{escape(name)}</div>" for name, value in shown)
    return f'<div class="figures">{boxes}</div>'


def draw_bar(share: float, *, is_negative: bool = False) -> str:
    """Return a bar as long as a share of its cell."""
    minus = " minus" if is_negative else ""
    return f'<span class="bar{minus}" style="width:{max(share, 0):.1%}"></span>'


def draw_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    numbers: set[int],
    bars: set[int] | None = None,
) -> str:
    """Return a table that scrolls by itself where the page is narrow.

    Args:
        headers: Names of the columns.
        rows: Cells as HTML.
        numbers: Places of the columns that hold numbers.
        bars: Places of the columns that hold bars.
    """

    def kind(place: int) -> str:
        if place in numbers:
            return ' class="n"'
        return ' class="b"' if place in (bars or set()) else ""

    head = "".join(f"<th{kind(p)}>{escape(name)}</th>" for p, name in enumerate(headers))
    body = "".join(
        "<tr>" + "".join(f"<td{kind(p)}>{cell}</td>" for p, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'
