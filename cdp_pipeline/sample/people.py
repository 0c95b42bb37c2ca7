"""Who lives where with whom: households, their members, names, births and temperaments.

The true people belong here. What files say about them is in ``descriptions``; what they do is in
``visits``, ``sessions`` and ``mailings``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp_pipeline.sample.arrays import (
    Bools,
    Days,
    Floats,
    Ints,
    Texts,
    happens,
    join_texts,
    open_stream,
    pick,
    positions_in_runs,
)
from cdp_pipeline.sample.names import ORIGINS, load_names
from cdp_pipeline.sample.seasons import Timeline

HEAD, PARTNER, CHILD, FLAT_MATE = range(4)
ARRIVAL_SPREAD_DAYS = 730
_HOUSEHOLD_SIZES = (0.30, 0.34, 0.16, 0.14, 0.06)
_ORIGIN_SHARES = (0.76, 0.08, 0.06, 0.04, 0.04, 0.02)
_YEAR_DAYS = 365.25
# A partner keeps the own surname, adds the other one to it, or takes it over.
_PARTNER_NAME_SHARES = (0.20, 0.06, 0.74)


@dataclass(frozen=True)
class People:
    """Every person of the store's world; one entry per person, ordered by household.

    Attributes:
        household: Number of the household.
        role: HEAD, PARTNER, CHILD (grown up enough to shop) or FLAT_MATE.
        alone: Lives alone.
        is_female: Sex.
        first_name: Given name as registered at birth.
        last_name: Surname in use today.
        former_name: Surname before a marriage; the same as ``last_name`` for most.
        suffix: ``Sr``, ``Jr`` or empty.
        birth_date: Day of birth.
        arrival_day: Day number of the first purchase; negative before the history.
        is_cast: Plays a planted journey: has clean records and no unplanned behaviour.
        has_moved: Moved house; older records carry the former address.
    """

    household: Ints
    role: Ints
    alone: Bools
    is_female: Bools
    first_name: Texts
    last_name: Texts
    former_name: Texts
    suffix: Texts
    birth_date: Days
    arrival_day: Ints
    is_cast: Bools
    has_moved: Bools

    def __len__(self) -> int:
        """Return the number of persons."""
        return len(self.household)

    def ages(self, timeline: Timeline) -> Floats:
        """Return ages in years on the day of the initial load."""
        lived = np.datetime64(timeline.date_of(timeline.start_day), "D") - self.birth_date
        return np.asarray(lived.astype(np.int64) / _YEAR_DAYS, dtype=np.float64)


def settle_people(count: int, timeline: Timeline, cast_size: int, seed: int) -> People:
    """Return ``count`` persons in households of one to five.

    Args:
        count: Number of persons.
        timeline: The store's days.
        cast_size: How many of those living alone are kept for planted journeys.
        seed: Seed of the store.

    Returns:
        The people, ordered by household and role.
    """
    rng = open_stream(seed, "households")
    household, place, size = _fill_households(rng, count)
    role = np.where(place == 0, HEAD, np.where(place == 1, PARTNER, CHILD))
    # A partner's seat may hold a flat-mate; then so do all seats after it.
    shares_flat = happens(rng, 0.06, int(household[-1]) + 1)[household]
    role = np.where(shares_flat & (place > 0), FLAT_MATE, role)
    birth_date = _draw_births(rng, household, role, timeline)
    is_female = _draw_sexes(rng, role)
    origin = _draw_origins(rng, household, role)
    is_junior = (
        happens(rng, 0.04, count)
        & (role == CHILD)
        & ~is_female
        & ~is_female[household_heads(household)]
    )
    first_name = _draw_first_names(rng, origin, is_female, birth_date)
    last_name, former_name = _draw_surnames(rng, household, role, origin, is_female)
    heads = household_heads(household)
    first_name = np.where(is_junior, first_name[heads], first_name)
    suffix = np.where(is_junior, "Jr", "")
    suffix[heads[is_junior]] = "Sr"
    is_cast = _choose_cast(rng, size == 1, cast_size)
    return People(
        household=household,
        role=role,
        alone=size == 1,
        is_female=is_female,
        first_name=first_name,
        last_name=last_name,
        former_name=np.where(is_cast, last_name, former_name),
        suffix=suffix,
        birth_date=birth_date,
        arrival_day=_draw_arrivals(rng, is_cast, timeline),
        is_cast=is_cast,
        has_moved=happens(rng, 0.12, count) & ~is_cast,
    )


def household_heads(household: Ints) -> Ints:
    """Return for each person the index of the first person of the household."""
    return np.searchsorted(household, household).astype(np.int64)


def _fill_households(rng: np.random.Generator, count: int) -> tuple[Ints, Ints, Ints]:
    sizes = pick(rng, _HOUSEHOLD_SIZES, count) + 1
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), count)) + 1]
    sizes[-1] -= int(sizes.sum()) - count
    household = np.repeat(np.arange(len(sizes)), sizes)
    return household, positions_in_runs(sizes), sizes[household]


def _reflect(ages: Floats, lowest: float, highest: float) -> Floats:
    """Fold ages back into a range; clipping would give thousands of people one birthday."""
    inside = lowest + np.abs(ages - lowest)
    return np.asarray(np.minimum(inside, 2 * highest - inside))


def _draw_births(rng: np.random.Generator, household: Ints, role: Ints, timeline: Timeline) -> Days:
    heads = household_heads(household)
    count = len(household)
    age = _reflect(rng.normal(49, 16, count), 19, 92)
    head_age = age[heads]
    age = np.where(role == PARTNER, _reflect(head_age + rng.normal(-1, 4, count), 18, 95), age)
    child_age = _reflect(head_age - rng.uniform(19, 38, count), 16, 60)
    age = np.where(role == CHILD, child_age, age)
    age = np.where(role == FLAT_MATE, _reflect(head_age + rng.normal(0, 5, count), 18, 80), age)
    # Twins: a grown-up child born on the day of the sibling before.
    is_twin = happens(rng, 0.06, count) & (role == CHILD) & (np.roll(role, 1) == CHILD)
    is_twin &= np.roll(household, 1) == household
    age = np.where(is_twin, np.roll(age, 1), age)
    start = np.datetime64(timeline.date_of(timeline.start_day), "D")
    return np.asarray(start - np.floor(age * _YEAR_DAYS).astype("timedelta64[D]"))


def _draw_sexes(rng: np.random.Generator, role: Ints) -> Bools:
    is_female = happens(rng, 0.54, len(role))
    same = happens(rng, 0.05, len(role))
    return np.where(role == PARTNER, ~np.roll(is_female, 1) ^ same, is_female)


def _draw_origins(rng: np.random.Generator, household: Ints, role: Ints) -> Ints:
    shared = pick(rng, _ORIGIN_SHARES, int(household[-1]) + 1)[household]
    own = pick(rng, _ORIGIN_SHARES, len(household))
    mixed = (role == FLAT_MATE) | ((role == PARTNER) & happens(rng, 0.15, len(household)))
    return np.where(mixed, own, shared)


def _draw_first_names(
    rng: np.random.Generator, origin: Ints, is_female: Bools, birth_date: Days
) -> Texts:
    lists = load_names()
    year = birth_date.astype("datetime64[Y]").astype(np.int64) + 1970
    cohort = np.digitize(year, [1966, 1988])
    drawn = np.full(len(origin), "", dtype="U24")
    for number, name in enumerate(ORIGINS):
        for female in (False, True):
            names = lists["f" if female else "m", name]
            for group, (old, young) in enumerate(((4.0, 0.05), (1.0, 0.3), (0.1, 4.0))):
                chosen = np.flatnonzero(
                    (origin == number) & (is_female == female) & (cohort == group)
                )
                fashion = np.select([names.eras == "o", names.eras == "y"], [old, young], 1.0)
                drawn[chosen] = names.names[pick(rng, names.weights * fashion, len(chosen))]
    return drawn


def _draw_surnames(
    rng: np.random.Generator, household: Ints, role: Ints, origin: Ints, is_female: Bools
) -> tuple[Texts, Texts]:
    count = len(household)
    born = np.full(count, "", dtype="U40")
    for number, name in enumerate(ORIGINS):
        chosen = np.flatnonzero(origin == number)
        names = load_names()["s", name]
        born[chosen] = names.names[pick(rng, names.weights, len(chosen))]
    family = born[household_heads(household)]
    habit = pick(rng, _PARTNER_NAME_SHARES, count)
    hyphenated = join_texts(born, "-", family)
    partner = np.select([habit == 0, habit == 1], [born, hyphenated], family)
    last = np.where(role == PARTNER, partner, np.where(role == FLAT_MATE, born, family))
    # Recently married: the surname changed and older records still hold the one of birth.
    changed = (role == PARTNER) & is_female & (last != born) & happens(rng, 0.25, count)
    return last, np.where(changed, born, last)


def _choose_cast(rng: np.random.Generator, alone: Bools, cast_size: int) -> Bools:
    candidates = rng.permutation(np.flatnonzero(alone))[:cast_size]
    is_cast = np.zeros(len(alone), dtype=np.bool_)
    is_cast[candidates] = True
    return is_cast


def _draw_arrivals(rng: np.random.Generator, is_cast: Bools, timeline: Timeline) -> Ints:
    arrival = rng.integers(-ARRIVAL_SPREAD_DAYS, timeline.last_day + 1, len(is_cast))
    # The cast has been around for a while, whatever the length of the history.
    return np.where(is_cast, np.minimum(arrival, 0), arrival)
