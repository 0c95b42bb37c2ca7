"""Judgements as labels of the model: the tables of ``supervised``, and its correction in SQL.

A night that fits the model holds the contest anew; a night that carries yesterday's model carries
yesterday's correction too, so that all links are weighed alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from cdp_pipeline.identity.scoring.compare import Comparison, pattern_sql, unpack
from cdp_pipeline.identity.scoring.supervised import (
    UNSUPERVISED,
    Contest,
    Correction,
    Labels,
    Pairs,
    hold_contest,
)
from cdp_pipeline.identity.scoring.weights import Parameters, frequency_select, score_patterns
from cdp_pipeline.storage.warehouse import has_base_table, has_table

LEARNING_TABLES = ("supervised", "supervised_weights")

PER_BIT = 8
"""Pairs of each bit of log odds for which the model's own expectation stands."""

DIGITS = 9
"""Decimals of what is kept: the last bits of a fit depend on the machine."""

RANGE, SLOPE, INTERCEPT = "range", "slope", "intercept"
SLOPES = ("log odds", "match weight", "household weight")

_SUPERVISED = """
create or replace table identity.supervised (
    contender varchar, pairs_same bigint, pairs_different bigint, components bigint,
    log_loss double, brier double, log_loss_gain double, log_loss_error double,
    brier_gain double, brier_error double, is_used boolean, fitted_on date
)
"""

_WEIGHTS = """
create or replace table identity.supervised_weights (
    comparison varchar, level varchar, weight double
)
"""

_LABELLED = """
create or replace temp table identity_labelled as
with judged as (
    select
        least(x.node_id, y.node_id) as node_a,
        greatest(x.node_id, y.node_id) as node_b,
        bool_and(j.verdict = 'same') as is_same
    from identity.judgements as j
    inner join identity.records as a on a.source = j.source_a and a.record_key = j.record_key_a
    inner join identity.records as b on b.source = j.source_b and b.record_key = j.record_key_b
    inner join identity_nodes as x on x.record_id = a.evidence_id
    inner join identity_nodes as y on y.record_id = b.evidence_id
    where j.status = 'applied' and j.verdict in ('same', 'different') and x.node_id <> y.node_id
    group by all
    having bool_and(j.verdict = 'same') = bool_or(j.verdict = 'same')
)
select p.node_a, p.node_b, p.is_same, {pattern} as pattern {frequencies}
from judged as p
inner join identity_nodes as l on l.node_id = p.node_a
inner join identity_nodes as r on r.node_id = p.node_b
"""

_PAIRS = "select node_a, node_b, pattern, match_weight, household_weight, log_odds"

_EXPECTED = f"""
{_PAIRS}
from identity_scored
qualify row_number() over (
    partition by floor(greatest(-40, least(40, log_odds)))
    order by hash(node_a, node_b), node_a, node_b
) <= {PER_BIT}
order by node_a, node_b
"""


def learn(
    con: duckdb.DuckDBPyConnection, parameters: Parameters | None, *, fitted_on: date
) -> tuple[str, ...]:
    """Hold the contest on a night that fits the model, and correct ``identity_scored``.

    Writes ``identity.supervised`` and ``identity.supervised_weights``.

    Args:
        con: Build connection with ``identity_scored``, ``identity_nodes`` and
            ``identity.judgements``.
        parameters: The model; None if there was nothing to compare.
        fitted_on: The night.

    Returns:
        What happened, if there are judgements to learn from.
    """
    con.execute(_SUPERVISED)
    con.execute(_WEIGHTS)
    if parameters is None or not has_table(con, "identity.judgements"):
        return ()
    labels = _read_labels(con, parameters)
    if not len(labels.pairs):
        return ()
    contest = hold_contest(parameters.comparisons, labels, _read_pairs(con, parameters, _EXPECTED))
    _store(con, contest, fitted_on)
    correct_scores(con, parameters.comparisons, scored="identity_scored")
    return (contest.message,)


def carry_learning(con: duckdb.DuckDBPyConnection, comparisons: Sequence[Comparison]) -> None:
    """Keep yesterday's correction on a night that keeps yesterday's model."""
    con.execute(_SUPERVISED)
    con.execute(_WEIGHTS)
    for name in LEARNING_TABLES:
        if has_base_table(con, f"identity.{name}"):
            con.execute(f"insert into identity.{name} from base.identity.{name}")
    correct_scores(con, comparisons, scored="identity_scored")


