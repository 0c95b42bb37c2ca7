"""Results as a page: one table a data set, then every bar with its figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.linkage.bars import BARS, OURS, Results, best_of, default_of
from benchmarks.machine import describe_machine

TITLES = {
    "ours": "**`cdp link`**",
    "ours_night": "**the night's stages**",
    "ours_two_classes": "the night, two classes",
    "ours_no_guard": "the night, no guard",
    "ours_incremental": "a night with 1 % new",
    "splink": "Splink, as documented",
    "splink_lean": "Splink, fastest found",
    "recordlinkage": "recordlinkage, ECM",
    "custmatch": "custmatch, 600 labels",
    "exact_rules": "three exact rules",
}
PACKAGES = ("duckdb", "splink", "recordlinkage", "custmatch", "pandas", "numpy")
HEAD = ("system", "P", "R", "F1", "B3", "exact", "mix people", "mix households", "calibration",
        "CPU s", "x `cdp link`", "wall s", "MB")  # fmt: skip


def write_report(results: Results, data: Sequence[str], *, rounds: int, command: str) -> str:
    """Return the whole report in Markdown."""
    parts = [
        f"    {command}",
        "",
        describe_machine(PACKAGES),
        "",
        f"Medians of {rounds} runs, systems taking turns." if rounds > 1 else "One run of each.",
        "",
    ]
    for name in data:
        found = [result for (_, where), result in results.items() if where == name]
        if found:
            parts += [f"### {name}, {found[0]['rows']:,} records", "", *_table(found), ""]
    parts += ["### Bars", "", *_bars(results)]
    return "\n".join(parts) + "\n"


def _table(found: Sequence[dict[str, Any]]) -> list[str]:
    ours = next((one["cpu"] for one in found if one["system"] == "ours"), None)
    rows = [HEAD]
    for result in sorted(found, key=lambda one: list(TITLES).index(one["system"])):
        title = TITLES[result["system"]]
        name = next(iter(result["groups"]))
        several = len(result["groups"]) > 1
        rows.append(_row(f"{title}, {name}" if several else title, result, ours, name=name))
        if several and best_of(result, _main_scope(result))[0] != name:
            best, _ = best_of(result, _main_scope(result))
            rows.append(_row(f"{title}, best ({best})", result, ours, name=best, timed=False))
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" + " ---: |" * (len(HEAD) - 1))
    scope = _main_scope(found[0])
    if scope != "all":
        lines += [
            "",
            "P, R and F1 are those of loyalty and account profiles; over all records:",
            "",
        ]
        lines += _all_records(found)
    notes = [f"{TITLES[r['system']]}: {'; '.join(r['notes'])}" for r in found if r["notes"]]
    return [*lines, "", "Notes: " + ". ".join(notes) + "."] if notes else lines


def _main_scope(result: dict[str, Any]) -> str:
    return "profiles" if "profiles" in next(iter(result["groups"].values())) else "all"


def _row(
    title: str, result: dict[str, Any], ours: float | None, *, name: str, timed: bool = True
) -> tuple[str, ...]:
    scopes = result["groups"][name]
    main, whole = scopes[_main_scope(result)], scopes["all"]
    edges = result["edges"]
    return (
        title,
        *(f"{main[key]:.4f}" for key in ("precision", "recall", "f1")),
        *(f"{whole[key]:.4f}" for key in ("b3", "exact")),
        f"{whole['mixed_people'] / whole['clusters']:.2%}",
        f"{whole['mixed_households']:,} of {whole['clusters']:,}",
        f"{edges['calibration']:+.3f}" if edges and timed else "",
        f"{result['cpu']:.1f}" if timed else "",
        f"{result['cpu'] / ours:.1f}" if ours and timed else "",
        f"{result['wall']:.1f}" if timed else "",
        f"{result['peak_megabytes']:,.0f}" if timed else "",
    )


def _all_records(found: Sequence[dict[str, Any]]) -> list[str]:
    lines = ["| system | P | R | F1 |", "| --- | ---: | ---: | ---: |"]
    for result in sorted(found, key=lambda one: list(TITLES).index(one["system"])):
        variants = {next(iter(result["groups"])): default_of(result)}
        best, figures = best_of(result)
        variants[best] = figures
        for name, scored in variants.items():
            several = len(result["groups"]) > 1
            title = TITLES[result["system"]] + (f", {name}" if several else "")
            cells = [f"{scored[key]:.4f}" for key in ("precision", "recall", "f1")]
            lines.append("| " + " | ".join((title, *cells)) + " |")
    return lines


def _bars(results: Results) -> list[str]:
    lines = [
        "| data | bar | asked | `cdp link` | the night |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for bar in BARS:
        judged = [bar.judge(results, ours) for ours in OURS]
        if not any(judged):
            continue
        asked = f"≥ {bar.least:g}" if bar.least is not None else f"≤ {bar.most:g}"
        cells = [_verdict(one) for one in judged]
        lines.append("| " + " | ".join((bar.data, bar.title, asked, *cells)) + " |")
    return lines


def _verdict(judged: tuple[float, bool] | None) -> str:
    if judged is None:
        return ""
    figure, passes = judged
    return f"{figure:.4g}" if passes else f"**{figure:.4g}, missed**"
