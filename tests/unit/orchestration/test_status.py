"""What a data folder says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.orchestration.status import read_status
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
