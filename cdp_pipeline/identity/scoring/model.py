"""The probabilistic model: fitted on this store's own records, without labels.

Running blocking, comparison, fit and scoring in order belongs here. The model sees named records;
recordlinkage holds the classifier, DuckDB makes the comparison patterns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import numpy.typing as npt

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.wording import counted
from cdp_pipeline.identity.grouping.increment import join_scored, keep_scored, propose_new_pairs
from cdp_pipeline.identity.measuring.sampling import keep_rejected
from cdp_pipeline.identity.scoring.blocking import propose_pairs
from cdp_pipeline.identity.scoring.compare import (
    Codes,
    Comparison,
    linked_places,
    pattern_sql,
    unpack,
)
from cdp_pipeline.identity.scoring.design import Design, declared_design, fitting_design
from cdp_pipeline.identity.scoring.edges import write_edges
from cdp_pipeline.identity.scoring.fits import (
    carry_fit,
    find_drift,
    fitted_design,
    keep_fit,
    new_evidence,
)
from cdp_pipeline.identity.scoring.learning import LEARNING_TABLES, carry_learning, learn
from cdp_pipeline.identity.scoring.weights import (
    NO_CLASS_BITS,
    Parameters,
    frequency_select,
    load_parameters,
    score_patterns,
    store_parameters,
)
from cdp_pipeline.identity.standard.night import Night, keep_night, read_night
from cdp_pipeline.identity.standard.nodes import build_nodes
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.warehouse import declare_table, fetch_value, open_build

if TYPE_CHECKING:
    from cdp_pipeline.identity.scoring.kernel import Counted, HouseholdECM

Floats = npt.NDArray[np.float64]

SAMPLE_SIDE = 1000
"""Records on each side of the cross join that shows how strangers agree: a million pairs."""

CLEANING_ROUNDS = 2
"""Fits after which the people met in the strangers' sample are taken out of it."""

FEW = 10
"""Pairs of the sample below which they are too few to tell how often strangers share a value."""

MADE_TABLES = (
    "blocking",
    "model_parameters",
    "model_frequencies",
    "model_fit",
    *LEARNING_TABLES,
    "scored_pairs",
    "edges",
    "review",
)


def run(context: RunContext) -> StepResult:
    """Make ``identity.edges``, ``review``, ``blocking`` and what a later night needs of the model.

    Returns:
        Pairs compared tonight and edges kept.
    """
    project = load_project(context.project_root)
    settings = context.settings.identity
    declared = declared_design(project.linkage)
    with open_build(context, is_compressed=False) as con:
        night = read_night(con, today=context.business_date)
        pairs = 0
        if not night.is_refit:
            pairs, drift = _score_new(con, declared, cap=settings.block_cap)
            if drift:
                night = night.refitted(drift, on=context.business_date)
                keep_night(con, night)
        if night.is_refit:
            pairs = _score_all(con, declared, night, cap=settings.block_cap)
        design = fitted_design(con, declared)
        learned = _learn(con, design, night)
        write_edges(con, design, review=settings.review_prob, accept=settings.accept_prob)
        if night.is_refit:
            keep_rejected(
                con,
                review=settings.review_prob,
                accept=settings.accept_prob,
                period=context.business_date.isoformat()[:7],
            )
        keep_scored(con)
        for name in MADE_TABLES:
            declare_table(con, project.table(f"identity.{name}"))
        edges = int(fetch_value(con, "select count(*) from identity.edges"))
        review = int(fetch_value(con, "select count(*) from identity.review"))
    return StepResult(
        rows_in=pairs,
        rows_out=edges,
        messages=(
            night.message,
            _tell(pairs, edges, review),
            *learned,
        ),
        facts={
            "pairs": pairs,
            "edges": edges,
            "review": review,
            "is_refit": night.is_refit,
            "fitted_on": night.fitted_on.isoformat(),
        },
    )


def _tell(pairs: int, edges: int, review: int) -> str:
    found = f"{counted(pairs, 'pair')} compared, {counted(edges, 'edge')}"
    return f"{found}, {review:,} of them for review"


def _learn(con: duckdb.DuckDBPyConnection, design: Design, night: Night) -> tuple[str, ...]:
    """Correct the weights by judgements: by a new contest after a fit, else as at the fit."""
    if not night.is_refit:
        carry_learning(con, design.comparisons)
        return ()
    return learn(con, load_parameters(con, design.comparisons), fitted_on=night.fitted_on)


def _score_all(con: duckdb.DuckDBPyConnection, declared: Design, night: Night, *, cap: int) -> int:
    """Fit the model and weigh all candidate pairs; keep what later nights need."""
    build_nodes(con, columns=declared.node_columns)
    design = fitting_design(con, declared)
    pairs = score_pairs(con, design, cap=cap)
    mix = level_mix(con, design.comparisons) if pairs else {}
    keep_fit(con, night, design, mix)
    return pairs


