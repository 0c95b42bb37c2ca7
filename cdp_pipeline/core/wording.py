"""Counts in sentences that people read. Only grammar belongs here, no layout and no locale."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a count with its noun, which takes an s unless there is one of it.

    >>> counted(1, "customer"), counted(1_200, "basket")
    ('1 customer', '1,200 baskets')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
