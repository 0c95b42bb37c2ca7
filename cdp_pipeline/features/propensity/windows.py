"""What was known of each person on a day, and whether the deed followed.

How inputs are rebuilt as of any day belongs here. None looks past the day: a web event counts only
if its person could be known by then. Sex, age and address are left out on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from cdp_pipeline.features.btyd import BtydFit, fit_purchases
from cdp_pipeline.features.histories import Vector
from cdp_pipeline.features.propensity.inputs import INPUTS, READ_INPUTS, purchase_inputs
from cdp_pipeline.storage.warehouse import fetch_value

Matrix = NDArray[np.float64]
Groups = NDArray[np.int64]

YEAR_DAYS = 364
BATCH_PEOPLE = 100_000


# Everybody known on a day, with what does not depend on the propensity. Money is summed as DECIMAL.
_KNOWN = """
create or replace temp table {table} as
with visits as (
    select
        customer_id,
        count(*) filter (where is_visit) - 1 as visits_before,
        $cut_on::date - min(purchased_on) filter (where is_visit) as first_ago,
        $cut_on::date - max(purchased_on) filter (where is_visit) as last_ago,
        count(*) filter (where is_visit and purchased_on > $cut_on::date - $horizon::integer)
            as visits_recent,
        count(*) filter (where is_visit and purchased_on > $cut_on::date - 90) as visits_90d,
        count(*) filter (where is_visit and is_year) as visits_365d,
        count(*) filter (
            where
                is_visit
                and purchased_on > $cut_on::date - {year}
                and purchased_on <= $cut_on::date - {year} + $horizon::integer
        ) as visits_last_year,
        coalesce(sum(net_amount) filter (where purchased_on > $cut_on::date - 90), 0)
            as amount_90d,
        coalesce(sum(net_amount) filter (where is_year), 0) as amount_365d,
        sum(net_amount) filter (where is_visit)::double
            / nullif(count(*) filter (where is_visit), 0) as mean_amount,
        sum(unit_count)::double / nullif(count(*) filter (where is_visit), 0) as units_a_visit,
        sum(promoted_amount) filter (where is_year)::double
            / nullif(sum(gross_amount) filter (where is_year), 0)::double as promoted_share,
        count(*) filter (where is_web_visit and is_year)::double
            / nullif(count(*) filter (where is_visit and is_year), 0) as web_share,
        sum(returned_amount) filter (where is_year)::double
            / nullif(sum(gross_amount) filter (where is_year), 0)::double as returned_share,
    from (
        select *, purchased_on > $cut_on::date - 365 as is_year
        from features.customer_day
        where
            purchased_on <= $cut_on::date
            and ($stride::integer = 1 or hash(customer_id) % $stride::integer = 0)
    )
    group by customer_id
    having count(*) filter (where is_visit) > 0
),
web as (
    select
        customer_id,
        count(*) filter (
            where event_type = 'product_view' and occurred_on > $cut_on::date - 30
        ) as looks_30d,
        count(*) filter (
            where event_type = 'add_to_cart' and occurred_on > $cut_on::date - 30
        ) as carts_30d,
        $cut_on::date - max(occurred_on) as web_last_ago,
    from core.fct_web_events
    where
        customer_id is not null
        and occurred_on <= $cut_on::date
        and coalesce(identified_at, occurred_at) < $cut_on::date + 1
        and ($stride::integer = 1 or hash(customer_id) % $stride::integer = 0)
    group by customer_id
),
emails as (
    select
        customer_id,
        count(*) filter (where event_type = 'sent') as emails_90d,
        count(*) filter (where event_type = 'open') as opens_90d,
        count(*) filter (where event_type = 'click') as clicks_90d,
    from core.fct_email_events
    where
        customer_id is not null
        and not coalesce(is_machine, false)
        and occurred_on <= $cut_on::date
        and occurred_on > $cut_on::date - 90
        and ($stride::integer = 1 or hash(customer_id) % $stride::integer = 0)
    group by customer_id
)
select
    people.customer_id,
    visits.* exclude (customer_id),
    (first_ago - last_ago)::double / nullif(visits_before, 0) as usual_gap,
    last_ago / greatest((first_ago - last_ago)::double / nullif(visits_before, 0), 1) as silence,
    web.* exclude (customer_id),
    emails.* exclude (customer_id),
