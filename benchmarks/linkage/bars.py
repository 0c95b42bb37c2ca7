"""What the project promises of its linkage, and whether a run kept it.

Floors and ceilings on single figures, on differences from peers and on ratios of CPU seconds in the
same run. A bar whose figures a run did not measure is not judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Results = dict[tuple[str, str], dict[str, Any]]

OURS = ("ours", "ours_night")
"""The two ways in: ``cdp link``, and the stages of a night; each is held to every bar."""


@dataclass(frozen=True)
class Bar:
    """One promise.

    Attributes:
        data: Data set it speaks of.
        title: What is measured.
        measure: From our result and those of the peers to the figure.
        peers: Systems whose results it takes beside ours.
        least: Smallest figure that passes.
        most: Largest figure that passes.
        alone: System whose result is judged by itself, instead of ours.
    """

    data: str
    title: str
    measure: Callable[..., float]
    peers: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    alone: str | None = None

    def judge(self, results: Results, ours: str = "ours") -> tuple[float, bool] | None:
        """Return the figure and whether it passes; None when it was not measured."""
        found = [results.get((system, self.data)) for system in (self.alone or ours, *self.peers)]
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


def _cost(name: str) -> Callable[..., float]:
    return lambda ours: float(ours[name])


def _calibration(ours: dict[str, Any]) -> float:
    return abs(float(ours["edges"]["calibration"]))


def _incremental(figure: str) -> Callable[..., float]:
    return lambda night: float(night["figures"][figure])


def _nights(name: str) -> tuple[Bar, ...]:
    """Return the bars of a night with 1 % new records, beside a full run in the same process."""
    bounds = (
        ("CPU of a night with 1 % new, beside a full run", "cpu_ratio", None, 0.25),
        ("F1 of a night with 1 % new, off a full run's", "f1_difference", None, 0.001),
        ("records that keep their id", "ids_kept", 0.999, None),
        ("redirects that take more than one step", "redirects_unresolved", None, 0),
    )
    return tuple(
        Bar(name, title, _incremental(figure), least=least, most=most, alone="ours_incremental")
        for title, figure, least, most in bounds
    )


def _febrl() -> list[Bar]:
    floors = {"febrl1": 0.998, "febrl2": 0.998, "febrl3": 0.999, "febrl4": 0.9995}
    return [Bar(name, "F1", _figure("f1"), least=floor) for name, floor in floors.items()]


SPLINKS = ("splink", "splink_lean")
CALIBRATION = "mean probability minus precision of accepted pairs"
LEAD = "F1 above Splink's best threshold"


def _retail() -> list[Bar]:
    return [
        bar
        for name in ("retail_200k", "retail_held_out_200k")
        for bar in (
            Bar(name, "F1", _figure("f1"), least=0.965),
            Bar(name, "precision", _figure("precision"), least=0.985),
            Bar(name, "B-cubed", _figure("b3"), least=0.965),
            Bar(name, "joined pairs within a household", _figure("family_share"), most=0.01),
            Bar(name, LEAD, _lead, SPLINKS, least=0.10),
            Bar(name, "F1 above two classes", _loss, ("ours_two_classes",), least=0.20),
            Bar(name, CALIBRATION, _calibration, most=0.02),
            *_nights(name),
        )
    ]


def _million() -> list[Bar]:
    name = "retail_1m"
    return [
        Bar(name, "F1", _figure("f1"), least=0.94),
        Bar(name, "precision", _figure("precision"), least=0.965),
        Bar(name, LEAD, _lead, SPLINKS, least=0.10),
        Bar(name, CALIBRATION, _calibration, most=0.02),
        Bar(name, "CPU beside the fastest Splink", _cpu_ratio, ("splink_lean",), most=0.40),
        Bar(name, "CPU beside Splink as documented", _cpu_ratio, ("splink",), most=0.15),
        Bar(name, "CPU beside recordlinkage", _cpu_ratio, ("recordlinkage",), most=0.55),
        Bar(name, "CPU beside custmatch", _cpu_ratio, ("custmatch",), most=0.05),
        Bar(name, "CPU seconds", _cost("cpu"), most=15.0),
        Bar(name, "wall seconds, idle machine", _cost("wall"), most=10.0),
        Bar(name, "peak memory, MB", _cost("peak_megabytes"), most=1600.0),
        Bar(name, "memory beside the fastest Splink", _memory_ratio, ("splink_lean",), most=0.50),
        *_nights(name),
    ]


def _store() -> list[Bar]:
    return [
        bar
        for name in ("store_20k", "store_100k")
        for bar in (
            Bar(name, "F1 of profiles", _figure("f1", "profiles"), least=0.97),
            Bar(name, "precision of profiles", _figure("precision", "profiles"), least=0.985),
            Bar(name, "recall over all records", _figure("recall"), least=0.90),
            Bar(name, "clusters that mix people", _share("mixed_people"), most=0.008),
            Bar(name, "clusters that mix households", _share("mixed_households"), most=0.0001),
        )
    ]


BARS: tuple[Bar, ...] = (*_febrl(), *_retail(), *_million(), *_store())
