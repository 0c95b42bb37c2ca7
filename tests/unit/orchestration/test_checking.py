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
    assert findings.remarks == []
    assert findings.checked["sources"] == 13
    assert findings.checked["segments"] >= 12


def test_a_column_that_nothing_uses_is_remarked_upon(copy: Path) -> None:
    contract = copy / "expectations" / "pos_sales.yml"
    change(contract, "\ncolumns:\n", "\ncolumns:\n  shoe_size: {pii: identifier, optional: true}\n")
    (remark,) = check(copy).remarks
    assert "pos_sales.yml: nothing uses" in remark
    assert "shoe_size" in remark


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


def test_a_broken_model_names_file_and_line(copy: Path) -> None:
    model = copy / "sql" / "core" / "dim_store.sql"
    change(model, "staging.stores", "staging.storez")
    (error, *_) = check(copy).errors
    assert str(model) in (error.where or "")


WRITTEN_WRONG = [
    ("expectations/pos_sales.yml", "  format: csv", "  format: cvs", "Did you mean `csv`"),
    ("expectations/pos_sales.yml", "multiline: false", "multilin: false", "`multiline`"),
    ("expectations/pos_sales.yml", "type: timestamp", "type: datetime", "`timestamp`"),
    ("expectations/pos_sales.yml", "Europe/London", "Europe/Lodon", "`Europe/London`"),
    ("expectations/pos_sales.yml", "[SALE, RETURN, VOID, TRAINING]", "SALE, RETURN", "a list"),
    ("expectations/loyalty_members.yml", "y: quarantine", "y: quarentine", "`quarantine`"),
    ("expectations/products.yml", "sku: {", "sku: {requird: true, ", "`required`"),
    ("expectations/stores.yml", "key: [store_id]", "key: [shop_id]", "`store_id`"),
    ("expectations/web_events.yml", "format:", "formatt:", "`format`"),
    ("sql/marketing/segments/champions.yml", "where:", "wher:", "`where`"),
    ("sql/marketing/segments/loyal.yml", "owner:", "ownr:", "`owner`"),
    ("sql/marketing/destinations/google_ads.yml", "kind:", "knd:", "`kind`"),
    ("sql/core/dim_store.sql", "grain:", "grian:", "`grain`"),
    ("sql/staging/stores.yml", "grain:", "grian:", "`grain`"),
    ("sql/core/dim_household.sql", "key: [", "key: [hausehold_id, ", "`household_id`"),
    ("reports/customer_performance.yml", "kind: bar", "kind: barr", "`bar`"),
    ("reports/brand.yml", "accent:", "acent:", "`accent`"),
    ("sql/linkage/people.yml", "levels: [", "levels: [sme, ", "`same`"),
]
"""Mistakes that reading finds: file, text, what it becomes, what the answer says."""

MEANT_WRONG = [
    ("expectations/pos_sales.yml", "sale_id: receipt_id", "sale_id: receiptid", "`receipt_id`"),
    ("expectations/pos_sales.yml", "min: 1", "min: one", "'one' is not a value of type bigint"),
    (
        "expectations/loyalty_members.yml",
        "where: updated_at <",
        "where: updatd_at <",
        "`updated_at`",
    ),
    ("expectations/loyalty_members.yml", '"^[^@]+@[^@]+$"', '"^[^@"', "is no regular expression"),
    (
        "expectations/loyalty_members.yml",
        "birth_date:\n    type: date",
        'birth_date:\n    type: date\n    format: "%d/%q/%Y"',
        "%q",
    ),
    ("expectations/web_events.yml", "event_type: event_type", "event_type: click", "single quotes"),
    ("sql/core/dim_promotion.sql", "promotion_name,", "promotion_nam,", '"promotion_name"'),
    ("sql/core/dim_product.sql", "brand,", "brnd,", '"brand"'),
    (
        "reports/customer_performance.yml",
        "column: net_amount,",
        "column: net_amont,",
        "`net_amount`",
    ),
]
"""Mistakes that only the meaning shows."""


@pytest.mark.parametrize("mistakes", [WRITTEN_WRONG, MEANT_WRONG], ids=["written", "meant"])
def test_every_mistake_is_told_at_once_with_place_and_remedy(
    copy: Path, mistakes: list[tuple[str, str, str, str]]
) -> None:
    for name, old, new, _ in mistakes:
        change(copy / name, old, new)
    found = check(copy).errors
    for name, _, _, said in mistakes:
        of_file = [e for e in found if (e.where or "").startswith(str(copy / name))]
        assert any(said in str(error) for error in of_file), (name, said, list(map(str, found)))
    for error in found:
        document = error.as_dict()
        assert document["line"]
        assert document["column"]
        assert document["hint"]
    assert len(found) == len(mistakes)


def test_open_questions_are_listed_with_their_places(copy: Path) -> None:
    contract = copy / "expectations" / "pos_sales.yml"
    change(contract, "time_zone: Europe/London", 'time_zone: !ask "which zone has the clock?"')
    change(contract, "type: timestamp,", 'type: timestamp, format: !ask "%d/%m or %m/%d?",')
    first, second = check(copy).errors
    assert "`delivery.time_zone` is not declared yet: which zone has the clock?" in first.message
    assert first.as_dict()["line"] == 11
    assert "`columns.till_time.format`" in second.message
    assert "in place of `!ask" in (second.hint or "")


def test_a_destination_that_sends_an_unknown_column_is_told(copy: Path) -> None:
    destination = copy / "sql" / "marketing" / "destinations" / "google_ads.yml"
    change(destination, "column: email", "column: emial")
    (error,) = check(copy).errors
    assert (error.where or "").startswith(f"{destination}:12:")
    assert "`email`" in (error.hint or "")


def test_a_misspelt_identifier_is_named_even_if_nothing_else_says_whom_to_remove(
    copy: Path,
) -> None:
    destination = copy / "sql" / "marketing" / "destinations" / "email_newsletter.yml"
    text = destination.read_text("utf-8")
    kept = [
        line.replace("column: email", "column: emial")
        for line in text.splitlines()
        if "column: customer_id" not in line
    ]
    destination.write_text("\n".join(kept) + "\n", encoding="utf-8")
    (error,) = check(copy).errors
    assert "no column says whom to remove: 'emial' is none" in error.message
    line = next(n for n, text in enumerate(kept, start=1) if "emial" in text)
    assert (error.where or "").startswith(f"{destination}:{line}:")
    assert error.hint == "Did you mean `email`?"
