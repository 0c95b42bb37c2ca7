"""The notebook that ships runs from top to bottom; its cells are plain Python."""

from __future__ import annotations

import json

import pytest

from tests.integration.store import ROOT, Store

FOLDER = ROOT / "data" / "examples" / "analysis"
NOTEBOOK = json.loads((FOLDER / "first_look.ipynb").read_text(encoding="utf-8"))
CELLS = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_it_shows_what_it_found() -> None:
    code = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert len(outputs) >= 6
    assert {output["output_type"] for output in outputs} == {"stream"}


def test_its_cells_run(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(store.data.parent)
    names: dict[str, object] = {}
    for number, cell in enumerate(CELLS, start=1):
        exec(compile(cell, f"cell {number}", "exec"), names)  # noqa: S102 - our own notebook
    printed = capsys.readouterr().out
    assert "Champions" in printed
    assert "store_purchase" in printed
    assert "[unit: store currency]" in printed


def test_recipes_name_files_that_exist() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") <= 150
    assert "](first_look.ipynb)" in text
    for client in ("DBeaver", "Metabase", "Superset", "Evidence", "Jupyter"):
        assert f"## {client}" in text
