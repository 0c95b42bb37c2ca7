"""recordlinkage 0.16 as its documentation has it: blocks, comparisons, its ECM classifier.

Pairs that the classifier matches are joined into connected components.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import recordlinkage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from benchmarks.linkage.datasets import DataSet
from benchmarks.linkage.worker import Outcome, Watch

NAMES_ALIKE, STREETS_ALIKE, FEBRL_ALIKE = 0.88, 0.92, 0.85
BLOCKS = (
    ["email"], ["phone"], ["loyalty_id"], ["birth_date", "last_name"], ["birth_date", "first_name"],
    ["street", "postcode"], ["first_name", "last_name", "postcode"],
)  # fmt: skip
FEBRL_BLOCKS = (["given_name"], ["surname"], ["date_of_birth"], ["soc_sec_id"], ["postcode"])


def link(data: DataSet, scratch: Path, watch: Watch) -> Outcome:
    """Link with the expectation-conditional-maximisation classifier; no labels."""
    del scratch
    warnings.simplefilter("ignore")
    with watch.phase("read"):
        frame = pd.read_parquet(data.folder / "standard.parquet")
        frame = frame.sort_values(["source", "record_key"], ignore_index=True)
        if not data.is_febrl:
            born = frame["birth_date"]
            frame["birth_date"] = born.astype(str).where(born.notna(), None)
    indexer, compare = _set_up(data)
    sides = [frame]
    if data.name == "febrl4":
        sides = [frame[frame["source"] == side] for side in "ab"]
    with watch.phase("block"):
        pairs = indexer.index(*sides)
    with watch.phase("compare"):
        vectors = compare.compute(pairs, *sides)
    with watch.phase("classify"):
        matches = recordlinkage.ECMClassifier().fit_predict((vectors > 0).astype(int))
    with watch.phase("cluster"):
        left, right = (matches.get_level_values(n).to_numpy() for n in (0, 1))
        graph = coo_matrix((np.ones(len(left), bool), (left, right)), shape=(len(frame),) * 2)
        groups = connected_components(graph, directed=False)[1]
    return Outcome({"default": groups.astype(np.int64)}, notes=[f"{len(pairs):,} compared pairs"])


def _set_up(data: DataSet) -> tuple[recordlinkage.Index, recordlinkage.Compare]:
    indexer, compare = recordlinkage.Index(), recordlinkage.Compare()
    blocks = FEBRL_BLOCKS if data.is_febrl else BLOCKS
    if data.has_profiles:
        blocks = (*BLOCKS, ["payment_token"])
    for block in blocks:
        indexer.block(block)
    if data.is_febrl:
        alike, close = ("given_name", "surname"), ("address_1",)
        equal = ("date_of_birth", "suburb", "state", "soc_sec_id", "postcode")
        limits = (FEBRL_ALIKE, FEBRL_ALIKE)
    else:
        alike, close = ("first_name", "last_name"), ("street",)
        equal = ("birth_date", "email", "phone", "loyalty_id", "postcode")
        equal += ("payment_token",) if data.has_profiles else ()
        limits = (NAMES_ALIKE, STREETS_ALIKE)
    for names, limit in ((alike, limits[0]), (close, limits[1])):
        for name in names:
            compare.string(name, name, method="jarowinkler", threshold=limit, label=name)
    for name in equal:
        compare.exact(name, name, label=name)
    return indexer, compare