def correct_scores(
    con: duckdb.DuckDBPyConnection, comparisons: Sequence[Comparison], *, scored: str
) -> None:
    """Correct ``log_odds`` of a table of scored pairs, if a correction is in use.

    Args:
        con: Build connection.
        comparisons: The fields of the model.
        scored: Temporary table as ``score_patterns`` makes it.
    """
    correction = load_correction(con, comparisons)
    if correction is None:
        return
    patterns = con.execute(f"select distinct pattern from {scored} order by pattern").fetchnumpy()  # noqa: S608 - own table name
    codes = np.asarray(patterns["pattern"], dtype=np.int64)
    shifts = correction.shifts(unpack(codes, correction.comparisons))
    con.register("identity_shift_rows", pa.table({"pattern": codes, "shift": shifts}))
    con.execute("create or replace temp table identity_shifts as from identity_shift_rows")
    con.unregister("identity_shift_rows")
    con.execute(
        f"create or replace temp table {scored} as "  # noqa: S608 - own table name
        f"select p.* replace ({correction.corrected_sql()} as log_odds) "
        f"from {scored} as p inner join identity_shifts as s on s.pattern = p.pattern"
    )


def load_correction(
    con: duckdb.DuckDBPyConnection, comparisons: Sequence[Comparison]
) -> Correction | None:
    """Return the correction in use, if there is one."""
    if not has_table(con, "identity.supervised_weights"):
        return None
    rows = con.execute("select comparison, level, weight from identity.supervised_weights")
    found = {(comparison, level): weight for comparison, level, weight in rows.fetchall()}
    if not found:
        return None
    slopes = [found[SLOPE, name] for name in SLOPES]
    return Correction(
        comparisons=tuple(comparisons),
        intercept=found[INTERCEPT, ""],
        slopes=(slopes[0], slopes[1], slopes[2]),
        levels=tuple(
            np.array([found.get((c.name, c.level_name(o)), 0.0) for o in range(c.size)])
            for c in comparisons
        ),
        lowest=found[RANGE, "lowest"],
        highest=found[RANGE, "highest"],
    )


def _read_labels(con: duckdb.DuckDBPyConnection, parameters: Parameters) -> Labels:
    con.execute(
        _LABELLED.format(
            pattern=pattern_sql(parameters.comparisons),
            frequencies=frequency_select(parameters.comparisons),
        )
    )
    scored = "identity_labelled_scored"
    score_patterns(con, parameters, pairs="identity_labelled", scored=scored)
    ends = con.execute(
        f"select node_a, node_b, is_same from {scored} order by node_a, node_b"  # noqa: S608 - constant
    ).fetchnumpy()
    return Labels(
        _read_pairs(con, parameters, f"{_PAIRS} from {scored} order by node_a, node_b"),
        np.asarray(ends["is_same"], dtype=np.bool_),
        np.asarray(ends["node_a"], dtype=np.int64),
        np.asarray(ends["node_b"], dtype=np.int64),
    )


def _read_pairs(con: duckdb.DuckDBPyConnection, parameters: Parameters, sql: str) -> Pairs:
    found = con.execute(sql).fetchnumpy()
    codes = np.asarray(found["pattern"], dtype=np.int64)
    weights = (
        np.asarray(found[name], dtype=np.float64)
        for name in ("match_weight", "household_weight", "log_odds")
    )
    return Pairs(unpack(codes, parameters.comparisons), *weights)


def _store(con: duckdb.DuckDBPyConnection, contest: Contest, fitted_on: date) -> None:
    counts = [contest.same, contest.different, contest.components]
    nothing: list[float | None] = [None] * 6
    rows = [
        [
            f.contender,
            *counts,
            *(
                round(value, DIGITS)
                for value in (f.log_loss, f.brier, *f.log_loss_gain, *f.brier_gain)
            ),
            f.contender == contest.chosen,
            fitted_on,
        ]
        for f in contest.figures
    ] or [[UNSUPERVISED, *counts, *nothing, True, fitted_on]]
    marks = ", ".join("?" for _ in rows[0])
    con.executemany(f"insert into identity.supervised values ({marks})", rows)  # noqa: S608 - question marks
    if contest.correction is None:
        return
    kept = contest.correction
    weights = [(INTERCEPT, "", kept.intercept)]
    weights += [(RANGE, "lowest", kept.lowest), (RANGE, "highest", kept.highest)]
    weights += [(SLOPE, name, slope) for name, slope in zip(SLOPES, kept.slopes, strict=True)]
    weights += [
        (comparison.name, comparison.level_name(outcome), float(level))
        for comparison, levels in zip(kept.comparisons, kept.levels, strict=True)
        for outcome, level in enumerate(levels)
    ]
    con.executemany(
        "insert into identity.supervised_weights values (?, ?, ?)",
        [[comparison, level, round(weight, DIGITS)] for comparison, level, weight in weights],
    )
