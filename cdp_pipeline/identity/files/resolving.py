"""The stages of a night over gathered records, in memory, in the effort their number allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.identity.files.gather import drop_gathered
from cdp_pipeline.identity.files.lists import Lists, find_lists
from cdp_pipeline.identity.files.recognition import Recognition
from cdp_pipeline.identity.grouping.attach import attach_records
from cdp_pipeline.identity.grouping.cluster import group_nodes
from cdp_pipeline.identity.grouping.groups import write_groups
from cdp_pipeline.identity.scoring.design import Design, fitting_design
from cdp_pipeline.identity.scoring.edges import write_links
from cdp_pipeline.identity.scoring.model import score_pairs
from cdp_pipeline.identity.scoring.namesakes import LEAST_BITS
from cdp_pipeline.identity.scoring.weights import load_parameters
from cdp_pipeline.identity.standard.nodes import build_nodes, name_nodes
from cdp_pipeline.identity.standard.records import standardise
from cdp_pipeline.project.linkage import LinkConfig
from cdp_pipeline.storage.warehouse import fetch_value

LAST_DAY = date(2100, 1, 1)
OLDEST_YEARS = 600
"""Files may be about people of any century, so every date is believed that is one."""

SMALL_FILE = 60_000
"""Records up to which every rule is affordable."""


def resolve(
    con: duckdb.DuckDBPyConnection,
    files: Sequence[Recognition],
    design: Design,
    config: LinkConfig,
    *,
    link_only: bool,
) -> tuple[Design, tuple[str, ...]]:
    """Find who is who among ``staging.person_records``, as the night does.

    Args:
        con: Connection with the gathered records.
        files: What was gathered.
        design: Declared comparisons and rules.
        config: Thresholds and caps.
        link_only: Whether pairs within one source are left out.

    Creates ``link_members`` (records with their group) and ``link_scored`` (weighed pairs);
    the gathered records and what else takes much memory is dropped.

    Returns:
        The part of the design that the records have evidence for, and the lists that turned out
        to hold each person once.
    """
    context = RunContext(LAST_DAY, "link", Path(), Settings())
    standardise(con, context, oldest_years=OLDEST_YEARS, is_kept=False)
    drop_gathered(con, files)
    if link_only or config.listed_once:  # two rows that say the same are two people
        con.execute("update identity.record_rows set evidence_id = record_id")
    if link_only:
        design = replace(design, sides="l.source_hash <> r.source_hash")
    build_nodes(con, columns=design.node_columns)
    nodes = int(fetch_value(con, "select count(*) from identity_nodes"))
    default_cap, most_pairs = _effort(nodes)
    design = replace(fitting_design(con, design), most_pairs=most_pairs)
    review = math.log2(config.review / (1 - config.review))
    score_pairs(con, design, cap=config.cap or default_cap, least=min(review, LEAST_BITS))
    con.execute("drop table identity_pairs; drop table identity_compared")
    # Without pairs within a source nothing tells whether it holds copies.
    said = False if link_only and config.listed_once is None else config.listed_once
    lists = find_lists(con, said=said)
    _group(con, design, config, lists)
    con.execute(_MEMBERS)
    _keep_scored(con, review=review)
    con.execute(
        "drop table identity_nodes; drop table identity_scored; "
        "drop view identity.records; drop table identity.record_rows"
    )
    return design, lists.names if lists else ()


def _group(
    con: duckdb.DuckDBPyConnection, design: Design, config: LinkConfig, lists: Lists | None
) -> None:
    """Create ``identity_groups`` of all records."""
    write_links(con, accept=config.accept)
    labels = group_nodes(
        con,
        load_parameters(con, design.comparisons),
        accept=config.accept,
        limit=config.largest_entity_records,
        scored="identity_scored",
        lists=lists.bits if lists else None,
    )
    write_groups(con, labels, accept=config.accept)
    attach_records(con, accept=config.accept)


def _effort(nodes: int) -> tuple[int, float]:
    """Return how many records a key may hold, and pairs a record that a wide rule may propose.

    Small files are searched wide; in large ones a rule that finds every namesake costs more than
    it brings.
    """
    if nodes <= SMALL_FILE:
        return 250, 60.0
    return (120, 3.0) if nodes <= 5 * SMALL_FILE else (60, 1.0)


_MEMBERS = """
create or replace temp table link_members as
select
    r.record_id,
    r.evidence_id,
    coalesce(g.group_id, r.record_id) as group_id,
    coalesce(g.match_prob, 1.0) as match_prob
from identity.records as r
left join identity_groups as g on g.evidence_id = r.evidence_id
"""


def _keep_scored(con: duckdb.DuckDBPyConnection, *, review: float) -> None:
    """Keep the weighed pairs that are worth a look, by the numbers of their records."""
    found = con.sql(_SCORED, params={"review": review}).to_arrow_table()
    found = name_nodes(con, found, {"node_a": "evidence_a", "node_b": "evidence_b"})
    con.register("link_scored", found)


_SCORED = """
select
    node_a, node_b,
    1 / (1 + pow(2, least(-log_odds, 200))) as match_prob,
    match_weight, household_weight, rule
from identity_scored
where log_odds >= $review
"""
