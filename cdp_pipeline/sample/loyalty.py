"""The loyalty members' file: everybody at first, then new and changed cards.

The rows of ``loyalty_members`` belong here; who holds which card is in ``membership``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cdp_pipeline.sample.arrays import Bools, Ints, Texts, happens, open_stream, pick
from cdp_pipeline.sample.changes import NEW_CONSENT, NEW_DETAILS, NEW_STANDING, plan_changes
from cdp_pipeline.sample.consents import Answers, answer_questions
from cdp_pipeline.sample.contacts import Contacts
from cdp_pipeline.sample.deliveries import DatedRows
from cdp_pipeline.sample.descriptions import Description, Manners, describe_people
from cdp_pipeline.sample.membership import Holdings
from cdp_pipeline.sample.people import People
from cdp_pipeline.sample.rendering import (
    SECONDS_PER_DAY,
    choice_column,
    day_column,
    lookup_column,
    moment_column,
    text_column,
)
from cdp_pipeline.sample.seasons import Timeline

MANNERS = Manners(lacks_birth=0.08, lacks_email=0.14, birth_1900=0.015)
_CHANGED_MANNERS = Manners(
    lacks_birth=0.05, lacks_email=0.05, former_address=0.0, former_name=0.05, second_email=0.1
)
_TIERS = ("bronze", "silver", "gold")
_TEST_CUSTOMERS = 0.0005
_TITLES_IN_TEN, _SEXES_IN_TEN = 8, 9


@dataclass(frozen=True)
class Membership:
    """What the loyalty file is written from, and what other sources need of it.

    Attributes:
        cards: The cards.
        described: What the file first says about each card's holder.
        answers: The first consents of each card.
    """

    cards: Holdings
    described: Description
    answers: Answers


def enrol_members(
    cards: Holdings, people: People, contacts: Contacts, attitudes: Answers, seed: int
) -> Membership:
    """Return what each card says at first."""
    rng = open_stream(seed, "loyalty records")
    described = describe_people(people, contacts, cards.owner, MANNERS, rng)
    return Membership(cards, described, answer_questions(attitudes, people, cards.owner, rng))


def write_members(
    membership: Membership, people: People, contacts: Contacts, timeline: Timeline, seed: int
) -> DatedRows:
    """Return the rows of ``loyalty_members``: all cards once, changed ones again."""
    rng = open_stream(seed, "loyalty file")
    cards = membership.cards
    changes = plan_changes(cards, people, timeline, rng)
    card = np.concatenate([np.arange(len(cards)), changes.record]).astype(np.int64)
    change = np.concatenate([np.full(len(cards), -1), changes.kind])
    day = np.concatenate([cards.begun_day, changes.day])
    delivered = timeline.delivered_on(day)
    rows = np.lexsort((card, delivered))
    card, change, day, delivered = card[rows], change[rows], day[rows], delivered[rows]
    told = _tell_details(rng, membership, people, contacts, card, change == NEW_DETAILS)
    is_test = happens(rng, _TEST_CUSTOMERS, len(card)) & ~people.is_cast[cards.owner[card]]
    moment = day * SECONDS_PER_DAY + rng.integers(43_200, 68_400, len(card))
    columns = _describe_rows(people, cards, told, card, is_test)
    columns |= _consent_columns(rng, membership.answers, card, change == NEW_CONSENT)
    consented = np.where(change == NEW_CONSENT, moment, _first_moment(cards, card))
    columns |= {
        "joined_on": day_column(timeline.dates, cards.begun_day[card]),
        "home_store_id": choice_column(
            [f"S{n + 1:03d}" for n in range(12)], contacts.home_store[cards.owner[card]]
        ),
        "consent_updated_at": moment_column(timeline.dates, timeline.to_utc(consented)),
        "updated_at": moment_column(timeline.dates, timeline.to_utc(moment)),
    } | _standing_columns(rng, len(cards), card, change == NEW_STANDING)
    return DatedRows(pa.table({name: columns[name] for name in HEADER}), delivered)


HEADER = (
    "member_no", "title", "first_name", "last_name", "birth_date", "sex", "email", "mobile",
    "street", "city", "postcode", "country", "joined_on", "home_store_id", "tier",
    "email_consent", "sms_consent", "post_consent", "consent_updated_at", "updated_at", "status",
)  # fmt: skip


def _first_moment(cards: Holdings, card: Ints) -> Ints:
    return cards.begun_day[card] * SECONDS_PER_DAY + 43_200


def _tell_details(
    rng: np.random.Generator,
    membership: Membership,
    people: People,
    contacts: Contacts,
    card: Ints,
    renewed: Bools,
) -> dict[str, Texts]:
    """Return the person's fields of each row; renewed rows tell them anew."""
    first = membership.described
    again = describe_people(people, contacts, first.owner[card], _CHANGED_MANNERS, rng)
    names = ("first_name", "last_name", "email", "phone", "street", "city", "postcode", "country")
    told = {
        name: np.where(renewed, getattr(again, name), getattr(first, name)[card]) for name in names
    }
    return told | {"birth_date": first.birth_date[card]}


def _describe_rows(
    people: People, cards: Holdings, told: dict[str, Texts], card: Ints, is_test: Bools
) -> dict[str, pa.Array]:
    owner = cards.owner[card]
    female = people.is_female[owner]
    # Titles and sex are not asked from all; the same card always shows the same.
    shown = card % 10
    title = np.where(
        female, np.where(card % 3 == 0, "Ms", np.where(card % 3 == 1, "Mrs", "Miss")), "Mr"
    )
    return {
        "member_no": lookup_column(cards.number, card),
        "title": text_column(np.where(card % 97 == 0, "Dr", title), shown < _TITLES_IN_TEN),
        "first_name": text_column(np.where(is_test, "TEST", told["first_name"])),
        "last_name": text_column(np.where(is_test, "CUSTOMER", told["last_name"])),
        "birth_date": text_column(told["birth_date"]),
        "sex": text_column(np.where(female, "F", "M"), shown < _SEXES_IN_TEN),
        "email": text_column(told["email"]),
        "mobile": text_column(told["phone"]),
        "street": text_column(told["street"]),
        "city": text_column(told["city"]),
        "postcode": text_column(told["postcode"]),
        "country": text_column(told["country"]),
    }


def _consent_columns(
    rng: np.random.Generator, answers: Answers, card: Ints, renewed: Bools
) -> dict[str, pa.Array]:
    words = ["", "Y", "N"]
    columns = {}
    for purpose in ("email", "sms", "post"):
        # A renewed consent is an answer: it is never empty.
        anew = rng.integers(1, 3, len(card))
        columns[f"{purpose}_consent"] = choice_column(
            words, np.where(renewed, anew, answers[purpose][card])
        )
    return columns


def _standing_columns(
    rng: np.random.Generator, cards: int, card: Ints, renewed: Bools
) -> dict[str, pa.Array]:
    tier = pick(rng, (0.74, 0.20, 0.06), cards)[card]
    closed = happens(rng, 0.015, cards)[card]
    closes = renewed & happens(rng, 0.3, len(card))
    rises = renewed & ~closes
    return {
        "tier": choice_column(list(_TIERS), np.minimum(tier + rises, len(_TIERS) - 1)),
        "status": choice_column(["active", "closed"], (closed | closes).astype(np.int64)),
    }
