"""The figures of nights as tables, and the bars they are held to."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean
from typing import Any

COPY_FACTOR = 4
PEAK_MEGABYTES = 8192
DELTA_SHARE = 0.10
GROWTH = 1.3
IMPORT_SHARE = 0.5
"""Share of a night's CPU above which process start and imports would dominate."""


@dataclass(frozen=True)
class Loads:
    """One store's figures: the bare copy of its first deliveries, its load and its nights."""

    customers: int
    history_days: int
    rows: dict[str, int]
    copied: dict[str, Any]
    nights: list[dict[str, Any]]

    def total(self, number: int, kind: str = "cpu", stage: str | None = None) -> float:
        """Return a night's seconds, imports included in CPU; the load is night 0."""
        steps = [s for s in self.nights[number]["steps"] if stage in (None, s["stage"])]
        start = self.nights[number]["startup"] if stage is None and kind == "cpu" else 0
        return start + sum(s[kind] + (s["imports"] if kind == "cpu" else 0) for s in steps)

    def without_delivery(self, number: int) -> float:
        """Return a night's CPU seconds without the step that erases people."""
        steps = [s for s in self.nights[number]["steps"] if s["step"] == "deliver"]
        return self.total(number) - sum(s["cpu"] + s["imports"] for s in steps)

    @property
    def delta(self) -> float:
        """Mean CPU seconds of a night after the load."""
        return mean(self.total(number) for number in range(1, len(self.nights)))

    @property
    def peak(self) -> float:
        """Largest resident set of any step, MB."""
        return max(s["peak"] for night in self.nights for s in night["steps"])


def render_report(loads: list[Loads]) -> str:
    """Return the tables of all stores and the bars; the first store is the one that counts."""
    return f"{_steps(loads[0], loads)}\n{_bars(loads)}"


def _steps(found: Loads, loads: list[Loads]) -> str:
    megabytes = found.copied["bytes"] / 1e6
    rows = ", ".join(f"{name} {count:,}" for name, count in sorted(found.rows.items()))
    last, half = len(found.nights) - 1, loads[1] if len(loads) > 1 else None
    lines = [
        f"{found.customers:,} customers, {found.history_days} days of history: {rows}.",
        "",
        (
            f"First deliveries: {megabytes:,.0f} MB; bare copy {found.copied['cpu']:.1f} CPU s "
            f"({megabytes / found.copied['cpu']:.0f} MB/s), load {found.total(0):.1f} CPU s "
            f"({megabytes / found.total(0):.1f} MB/s)."
        ),
        "",
        (
            f"People erased: {found.nights[0]['erased']:,} on the night of the load, then "
            f"{', '.join(format(night['erased'], ',') for night in found.nights[1:])}."
        ),
        "",
        (
            "| step | load CPU s | wall s | peak MB | night CPU s | of it imports | wall s "
            "| peak MB | night, half the history, CPU s |"
        ),
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for number, step in enumerate(found.nights[0]["steps"]):
        night = found.nights[last]["steps"][number]
        before = f"{half.nights[last]['steps'][number]['cpu']:.2f}" if half else ""
        lines.append(
            f"| {step['step']} | {step['cpu'] + step['imports']:.2f} | {step['wall']:.2f} | "
            f"{step['peak']:,.0f} | {night['cpu'] + night['imports']:.2f} | {night['imports']:.2f} "
            f"| {night['wall']:.2f} | {night['peak']:,.0f} | {before} |"
        )
    lines.append(
        f"| **all** | {found.total(0):.1f} | {found.total(0, 'wall'):.1f} | | "
        f"{found.total(last):.1f} | {_imports(found, last):.1f} | {found.total(last, 'wall'):.1f} "
        f"| {found.peak:,.0f} | {f'{half.total(last):.1f}' if half else ''} |"
    )
    return "\n".join([*lines, ""])


def _imports(found: Loads, number: int) -> float:
    """Return CPU seconds of a night's process that no step's work accounts for."""
    night = found.nights[number]
    return float(night["startup"] + sum(step["imports"] for step in night["steps"]))


def _bars(loads: list[Loads]) -> str:
    found = loads[0]
    most = COPY_FACTOR * found.copied["cpu"] + found.total(0, stage="identity")
    share = found.delta / found.total(0)
    last = len(found.nights) - 1
    quiet = found.without_delivery(last) / found.without_delivery(0)
    imports = _imports(found, last) / found.total(last)
    bars = [
        (
            f"initial load within {COPY_FACTOR} bare copies plus linkage, {most:.1f} CPU s",
            f"{found.total(0):.1f}",
            found.total(0) <= most,
        ),
        (
            f"peak memory under {PEAK_MEGABYTES:,} MB",
            f"{found.peak:,.0f}",
            found.peak < PEAK_MEGABYTES,
        ),
        (f"a night under {DELTA_SHARE:.0%} of the load", f"{share:.1%}", share < DELTA_SHARE),
        (
            f"the last night under {DELTA_SHARE:.0%} of the load, both without `deliver`",
            f"{quiet:.1%}",
            quiet < DELTA_SHARE,
        ),
        (
            f"process start and imports under {IMPORT_SHARE:.0%} of a night",
            f"{imports:.1%}",
            imports < IMPORT_SHARE,
        ),
    ]
    if len(loads) > 1:
        growth = found.delta / loads[1].delta
        bars.append(
            (
                f"twice the history costs a night less than {GROWTH} times",
                f"{growth:.2f}",
                growth < GROWTH,
            )
        )
    lines = [
        f"| {title} | {value} | {'pass' if met else '**fail**'} |" for title, value, met in bars
    ]
    return "\n".join(["| bar | measured | |", "| --- | ---: | --- |", *lines, ""])
