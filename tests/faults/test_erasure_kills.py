"""An erasure that is killed anywhere leaves a published night whole, and is finished later."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest

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
    drawn = chance.sample(range(1, last + 1), min(last, 4 * ROUNDS))
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
