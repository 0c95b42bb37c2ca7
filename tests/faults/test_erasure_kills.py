"""An erasure that is killed anywhere leaves a published night whole, and is finished later."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from cdp_pipeline.orchestration.runner import RunOptions, run_night
from cdp_pipeline.orchestration.status import read_status
from cdp_pipeline.rights.certifying import Certificate
from cdp_pipeline.rights.erasure import (
    erase_people,
    find_people,
    open_resolver,
    resume_erasures,
)
from cdp_pipeline.rights.removals import FOLDER as REMOVALS
from cdp_pipeline.rights.scan import scan_folder
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.traces import Traces, find_traces
from cdp_pipeline.storage.files import read_json
from cdp_pipeline.storage.renewal import ended_erasures
from cdp_pipeline.storage.warehouse import open_whole
from tests.dying import count_calls, dies_within
from tests.faults.comparing import assert_sound, result_of
from tests.faults.conftest import ROUNDS, SEED, TONIGHT
from tests.faults.tiny import TinyStore

pytestmark = pytest.mark.slow

Fresh = Callable[[str], TinyStore]
PERSON = """
select customer_id from core.customer_contact
where email is not null and loyalty_id is not null
order by customer_id limit 1
"""
PEOPLE = PERSON.replace("limit 1", "limit 2")


def erase(store: TinyStore, customer: str) -> Certificate:
    context = store.context(TONIGHT)
    with open_resolver(context) as con:
        subjects = find_people(con, context, [customer])
    return erase_people(context, subjects, reason="asked for")


def anybody(store: TinyStore) -> tuple[str, Traces]:
    """Return somebody who shops and is a member, and what tells them."""
    with open_whole(store.context(TONIGHT).settings) as con:
        (customer,) = con.execute(PERSON).fetchall()[0]
    context = store.context(TONIGHT)
    with open_resolver(context) as con:
        return customer, find_traces(con, find_people(con, context, [customer]))


def left(store: TinyStore, traces: Traces) -> list[str]:
    """Return the files that still tell the person, but for what destinations must be told."""
    removals = sorted(store.paths.outbox.glob(f"*/{REMOVALS}"))
    return [
        find.file for find in scan_folder(store.data, Searcher(traces), excluded=removals).finds
    ]


def test_killed_anywhere_it_is_finished_and_nothing_is_left(
    fresh: Fresh, record_property: Callable[[str, object], None]
) -> None:
    whole = fresh("whole")
    customer, traces = anybody(whole)
    assert left(whole, traces)
    last = count_calls(partial(erase, whole, customer))
    expected = result_of(whole.paths)
    assert left(whole, traces) == []
    chance = random.Random(f"{SEED}7")  # noqa: S311 - points to try, no secret
    drawn = chance.sample(range(1, last + 1), min(last, 2 * ROUNDS))
    record_property("kills", len(drawn))
    for at in sorted({1, last, *drawn}):
        store = fresh(f"killed-{at}")
        assert dies_within(partial(erase, store, customer), at), at
        assert_sound(store.paths)
        if not resume_erasures(store.context(TONIGHT)):
            finished = [read_json(p) for p in (store.paths.privacy / "certificates").glob("*.json")]
            if not finished:
                erase(store, customer)
        assert left(store, traces) == [], at
        assert result_of(store.paths) == expected, at


def test_the_night_after_a_killed_erasure_and_another_is_as_one_that_builds_everything(
    fresh: Fresh, record_property: Callable[[str, object], None]
) -> None:
    probe = fresh("probe")
    with open_whole(probe.context(TONIGHT).settings) as con:
        (first, second) = [customer for (customer,) in con.execute(PEOPLE).fetchall()]
    last = count_calls(partial(erase, probe, first))
    chance = random.Random(f"{SEED}9")  # noqa: S311 - points to try, no secret
    drawn = chance.sample(range(1, last + 1), ROUNDS)
    record_property("kills", len(drawn))
    for at in drawn:
        store = fresh(f"killed-{at}")
        assert dies_within(partial(erase, store, first), at), at
        if not (resume_erasures(store.context(TONIGHT)) or ended_erasures(store.paths)):
            erase(store, first)
        erase(store, second)
        full = store.copy_to(store.root.with_name(f"full-{at}"))
        built = night(store, is_full=False)
        assert "made anew" in built["core.fct_sales"], at
        assert "made anew" not in night(full, is_full=True)["core.fct_sales"], at
        assert result_of(store.paths) == result_of(full.paths), at


def night(store: TinyStore, *, is_full: bool) -> dict[str, str]:
    """Run the night and return how each table was built."""
    context = replace(store.context(TONIGHT), is_full=is_full)
    outcome = run_night(context, RunOptions())
    assert outcome.status == "published", outcome.error
    return dict(read_status(context.settings).built)
