"""The benchmark's evaluator against figures reckoned by hand, its bars, and its quick run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.linkage.bars import BARS, Bar
from benchmarks.linkage.scoring import Truth, score_edges, score_groups

ROOT = Path(__file__).resolve().parents[2]

# Two homes: persons 0 and 1 share one, person 2 has the other.
TRUTH = Truth(
    person=np.array([0, 0, 0, 1, 1, 2]),
    household=np.array([0, 0, 0, 0, 0, 1]),
    is_profile=np.array([True, True, False, True, False, True]),
)


def test_figures_are_those_reckoned_by_hand() -> None:
    found = score_groups(np.array([7, 7, 8, 8, 9, 9]), TRUTH)
    assert (found["precision"], found["recall"]) == (1 / 3, 1 / 4)
    assert found["f1"] == pytest.approx(2 / 7)
    assert found["b3"] == pytest.approx(2 * (4 / 6) * (11 / 18) / (4 / 6 + 11 / 18))
    assert (found["clusters"], found["exact"]) == (3, 0.0)
    assert (found["mixed_people"], found["mixed_households"]) == (2, 1)
    assert found["family_share"] == pytest.approx(1 / 3)


def test_a_part_of_the_records_is_scored_by_itself() -> None:
    found = score_groups(np.array([7, 7, 7, 8, 8, 8]), TRUTH, TRUTH.is_profile)
    assert found["records"] == 4
    assert (found["precision"], found["recall"]) == (1 / 2, 1.0)


def test_calibration_is_what_was_stated_less_what_was_true() -> None:
    found = score_edges(
        np.array([0, 1, 0]), np.array([1, 3, 5]), np.array([0.9, 0.7, 0.4]), TRUTH, accept=0.5
    )
    assert found["precision"] == 0.5
    assert found["recall"] == 1 / 4
    assert found["calibration"] == pytest.approx(0.3)


@given(st.lists(st.integers(0, 4), min_size=6, max_size=6))
def test_names_of_clusters_do_not_matter_and_shares_are_shares(groups: list[int]) -> None:
    plain, other = np.array(groups), 99 - 7 * np.array(groups)
    found = score_groups(plain, TRUTH)
    assert found == pytest.approx(score_groups(other, TRUTH))
    assert all(0 <= found[name] <= 1 for name in ("precision", "recall", "b3", "family_share"))
    assert score_groups(TRUTH.person, TRUTH)["f1"] == 1.0


def test_a_bar_is_judged_only_on_what_was_measured() -> None:
    bar = Bar("d", "ratio", lambda a, b: float(a["cpu"] / b["cpu"]), ("b",), most=0.5)
    assert bar.judge({("ours", "d"): {"cpu": 1.0}}) is None
    results = {("ours", "d"): {"cpu": 1.0}, ("b", "d"): {"cpu": 2.0}}
    assert bar.judge(results, "ours_night") is None
    assert bar.judge(results) == (0.5, True)
    assert bar.judge({**results, ("b", "d"): {"cpu": 1.9}}) == (
        pytest.approx(0.526, abs=1e-3),
        False,
    )


def test_every_bar_has_one_limit() -> None:
    assert [bar.title for bar in BARS if (bar.least is None) == (bar.most is None)] == []


@pytest.mark.slow
def test_the_quick_run_prints_its_tables_and_goes_on_where_it_was(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "linkage", "--quick", "--work", str(tmp_path)]
    command += ["--resume", "--systems", "ours", "exact_rules"]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "failed" not in first.stdout
    assert "### store_20k" in first.stdout
    results = {
        system: json.loads((tmp_path / "results" / f"store_20k-{system}-0.json").read_text())
        for system in ("ours", "exact_rules")
    }
    f1 = {
        system: next(iter(result["groups"].values()))["profiles"]["f1"]
        for system, result in results.items()
    }
    assert f1["ours"] >= 0.97
    assert f1["ours"] >= f1["exact_rules"] + 0.15
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    tables = [done.stdout[done.stdout.index("### febrl1") :] for done in (first, again)]
    assert tables[0] == tables[1]
