"""Stores drawn from known parameters: customers who buy at random, leave, and follow a season."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Season = Callable[[Vector], Vector]
"""Turns days of the year into what a day is worth."""

TABLE = "features.customer_day"


@dataclass(frozen=True)
class Store:
    """A generated store.

    Attributes:
        last_day: Last day that is known.
        future_visits: Visits after it of customers who had come by then.
    """

    last_day: date
    future_visits: int


def christmas_peak(day_of_year: Vector) -> Vector:
    """Six times the quiet days' trade around 11 December."""
    away = np.minimum(np.abs(day_of_year - 345), 365 - np.abs(day_of_year - 345))
    worth: Vector = 1.0 + 5.0 * np.exp(-0.5 * (away / 20.0) ** 2)
    return worth


def even(day_of_year: Vector) -> Vector:
    """All days alike."""
    return np.ones(len(day_of_year))


def write_store(  # noqa: PLR0913 - what a store is made of
    con: duckdb.DuckDBPyConnection,
    *,
    seed: int,
    days: int,
    future_days: int = 180,
    customers: int = 6_000,
    season: Season = even,
    start: date = date(2023, 1, 1),
    leaves: bool = True,
) -> Store:
    """Write ``features.customer_day`` of a store whose parameters the seed hides."""
    draw = np.random.default_rng(seed)
    offsets = np.arange(days + future_days)
    moments = np.datetime64(start) + offsets.astype("timedelta64[D]")
    of_year = (moments - moments.astype("datetime64[Y]").astype("datetime64[D]")).astype(float)
    worth = season(of_year + 1.0)
    clock = np.concatenate(([0.0], np.cumsum(worth / worth[:365].mean())))
    first = draw.integers(0, days, customers)
    rate = draw.gamma(draw.uniform(0.4, 1.2), 1.0 / draw.uniform(40.0, 120.0), customers)
    chance = draw.beta(draw.uniform(0.4, 1.2), draw.uniform(2.0, 5.0), customers)
    here = np.arange(customers)
    now = clock[first] + (clock[first + 1] - clock[first]) * draw.random(customers)
    who, when = [here], [first]
    while len(here):
        if leaves:
            here = here[draw.random(len(here)) >= chance[here]]
        now[here] += draw.exponential(1.0 / np.maximum(rate[here], 1e-12))
        here = here[now[here] < clock[-1]]
        who.append(here)
        when.append(np.searchsorted(clock, now[here], side="right") - 1)
    customer, day = np.concatenate(who), np.concatenate(when)
    mean = draw.gamma(4.0, 10.0, customers)
    amount = np.round(draw.gamma(5.0, 0.2, len(day)) * mean[customer] + 0.01, 2)
    con.register("drawn", {"customer": customer, "day": day, "amount": amount})
    con.execute("create schema if not exists features")
    con.execute(
        f"create or replace table {TABLE} as select 'C' || customer as customer_id, "  # noqa: S608 - our own name
        "($start::date + day::integer)::date as purchased_on, "
        "sum(amount::decimal(18, 2)) as net_amount, true as is_visit "
        "from drawn group by all",
        {"start": start},
    )
    con.unregister("drawn")
    last_day = start + timedelta(days=days - 1)
    (later,) = con.execute(
        f"delete from {TABLE} where purchased_on > ?",  # noqa: S608 - as above
        [last_day],
    ).fetchall()[0]
    return Store(last_day, int(later))