def _score_new(con: duckdb.DuckDBPyConnection, declared: Design, *, cap: int) -> tuple[int, str]:
    """Weigh the pairs that new records take part in, beside those of the version before.

    Returns:
        Number of pairs compared, and what makes the model unfit for them, if anything.
    """
    carry_fit(con)
    design = fitted_design(con, declared)
    parameters = load_parameters(con, design.comparisons)
    unfit = new_evidence(con)
    if unfit or parameters is None:
        return 0, unfit or "the version before has no model"
    pairs = propose_new_pairs(con, design.rules, cap=cap)
    compare_pairs(con, design)
    drift = find_drift(con, level_mix(con, design.comparisons), pairs=pairs)
    if drift:
        return pairs, drift
    score_patterns(con, parameters, pairs="identity_compared", scored="identity_scored_new")
    join_scored(con)
    return pairs, ""


def score_pairs(
    con: duckdb.DuckDBPyConnection, design: Design, *, cap: int, least: float | None = None
) -> int:
    """Fit the model on ``identity_nodes`` and weigh every candidate pair.

    Writes ``identity.blocking``, ``identity.model_parameters`` and the temporary table
    ``identity_scored`` (node_a, node_b, rule, pattern, match_weight, household_weight, log_odds).

    Args:
        con: Connection.
        design: What is compared, and how pairs are proposed.
        cap: Largest number of nodes that a key may hold.
        least: Log odds below which a weighed pair is not kept; default: all are.

    Returns:
        Number of candidate pairs; without any, nothing is fitted and no parameters are stored.
    """
    propose_pairs(con, design.rules, cap=cap, most_pairs=design.most_pairs)
    compare_pairs(con, design)
    pairs = int(fetch_value(con, "select count(*) from identity_compared"))  # some are of one side
    parameters = fit(con, design) if pairs else None
    store_parameters(con, parameters)
    if parameters is None:
        con.execute(_NOTHING_SCORED)
        return 0
    score_patterns(
        con, parameters, pairs="identity_compared", scored="identity_scored", least=least
    )
    return pairs


def compare_pairs(con: duckdb.DuckDBPyConnection, design: Design) -> None:
    """Create ``identity_compared``: the pattern of each of ``identity_pairs``."""
    con.execute(
        f"""
        create or replace temp table identity_compared as
        select
            p.node_a, p.node_b, p.rule,
            {pattern_sql(design.comparisons)} as pattern
            {frequency_select(design.comparisons)}
        from identity_pairs as p
        inner join identity_nodes as l on l.node_id = p.node_a
        inner join identity_nodes as r on cast(r.node_id as double) = cast(p.node_b as double)
        where {design.sides}
        """  # noqa: S608 - declared comparisons
    )
    # By integers, DuckDB would look the right side up column by column, here and there in memory;
    # as doubles it fetches whole rows, a fifth cheaper. Pairs come ordered by their left side.


def level_mix(
    con: duckdb.DuckDBPyConnection, comparisons: Sequence[Comparison]
) -> dict[str, dict[str, float]]:
    """Return how often each level occurs among ``identity_compared``, by comparison.

    Returns:
        Shares that sum to 1, ``missing`` among them; none for context, which has its seasons.
    """
    codes, counts = _counted(
        con, "select pattern, count(*) as pairs from identity_compared group by pattern"
    )
    outcomes, mix = unpack(codes, comparisons), {}
    for place, comparison in enumerate(comparisons):
        if comparison.kind == "context":
            continue
        seen = np.bincount(outcomes[:, place] + 1, counts, comparison.size + 1)
        shares = seen / max(float(counts.sum()), 1.0)
        mix[comparison.name] = {
            comparison.level_name(outcome - 1): round(float(share), 6)
            for outcome, share in enumerate(shares)
        }
    return mix


_NOTHING_SCORED = """
create or replace temp table identity_scored (
    node_a integer, node_b integer, rule integer, pattern bigint,
    match_weight double, household_weight double, conflict double, log_odds double
)
"""


