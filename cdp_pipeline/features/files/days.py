"""Days of customers from a file's lines: ``features.customer_day`` without a project.

Netting belongs here; reading the lines belongs to ``transactions``.
"""

from __future__ import annotations

from datetime import date

import duckdb

from cdp_pipeline.storage.warehouse import fetch_value

_COUNTED = """
from file_lines
where customer_id is not null and bought_on <= $as_of::date and amount is not null
"""

_DAYS = """
create or replace table features.customer_day as
with lines as (
    select * {counted}
),
days as (
    select
        customer_id,
        bought_on as purchased_on,
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


def build_days(
    con: duckdb.DuckDBPyConnection,
    as_of: date,
    *,
    part: str | None = None,
    window_days: int | None = None,
    first_on: date | None = None,
    counts_free: bool = False,
) -> None:
    """Create ``features.customer_day`` from ``file_lines``, returns netted day by day.

    Args:
        con: Connection that read the file.
        as_of: Last day that counts.
        part: Only lines of this value of the column to score separately by.
        window_days: Only the last so many days, in any order, and the first day of all, which
            tells how long the history is; None: all, by customer and day.
        first_on: No line is earlier, so that a window that reaches back to it leaves out none;
            None: it is looked for.
        counts_free: Whether a day on which everything cost nothing is a visit.
    """
    con.execute("create schema if not exists features")
    counted = _COUNTED
    params: dict[str, object] = {"as_of": as_of}
    if part is not None:
        counted, params = counted + "and part = $part ", params | {"part": part}
    # sorting would cost as much as netting
    order = "order by customer_id, purchased_on" if window_days is None else ""
    reaches_back = first_on is not None and (as_of - first_on).days < (window_days or 0)
    if window_days is not None and not reaches_back:
        # The first of an order is found by what is known of whole blocks; min() reads every row.
        earliest = f"select bought_on {counted} order by bought_on asc limit 1"
        first = fetch_value(con, earliest, params)
        counted += "and (bought_on > $as_of::date - $window_days::integer or bought_on = $first)"
        params = params | {"window_days": window_days, "first": first}
    # Each further state of so many groups costs memory and time.
    is_free = "bool_and(amount = 0)" if counts_free else "false"
    con.execute(_DAYS.format(counted=counted, order=order, is_free=is_free), params)
