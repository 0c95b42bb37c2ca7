"""Which of several people a name means, when hardly more than the name agrees.

A pair of records may be likelier one person than not and yet be two strangers of one name. The
strangers show by their number: where five people are called Jan de Vries, a sixth record of that
name is each of them with a fifth of the probability at most. So pairs that may be strangers wait
until the certain pairs have made groups, and the groups that compete for one another share one
probability. Where a store knows most of its customers by address or mailbox, hardly a receipt is
nobody's: the one group of its name is probably it, however common the name. Pure numpy; scores
belong in ``weights``.
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

REACHED_KIN_BITS = 7.0
"""The same where both records can be reached, as the one would get the other's mail: .8 %."""

SURE_PROB = 0.9
"""Probability from which a namesake is taken for the person when both can be reached: strangers
made one cost nine times as much as a person left in two, as the one gets the other's mail. A mere
name on a receipt can get nobody's; but who wrote to the store, or called, is answered."""

EVEN_PROB = 0.6
"""Probability from which a mere name is taken for a person, or two lone receipts for one shopper's.
From one half on it would be likelier right than wrong, but whoever is taken wrongly is a stranger,
often of another household."""

LONE_ODDS = 0.3
"""Least odds that a receipt which gives a name and a way to reach somebody that nobody else has is
nobody else's. Contacts change and are mistyped, so most are somebody's, if not as surely as a mere
name's."""

NAME, LONE, PERSON = range(3)
"""What a group is to its namesakes: a name that nobody can be reached by; one receipt that gives a
way to reach somebody, and shares it with none; whom the store knows. The lesser asks to whom it
belongs, and those above it compete for it."""

LEAST_BITS = -6.0
"""log2 odds of a match below which a pair does not compete: sixty such weigh as one even one."""


MOST_KNOWN = 0.95
"""Share of records with a partner above which a mere name may still be nobody's: slips hide some
partners from it, and whoever gives no more than a name is not quite like the others."""


def are_kin(kin_bits: Floats, left: Marks, right: Marks) -> Marks:
    """Return which pairs are not two strangers.

    Args:
        kin_bits: log2 odds of being one person or one household.
        left: Whether one record can be reached.
        right: Whether the other can.
    """
    return np.asarray(kin_bits >= np.where(left & right, REACHED_KIN_BITS, KIN_BITS))


def nobody_odds(left: Integers, right: Integers, is_certain: Marks, is_reachable: Marks) -> float:
    """Return the odds that a record's person has no other record, from those that can be reached.

    Args:
        left: One record of each pair.
        right: The other record.
        is_certain: Which pairs are one person for certain.
        is_reachable: Records that hold an address, a number or a mailbox; only they are counted.

    Returns:
        At most 1, and in steps of half a bit, so that a night like any other changes nothing.
    """
    both = is_certain & is_reachable[left] & is_reachable[right]
    known = np.zeros(len(is_reachable), dtype=bool)
    known[left[both]] = known[right[both]] = True
    share = min(float(known[is_reachable].mean()) if is_reachable.any() else 0.0, MOST_KNOWN)
    odds = (1 - share) / max(share, 1 - share)
    return float(2 ** (np.round(2 * np.log2(odds)) / 2))


def stand_records(is_reachable: Marks, is_mention: Marks) -> Integers:
    """Return what each record is to its namesakes while it is alone: NAME, LONE or PERSON.

    Args:
        is_reachable: Records that hold an address, a number or a mailbox.
        is_mention: Records that somebody left in passing, as on a receipt. Two profiles of one
            name that share nothing are mostly two people; who is mentioned is mostly known.
    """
    return np.where(is_reachable, np.where(is_mention, LONE, PERSON), NAME).astype(np.int64)


def choose_namesakes(  # noqa: PLR0913 - how sure one must be depends on both records
    labels: Integers,
    ends: tuple[Integers, Integers],
    log_odds: Floats,
    *,
    accept: float,
    standing: Integers,
    is_private: Marks,
    nobody: float = 1.0,
) -> tuple[Integers, Integers]:
    """Return the pairs of groups that are one person although they may be strangers.

    Two groups are worth what their least alike pair is worth: a group knows what its records know
    together. All groups that can be reached and may be a group share one probability with its
    being none of them. Mere names do not compete with each other, nor do lone receipts for a
    person: one shopper leaves many.

    Args:
        labels: Group of each record, from 0.
        ends: Both records of each pair that may be strangers.
        log_odds: log2 odds of a match of each pair.
        accept: Probability from which two groups are one; at least one half if one of them is
            but a name, so that none has two partners that can be reached.
        standing: What each record is to its namesakes; see ``stand_records``.
        is_private: Records that say what nobody else should read, as what is written to the store.
        nobody: Odds that a mere name is nobody else's; see ``nobody_odds``.

    Returns:
        Both groups of each chosen pair, the smaller number first.
    """
    low, high, odds = _least_alike(labels, ends, log_odds)
    standing = _stand_groups(labels, standing)
    is_turned = standing[low] > standing[high]
    asks, asked = np.where(is_turned, high, low), np.where(is_turned, low, high)
    claims = np.stack(
        [_claims(low, high, odds, standing >= least) for least in (NAME, LONE, PERSON)]
    )
    rank = standing[asks]
    above = np.minimum(rank + 1, PERSON)
    others = np.where(
        rank == standing[asked],
        1 + np.maximum(claims[rank, asks], claims[rank, asked]),
        np.where(rank == NAME, nobody, max(nobody, LONE_ODDS)) + claims[above, asks],
    )
    is_private = _held_any(labels, is_private)
    is_dear = (rank > NAME) & (standing[asked] == PERSON)
    is_dear |= is_private[asks] | ((rank == standing[asked]) & is_private[asked])
    sure = np.where(is_dear, SURE_PROB, EVEN_PROB)
    chosen = odds / others >= np.maximum(sure, accept)
    return low[chosen].astype(np.int64), high[chosen].astype(np.int64)


def _stand_groups(labels: Integers, standing: Integers) -> Integers:
    """Return what each group is: as much as its best record, and a person if that is not alone."""
    highest = np.full(int(labels.max(initial=-1)) + 1, NAME, dtype=np.int64)
    np.maximum.at(highest, labels, standing)
    sizes = np.bincount(labels, minlength=len(highest))
    return np.where((highest == LONE) & (sizes > 1), PERSON, highest)


def _held_any(labels: Integers, marks: Marks) -> Marks:
    """Return which groups hold a marked record."""
    return np.bincount(labels[marks], minlength=int(labels.max(initial=-1)) + 1) > 0


def _least_alike(
    labels: Integers, ends: tuple[Integers, Integers], log_odds: Floats
) -> tuple[Integers, Integers, Floats]:
    """Return every two groups that a pair joins, and the odds of their least alike pair."""
    low = np.minimum(*(labels[end] for end in ends))
    high = np.maximum(*(labels[end] for end in ends))
    apart = low != high
    low, high, bits = low[apart], high[apart], log_odds[apart]
    order = np.lexsort((bits, high, low))
    low, high, bits = low[order], high[order], bits[order]
    is_first = np.ones(len(low), dtype=bool)
    is_first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    return low[is_first], high[is_first], np.exp2(bits[is_first])


def _claims(low: Integers, high: Integers, odds: Floats, is_counted: Marks) -> Floats:
    """Return the summed odds of each group's pairs with the groups that count."""
    claims = np.bincount(low, odds * is_counted[high], len(is_counted))
    return np.asarray(claims + np.bincount(high, odds * is_counted[low], len(is_counted)))
