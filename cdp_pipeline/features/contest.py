"""Who serves: any number of ways to predict the same thing, compared on past days.

Only the choice belongs here, and it knows nothing of what is predicted: an entrant is a name and a
loss on each past day, lower being better. The default keeps its place unless another is better by a
margin, so that a night's chance does not change who serves; a rule that anybody could apply never
serves, but a model that loses to one is told so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MARGIN = 0.01
"""Share by which a challenger must be better."""

MARGIN_OF_ONE_DAY = 0.03
"""The same where a single past day is all there is to compare on."""


@dataclass(frozen=True)
class Entry:
    """The loss of one way to predict on one past day.

    Attributes:
        entrant: Its name.
        fold: The past day; 1 is the latest.
        loss: Its loss, above 0 and lower when better.
        is_naive: Whether it is a rule that anybody could apply.
    """

    entrant: str
    fold: int
    loss: float
    is_naive: bool = False


@dataclass(frozen=True)
class Standing:
    """What became of an entrant.

    Attributes:
        entrant: Its name.
        place: 1 for the best.
        relative_loss: Mean loss over the days it took part in, over that of the default on the same
            days.
        folds: Days it took part in.
        is_naive: Whether it is a rule that anybody could apply.
        serves: Whether it was chosen.
        reason: Why it was chosen or not, in words.
    """

    entrant: str
    place: int
    relative_loss: float
    folds: int
    is_naive: bool
    serves: bool
    reason: str


@dataclass(frozen=True)
class Verdict:
    """The outcome of a contest.

    Attributes:
        winner: Name of the model that serves.
        standings: Everybody, best first; empty without a past day to compare on.
        beaten_by: The best rule, where it was better than the model that serves.
    """

    winner: str
    standings: tuple[Standing, ...]
    beaten_by: str | None = None


def decide(
    entries: Iterable[Entry],
    *,
    default: str,
    allowed: Sequence[str],
    preferred: Sequence[str] = (),
    doubt: float = 0.0,
) -> Verdict:
    """Return who serves.

    Args:
        entries: Losses of all entrants on all past days.
        default: The model that serves unless another is better by a margin.
        allowed: Models that could serve today; others only show how they did.
        preferred: Variants of the default. They are asked first, and whoever else wants to serve
            must be better than the best of them.
        doubt: Share by which a preferred variant may have been worse and still serves: above 0
            where past days knew too little to judge it.
    """
    losses, naive = _collect(entries)
    base = losses.get(default)
    if base is None:
        return Verdict(default, ())
    relative = {
        name: _relative(found, base) for name, found in losses.items() if set(found) & set(base)
    }
    order = sorted(relative, key=lambda name: (relative[name], name != default, name))
    able = [name for name in order if name in allowed and name not in naive]
    winner = default
    others = [name for name in able if name != default]
    for name in (*[name for name in able if name in preferred][:1], *others[:1]):
        is_doubtful = bool(doubt) and name in preferred
        margin = -doubt if is_doubtful else _margin(losses[name], base)
        if relative[name] < relative[winner] * (1.0 - margin):
            winner = name
    rules = [name for name in order if name in naive]
    beaten = next((name for name in rules[:1] if relative[name] < relative[winner]), None)
    standings = tuple(
        Standing(
            entrant=name,
            place=place,
            relative_loss=relative[name],
            folds=len(set(losses[name]) & set(base)),
            is_naive=name in naive,
            serves=name == winner,
            reason=_reason(name, winner, default, relative, naive=naive, allowed=allowed),
        )
        for place, name in enumerate(order, start=1)
    )
    return Verdict(winner, standings, beaten)


def _collect(entries: Iterable[Entry]) -> tuple[dict[str, dict[int, float]], set[str]]:
    """Return the losses of each entrant by past day, and who is a rule."""
    losses: dict[str, dict[int, float]] = {}
    naive: set[str] = set()
    for entry in entries:
        if math.isfinite(entry.loss) and entry.loss > 0:
            losses.setdefault(entry.entrant, {})[entry.fold] = entry.loss
        if entry.is_naive:
            naive.add(entry.entrant)
    return losses, naive


def _margin(found: dict[int, float], base: dict[int, float]) -> float:
    return MARGIN if len(set(found) & set(base)) > 1 else MARGIN_OF_ONE_DAY


def _relative(found: dict[int, float], base: dict[int, float]) -> float:
    logs = [math.log(found[fold] / base[fold]) for fold in sorted(set(found) & set(base))]
    return math.exp(math.fsum(logs) / len(logs))


def _reason(
    name: str,
    winner: str,
    default: str,
    relative: dict[str, float],
    *,
    naive: set[str],
    allowed: Sequence[str],
) -> str:
    if name == winner:
        return f"serves: {_reason_to_serve(name, default, relative[name])}"
    if name in naive:
        better = relative[name] < relative[winner]
        return "a rule anybody could apply; better than what serves" if better else "a rule; beaten"
    if name not in allowed:
        return "cannot serve on the data of today"
    if relative[name] < relative[winner]:
        return "better, but by less than the margin"
    return "not better on past days"


def _reason_to_serve(name: str, default: str, relative_loss: float) -> str:
    if name == default:
        return "nothing that may serve was better by more than the margin"
    if relative_loss >= 1.0:
        return "past days knew too little to judge it, and it did hardly worse"
    return f"{1.0 - relative_loss:.1%} better than {default} on past days"