from (
    select customer_id from visits
    union
    select customer_id from emails
) as people
left join visits using (customer_id)
left join web using (customer_id)
left join emails using (customer_id)
anti join {refused} as refused using (customer_id)
"""
_WINDOW = """
create or replace temp table {table} as
with events as (
    select
        customer_id,
        count(*) filter (where is_done and happened_on > $cut_on::date - $horizon::integer)
            as events_recent,
        count(*) filter (where is_done and happened_on > $cut_on::date - 365) as events_365d,
        count(*) filter (where is_done) as events_ever,
        $cut_on::date - max(happened_on) filter (where is_done) as event_last_ago,
        count(*) filter (
            where
                is_done
                and happened_on > $cut_on::date - {year}
                and happened_on <= $cut_on::date - {year} + $horizon::integer
        ) as events_last_year,
        count(*) filter (where not is_done and happened_on > $cut_on::date - $horizon::integer)
            as chances_recent,
        bool_or(not is_done and happened_on > $cut_on::date - $eligible::integer) as has_chance,
    from {events}
    semi join {known} using (customer_id)
    where happened_on <= $cut_on::date
    group by customer_id
),
later as (
    select distinct customer_id
    from {events}
    semi join {known} using (customer_id)
    where
        is_done
        and happened_on > $cut_on::date
        and happened_on <= $cut_on::date + $horizon::integer
)
select
    known.*,
    coalesce(events_recent, 0) as events_recent,
    coalesce(events_365d, 0) as events_365d,
    coalesce(events_ever, 0) as events_ever,
    event_last_ago,
    coalesce(events_last_year, 0) as events_last_year,
    coalesce(chances_recent, 0) as chances_recent,
    later.customer_id is not null as has_happened,
    md5_number_lower(known.customer_id::varchar) % 4 as party,
    row_number() over (order by known.customer_id) - 1 as number,
from {known} as known
left join events using (customer_id)
left join later on known.customer_id = later.customer_id
where
    case
        when $has_chances::boolean then coalesce(has_chance, false)
        else last_ago < $eligible::integer
    end
