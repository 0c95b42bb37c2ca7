"""What is held on a person as one readable page: no script, no request, every text escaped."""

from __future__ import annotations

from html import escape
from typing import Any

from cdp_pipeline.core.page import draw_figures, draw_table, write_page

SHOWN_ROWS = 200
"""Rows of a table on the page; the JSON file beside it holds all."""


def render_access(document: dict[str, Any]) -> str:
    """Return the page of an access document."""
    tables, delivered = document["tables"], document["delivered"]
    rows = sum(len(table["rows"]) for table in tables)
    sections = [
        f"<h1>What {escape(document['store'])} holds on you</h1>",
        (
            f'<p class="soft">As of {escape(document["as_of"])}. The JSON file that comes with '
            "this page holds the same in a form that other systems read.</p>"
        ),
        draw_figures(
            [
                ("identifiers", f"{len(document['identifiers']):,}"),
                ("records", f"{len(document['records']):,}"),
                ("rows in tables", f"{rows:,}"),
                ("recipients", f"{len({r['destination'] for r in document['recipients']}):,}"),
            ]
        ),
        "<h2>By what we know you</h2>",
        _table(document["identifiers"]),
        "<h2>Who was told about you</h2>",
        _table(document["recipients"]) if document["recipients"] else "<p>Nobody.</p>",
        *(_section(t["table"], t["description"], t["rows"], t["columns"]) for t in tables),
        *(_section(f"delivered by {d['source']}", d["title"], d["rows"], {}) for d in delivered),
    ]
    return write_page("What is held on you", sections)


def _section(
    title: str, description: str, rows: list[dict[str, Any]], columns: dict[str, str]
) -> str:
    more = len(rows) - SHOWN_ROWS
    rest = f'<p class="soft">and {more:,} more in the JSON file</p>' if more > 0 else ""
    meanings = "".join(
        f"<dt><b>{escape(name)}</b></dt><dd>{escape(text)}</dd>" for name, text in columns.items()
    )
    legend = f"<details><summary>What the columns mean</summary><dl>{meanings}</dl></details>"
    return (
        f"<h2>{escape(title)}</h2><p>{escape(description)}</p>"
        f"{_table(rows[:SHOWN_ROWS])}{rest}{legend if meanings else ''}"
    )


def _table(rows: list[dict[str, Any]]) -> str:
    names = list(rows[0])
    filled = [name for name in names if any(row[name] is not None for row in rows)]
    cells = [
        [escape("" if row[name] is None else str(row[name])) for name in filled] for row in rows
    ]
    return draw_table(filled, cells, numbers=set())
