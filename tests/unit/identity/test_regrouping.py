"""A night that groups again only what something happened to groups it as a full night does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("recordlinkage")

from cdp_pipeline.identity.grouping import cluster
from cdp_pipeline.identity.grouping.linkage import components
from cdp_pipeline.identity.scoring.namesakes import KIN_BITS, LEAST_BITS

NODES = 12
ENDS = st.integers(0, NODES - 1)
LINKS = st.lists(
    st.tuples(ENDS, ENDS, st.floats(LEAST_BITS, 12), st.sampled_from([0.0, KIN_BITS + 1])),
    max_size=25,
    unique_by=lambda link: (min(link[:2]), max(link[:2])),
)


def _group(links: list[tuple[int, int, float, float]], touched: Any = None) -> list[int]:
    rows = [(min(a, b), max(a, b), bits, kin) for a, b, bits, kin in links if a != b]
    columns = zip(*rows, strict=True) if rows else ([], [], [], [])
    types = (pa.int32(), pa.int32(), pa.float64(), pa.float64())
    names = ("node_a", "node_b", "log_odds", "kin_bits")
    table = pa.table(
        {
            name: pa.array(list(values), kind)
            for name, values, kind in zip(names, columns, types, strict=True)
        }
    )
    with duckdb.connect() as con, pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "reachable_nodes", lambda _con: np.arange(NODES) % 2 == 0)
        patch.setattr(cluster, "mailed_nodes", lambda _con, is_reachable: is_reachable)
        patch.setattr(cluster, "mention_nodes", lambda _con: np.arange(NODES) % 3 == 0)
        patch.setattr(cluster, "contact_nodes", lambda _con: np.arange(NODES) % 4 == 3)
        con.execute("attach ':memory:' as staging")
        con.register("found", table)
        con.execute("create table staging.identity_links as from found")
        con.execute(
            f"create temp table identity_node_ids as select range as node_id from range({NODES})"
        )
        labels = cluster.group_nodes(
            con,
            SimpleNamespace(),  # type: ignore[arg-type]  # nothing is split here
            accept=0.5,
            limit=300,
            touched=touched,
        )
    return [int(label) for label in labels]


def _together(labels: list[int], nodes: list[int]) -> set[tuple[int, int]]:
    return {(a, b) for a in nodes for b in nodes if a < b and labels[a] == labels[b]}


@settings(deadline=None, max_examples=60)  # a busy machine is no error
@given(links=LINKS, seeds=st.sets(ENDS, min_size=1, max_size=3))
def test_whole_components_of_competitors_group_as_in_a_full_night(
    links: list[tuple[int, int, float, float]], seeds: set[int]
) -> None:
    left, right = (np.array([link[side] for link in links], np.int64) for side in (0, 1))
    parts = components(left, right, size=NODES)
    touched = np.isin(parts, parts[sorted(seeds)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "_split_groups", lambda _weigh, labels, *_, **__: labels)
        full, part = _group(links), _group(links, touched)
    nodes = np.flatnonzero(touched).tolist()
    assert _together(full, nodes) == _together(part, nodes)
    others = [node for node in range(NODES) if node not in nodes]
    assert not _together(part, others)


def test_a_new_candidate_takes_a_namesake_away() -> None:
    """Node 0 was the mere name's (1) only candidate; with node 2 neither is likelier than not."""
    before = _group([(0, 1, 3.0, 0.0)])
    after = _group([(0, 1, 3.0, 0.0), (1, 2, 3.0, 0.0)])
    assert before[0] == before[1]
    assert len(set(after[:3])) == 3
