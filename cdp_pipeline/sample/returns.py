"""What comes back: goods returned in stores and by post, and orders cancelled.

Which purchase is undone, and when, belongs here; the files that say so are in ``tills`` and
``orders``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp_pipeline.sample.arrays import Bools, Ints, happens, open_stream
from cdp_pipeline.sample.baskets import Lines
from cdp_pipeline.sample.catalogue import Catalogue
from cdp_pipeline.sample.people import People
from cdp_pipeline.sample.visits import Visits

# How often a line of each department comes back, in the order of the departments.
_RETURN_RATES = {"Food Hall": 0.002, "Beauty": 0.015, "Womenswear": 0.11, "Footwear": 0.10,
                 "Menswear": 0.07, "Childrens": 0.06}  # fmt: skip
_OTHER_RETURN_RATE = 0.04
_LONGEST_RETURN_DAYS = 35


@dataclass(frozen=True)
class Undone:
    """What is taken back.

    Attributes:
        line: Lines that come back, ascending.
        day: Day on which each comes back; the same for all lines of a visit.
        by_post: Comes back by post (web orders only); the others come to a store.
        cancelled: For each visit whether it is a web order cancelled before shipping.
    """

    line: Ints
    day: Ints
    by_post: Bools
    cancelled: Bools


def undo_purchases(
    visits: Visits, lines: Lines, catalogue: Catalogue, people: People, seed: int
) -> Undone:
    """Return which lines come back, when and how."""
    rng = open_stream(seed, "returns")
    on_web = visits.store < 0
    clean = people.is_cast[visits.person]
    cancelled = on_web & happens(rng, 0.03, len(visits)) & ~clean
    rates = np.array(
        [_RETURN_RATES.get(name, _OTHER_RETURN_RATE) for name in catalogue.departments]
    )
    rate = rates[catalogue.department[lines.product]] * np.where(on_web[lines.visit], 1.6, 1.0)
    back = happens(rng, rate, len(lines)) & ~cancelled[lines.visit] & ~clean[lines.visit]
    delay = np.minimum(1 + rng.geometric(0.09, len(visits)), _LONGEST_RETURN_DAYS)
    delay += np.where(on_web, 5, 0)
    by_post = on_web & happens(rng, 0.55, len(visits))
    line = np.flatnonzero(back).astype(np.int64)
    visit = lines.visit[line]
    return Undone(line, visits.day[visit] + delay[visit], by_post[visit], cancelled)
