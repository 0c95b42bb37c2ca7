"""Nights that die: whatever the moment, the same night is published in the end."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest

from tests.dying import die_upon, tell_changes
from tests.faults.comparing import assert_sound, assert_tidy, result_of
from tests.faults.conftest import ROUNDS, SEED, TONIGHT, Undisturbed
from tests.faults.harness import SERVER, Kill, note_number, run_victim
from tests.faults.tiny import TinyStore

pytestmark = pytest.mark.slow

Fresh = Callable[[str], TinyStore]


def finish(store: TinyStore, *, resume: bool) -> dict[str, str]:
    """Run the night to its end, see that nothing of dead ones is left, and return its result."""
    ending = run_victim(store, TONIGHT, resume=resume)
    assert ending.status in {"published", "unchanged"}, ending.error
    assert_sound(store.paths)
    assert_tidy(store.paths)
    return result_of(store.paths)


def test_two_undisturbed_nights_are_the_same_bytes(undisturbed: Undisturbed, fresh: Fresh) -> None:
    assert finish(fresh("again"), resume=False) == undisturbed.result


def test_a_night_killed_as_each_step_ends_and_resumed(
    undisturbed: Undisturbed, fresh: Fresh, record_property: Callable[[str, int], None]
) -> None:
    store = fresh("boundaries")
    for step in undisturbed.ending.steps:
        ending = run_victim(store, TONIGHT, kill=Kill(step), resume=True)
        assert ending.killed or ending.status == "unchanged", (step, ending.error)
        assert_sound(store.paths)
    record_property("kills", len(undisturbed.ending.steps))
    assert finish(store, resume=True) == undisturbed.result


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("resume", [True, False])
def test_a_night_killed_within_each_step(
    undisturbed: Undisturbed,
    fresh: Fresh,
    record_property: Callable[[str, int], None],
    *,
    resume: bool,
    number: int,
) -> None:
    store = fresh("within")
    seed = random.Random(f"{SEED}{number} {resume}")  # noqa: S311 - points to try, no secret
    kills = 0
    for step in undisturbed.ending.steps:
        kill = Kill(step, after=seed.uniform(0, max(undisturbed.ending.costs[step], 0.01)))
        ending = run_victim(store, TONIGHT, kill=kill, resume=resume)
        kills += ending.killed
        assert ending.killed or ending.status in {"published", "unchanged"}, (step, ending.error)
        assert_sound(store.paths)
        if not ending.killed:  # the step was over before its time: nothing is left to kill here
            assert finish(store, resume=resume) == undisturbed.result
            store = fresh(f"within {step}")
    record_property("kills", kills)
    assert kills > 0
    assert finish(store, resume=resume) == undisturbed.result


def test_a_night_killed_at_any_change_of_a_file(
    undisturbed: Undisturbed, fresh: Fresh, record_property: Callable[[str, int], None]
) -> None:
    """Each point is a call: a file opened, linked, renamed, deleted; a statement of DuckDB."""
    last = SERVER.RawValue("q", 0)
    counting = partial(tell_changes, partial(note_number, last))
    counted = fresh("counted")
    ending = run_victim(counted, TONIGHT, prepare=counting)
    assert ending.status == "published", ending.error
    assert result_of(counted.paths) == undisturbed.result
    assert last.value > 1000
    chance = random.Random(f"{SEED}12")  # noqa: S311 - points to try, no secret
    store, kills = fresh("changes"), 0
    for number in range(3 * ROUNDS):
        dying = partial(tell_changes, partial(die_upon, chance.randint(1, last.value)))
        ending = run_victim(store, TONIGHT, resume=True, prepare=dying)
        assert ending.killed or ending.status in {"published", "unchanged"}, ending.error
        kills += ending.killed
        assert_sound(store.paths)
        if not ending.killed:
            assert result_of(store.paths) == undisturbed.result
            store = fresh(f"changes {number}")
    record_property("kills", kills)
    assert finish(store, resume=True) == undisturbed.result
