"""Planted journeys: looked at winter boots, did not buy them, came to a store, opened a mail.

A small cast of people who live alone and have clean records plays these journeys, among them
counter-examples that lack exactly one condition. Planning belongs here; the planted looks, visits
and mails become ordinary records in ``sessions``, ``tills`` and ``mailings``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp_pipeline.sample.arrays import Bools, Ints, happens, open_stream
from cdp_pipeline.sample.baskets import Lines
from cdp_pipeline.sample.catalogue import BOOTS, Catalogue
from cdp_pipeline.sample.contacts import Contacts
from cdp_pipeline.sample.people import People
from cdp_pipeline.sample.seasons import Timeline
from cdp_pipeline.sample.visits import Visits, draw_seconds

COMPLETE = 0
REASONS = (
    "complete",
    "bought_boots",
    "machine_open_only",
    "no_push_consent",
    "no_store_visit",
    "objected",
)
BOUGHT, MACHINE_ONLY, NO_PUSH, NO_VISIT, OBJECTED = range(1, len(REASONS))
_LOOKED_DAYS_AGO = (3, 12)
_VISIT_WITHIN_DAYS = 7
_TOKEN_SHARE = 0.9


@dataclass(frozen=True)
class Journeys:
    """The cast's journeys; one entry per person of the cast, ordered by person.

    Attributes:
        person: Who.
        reason: Index into ``REASONS``; COMPLETE is expected to trigger.
        product: The boots looked at.
        looked_day: Day of the look, 3 to 12 days before the last night.
        looked_second: London second of that day.
        logs_in_first: Logged in before the look; the others log in later in the session.
        visit_day: Day of the store visit, 1 to 7 days after the look; -1 without one.
        visit_second: London second of that day.
        mail_day: Day of the promotional mail, after the visit, at most the last night.
        open_second: London second of the opening on that day.
        has_token: Whether the account holds a push token.
    """

    person: Ints
    reason: Ints
    product: Ints
    looked_day: Ints
    looked_second: Ints
    logs_in_first: Bools
    visit_day: Ints
    visit_second: Ints
    mail_day: Ints
    open_second: Ints
    has_token: Bools

    def __len__(self) -> int:
        """Return the number of journeys."""
        return len(self.person)


def count_cast(customers: int) -> tuple[int, int]:
    """Return how many complete journeys, and how many of each counter-example, are wanted."""
    complete = max(10, round(customers / 500))
    return complete, max(2, complete // 5)


def plan_journeys(
    people: People, catalogue: Catalogue, timeline: Timeline, customers: int, seed: int
) -> Journeys:
    """Return the journeys, all finished on or before the last night."""
    rng = open_stream(seed, "journeys")
    person = np.flatnonzero(people.is_cast).astype(np.int64)
    size = len(person)
    complete, each = count_cast(customers)
    wanted = np.concatenate([np.zeros(complete), np.repeat(np.arange(1, len(REASONS)), each)])
    reason = rng.permutation(np.resize(wanted.astype(np.int64), size))
    boots = catalogue.of_category(BOOTS)
    last = timeline.last_day
    ago = rng.integers(_LOOKED_DAYS_AGO[0], _LOOKED_DAYS_AGO[1] + 1, size)
    looked = last - ago
    visit = looked + 1 + rng.integers(0, np.minimum(_VISIT_WITHIN_DAYS, ago - 1))
    mail = visit + 1 + rng.integers(0, last - visit)
    evening = 18 * 3600
    return Journeys(
        person=person,
        reason=reason,
        product=boots[rng.integers(0, len(boots), size)],
        looked_day=looked,
        looked_second=evening + rng.integers(0, 3 * 3600, size),
        logs_in_first=happens(rng, 0.5, size),
        visit_day=np.where(reason == NO_VISIT, -1, visit),
        visit_second=draw_seconds(rng, size, on_web=False),
        mail_day=mail,
        open_second=9 * 3600 + rng.integers(0, 10 * 3600, size),
        has_token=happens(rng, _TOKEN_SHARE, size) & (reason != NO_PUSH),
    )


def plant_visits(journeys: Journeys, contacts: Contacts) -> Visits:
    """Return the store visits of the journeys."""
    goes = np.flatnonzero(journeys.visit_day >= 0)
    person = journeys.person[goes]
    visits = Visits(
        person,
        journeys.visit_day[goes],
        journeys.visit_second[goes],
        contacts.home_store[person],
        goes.astype(np.int64),
    )
    return visits.take(np.lexsort((visits.second, visits.day)))


def arrange_baskets(
    lines: Lines, visits: Visits, journeys: Journeys, people: People, catalogue: Catalogue
) -> Lines:
    """Return the lines with boots bought by those planned to, and by nobody else of the cast."""
    boots = catalogue.category == catalogue.categories.index(BOOTS)
    others = np.flatnonzero(~boots & (catalogue.department == catalogue.department[boots][0]))
    product, price = lines.product.copy(), lines.unit_price.copy()
    unwanted = np.flatnonzero(people.is_cast[visits.person[lines.visit]] & boots[product])
    product[unwanted] = others[unwanted % len(others)]
    journey = visits.journey[lines.visit]
    is_first = np.concatenate([[True], lines.visit[1:] != lines.visit[:-1]])[: len(lines)]
    buys = np.flatnonzero(is_first & (journey >= 0) & (journeys.reason[journey] == BOUGHT))
    product[buys] = journeys.product[journey[buys]]
    changed = np.concatenate([unwanted, buys])
    price[changed] = catalogue.price[product[changed]]
    discount, promotion, quantity = (
        lines.discount.copy(),
        lines.promotion.copy(),
        lines.quantity.copy(),
    )
    discount[changed], promotion[changed], quantity[changed] = 0, -1, 1
    return Lines(lines.visit, product, quantity, price, discount, promotion)
