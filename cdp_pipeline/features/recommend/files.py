"""Recommendations for the customers of a file: what ``cdp recommend`` computes.

The lists are the night's; putting them together for a file, and the result as plain data, belong
here, reading the file to ``features.files.purchases``, the page to ``page``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from cdp_pipeline.core.settings import EngineSettings
from cdp_pipeline.features.files.purchases import TABLE, ItemColumns, Purchases, read_purchases
from cdp_pipeline.features.recommend import sentences
from cdp_pipeline.features.recommend.contest import Contest, ContestPlan, hold_contests
from cdp_pipeline.features.recommend.lists import make_lists, plan_lists
from cdp_pipeline.features.recommend.log import PurchaseLog, count_purchases
from cdp_pipeline.features.recommend.ranking import ListName, learn
from cdp_pipeline.features.recommend.rules import make_rules
from cdp_pipeline.storage.dates import Order
from cdp_pipeline.storage.warehouse import connect, fetch_dicts

_LISTS = """
with made as (
    select * replace (case when $is_dated::boolean then last_bought_at end as last_bought_at)
    from {lists}
),
because as (select null::varchar as item_id, null::varchar as item_name limit 0)
select
    made.customer_id,
    made.list,
    made.rank_no,
    made.item_id,
    made.score,
    made.reason_kind,
    made.reason_item_id,
    made.reason_count,
    {reason} as reason,
from made
left join because on made.reason_item_id = because.item_id
order by made.customer_id, made.list, made.rank_no
"""
_RULES = "select * from {rules} order by cosine desc, item_id, partner_id limit {most}"
_SHOWN_RULES = 40


@dataclass(frozen=True)
class RecommendOptions:
    """What to compute.

    Attributes:
        length: Items a list.
        support: Fewest baskets that hold both items of a rule.
        minimum_customers: Fewest customers by whom ways to rank are compared.
        maximum_items: Items of a model, the most bought ones.
    """

    length: int = 10
    support: int = 20
    minimum_customers: int = 200
    maximum_items: int = 3_000


@dataclass(frozen=True)
class RecommendResult:
    """What was found.

    Attributes:
        read: What the file held.
        lists: One row per customer, list and rank, with the reason in words.
        rules: Basket rules with the largest cosine.
        popular: Most bought items: what strangers are shown.
        contests: Who ranks each list, and how every way to rank did on held-back baskets.
    """

    read: Purchases
    lists: pa.Table
    rules: list[dict[str, Any]]
    popular: list[dict[str, Any]]
    contests: dict[ListName, Contest]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "read": self.read.as_dict(),
            "rows": self.lists.num_rows,
            "contests": {name: _plain(contest) for name, contest in self.contests.items()},
            "rules": self.rules,
            "popular": self.popular,
        }


def recommend_file(
    path: Path,
    columns: ItemColumns,
    options: RecommendOptions,
    *,
    as_of: date | None = None,
    order: Order | None = None,
) -> RecommendResult:
    """Return what the customers of a file will want.

    Args:
        path: CSV or Parquet file, one row a line of a basket.
        columns: Names of its columns.
        options: Lengths and limits.
        as_of: Last day that counts; default: the last day of the file.
        order: Whether the day or the month comes first in dates that leave it open.

    Raises:
        ConfigError: A column is not there, or no row is left.
        ContractError: The file cannot be read.
        DataQualityError: Too many dates or quantities cannot be read.
    """
    con = connect(EngineSettings())
    try:
        read = read_purchases(con, path, columns, as_of=as_of, order=order)
        plan = ContestPlan(
            minimum_customers=options.minimum_customers, maximum_items=options.maximum_items
        )
        contests = hold_contests(con, TABLE, as_of=read.as_of, plan=plan, name="past")
        log = count_purchases(con, TABLE, as_of=read.as_of, name="now")
        models = learn(con, log, TABLE, maximum_items=options.maximum_items)
        shown = plan_lists(log, length=options.length, returned="file_returned")
        lists = make_lists(log, models, contests, shown)
        listed = _LISTS.format(lists=lists, reason=sentences.REASON)
        return RecommendResult(
            read=read,
            lists=con.sql(listed, params={"is_dated": read.is_dated}).to_arrow_table(),
            rules=_rules(con, options.support),
            popular=_popular(log, options.length),
            contests=contests,
        )
    finally:
        con.close()


def _rules(con: duckdb.DuckDBPyConnection, support: int) -> list[dict[str, Any]]:
    rules = make_rules(con, TABLE, support=support, name="rules")
    return fetch_dicts(con, _RULES.format(rules=rules, most=_SHOWN_RULES))


def _popular(log: PurchaseLog, most: int) -> list[dict[str, Any]]:
    return [
        {"item_id": log.items[item], "customers": int(log.item_customers[item])}
        for item in range(min(most, len(log.items)))
    ]


def _plain(contest: Contest) -> dict[str, Any]:
    return {
        "winner": contest.winner.name,
        "status": "ok" if contest.scores else "not_enough_data",
        "reason": contest.reason,
        "rankers": [
            {
                "ranker": score.ranker.name,
                "title": score.ranker.title,
                "is_naive": score.ranker.is_naive,
                **{name: value for name, value in asdict(score).items() if name != "ranker"},
            }
            for score in contest.scores
        ],
    }
