"""What people buy on each visit: products by taste, season and habit, with prices and offers.

Purchased lines belong here; receipts and order files are in ``tills`` and ``orders``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp_pipeline.sample.arrays import (
    Bools,
    Floats,
    Ints,
    happens,
    open_stream,
    pick_row,
    positions_in_runs,
)
from cdp_pipeline.sample.catalogue import TIERS, Catalogue, Promotions, pull_of_month
from cdp_pipeline.sample.seasons import Timeline
from cdp_pipeline.sample.visits import Temper, Visits

MOST_LINES = 12
FAVOURITES = 5
_TIER_PULL = np.array([[3.0, 1.0, 0.15], [0.8, 2.0, 0.6], [0.2, 1.0, 3.0]])
_FEBRUARY, _SEPTEMBER, _OCTOBER = 1, 8, 9  # months counted from 0


@dataclass(frozen=True)
class Lines:
    """Purchased lines; ordered by visit, then line.

    Attributes:
        visit: Index of the visit.
        product: Index into the catalogue.
        quantity: Pieces, one or more.
        unit_price: Pence for one piece before the discount.
        discount: Pence off the whole line.
        promotion: Index of the promotion that gave the discount; -1 for none.
    """

    visit: Ints
    product: Ints
    quantity: Ints
    unit_price: Ints
    discount: Ints
    promotion: Ints

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.visit)

    def take(self, index: Ints) -> Lines:
        """Return the lines at ``index``."""
        return Lines(
            self.visit[index],
            self.product[index],
            self.quantity[index],
            self.unit_price[index],
            self.discount[index],
            self.promotion[index],
        )

    @property
    def amount(self) -> Ints:
        """Pence paid for each line."""
        return self.quantity * self.unit_price - self.discount


class Shelf:
    """Draws products by department, month and price tier from one long table of edges."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Lay out the products of every department for every month and preferred tier."""
        self._by_department = np.argsort(catalogue.department, kind="stable")
        self._departments = len(catalogue.departments)
        sizes = np.bincount(catalogue.department, minlength=self._departments)
        self._starts = np.cumsum(sizes) - sizes
        edges: list[Floats] = []
        offsets: list[Ints] = []
        for month in range(12):
            pull = pull_of_month(catalogue, month)
            for tier in range(len(TIERS)):
                weights = (pull * _TIER_PULL[tier, catalogue.tier])[self._by_department]
                for department in range(self._departments):
                    start = self._starts[department]
                    part = np.cumsum(weights[start : start + sizes[department]])
                    # Block k holds edges in (k, k + 1], so one search serves all blocks.
                    edges.append(part / part[-1] + len(edges))
                    offsets.append(np.arange(start, start + sizes[department]))
        self._edges = np.concatenate(edges)
        self._positions = np.concatenate(offsets)

    def draw(self, rng: np.random.Generator, month: Ints, department: Ints, tier: Ints) -> Ints:
        """Return one product for each entry."""
        block = (month * len(TIERS) + tier) * self._departments + department
        # Stay clear of the block's ends: rounding must not reach a neighbour.
        where = block + np.clip(rng.random(len(month)), 1e-9, 1 - 1e-9)
        found = np.searchsorted(self._edges, where, side="left")
        return self._by_department[self._positions[found]].astype(np.int64)


def fill_baskets(
    visits: Visits,
    temper: Temper,
    catalogue: Catalogue,
    promotions: Promotions,
    timeline: Timeline,
    seed: int,
) -> Lines:
    """Return the lines of all visits."""
    rng = open_stream(seed, "baskets")
    on_web = visits.store < 0
    extra = rng.poisson(np.where(on_web, 0.55, 1.0) * temper.basket[visits.person])
    count = np.minimum(1 + extra, MOST_LINES)
    visit = np.repeat(np.arange(len(visits)), count)
    shelf = Shelf(catalogue)
    product = _choose_products(rng, visits.take(visit), temper, catalogue, shelf, timeline)
    product = _add_companions(rng, product, positions_in_runs(count), catalogue)
    department = catalogue.department[product]
    is_food = department == catalogue.departments.index("Food Hall")
    many = 1 + rng.geometric(np.where(is_food, 0.5, 0.8), len(visit))
    quantity = np.where(happens(rng, np.where(is_food, 0.4, 0.1), len(visit)), many, 1)
    price = _mark_down(rng, visits.day[visit], product, catalogue, timeline)
    promotion = _find_promotions(visits.day[visit], department, on_web[visit], promotions)
    # Some buyers forget the voucher: then no line of the receipt has a discount.
    promotion = np.where(happens(rng, 0.85, len(visits))[visit], promotion, -1)
    percent = np.where(promotion >= 0, promotions.percent[promotion], 0)
    discount = np.rint(quantity * price * percent / 100).astype(np.int64)
    return Lines(visit, product, quantity.astype(np.int64), price, discount, promotion)


