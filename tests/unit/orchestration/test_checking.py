"""`cdp check` finds mistakes in every kind of declaration, without data."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.orchestration.checking import Findings, check_project

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def copy(project_root: Path) -> Path:
    """Return a project with a copy of all shipped declarations."""
    for name in ("expectations", "sql", "reports"):
        shutil.copytree(ROOT / name, project_root / name, dirs_exist_ok=True)
    return project_root


def check(root: Path) -> Findings:
    return check_project(root, load_settings(root))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_ships_is_right(copy: Path) -> None:
    findings = check(copy)
    assert [str(error) for error in findings.errors] == []
    assert findings.checked["sources"] == 13
    assert findings.checked["segments"] >= 12


def test_a_misspelt_column_in_a_segment_is_answered_with_the_right_one(copy: Path) -> None:
    segment = copy / "sql" / "marketing" / "segments" / "winter_boots_nudge.yml"
    change(segment, "and has_push_consent", "and has_push_consnt")
    (error,) = check(copy).errors
    assert "has_push_consent" in (error.hint or "")
    assert str(segment) in (error.where or "")


def test_a_segment_cannot_smuggle_a_statement(copy: Path) -> None:
    segment = copy / "sql" / "marketing" / "segments" / "winter_boots_nudge.yml"
    change(segment, "and has_push_consent", "or (select count(*) from core.customer_contact) > 0")
    assert len(check(copy).errors) == 1


def test_a_wrong_feed_expression_names_its_place(copy: Path) -> None:
    change(copy / "expectations" / "pos_sales.yml", "sale_id: receipt_id", "sale_id: receiptid")
    (error,) = check(copy).errors
    assert "receipt_id" in (error.hint or "")


def test_a_broken_model_names_file_and_line(copy: Path) -> None:
    model = copy / "sql" / "core" / "dim_store.sql"
    change(model, "staging.stores", "staging.storez")
    (error, *_) = check(copy).errors
    assert str(model) in (error.where or "")


def test_a_report_over_a_missing_column_is_found(copy: Path) -> None:
    change(
        copy / "reports" / "customer_performance.yml", "column: net_amount,", "column: net_amont,"
    )
    (error, *_) = check(copy).errors
    assert "net_amount" in str(error)
