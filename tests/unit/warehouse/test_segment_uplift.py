"""What the query on uplift says of holdouts whose truth is known."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

QUERY = Path(__file__).parents[3] / "sql" / "queries" / "segment_uplift.sql"

_STORE = """
create schema segments;
create schema core;
create schema features;
create table core.dim_date as select date '2026-11-18' as date_on, true as is_business_date;
create table segments.membership_history (
    segment varchar, customer_id varchar, entered_on date, is_holdout boolean
);
create table features.customer_day (
    customer_id varchar, purchased_on date, net_amount decimal(18, 2)
);
"""
_PEOPLE = """
insert into segments.membership_history
select $segment, 'C' || n, $entered_on, n % 4 = 0 from range($people) as people (n)
"""
# Everybody spends again what was spent before, some more, some less, and 7 more if contacted.
_DAYS = """
insert into features.customer_day
select 'C' || n, day, amount
from (
    select n, date '2026-09-30' as day, (n * 37 % 101)::decimal(18, 2) as amount
    from range(400) as people (n)
    union all
    select n, date '2026-10-10', n * 37 % 101 + n * 13 % 7 - 3 + 7 * (n % 4 > 0)::integer
    from range(400) as people (n)
    union all
    -- long before, and when the 28 days are over
    select n, unnest([date '2026-06-01', date '2026-11-10']), n * 900
    from range(400) as people (n)
) as days
"""
_LATER = """
update segments.membership_history
set
    entered_on = case when customer_id[2:]::integer < 200 then entered_on else entered_on + 2 end,
    is_holdout = is_holdout and customer_id[2:]::integer >= 200;
update features.customer_day
set net_amount = net_amount + 500
where purchased_on = date '2026-10-10' and customer_id[2:]::integer >= 200
"""
_WELCH = """
select
    avg(spent) filter (where not is_holdout) - avg(spent) filter (where is_holdout),
    sqrt(
        var_samp(spent) filter (where not is_holdout) / count(*) filter (where not is_holdout)
        + var_samp(spent) filter (where is_holdout) / count(*) filter (where is_holdout)
    )
from (
    select customer_id, is_holdout, net_amount::double as spent
    from segments.membership_history
    inner join features.customer_day using (customer_id)
    where purchased_on = date '2026-10-10'
)
"""


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute(_STORE)
    con.execute(_DAYS)
    return con


def ask(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[object, ...]]:
    rows = con.execute(QUERY.read_text(encoding="utf-8")).fetchall()
    return {str(row[0]): row[1:] for row in rows}


def enter(con: duckdb.DuckDBPyConnection, segment: str, entered_on: date, people: int) -> None:
    con.execute(_PEOPLE, {"segment": segment, "entered_on": entered_on, "people": people})


def test_what_people_spent_before_is_taken_out(con: duckdb.DuckDBPyConnection) -> None:
    enter(con, "contacted", date(2026, 10, 1), 400)
    customers, holdout, mean, uplift, low, high, smallest = ask(con)["contacted"]
    assert (customers, holdout) == (300, 100)
    assert 45 < float(str(mean)) < 55
    assert 6 < float(str(low)) < 7 < float(str(high)) < 8
    assert 6.5 < float(str(uplift)) < 7.5
    assert 0 < float(str(smallest)) < 1


def test_days_that_are_not_over_show_nothing(con: duckdb.DuckDBPyConnection) -> None:
    enter(con, "on its last day", date(2026, 10, 22), 400)
    enter(con, "over", date(2026, 10, 21), 400)
    found = ask(con)
    assert found["on its last day"] == (0, 0, None, None, None, None, None)
    assert found["over"][:2] == (300, 100)


@pytest.mark.parametrize(("people", "is_told"), [(4, False), (43, True), (40, False)])
def test_fewer_than_eleven_kept_back_tell_of_themselves(
    con: duckdb.DuckDBPyConnection, *, people: int, is_told: bool
) -> None:
    enter(con, "few", date(2026, 10, 1), people)
    found = ask(con)["few"]
    holdout = (people + 3) // 4
    assert found[:2] == (people - holdout, holdout)
    assert [amount is not None for amount in found[2:]] == [is_told] * 5


@pytest.mark.parametrize("is_holdout", [True, False])
def test_a_segment_of_one_side_shows_its_name(
    con: duckdb.DuckDBPyConnection, *, is_holdout: bool
) -> None:
    enter(con, "one side", date(2026, 10, 1), 400)
    con.execute("update segments.membership_history set is_holdout = ?", [is_holdout])
    assert ask(con) == {"one side": (0, 0, None, None, None, None, None)}


def test_one_night_without_days_before_is_the_plain_comparison(
    con: duckdb.DuckDBPyConnection,
) -> None:
    con.execute("delete from features.customer_day where purchased_on <= date '2026-10-01'")
    enter(con, "plain", date(2026, 10, 1), 400)
    uplift, error = con.execute(_WELCH).fetchall()[0]
    *_, found, low, high, smallest = (float(str(value)) for value in ask(con)["plain"])
    assert found == pytest.approx(uplift, abs=0.006)
    assert low == pytest.approx(uplift - 1.96 * error, abs=0.006)
    assert high == pytest.approx(uplift + 1.96 * error, abs=0.006)
    assert smallest == pytest.approx(2.8 * error, abs=0.006)


def test_only_people_of_one_night_are_held_against_each_other(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """Nobody was kept back at first, a quarter later, and those of later spend 500 more."""
    enter(con, "holdout since", date(2026, 10, 1), 400)
    con.execute(_LATER)
    customers, holdout, mean, _, low, high, _ = ask(con)["holdout since"]
    assert (customers, holdout) == (150, 50)
    assert 545 < float(str(mean)) < 555
    assert 6 < float(str(low)) < 7 < float(str(high)) < 8


def test_whoever_comes_back_counts_from_the_first_time(con: duckdb.DuckDBPyConnection) -> None:
    enter(con, "again", date(2026, 10, 1), 400)
    before = ask(con)
    enter(con, "again", date(2026, 11, 1), 400)
    assert ask(con) == before


def test_whoever_is_drawn_anew_on_coming_back_was_contacted_before(
    con: duckdb.DuckDBPyConnection,
) -> None:
    enter(con, "again", date(2026, 10, 1), 400)
    before = ask(con)
    enter(con, "again", date(2026, 10, 15), 400)
    con.execute(
        "update segments.membership_history set is_holdout = true "
        "where entered_on = date '2026-10-15'"
    )
    assert ask(con) == before
