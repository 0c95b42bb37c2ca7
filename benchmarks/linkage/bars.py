"""What the project promises of its linkage, and whether a run kept it.

Floors and ceilings on single figures, on differences from peers and on ratios of CPU seconds in the
same run. A bar whose figures a run did not measure is not judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Results = dict[tuple[str, str], dict[str, Any]]


@dataclass(frozen=True)
class Bar:
    """One promise.

    Attributes:
        data: Data set it speaks of.
        title: What is measured.
        needs: Systems whose results it takes.
        measure: From those results, in order, to the figure.
        least: Smallest figure that passes.
        most: Largest figure that passes.
    """

    data: str
    title: str
    needs: tuple[str, ...]
    measure: Callable[..., float]
    least: float | None = None
    most: float | None = None

    def judge(self, results: Results) -> tuple[float, bool] | None:
        """Return the figure and whether it passes; None when it was not measured."""
        found = [results.get((system, self.data)) for system in self.needs]
        if not all(found):
            return None
        figure = self.measure(*found)
        passes = (self.least is None or figure >= self.least) and (
            self.most is None or figure <= self.most
        )
        return figure, passes


def default_of(result: dict[str, Any], scope: str = "all") -> dict[str, Any]:
    """Return the figures of a system's default grouping."""
    return next(iter(result["groups"].values()))[scope]


def best_of(result: dict[str, Any], scope: str = "all") -> tuple[str, dict[str, Any]]:
    """Return the variant with the highest F1, chosen with the truth, and its figures."""
    scored = {name: scopes[scope] for name, scopes in result["groups"].items()}
    name = max(scored, key=lambda variant: scored[variant]["f1"])
    return name, scored[name]


def _figure(name: str, scope: str = "all") -> Callable[..., float]:
    return lambda ours: float(default_of(ours, scope)[name])


def _share(name: str) -> Callable[..., float]:
    def measure(ours: dict[str, Any]) -> float:
        found = default_of(ours)
        return float(found[name] / found["clusters"])

    return measure


def _cpu_ratio(ours: dict[str, Any], peer: dict[str, Any]) -> float:
    return float(ours["cpu"] / peer["cpu"])


def _memory_ratio(ours: dict[str, Any], peer: dict[str, Any]) -> float:
    return float(ours["peak_megabytes"] / peer["peak_megabytes"])


def _lead(ours: dict[str, Any], *peers: dict[str, Any]) -> float:
    return float(default_of(ours)["f1"] - max(best_of(peer)[1]["f1"] for peer in peers))


def _loss(ours: dict[str, Any], ablated: dict[str, Any]) -> float:
    return float(default_of(ours)["f1"] - default_of(ablated)["f1"])


def _calibration(ours: dict[str, Any]) -> float:
    return abs(float(ours["edges"]["calibration"]))


def _febrl() -> list[Bar]:
    floors = {"febrl1": 0.998, "febrl2": 0.998, "febrl3": 0.999, "febrl4": 0.9995}
    return [
        Bar(name, "F1", ("ours",), _figure("f1"), least=floor) for name, floor in floors.items()
    ]


def _retail() -> list[Bar]:
    bars = []
    for name in ("retail_200k", "retail_held_out_200k"):
        bars += [
            Bar(name, "F1", ("ours",), _figure("f1"), least=0.965),
            Bar(name, "precision", ("ours",), _figure("precision"), least=0.985),
            Bar(name, "B-cubed", ("ours",), _figure("b3"), least=0.965),
            Bar(name, "joined pairs of one household's members, share of joined pairs", ("ours",),
                _figure("family_share"), most=0.01),
            Bar(name, "F1 above Splink's best threshold", ("ours", "splink", "splink_lean"), _lead,
                least=0.10),
            Bar(name, "F1 above two classes", ("ours", "ours_two_classes"), _loss, least=0.20),
            Bar(name, "mean probability minus precision of accepted pairs", ("ours",),
                _calibration, most=0.02),
        ]  # fmt: skip
    return bars


def _million() -> list[Bar]:
    name = "retail_1m"
    return [
        Bar(name, "F1", ("ours",), _figure("f1"), least=0.94),
        Bar(name, "precision", ("ours",), _figure("precision"), least=0.965),
        Bar(name, "F1 above Splink's best threshold", ("ours", "splink", "splink_lean"), _lead,
            least=0.10),
        Bar(name, "mean probability minus precision of accepted pairs", ("ours",), _calibration,
            most=0.02),
        Bar(name, "CPU beside the fastest Splink", ("ours", "splink_lean"), _cpu_ratio, most=0.40),
        Bar(name, "CPU beside Splink as documented", ("ours", "splink"), _cpu_ratio, most=0.15),
        Bar(name, "CPU beside recordlinkage", ("ours", "recordlinkage"), _cpu_ratio, most=0.55),
        Bar(name, "CPU beside custmatch", ("ours", "custmatch"), _cpu_ratio, most=0.05),
        Bar(name, "CPU seconds", ("ours",), lambda ours: float(ours["cpu"]), most=15.0),
        Bar(name, "wall seconds, idle machine", ("ours",), lambda ours: float(ours["wall"]),
            most=10.0),
        Bar(name, "peak memory, MB", ("ours",), lambda ours: float(ours["peak_megabytes"]),
            most=1600.0),
        Bar(name, "peak memory beside the fastest Splink", ("ours", "splink_lean"),
            _memory_ratio, most=0.50),
    ]  # fmt: skip


def _store() -> list[Bar]:
    bars = []
    for name in ("store_20k", "store_100k"):
        bars += [
            Bar(name, "F1 of profiles", ("ours",), _figure("f1", "profiles"), least=0.97),
            Bar(name, "precision of profiles", ("ours",), _figure("precision", "profiles"),
                least=0.985),
            Bar(name, "recall over all records", ("ours",), _figure("recall"), least=0.90),
            Bar(name, "clusters that mix people", ("ours",), _share("mixed_people"), most=0.008),
            Bar(name, "clusters that mix households", ("ours",), _share("mixed_households"),
                most=0.0001),
        ]  # fmt: skip
    return bars


BARS: tuple[Bar, ...] = (*_febrl(), *_retail(), *_million(), *_store())
