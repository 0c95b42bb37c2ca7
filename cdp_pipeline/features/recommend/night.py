"""The part of a night that recommends: lists, basket rules and the contest behind them.

================================  ==============================================================
features.recommendations          one row per person, level, list and rank
features.basket_rules             one row per level, item and partner
features.recommendation_backtest  one row per level, list and way to rank
================================  ==============================================================

Models are learned once a week; between, lists are made for those for whom something has changed.
Reading the warehouse and writing these tables belong here; how lists are made does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.recommend_settings import RecommendSettings
from cdp_pipeline.features.carrying import can_carry, carry_rows, carry_table
from cdp_pipeline.features.clv_tables import CONTEST, add_contest
from cdp_pipeline.features.recommend.contest import Contest, ContestPlan, hold_contests
from cdp_pipeline.features.recommend.learned import (
    Learned,
    as_learned,
    load_learned,
    save_learned,
    settings_learned_by,
)
from cdp_pipeline.features.recommend.lists import make_lists, plan_lists
from cdp_pipeline.features.recommend.log import PurchaseLog, count_purchases
from cdp_pipeline.features.recommend.purchases import (
    LEVELS,
    PEOPLE,
    list_offered,
    list_range,
    number_people,
    read_level,
    read_purchases,
)
from cdp_pipeline.features.recommend.ranking import ListName, learn
from cdp_pipeline.features.recommend.rules import make_rules
from cdp_pipeline.features.recommend.shown import TABLE, add_lists, take_out
from cdp_pipeline.features.recommend.touched import TOUCHED, find_touched
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
    write_registry,
)
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.versions import parse_version
from cdp_pipeline.storage.warehouse import declare_table, fetch_value, read_plan

TABLES = ("recommendations", "basket_rules", "recommendation_backtest")
BACKTEST = "features.recommendation_backtest"
RULES = "features.basket_rules"
TESTED = (BACKTEST, CONTEST, RULES)

_CREATE = """
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


@dataclass(frozen=True)
class Level:
    """Articles or categories, with the contests of their lists and what was learned."""

    name: str
    contests: dict[ListName, Contest]
    learned: Learned


def predict(con: duckdb.DuckDBPyConnection, context: RunContext, *, refused: str) -> StepResult:
    """Compare the ways to rank and learn, or recall both; make the lists and the basket rules.

    Args:
        con: Connection to the build, with core and the basic features finished.
        context: The night.
        refused: Table of who may not be profiled.

    Raises:
        WarehouseError: A table differs from its header.
    """
    settings, as_of = context.settings.recommend, context.business_date
    project = load_project(context.project_root)
    base = _find_base(context)
    con.execute(_CREATE)
    versions = read_tonight(con)
    known = _recall(con, versions, settings, as_of, base)
    since = parse_version(base).business_date if base else None
    levels, reason = make_levels(con, settings, known, refused=refused, since=since, as_of=as_of)
    versions = _keep(con, levels, versions, settings, as_of=as_of, is_known=bool(known))
    write_registry(con, versions)
    for table in (*(f"features.{name}" for name in TABLES), REGISTRY, CONTEST):
        declare_table(con, project.table(table))
    rows = int(fetch_value(con, f"select count(*) from {TABLE}"))  # noqa: S608 - own name
    people = int(fetch_value(con, f"select count(*) from {PEOPLE}"))  # noqa: S608 - own name
    folder = DataPaths.of(context).ensure(DataPaths.of(context).tree / "models")
    for level in levels:
        save_learned(_file_of(folder, level.name), level.learned)
    return StepResult(
        rows_in=people,
        rows_out=rows,
        messages=(
            *(
                f"{level.name}, {name.replace('_', ' ')}: {contest.winner.name}; {contest.reason}."
                for level in levels
                for name, contest in level.contests.items()
            ),
            f"Lists of {people:,} people made anew{f': {reason}' if reason else ''}.",
        ),
        facts={
            "incremental": {TABLE: reason or f"lists of {people:,} people made anew"},
            **{
                f"{level.name}_{name}": contest.winner.name
                for level in levels
                for name, contest in level.contests.items()
            },
        },
    )


