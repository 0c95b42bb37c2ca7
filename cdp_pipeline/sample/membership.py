"""Who holds which loyalty cards and web accounts, and since when.

Holdings belong here; what the card and account files say is in ``loyalty`` and ``accounts``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp_pipeline.sample.arrays import (
    Bools,
    Ints,
    Texts,
    happens,
    join_texts,
    number_texts,
    open_stream,
    positions_in_groups,
)
from cdp_pipeline.sample.contacts import Contacts
from cdp_pipeline.sample.people import People
from cdp_pipeline.sample.seasons import Timeline

COURTESY_CARD = "9000000001"
MOST_CARDS = 3
MOST_ACCOUNTS = 2


@dataclass(frozen=True)
class Holdings:
    """Cards, or accounts; one entry per card, ordered by the day it began.

    Attributes:
        owner: Person whose it is.
        begun_day: Day number of joining; negative before the history.
        number: Card number or account id.
        of_person: For each person up to three (two) indices, oldest first; -1 for none.
    """

    owner: Ints
    begun_day: Ints
    number: Texts
    of_person: Ints

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.owner)

    def held_on(self, rng: np.random.Generator, person: Ints, day: Ints) -> Ints:
        """Return what each person would use on a day, mostly the newest; -1 for nothing."""
        chosen = np.full(len(person), -1, dtype=np.int64)
        for place in range(self.of_person.shape[1]):
            candidate = self.of_person[person, place]
            known = (candidate >= 0) & (self.begun_day[candidate] <= day)
            prefers_newer = happens(rng, 0.75, len(person))
            chosen = np.where(known & (prefers_newer | (chosen < 0)), candidate, chosen)
        return chosen


def issue_cards(people: People, timeline: Timeline, seed: int) -> Holdings:
    """Return loyalty cards: most people have one, some two or three."""
    rng = open_stream(seed, "cards")
    chances = (np.where(people.is_cast, 1.0, 0.70), 0.08, 0.15)
    owner, begun = _begin(rng, people, chances, timeline)
    numbers = rng.choice(8_999_999_999, len(owner), replace=False)
    return _arrange(owner, begun, number_texts(numbers, 10), len(people), MOST_CARDS)


def open_accounts(people: People, contacts: Contacts, timeline: Timeline, seed: int) -> Holdings:
    """Return web accounts: about half of those with e-mail have one, few a second."""
    rng = open_stream(seed, "accounts")
    has_mail = contacts.email != ""
    chances = (np.where(people.is_cast, 1.0, np.where(has_mail, 0.58, 0.0)), 0.05)
    owner, begun = _begin(rng, people, chances, timeline)
    numbers = rng.choice(9_999_999, len(owner), replace=False)
    ids = join_texts("A", number_texts(numbers, 7))
    return _arrange(owner, begun, ids, len(people), MOST_ACCOUNTS)


def _begin(
    rng: np.random.Generator,
    people: People,
    chances: tuple[float | np.ndarray, ...],
    timeline: Timeline,
) -> tuple[Ints, Ints]:
    count = len(people)
    has: Bools = np.ones(count, dtype=np.bool_)
    at_once = happens(rng, 0.45, count) | people.is_cast
    delay = np.where(at_once, 0, rng.exponential(110, count)).astype(np.int64)
    begun = people.arrival_day + delay
    owners, days = [], []
    for turn, chance in enumerate(chances):
        has = has & happens(rng, np.broadcast_to(chance, count), count)
        if turn > 0:
            has &= ~people.is_cast
            begun = begun + rng.integers(45, 600, count)
        chosen = np.flatnonzero(has & (begun <= timeline.last_day))
        owners.append(chosen)
        days.append(begun[chosen])
    return np.concatenate(owners).astype(np.int64), np.concatenate(days).astype(np.int64)


def _arrange(owner: Ints, begun: Ints, number: Texts, persons: int, most: int) -> Holdings:
    order = np.lexsort((owner, begun))
    owner, begun = owner[order], begun[order]
    of_person = np.full((persons, most), -1, dtype=np.int64)
    by_owner = np.argsort(owner, kind="stable")
    of_person[owner[by_owner], positions_in_groups(owner[by_owner])] = by_owner
    return Holdings(owner, begun, number, of_person)
