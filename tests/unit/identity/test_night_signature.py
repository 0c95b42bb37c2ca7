from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.identity.standard import night, spelling
from cdp_pipeline.project.levels import VOCABULARY, Agreement
from cdp_pipeline.project.loader import load_project
from tests.unit.identity.conftest import REPOSITORY


@pytest.fixture
def signed(tmp_path: Path) -> Callable[[], str]:
    context = RunContext(date(2026, 11, 20), "test", tmp_path, Settings(data_dir=tmp_path))
    project = load_project(REPOSITORY)
    return lambda: night.sign(context, project)


def test_equal_software_signs_alike(signed: Callable[[], str]) -> None:
    assert signed() == signed()


def test_another_list_of_short_forms_asks_for_a_fit(
    signed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signed()
    monkeypatch.setattr(night, "name_roots", lambda: {"names": ["liz"], "roots": ["elizabeth"]})
    assert signed() != before


def test_another_meaning_of_a_level_asks_for_a_fit(
    signed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signed()
    monkeypatch.setitem(VOCABULARY, "nickname", lambda *_: Agreement("l.roots = r.roots"))
    assert signed() != before


@pytest.mark.parametrize("part", ["_UNTOLD", "_FLATS", "STREET_WORDS"])
def test_another_spelling_of_streets_asks_for_a_fit(
    signed: Callable[[], str], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    before = signed()
    other = {"st": ("saint",)} if part == "STREET_WORDS" else "flat|etage"
    monkeypatch.setattr(spelling, part, other)
    assert signed() != before
