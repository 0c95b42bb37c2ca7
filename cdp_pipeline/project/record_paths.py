"""Paths into nested records, as the ``from:`` of a column spells them.

``customer.email`` descends; ``items[0].sku`` takes one element, ``items[].sku`` makes a row of
each, ``orders[].items[].sku`` of each element of each; ``tags[key=page].value`` takes the element
whose ``key`` is ``page``. A step in double quotes may hold dots. Paths are only taken apart here:
how to read them is the readers' business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_ARRAYS = 2
"""Arrays, one within another, whose elements may become rows."""

_STEP = re.compile(
    r'(?P<name>"[^"]+"|[^.\[\]"]+)'
    r"(?:\[(?:(?P<index>-?\d+)|(?P<key>[^\[\]=]+)=(?P<value>[^\[\]]*)|(?P<each>))\])?"
    r"(?:\.|$)"
)


@dataclass(frozen=True)
class Step:
    """One step of a path.

    Attributes:
        name: Key or element; ``@name`` is an attribute in XML.
        index: Element of an array, from 0; negative from its end.
        selector: Key and value that tell the wanted element of an array.
        is_each: Whether every element becomes a row.
    """

    name: str
    index: int | None = None
    selector: tuple[str, str] | None = None
    is_each: bool = False


def parse_path(text: str) -> tuple[Step, ...]:
    """Return the steps of a path.

    Raises:
        ValueError: It is no path; says how one looks.

    >>> [step.name for step in parse_path('customer."e.mail"')]
    ['customer', 'e.mail']
    """
    steps: list[Step] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            break
        key = match["key"]
        steps.append(
            Step(
                match["name"].strip('"'),
                index=None if match["index"] is None else int(match["index"]),
                selector=None if key is None else (key.strip(), match["value"].strip()),
                is_each=match["each"] is not None,
            )
        )
        position = match.end()
    if sum(step.is_each for step in steps) > MOST_ARRAYS:
        message = f"{text!r} goes into more than {MOST_ARRAYS} arrays, one within another"
        raise ValueError(message)
    if not steps or position < len(text) or text.endswith("."):
        message = f"{text!r} is no path; write a.b, a[0].b, a[].b or a[key=x].b"
        raise ValueError(message)
    return tuple(steps)


def array_of(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps up to and with the last array whose elements become rows; none without."""
    ends = [position for position, step in enumerate(steps, 1) if step.is_each]
    return steps[: ends[-1]] if ends else ()


def array_parts(steps: tuple[Step, ...]) -> list[tuple[Step, ...]]:
    """Return the steps to each array whose elements become rows, from the one before.

    >>> [[step.name for step in part] for part in array_parts(parse_path("a.b[].c[].d"))]
    [['a', 'b'], ['c']]
    """
    parts: list[tuple[Step, ...]] = []
    start = 0
    for end, step in enumerate(steps, 1):
        if step.is_each:
            parts.append(steps[start:end])
            start = end
    return parts
