"""Spells in segments against plain sets of days, over random nights and merges."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cdp_pipeline.segments.spells import record_spells

FIRST = date(2026, 11, 1)
PEOPLE = ("A", "B", "C")


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    opened = duckdb.connect()
    for catalog in ("cdp", "base"):
        opened.execute(f"attach ':memory:' as {catalog}")
    opened.execute("use cdp")
    for schema in ("segments", "identity", "features"):
        opened.execute(f"create schema {schema}")
        opened.execute(f"create schema base.{schema}")
    yield opened
    opened.close()


def start(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("drop table if exists base.segments.membership_history")
    con.execute(
        "create or replace table segments.membership "
        "(segment varchar, customer_id varchar, entered_on date, is_holdout boolean)"
    )
    con.execute(
        "create or replace table identity.redirects (old_customer_id varchar, customer_id varchar)"
    )


def play_night(
    con: duckdb.DuckDBPyConnection, day: date, members: set[str], living: set[str]
) -> None:
    """Make tonight's tables as ``membership`` does, then the spells."""
    con.execute(
        "create or replace temp table previous_members as "
        "select old.segment, coalesce(r.customer_id, old.customer_id) as customer_id, "
        "min(old.entered_on) as entered_on, bool_or(old.is_holdout) as is_holdout "
        "from segments.membership as old "
        "left join identity.redirects as r on old.customer_id = r.old_customer_id group by all"
    )
    con.execute("create or replace table features.customer_features (customer_id varchar)")
    con.execute("create or replace temp table wanted (customer_id varchar)")
    for table, people in (("features.customer_features", living), ("wanted", members)):
        for person in sorted(people):
            con.execute(f"insert into {table} values (?)", [person])
    con.execute(
        "create or replace table segments.membership as "
        "select 's' as segment, customer_id, coalesce(p.entered_on, ?) as entered_on, "
        "coalesce(p.is_holdout, false) as is_holdout "
        "from wanted left join previous_members as p using (customer_id)",
        [day],
    )
    record_spells(con, day)


nights = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.sets(st.sampled_from(PEOPLE)),
        st.one_of(st.none(), st.permutations(PEOPLE).map(lambda p: tuple(p[:2]))),
    ),
    min_size=1,
    max_size=6,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(played=nights)
@example(played=[(1, {"A"}, None), (1, {"B"}, None), (1, {"B"}, ("A", "B")), (1, set(), None)])
def test_spells_are_the_days_people_were_members(
    con: duckdb.DuckDBPyConnection,
    played: list[tuple[int, set[str], tuple[str, str] | None]],
) -> None:
    start(con)
    days: dict[str, set[date]] = {person: set() for person in PEOPLE}
    living, day, before = set(PEOPLE), FIRST, FIRST
    members: set[str] = set()
    for gap, wanted, merge in played:
        # A day without a night is like the night before it.
        for person in members:
            days[person] |= {before + timedelta(n) for n in range((day - before).days)}
        if merge and set(merge) <= living:
            old, kept = merge
            living.discard(old)
            days[kept] |= days.pop(old)
            con.execute("update identity.redirects set customer_id = ? where customer_id = ?",
                        [kept, old])  # fmt: skip
            con.execute("insert into identity.redirects values (?, ?)", [old, kept])
        members = wanted & living
        for person in members:
            days[person].add(day)
        play_night(con, day, members, living)
        rows = con.execute("from segments.membership_history").fetchall()
        assert rows == sorted(rows, key=lambda row: row[:3])
        found: dict[str, set[date]] = {person: set() for person in living}
        for _, person, entered, left, _ in rows:
            span = ((left or day + timedelta(1)) - entered).days
            assert span > 0
            new = {entered + timedelta(n) for n in range(span)}
            assert not new & found[person]
            found[person] |= new
        assert found == days
        for one, other in pairwise(rows):  # spells that touch are one
            assert one[1] != other[1] or one[3] < other[2]
        open_spells = [(row[1], row[2]) for row in rows if row[3] is None]
        assert {person for person, _ in open_spells} == members
        entered = con.execute("select customer_id, entered_on from segments.membership order by 1")
        assert entered.fetchall() == open_spells
        again = rows
        record_spells(con, day)
        assert con.execute("from segments.membership_history").fetchall() == again
        con.execute(
            "create or replace table base.segments.membership_history as "
            "from segments.membership_history"
        )
        before, day = day, day + timedelta(gap)


def test_hundreds_who_leave_in_one_night_have_one_spell_each(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """A spell that ends is carried as well: the two are told apart by nothing."""
    people = {f"P{number}" for number in range(600)}
    start(con)
    play_night(con, FIRST, people, people)
    con.execute(
        "create or replace table base.segments.membership_history as "
        "from segments.membership_history"
    )
    play_night(con, FIRST + timedelta(1), set(), people)
    rows = con.execute("from segments.membership_history").fetchall()
    assert rows == [("s", who, FIRST, FIRST + timedelta(1), False) for who in sorted(people)]
