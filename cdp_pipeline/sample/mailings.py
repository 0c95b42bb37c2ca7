"""Promotional e-mail: who was sent what, and who opened, clicked, bounced or unsubscribed.

Mail events belong here; consents come from the cards and accounts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cdp_pipeline.sample.accounts import Registrations
from cdp_pipeline.sample.arrays import (
    Bools,
    Floats,
    Ints,
    Texts,
    happens,
    hash_numbers,
    join_texts,
    open_stream,
)
from cdp_pipeline.sample.catalogue import Catalogue
from cdp_pipeline.sample.consents import YES
from cdp_pipeline.sample.deliveries import DatedRows
from cdp_pipeline.sample.descriptions import JUNK_EMAIL
from cdp_pipeline.sample.journeys import MACHINE_ONLY, Journeys
from cdp_pipeline.sample.loyalty import Membership
from cdp_pipeline.sample.people import People
from cdp_pipeline.sample.rendering import (
    SECONDS_PER_DAY,
    choice_column,
    lookup_column,
    moment_column,
    text_column,
)
from cdp_pipeline.sample.seasons import Timeline
from cdp_pipeline.sample.visits import Temper

EVENT_TYPES = ("sent", "open", "click", "bounce", "unsubscribe")
SENT, OPEN, CLICK, BOUNCE, UNSUBSCRIBE = range(len(EVENT_TYPES))
CAST_SILENT_DAYS = 21
_SEND_SHARE = 0.27
_CAMPAIGN_WEEKDAY = 3
_SENT_AT = 7 * 3600
_MACHINE_SHARE = 0.35
_DEAD_SHARE = 0.012
_LEAVES_SHARE = 0.06
_EVENT_SALT = 71
_AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0",
    "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/130.0 Mobile",
    "Mozilla/5.0",  # the bare name is what the privacy proxy of Apple Mail shows
)
_PROXY_AGENT = 3


@dataclass(frozen=True)
class Readers:
    """Mailboxes that receive promotions; one entry per mailbox, ordered by person.

    Attributes:
        person: Person whose consent it is.
        email: Mailbox as recorded on the account or card, mistakes included.
        since_day: First day of mailing.
        until_day: Last day of mailing; later ones have unsubscribed.
        leaves: Unsubscribes on ``until_day``.
        bounces: Mail does not arrive.
        has_proxy: A mail program that opens every mail by itself.
        opens: Chance to open a mail.
    """

    person: Ints
    email: Texts
    since_day: Ints
    until_day: Ints
    leaves: Bools
    bounces: Bools
    has_proxy: Bools
    opens: Floats


@dataclass(frozen=True)
class MailEvents:
    """Mail events in numbers, ordered by moment.

    Attributes:
        reader: Index of the reader.
        kind: Index into ``EVENT_TYPES``.
        moment: London second since day 0.
        campaign: Day number of the campaign.
        machine: Opened by a program.
        product: Product clicked; -1 for none.
    """

    reader: Ints
    kind: Ints
    moment: Ints
    campaign: Ints
    machine: Bools
    product: Ints


@dataclass(frozen=True)
class Clicks:
    """Clicks on links of e-mails, as the pages they lead to know them.

    Attributes:
        person: Whose e-mail it is.
        moment: London second since day 0.
        product: Product of the link.
        event_id: Number of the click in the e-mail tool, part of the link's address.
    """

    person: Ints
    moment: Ints
    product: Ints
    event_id: Texts


def list_clicks(events: MailEvents, readers: Readers) -> Clicks:
    """Return the clicks among the events, in their order."""
    clicked = np.flatnonzero(events.kind == CLICK)
    return Clicks(
        readers.person[events.reader[clicked]],
        events.moment[clicked],
        events.product[clicked],
        hash_numbers(clicked, _EVENT_SALT),
    )


def list_readers(
    membership: Membership,
    registrations: Registrations,
    people: People,
    temper: Temper,
    timeline: Timeline,
    seed: int,
) -> Readers:
    """Return the mailing list: one mailbox per consenting person, each mailbox once."""
    rng = open_stream(seed, "readers")
    person, email, since, wrong = _collect_mailboxes(membership, registrations)
    count = len(person)
    leaves = happens(rng, _LEAVES_SHARE, count) & ~people.is_cast[person]
    span = np.maximum(timeline.last_day - np.maximum(since, 0), 1)
    until = np.maximum(since, 0) + (rng.random(count) * span).astype(np.int64)
    return Readers(
        person=person,
        email=email,
        since_day=since,
        until_day=np.where(leaves, until, timeline.end_day),
        leaves=leaves,
        bounces=wrong | (happens(rng, _DEAD_SHARE, count) & ~people.is_cast[person]),
        has_proxy=happens(rng, _MACHINE_SHARE, count),
        opens=temper.opens_mail[person],
    )


def send_mails(
    readers: Readers,
    people: People,
    catalogue: Catalogue,
    journeys: Journeys,
    timeline: Timeline,
    seed: int,
) -> MailEvents:
    """Return the events of all campaigns up to the last night."""
    rng = open_stream(seed, "mail events")
    weekday = (timeline.dates.astype(np.int64) + 3) % 7
    campaigns = np.flatnonzero(weekday[: timeline.last_day + 1] == _CAMPAIGN_WEEKDAY)
    parts = [_send_one(rng, readers, people, int(day), timeline) for day in campaigns]
    parts.append(_plant_mails(readers, journeys))
    reader, kind, moment, campaign, machine = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    kind, kept = _unsubscribe(readers, reader, kind, moment, machine)
    known = kept & (moment // SECONDS_PER_DAY <= timeline.last_day)
    order = np.flatnonzero(known)[np.lexsort((kind[known], reader[known], moment[known]))]
    clicked = kind[order] == CLICK
    product = np.where(clicked, rng.integers(0, len(catalogue.sku), len(order)), -1)
    return MailEvents(
        reader[order].astype(np.int64),
        kind[order].astype(np.int64),
        moment[order],
        campaign[order],
        machine[order],
        product,
    )


def write_mail_events(
    events: MailEvents, readers: Readers, catalogue: Catalogue, timeline: Timeline, seed: int
) -> DatedRows:
    """Return the rows of ``email_events``."""
    rng = open_stream(seed, "mail agents")
    count = len(events.reader)
    delivered = timeline.delivered_on(events.moment // SECONDS_PER_DAY)
    days, index = np.unique(events.campaign, return_inverse=True)
    dates = np.strings.replace(np.datetime_as_string(timeline.dates[days]), "-", "")
    reads = np.isin(events.kind, (OPEN, CLICK))
    agent = np.where(events.machine, _PROXY_AGENT, rng.integers(0, _PROXY_AGENT, count))
    table = pa.table(
        {
            "event_id": text_column(hash_numbers(np.arange(count), _EVENT_SALT)),
            "campaign_id": lookup_column(join_texts("EM", dates), index.astype(np.int64)),
            "occurred_at": moment_column(timeline.dates, timeline.to_utc(events.moment)),
            "event_type": choice_column(list(EVENT_TYPES), events.kind),
            "email": lookup_column(readers.email, events.reader),
            "is_machine_open": choice_column(["false", "true"], events.machine.astype(np.int64)),
            "link_sku": lookup_column(catalogue.sku, events.product),
            "user_agent": lookup_column(list(_AGENTS), np.where(reads, agent, -1)),
        }
    )
    return DatedRows(table, delivered)


def _collect_mailboxes(
    membership: Membership, registrations: Registrations
) -> tuple[Ints, Texts, Ints, Bools]:
    """Return person, mailbox, first day and whether it is wrong; accounts before cards."""
    accounts, cards = registrations.accounts, membership.cards
    person = np.concatenate([accounts.owner, cards.owner])
    email = np.concatenate([registrations.described.email, membership.described.email])
    since = np.concatenate([accounts.begun_day, cards.begun_day])
    wrong = np.concatenate([registrations.described.mail_fails, membership.described.mail_fails])
    answers = np.concatenate([registrations.answers["email"], membership.answers["email"]])
    email = np.strings.lower(np.strings.strip(email))
    usable = np.flatnonzero((answers == YES) & (email != "") & (email != JUNK_EMAIL))
    _, first = np.unique(person[usable], return_index=True)
    usable = usable[first]
    _, first = np.unique(email[usable], return_index=True)
    chosen = np.sort(usable[first])
    chosen = chosen[np.argsort(person[chosen], kind="stable")]
    return person[chosen], email[chosen], since[chosen], wrong[chosen]


_Part = tuple[Ints, Ints, Ints, Ints, Bools]


def _send_one(
    rng: np.random.Generator, readers: Readers, people: People, day: int, timeline: Timeline
) -> _Part:
    active = (readers.since_day <= day) & (day <= readers.until_day)
    if day > timeline.last_day - CAST_SILENT_DAYS:
        active &= ~people.is_cast[readers.person]
    reader = np.flatnonzero(active & happens(rng, _SEND_SHARE, len(readers.person)))
    count = len(reader)
    sent = day * SECONDS_PER_DAY + _SENT_AT + rng.integers(0, 1200, count)
    arrives = ~readers.bounces[reader]
    by_machine = np.flatnonzero(arrives & readers.has_proxy[reader])
    opened = np.flatnonzero(arrives & happens(rng, readers.opens[reader], count))
    later = sent[opened] + 60 + rng.exponential(30_000, len(opened)).astype(np.int64)
    clicked = np.flatnonzero(happens(rng, 0.13, len(opened)))
    bounced = np.flatnonzero(~arrives)
    return _stack(
        [
            (reader, SENT, sent),
            (reader[by_machine], OPEN, sent[by_machine] + rng.integers(5, 400, len(by_machine))),
            (reader[opened], OPEN, later),
            (reader[opened][clicked], CLICK, later[clicked] + rng.integers(3, 90, len(clicked))),
            (reader[bounced], BOUNCE, sent[bounced] + 30),
        ],
        campaign=day,
        machine_part=1,
    )


def _unsubscribe(
    readers: Readers, reader: Ints, kind: Ints, moment: Ints, machine: Bools
) -> tuple[Ints, Bools]:
    """Turn the last opening of those who leave into leaving; nothing is sent to them after it."""
    opens = (kind == OPEN) & ~machine & readers.leaves[reader]
    last = np.full(len(readers.person), -1, dtype=np.int64)
    np.maximum.at(last, reader[opens], moment[opens])
    leaving = opens & (moment == last[reader])
    kept = (last[reader] < 0) | (moment <= last[reader])
    return np.where(leaving, UNSUBSCRIBE, kind), kept


def _stack(
    parts: list[tuple[Ints, int, Ints]], *, campaign: int | Ints, machine_part: int
) -> _Part:
    sizes = [len(part[0]) for part in parts]
    reader = np.concatenate([part[0] for part in parts])
    kind = np.repeat([part[1] for part in parts], sizes)
    moment = np.concatenate([part[2] for part in parts])
    machine = np.repeat(np.arange(len(parts)) == machine_part, sizes)
    return reader, kind, moment, np.broadcast_to(campaign, len(reader)).astype(np.int64), machine


def _plant_mails(readers: Readers, journeys: Journeys) -> _Part:
    reader = np.searchsorted(readers.person, journeys.person)
    sent = journeys.mail_day * SECONDS_PER_DAY + _SENT_AT
    machine = journeys.reason == MACHINE_ONLY
    opened = journeys.mail_day * SECONDS_PER_DAY + journeys.open_second
    return (
        np.concatenate([reader, reader]).astype(np.int64),
        np.repeat([SENT, OPEN], len(reader)),
        np.concatenate([sent, np.where(machine, sent + 45, opened)]),
        np.concatenate([journeys.mail_day, journeys.mail_day]),
        np.concatenate([np.zeros(len(reader), dtype=np.bool_), machine]),
    )
