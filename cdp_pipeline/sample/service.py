"""Customer service contacts and social media: few, talkative and untidy records.

The rows of ``crm_contacts`` and ``social_events`` belong here.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cdp_pipeline.sample.arrays import (
    Ints,
    Texts,
    happens,
    hash_numbers,
    join_texts,
    number_texts,
    open_stream,
    pick,
)
from cdp_pipeline.sample.catalogue import Catalogue
from cdp_pipeline.sample.contacts import Contacts
from cdp_pipeline.sample.deliveries import DatedRows, OwnedRows
from cdp_pipeline.sample.descriptions import Manners, describe_people
from cdp_pipeline.sample.people import People
from cdp_pipeline.sample.rendering import (
    SECONDS_PER_DAY,
    choice_column,
    lookup_column,
    moment_column,
    text_column,
)
from cdp_pipeline.sample.seasons import Timeline

MANNERS = Manners(
    lacks_birth=1.0, lacks_email=0.30, lacks_phone=0.35, lacks_address=0.0, short_name=0.15,
    name_slip=0.04, initial=0.03, swapped=0.0,
)  # fmt: skip
_CONTACT_SHARE, _SOCIAL_SHARE = 0.045, 0.03
_TOPICS = ("complaint", "question", "service", "praise")
_CHANNELS = ("phone", "email", "chat", "store")
_NOTES = (
    "Customer asked about opening hours.",
    'Says the jumper is "far too small", wants to exchange.',
    "Delivery came late,\nleft with a neighbour, box damaged.",
    "Thanked the team in Home; very pleased, will come again.",
    "Card points missing since the last visit, corrected.",
    '=HYPERLINK("refund") pasted by customer; asked for a refund',
    "Wanted to know whether the boots are waterproof.\n\nCall back, after 5 pm",
    "<b>Angry</b> about the queue; apologised, sent a voucher",
)
_NETWORKS = ("instagram", "facebook", "tiktok")
_SOCIAL_TYPES = ("follow", "like", "comment", "mention", "click")
_COMMENTS = ("Love this!", "Is it in stock?", "Gorgeous 😍", "Saw it in the window today",
             "When is the sale?", "My new favourite, thank you")  # fmt: skip
_HANDLE_SALT, _EVENT_SALT = 83, 89


def write_contacts(people: People, contacts: Contacts, timeline: Timeline, seed: int) -> OwnedRows:
    """Return the rows of ``crm_contacts``; some contacts are sent again when they are closed."""
    rng = open_stream(seed, "service")
    owner = np.flatnonzero(happens(rng, _CONTACT_SHARE, len(people)) & ~people.is_cast)
    count = len(owner)
    day = rng.integers(0, timeline.last_day + 1, count)
    order = np.argsort(day, kind="stable")
    owner, day = owner[order].astype(np.int64), day[order]
    who = describe_people(people, contacts, owner, MANNERS, rng)
    opened = day * SECONDS_PER_DAY + rng.integers(32_400, 64_800, count)
    closed = opened + rng.integers(1, 6, count) * SECONDS_PER_DAY
    again = np.flatnonzero(closed // SECONDS_PER_DAY <= timeline.last_day)
    record = np.concatenate([np.arange(count), again])
    moment = np.concatenate([opened, closed[again]])
    delivered = timeline.delivered_on(moment // SECONDS_PER_DAY)
    newest = np.ones(len(record), dtype=np.bool_)
    newest[again[delivered[count:] == delivered[again]]] = False
    rows = np.flatnonzero(newest)
    rows = rows[np.lexsort((record[rows], delivered[rows]))]
    record, moment, delivered = record[rows], moment[rows], delivered[rows]
    key = join_texts("C", number_texts(np.arange(count) + 1, 7))
    index = pa.array(record)
    fixed = {
        "contact_id": text_column(key),
        "full_name": text_column(_write_full_names(rng, who.first_name, who.last_name)),
        "email": text_column(who.email),
        "phone": text_column(who.phone),
        "postcode": text_column(who.postcode),
        "topic": choice_column(list(_TOPICS), pick(rng, (0.35, 0.35, 0.2, 0.1), count)),
        "opened_at": moment_column(timeline.dates, timeline.to_utc(opened)),
        "channel": choice_column(list(_CHANNELS), rng.integers(0, 4, count)),
        "notes": choice_column(list(_NOTES), rng.integers(0, len(_NOTES), count)),
    }
    table = {name: column.take(index) for name, column in fixed.items()}
    table["updated_at"] = moment_column(timeline.dates, timeline.to_utc(moment))
    ordered = pa.table({name: table[name] for name in CONTACT_HEADER})
    return OwnedRows(DatedRows(ordered, delivered), key, owner)


CONTACT_HEADER = (
    "contact_id", "full_name", "email", "phone", "postcode", "topic", "opened_at", "updated_at",
    "channel", "notes",
)  # fmt: skip


def write_social_events(
    people: People, contacts: Contacts, catalogue: Catalogue, timeline: Timeline, seed: int
) -> OwnedRows:
    """Return the rows of ``social_events``; few handles show an e-mail address."""
    rng = open_stream(seed, "social")
    owner = np.flatnonzero(happens(rng, _SOCIAL_SHARE, len(people)) & ~people.is_cast)
    handles = _invent_handles(rng, people, owner)
    fan = np.repeat(np.arange(len(owner)), np.minimum(rng.geometric(0.25, len(owner)), 40))
    day = rng.integers(0, timeline.last_day + 1, len(fan))
    moment = day * SECONDS_PER_DAY + rng.integers(21_600, 82_800, len(fan))
    order = np.lexsort((fan, moment))
    fan, moment = fan[order].astype(np.int64), moment[order]
    count = len(fan)
    kind = pick(rng, (0.15, 0.45, 0.15, 0.10, 0.15), count)
    speaks = np.isin(kind, (2, 3))
    shows_mail = happens(rng, 0.2, len(owner))[fan]
    product = np.where(happens(rng, 0.4, count), rng.integers(0, len(catalogue.sku), count), -1)
    network = pick(rng, (0.5, 0.3, 0.2), len(owner))[fan]
    delivered = timeline.delivered_on(moment // SECONDS_PER_DAY)
    table = pa.table(
        {
            "event_id": text_column(hash_numbers(np.arange(count), _EVENT_SALT)),
            "occurred_at": moment_column(timeline.dates, timeline.to_utc(moment)),
            "network": choice_column(list(_NETWORKS), network),
            "handle": lookup_column(handles, fan),
            "email": text_column(contacts.email[owner[fan]], shows_mail),
            "event_type": choice_column(list(_SOCIAL_TYPES), kind),
            "campaign_id": lookup_column(
                ["SO-AUTUMN", "SO-GIFTS"], np.where(happens(rng, 0.3, count), kind % 2, -1)
            ),
            "sku": lookup_column(catalogue.sku, product),
            "text": lookup_column(list(_COMMENTS), np.where(speaks, moment % len(_COMMENTS), -1)),
        }
    )
    return OwnedRows(DatedRows(table, delivered), handles, owner.astype(np.int64))


def _write_full_names(rng: np.random.Generator, first: Texts, last: Texts) -> Texts:
    """Return names in one field, with the marks that clerks add."""
    plain = join_texts(first, " ", last)
    style = pick(rng, (0.72, 0.14, 0.05, 0.02, 0.02, 0.05), len(first))
    styles = [
        plain,
        join_texts(np.strings.upper(last), ", ", first),
        join_texts("*VIP* ", plain),
        join_texts(plain, " (deceased)"),
        join_texts(plain, " - do not call"),
        join_texts("Mr/Mrs ", plain),
    ]
    return np.select([style == number for number in range(len(styles))], styles, plain)


def _invent_handles(rng: np.random.Generator, people: People, owner: Ints) -> Texts:
    first = np.strings.lower(people.first_name[owner])
    tail = hash_numbers(owner, _HANDLE_SALT).astype("U5")
    joint = np.array(["_", ".", ""])[rng.integers(0, 3, len(owner))]
    return join_texts("@", first, joint, tail)
