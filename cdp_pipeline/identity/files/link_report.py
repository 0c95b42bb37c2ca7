"""One self-contained HTML page about the result of ``cdp link``.

Only the layout of figures that ``link`` computed belongs here. No script, no outside file; values
of records appear nowhere, so the page may be shown around.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from cdp_pipeline.identity.files.link import LinkResult

_SHOWN_PAIRS = 25
_LARGEST_BAR = 10

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
.wide{overflow-x:auto;margin:0 0 8px}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:6px 12px 6px 0;border-bottom:1px solid var(--line);
vertical-align:top}
th{font-weight:600;color:var(--soft);white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr.group td{font-weight:600;padding-top:16px}
.used{color:var(--good);font-weight:600}.unused{color:var(--soft)}
.bar{display:block;height:10px;background:var(--bar);border-radius:2px;min-width:2px}
.minus{background:var(--bad)}
td.b{width:34%}
.note{border-left:3px solid var(--bar);padding:4px 12px;background:var(--tint)}
@media (max-width:560px){main{padding:16px 14px 48px}td,th{padding-right:8px}td.b{width:22%}
table{font-size:.85rem}}
"""


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
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Record linkage: {escape(sources)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


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
    boxes = "".join(f"<div><b>{value}</b>{escape(name)}</div>" for name, value in shown)
    return f'<div class="figures">{boxes}</div>'


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
        parts.append(_table(("column", "role", "why", "filled"), rows, numbers={3}))
    return "".join(parts)


def _sizes(clusters: pa.Table) -> str:
    sizes = Counter(Counter(clusters.column("entity_id").to_pylist()).values())
    shown: dict[str, int] = {}
    for size, entities in sorted(sizes.items()):
        name = str(size) if size <= _LARGEST_BAR else f"{_LARGEST_BAR + 1} and more"
        shown[name] = shown.get(name, 0) + entities
    most = max(shown.values(), default=1)
    rows = [(name, f"{count:,}", _bar(count / most)) for name, count in shown.items()]
    largest = max(sizes, default=0)
    return (
        "<h2>Records an entity</h2>"
        + _table(("records", "entities", ""), rows, numbers={1}, bars={2})
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
                _bar(min(abs(weight), 20) / 20, is_negative=weight < 0),
            )
        )
    if not rows:
        return "<h2>What agreement is worth</h2><p>No two records were worth comparing.</p>"
    return (
        "<h2>What agreement is worth</h2>"
        "<p>How often each level holds between records of one person, of two members of one "
        "household and of strangers, and its weight in bits: +1 doubles the odds of one person. "
        "Rare values weigh more than the weight shown where a level counts by frequency.</p>"
        + _table(
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
        + _table(
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
        + _table(("record", "record", "probability", "found by"), rows, numbers={2})
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
        + _table(("field", "reason", "values", "records"), rows, numbers={2, 3})
    )


def _bar(share: float, *, is_negative: bool = False) -> str:
    minus = " minus" if is_negative else ""
    return f'<span class="bar{minus}" style="width:{max(share, 0):.1%}"></span>'


def _table(
    headers: tuple[str, ...],
    rows: list[tuple[Any, ...]],
    *,
    numbers: set[int],
    bars: set[int] | None = None,
) -> str:
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
