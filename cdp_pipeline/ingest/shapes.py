"""What the values of each column look like, and whether two columns have changed places.

A sender who swaps two columns under an unchanged header, or writes pence for pounds, delivers a
file in which every value has its type and no rule is broken. Only earlier files tell: their first
rows are kept as a few figures a column (kinds of characters, lengths, middle values), no value
itself. What follows from a difference is the contract's decision (``drift: shapes``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from statistics import fmean, median
from typing import Any

import pyarrow as pa

from cdp_pipeline.project.contracts import Column, SourceContract

SAMPLE_ROWS = 200
"""First rows of a file that are looked at."""

_FEWEST_VALUES = 20
_MOST_KINDS = 8
_CHARACTERS = "characters "
_MIDDLE, _LENGTH, _DISTINCT = "middle", "length", "distinct"
_LEAST_GAPS = {_LENGTH: 0.5, _DISTINCT: 0.2}
"""Distance between two columns that tells them apart, by what is measured."""
_LEAST_SHARE_OF_MIDDLE = 0.2
_OTHER, _SAME = 0.8, 0.3
"""Distances of two mixes of characters, from 0 to 1, that count as another one and as the same."""
_STEADY = 0.5
"""Distance from what is usual that most files of a column keep within, unless it is free text."""
_KEPT_DIGITS = 3
_TIMES = 20
"""Times larger or smaller than any before that no ordinary night makes a middle value."""
_TRIMMED_FROM = 6
_NUMBERS = {"integer", "decimal", "number"}
_MOMENTS = {"date", "timestamp"}
_KINDS = {"9": "digits", "a": "small letters", "A": "capitals"}

Shape = Mapping[str, float]
Shapes = Mapping[str, Shape]
Range = tuple[float, float]


def find_shapes(
    rows: pa.Table, contract: SourceContract, *, business_date: date
) -> dict[str, dict[str, float]]:
    """Return figures on the values of each column; of columns with few values none.

    Args:
        rows: First accepted rows of a delivery.
        contract: Its contract.
        business_date: Its day: moments are counted in days before it.
    """
    found = {}
    for name, column in contract.columns.items():
        values = [value for value in rows.column(name).to_pylist() if value is not None]
        if len(values) >= _FEWEST_VALUES:
            found[name] = _shape(values, column, business_date)
    return found


def _shape(values: Sequence[Any], column: Column, business_date: date) -> dict[str, float]:
    if column.type in _MOMENTS:
        return {_MIDDLE: float(median((business_date - _day(value)).days for value in values))}
    if column.type == "boolean":
        return {_MIDDLE: round(fmean(values), 4)}
    if column.type in _NUMBERS:
        # The middle one of an odd count is somebody's: a number that names a person must not stay.
        return {_MIDDLE: float(f"{median(values):.{_KEPT_DIGITS}g}")}
    kinds = Counter(_characters(value) for value in values)
    shares = {
        f"{_CHARACTERS}{kind}": round(n / len(values), 4)
        for kind, n in kinds.most_common(_MOST_KINDS)
    }
    length = round(fmean(map(len, values)), 3)
    return {_LENGTH: length, _DISTINCT: round(len(set(values)) / len(values), 4), **shares}


def _day(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _characters(text: str) -> str:
    """Return the kinds of characters of a text, each once.

    >>> _characters("tok_a87FF"), _characters("O'Brien")
    ('9A_a', "'Aa")
    """
    kinds = {
        "9" if c.isdigit() else "A" if c.isupper() else "a" if c.isalpha() else c for c in set(text)
    }
    return "".join(sorted(kinds))


def compare_shapes(
    contract: SourceContract, now: Shapes, before: Sequence[Shapes], *, least: int
) -> Iterator[str]:
    """Yield how the values of a file are unlike those of earlier ones, in words.

    Args:
        contract: The source's contract.
        now: What ``find_shapes`` found in the file.
        before: What it found in earlier ones.
        least: Earlier files that must have a column, so that something usual can be told of it.
    """
    known = {
        name: [shapes[name] for shapes in before if name in shapes]
        for name in now
        if name in contract.columns
    }
    names = [name for name, shapes in known.items() if len(shapes) >= least]
    usual = {name: _usual_mix(known[name]) for name in names if _family(contract, name) == "text"}
    swapped: set[str] = set()
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            if _family(contract, one) == _family(contract, other) and _is_swapped(
                (now[one], now[other]),
                (known[one], known[other]),
                (usual.get(one), usual.get(other)),
            ):
                swapped |= {one, other}
                yield (
                    f"{one} holds what {other} held in {len(known[one])} files before, and the "
                    "other way round: two columns may have changed places under the old header"
                )
    for name in names:
        if name in swapped or name in contract.load.key:
            continue
        if _family(contract, name) == "number":
            yield from _changed_unit(name, now[name], known[name])
        elif _family(contract, name) == "text":
            yield from _changed_writing(name, now[name], known[name], usual[name])


def _family(contract: SourceContract, name: str) -> str:
    kind = contract.columns[name].type
    return "number" if kind in _NUMBERS else "moment" if kind in _MOMENTS else kind


def _is_swapped(
    now: tuple[Shape, Shape],
    before: tuple[Sequence[Shape], Sequence[Shape]],
    usual: tuple[Shape | None, Shape | None],
) -> bool:
    """Return whether something says that two columns changed places, and nothing that not."""
    one, other = now
    said = [
        _scalar_says(one[key], other[key], _range(before[0], key), _range(before[1], key), key)
        for key in (_MIDDLE, _LENGTH, _DISTINCT)
        if key in one and key in other
    ]
    said.append(_mix_says(one, other, *usual))
    return True in said and False not in said


def _scalar_says(one: float, other: float, own: Range, its: Range, key: str) -> bool | None:
    """Return whether two figures changed places; None if the columns cannot be told apart by it."""
    gap = max(own[0], its[0]) - min(own[1], its[1])
    largest = max(map(abs, (*own, *its)))
    least = _LEAST_GAPS.get(key, _LEAST_SHARE_OF_MIDDLE * largest)
    if gap <= 0 or gap < least or gap < (own[1] - own[0]) + (its[1] - its[0]):
        return None
    return _off(one, its) <= gap / 4 and _off(other, own) <= gap / 4


def _mix_says(one: Shape, other: Shape, own: Shape | None, its: Shape | None) -> bool | None:
    if own is None or its is None or _apart(own, its) < _OTHER:
        return None
    return _apart(_mix(one), its) <= _SAME and _apart(_mix(other), own) <= _SAME


def _changed_unit(name: str, now: Shape, before: Sequence[Shape]) -> Iterator[str]:
    low, high = _range(before, _MIDDLE)
    middle, sizes = abs(now[_MIDDLE]), sorted((abs(low), abs(high)))
    if middle > _TIMES * sizes[1] > 0 or 0 < _TIMES * middle < sizes[0]:
        yield (
            f"the middle value of {name} is {now[_MIDDLE]:g}; in {len(before)} files before it "
            f"was {low:g} to {high:g}: look whether its unit has changed"
        )


def _changed_writing(
    name: str, now: Shape, before: Sequence[Shape], usual: Shape | None
) -> Iterator[str]:
    mix = _mix(now)
    if usual is not None and all(_apart(mix, _mix(shape)) >= _OTHER for shape in before):
        yield (
            f"{name} is mostly written in {_told(mix)}; in {len(before)} files before it was in "
            f"{_told(usual)}: look whether another column stands in its place"
        )


def _told(mix: Shape) -> str:
    """Return the commonest mix of characters in words."""
    kinds = max(sorted(mix), key=lambda kind: mix[kind], default="")
    named = [words for kind, words in _KINDS.items() if kind in kinds]
    marks = [repr(c) for c in kinds if c not in _KINDS and c.isascii() and c.isprintable()]
    return ", ".join([*named, *marks]) or "other characters"


def _range(shapes: Sequence[Shape], key: str) -> Range:
    """Return the range of a figure, without its extremes once there are many: one may be wrong."""
    values = sorted(shape[key] for shape in shapes if key in shape)
    if len(values) >= _TRIMMED_FROM:
        values = values[1:-1]
    return (values[0], values[-1]) if values else (0.0, 0.0)


def _off(value: float, within: Range) -> float:
    return max(0.0, within[0] - value, value - within[1])


def _mix(shape: Shape) -> dict[str, float]:
    start = len(_CHARACTERS)
    return {key[start:]: share for key, share in shape.items() if key.startswith(_CHARACTERS)}


def _usual_mix(shapes: Sequence[Shape]) -> dict[str, float] | None:
    """Return the mix of earlier files; None if they are unlike each other, as of free text."""
    mixes = [_mix(shape) for shape in shapes]
    kinds = sorted({kind for mix in mixes for kind in mix})
    usual = {kind: median(mix.get(kind, 0.0) for mix in mixes) for kind in kinds}
    return usual if median(_apart(mix, usual) for mix in mixes) <= _STEADY else None


def _apart(one: Shape, other: Shape) -> float:
    """Return how far two mixes are apart: 0 if they are the same, 1 if they share nothing."""
    kinds = sorted({*one, *other})
    return 1.0 - sum(min(one.get(kind, 0.0), other.get(kind, 0.0)) for kind in kinds)
