"""What a data folder says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.orchestration.status import Status, read_status
from cdp_pipeline.storage.files import write_json
from cdp_pipeline.storage.paths import DataPaths


def add_pages(tree: Path) -> list[str]:
    pages = [
        tree / "quality" / name / "index.html" for name in ("data_docs", "data_docs_warehouse")
    ]
    for page in pages:
        page.parent.mkdir(parents=True)
        page.write_text("<html></html>", encoding="utf-8")
    return [str(page) for page in pages]


@pytest.mark.parametrize("status", ["failed", "partial"])
def test_data_docs_of_a_run_that_did_not_end_lie_in_its_work(
    context: RunContext, status: str
) -> None:
    paths = DataPaths.of(context)
    error = {"message": "too few rows", "hint": "ask"}
    write_json(
        paths.run / "manifest.json", {"run_id": context.run_id, "status": status, "error": error}
    )
    pages = add_pages(paths.tree)
    found = read_status(context.settings)
    assert list(found.data_docs) == pages
    assert [line for line in found.lines() if "data docs" in line] == [
        f"data docs  {page}" for page in pages
    ]


def test_before_any_run_there_are_none(context: RunContext) -> None:
    assert read_status(context.settings).data_docs == ()


def test_what_arrived_oddly_is_told_after_the_night(context: RunContext) -> None:
    paths = DataPaths.of(context)
    said = [f"goods: goods/{n}.csv is late: it belongs to 2026-11-19" for n in range(12)]
    error = {"message": "0 records are fewer", "hint": "ask", "where": "goods/a.csv"}
    manifest = {
        "run_id": context.run_id,
        "status": "failed",
        "error": error,
        "steps": {"discover": {"result": {"messages": said}}},
    }
    write_json(paths.run / "manifest.json", manifest)
    lines = read_status(context.settings).lines()
    assert "  0 records are fewer (goods/a.csv)" in lines
    shown = [line for line in lines if line.startswith("arrivals")]
    assert shown == [*(f"arrivals   {text}" for text in said[:10]), "arrivals   and 2 more"]


def test_files_are_counted_by_what_became_of_them() -> None:
    counts = {"files": 3, "records": 4, "loaded": 2, "quarantined": 1, "duplicates": 0}
    status = Status(
        version="000001-2026-11-20",
        business_date="2026-11-20",
        versions=0,
        version_bytes=0,
        kept=(),
        rows={},
        deliveries={**counts, "excluded": 0, "suppressed": 1},
        last_run={},
        files={"loaded": 2, "refused": 1},
        refused=("goods/a.csv: the file is empty",),
    )
    lines = status.lines()
    assert any(line.endswith("0 excluded by rule or superseded + 1 suppressed") for line in lines)
    assert "  3 files: 2 loaded, 1 refused" in lines
    assert "  refused: goods/a.csv: the file is empty" in lines
