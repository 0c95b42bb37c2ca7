"""Results of checks as plain data: counts and names, never what stood in a row.

``quality/summary.json`` of a run's tree is what other stages and people read::

    {"business_date": "2026-11-20",
     "suites":  [{"suite", "stage", "status", "checks", "failed", "rows"}],
     "results": [{"suite", "stage", "rule", "kind", "columns", "severity", "success",
                  "evaluated_rows", "unexpected_rows"}]}

``stage`` is ``sources`` or ``warehouse``, ``status`` is ``passed``, ``warned``, ``failed`` or
``skipped``. Judging and running belong elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from cdp_pipeline.core.types import Severity
from cdp_pipeline.storage.files import read_json, write_json

FOLDER = "quality"
SUMMARY = "summary.json"
Stage = Literal["sources", "warehouse"]


_BROKEN = {
    "not_null": "have no",
    "unique": "repeat",
    "key": "lack or repeat",
    "in_set": "have none of the declared values in",
    "between": "go beyond the limits of",
    "matches": "are not of the declared form in",
    "length_between": "are too short or too long in",
    "exists_in": "name what does not exist in",
}
_MEANINGS = {
    Severity.STOP: "stops the night",
    Severity.QUARANTINE: "such rows are set aside",
    Severity.WARN: "a warning",
}


@dataclass(frozen=True, order=True)
class CheckResult:
    """Outcome of one check; one row of ``ops.checks``.

    Attributes:
        suite: Source, ``schema.table`` or ``reconciliation``.
        rule: Name of the rule within the suite.
        stage: Gate that ran it.
        kind: Kind of check, such as ``not_null``.
        columns: Columns concerned, separated by commas; empty for the whole table.
        severity: ``stop``, ``quarantine`` or ``warn``.
        success: Whether the check passed.
        evaluated_rows: Rows looked at.
        unexpected_rows: Rows that broke the rule, or rows too few or too many.
    """

    suite: str
    rule: str
    stage: Stage
    kind: str
    columns: str
    severity: str
    success: bool
    evaluated_rows: int
    unexpected_rows: int

    @property
    def stops(self) -> bool:
        """Whether the night must not go on."""
        return not self.success and self.severity == Severity.STOP

    def describe(self) -> str:
        """Return one sentence with counts for people."""
        columns = f"`{self.columns}`" if self.columns else ""
        broken = _BROKEN.get(self.kind, "break the rule")
        if self.kind == "table_exists":
            found = "it is declared, but not built"
        elif self.kind == "row_count_between":
            found = f"{self.evaluated_rows:,} rows, {self.unexpected_rows:,} too few or too many"
        else:
            found = f"{self.unexpected_rows:,} of {self.evaluated_rows:,} rows {broken} {columns}"
        meaning = _MEANINGS[Severity(self.severity)]
        return f"{self.suite}: {found.rstrip()} ({meaning}; rule {self.rule})"


@dataclass(frozen=True)
class SuiteSummary:
    """What became of one suite.

    Attributes:
        suite: As in ``CheckResult``.
        stage: Gate that ran it.
        status: ``passed``, ``warned``, ``failed`` or ``skipped`` (nothing new to check).
        checks: Checks run.
        failed: Checks that did not pass.
        rows: Rows looked at.
    """

    suite: str
    stage: Stage
    status: Literal["passed", "warned", "failed", "skipped"]
    checks: int
    failed: int
    rows: int


def summarise(results: Sequence[CheckResult], *, skipped: Iterable[str] = ()) -> list[SuiteSummary]:
    """Return one summary per suite, in suite order.

    Args:
        results: Results of one gate.
        skipped: Sources without anything new.
    """
    by_suite: dict[str, list[CheckResult]] = {}
    for result in results:
        by_suite.setdefault(result.suite, []).append(result)
    found = [_summarise_suite(suite, members) for suite, members in by_suite.items()]
    found += [SuiteSummary(name, "sources", "skipped", 0, 0, 0) for name in skipped]
    return sorted(found, key=lambda summary: summary.suite)


def _summarise_suite(suite: str, members: list[CheckResult]) -> SuiteSummary:
    failed = [member for member in members if not member.success]
    status: Literal["passed", "warned", "failed"] = "warned" if failed else "passed"
    if any(member.stops for member in failed):
        status = "failed"
    rows = max(member.evaluated_rows for member in members)
    return SuiteSummary(suite, members[0].stage, status, len(members), len(failed), rows)


def write_results(
    tree: Path,
    stage: Stage,
    results: Sequence[CheckResult],
    *,
    business_date: date,
    skipped: Iterable[str] = (),
) -> None:
    """Write one gate's results into the tree, keeping those of the other gate.

    ``sources`` writes ``quality/sources/<source>.json``, ``warehouse`` writes
    ``quality/warehouse.json``; both bring ``quality/summary.json`` up to date.
    """
    folder = tree / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    summaries = summarise(results, skipped=skipped)
    ordered = sorted(results)
    if stage == "warehouse":
        write_json(folder / "warehouse.json", _document(business_date, summaries, ordered))
    else:
        (folder / "sources").mkdir(exist_ok=True)
        for summary in summaries:
            members = [result for result in ordered if result.suite == summary.suite]
            path = folder / "sources" / f"{summary.suite}.json"
            write_json(path, _document(business_date, [summary], members))
    others = read_json(folder / SUMMARY)
    suites = [s for s in others.get("suites", []) if s["stage"] != stage]
    kept = [r for r in others.get("results", []) if r["stage"] != stage]
    document = _document(business_date, summaries, ordered)
    document["suites"] = sorted([*suites, *document["suites"]], key=_by_stage_and_name)
    document["results"] = sorted([*kept, *document["results"]], key=_by_stage_and_name)
    write_json(folder / SUMMARY, document)


def read_results(tree: Path) -> list[CheckResult]:
    """Return every result of the run so far, by stage, suite and rule; empty before any gate."""
    return [CheckResult(**row) for row in read_json(tree / FOLDER / SUMMARY).get("results", [])]


def _by_stage_and_name(row: dict[str, Any]) -> tuple[str, ...]:
    return (row["stage"], row["suite"], row.get("rule", ""), row.get("kind", ""))


def _document(
    business_date: date, summaries: Sequence[SuiteSummary], results: Sequence[CheckResult]
) -> dict[str, Any]:
    return {
        "business_date": business_date.isoformat(),
        "suites": [asdict(summary) for summary in summaries],
        "results": [asdict(result) for result in results],
    }
