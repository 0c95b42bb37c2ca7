"""One self-contained HTML page about the result of ``cdp recommend``.

Only the layout of figures that ``files`` computed belongs here. No script, no outside file, and no
customer's name or number, so the page may be shown around.
"""

from __future__ import annotations

from html import escape

from cdp_pipeline.core.page import draw_bar, draw_figures, draw_table, write_page
from cdp_pipeline.core.wording import counted
from cdp_pipeline.features.recommend.contest import LENGTH, Contest
from cdp_pipeline.features.recommend.files import RecommendResult
from cdp_pipeline.features.recommend.ranking import ListName

_TITLES: dict[ListName, str] = {
    "buy_again": "Buy again: what was bought before",
    "discover": "Discover: what was never bought",
}
_SHOWN_RULES = 20


def render_recommendations(found: RecommendResult) -> str:
    """Return the page."""
    read = found.read
    sections = [
        f"<h1>What {counted(read.customers, 'customer')} will want next</h1>",
        (
            f'<p class="soft">{escape(read.file)}: {read.used_rows:,} of '
            f"{counted(read.rows, 'row')}{read.until and f', {read.until}'}.</p>"
        ),
        draw_figures(
            [
                ("customers", f"{read.customers:,}"),
                ("items", f"{read.items:,}"),
                ("baskets", f"{read.baskets:,}"),
                ("recommendations", f"{found.lists.num_rows:,}"),
            ]
        ),
        *(f'<p class="note">{escape(note)}</p>' for note in read.notes),
        *(_contest(_TITLES[name], contest) for name, contest in found.contests.items()),
        _rules(found),
        _popular(found),
    ]
    return write_page(f"Recommendations: {read.file}", sections)


def _contest(title: str, contest: Contest) -> str:
    head = f"<h2>{escape(title)}</h2>"
    if not contest.scores:
        return (
            f"{head}<p>Not enough data for a test: {escape(contest.reason)}. Ranked by: "
            f"{escape(contest.winner.title)}.</p>"
        )
    best = max(score.mean_precision for score in contest.scores)
    rows = [
        (
            f"<b>{escape(score.ranker.title)}</b>" if score.serves else escape(score.ranker.title),
            "serves" if score.serves else "rule of thumb" if score.ranker.is_naive else "",
            f"{score.hit_share:.1%}",
            f"{score.recall:.1%}",
            f"{score.mean_precision:.4f}",
            draw_bar(score.mean_precision / best if best else 0),
            f"{score.gain:+.4f} ± {score.gain_error:.4f}",
        )
        for score in sorted(contest.scores, key=lambda s: (-s.mean_precision, s.ranker.name))
    ]
    headers = ("ranked by", "", "hit", "recall", "MAP", "", "over the best rule")
    return (
        f"{head}<p>The last basket of {contest.scores[0].customers:,} customers was held back; "
        f"each way to rank named {LENGTH} items from what came before. "
        f"{escape(contest.reason)}.</p>" + draw_table(headers, rows, numbers={2, 3, 4, 6}, bars={5})
    )


def _rules(found: RecommendResult) -> str:
    if not found.rules:
        return "<h2>What lies in one basket</h2><p>No two items lie in one basket often enough.</p>"
    rows = [
        (
            escape(rule["item_id"]),
            escape(rule["partner_id"]),
            f"{rule['basket_count']:,}",
            f"{rule['confidence']:.1%}",
            f"{rule['lift']:.1f}",
        )
        for rule in found.rules[:_SHOWN_RULES]
    ]
    headers = ("item", "goes with", "baskets with both", "of the item's", "times chance")
    return "<h2>What lies in one basket</h2>" + draw_table(headers, rows, numbers={2, 3, 4})


def _popular(found: RecommendResult) -> str:
    most = max((item["customers"] for item in found.popular), default=1)
    rows = [
        (escape(item["item_id"]), f"{item['customers']:,}", draw_bar(item["customers"] / most))
        for item in found.popular
    ]
    return "<h2>For strangers: what most customers buy</h2>" + draw_table(
        ("item", "customers", ""), rows, numbers={1}, bars={2}
    )
