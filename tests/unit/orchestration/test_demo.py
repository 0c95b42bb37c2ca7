from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.orchestration.demo import DemoSpec, run_demo

ROOT = Path(__file__).resolve().parents[3]


def demo(root: Path, data_dir: Path) -> None:
    settings = load_settings(root, data_dir=data_dir)
    run_demo(root, settings, DemoSpec(500, 0), say=lambda _text: None, listener=None)


def test_a_real_warehouse_is_never_replaced(tmp_path: Path) -> None:
    treasure = tmp_path / "warehouse" / "versions" / "000001-2026-11-20" / "cdp.duckdb"
    treasure.parent.mkdir(parents=True)
    treasure.write_text("a year of nights")
    with pytest.raises(ConfigError, match="no demo made"):
        demo(ROOT, tmp_path)
    assert treasure.read_text() == "a year of nights"


def test_a_project_without_the_contracts_is_told_where_they_are(
    project_root: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="lacks the contracts") as caught:
        demo(project_root, tmp_path / "data")
    assert "examples" in (caught.value.hint or "")


def test_a_further_demo_knows_nothing_of_whom_an_earlier_one_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class GeneratedError(Exception):
        pass

    def stop(*_: object) -> None:
        raise GeneratedError

    monkeypatch.setattr("cdp_pipeline.sample.generate.generate_store", stop)
    tombstones = tmp_path / "privacy" / "suppression.jsonl"
    for _ in range(2):
        with pytest.raises(GeneratedError):
            demo(ROOT, tmp_path)
        assert not tombstones.exists()
        tombstones.parent.mkdir()
        tombstones.write_text("{}\n")
