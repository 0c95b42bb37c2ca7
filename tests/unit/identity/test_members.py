"""What pairs inside groups weigh, whether or not they were weighed before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("recordlinkage")

from benchmarks.linkage.populations import make_population
from cdp_pipeline.identity.files import resolving
from cdp_pipeline.identity.files.link import link_files
from cdp_pipeline.identity.grouping.members import MemberPairs, Weigher


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A retailer's records, dirty enough for groups in which not every pair is alike."""
    folder = tmp_path_factory.mktemp("retail")
    make_population("retail", 3000, folder)
    return folder / "records.parquet"


def _weighed(
    records: Path, monkeypatch: pytest.MonkeyPatch, *, are_known: bool
) -> tuple[pa.Table, list[MemberPairs]]:
    found: list[MemberPairs] = []
    weigh, group = Weigher.weigh, resolving.group_nodes

    def watched(weigher: Weigher, *members: np.ndarray) -> MemberPairs:
        found.append(weigh(weigher, *members))
        return found[-1]

    def forgetful(*arguments: object, scored: str, **more: object) -> object:
        return group(*arguments, scored=scored if are_known else None, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Weigher, "weigh", watched)
        patch.setattr(resolving, "group_nodes", forgetful)
        linked = link_files([records])
    return linked.clusters, found


def test_known_weights_are_those_of_comparing_again(
    records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clusters, known = _weighed(records, monkeypatch, are_known=True)
    again, compared = _weighed(records, monkeypatch, are_known=False)
    assert clusters.equals(again)
    assert sum(len(pairs.left) for pairs in known) > 0
    for one, other in zip(known, compared, strict=True):
        for name in ("sizes", "left", "right", "log_odds"):
            assert np.array_equal(getattr(one, name), getattr(other, name))


def test_all_pairs_of_a_group_are_weighed_once(
    records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pairs in _weighed(records, monkeypatch, are_known=True)[1]:
        assert (pairs.left < pairs.right).all()
        nodes = np.unique(np.concatenate([pairs.left, pairs.right]))
        partners = np.array([((pairs.left == n) | (pairs.right == n)).sum() for n in nodes])
        sizes = [pairs.sizes[(pairs.left == n) | (pairs.right == n)].max() for n in nodes]
        assert np.array_equal(partners, np.array(sizes) - 1)
