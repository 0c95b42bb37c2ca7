"""This package's own linkage: raw Parquet to clusters, default settings, no labels.

Two variants show what its parts are worth: two latent classes instead of three, and connected
components instead of guarded clustering.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.linkage.datasets import DataSet
from benchmarks.linkage.wordlists import Integers
from benchmarks.linkage.worker import Outcome, Watch
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.identity.attach import attach_records
from cdp_pipeline.identity.cluster import group_nodes, write_groups
from cdp_pipeline.identity.design import Design, fitting_design, shipped_design
from cdp_pipeline.identity.linkage import components
from cdp_pipeline.identity.model import score_pairs, write_edges
from cdp_pipeline.identity.nodes import build_nodes
from cdp_pipeline.identity.records import standardise
from cdp_pipeline.identity.weights import load_parameters

ROOT = Path(__file__).resolve().parents[2]
BUSINESS_DATE = date(2026, 11, 2)


def link(data: DataSet, scratch: Path, watch: Watch) -> Outcome:
    """Link with the shipped design."""
    return _link(data, scratch, watch, shipped_design())


def link_with_two_classes(data: DataSet, scratch: Path, watch: Watch) -> Outcome:
    """Link without the household class."""
    return _link(data, scratch, watch, replace(shipped_design(), classes=2))


def link_without_guard(data: DataSet, scratch: Path, watch: Watch) -> Outcome:
    """Link with connected components of all accepted pairs."""
    return _link(data, scratch, watch, shipped_design(), guarded=False)


def _link(
    data: DataSet, scratch: Path, watch: Watch, design: Design, *, guarded: bool = True
) -> Outcome:
    context = RunContext(BUSINESS_DATE, "bench", ROOT, Settings(data_dir=scratch))
    settings = context.settings.identity
    con = duckdb.connect(config={"threads": 2, "temp_directory": str(scratch)})
    with watch.phase("read and clean"):
        _read(con, data)
        standardise(con, context)
    with watch.phase("node table"):
        build_nodes(con)
    with watch.phase("pairs, fit, score"):
        fitted = fitting_design(con, design)
        score_pairs(con, fitted, cap=settings.block_cap)
        write_edges(con, fitted, review=settings.review_prob, accept=settings.accept_prob)
    with watch.phase("cluster"):
        if guarded:
            limit = settings.maximum_cluster_records
            parameters = load_parameters(con, fitted.comparisons)
            labels = group_nodes(con, parameters, accept=settings.accept_prob, limit=limit)
        else:
            labels = _components(con)
        write_groups(con, labels, accept=settings.accept_prob)
    with watch.phase("attach"):
        attach_records(con, accept=settings.accept_prob)
    found = con.execute(_EDGES).fetchnumpy()
    edges = tuple(np.asarray(found[name]) for name in ("a", "b", "match_prob"))
    groups = np.asarray(con.execute(_GROUPS).fetchnumpy()["cluster"], np.int64)
    return Outcome({"0.5": groups}, edges, accept=settings.accept_prob)


def _read(con: duckdb.DuckDBPyConnection, data: DataSet) -> None:
    con.execute("attach ':memory:' as staging; create schema identity")
    for path in sorted((ROOT / "sql" / "macros").glob("identity_*.sql")):
        con.execute(path.read_text(encoding="utf-8"))
    select = _FEBRL if data.is_febrl else "from read_parquet(?)"
    con.execute(
        f"create table staging.person_records as {select}", [str(data.folder / "records.parquet")]
    )


def _components(con: duckdb.DuckDBPyConnection) -> Integers:
    links = con.execute("select node_a, node_b from staging.identity_links").fetchnumpy()
    size = con.execute("select count(*) from identity_nodes").fetchall()[0][0]
    return components(np.asarray(links["node_a"]), np.asarray(links["node_b"]), size=size)


_FEBRL = """
select
    source,
    record_key,
    'contact' as record_kind,
    given_name,
    surname as family_name,
    cast(null as varchar) as full_name,
    cast(try_strptime(date_of_birth, '%Y%m%d') as date) as birth_date,
    cast(null as varchar) as sex,
    cast(null as varchar) as email,
    cast(null as varchar) as phone,
    concat_ws(' ', street_number, address_1) as street,
    suburb as city,
    postcode,
    cast(null as varchar) as loyalty_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as payment_token,
    soc_sec_id as national_id,
    street_number as house_number,
    state,
    cast(null as timestamp) as updated_at
from read_parquet(?)
"""

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
