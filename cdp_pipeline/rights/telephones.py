"""Whether digits that end like somebody's telephone number are that number."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable

from cdp_pipeline.rights.coincidence import PHONE_DIGITS

LONGEST = 15
"""Digits of a telephone number with its country (ITU-T E.164)."""

_CODES = 5
"""Most digits of an exit code (011, without its zero) and a country's code."""

_IN_ID = frozenset(b"0123456789abcdef-")
_ID = re.compile(rb"[0-9a-f]{16,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Telephones:
    """Telephone numbers as they were written, and what looks like them and is none."""

    def __init__(self, phones: Iterable[str], others: Iterable[str], joiners: bytes) -> None:
        """Note the numbers.

        Args:
            phones: Digits, with whatever stood before the last nine.
            others: Numbers of others that end like one of these, or begin like one and go on.
            joiners: Bytes that stand between the digits of a number.
        """
        self._heads: dict[bytes, set[bytes]] = defaultdict(set)
        for phone in phones:
            tail, head = phone[-PHONE_DIGITS:].encode(), phone[:-PHONE_DIGITS].encode()
            self._heads[tail] |= {_without_zeros(head)} if head else set()
        self._others = {
            match[0]
            for text in others
            if (match := re.search(rb"[0-9]+$", text.encode().translate(None, joiners)))
        }

        self._rests = self._find_rests()

    def _find_rests(self) -> dict[bytes, set[bytes]]:
        """Return by what others' numbers go on behind one of these, trunk codes' zeros left out."""
        cores = {tail.lstrip(b"0") for tail in self._heads} - {b""}
        rests: dict[bytes, set[bytes]] = defaultdict(set)
        for size in sorted({len(core) for core in cores}):
            for other in self._others:
                for at in range(len(other) - size):
                    if other[at : at + size] in cores:
                        rests[other[at : at + size]].add(other[at + size :])
        return dict(rests)

    def rests(self, tail: bytes) -> Collection[bytes]:
        """Return the digits with which numbers of others go on behind one of these.

        Args:
            tail: One of ``tails``.
        """
        return self._rests.get(tail.lstrip(b"0"), ())

    @property
    def tails(self) -> frozenset[bytes]:
        """Last nine digits of each number, or all of a shorter one."""
        return frozenset(self._heads)

    def first_spelt(self, run: bytes, tail: bytes, start: int, groups: Iterable[int]) -> int | None:
        """Return where a number begins in a run of digits: at its start or that of a group.

        Args:
            run: All digits that stand together, joiners left out.
            tail: One of ``tails``, with which it ends.
            start: Place of the run's first digit.
            groups: Later places at which written groups of digits begin, in order.

        Returns:
            A place; None if the run is no spelling of it, or is a number of somebody else.
        """
        if run in self._others:
            return None
        places = (start, *groups)
        return next((at for at in places if self.is_spelt(run[at - start :], tail)), None)

    def is_spelt(self, run: bytes, tail: bytes) -> bool:
        """Return whether a run of digits is a spelling of a number with these last digits.

        What stands before them are its own first digits, perhaps after the code of a country: a
        moment in seconds since 1970 only ends like it.

        Args:
            run: All digits that stand together, joiners left out.
            tail: One of ``tails``, with which it ends.
        """
        if len(run) > LONGEST or run in self._others:
            return False
        told = _without_zeros(run[: len(run) - len(tail)])
        heads = self._heads[tail]
        return not heads or any(
            head.endswith(told) or (told.endswith(head) and len(told) <= len(head) + _CODES)
            for head in heads
        )


def is_in_id(text: bytes, start: int, end: int) -> bool:
    """Return whether digits are part of a hash or UUID, which hold any digits by chance.

    >>> is_in_id(b"e4d909c290d0fb1ca068ffaddf22cbd0", 3, 9)
    True
    >>> is_in_id(b"call 07700900123", 5, 16)
    False
    """
    while start and text[start - 1] in _IN_ID:
        start -= 1
    while end < len(text) and text[end] in _IN_ID:
        end += 1
    token = text[start:end]
    return _ID.fullmatch(token) is not None and not token.isdigit()


def _without_zeros(digits: bytes) -> bytes:
    """Return digits without exit and trunk codes' zeros: ``0044 (0)7`` and ``+44 7`` are alike."""
    return digits.replace(b"0", b"")
