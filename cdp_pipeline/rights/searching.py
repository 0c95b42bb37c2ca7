"""Finding traces of people in bytes, at a cost that does not grow with the number of people.

Telephone numbers are looked for in the bytes without blanks, brackets and dashes. What to look
for is made in ``traces``; where to look is decided in ``scan`` and ``files``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt

from cdp_pipeline.rights.names import MAILBOX, Names
from cdp_pipeline.rights.prefixes import (
    ALNUM,
    LONGEST_PREFIX,
    Places,
    Prefixes,
    WordStarts,
    runs_of,
)
from cdp_pipeline.rights.spellings import (
    APOSTROPHES,
    byte_forms,
    lower_ascii,
    open_signs,
)
from cdp_pipeline.rights.telephones import LONGEST, Telephones, is_in_id
from cdp_pipeline.rights.traces import Traces

_LONG_BEGINNING = 8
"""Bytes by which longer texts are recognised: five begin the addresses of too many people."""
_PHONE_SIZE = 7
_WINDOW = 1 << 19
"""Bytes that are searched at a time: what is made of them stays in a core's second cache."""
_MARGIN = 1 << 12
"""Bytes around them that are looked at too; no trace is longer."""

SEPARATOR = "\x01"
"""Stands between texts that are searched together; no trace goes over it."""
_BEHIND_BACKSLASH = re.compile(rb"\\(?=([nrt].))")
"""How a word begins that may also be a line's end or a tab, and a word that lacks a letter."""
_AT_SIGNS = (b"@", b"%40", b"%2540")
_DIGITS = frozenset(b"0123456789")
_IS_DIGIT = bytes(byte in _DIGITS for byte in range(256))
_JOINER_BYTES = b" ().-/"
_APART = frozenset(b" (/")
"""Joiners behind which another number may begin; behind a point only decimals do."""
_JOINERS = np.zeros(256, dtype=bool)
_JOINERS[list(_JOINER_BYTES)] = True

Span = tuple[str, int, int]
"""Kind (word, phone, number or name), start and end in bytes."""


