"""The step that recommends: lists for everybody, basket rules and the contest behind them.

================================  ==============================================================
features.recommendations          one row per person, level, list and rank
features.basket_rules             one row per level, item and partner
features.recommendation_backtest  one row per level, list and way to rank
================================  ==============================================================

Reading the warehouse and writing these tables belong here; how lists are made does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.recommend_settings import RecommendSettings
from cdp_pipeline.features.carrying import can_carry, carry_rows, carry_table
from cdp_pipeline.features.clv_tables import CONTEST, add_contest
from cdp_pipeline.features.profiling import list_refusals
from cdp_pipeline.features.recommend import sentences
from cdp_pipeline.features.recommend.contest import Contest, ContestPlan, hold_contests
from cdp_pipeline.features.recommend.lists import make_lists, plan_lists
from cdp_pipeline.features.recommend.log import count_purchases
from cdp_pipeline.features.recommend.purchases import LEVELS, PEOPLE, read_level, read_purchases
from cdp_pipeline.features.recommend.ranking import ListName, learn
from cdp_pipeline.features.recommend.rules import make_rules
from cdp_pipeline.features.recommend.versions import (
    PREDICTION,
    as_verdict,
    judge,
    make_version,
    prediction_of,
    recall_contests,
)
from cdp_pipeline.features.registry import TABLE as REGISTRY
from cdp_pipeline.features.registry import (
    Version,
    admit,
    find_serving,
    is_due,
    read_tonight,
    write_files,
    write_registry,
)
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import declare_table, fetch_value, open_build

TABLES = ("recommendations", "basket_rules", "recommendation_backtest")
BACKTEST = "features.recommendation_backtest"
TESTED = (BACKTEST, CONTEST)

_CREATE = """
create or replace table features.recommendations (
    customer_id varchar, item_kind varchar, list varchar, rank_no integer, item_id varchar,
    item_name varchar, score double, reason_kind varchar, reason_item_id varchar,
    reason_count bigint, reason varchar, is_personal boolean
);
create or replace table features.basket_rules (
    item_kind varchar, item_id varchar, rank_no integer, partner_id varchar, basket_count bigint,
    confidence double, shrunk_confidence double, cosine double, lift double
);
create or replace table features.recommendation_backtest (
    item_kind varchar, list varchar, ranker varchar, title varchar, is_naive boolean,
    is_serving boolean, status varchar, customer_count bigint, hit_share double,
    recall_share double, mean_precision double, gain double, gain_error double, reason varchar
)
"""
_INSERT_BACKTEST = """
insert into features.recommendation_backtest values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# Everybody without a list to discover of her own gets what sells in her store.
_LISTS = """
insert into features.recommendations
with names as (
    select sku as item_id, product_name as item_name from core.dim_product
    where $level = 'product'
),
personal as (
    select
        people.customer_id,
        people.number,
        made.list,
        made.rank_no,
        made.item_id,
        coalesce(names.item_name, made.item_id) as item_name,
        made.score,
        made.reason_kind,
        made.reason_item_id,
        made.reason_count,
        {reason} as reason,
        true as is_personal,
    from {lists} as made
    inner join {people} as people on made.customer_id = people.number
    left join names on made.item_id = names.item_id
    left join names as because on made.reason_item_id = because.item_id
    anti join {refused} as refused on people.customer_id = refused.customer_id
),
strangers as (
    select
        numbered.customer_id,
        numbered.number,
        coalesce(habits.favourite_store_id, people.home_store_id) as store_id,
    from core.dim_customer as people
    inner join {people} as numbered on people.customer_id = numbered.customer_id
    left join features.shopping_habits as habits on people.customer_id = habits.customer_id
    anti join (select number from personal where list = 'discover') as listed
        on numbered.number = listed.number
),
placed as (
    select
        strangers.customer_id,
        strangers.number,
        coalesce(stores.store_id, 'all') as store_id,
        stores.store_name,
    from strangers
    left join core.dim_store as stores
        on strangers.store_id = stores.store_id
        and stores.store_id in (select store_id from features.popular_items)
),
popular as (
    select
        placed.customer_id,
        placed.number,
        'discover' as list,
        popular.rank_no,
        popular.item_id,
        popular.item_name,
        null::double as score,
        'popular' as reason_kind,
        null::varchar as reason_item_id,
        popular.receipt_count as reason_count,
        {sells} as reason,
        false as is_personal,
    from placed
    inner join features.popular_items as popular
        on placed.store_id = popular.store_id and popular.item_kind = $level
    where popular.rank_no <= $length
),
final as (
    select * from personal
    union all
    select * from popular
)
select
    customer_id, $level, list, rank_no, item_id, item_name, score, reason_kind, reason_item_id,
    reason_count, reason, is_personal,
from final
order by number, list, rank_no
"""


@dataclass(frozen=True)
class Level:
    """Articles or categories, with the contests of their lists."""

    name: str
    contests: dict[ListName, Contest]


