"""Log-likelihoods of the purchase-count models with exact gradients, over counted histories.

NBD, BG/NBD and MBG/NBD belong here, as functions of their log-parameters; fitting and prediction
belong to ``btyd``.

All three share the part of buyers who never leave; it needs only the distinct x and the distinct T.
The two with dropout add ``log(1 + odds of having left)`` per history, written with log-odds so that
nothing overflows at any x.

Source:
    Fader, Hardie, Lee (2005), "Counting Your Customers" the Easy Way (BG/NBD);
    Batislam, Denizel, Filiztekin (2007), Empirical validation and comparison of models for customer
    base analysis (MBG/NBD).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

from cdp_pipeline.features.histories import Codes, Histories, Vector, encode

_BLOCK_ROWS = 16_384
_LARGEST_LOG = 25.0


class StayLikelihood:
    """Mean negative log-likelihood of the NBD: buyers with gamma-distributed rates, no dropout.

    Calling it with ``log(r), log(alpha)`` returns the value and its gradient in those logs;
    infinity outside ``exp(-25) .. exp(25)``, where a fit has run away.
    """

    def __init__(self, histories: Histories) -> None:
        """Sum the histories by distinct x and by distinct age."""
        self.weight = histories.count / histories.customers
        self.x, self.x_codes = encode(histories.x)
        self.x_weight = np.bincount(self.x_codes, self.weight)
        self.age, self.age_codes = encode(histories.age)
        self.age_weight = np.bincount(self.age_codes, self.weight)
        self.age_purchases = np.bincount(self.age_codes, self.weight * histories.x)

    def __call__(self, logs: Vector) -> tuple[float, Vector]:
        """Return value and gradient."""
        if not _is_inside(logs):
            return np.inf, np.full(len(logs), np.nan)
        value, gradient = self.evaluate(*np.exp(logs))
        return -value, -gradient * np.exp(logs)

    def evaluate(self, r: float, alpha: float) -> tuple[float, Vector]:
        """Return the mean log-likelihood and its gradient in r and alpha."""
        rate = r + self.x
        log_age = np.log(alpha + self.age)
        exponent = r * self.age_weight + self.age_purchases
        value = (self.x_weight * (gammaln(rate) - gammaln(r))).sum() + r * np.log(alpha)
        value -= (exponent * log_age).sum()
        by_r = (self.x_weight * (digamma(rate) - digamma(r))).sum() + np.log(alpha)
        by_r -= (self.age_weight * log_age).sum()
        by_alpha = r / alpha - (exponent / (alpha + self.age)).sum()
        return float(value), np.array([by_r, by_alpha])


class DropoutLikelihood:
    """Mean negative log-likelihood of BG/NBD or MBG/NBD.

    Calling it with the logs of r, alpha, a and b returns the value and its gradient in those logs;
    infinity outside ``exp(-25) .. exp(25)``.

    Args:
        histories: Counted histories.
        leaves_at_once: Whether a customer may leave right after the first purchase (MBG/NBD);
            otherwise only after a repeat purchase (BG/NBD).
    """

    def __init__(self, histories: Histories, *, leaves_at_once: bool) -> None:
        """Code the histories that may have ended in dropout."""
        self._stay = StayLikelihood(histories)
        self._extra = 1.0 if leaves_at_once else 0.0
        # Histories are in the order of x: whoever cannot have left comes first.
        first = int(np.searchsorted(histories.x, 1.0 - self._extra))
        self._rows = _DropoutRows.collect(histories, self._stay, first)

    def __call__(self, logs: Vector) -> tuple[float, Vector]:
        """Return value and gradient."""
        if not _is_inside(logs):
            return np.inf, np.full(len(logs), np.nan)
        value, gradient = self.evaluate(*np.exp(logs))
        return -value, -gradient * np.exp(logs)

    def evaluate(self, r: float, alpha: float, a: float, b: float) -> tuple[float, Vector]:
        """Return the mean log-likelihood and its gradient in r, alpha, a and b."""
        value, rate_gradient = self._stay.evaluate(r, alpha)
        x, weight = self._stay.x, self._stay.x_weight
        survived = b + self._extra + x
        value += float(
            (weight * (gammaln(survived) - gammaln(a + survived))).sum()
            + (gammaln(a + b) - gammaln(b))
        )
        both = digamma(a + b) - (weight * digamma(a + survived)).sum()
        by_b = both + (weight * digamma(survived)).sum() - digamma(b)
        gain = self._rows.evaluate(r, alpha, np.log(a), b + self._extra - 1.0)
        by_r, by_alpha = rate_gradient
        gradient = np.array(
            [by_r + gain.by_r, by_alpha + gain.by_alpha, both + gain.left / a, by_b - gain.by_b]
        )
        return value + gain.value, gradient


@dataclass(frozen=True)
class _Gain:
    """What the chance of having left adds to the log-likelihood, and its derivatives."""

    value: float
    by_r: float
    by_alpha: float
    left: float
    by_b: float


@dataclass(frozen=True)
class _DropoutRows:
    """Histories that may have ended in dropout, with coordinates coded by distinct value."""

    x: Vector
    t_x: Vector
    age: Vector
    x_codes: NDArray[np.int32]
    t_x_codes: NDArray[np.int32]
    age_codes: NDArray[np.int32]
    weight: Vector

    @classmethod
    def collect(cls, histories: Histories, stay: StayLikelihood, first: int) -> _DropoutRows:
        """Code the rows from the given one on."""
        t_x, t_x_codes = encode(histories.t_x[first:])
        absent = int(first > 0)  # of the distinct x, only 0 can be left out
        return cls(
            stay.x[absent:],
            t_x,
            stay.age,
            _short(stay.x_codes[first:] - absent),
            _short(t_x_codes),
            _short(stay.age_codes[first:]),
            stay.weight[first:],
        )

    def evaluate(self, r: float, alpha: float, log_a: float, b: float) -> _Gain:
        """Sum over rows in blocks that stay in the processor's cache.

        The log-odds of having left are ``log(a / (b + x)) + (r + x) log((alpha+T)/(alpha+t_x))``,
        with ``b`` one lower for BG/NBD.
        """
        rate = r + self.x
        prior = log_a - np.log(b + self.x)
        log_age, log_last = np.log(alpha + self.age), np.log(alpha + self.t_x)
        per_age, per_last = 1.0 / (alpha + self.age), 1.0 / (alpha + self.t_x)
        per_b = 1.0 / (b + self.x)
        sums = np.zeros(5)
        for start in range(0, len(self.weight), _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            i, j, k = self.x_codes[block], self.age_codes[block], self.t_x_codes[block]
            weight = self.weight[block]
            # take() reads short indices as they are; square brackets would widen them first.
            silence = log_age.take(j) - log_last.take(k)
            exponent = rate.take(i)
            odds = exponent * silence + prior.take(i)
            small = np.exp(-np.abs(odds))
            left = weight * np.where(odds > 0, 1.0, small) / (1.0 + small)
            sums += (
                (weight * (np.log1p(small) + np.maximum(odds, 0.0))).sum(),
                (left * silence).sum(),
                (left * exponent * (per_age.take(j) - per_last.take(k))).sum(),
                left.sum(),
                (left * per_b.take(i)).sum(),
            )
        return _Gain(*sums.tolist())


def _is_inside(logs: Vector) -> bool:
    return bool((np.abs(logs) < _LARGEST_LOG).all())


def _short(codes: Codes) -> NDArray[np.int32]:
    return codes.astype(np.int32)
