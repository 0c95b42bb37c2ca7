"""Members, joiners, leavers and holdouts over several nights."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.segments.membership import run
from cdp_pipeline.storage.warehouse import open_build

if TYPE_CHECKING:
    from cdp_pipeline.core.context import RunContext
    from tests.unit.conftest import Marketing

FIRST, SECOND, THIRD = date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 22)


def fetch(context: RunContext, sql: str) -> list[tuple[Any, ...]]:
    with open_build(context) as con:
        return con.execute(sql).fetchall()


def members(context: RunContext) -> list[tuple[Any, ...]]:
    return fetch(context, "select * from segments.membership order by all")


def changes(context: RunContext) -> list[tuple[Any, ...]]:
    return fetch(context, "select * from segments.changes order by changed_on, customer_id, change")


def test_a_night_holds_members_changes_and_definitions(marketing: Marketing) -> None:
    marketing.declare(
        "segment", "vips", where="visits > 5", channel="push", next_step="Call them.", priority=3
    )
    marketing.declare("segment", "nobody", where="visits > 99")
    marketing.add("C1", visits=9, clv_12m_amount="10.00")
    marketing.add("C2", visits=6, clv_12m_amount="20.01")
    marketing.add("C3", visits=1, clv_12m_amount="99.00")
    context = marketing.start()
    result = run(context)
    assert members(context) == [("vips", "C1", FIRST, False), ("vips", "C2", FIRST, False)]
    assert changes(context) == [("vips", "C1", "entered", FIRST), ("vips", "C2", "entered", FIRST)]
    definitions = fetch(
        context,
        'select segment, "where", size, holdout_count, entered_count, average_clv_amount, '
        "total_clv_amount, channel, priority, next_step from segments.definitions order by segment",
    )
    assert definitions == [
        ("nobody", "visits > 99", 0, 0, 0, None, None, None, 100, ""),
        (
            "vips",
            "visits > 5",
            2,
            0,
            2,
            Decimal("15.01"),
            Decimal("30.01"),
            "push",
            3,
            "Call them.",
        ),
    ]
    assert (result.rows_in, result.rows_out) == (3, 2)
    assert result.messages == ("segment nobody has nobody in it",)


def test_members_keep_their_day_and_leavers_leave(marketing: Marketing) -> None:
    marketing.declare("segment", "vips", where="visits > 5")
    for name in ("C1", "C2"):
        marketing.add(name, visits=9)
    first = marketing.start(FIRST)
    run(first)
    marketing.publish(first)
    marketing.add("C2", visits=1)
    marketing.add("C3", visits=7)
    second = marketing.start(SECOND)
    run(second)
    assert members(second) == [("vips", "C1", FIRST, False), ("vips", "C3", SECOND, False)]
    assert [row for row in changes(second) if row[3] == SECOND] == [
        ("vips", "C2", "left", SECOND),
        ("vips", "C3", "entered", SECOND),
    ]
    counts = fetch(second, "select entered_count, left_count from segments.definitions")
    assert counts == [(1, 1)]


def test_a_merge_is_neither_joining_nor_leaving(marketing: Marketing) -> None:
    marketing.declare("segment", "vips", where="visits > 5")
    for name in ("C1", "C2"):
        marketing.add(name, visits=9)
    first = marketing.start(FIRST)
    run(first)
    with open_build(first) as con:
        con.execute("update segments.membership set is_holdout = customer_id = 'C2'")
    marketing.publish(first)
    del marketing.customers["C2"]
    marketing.redirects = {"C2": "C1"}
    second = marketing.start(SECOND)
    run(second)
    assert members(second) == [("vips", "C1", FIRST, True)]
    assert [row for row in changes(second) if row[3] == SECOND] == []


def test_running_a_night_twice_changes_nothing(marketing: Marketing) -> None:
    marketing.declare("segment", "vips", where="visits > 5", holdout_share=0.5)
    for number in range(40):
        marketing.add(f"C{number:02}", visits=number % 9)
    first = marketing.start(FIRST)
    run(first)
    before = members(first), changes(first)
    run(first)
    assert (members(first), changes(first)) == before
    marketing.publish(first)
    again = marketing.start(FIRST)
    run(again)
    assert (members(again), changes(again)) == before


def test_the_holdout_is_a_keyed_hash_and_frozen_at_entry(marketing: Marketing) -> None:
    marketing.declare("segment", "vips", where="true", holdout_share=0.25)
    names = [f"C{number:04}" for number in range(400)]
    for name in names:
        marketing.add(name)
    salt = {"contact": {"holdout_salt": "salt", "global_holdout_share": 0.0}}
    first = marketing.start(FIRST, **salt)
    run(first)
    expected = {
        name
        for name in names
        if int(hashlib.sha256(f"salt\x1fvips\x1f{name}".encode()).hexdigest()[:8], 16) / 2**32
        < 0.25
    }
    held = {row[1] for row in members(first) if row[3]}
    assert held == expected
    assert 70 <= len(held) <= 130
    marketing.publish(first)
    marketing.declare("segment", "vips", where="true", holdout_share=0.0)
    marketing.add("C9999")
    second = marketing.start(SECOND, **salt)
    run(second)
    assert {row[1] for row in members(second) if row[3]} == expected


def test_the_global_holdout_is_the_same_in_every_segment(marketing: Marketing) -> None:
    marketing.declare("segment", "ones", where="true")
    marketing.declare("segment", "twos", where="true")
    for number in range(200):
        marketing.add(f"C{number:04}")
    context = marketing.start(contact={"global_holdout_share": 0.2})
    run(context)
    held = {
        segment: {row[1] for row in members(context) if row[0] == segment and row[3]}
        for segment in ("ones", "twos")
    }
    assert held["ones"] == held["twos"]
    assert 20 <= len(held["ones"]) <= 60


def test_old_changes_are_forgotten(marketing: Marketing) -> None:
    marketing.declare("segment", "vips", where="visits > 5")
    marketing.add("C1", visits=9)
    first = marketing.start(date(2026, 10, 1))
    run(first)
    marketing.publish(first)
    second = marketing.start(SECOND)
    run(second)
    assert changes(second) == []
    assert members(second) == [("vips", "C1", date(2026, 10, 1), False)]


def test_an_expired_segment_is_left_by_all(marketing: Marketing) -> None:
    marketing.declare("segment", "vips", where="true", expires_on="2026-11-20")
    marketing.add("C1")
    first = marketing.start(FIRST)
    run(first)
    marketing.publish(first)
    second = marketing.start(SECOND)
    result = run(second)
    assert members(second) == []
    assert ("vips", "C1", "left", SECOND) in changes(second)
    assert result.messages == ("segment vips expired on 2026-11-20: not served",)


def test_a_wrong_predicate_stops_the_night(marketing: Marketing) -> None:
    marketing.declare("segment", "vips", where="visit > 5")
    marketing.add("C1")
    with pytest.raises(ConfigError, match="visits"):
        run(marketing.start())