def run(context: RunContext) -> StepResult:
    """Compare the ways to rank or recall who won; make the lists and the basket rules.

    Raises:
        PrivacyError: The consent ledger is missing.
        WarehouseError: A table differs from its header.
    """
    settings, as_of = context.settings.recommend, context.business_date
    project = load_project(context.project_root)
    with open_build(context) as con:
        con.execute(_CREATE)
        refused = list_refusals(con, as_of, project.consent)
        versions = read_tonight(con)
        known = _recall(con, versions, settings, as_of)
        read_purchases(con, settings, as_of=as_of)
        levels = [
            recommend_level(
                con, name, settings, as_of=as_of, refused=refused, known=known.get(name)
            )
            for name in LEVELS
        ]
        versions = _keep(con, levels, versions, settings, as_of=as_of, is_known=bool(known))
        write_registry(con, versions)
        for table in (*(f"features.{name}" for name in TABLES), REGISTRY, CONTEST):
            declare_table(con, project.table(table))
        rows = int(fetch_value(con, "select count(*) from features.recommendations"))
        people = int(
            fetch_value(con, "select count(distinct customer_id) from features.recommendations")
        )
    paths = DataPaths.of(context)
    write_files(paths.ensure(paths.tree / "models"), versions)
    return StepResult(
        rows_in=people,
        rows_out=rows,
        messages=tuple(
            f"{level.name}, {name.replace('_', ' ')}: {contest.winner.name}; {contest.reason}."
            for level in levels
            for name, contest in level.contests.items()
        ),
        facts={
            f"{level.name}_{name}": contest.winner.name
            for level in levels
            for name, contest in level.contests.items()
        },
    )


def _recall(
    con: duckdb.DuckDBPyConnection,
    versions: Sequence[Version],
    settings: RecommendSettings,
    as_of: date,
) -> dict[str, dict[ListName, Contest]]:
    """Return who won by level, if that was found less than a week ago; else nothing."""
    serving = find_serving(versions, PREDICTION)
    if serving is None or is_due(serving, as_of, settings.refit_days):
        return {}
    found = {level: recall_contests(serving, level) for level in LEVELS}
    known = {level: contests for level, contests in found.items() if contests}
    return known if len(known) == len(LEVELS) and can_carry(con, TESTED) else {}


def _keep(
    con: duckdb.DuckDBPyConnection,
    levels: Sequence[Level],
    versions: tuple[Version, ...],
    settings: RecommendSettings,
    *,
    as_of: date,
    is_known: bool,
) -> tuple[Version, ...]:
    """Write how the ways to rank compare; return the registry with what was found tonight."""
    contests = {level.name: level.contests for level in levels}
    names = [prediction_of(level, name) for level, found in contests.items() for name in found]
    if is_known:
        carry_table(con, BACKTEST)
        carry_rows(con, CONTEST, "prediction", names)
        return versions
    for level, found in contests.items():
        for name, contest in found.items():
            con.executemany(_INSERT_BACKTEST, contest_rows(level, contest))
            add_contest(con, prediction_of(level, name), as_verdict(contest))
    if not any(contest.scores for found in contests.values() for contest in found.values()):
        return versions
    version = make_version(contests, settings.window_days, as_of=as_of)
    return admit(versions, version, judge(contests))


def recommend_level(
    con: duckdb.DuckDBPyConnection,
    level: str,
    settings: RecommendSettings,
    *,
    as_of: date,
    refused: str,
    known: dict[ListName, Contest] | None = None,
) -> Level:
    """Add the lists and rules of one level.

    Args:
        con: Connection to the build, with core and the basic features finished.
        level: ``product`` or ``category``.
        settings: Lengths, windows and limits.
        as_of: Business date.
        refused: Table of who may not be profiled.
        known: Who ranks each list; None to hold the contests.
    """
    bought = read_level(con, level, settings, as_of=as_of)
    name = f"recommend_{level}"
    if known is None:
        plan = ContestPlan(
            minimum_customers=settings.minimum_customers, maximum_items=settings.maximum_items
        )
        known = hold_contests(con, bought, as_of=as_of, plan=plan, name=f"{name}_past")
    log = count_purchases(con, bought, as_of=as_of, name=name)
    winners = [contest.winner for contest in known.values()]
    models = learn(con, log, bought, maximum_items=settings.maximum_items, rankers=winners)
    shown = plan_lists(
        log,
        length=settings.list_length,
        offered=f"{name}_offered",
        returned=f"{name}_returned",
    )
    lists = make_lists(log, models, known, shown)
    words = {"people": PEOPLE, "reason": sentences.REASON, "sells": sentences.SELLS}
    con.execute(
        _LISTS.format(refused=refused, lists=lists, **words),
        {"level": level, "length": settings.list_length},
    )
    rules = make_rules(con, bought, support=settings.rule_support, name=f"{name}_rule")
    con.execute(
        f"insert into features.basket_rules select $level, * from {rules} "  # noqa: S608 - own name
        "order by item_id, rank_no",
        {"level": level},
    )
    return Level(level, known)


def contest_rows(level: str, contest: Contest) -> list[tuple[object, ...]]:
    """Return the rows of ``features.recommendation_backtest`` that a contest makes."""
    if not contest.scores:
        winner = contest.winner
        lead = (level, contest.list_name, winner.name, winner.title, winner.is_naive, True)
        return [(*lead, "not_enough_data", *[None] * 6, contest.reason)]
    return [
        (
            level,
            contest.list_name,
            score.ranker.name,
            score.ranker.title,
            score.ranker.is_naive,
            score.serves,
            "ok",
            score.customers,
            round(score.hit_share, 6),
            round(score.recall, 6),
            round(score.mean_precision, 6),
            round(score.gain, 6),
            round(score.gain_error, 6),
            contest.reason if score.serves else None,
        )
        for score in contest.scores
    ]
