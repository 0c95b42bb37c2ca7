"""Data-subject requests: erasure, access and objection.

The rows of ``privacy_requests`` belong here; honouring them is the pipeline's work.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cdp_pipeline.sample import slips
from cdp_pipeline.sample.arrays import (
    Ints,
    happens,
    join_texts,
    number_texts,
    open_stream,
    pick,
)
from cdp_pipeline.sample.contacts import Contacts
from cdp_pipeline.sample.deliveries import DatedRows, OwnedRows
from cdp_pipeline.sample.journeys import OBJECTED, Journeys
from cdp_pipeline.sample.membership import Holdings
from cdp_pipeline.sample.people import People
from cdp_pipeline.sample.rendering import (
    SECONDS_PER_DAY,
    choice_column,
    lookup_column,
    moment_column,
    text_column,
)
from cdp_pipeline.sample.seasons import Timeline

TYPES = ("erasure", "access", "objection")
STATUSES = ("received", "verified", "done")
# As many as in the nights; those of the years before were fewer.
_REQUESTS_PER_PERSON_DAY = 1 / 20_000
_PAST_SHARE = 0.2
_SETTLED_AFTER_DAYS = 20


def write_requests(
    people: People,
    contacts: Contacts,
    cards: Holdings,
    journeys: Journeys,
    timeline: Timeline,
    seed: int,
) -> OwnedRows:
    """Return the rows of ``privacy_requests``; each night of a larger store has some."""
    rng = open_stream(seed, "requests")
    asks, then = _draw_requests(rng, people, timeline)
    objects = np.flatnonzero(journeys.reason == OBJECTED)
    owner = np.concatenate([asks, journeys.person[objects]]).astype(np.int64)
    day = np.concatenate(
        [
            then,
            journeys.visit_day[objects],
        ]
    )
    kind = np.concatenate([pick(rng, (0.45, 0.25, 0.30), len(asks)), np.full(len(objects), 2)])
    order = np.lexsort((owner, day))
    owner, day, kind = owner[order], day[order], kind[order]
    count = len(owner)
    clean = people.is_cast[owner]
    settled = day < timeline.start_day - _SETTLED_AFTER_DAYS
    checked = happens(rng, 0.75, count) | clean
    status = np.where(settled, 2, np.where(checked, 1, 0))
    phone = np.where(happens(rng, 0.6, count), contacts.mobile[owner], "")
    name = join_texts(people.first_name[owner], " ", people.last_name[owner])
    name = slips.slip_some(rng, name, happens(rng, 0.05, count) & ~clean, slips.mistype)
    card = np.where(happens(rng, 0.6, count) | clean, cards.of_person[owner, 0], -1)
    key = join_texts("PR", number_texts(np.arange(count) + 1, 6))
    moment = day * SECONDS_PER_DAY + rng.integers(32_400, 64_800, count)
    table = pa.table(
        {
            "request_id": text_column(key),
            "received_at": moment_column(timeline.dates, timeline.to_utc(moment)),
            "request_type": choice_column(list(TYPES), kind.astype(np.int64)),
            "email": text_column(contacts.email[owner]),
            "phone": text_column(slips.slip_some(rng, phone, phone != "", slips.style_phones)),
            "member_no": lookup_column(cards.number, card),
            "full_name": text_column(name),
            "status": choice_column(list(STATUSES), status),
        }
    )
    return OwnedRows(DatedRows(table, timeline.delivered_on(day)), key, owner)


def _draw_requests(
    rng: np.random.Generator, people: People, timeline: Timeline
) -> tuple[Ints, Ints]:
    """Return who asks, and on which day."""
    nights = timeline.last_day - timeline.start_day
    past = _REQUESTS_PER_PERSON_DAY * _PAST_SHARE * timeline.start_day
    now = _REQUESTS_PER_PERSON_DAY * nights
    asks = np.flatnonzero(happens(rng, past + now, len(people)) & ~people.is_cast)
    in_night = happens(rng, now / (past + now), len(asks))
    then = np.where(
        in_night,
        timeline.start_day + 1 + rng.integers(0, max(nights, 1), len(asks)),
        rng.integers(0, timeline.start_day + 1, len(asks)),
    )
    return asks.astype(np.int64), then
