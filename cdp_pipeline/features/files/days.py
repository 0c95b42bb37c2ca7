"""Days of customers from a file's lines: ``features.customer_day`` without a project.

Netting belongs here; reading the lines belongs to ``transactions``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import duckdb

from cdp_pipeline.storage.warehouse import fetch_value

LINES_A_SPAN = 4_000_000
"""Of lines filed by day so many are netted at a time, whose groups stay nearer to the core and take
less memory. Much smaller spans cost more in statements than they save."""

_COUNTED = """
from file_lines
where customer_id is not null and bought_on <= $as_of::date and amount is not null
"""

_TABLE = """
create or replace table features.customer_day (
    customer_id varchar,
    purchased_on date,
    net_amount decimal(18, 2),
    is_visit boolean
)
"""

_DAYS = """
insert into features.customer_day
with lines as (
    select * {counted}
),
days as (
    -- The day first: it is compared at less cost, and is mostly what tells two keys apart.
    select
        bought_on as purchased_on,
        customer_id,
        -- By way of 64 bits: rounding the 128 bits of a sum costs as much as all the rest.
        sum(amount)::decimal(18, 4)::decimal(18, 2) as net_amount,
        {is_free} as is_free,
    from lines
    group by all
)
select
    customer_id,
    purchased_on,
    net_amount,
    -- whoever keeps an amount was sold something
    net_amount > 0 or is_free as is_visit,
from days
{order}
"""


@dataclass(frozen=True)
class Window:
    """The last days of a file.

    Attributes:
        days: How many.
        first_on: No line is earlier, so that a window that reaches back to it leaves out none;
            None: it is looked for.
        lines_by_day: So many lines follow each other day by day and are netted in spans of days;
            0: they follow in another order, in which each span would read them all.
    """

    days: int
    first_on: date | None = None
    lines_by_day: int = 0


def build_days(
    con: duckdb.DuckDBPyConnection,
    as_of: date,
    *,
    part: str | None = None,
    window: Window | None = None,
    counts_free: bool = False,
) -> None:
    """Create ``features.customer_day`` from ``file_lines``, returns netted day by day.

    Args:
        con: Connection that read the file.
        as_of: Last day that counts.
        part: Only lines of this value of the column to score separately by.
        window: Only the days in it, in any order, and the first day of all, which tells how long
            the history is; None: all, by customer and day.
        counts_free: Whether a day on which everything cost nothing is a visit.
    """
    con.execute("create schema if not exists features")
    con.execute(_TABLE)
    counted = _COUNTED
    params: dict[str, object] = {"as_of": as_of}
    if part is not None:
        counted, params = counted + "and part = $part ", params | {"part": part}
    # Each further state of so many groups costs memory and time.
    is_free = "bool_and(amount = 0)" if counts_free else "false"
    if window is None:
        order = "order by customer_id, purchased_on"
        con.execute(_DAYS.format(counted=counted, order=order, is_free=is_free), params)
        return
    begin, first = as_of - timedelta(days=window.days - 1), window.first_on
    if first is None or first < begin:
        # The first of an order is found by what is known of whole blocks; min() reads every row.
        earliest = f"select bought_on {counted} order by bought_on asc limit 1"
        first = fetch_value(con, earliest, params) or as_of
    spans = _spans(max(begin, first), as_of, window.lines_by_day // LINES_A_SPAN)
    if first < begin:
        spans.append((first, first))
    counted += "and bought_on between $from_on::date and $to_on::date"
    # sorting would cost as much as netting
    netted = _DAYS.format(counted=counted, order="", is_free=is_free)
    for from_on, to_on in spans:
        con.execute(netted, params | {"from_on": from_on, "to_on": to_on})


def _spans(first: date, last: date, count: int) -> list[tuple[date, date]]:
    """Return so many spans of about as many days, at least one, of a day or more each."""
    days = (last - first).days + 1
    count = max(1, min(count, days))
    begins = [first + timedelta(days=days * number // count) for number in range(count + 1)]
    return [(begin, end - timedelta(days=1)) for begin, end in pairwise(begins)]
