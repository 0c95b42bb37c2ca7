"""Which of several people a name means, when hardly more than the name agrees.

A pair of records may be likelier one person than not and yet be two strangers of one name. The
strangers show by their number: where five people are called Jan de Vries, a sixth record of that
name is each of them with a fifth of the probability at most. So pairs that may be strangers wait
until the certain pairs have made groups, and the groups that compete for one another share one
probability. Pure numpy; scores belong in ``weights``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]

KIN_BITS = 5.6
"""log2 odds of being kin, one person or one household, from which a pair is not two strangers:
a risk of 2 %. Names alone never get there, unless they are very rare."""

SURE_PROB = 0.9
"""Probability from which a namesake is taken for the person when both can be reached: strangers
made one cost nine times as much as a person left in two, as the one gets the other's mail. A mere
name on a receipt can get nobody's, and is taken for the likeliest person."""

EVEN_PROB = 0.5
"""Probability from which a mere name is taken for a person; below, two could claim it."""

LEAST_BITS = -6.0
"""log2 odds of a match below which a pair does not compete: sixty such weigh as one even one."""


def choose_namesakes(
    labels: Integers,
    left: Integers,
    right: Integers,
    log_odds: Floats,
    *,
    accept: float,
    is_reachable: Marks,
) -> tuple[Integers, Integers]:
    """Return the pairs of groups that are one person although they may be strangers.

    Two groups are worth what their least alike pair is worth: a group knows what its records know
    together. All groups that a group may be share one probability with its being none of them.

    Args:
        labels: Group of each record, from 0.
        left: One record of each pair that may be strangers.
        right: The other record.
        log_odds: log2 odds of a match of each pair.
        accept: Probability from which two groups are one, if one of them is but a name; from one
            half on none has two partners.
        is_reachable: Records that hold an address, a number or a mailbox.

    Returns:
        Both groups of each chosen pair, the smaller number first.
    """
    low = np.minimum(labels[left], labels[right])
    high = np.maximum(labels[left], labels[right])
    apart = low != high
    low, high, bits = low[apart], high[apart], log_odds[apart]
    order = np.lexsort((bits, high, low))
    low, high, bits = low[order], high[order], bits[order]
    is_first = np.ones(len(low), dtype=bool)
    is_first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    low, high, odds = low[is_first], high[is_first], np.exp2(bits[is_first])
    groups = int(labels.max(initial=-1)) + 1
    claims = np.bincount(low, odds, groups) + np.bincount(high, odds, groups)
    reached = np.bincount(labels[is_reachable], minlength=groups) > 0
    sure = np.where(reached[low] & reached[high], max(accept, SURE_PROB), accept)
    chosen = odds / (1 + np.maximum(claims[low], claims[high])) >= sure
    return low[chosen].astype(np.int64), high[chosen].astype(np.int64)
