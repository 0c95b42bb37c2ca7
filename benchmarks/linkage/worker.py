"""One system on one data set in a process of its own: ``python -m benchmarks.linkage.worker``.

Imports, reading of labels and evaluation are not counted; CPU seconds are those of all threads and
of child processes. The systems stand in ``SYSTEMS``; each returns groupings by name, its default
first, and the pairs it scored if it scores pairs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.linkage.datasets import DataSet
from benchmarks.linkage.scoring import read_truth, score_edges, score_groups
from benchmarks.linkage.wordlists import Integers

SYSTEMS = {
    "ours": ("benchmarks.linkage.ours", "link"),
    "ours_night": ("benchmarks.linkage.ours", "link_as_at_night"),
    "ours_two_classes": ("benchmarks.linkage.ours", "link_with_two_classes"),
    "ours_no_guard": ("benchmarks.linkage.ours", "link_without_guard"),
    "ours_incremental": ("benchmarks.linkage.incremental", "link"),
    "splink": ("benchmarks.linkage.splink_peer", "link_documented"),
    "splink_lean": ("benchmarks.linkage.splink_peer", "link_lean"),
    "recordlinkage": ("benchmarks.linkage.recordlinkage_peer", "link"),
    "custmatch": ("benchmarks.linkage.custmatch_peer", "link"),
    "exact_rules": ("benchmarks.linkage.exact_rules", "link"),
}


STORES_ONLY = ("ours_night", "ours_two_classes", "ours_no_guard", "ours_incremental")
"""Systems that know a store's columns only."""


class Watch:
    """Measures the named phases of a run; the rest of the process does not count."""

    def __init__(self) -> None:
        """Begin with no phase."""
        self.phases: dict[str, dict[str, float]] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what happens inside as part of the phase."""
        wall, cpu = time.perf_counter(), cpu_seconds()
        yield
        spent = self.phases.setdefault(name, {"wall": 0.0, "cpu": 0.0})
        spent["wall"] += time.perf_counter() - wall
        spent["cpu"] += cpu_seconds() - cpu


@dataclass
class Outcome:
    """What a system found.

    Attributes:
        groups: Groupings by name, each a cluster number a record in the order of (source, record
            key); the first is the system's default.
        edges: Scored pairs (left, right, probability) by record number, if there are any.
        accept: Probability from which the default grouping accepts a pair.
        notes: What else is worth knowing, for the reader.
        peak_megabytes: Largest memory, where it is not that of the whole process so far.
        figures: Further figures that a bar asks for, by name.
    """

    groups: dict[str, Integers]
    edges: tuple[Integers, Integers, np.ndarray] | None = None
    accept: float = 0.5
    notes: list[str] = field(default_factory=list)
    peak_megabytes: float | None = None
    figures: dict[str, float] = field(default_factory=dict)


def cpu_seconds() -> float:
    """Return CPU seconds of this process and its ended children, all threads."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak_megabytes() -> float:
    """Return the largest resident memory of this process so far.

    Linux keeps it by program; what ``getrusage`` says also counts the parent before the start.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_system(system: str, data: DataSet, scratch: Path) -> dict[str, object]:
    """Run a system and return its seconds, memory and scores."""
    module, name = SYSTEMS[system]
    watch = Watch()
    outcome = getattr(importlib.import_module(module), name)(data, scratch, watch)
    peak = outcome.peak_megabytes or peak_megabytes()
    truth = read_truth(data.folder)
    groups = {}
    for variant, found in outcome.groups.items():
        groups[variant] = {"all": score_groups(found, truth)}
        if data.has_profiles:
            groups[variant]["profiles"] = score_groups(found, truth, truth.is_profile)
    return {
        "system": system,
        "data": data.name,
        "rows": data.rows,
        "cpu": sum(spent["cpu"] for spent in watch.phases.values()),
        "wall": sum(spent["wall"] for spent in watch.phases.values()),
        "peak_megabytes": peak,
        "phases": watch.phases,
        "groups": groups,
        "edges": score_edges(*outcome.edges, truth, accept=outcome.accept)
        if outcome.edges
        else None,
        "notes": outcome.notes,
        "figures": outcome.figures,
    }


def main() -> None:
    """Run what the command line names and write its result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", choices=sorted(SYSTEMS))
    parser.add_argument("data")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    result = run_system(options.system, DataSet(options.data, options.folder), options.scratch)
    options.out.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
