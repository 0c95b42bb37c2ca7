"""Purchase histories reduced to what the purchase models need: counted (x, t_x, T) rows.

Grouping, checking and sampling of these rows belong here; likelihoods belong to ``likelihood``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cdp_pipeline.core.errors import DataQualityError

Vector = NDArray[np.float64]
Codes = NDArray[np.intp]

_PACK_BITS = 21
_TABLE_LIMIT = 1 << 20


@dataclass(frozen=True)
class Histories:
    """Distinct purchase histories and how many customers have each.

    Grain: one entry per distinct (x, t_x, age). Ordering: x, age, t_x, so that the same customers
    in any order give the same arrays and hence the same fit, bit for bit.

    Attributes:
        x: Repeat purchases, whole numbers; the first purchase is not counted.
        t_x: Time from first to last purchase, 0 when x is 0; any unit, the same everywhere.
        age: Time from first purchase to the end of observation, T of the papers.
        count: Customers with this history, above 0.
    """

    x: Vector
    t_x: Vector
    age: Vector
    count: Vector

    @property
    def customers(self) -> float:
        """Number of customers."""
        return float(self.count.sum())

    @property
    def rows(self) -> int:
        """Number of distinct histories."""
        return len(self.x)

    def none(self) -> Histories:
        """Return no histories at all."""
        return Histories(self.x[:0], self.t_x[:0], self.age[:0], self.count[:0])

    def followed_by(self, later: Histories) -> Histories:
        """Return these and others, all of which come later in the order."""
        return Histories(
            np.concatenate((self.x, later.x)),
            np.concatenate((self.t_x, later.t_x)),
            np.concatenate((self.age, later.age)),
            np.concatenate((self.count, later.count)),
        )

    def thin(self, stride: int) -> Histories:
        """Return every ``stride``-th history with the counts scaled to the same total."""
        if stride <= 1:
            return self
        some = slice(None, None, stride)
        scale = self.customers / float(self.count[some].sum())
        return Histories(self.x[some], self.t_x[some], self.age[some], self.count[some] * scale)


def group_histories(
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,  # noqa: N803 - T is what every paper calls the age
    n: ArrayLike | None = None,
) -> Histories:
    """Return the distinct histories with their counts.

    Args:
        x: Repeat purchases per row.
        t_x: Time from first to last purchase.
        T: Time from first purchase to the end of observation, not below ``t_x``.
        n: Customers per row; one each when not given.

    Raises:
        DataQualityError: Lengths differ, or a row cannot be a purchase history.

    Examples:
        >>> group_histories([0, 2, 0], [0, 5, 0], [9, 9, 9]).count.tolist()
        [2.0, 1.0]
    """
    columns = [np.atleast_1d(np.asarray(values)) for values in (x, t_x, T)]
    packed = _pack(*columns)
    if packed is not None and n is None:
        return _count_packed(packed)
    xs, ts, ages = (np.asarray(values, dtype=np.float64) for values in columns)
    count = np.ones(len(xs)) if n is None else np.asarray(n, dtype=np.float64)
    _refuse_impossible(xs, ts, ages, count)
    if packed is not None and (packed[1:] > packed[:-1]).all():
        return Histories(xs, ts, ages, count)
    order = np.lexsort((ts, ages, xs)) if packed is None else np.argsort(packed, kind="stable")
    xs, ts, ages, count = xs[order], ts[order], ages[order], count[order]
    if not len(xs):
        return Histories(xs, ts, ages, count)
    is_first = np.ones(len(xs), dtype=bool)
    is_first[1:] = (np.diff(xs) != 0) | (np.diff(ages) != 0) | (np.diff(ts) != 0)
    starts = np.flatnonzero(is_first)
    if len(starts) < len(xs):
        count = np.add.reduceat(count, starts)
    return Histories(xs[starts], ts[starts], ages[starts], count)


def encode(values: Vector) -> tuple[Vector, Codes]:
    """Return the distinct values, ascending, and each entry's position among them.

    Examples:
        >>> distinct, codes = encode(np.array([7.0, 3.0, 7.0]))
        >>> distinct.tolist(), codes.tolist()
        ([3.0, 7.0], [1, 0, 1])
    """
    whole = values.astype(np.int64)
    if len(values) and whole.max() < _TABLE_LIMIT and np.array_equal(whole, values):
        # Days and purchases are small whole numbers: counting them beats sorting them.
        is_present = np.bincount(whole) > 0
        position = np.cumsum(is_present) - 1
        return np.flatnonzero(is_present).astype(np.float64), position[whole]
    distinct, codes = np.unique(values, return_inverse=True)
    return distinct, codes


def pair_up(x: Vector, age: Vector) -> tuple[Vector, Vector, Codes]:
    """Return the distinct (x, age), by x, then age, and each entry's position among them.

    Examples:
        >>> pairs = pair_up(np.array([2.0, 0.0, 2.0]), np.array([5.0, 9.0, 5.0]))
        >>> [column.tolist() for column in pairs]
        [[0.0, 2.0], [9.0, 5.0], [1, 0, 1]]
    """
    xs, x_codes = encode(x)
    ages, age_codes = encode(age)
    pairs, position = encode((x_codes * len(ages) + age_codes).astype(np.float64))
    keys = pairs.astype(np.int64)
    size = max(len(ages), 1)
    return xs[keys // size], ages[keys % size], position


def _pack(x: NDArray[Any], t_x: NDArray[Any], age: NDArray[Any]) -> NDArray[np.int64] | None:
    """Return one whole number a history, in the order of histories; None where they do not fit.

    Days and purchases are small whole numbers, and one number sorts several times faster than
    three columns.
    """
    if not len(x) == len(t_x) == len(age):
        return None
    packed = np.zeros(len(x), dtype=np.int64)
    for values in (x, age, t_x):
        if len(values) and not 0 <= values.min() <= values.max() < 1 << _PACK_BITS:
            return None
        part = values
        if values.dtype.kind != "i":
            part = values.astype(np.int64)
            if not np.array_equal(part, values):
                return None
        packed <<= _PACK_BITS
        packed |= part
    return packed


def _count_packed(packed: NDArray[np.int64]) -> Histories:
    packed.sort()
    is_first = np.ones(len(packed), dtype=bool)
    is_first[1:] = packed[1:] != packed[:-1]
    starts = np.flatnonzero(is_first)
    count = np.diff(starts, append=len(packed)).astype(np.float64)
    distinct, mask = packed[starts], (1 << _PACK_BITS) - 1
    x, age, t_x = (
        ((distinct >> bits) & mask).astype(np.float64) for bits in (2 * _PACK_BITS, _PACK_BITS, 0)
    )
    _refuse_impossible(x, t_x, age, count)
    return Histories(x, t_x, age, count)


def _refuse_impossible(x: Vector, t_x: Vector, age: Vector, count: Vector) -> None:
    if not len(x) == len(t_x) == len(age) == len(count):
        raise DataQualityError(
            f"purchase histories of unequal length: {len(x)}, {len(t_x)}, {len(age)}, {len(count)}",
            where="features.histories",
            hint="Pass one x, t_x, T and n per row.",
        )
    with np.errstate(invalid="ignore"):
        is_possible = (x >= 0) & (x == np.floor(x)) & (t_x >= 0) & (t_x <= age) & (count > 0)
        is_possible &= np.isfinite(age) & np.isfinite(x) & np.isfinite(count)
        is_possible &= (x > 0) == (t_x > 0)
    if not is_possible.all():
        first = int(np.argmin(is_possible))
        raise DataQualityError(
            f"{int((~is_possible).sum())} impossible purchase histories, the first: "
            f"x={x[first]}, t_x={t_x[first]}, T={age[first]}, n={count[first]}",
            where="features.histories",
            hint="Need whole x >= 0, 0 <= t_x <= T, t_x above 0 exactly when x is, and n > 0.",
        )