def draw_looks(
    rng: np.random.Generator,
    person: Ints,
    day: Ints,
    temper: Temper,
    catalogue: Catalogue,
    timeline: Timeline,
) -> Ints:
    """Return a product that each person would look at on a day, by taste and season."""
    department = pick_row(rng, temper.taste, person)
    return Shelf(catalogue).draw(rng, timeline.months(day), department, temper.tier[person])


def _choose_products(
    rng: np.random.Generator,
    visits: Visits,
    temper: Temper,
    catalogue: Catalogue,
    shelf: Shelf,
    timeline: Timeline,
) -> Ints:
    person = visits.person
    fresh = shelf.draw(
        rng, timeline.months(visits.day), pick_row(rng, temper.taste, person), temper.tier[person]
    )
    # Habits: each person comes back to a handful of favourites.
    count = len(temper.tier)
    everyone = np.repeat(np.arange(count), FAVOURITES)
    month = np.full(len(everyone), _OCTOBER)
    liked = shelf.draw(rng, month, pick_row(rng, temper.taste, everyone), temper.tier[everyone])
    liked = liked.reshape(count, FAVOURITES)
    habit = np.minimum(rng.geometric(0.45, len(person)), FAVOURITES) - 1
    usual = liked[person, habit]
    all_year = catalogue.season[usual] == "all"
    product = np.where(happens(rng, 0.35, len(person)) & all_year, usual, fresh)
    # Two pieces of a product are one line with a quantity.
    twice = (product == np.roll(product, 1)) | (product == np.roll(product, 2))
    return np.where(twice, fresh, product)


def _add_companions(
    rng: np.random.Generator, product: Ints, place: Ints, catalogue: Catalogue
) -> Ints:
    before = np.roll(product, 1)
    wanted = catalogue.companion[catalogue.category[before]]
    by_category = np.argsort(catalogue.category, kind="stable")
    sizes = np.bincount(catalogue.category, minlength=len(catalogue.categories))
    starts = np.cumsum(sizes) - sizes
    # Popular products first: a square falls more often near zero.
    spot = (rng.random(len(product)) ** 2 * sizes[wanted]).astype(np.int64)
    companion = by_category[starts[wanted] + spot]
    return np.where((place > 0) & happens(rng, 0.22, len(product)), companion, product)


def _mark_down(
    rng: np.random.Generator, day: Ints, product: Ints, catalogue: Catalogue, timeline: Timeline
) -> Ints:
    month = timeline.months(day)
    season = catalogue.season[product]
    over = ((season == "winter") & (month <= _FEBRUARY)) | (
        (season == "summer") & (month == _SEPTEMBER)
    )
    cut = np.where(over, 0.7, np.where(happens(rng, 0.04, len(day)), 0.85, 1.0))
    return np.rint(catalogue.price[product] * cut).astype(np.int64)


def _find_promotions(day: Ints, department: Ints, on_web: Bools, promotions: Promotions) -> Ints:
    found = np.full(len(day), -1, dtype=np.int64)
    for number, channel in enumerate(promotions.channel.tolist()):
        begin, end = np.searchsorted(
            day, [promotions.first_day[number], promotions.last_day[number] + 1]
        )
        part = slice(int(begin), int(end))
        applies = department[part] == promotions.department[number]
        if channel != "all":
            applies &= on_web[part] == (channel == "web")
        found[part] = np.where(applies, number, found[part])
    return found
