"""Stores that no purchase model describes, as real ones are: are totals near, their ranges honest?

=====================  ==========================================================================
four months            all that is known is 120 days
grows by 40 % a year   so many more newcomers every year
closed for a quarter   nobody could buy for 90 days
prices up by a tenth   since four months
newcomers in waves     three campaigns bring nearly everybody
regular                customers buy at nearly equal gaps, which no purchase model of ours expects
heavy tails            a few buy far more often and for far more than all others
half are guests        every other customer buys once, under a name of its own
=====================  ==========================================================================

Each is forecast by what ``cdp clv`` calls and held against 180 days that it never saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
from numpy.typing import NDArray

from benchmarks.clv.bars import Bar
from cdp_pipeline.features.files.transactions import Columns
from cdp_pipeline.features.files.value import ValueOptions
from cdp_pipeline.orchestration.files import value_file

Vector = NDArray[np.float64]

KINDS = (
    "four months",
    "grows by 40 % a year",
    "closed for a quarter",
    "prices up by a tenth",
    "newcomers in waves",
    "regular",
    "heavy tails",
    "half are guests",
)
FUTURE_DAYS = 180
CUSTOMERS = 3_000
START = date(2023, 3, 1)
_LONG, _SHORT = 730, 120

_DAYS = """
create table days as
select
    customer::varchar as customer_id,
    $start::date + day::integer as bought_on,
    sum(amount::decimal(18, 2)) as amount
from drawn
group by all
"""
_LATER = """
with known as (select distinct customer_id from days where bought_on <= $last_day)
select count(*), coalesce(sum(amount), 0)::double
from days
semi join known using (customer_id)
where bought_on > $last_day
"""


@dataclass(frozen=True)
class Held:
    """One quantity of one store's forecast held against its future.

    Attributes:
        kind: Kind of store.
        quantity: visits or amount.
        error: Forecast over what came, less 1.
        is_held: Whether what came lay within the range.
    """

    kind: str
    quantity: str
    error: float
    is_held: bool


def unusual_bars(stores: int, first_seed: int) -> list[Bar]:
    """Return the bars that so many stores of each kind decide."""
    bars, found = [], []
    for kind in KINDS:
        here = [
            one for number in range(stores) for one in forecast_unusual(kind, first_seed + number)
        ]
        held = sum(one.is_held for one in here)
        far = float(np.median([abs(one.error) for one in here]))
        title = f"totals of the next {FUTURE_DAYS} days within their range, {kind}"
        measured = f"{held}, half of them within {far:.0%}"
        bars.append(Bar(title, f"≥ 80 % of {len(here)}", measured, held >= 0.8 * len(here)))
        found += here
    held = sum(one.is_held for one in found)
    title = "the same, all unusual stores"
    return [*bars, Bar(title, f"≥ 85 % of {len(found)}", str(held), held >= 0.85 * len(found))]


def forecast_unusual(kind: str, seed: int) -> Sequence[Held]:
    """Return how visits and amount of one store turned out."""
    days = _SHORT if kind == "four months" else _LONG
    last_day = START + timedelta(days=days - 1)
    with TemporaryDirectory() as folder, duckdb.connect() as con:
        con.register("drawn", _draw(kind, days, np.random.default_rng(seed)))
        con.execute(_DAYS, {"start": START})
        truth = con.execute(_LATER, {"last_day": last_day}).fetchall()[0]
        file = Path(folder) / "store.parquet"
        con.execute("delete from days where bought_on > ?", [last_day])
        con.table("days").write_parquet(str(file))
        found = value_file(
            file,
            Columns("customer_id", "bought_on", "amount"),
            ValueOptions(horizon_days=FUTURE_DAYS),
            as_of=last_day,
        )
    return [
        Held(
            kind,
            total.quantity,
            total.expected / value - 1.0,
            total.interval is not None and total.interval.holds(value),
        )
        for total, value in zip(found.totals, truth, strict=False)  # of the value, no truth here
    ]


def _draw(kind: str, days: int, draw: np.random.Generator) -> dict[str, Vector]:
    """Return customer, day and amount of every visit, the future's too."""
    worth = np.ones(days + FUTURE_DAYS)
    if kind == "closed for a quarter":
        worth[days - 300 : days - 210] = 0.0
    first = draw.choice(days, CUSTOMERS, p=_arrivals(kind, days))
    rate = draw.gamma(draw.uniform(0.4, 1.2), 1.0 / draw.uniform(40.0, 120.0), CUSTOMERS)
    chance = draw.beta(draw.uniform(0.4, 1.2), draw.uniform(2.0, 5.0), CUSTOMERS)
    mean = draw.gamma(4.0, 10.0, CUSTOMERS)
    if kind == "heavy tails":
        rate = np.exp(draw.normal(-5.0, 1.3, CUSTOMERS))
        mean = np.exp(draw.normal(5.0, 1.5, CUSTOMERS))
    if kind == "half are guests":
        chance[::2] = 1.0
    customer, day = _visits(worth, first, rate, chance, 6.0 if kind == "regular" else 1.0, draw)
    amount = draw.gamma(5.0, 0.2, len(day)) * mean[customer]
    if kind == "prices up by a tenth":
        amount *= np.where(day >= days - _SHORT, 1.1, 1.0)
    return {"customer": customer, "day": day, "amount": np.round(amount + 0.01, 2)}


def _arrivals(kind: str, days: int) -> Vector:
    """Return the share of newcomers of each day."""
    day = np.arange(days)
    share = np.ones(days)
    if kind == "grows by 40 % a year":
        share = 1.4 ** (day / 365)
    if kind == "closed for a quarter":
        share[days - 300 : days - 210] = 0.0
    if kind == "newcomers in waves":
        share = 0.1 + 20.0 * np.isin(day // 10, (10, 38, 60))
    return share / share.sum()


def _visits(
    worth: Vector,
    first: NDArray[np.int64],
    rate: Vector,
    chance: Vector,
    regularity: float,
    draw: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return customer and day of every visit: gamma-distributed gaps until the customer leaves."""
    clock = np.concatenate(([0.0], np.cumsum(worth)))
    here = np.arange(len(first))
    now = clock[first] + worth[first] * draw.random(len(first))
    who, when = [here], [first]
    while len(here):
        here = here[draw.random(len(here)) >= chance[here]]
        gap = draw.gamma(regularity, 1.0 / regularity, len(here))
        now[here] += gap / np.maximum(rate[here], 1e-12)
        here = here[now[here] < clock[-1]]
        who.append(here)
        when.append(np.searchsorted(clock, now[here], side="right") - 1)
    return np.concatenate(who), np.concatenate(when)