class Searcher:
    """Looks for the traces of people in bytes."""

    def __init__(self, traces: Traces) -> None:
        """Prepare the search."""
        self._numbers = frozenset(number.encode() for number in traces.numbers)
        forms = {form for word in traces.words for form in byte_forms(word)}
        words = set(map(open_signs, forms))
        words |= {w.replace(b"'", form) for w in words if b"'" in w for form in APOSTROPHES}
        texts = {*words, *self._numbers}
        long = {text for text in texts if len(text) >= _LONG_BEGINNING}
        self._texts = [
            Prefixes(long, size=_LONG_BEGINNING),
            Prefixes(texts - long, size=LONGEST_PREFIX),
        ]
        self._starts = WordStarts(words, padded=self._numbers)
        self._telephones = Telephones(traces.phones, traces.others, _JOINER_BYTES)
        phones = self._telephones.tails
        self._phones = {
            length: Prefixes((p for p in phones if len(p) == length), size=min(length, _PHONE_SIZE))
            for length in sorted({len(phone) for phone in phones})
        }
        self._names = Names(traces.names)
        self._openings = {text[:2] for text in texts} | self._names.openings

    def kinds(self, text: str | bytes, *, shortest: int = 0) -> set[str]:
        """Return which kinds of traces a text holds.

        Args:
            text: What is searched.
            shortest: Shorter traces, in bytes, are none.
        """
        return {kind for kind, start, end in self.spans(text) if end - start >= shortest}

    def spans(self, text: str | bytes) -> Iterator[Span]:
        """Yield every trace in a text."""
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        for start in range(0, len(data), _WINDOW):
            before = max(0, start - _MARGIN)
            plain = lower_ascii(data[before : start + _WINDOW + _MARGIN])
            for kind, first, last in chain(self._find(open_signs(plain)), self._find_again(plain)):
                if start <= before + first < start + _WINDOW:
                    yield kind, before + first, before + last

    def hits(self, values: Sequence[str]) -> list[bool]:
        """Return which of many texts hold a trace."""
        parts = [value.encode("utf-8", "surrogateescape") for value in values]
        ends = np.cumsum([len(part) + len(SEPARATOR) for part in parts])
        found = [False] * len(parts)
        for _, start, _ in self.spans(SEPARATOR.encode().join(parts)):
            found[int(np.searchsorted(ends, start, side="right"))] = True
        return found

    def _find_again(self, plain: bytes) -> Iterator[Span]:
        r"""Yield every trace around what is read in two ways: ``\\natalie`` may be two things.

        Packed bytes hold a few such places by chance: they need not be searched twice for them.
        """
        if b"\\" not in plain:
            return
        places = [
            found.start()
            for found in _BEHIND_BACKSLASH.finditer(plain)
            if found[1] in self._openings
        ]
        for first, last in _grouped(places, _MARGIN):
            begin, end = max(0, first - _MARGIN), last + _MARGIN
            before = max(0, begin - _MARGIN)
            opened = open_signs(plain[before : end + _MARGIN], has_letters=False)
            for kind, start, stop in self._find(opened):
                if begin <= before + start < end:
                    yield kind, before + start, before + stop

    def _find(self, plain: bytes) -> Iterator[Span]:
        """Yield every trace in bytes in lower case."""
        yield from self._find_words(plain)
        yield from self._find_phones(plain)
        yield from (("name", start, end) for start, end, _ in self._names.find(plain))

    def _find_words(self, plain: bytes) -> Iterator[Span]:
        places = self._starts.places(plain)
        for place, text in chain(*(texts.candidates(plain, places) for texts in self._texts)):
            start, end = place, place + len(text)
            if text in self._numbers:
                while start and plain[start - 1 : start] == b"0":
                    start -= 1
            inner = MAILBOX if any(at in text for at in _AT_SIGNS) else ALNUM
            if (start == 0 or plain[start - 1] not in inner) and (
                end == len(plain) or plain[end] not in ALNUM
            ):
                yield ("number" if text in self._numbers else "word"), start, end

    def _find_phones(self, plain: bytes) -> Iterator[Span]:
        if not self._phones:
            return
        squeezed = plain.translate(None, _JOINER_BYTES)
        is_digit = np.frombuffer(squeezed.translate(_IS_DIGIT), dtype=np.uint8)
        shortest = min(self._phones)  # what has fewer digits than that is none
        ends = np.flatnonzero(runs_of(is_digit, shortest).view(np.bool_)) + shortest
        kept: npt.NDArray[np.intp] | None = None
        for length, phones in self._phones.items():
            places = Places.of(squeezed, ends[ends >= length] - length)
            for place, tail in phones.candidates(squeezed, places):
                end, start = place + length, place
                while start and squeezed[start - 1] in _DIGITS and end - start <= LONGEST:
                    start -= 1
                if kept is None:  # most texts hold nobody's number
                    kept = np.flatnonzero(~_JOINERS[np.frombuffer(plain, dtype=np.uint8)])
                # Behind a blank another may begin: "07700 900123 12 High Street".
                if not _is_end(squeezed, plain, kept, end):
                    continue
                if any(
                    squeezed.startswith(rest, end)
                    and _is_end(squeezed, plain, kept, end + len(rest))
                    for rest in self._telephones.rests(tail)
                ):  # it is the extension of somebody else
                    continue
                # "Ring at 5 07700 900123": other digits may stand before a number.
                groups = (
                    at
                    for at in range(start + 1, place + 1)
                    if not _APART.isdisjoint(plain[int(kept[at - 1]) + 1 : int(kept[at])])
                )
                begin = self._telephones.first_spelt(squeezed[start:end], tail, start, groups)
                if begin is None:
                    continue
                start = begin
                first, last = int(kept[start]), int(kept[end - 1]) + 1
                if not is_in_id(plain, first, last):
                    yield "phone", first, last


def _grouped(places: Sequence[int], gap: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of ascending places that lie less than a gap apart."""
    begins = [at for at, place in enumerate(places) if not at or place - places[at - 1] >= gap]
    for begin, end in pairwise([*begins, len(places)]):
        yield places[begin], places[end - 1]


def _is_end(squeezed: bytes, plain: bytes, kept: npt.NDArray[np.intp], end: int) -> bool:
    """Return whether a number may end at a place: no digit follows, or one behind a blank."""
    return not squeezed[end : end + 1].isdigit() or not _APART.isdisjoint(
        plain[int(kept[end - 1]) + 1 : int(kept[end])]
    )
