"""The tables of propensities: their columns, their rows, and what a night carries over.

Only layout belongs here. A night that does not learn a propensity again keeps its test, its
calibration and its inputs as they were found when it was learned.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import duckdb

from cdp_pipeline.features.carrying import carry_rows
from cdp_pipeline.features.clv_tables import CONTEST, add_contest
from cdp_pipeline.features.propensity.contest import Trial
from cdp_pipeline.features.propensity.importance import put_into_words
from cdp_pipeline.features.propensity.rules import RULES, TITLES

Row = tuple[object, ...]

SCORES = "features.propensities"
MODELS = "features.propensity_model"
BACKTEST = "features.propensity_backtest"
CALIBRATION = "features.propensity_calibration"
TELLING = "features.propensity_inputs"
DRIFT = "features.model_drift"

TABLES = (SCORES, MODELS, BACKTEST, CALIBRATION, TELLING)
LEARNED = {
    BACKTEST: "propensity",
    CALIBRATION: "propensity",
    TELLING: "propensity",
    CONTEST: "prediction",
}
"""Tables that learning writes, with the column that names the propensity."""

_CREATE = """
create or replace table features.propensities (
    customer_id varchar, propensity varchar, chance_prob double, rank_share double,
    audience varchar, version varchar
);
create or replace table features.propensity_model (
    propensity varchar, title varchar, event varchar, horizon_days integer, status varchar,
    model varchar, version varchar, learned_on date, scored_count bigint, expected_count double,
    reason varchar
);
create or replace table features.propensity_backtest (
    propensity varchar, fold integer, entrant varchar, title varchar, is_naive boolean,
    is_serving boolean, cut_on date, customer_count bigint, happened_count bigint,
    expected_count double, log_loss double, brier double, auc double, top_tenth_lift double
);
create or replace table features.propensity_calibration (
    propensity varchar, tenth integer, cut_on date, customer_count double,
    predicted_share double, actual_share double
);
create or replace table features.propensity_inputs (
    propensity varchar, place integer, input varchar, description varchar, direction varchar,
    loss_increase double
)
"""
# Whoever has the same chance is in the same audience; ranks of equal chances are equal too.
_SCORES = """
insert into features.propensities
with ranked as (
    select
        customer_id,
        chance,
        sum(chance::decimal(18, 6)) over (order by chance desc range unbounded preceding)
            - sum(chance::decimal(18, 6)) over (partition by chance) as before,
        sum(chance::decimal(18, 6)) over () as total,
        (rank() over (order by chance desc) - 1) / count(*) over ()::double as rank_share,
    from {scored}
)
select
    customer_id,
    $propensity,
    chance,
    round(rank_share, 6),
    case
        when before < total * 0.5 then 'small'
        when before < total * 0.7 then 'medium'
        when before < total * 0.9 then 'large'
        else 'rest'
    end,
    $version,
from ranked
order by chance desc, customer_id
"""


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create the empty tables of this module."""
    con.execute(_CREATE)


def write_scores(
    con: duckdb.DuckDBPyConnection, scored: str, *, propensity: str, version: str
) -> None:
    """Add the scores of one propensity: likeliest first, with the audience that each falls into.

    Args:
        con: Connection to the build.
        scored: Table with ``customer_id`` and ``chance``.
        propensity: Its name.
        version: Version that gave the chances.
    """
    con.execute(_SCORES.format(scored=scored), {"propensity": propensity, "version": version})


def write_trial(
    con: duckdb.DuckDBPyConnection, *, propensity: str, prediction: str, event: str, trial: Trial
) -> None:
    """Add the test, the calibration, the inputs and the contest of one propensity."""
    _insert(con, BACKTEST, list(_backtest_rows(propensity, trial)))
    _insert(con, CALIBRATION, list(_tenth_rows(propensity, trial)))
    _insert(con, TELLING, list(_telling_rows(propensity, event, trial)))
    add_contest(con, prediction, trial.verdict)


def _backtest_rows(propensity: str, trial: Trial) -> Iterator[Row]:
    serving = trial.verdict.winner if trial.has_winner else ""
    for score in trial.scores:
        yield (
            propensity,
            score.fold,
            score.entrant,
            TITLES[score.entrant],
            score.entrant in RULES,
            score.entrant == serving,
            score.cut_on,
            score.people,
            score.happened,
            *_numbers(score.expected, score.log_loss, score.brier),
            *_numbers(score.auc, score.top_tenth_lift),
        )


def _tenth_rows(propensity: str, trial: Trial) -> Iterator[Row]:
    for tenth in trial.tenths:
        figures = _numbers(tenth.customers, tenth.predicted, tenth.actual)
        yield (propensity, tenth.tenth, trial.scores[0].cut_on, *figures)


def _telling_rows(propensity: str, event: str, trial: Trial) -> Iterator[Row]:
    for place, each in enumerate(trial.telling, start=1):
        words = put_into_words(each.name, event)
        yield (propensity, place, each.name, words, each.direction, *_numbers(each.loss_increase))


def carry_over(con: duckdb.DuckDBPyConnection, *, propensity: str, prediction: str) -> None:
    """Add the rows that learning wrote on an earlier night."""
    for table, column in LEARNED.items():
        name = prediction if column == "prediction" else propensity
        carry_rows(con, table, column, [name])


def write_models(con: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> None:
    """Add one row a propensity that is declared."""
    _insert(con, MODELS, rows)


def write_drift(con: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> None:
    """Add the watched quantities of a serving version."""
    _insert(con, DRIFT, rows)


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Row]) -> None:
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        con.executemany(f"insert into {table} values ({marks})", list(rows))  # noqa: S608 - own name


def _numbers(*values: float) -> tuple[float | None, ...]:
    return tuple(round(float(v), 9) if math.isfinite(v) else None for v in values)