"""
_WINDOWS_OF = """
select table_name from duckdb_tables()
where temporary and starts_with(table_name, $1) and table_name <> $1
"""
_EVENTS = """
create or replace temp table {table} as
select distinct customer_id, happened_on::date as happened_on, {is_done} as is_done
from (
{sql}
)
where customer_id is not null and happened_on::date <= $as_of::date
"""


@dataclass(frozen=True)
class Question:
    """A propensity as it is asked of the tables.

    Attributes:
        events: Temporary table: ``customer_id``, ``happened_on``, ``is_done``.
        refused: Table of people who may not be profiled.
        horizon_days: Days ahead.
        eligible_days: Days in which somebody must have bought, or been given a chance.
        has_chances: Whether it needs a chance.
        stride: Takes one person in so many on past days.
    """

    events: str
    refused: str
    horizon_days: int
    eligible_days: int
    has_chances: bool
    stride: int = 1

    def known(self, cut_on: date) -> str:
        """Return the temporary table of what does not depend on the propensity."""
        return f"propensity_known_{cut_on:%Y%m%d}_{self.horizon_days}_{self.stride}"

    def window(self, cut_on: date) -> str:
        """Return the temporary table of everybody who is eligible, with all inputs."""
        return f"{self.events}_{cut_on:%Y%m%d}_{self.stride}"


@dataclass(frozen=True)
class Window:
    """People as they were known on a day, one row each.

    Attributes:
        cut_on: Last day that is known.
        horizon_days: Days that the outcome covers.
        fit: Purchase model of that day.
        values: One column for each of ``INPUTS``; NaN where there is nothing to know.
        has_happened: 1 for those who did it within the horizon.
        party: A number from 0 to 3 that a person keeps on every day.
        names: Ids, if they were asked for.
    """

    cut_on: date
    horizon_days: int
    fit: BtydFit
    values: Matrix
    has_happened: Vector
    party: Groups
    names: tuple[str, ...] = ()

    @property
    def people(self) -> int:
        """How many they are."""
        return len(self.party)

    def column(self, name: str) -> Vector:
        """Return one input."""
        found: Vector = self.values[:, list(INPUTS).index(name)]
        return found

    def of_parties(self, even: int | None) -> Window:
        """Return those whose party is even (0) or odd (1); all for None."""
        if even is None:
            return self
        kept = self.party % 2 == even
        return Window(
            self.cut_on,
            self.horizon_days,
            self.fit,
            self.values[kept],
            self.has_happened[kept],
            self.party[kept],
        )


def list_events(
    con: duckdb.DuckDBPyConnection, sql: str, *, has_chances: bool, as_of: date, table: str
) -> None:
    """Create a temporary table of what a propensity's SELECT lists, one row a person and day.

    Windows that were laid out for an earlier table of this name are gone.
    """
    for (window,) in con.execute(_WINDOWS_OF, [table]).fetchall():
        con.execute(f"drop table temp.{window}")
    is_done = "not is_chance" if has_chances else "true"
    con.execute(_EVENTS.format(table=table, sql=sql, is_done=is_done), {"as_of": as_of})


def first_day(con: duckdb.DuckDBPyConnection) -> date | None:
    """Return the day of the first visit of all; None without any."""
    found: date | None = fetch_value(
        con, "select min(purchased_on) from features.customer_day where is_visit"
    )
    return found


def count_people(con: duckdb.DuckDBPyConnection) -> int:
    """Return how many people ever bought."""
    return int(fetch_value(con, "select count(distinct customer_id) from features.customer_day"))


def lay_out_window(con: duckdb.DuckDBPyConnection, question: Question, cut_on: date) -> str:
    """Create the temporary table of everybody's inputs on a day and return its name.

    It is made once for a day and horizon, and what does not depend on the propensity once for all.
    """
    known, table = question.known(cut_on), question.window(cut_on)
    days = {"cut_on": cut_on, "horizon": question.horizon_days}
    if not _is_made(con, known):
        con.execute(
            _KNOWN.format(table=known, year=YEAR_DAYS, refused=question.refused),
            days | {"stride": question.stride},
        )
    if not _is_made(con, table):
        con.execute(
            _WINDOW.format(table=table, known=known, events=question.events, year=YEAR_DAYS),
            days | {"eligible": question.eligible_days, "has_chances": question.has_chances},
        )
    return table


def _is_made(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    sql = "select count(*) > 0 from duckdb_tables() where temporary and table_name = ?"
    return bool(fetch_value(con, sql, [table]))


def fit_window(con: duckdb.DuckDBPyConnection, question: Question, cut_on: date) -> BtydFit:
    """Return the purchase model of everybody known on a laid-out day."""
    found = con.execute(
        "select visits_before, first_ago - last_ago as between_ago, first_ago "  # noqa: S608 - own name
        f"from {question.known(cut_on)} where first_ago is not null"
    ).fetchnumpy()
    x, t_x, age = (np.asarray(values, dtype=np.float64) for values in found.values())
    return fit_purchases(x, t_x, age, is_draft=True)


def read_window(con: duckdb.DuckDBPyConnection, question: Question, cut_on: date) -> Window:
    """Return everybody eligible on a day, with the purchase model of that day."""
    table = lay_out_window(con, question, cut_on)
    fit = fit_window(con, question, cut_on)
    return next(read_batches(con, table, Asked(question, cut_on, fit), size=None))


@dataclass(frozen=True)
class Asked:
    """A question on a day, with the purchase model that answers part of it."""

    question: Question
    cut_on: date
    fit: BtydFit


def read_batches(
    con: duckdb.DuckDBPyConnection, table: str, asked: Asked, *, size: int | None = BATCH_PEOPLE
) -> Iterator[Window]:
    """Yield the people of a laid-out day in the order of their ids; at least one batch.

    Args:
        con: Connection that has the table.
        table: What ``lay_out_window`` made.
        asked: Day, horizon and purchase model.
        size: People of a batch; None for all at once.
    """
    total = int(fetch_value(con, f"select count(*) from {table}"))  # noqa: S608 - own name
    listed = ", ".join(f"{name}::double as {name}" for name in READ_INPUTS)
    step = size or max(total, 1)
    for start in range(0, max(total, 1), step):
        found = con.execute(
            f"select customer_id, has_happened::double as has_happened, party::bigint as party, "  # noqa: S608 - own names
            f"{listed} from {table} where number >= $start and number < $end order by number",
            {"start": start, "end": start + step},
        ).fetchnumpy()
        known = {name: _plain(found[name]) for name in READ_INPUTS}
        chances = purchase_inputs(asked.fit, known, asked.question.horizon_days)
        yield Window(
            asked.cut_on,
            asked.question.horizon_days,
            asked.fit,
            np.column_stack([(known | chances)[name] for name in INPUTS]),
            _plain(found["has_happened"]),
            np.asarray(found["party"], dtype=np.int64),
            tuple(np.asarray(found["customer_id"]).tolist()),
        )


def _plain(column: Any) -> Vector:  # noqa: ANN401 - what DuckDB hands over
    plain: Vector = np.ma.filled(np.ma.asarray(column, dtype=np.float64), math.nan)
    return plain
