"""When people buy: arrival, individual rates, drop-out and the seasons.

A buyer makes purchases as a Poisson process that runs faster on busy days, at a rate drawn from a
gamma distribution, and may be lost after any purchase with an own probability drawn from a beta
distribution (the MBG/NBD story). What is in the basket is decided in ``baskets``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp_pipeline.sample.arrays import Bools, Floats, Ints, happens, open_stream, pick
from cdp_pipeline.sample.contacts import Contacts, load_places
from cdp_pipeline.sample.people import ARRIVAL_SPREAD_DAYS, People
from cdp_pipeline.sample.seasons import Timeline, measure_trade

CAST_REST_DAYS = 120
_RATE_SHAPE = 0.75
_VISITS_PER_YEAR = 11.0
_LOSS = (0.75, 2.6)
_MOST_VISITS = 600
# Share of visits by hour, from nine in the morning (stores) and from midnight (web).
_STORE_HOURS = (0.4, 0.8, 1.2, 1.5, 1.5, 1.3, 1.2, 1.1, 0.9, 0.5)
_WEB_HOURS = (2, 1, 0.5, 0.3, 0.3, 0.6, 1.5, 3, 4, 4, 4, 4, 5, 5, 4, 4, 4, 5, 6, 8, 10, 10, 8, 5)
_OPENS_AT = 9


@dataclass(frozen=True)
class Temper:
    """How each person shops; one entry per person.

    Attributes:
        rate: Purchases per average day while active.
        web_share: Share of purchases made on the web.
        taste: Preference by department (columns), positive.
        tier: Preferred price tier, 0 to 2.
        basket: Expected lines beyond the first.
        uses_web: Looks at the web shop at all.
        opens_mail: Chance to open an e-mail that arrives.
    """

    rate: Floats
    web_share: Floats
    taste: Floats
    tier: Ints
    basket: Floats
    uses_web: Bools
    opens_mail: Floats


@dataclass(frozen=True)
class Visits:
    """Purchases; one entry per visit to a store or order, ordered by day and second.

    Attributes:
        person: Who buys.
        day: Day number; 0 to the end of the future.
        second: Second of the day on London's clock.
        store: Index of the store; -1 for a web order.
        journey: Index of the planted journey that the visit is part of; -1 for all others.
    """

    person: Ints
    day: Ints
    second: Ints
    store: Ints
    journey: Ints

    def __len__(self) -> int:
        """Return the number of visits."""
        return len(self.person)

    def take(self, index: Ints) -> Visits:
        """Return the visits at ``index``."""
        return Visits(
            self.person[index],
            self.day[index],
            self.second[index],
            self.store[index],
            self.journey[index],
        )

    def join(self, other: Visits) -> Visits:
        """Return both sets of visits in one, ordered by day and second."""
        both = Visits(
            np.concatenate([self.person, other.person]),
            np.concatenate([self.day, other.day]),
            np.concatenate([self.second, other.second]),
            np.concatenate([self.store, other.store]),
            np.concatenate([self.journey, other.journey]),
        )
        return both.take(np.lexsort((both.person, both.second, both.day)))


def draw_tempers(
    people: People, contacts: Contacts, timeline: Timeline, departments: Floats, seed: int
) -> Temper:
    """Return how each person shops."""
    rng = open_stream(seed, "tempers")
    count = len(people)
    has_mail = contacts.email != ""
    uses_web = has_mail & (happens(rng, 0.8, count) | people.is_cast)
    younger = np.clip((70 - people.ages(timeline)) / 50, 0.1, 1.0)
    web_share = np.where(uses_web, rng.beta(1.2, 2.2, count) * (0.4 + 0.8 * younger), 0.0)
    taste = rng.gamma(0.6, 1.0, (count, len(departments))) + 0.02
    return Temper(
        rate=rng.gamma(_RATE_SHAPE, _VISITS_PER_YEAR / _RATE_SHAPE / 365, count),
        web_share=np.clip(web_share, 0, 0.95),
        taste=taste * departments,
        tier=pick(rng, (0.36, 0.44, 0.20), count),
        basket=rng.gamma(2.0, 0.78, count),
        uses_web=uses_web,
        opens_mail=rng.beta(1.6, 3.6, count),
    )


def simulate_visits(
    people: People, contacts: Contacts, temper: Temper, timeline: Timeline, seed: int
) -> Visits:
    """Return every purchase from day 0 to the end of the future."""
    rng = open_stream(seed, "visits")
    first_day = -ARRIVAL_SPREAD_DAYS
    clock = np.concatenate([[0.0], np.cumsum(measure_trade(timeline, first_day))])
    begin = clock[people.arrival_day - first_day]
    count = np.minimum(rng.poisson(temper.rate * (clock[-1] - begin)), _MOST_VISITS)
    person = np.repeat(np.arange(len(people)), count)
    # Moments are uniform on the clock that runs faster on busy days.
    moment = begin[person] + rng.random(len(person)) * (clock[-1] - begin[person])
    person, moment = _lose_buyers(rng, person, moment, count)
    # The arrival is itself a purchase.
    person = np.concatenate([np.arange(len(people)), person])
    day = np.searchsorted(clock, moment, side="right") - 1 + first_day
    day = np.concatenate([people.arrival_day, day])
    rests = people.is_cast[person] & (day > timeline.last_day - CAST_REST_DAYS)
    rests &= day <= timeline.last_day
    kept = np.flatnonzero((day >= 0) & (day <= timeline.end_day) & ~rests)
    person, day = person[kept], day[kept]
    on_web = happens(rng, temper.web_share[person], len(person))
    second = np.where(
        on_web,
        draw_seconds(rng, len(person), on_web=True),
        draw_seconds(rng, len(person), on_web=False),
    )
    store = np.where(on_web, -1, choose_stores(rng, contacts.home_store[person]))
    order = np.lexsort((person, second, day))
    return Visits(person, day.astype(np.int64), second, store, np.full_like(person, -1)).take(order)


def choose_stores(rng: np.random.Generator, home_store: Ints) -> Ints:
    """Return the store of each visit: mostly the nearest one."""
    places = load_places()
    count = int(np.sum(places.store_name != ""))
    other = pick(rng, places.weight[:count], len(home_store))
    return np.where(happens(rng, 0.88, len(home_store)), home_store, other)


def draw_seconds(rng: np.random.Generator, count: int, *, on_web: bool) -> Ints:
    """Return seconds of the day at which people shop in stores, or on the web."""
    hours, opens_at = (_WEB_HOURS, 0) if on_web else (_STORE_HOURS, _OPENS_AT)
    hour = pick(rng, hours, count) + opens_at
    return np.asarray(hour * 3600 + rng.integers(0, 3600, count), dtype=np.int64)


def _lose_buyers(
    rng: np.random.Generator, person: Ints, moment: Floats, count: Ints
) -> tuple[Ints, Floats]:
    loss = np.clip(rng.beta(*_LOSS, len(count)), 1e-6, 1.0)
    # The purchase (the arrival is number 1) after which each buyer never returns.
    last_purchase = rng.geometric(loss)
    order = np.lexsort((moment, person))
    person, moment = person[order], moment[order]
    place = np.arange(len(person)) - np.repeat(np.cumsum(count) - count, count)
    kept = place + 2 <= last_purchase[person]
    return person[kept].astype(np.int64), moment[kept]
