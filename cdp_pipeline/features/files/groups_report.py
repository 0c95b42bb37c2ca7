"""One self-contained HTML page about the result of ``cdp rfm``.

Only the layout of figures that ``groups`` computed belongs here. No script, no outside file, and no
customer's name or number, so the page may be shown around.
"""

from __future__ import annotations

from html import escape
from typing import Any

from cdp_pipeline.core.page import draw_bar, draw_figures, draw_table, write_page
from cdp_pipeline.core.wording import counted
from cdp_pipeline.features.files.groups import GroupResult, Part

_UNITS = {"recency": "days since", "frequency": "visit days", "monetary": "amount"}
_OUTSIDE = "not in the window"


def render_groups(found: GroupResult) -> str:
    """Return the page."""
    read = found.read
    people = counted(found.customers.num_rows, "customer")
    title = f"{people} in groups by recency, frequency and money"
    sections = [
        f"<h1>{escape(title)}</h1>",
        (
            f'<p class="soft">{escape(read.file)}: {read.used_rows:,} of '
            f"{counted(read.rows, 'row')}, {counted(found.window_days, 'day')} up to "
            f"{read.as_of}, returns netted.</p>"
        ),
        draw_figures(
            [
                ("customers", f"{found.customers.num_rows:,}"),
                ("last day", str(read.as_of)),
                ("days that count", f"{found.window_days:,}"),
                ("scores a dimension", str(found.bins)),
            ]
        ),
        *(f'<p class="note">{escape(note)}</p>' for note in found.notes),
        *(_part(part, found.bins) for part in found.parts),
        _moves(found),
    ]
    return write_page(f"RFM: {read.file}", sections)


def _part(part: Part, bins: int) -> str:
    name = f": {escape(part.name)}" if part.name is not None else ""
    if not part.scores:  # nobody kept a purchase: there is nothing to score by
        return _groups(part, name)
    return _groups(part, name) + _scores(part, name) + _grid(part, name, bins)


def _groups(part: Part, name: str) -> str:
    people = sum(group["customers"] for group in part.segments)
    amount = sum(group["amount"] for group in part.segments)
    rows = [
        (
            escape(group["segment"]),
            f"{group['customers']:,}",
            f"{group['customers'] / people:.1%}",
            draw_bar(group["customers"] / people),
            f"{group['amount'] / amount:.1%}" if amount > 0 else "",
            _number(group["recency_days"]),
            _number(group["frequency_count"], 1),
        )
        for group in part.segments
    ]
    headers = ("group", "customers", "share", "", "of amount", "days since", "visits")
    return f"<h2>Groups{name}</h2>" + draw_table(headers, rows, numbers={1, 2, 4, 5, 6}, bars={3})


def _scores(part: Part, name: str) -> str:
    rows = [
        (
            f"{escape(score['dimension'])} {score['score']}",
            _span(score),
            _UNITS[score["dimension"]],
            f"{score['customer_count']:,}",
        )
        for score in part.scores
    ]
    return f"<h2>What a score means{name}</h2>" + draw_table(
        ("score", "from to", "in", "customers"), rows, numbers={1, 3}
    )


def _grid(part: Part, name: str, bins: int) -> str:
    cells = {(cell["r_score"], cell["f_score"]): cell["customers"] for cell in part.grid}
    rows = [
        (f"recency {r}", *(f"{cells.get((r, f), 0):,}" for f in range(1, bins + 1)))
        for r in range(bins, 0, -1)
    ]
    headers = ("", *(f"frequency {f}" for f in range(1, bins + 1)))
    return f"<h2>Customers by recency and frequency{name}</h2>" + draw_table(
        headers, rows, numbers=set(range(1, bins + 1))
    )


def _moves(found: GroupResult) -> str:
    if found.since is None:
        return ""
    order = [group["segment"] for part in found.parts for group in part.segments]
    known = {move.before for move in found.moves} | {move.now for move in found.moves}
    names = [*(n for n in order if n in known), *sorted(n for n in known if n and n not in order)]
    counted = {(move.before, move.now): move.customers for move in found.moves}
    columns: list[str | None] = [*names, None]
    rows = [
        (
            f"<b>{escape(before or _OUTSIDE)}</b>",
            *(f"{counted[before, now]:,}" if (before, now) in counted else "" for now in columns),
        )
        for before in columns
    ]
    headers = ("", *(now or _OUTSIDE for now in columns))
    return (
        f"<h2>Who moved where since {found.since}</h2>"
        "<p>Group then in rows, group now in columns, both by the thresholds of now.</p>"
        + draw_table(headers, rows, numbers=set(range(1, len(headers))))
    )


def _span(score: dict[str, Any]) -> str:
    low, high = _number(score["smallest"]), _number(score["largest"])
    return low if low == high else f"{low} to {high}"


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