def make_levels(
    con: duckdb.DuckDBPyConnection,
    settings: RecommendSettings,
    known: Mapping[str, Level],
    *,
    refused: str,
    since: date | None,
    as_of: date,
) -> tuple[list[Level], str]:
    """Bring the lists of all levels up to date; learn where nothing is known.

    Args:
        con: Connection to the build, with core and the basic features finished.
        settings: Lengths, windows and limits.
        known: What last night's lists followed from, by level; empty to learn anew.
        refused: Table of who may not be profiled.
        since: Business date of the version that the night builds upon.
        as_of: Business date.

    Returns:
        The levels, and why the lists of everybody were made anew; empty if only some were.
    """
    reason = find_touched(
        con,
        {name: level.learned for name, level in known.items()},
        refused=refused,
        since=since,
        as_of=as_of,
        settings=settings,
    )
    wanted = None if reason else TOUCHED
    take_out(con, wanted)
    number_people(con, wanted)
    learned_on = next((level.learned.learned_on for level in known.values()), as_of)
    read_purchases(con, settings, as_of=as_of, learned_on=learned_on, only_people=bool(known))
    levels = [
        recommend_level(con, name, settings, as_of=as_of, refused=refused, known=known.get(name))
        for name in LEVELS
    ]
    return levels, reason


def _find_base(context: RunContext) -> Path | None:
    """Return the folder of the version that the night builds upon."""
    path = read_plan(context).get("base_path")
    return Path(path).parent if path else None


def _file_of(folder: Path, level: str) -> Path:
    return folder / f"{PREDICTION}_{level}.npz"


def _recall(
    con: duckdb.DuckDBPyConnection,
    versions: Sequence[Version],
    settings: RecommendSettings,
    as_of: date,
    base: Path | None,
) -> dict[str, Level]:
    """Return who won and what was learned by level, lately and by these settings; else nothing."""
    serving = find_serving(versions, PREDICTION)
    if serving is None or base is None or is_due(serving, as_of, settings.refit_days):
        return {}
    known, wanted = {}, (serving.trained_on, settings_learned_by(settings))
    for level in LEVELS:
        contests = recall_contests(serving, level)
        learned = load_learned(_file_of(base / "models", level))
        if contests and learned and (learned.learned_on, learned.learned_by) == wanted:
            known[level] = Level(level, contests, learned)
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
        for table in (BACKTEST, RULES):
            carry_table(con, table)
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
    known: Level | None = None,
) -> Level:
    """Add the lists of one level and, where nothing is known, its basket rules.

    Args:
        con: Connection on which ``read_purchases`` ran.
        level: ``product`` or ``category``.
        settings: Lengths, windows and limits.
        as_of: Business date.
        refused: Table of who may not be profiled.
        known: Who ranks each list and what was learned; None to hold the contests and learn.
    """
    bought, name = read_level(con, level), f"recommend_{level}"
    if known is None:
        found, log = _learn_level(con, level, settings, as_of=as_of, bought=bought)
    else:
        found, items = known, known.learned.register(con, name)
        log = count_purchases(con, bought, as_of=known.learned.learned_on, name=name, items=items)
    shown = plan_lists(
        log,
        length=settings.list_length,
        offered=list_offered(con, level, found.learned.in_range),
        returned=f"{name}_returned",
    )
    lists = make_lists(log, found.learned.models, found.contests, shown)
    add_lists(con, level, lists, refused=refused, length=settings.list_length)
    return found


def _learn_level(
    con: duckdb.DuckDBPyConnection,
    level: str,
    settings: RecommendSettings,
    *,
    as_of: date,
    bought: str,
) -> tuple[Level, PurchaseLog]:
    """Hold the contests, learn from all purchases and write the basket rules."""
    name = f"recommend_{level}"
    plan = ContestPlan(
        minimum_customers=settings.minimum_customers, maximum_items=settings.maximum_items
    )
    contests = hold_contests(con, bought, as_of=as_of, plan=plan, name=f"{name}_past")
    log = count_purchases(con, bought, as_of=as_of, name=name)
    winners = [contest.winner for contest in contests.values()]
    models = learn(con, log, bought, maximum_items=settings.maximum_items, rankers=winners)
    in_range = list_range(con, settings, as_of=as_of)
    rules = make_rules(con, bought, support=settings.rule_support, name=f"{name}_rule")
    con.execute(
        f"insert into {RULES} select $level, * from {rules} order by item_id, rank_no",  # noqa: S608 - own names
        {"level": level},
    )
    return Level(
        level, contests, as_learned(log, models, in_range, as_of, settings_learned_by(settings))
    ), log


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
