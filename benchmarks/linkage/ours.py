"""This package's own linkage: raw Parquet to clusters, default settings, no labels.

``cdp link`` as people run it, and the stages of a night, which also know the kind of each record.
Two variants of the night show what its parts are worth: one that knows nothing of families, with
two latent classes instead of three, and connected components instead of guarded clustering.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np

import cdp_pipeline.identity.scoring.kernel  # noqa: F401 - else the fit would count its imports
from benchmarks.linkage.datasets import DataSet
from benchmarks.linkage.wordlists import Integers
from benchmarks.linkage.worker import Outcome, Watch
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.identity.files.link import link_files
from cdp_pipeline.identity.grouping.attach import attach_records
from cdp_pipeline.identity.grouping.cluster import group_nodes
from cdp_pipeline.identity.grouping.groups import write_groups
from cdp_pipeline.identity.grouping.linkage import components
from cdp_pipeline.identity.scoring.design import Design, fitting_design, shipped_design
from cdp_pipeline.identity.scoring.edges import write_edges
from cdp_pipeline.identity.scoring.model import score_pairs
from cdp_pipeline.identity.scoring.weights import load_parameters
from cdp_pipeline.identity.standard.nodes import build_nodes
from cdp_pipeline.identity.standard.records import standardise
from cdp_pipeline.project.loader import starter_folder

BUSINESS_DATE = date(2026, 11, 2)


def link(data: DataSet, scratch: Path, watch: Watch) -> Outcome:
    """Link as ``cdp link records.parquet`` does."""
    del scratch
    with watch.phase("all"):
        result = link_files([data.folder / "records.parquet"])
    with duckdb.connect() as con:
        con.register("clusters", result.clusters)
        con.register("edges", result.edges)
        groups = con.execute(_LINKED).fetchnumpy()["cluster"]
        edges = con.execute(_LINKED_EDGES).fetchnumpy()
    pairs = tuple(np.asarray(edges[name]) for name in ("a", "b", "probability"))
    return Outcome({"0.5": np.asarray(groups, np.int64)}, pairs, accept=result.settings.accept)


def link_as_at_night(data: DataSet, scratch: Path, watch: Watch) -> Outcome:
    """Link with the stages of a night and the shipped design."""
    return _link(data, scratch, watch, shipped_design())


def link_with_two_classes(data: DataSet, scratch: Path, watch: Watch) -> Outcome:
    """Link without what knows of families: the household class, and that nobody is born twice.

    The second guard mends part of what a model of two classes joins, so both are left out.
    """
    design = replace(shipped_design(), classes=2)
    return _link(data, scratch, watch, design, are_births_guarded=False)


def link_without_guard(data: DataSet, scratch: Path, watch: Watch) -> Outcome:
    """Link with connected components of all accepted pairs."""
    return _link(data, scratch, watch, shipped_design(), guarded=False)


def _link(
    data: DataSet,
    scratch: Path,
    watch: Watch,
    design: Design,
    *,
    guarded: bool = True,
    are_births_guarded: bool = True,
) -> Outcome:
    context = RunContext(BUSINESS_DATE, "bench", scratch, Settings(data_dir=scratch))
    settings = context.settings.identity
    con = duckdb.connect(config={"threads": 2, "temp_directory": str(scratch)})
    with watch.phase("read and clean"):
        _read(con, data)
        standardise(con, context)
    with watch.phase("node table"):
        build_nodes(con, columns=design.node_columns)
    with watch.phase("pairs, fit, score"):
        fitted = fitting_design(con, design)
        score_pairs(con, fitted, cap=settings.block_cap)
        write_edges(con, fitted, review=settings.review_prob, accept=settings.accept_prob)
    with watch.phase("cluster"):
        if guarded:
            limit = settings.maximum_cluster_records
            compared = fitted.comparisons
            if not are_births_guarded:  # the guard knows the comparison by its field
                compared = tuple(replace(comparison, fields=()) for comparison in compared)
            parameters = load_parameters(con, compared)
            labels = group_nodes(con, parameters, accept=settings.accept_prob, limit=limit)
        else:
            labels = _components(con, accept=settings.accept_prob)
        write_groups(con, labels, accept=settings.accept_prob)
    with watch.phase("attach"):
        attach_records(con, accept=settings.accept_prob)
    found = con.execute(_EDGES).fetchnumpy()
    edges = tuple(np.asarray(found[name]) for name in ("a", "b", "match_prob"))
    groups = np.asarray(con.execute(_GROUPS).fetchnumpy()["cluster"], np.int64)
    return Outcome({"0.5": groups}, edges, accept=settings.accept_prob)


def _read(con: duckdb.DuckDBPyConnection, data: DataSet) -> None:
    con.execute("attach ':memory:' as staging; create schema identity")
    for path in sorted((starter_folder("sql") / "macros").glob("identity_*.sql")):
        con.execute(path.read_text(encoding="utf-8"))
    con.execute(
        "create table staging.person_records as from read_parquet(?)",
        [str(data.folder / "records.parquet")],
    )


def _components(con: duckdb.DuckDBPyConnection, *, accept: float) -> Integers:
    links = con.execute(
        "select node_a, node_b from staging.identity_links where log_odds >= log2($1 / (1 - $1))",
        [accept],
    ).fetchnumpy()
    size = con.execute("select count(*) from identity_nodes").fetchall()[0][0]
    return components(np.asarray(links["node_a"]), np.asarray(links["node_b"]), size=size)


_GROUPS = """
select coalesce(g.group_id, -1 - r.record_id) as cluster
from identity.records as r
left join identity_groups as g using (evidence_id)
order by r.source, r.record_key
"""

_EDGES = """
with numbered as (
    select source, record_key, row_number() over (order by source, record_key) - 1 as number
    from identity.records
)
select a.number as a, b.number as b, e.match_prob
from identity.edges as e
inner join numbered as a on a.source = e.source_a and a.record_key = e.record_key_a
inner join numbered as b on b.source = e.source_b and b.record_key = e.record_key_b
"""

_LINKED = """
select dense_rank() over (order by entity_id) as cluster
from clusters
order by source, record_id
"""

_LINKED_EDGES = """
with numbered as (
    select source, record_id, row_number() over (order by source, record_id) - 1 as number
    from clusters
)
select a.number as a, b.number as b, e.probability
from edges as e
inner join numbered as a on a.source = e.source_a and a.record_id = e.record_id_a
inner join numbered as b on b.source = e.source_b and b.record_id = e.record_id_b
"""
