"""Results as a page: one table a file, the phases of ours, then every bar with its figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.ingest.till_file import Truth
from benchmarks.ingest.watch import EXTRA
from benchmarks.ingest.worker import OURS
from benchmarks.machine import describe_machine

MOST_TIMES_BARE = 2.0
MOST_MEGABYTES = 2000
BARE = "duckdb"
_QUIET_CORES = 0.1
"""Cores that other programs may keep busy before the page says so."""
PACKAGES = ("duckdb", "pyarrow", "polars", "pandas")
TITLES = {
    OURS: "**the night's landing**",
    EXTRA: "the same, and one more copy",
    BARE: "DuckDB, bare copy",
    "polars": "polars",
    "pyarrow": "pyarrow",
    "pandas": "pandas",
}
Found = Mapping[str, dict[str, Any]]


def write_report(
    results: Mapping[int, Found], truths: Mapping[int, Truth], *, rounds: int, command: str
) -> tuple[str, bool]:
    """Return the whole report in Markdown, and whether every bar was kept."""
    parts = [f"    {command}", "", describe_machine(PACKAGES), ""]
    parts += [f"Medians of {rounds} rounds, systems taking turns." if rounds > 1 else "One round."]
    bars: list[tuple[str, str, str, bool]] = []
    for size, found in results.items():
        truth = truths[size]
        title = f"### {truth.bytes / 1e6:,.0f} MB, {truth.lines:,} lines"
        parts += ["", title, "", *_table(found, truth), *_other_work(found)]
        if OURS in found:
            parts += ["", *_phases(found[OURS])]
            bars += _bars(found, truth)
    rows = ["| file | bar | asked | found |", "| --- | --- | ---: | ---: |"]
    for title, asked, figure, is_kept in bars:
        size_text, _, bar = title.partition(": ")
        shown = figure if is_kept else f"**{figure}, missed**"
        rows.append(f"| {size_text} | {bar} | {asked} | {shown} |")
    parts += ["", "### Bars", "", *rows]
    return "\n".join(parts) + "\n", all(is_kept for *_, is_kept in bars)


def _table(found: Found, truth: Truth) -> list[str]:
    lines = [
        "| system | CPU s | x bare copy | wall s | MB/s | peak MB | Parquet MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    bare = found.get(BARE)
    if OURS in found:
        more = found[OURS]["phases"][EXTRA]
        found = {**found, EXTRA: _plus(found[OURS], more)}
    for name, title in TITLES.items():
        if name not in found:
            continue
        one = found[name]
        ratio = f"{one['cpu'] / bare['cpu']:.2f}" if bare else ""
        lines.append(
            f"| {title} | {one['cpu']:.1f} | {ratio} | {one['wall']:.1f} | "
            f"{truth.bytes / 1e6 / one['wall']:.0f} | {one['peak_megabytes']:,.0f} | "
            f"{one['written_megabytes']:,.0f} |"
        )
    return lines


def _other_work(found: Found) -> list[str]:
    """Return a sentence on what else the machine did, if it did anything."""
    cores = {name: one["others"] / one["wall"] for name, one in found.items()}
    if max(cores.values()) < _QUIET_CORES:
        return []
    shown = ", ".join(f"{busy:.1f} beside {TITLES[name]}" for name, busy in cores.items())
    return ["", f"Other programs kept cores busy meanwhile, so that wall times are long: {shown}."]


def _plus(one: dict[str, Any], more: dict[str, float]) -> dict[str, Any]:
    return one | {kind: one[kind] + more[kind] for kind in ("cpu", "wall")}


def _phases(ours: dict[str, Any]) -> list[str]:
    phases = "; ".join(f"{name} {spent['cpu']:.1f}" for name, spent in ours["phases"].items())
    counts = ", ".join(f"{count:,} {name}" for name, count in ours["found"].items())
    return [f"CPU seconds of the landing: {phases}.", f"It found {counts}."]


def _bars(found: Found, truth: Truth) -> Iterator[tuple[str, str, str, bool]]:
    ours, size = found[OURS], f"{truth.bytes / 1e6:,.0f} MB"
    for kind, name in (("cpu", "CPU"), ("wall", "wall")) if BARE in found else ():
        times = ours[kind] / found[BARE][kind]
        asked = f"≤ {MOST_TIMES_BARE:g}"
        title = f"{size}: {name} seconds, times the bare copy's"
        yield title, asked, f"{times:.2f}", times <= MOST_TIMES_BARE
    peak = ours["peak_megabytes"]
    yield f"{size}: peak MB", f"≤ {MOST_MEGABYTES:,}", f"{peak:,.0f}", peak <= MOST_MEGABYTES
    wrong = [
        name
        for name, known in (
            ("records", truth.lines),
            ("broken", truth.broken),
            ("repeated", truth.repeated),
            ("conflicting", truth.conflicting),
        )
        if ours["found"][name] != known
    ]
    yield (
        f"{size}: counts that differ from the truth",
        "none",
        ", ".join(wrong) or "none",
        not wrong,
    )
