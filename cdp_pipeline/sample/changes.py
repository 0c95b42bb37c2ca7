"""Which cards and accounts change on which night, and how.

Only the plan of changes belongs here; the changed rows are written by ``loyalty`` and ``accounts``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp_pipeline.sample.arrays import Ints, happens, pick
from cdp_pipeline.sample.membership import Holdings
from cdp_pipeline.sample.people import People
from cdp_pipeline.sample.seasons import Timeline

NEW_DETAILS, NEW_CONSENT, NEW_STANDING = range(3)
_CHANGES_PER_NIGHT = 0.003
_KIND_SHARES = (0.5, 0.35, 0.15)


@dataclass(frozen=True)
class Changes:
    """Records that are sent again; at most one change for each.

    Attributes:
        record: Index of the card or account.
        day: Night on which it changed; after the record began.
        kind: NEW_DETAILS, NEW_CONSENT or NEW_STANDING (tier or status).
    """

    record: Ints
    day: Ints
    kind: Ints


def plan_changes(
    holdings: Holdings, people: People, timeline: Timeline, rng: np.random.Generator
) -> Changes:
    """Return the changes of all nights; about 3 in 1,000 records change in a night."""
    nights = timeline.last_day - timeline.start_day
    count = len(holdings)
    changes = happens(rng, min(0.5, _CHANGES_PER_NIGHT * nights), count)
    day = timeline.start_day + 1 + rng.integers(0, max(1, nights), count)
    kind = pick(rng, _KIND_SHARES, count)
    possible = changes & (holdings.begun_day < day) & (day <= timeline.last_day)
    record = np.flatnonzero(possible & ~people.is_cast[holdings.owner]).astype(np.int64)
    return Changes(record, day[record], kind[record])
