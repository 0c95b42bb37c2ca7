"""One self-contained HTML page about the result of ``cdp link``.

Only the layout of figures that ``link`` computed belongs here. No script, no outside file; values
of records appear nowhere, so the page may be shown around.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from cdp_pipeline.core.page import draw_bar, draw_figures, draw_table, write_page

if TYPE_CHECKING:
    import pyarrow as pa

    from cdp_pipeline.identity.files.link import LinkResult

_SHOWN_PAIRS = 25
_LARGEST_BAR = 10


def render_report(result: LinkResult) -> str:
    """Return the page."""
    counts = result.counts
    sources = ", ".join(found.loaded.source for found in result.recognitions)
    sections = [
        f"<h1>{counts['records']:,} records are {counts['entities']:,} entities</h1>",
        f'<p class="soft">Linked without labels from {escape(sources)}.</p>',
        _figures(result),
        _columns(result),
        _sizes(result.clusters),
        _weights(result.parameters),
        _blocking(result.blocking),
        _review(result),
        _hubs(result.hubs),
    ]
    return write_page(f"Record linkage: {sources}", sections)


def _figures(result: LinkResult) -> str:
    counts, settings = result.counts, result.settings
    shown = (
        ("records", f"{counts['records']:,}"),
        ("entities", f"{counts['entities']:,}"),
        ("pairs above the review threshold", f"{counts['edges']:,}"),
        ("accepted from", f"{settings.accept:g}"),
        ("reviewed from", f"{settings.review:g}"),
        ("pairs to review", f"{counts['review_pairs']:,}"),
    )
    return draw_figures(shown)


def _columns(result: LinkResult) -> str:
    parts = ["<h2>What the columns were taken for</h2>"]
    for found in result.recognitions:
        loaded = found.loaded
        rows = [
            (
                escape(column.name),
                f'<span class="used">{escape((column.role or "").replace("_", " "))}</span>'
                if column.is_used
                else '<span class="unused">not used</span>',
                escape(column.why),
                f"{column.filled:.0%}",
            )
            for column in found.columns
        ]
        parts.append(
            f"<p><b>{escape(loaded.source)}</b>, {loaded.rows:,} records "
            f'<span class="soft">({escape(loaded.dialect)})</span></p>'
        )
        parts += [f'<p class="note">{escape(note)}</p>' for note in found.notes]
        parts.append(draw_table(("column", "role", "why", "filled"), rows, numbers={3}))
    if result.lists:
        lists = escape(", ".join(result.lists))
        parts.append(
            f'<p class="note">By their pairs, each person stands once in {lists}: two records of '
            "one of them are two people.</p>"
        )
    return "".join(parts)


def _sizes(clusters: pa.Table) -> str:
    counts = pc.value_counts(clusters.column("entity_id")).field("counts")
    sizes = Counter(counts.to_pylist())
    shown: dict[str, int] = {}
    for size, entities in sorted(sizes.items()):
        name = str(size) if size <= _LARGEST_BAR else f"{_LARGEST_BAR + 1} and more"
        shown[name] = shown.get(name, 0) + entities
    most = max(shown.values(), default=1)
    rows = [(name, f"{count:,}", draw_bar(count / most)) for name, count in shown.items()]
    largest = max(sizes, default=0)
    return (
        "<h2>Records an entity</h2>"
        + draw_table(("records", "entities", ""), rows, numbers={1}, bars={2})
        + f'<p class="soft">The largest entity has {largest:,} records.</p>'
    )


def _weights(parameters: pa.Table) -> str:
    rows: list[tuple[str, ...]] = []
    before = None
    for row in parameters.to_pylist():
        if row["comparison"] == "prior":
            continue
        if row["comparison"] != before:
            before = row["comparison"]
            rows.append((f"<b>{escape(before)}</b>", "", "", "", "", ""))
        weight = row["weight"]
        rows.append(
            (
                escape(row["level"]),
                f"{row['m_prob']:.3f}",
                f"{row['household_prob']:.3f}",
                f"{row['u_prob']:.5f}",
                f"{weight:+.1f}",
                draw_bar(min(abs(weight), 20) / 20, is_negative=weight < 0),
            )
        )
    if not rows:
        return "<h2>What agreement is worth</h2><p>No two records were worth comparing.</p>"
    return (
        "<h2>What agreement is worth</h2>"
        "<p>How often each level holds between records of one person, of two members of one "
        "household and of strangers, and its weight in bits: +1 doubles the odds of one person. "
        "Rare values weigh more than the weight shown where a level counts by frequency.</p>"
        + draw_table(
            ("level", "person", "household", "strangers", "weight", ""),
            rows,
            numbers={1, 2, 3, 4},
            bars={5},
        )
    )


def _blocking(blocking: pa.Table) -> str:
    rows = [
        (
            escape(row["rule"]),
            *(f"{row[name]:,}" for name in ("keys", "pairs", "dropped_keys", "dropped_records")),
        )
        for row in blocking.to_pylist()
    ]
    return (
        "<h2>Which pairs were compared</h2>"
        "<p>A pair is counted at the first rule that proposes it. Keys that too many records hold "
        "are dropped; a rule that would propose too many pairs is dropped as a whole.</p>"
        + draw_table(
            ("rule", "keys", "pairs", "dropped keys", "their records"), rows, numbers={1, 2, 3, 4}
        )
    )


def _review(result: LinkResult) -> str:
    pairs = result.review.to_pylist()
    if not pairs:
        return "<h2>Pairs to review</h2><p>None: no pair lies between the two thresholds.</p>"
    rows = [
        (
            escape(f"{pair['source_a']}: {pair['record_key_a']}"),
            escape(f"{pair['source_b']}: {pair['record_key_b']}"),
            f"{pair['match_prob']:.3f}",
            escape(pair["rule"]),
        )
        for pair in pairs[:_SHOWN_PAIRS]
    ]
    shown = f"The {len(rows)} likeliest of {len(pairs):,}." if len(pairs) > len(rows) else ""
    return (
        "<h2>Pairs to review</h2>"
        f"<p>Too likely to dismiss, too unlikely to accept. {shown}</p>"
        + draw_table(("record", "record", "probability", "found by"), rows, numbers={2})
    )


def _hubs(hubs: pa.Table) -> str:
    if not hubs.num_rows:
        return "<h2>Shared values neutralised</h2><p>None.</p>"
    seen: dict[tuple[str, str], list[int]] = {}
    for row in hubs.to_pylist():
        seen.setdefault((row["field"], row["reason"]), []).append(row["records"])
    rows = [
        (escape(field), escape(reason), f"{len(found):,}", f"{sum(found):,}")
        for (field, reason), found in sorted(seen.items())
    ]
    return (
        "<h2>Shared values neutralised</h2>"
        "<p>Values that many strangers hold, such as a courtesy card; they are no evidence.</p>"
        + draw_table(("field", "reason", "values", "records"), rows, numbers={2, 3})
    )