def fit(con: duckdb.DuckDBPyConnection, design: Design) -> Parameters:
    """Fit recordlinkage's classifier with the household kernel on all candidate patterns."""
    # Six nights of seven fit nothing: they are spared the import of scikit-learn.
    import pandas as pd  # noqa: PLC0415
    import recordlinkage  # noqa: PLC0415

    from cdp_pipeline.identity.scoring.kernel import HouseholdECM, Population  # noqa: PLC0415

    codes, counts = _counted(
        con, "select pattern, count(*) as pairs from identity_compared group by pattern"
    )
    nodes = int(fetch_value(con, "select count(*) from identity_nodes"))
    sample_codes, sample_counts = _strangers(con, design, nodes=nodes)
    names = [c.name for c in design.comparisons]
    patterns = pd.DataFrame(unpack(codes, design.comparisons), columns=names)
    strangers = unpack(sample_codes, design.comparisons)
    weights = sample_counts
    complete = np.ones(len(strangers), dtype=bool)
    for place in linked_places(design.comparisons) or ():
        complete &= strangers[:, place] >= 0
    total_pairs = _possible_pairs(con, design, nodes=nodes)
    dropped = _dropped_pairs(con, reached=2 * total_pairs / max(nodes * (nodes - 1), 1))
    names_rule = design.rule_of_names()
    for _ in range(CLEANING_ROUNDS + 1):
        counted = _count_sharing(design, strangers, weights, total=total_pairs, dropped=dropped)
        kernel = HouseholdECM(
            design.comparisons,
            Population(
                nodes=nodes,
                total_pairs=total_pairs,
                unrelated=_level_shares(strangers, weights, design.comparisons),
                linked_share=float(sample_counts[complete].sum() / max(sample_counts.sum(), 1.0)),
                counted=counted,
                namesakes=dropped[names_rule.name] if names_rule else 0.0,
            ),
            counts=counts,
            classes=design.classes,
        )
        classifier = recordlinkage.ECMClassifier(init="random")
        classifier.kernel = kernel
        classifier.fit(patterns)
        weights = sample_counts * kernel.class_shares(strangers)[:, 2]
    return _parameters(kernel)


def _count_sharing(
    design: Design, strangers: Codes, weights: Floats, *, total: float, dropped: dict[str, float]
) -> dict[int, Counted]:
    """Return what too few strangers of the sample share, and a blocking rule is made of."""
    from cdp_pipeline.identity.scoring.kernel import Counted  # noqa: PLC0415 - see ``fit``

    found = {}
    for place, comparison in enumerate(design.comparisons):
        rule = design.rule_of(comparison)
        if rule is None or weights[strangers[:, place] == 1].sum() >= FEW:
            continue
        share = weights[strangers[:, place] >= 0].sum() / max(weights.sum(), 1.0)
        found[place] = Counted(float(total * share), dropped[rule.name])
    return found


def _dropped_pairs(con: duckdb.DuckDBPyConnection, *, reached: float) -> dict[str, float]:
    """Return how many pairs each rule's dropped keys held.

    Args:
        con: Connection with ``identity_dropped``.
        reached: Share of all pairs that could be candidates, as of two files linked.
    """
    rows = con.execute("select rule, pairs from identity_dropped").fetchall()
    return {rule: pairs * reached for rule, pairs in rows}


def _parameters(kernel: HouseholdECM) -> Parameters:
    match, household, unrelated = kernel.priors
    return Parameters(
        comparisons=kernel.comparisons,
        match=tuple(kernel.match),
        household=tuple(kernel.household),
        unrelated=tuple(kernel.unrelated),
        match_bits=float(np.log2(match / unrelated)),
        household_bits=float(np.log2(household / unrelated)) if household else NO_CLASS_BITS,
        linked_bits=kernel.linked_bits,
    )


def _possible_pairs(con: duckdb.DuckDBPyConnection, design: Design, *, nodes: int) -> float:
    if design.sides == "true":
        return nodes * (nodes - 1) / 2
    return float(
        fetch_value(
            con,
            "select count(*) from identity_nodes as l "  # noqa: S608 - declared condition
            f"inner join identity_nodes as r on l.node_id < r.node_id and ({design.sides})",
        )
    )


def _strangers(
    con: duckdb.DuckDBPyConnection, design: Design, *, nodes: int
) -> tuple[Codes, Floats]:
    """Return patterns and counts of a cross-joined sample: nearly all its pairs are unrelated.

    What a record says decides whether it is drawn, so that the next fit meets nearly the same.
    """
    # Of many records only those below a bound are put in order: four times what is drawn.
    most = 2**64 - 1
    bound = min(4 * SAMPLE_SIDE * most // max(nodes, 1), most)
    side = (
        "(select * from identity_nodes where hash(evidence_head, {seed}) <= {bound} "
        "order by hash(evidence_head, {seed}), node_id limit {size})"
    )
    return _counted(
        con,
        f"""
        select pattern, count(*) as pairs
        from (
            select {pattern_sql(design.comparisons)} as pattern
            from {side.format(seed=1, size=SAMPLE_SIDE, bound=bound)} as l
            cross join {side.format(seed=2, size=SAMPLE_SIDE, bound=bound)} as r
            where l.node_id <> r.node_id and {design.sides}
        )
        group by pattern
        """,  # noqa: S608 - declared comparisons
    )


def _counted(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[Codes, Floats]:
    found = con.execute(f"{sql} order by pattern").fetchnumpy()
    return np.asarray(found["pattern"], np.int64), np.asarray(found["pairs"], np.float64)


def _level_shares(
    outcomes: Codes, weights: Floats, comparisons: Sequence[Comparison]
) -> tuple[Floats, ...]:
    shares = []
    for place, comparison in enumerate(comparisons):
        present = outcomes[:, place] >= 0
        seen = np.full(comparison.size, 0.5)  # a level not met is rare, not impossible
        np.add.at(seen, outcomes[present, place], weights[present])
        shares.append(seen / seen.sum())
    return tuple(shares)
