"""From weighed pairs to customers: groups of records, each with a stable id.

Connected components first, then average linkage inside those that are not plainly one person,
then namesakes, then the nameless records, then ids. The parts live in ``linkage``, ``namesakes``,
``attach`` and ``ids``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.identity.grouping.attach import add_attached_edges, attach_records
from cdp_pipeline.identity.grouping.bonds import Bonds
from cdp_pipeline.identity.grouping.carried import carry_attachments, carry_groups
from cdp_pipeline.identity.grouping.changes import recall_reasons
from cdp_pipeline.identity.grouping.considered import consider_all, consider_touched
from cdp_pipeline.identity.grouping.groups import write_groups
from cdp_pipeline.identity.grouping.ids import assign_customers
from cdp_pipeline.identity.grouping.increment import touched_nodes
from cdp_pipeline.identity.grouping.judged import mark_judged, node_bonds, verify_groups
from cdp_pipeline.identity.grouping.linkage import NEVER, average_linkage, components, cut_large
from cdp_pipeline.identity.grouping.members import MemberPairs, Weigher
from cdp_pipeline.identity.grouping.nameless import choose_nameless
from cdp_pipeline.identity.grouping.remembered import Memory
from cdp_pipeline.identity.grouping.touched import forget_touched, note_regrouped, note_touched
from cdp_pipeline.identity.release.gate import (
    ACCEPTED,
    HELD,
    RELEASED,
    Verdict,
    judge_night,
    keeps_former,
    recall_proposal,
)
from cdp_pipeline.identity.scoring.design import Design, declared_design
from cdp_pipeline.identity.scoring.namesakes import (
    are_kin,
    choose_namesakes,
    nobody_odds,
    stand_records,
)
from cdp_pipeline.identity.scoring.weights import Parameters, load_parameters
from cdp_pipeline.identity.standard.night import read_night
from cdp_pipeline.identity.standard.nodes import number_nodes
from cdp_pipeline.identity.standard.reach import (
    contact_nodes,
    mailed_nodes,
    mention_nodes,
    reachable_nodes,
)
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.warehouse import declare_table, fetch_dicts, fetch_value, open_build

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]
Links = dict[str, npt.NDArray[Any]]

AGAIN = (ACCEPTED, HELD)
"""After a night that was held, everybody is grouped and attached again, unless it was rejected:
what is held or accepted is what all evidence says, of nameless records as well."""

MADE_TABLES = (
    "customer_map",
    "changes",
    "redirects",
    "dormant_ids",
    "spent_ids",
    "release",
    "edges",
)


def run(context: RunContext) -> StepResult:
    """Resolve customers alone, see ``resolve``."""
    with open_build(context, is_compressed=False) as con:
        return resolve(con, context)


def resolve(con: duckdb.DuckDBPyConnection, context: RunContext) -> StepResult:
    """Make ``identity.customer_map``, ``changes`` and ``redirects``; complete ``edges``.

    Returns:
        Person records read and mapped; ``rows_set_aside`` counts those that belong to nobody in
        particular (no usable evidence, or an identifier that several people hold).
    """
    project = load_project(context.project_root)
    verdict = _resolve(con, context, declared_design(project.linkage))
    for name in MADE_TABLES:
        declare_table(con, project.table(f"identity.{name}"))
    facts = _facts(con)
    return StepResult(
        rows_in=facts["records"],
        rows_out=facts["mapped"],
        rows_set_aside=facts["records"] - facts["mapped"],
        messages=(
            f"{facts['mapped']:,} person records are {facts['customers']:,} customers",
            "tonight {created:,} new, {merged:,} merged, {split:,} split off".format(**facts),
            *verdict.messages,
        ),
        facts={
            **facts,
            "release": verdict.name,
            "gate": {metric.name: round(metric.value, 6) for metric in verdict.metrics},
        },
    )


def _resolve(con: duckdb.DuckDBPyConnection, context: RunContext, design: Design) -> Verdict:
    """Group what is new or all, attach the nameless, name customers, ask the release gate."""
    settings = context.settings.identity
    night = read_night(con, today=context.business_date)
    held = recall_proposal(con, context)
    is_whole = night.is_refit or held in AGAIN
    touched = None if is_whole else touched_nodes(con)
    forget_touched(con)
    if touched is None:
        number_nodes(con)
    parameters = load_parameters(con, design.comparisons)
    labels = group_nodes(
        con,
        parameters,
        accept=settings.accept_prob,
        limit=settings.maximum_cluster_records,
        touched=touched,
        has_nodes=False,
    )
    write_groups(con, labels, accept=settings.accept_prob, touched=touched)
    if touched is not None:
        choose_nameless(con)
        note_regrouped(con)
    is_part = touched is not None and not keeps_former(con)
    if is_part:
        consider_touched(con)
    else:
        consider_all(con)
    if touched is not None:
        carry_groups(con)
    attach_records(con, accept=settings.accept_prob, is_part=touched is not None)
    verify_groups(con)
    add_attached_edges(con)
    if touched is not None:
        carry_attachments(con)
    mark_judged(con)
    recall_reasons(con)
    assign_customers(
        con,
        business_date=context.business_date.isoformat(),
        is_refitted=night.is_refit,
        is_released=held == ACCEPTED,
        memory=Memory.of(settings),
        is_part=is_part,
    )
    verdict = judge_night(con, context)
    if touched is not None and verdict.name == RELEASED:
        note_touched(con)
    return verdict


def group_nodes(  # noqa: PLR0913 - a night groups a part, a linkage knows all weights
    con: duckdb.DuckDBPyConnection,
    parameters: Parameters | None,
    *,
    accept: float,
    limit: int,
    touched: Marks | None = None,
    has_nodes: bool = True,
    scored: str | None = None,
    lists: Integers | None = None,
) -> Integers:
    """Return the group of each node.

    Reads ``staging.identity_links`` and ``identity_node_ids``. Pairs that are kin for certain make
    groups first; then namesakes are told apart.

    Args:
        con: Build connection.
        parameters: Fitted model; without one every node is a group.
        accept: Probability from which a link counts.
        limit: Largest component left whole.
        touched: Nodes to group, whole components of competitors too; others come out alone.
        has_nodes: As for ``members.Weigher``.
        scored: As for ``members.Weigher``.
        lists: Lists that hold each person once, by node; see ``Bonds``.
    """
    size = int(fetch_value(con, "select count(*) from identity_node_ids"))
    bonds = node_bonds(con, lists)
    if parameters is None or not size:
        return bonds.enforce(np.arange(size, dtype=np.int64))
    threshold = math.log2(accept / (1 - accept))
    links, is_reachable = _read_links(con, bonds, threshold)
    nobody = nobody_odds(links["node_a"], links["node_b"], links["is_certain"], is_reachable)
    if touched is not None:
        links = _chosen(links, touched[links["node_a"]])
    certain, unsure = (_chosen(links, marks) for marks in (links["is_certain"], ~links["is_kin"]))
    ends = certain["node_a"], certain["node_b"]
    labels = cut_large(components(*ends, size=size), *ends, certain["log_odds"], limit=limit)
    weigh = Weigher(con, parameters, has_nodes=has_nodes, scored=scored).weigh
    labels = _split_groups(weigh, labels, _suspicious(labels, *ends), bonds, threshold=threshold)
    standing = stand_records(is_reachable, mention_nodes(con))
    ends = unsure["node_a"], unsure["node_b"]
    chosen = choose_namesakes(
        labels, ends, unsure["log_odds"],
        accept=accept, standing=standing, is_private=contact_nodes(con), nobody=nobody,
    )  # fmt: skip
    labels = _split_groups(weigh, *_joined(labels, chosen), bonds, threshold=threshold)
    return bonds.enforce(labels)


def _joined(labels: Integers, chosen: tuple[Integers, Integers]) -> tuple[Integers, Integers]:
    """Return labels in which chosen groups are one, and the nodes of those worth another look."""
    joined = components(*chosen, size=int(labels.max()) + 1)[labels]
    doubtful = np.isin(labels, np.concatenate(chosen)) & (np.bincount(joined)[joined] >= 3)  # noqa: PLR2004 - two have agreed
    return joined, np.flatnonzero(doubtful)


def _read_links(
    con: duckdb.DuckDBPyConnection, bonds: Bonds, threshold: float
) -> tuple[Links, Marks]:
    """Return the links that nobody has forbidden, and which nodes can be reached.

    Links of kin that count are certain.
    """
    found = con.execute(
        "select node_a, node_b, log_odds, kin_bits from staging.identity_links "
        "order by node_a, node_b"
    ).fetchnumpy()
    links: Links = {
        "node_a": np.asarray(found["node_a"], np.int64),
        "node_b": np.asarray(found["node_b"], np.int64),
        "log_odds": np.asarray(found["log_odds"]),
    }
    is_reachable = reachable_nodes(con)
    is_mailed = mailed_nodes(con, is_reachable)
    ends = is_mailed[links["node_a"]], is_mailed[links["node_b"]]
    links["is_kin"] = are_kin(np.asarray(found["kin_bits"]), *ends)
    links["is_certain"] = links["is_kin"] & (links["log_odds"] >= threshold)
    return _chosen(links, ~bonds.forbids(links["node_a"], links["node_b"])), is_reachable


def _chosen(links: Links, marks: Marks) -> Links:
    return {name: values[marks] for name, values in links.items()}


def _suspicious(labels: Integers, left: Integers, right: Integers) -> Integers:
    """Return the nodes of groups of three and more in which not every pair was accepted."""
    sizes = np.bincount(labels)
    inside = labels[left] == labels[right]
    accepted = np.bincount(labels[left[inside]], minlength=len(sizes))
    incomplete = (sizes >= 3) & (accepted < sizes * (sizes - 1) // 2)  # noqa: PLR2004 - pairs are complete
    return np.flatnonzero(incomplete[labels])


def _split_groups(
    weigh: Callable[[Integers, Integers], MemberPairs],
    labels: Integers,
    nodes: Integers,
    bonds: Bonds,
    *,
    threshold: float,
) -> Integers:
    if not len(nodes):
        return labels
    pairs = weigh(nodes, labels[nodes])
    log_odds = np.where(bonds.forbids(pairs.left, pairs.right), NEVER, pairs.log_odds)
    labels = labels.copy()
    following = int(labels.max()) + 1
    for size in np.unique(pairs.sizes):
        chosen = pairs.sizes == size
        width = int(size) * (int(size) - 1) // 2
        left, right = (ends[chosen].reshape(-1, width) for ends in (pairs.left, pairs.right))
        owners = average_linkage(
            log_odds[chosen].reshape(-1, width), members=int(size), threshold=threshold
        )
        nodes_of = np.concatenate([left[:, :1], right[:, : int(size) - 1]], axis=1)
        codes = np.arange(len(owners))[:, None] * int(size) + owners
        fresh = np.unique(codes, return_inverse=True)[1].reshape(codes.shape)
        labels[nodes_of] = following + fresh
        following += int(fresh.max()) + 1
    return labels


def _facts(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    return fetch_dicts(
        con,
        """
        select
            (select count(*) from identity.records) as records,
            count(*) as mapped,
            (select count(*) from identity_kept_ids) as customers,
            (select count(*) from identity_tonight where change = 'created') as created,
            (select count(*) from identity_tonight where change = 'merged') as merged,
            (select count(*) from identity_tonight where change = 'split') as split
        from identity.customer_map
        """,
    )[0]
