"""A tiny store, its undisturbed nights, and copies of it to break."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.faults.comparing import assert_sound, result_of
from tests.faults.harness import Ending, run_victim
from tests.faults.tiny import FIRST_NIGHT, TinyStore, make_store

TONIGHT = FIRST_NIGHT
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
"""How often to go through points that are drawn at random; the nightly target sets it higher."""
SEED = os.environ.get("FAULT_SEED", "")
"""Another seed draws other points."""


def seldom(values: Sequence[object], *, but: Sequence[object]) -> list[Any]:
    """Return parameters of a test, of which a change waits for some only and `long` has all."""
    return [v if v in but else pytest.param(v, marks=pytest.mark.long) for v in values]


@dataclass(frozen=True)
class Undisturbed:
    """A store after its load, and what its next night comes to when nobody disturbs it."""

    before: TinyStore
    result: dict[str, str]
    ending: Ending


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    before = make_store(tmp_path_factory.mktemp("faults") / "before")
    load = run_victim(before, FIRST_NIGHT - timedelta(days=1))
    assert load.status == "published", load.error
    after = before.copy_to(tmp_path_factory.mktemp("faults") / "after")
    ending = run_victim(after, FIRST_NIGHT)
    assert ending.status == "published", ending.error
    assert_sound(after.paths)
    return Undisturbed(before, result_of(after.paths), ending)


@pytest.fixture
def fresh(undisturbed: Undisturbed, tmp_path: Path) -> Callable[[str], TinyStore]:
    """Return a maker of stores as they are before the night that will be disturbed."""
    return lambda name: undisturbed.before.copy_to(tmp_path / name)
