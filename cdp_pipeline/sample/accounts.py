"""The web shop's account file: everybody at first, then new and changed accounts.

The rows of ``ecommerce_accounts`` belong here; who has an account is in ``membership``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cdp_pipeline.sample.arrays import Bools, Ints, Texts, happens, hash_numbers, open_stream
from cdp_pipeline.sample.changes import NEW_CONSENT, NEW_DETAILS, plan_changes
from cdp_pipeline.sample.consents import NO, YES, Answers, answer_questions
from cdp_pipeline.sample.contacts import Contacts
from cdp_pipeline.sample.deliveries import DatedRows
from cdp_pipeline.sample.descriptions import Description, Manners, describe_people
from cdp_pipeline.sample.journeys import NO_PUSH, Journeys
from cdp_pipeline.sample.membership import Holdings
from cdp_pipeline.sample.people import People
from cdp_pipeline.sample.rendering import (
    SECONDS_PER_DAY,
    lookup_column,
    moment_column,
    text_column,
)
from cdp_pipeline.sample.seasons import Timeline

MANNERS = Manners(
    lacks_birth=0.55, lacks_email=0.0, junk=0.0, lacks_phone=0.25, lacks_address=0.10,
    email_slip=0.008, shouting=0.08, swapped=0.006,
)  # fmt: skip
_CHANGED_MANNERS = Manners(
    lacks_email=0.0, junk=0.0, former_address=0.0, former_name=0.05, second_email=0.1
)
_TOKEN_SALT = 61
_LINKS_CARD_SHARE = 0.45
_CONSENTS = ("email", "push", "sms", "profiling")


@dataclass(frozen=True)
class Registrations:
    """What the account file is written from, and what other sources need of it.

    Attributes:
        accounts: The accounts.
        described: What the file first says about each holder.
        answers: The first consents of each account.
        card: Loyalty card given with the account; -1 for none.
        has_token: Whether the app registered a push token.
    """

    accounts: Holdings
    described: Description
    answers: Answers
    card: Ints
    has_token: Bools


def register_accounts(
    holdings: tuple[Holdings, Holdings],
    people: People,
    contacts: Contacts,
    attitudes: Answers,
    journeys: Journeys,
    seed: int,
) -> Registrations:
    """Return what each account says at first; ``holdings`` are the accounts and the cards."""
    accounts, cards = holdings
    rng = open_stream(seed, "account records")
    owner = accounts.owner
    clean = people.is_cast[owner]
    answers = answer_questions(attitudes, people, owner, rng)
    has_token = (answers["push"] == YES) & happens(rng, 0.8, len(owner))
    part = np.searchsorted(journeys.person, owner[clean])
    has_token[clean] = journeys.has_token[part]
    answers["push"][clean] = np.where(journeys.reason[part] == NO_PUSH, NO, YES)
    links = happens(rng, _LINKS_CARD_SHARE, len(owner)) | clean
    card = cards.of_person[owner, 0]
    known = (card >= 0) & (cards.begun_day[card] <= accounts.begun_day)
    return Registrations(
        accounts,
        describe_people(people, contacts, owner, MANNERS, rng),
        answers,
        np.where(links & known, card, -1),
        has_token,
    )


def write_accounts(
    registrations: Registrations,
    cards: Holdings,
    people: People,
    contacts: Contacts,
    timeline: Timeline,
    seed: int,
) -> DatedRows:
    """Return the rows of ``ecommerce_accounts``: all accounts once, changed ones again."""
    rng = open_stream(seed, "account file")
    accounts = registrations.accounts
    changes = plan_changes(accounts, people, timeline, rng)
    account = np.concatenate([np.arange(len(accounts)), changes.record]).astype(np.int64)
    change = np.concatenate([np.full(len(accounts), -1), changes.kind])
    day = np.concatenate([accounts.begun_day, changes.day])
    delivered = timeline.delivered_on(day)
    rows = np.lexsort((account, delivered))
    account, change, day = account[rows], change[rows], day[rows]
    told = _tell_details(rng, registrations, people, contacts, account, change == NEW_DETAILS)
    created = accounts.begun_day[account] * SECONDS_PER_DAY + 43_200
    moment = np.where(
        change < 0, created, day * SECONDS_PER_DAY + rng.integers(32_400, 68_400, len(day))
    )
    consented = np.where(change == NEW_CONSENT, moment, created)
    dates = timeline.dates
    token = hash_numbers(account, _TOKEN_SALT)
    columns = {name: text_column(text) for name, text in told.items()} | {
        "account_id": lookup_column(accounts.number, account),
        "created_at": moment_column(dates, timeline.to_utc(created)),
        "updated_at": moment_column(dates, timeline.to_utc(moment)),
        "address": _nest_address(told),
        "loyalty_no": lookup_column(cards.number, registrations.card[account]),
        "push_token": text_column(token, registrations.has_token[account]),
        "consent": _nest_consent(rng, registrations.answers, account, change == NEW_CONSENT),
        "consent_updated_at": moment_column(dates, timeline.to_utc(consented)),
    }
    return DatedRows(pa.table({name: columns[name] for name in HEADER}), delivered[rows])


HEADER = (
    "account_id", "created_at", "updated_at", "email", "first_name", "last_name", "phone",
    "birth_date", "address", "loyalty_no", "push_token", "consent", "consent_updated_at",
)  # fmt: skip


def _tell_details(
    rng: np.random.Generator,
    registrations: Registrations,
    people: People,
    contacts: Contacts,
    account: Ints,
    renewed: Bools,
) -> dict[str, Texts]:
    first = registrations.described
    again = describe_people(people, contacts, first.owner[account], _CHANGED_MANNERS, rng)
    names = ("email", "first_name", "last_name", "phone", "street", "city", "postcode", "country")
    told = {
        name: np.where(renewed, getattr(again, name), getattr(first, name)[account])
        for name in names
    }
    return told | {"birth_date": first.birth_date[account]}


def _nest_address(told: dict[str, Texts]) -> pa.Array:
    names = ["street", "city", "postcode", "country"]
    lacks = pa.array(told["street"] == "")
    return pa.StructArray.from_arrays(
        [text_column(told[name]) for name in names], names, mask=lacks
    )


def _nest_consent(
    rng: np.random.Generator, answers: Answers, account: Ints, renewed: Bools
) -> pa.Array:
    columns = []
    for purpose in _CONSENTS:
        anew = rng.integers(1, 3, len(account))
        answer = np.where(renewed, anew, answers[purpose][account])
        columns.append(pa.array(answer == YES, mask=answer == 0))
    return pa.StructArray.from_arrays(columns, list(_CONSENTS))
