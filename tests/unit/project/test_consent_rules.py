"""Declared rules of consent: the shipped file, its mistakes, and sources it may name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.consent_rules import ConsentRules
from cdp_pipeline.project.loader import load_project

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("expectations", "sql", "reports"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    return tmp_path


def test_the_shipped_file_says_what_holds_without_it(root: Path) -> None:
    shipped = load_project(root).consent
    (root / "sql" / "consent.yml").unlink()
    assert load_project(root).consent == ConsentRules()
    assert shipped.model_copy(update={"legal_basis": {}}) == ConsentRules()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("between_sources: oldest", "newest"),
        ("distrusted_grants: [loyalty_member]", "loyalty_members"),
        ("grant_lasts_days: {marketing: 0}", "marketing"),
        ("legal_basis: {marketing: because}", "legitimate_interests"),
        ("merge: newest", "merge"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(root: Path, text: str, says: str) -> None:
    (root / "sql" / "consent.yml").write_text(text + "\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_project(root)
    found = caught.value
    assert "consent.yml" in (found.where or "")
    assert says in f"{found.message} {found.hint}"
