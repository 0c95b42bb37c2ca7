from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from cdp_pipeline.quality.results import CheckResult, read_results, summarise, write_results
from cdp_pipeline.storage.files import read_json

BUSINESS_DATE = date(2026, 11, 20)
PASSED = CheckResult("tills", "a_not_null", "sources", "not_null", "a", "stop", True, 10, 0)  # noqa: FBT003 - success
TABLE = replace(PASSED, suite="core.fct_sales", stage="warehouse", evaluated_rows=4)


def test_a_suite_is_as_bad_as_its_worst_failure() -> None:
    warned = replace(PASSED, rule="b", severity="warn", success=False, unexpected_rows=2)
    failed = replace(PASSED, suite="web", success=False, unexpected_rows=1)
    found = summarise([failed, warned, PASSED], skipped=["mail"])
    assert [(s.suite, s.status, s.checks, s.failed, s.rows) for s in found] == [
        ("mail", "skipped", 0, 0, 0),
        ("tills", "warned", 2, 1, 10),
        ("web", "failed", 1, 1, 10),
    ]


def test_each_gate_replaces_its_own_results_only(tmp_path: Path) -> None:
    write_results(tmp_path, "warehouse", [TABLE], business_date=BUSINESS_DATE)
    write_results(tmp_path, "sources", [PASSED], business_date=BUSINESS_DATE, skipped=["mail"])
    second = replace(PASSED, rule="z")
    write_results(tmp_path, "sources", [second], business_date=BUSINESS_DATE)
    assert read_results(tmp_path) == [second, TABLE]
    summary = read_json(tmp_path / "quality/summary.json")
    assert summary["business_date"] == "2026-11-20"
    assert [suite["suite"] for suite in summary["suites"]] == ["tills", "core.fct_sales"]
    single = read_json(tmp_path / "quality/sources/tills.json")
    assert [result["rule"] for result in single["results"]] == ["z"]


def test_nothing_was_checked_before_any_gate(tmp_path: Path) -> None:
    assert read_results(tmp_path) == []
