from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.core.errors import ConfigError, LockedError
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.orchestration.demo import DemoSpec, run_demo
from cdp_pipeline.storage.lock import hold_lock

ROOT = Path(__file__).resolve().parents[3]


class GeneratedError(Exception):
    """A store would be generated now."""


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


@pytest.fixture
def no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """End a demo where it would generate its store."""

    def stop(*_: object) -> None:
        raise GeneratedError

    monkeypatch.setattr("cdp_pipeline.sample.generate.generate_store", stop)


@pytest.mark.usefixtures("no_store")
@pytest.mark.parametrize(
    "kept",
    ["privacy/suppression.jsonl", "stewardship/judgements.jsonl", "proposals/n/summary.json"],
)
def test_a_further_demo_knows_nothing_of_what_was_decided_about_an_earlier_one(
    tmp_path: Path, kept: str
) -> None:
    """Neither whom it erased, nor what stewards said of its people, nor what it held back."""
    decided = tmp_path / kept
    for _ in range(2):
        with pytest.raises(GeneratedError):
            demo(ROOT, tmp_path)
        assert not decided.exists()
        decided.parent.mkdir(parents=True)
        decided.write_text("{}\n")


@pytest.mark.usefixtures("no_store")
def test_what_is_made_up_never_arrives_where_a_store_takes_its_deliveries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDP_LANDING_DIR", str(tmp_path / "arrived"))
    with pytest.raises(ConfigError, match="not the demo's own") as caught:
        demo(ROOT, tmp_path / "data")
    assert caught.value.where == str(tmp_path / "arrived")
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("no_store")
def test_beside_a_night_that_is_running_no_demo_is_made(tmp_path: Path) -> None:
    with pytest.raises(GeneratedError):
        demo(ROOT, tmp_path)
    delivered = tmp_path / "landing" / "tills.csv"
    delivered.parent.mkdir()
    delivered.write_text("a,b\n")
    lock = tmp_path / ".lock"
    before = lock.stat().st_ino
    with (
        hold_lock(lock, "night of the test"),
        pytest.raises(LockedError, match="night of the test"),
    ):
        demo(ROOT, tmp_path)
    assert delivered.exists()
    with pytest.raises(GeneratedError):
        demo(ROOT, tmp_path)
    assert (lock.stat().st_ino, delivered.exists()) == (before, False), "the lock itself stays"
