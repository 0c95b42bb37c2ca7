"""An erasure without disk, memory or right to write, or among other work that died, is finished."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from cdp_pipeline.orchestration.runner import run_night
from cdp_pipeline.rights.erasure import (
    erase_people,
    find_people,
    open_resolver,
    resume_erasures,
)
from cdp_pipeline.rights.traces import Traces
from cdp_pipeline.storage.rollback import roll_back
from cdp_pipeline.storage.versions import published_versions, verify
from tests.dying import count_calls, dies_within
from tests.faults import limits
from tests.faults.comparing import assert_sound, assert_tidy, result_of
from tests.faults.conftest import FIRST_NIGHT, ROUNDS, SEED, TONIGHT, Undisturbed
from tests.faults.harness import run_victim
from tests.faults.test_erasure_kills import anybody, erase, left
from tests.faults.tiny import TinyStore

pytestmark = pytest.mark.slow

Fresh = Callable[[str], TinyStore]
Prepare = Callable[[TinyStore], None]


def fails(work: Callable[[], object], prepare: Callable[[], None]) -> bool:
    """Work in a child under some limits; return whether it failed."""
    child = os.fork()
    if child == 0:
        ending = 1
        try:
            prepare()
            work()
            ending = 0
        finally:
            os._exit(ending)
    _, status = os.waitpid(child, 0)
    return status != 0


@dataclass(frozen=True)
class Erased:
    """Somebody, what tells them, and what a store comes to once they are erased from it."""

    customer: str
    traces: Traces
    result: dict[str, str]


@pytest.fixture(scope="module")
def erased(undisturbed: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> Erased:
    whole = undisturbed.before.copy_to(tmp_path_factory.mktemp("erased") / "whole")
    customer, traces = anybody(whole)
    erase(whole, customer)
    assert left(whole, traces) == []
    return Erased(customer, traces, result_of(whole.paths))


def finish(store: TinyStore, customer: str) -> None:
    certificates = sorted((store.paths.privacy / "certificates").glob("*.json"))
    if not resume_erasures(store.context(TONIGHT)) and not certificates:
        erase(store, customer)


def missing(what: str, prepare: Prepare, *, is_long: bool = False) -> Any:
    return pytest.param(prepare, id=what, marks=[pytest.mark.long] if is_long else [])


@pytest.mark.parametrize(
    "prepare",
    [
        missing("20kB", lambda _: limits.limit_file_size(20_000)),
        missing("400kB", lambda _: limits.limit_file_size(400_000), is_long=True),
        missing("2MB", lambda _: limits.limit_file_size(2_000_000), is_long=True),
        missing("20MB-more", lambda _: limits.limit_memory(20)),
        missing("150MB-more", lambda _: limits.limit_memory(150), is_long=True),
        missing("versions", lambda store: limits.make_read_only(store.paths.versions)),
        missing("staging", lambda store: limits.make_read_only(store.paths.staging), is_long=True),
        missing("landing", lambda store: limits.make_read_only(store.paths.landing), is_long=True),
    ],
)
def test_what_was_missing_comes_back_and_it_is_finished(
    fresh: Fresh, erased: Erased, prepare: Prepare
) -> None:
    store = fresh("scarce")
    fails(partial(erase, store, erased.customer), partial(prepare, store))
    assert_sound(store.paths)
    finish(store, erased.customer)
    assert left(store, erased.traces) == []
    assert result_of(store.paths) == erased.result


def test_a_clock_that_goes_back_changes_nothing(fresh: Fresh, erased: Erased) -> None:
    store = fresh("early")
    back = partial(limits.set_clock, datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    assert not fails(partial(erase, store, erased.customer), back)
    assert left(store, erased.traces) == []
    assert result_of(store.paths) == erased.result


def test_other_work_that_dies_meanwhile_brings_nobody_back(fresh: Fresh) -> None:
    """The erasure dies, then a rollback, then a night; whoever goes on leaves nothing."""
    chance = random.Random(f"{SEED}11")  # noqa: S311 - points to try, no secret
    ready = fresh("ready")
    assert run_victim(ready, FIRST_NIGHT).status == "published"
    customer, traces = anybody(ready)
    assert left(ready, traces)

    def back(store: TinyStore) -> None:
        roll_back(store.context(TONIGHT).settings, reason="a mistake")

    erasing = count_calls(partial(erase, _copy(ready, "counted"), customer))
    rolling = count_calls(partial(back, _copy(ready, "rolled")))
    for number in range(2 * ROUNDS):
        store = _copy(ready, f"combined-{number}")
        dies_within(partial(erase, store, customer), chance.randint(1, erasing))
        dies_within(partial(back, store), chance.randint(1, rolling))
        if number % 2:
            back(store)
        assert_sound(store.paths)
        finish(store, customer)
        assert left(store, traces) == [], number
        assert_sound(store.paths)
        assert [
            text for version in published_versions(store.paths) for text in verify(version)
        ] == []
        again = run_victim(store, FIRST_NIGHT)
        assert again.status in {"published", "unchanged"}, again.error
        assert left(store, traces) == [], number
        assert_tidy(store.paths)


def test_a_night_that_died_as_it_was_to_become_current_tells_nobody(fresh: Fresh) -> None:
    store = fresh("unseen")
    customer, traces = anybody(store)
    night = partial(run_night, store.context(TONIGHT))
    assert dies_within(night, 1, names=("symlink",))
    assert len(list(store.paths.versions.iterdir())) == 1 + len(published_versions(store.paths))
    context = replace(store.context(TONIGHT), run_id="privacy")  # as the command has it
    with open_resolver(context) as con:
        subjects = find_people(con, context, [customer])
    assert erase_people(context, subjects).facts["left"] == 0
    assert left(store, traces) == []
    assert len(list(store.paths.versions.iterdir())) == len(published_versions(store.paths))
    assert_sound(store.paths)


def _copy(store: TinyStore, name: str) -> TinyStore:
    return store.copy_to(store.root.parent / name)
