"""Finding people's names in bytes: a given and a family name beside each other, in either order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np

from cdp_pipeline.rights.prefixes import ALNUM, Prefixes, WordStarts
from cdp_pipeline.rights.spellings import APOSTROPHES, byte_forms, open_signs

Name = tuple[str, str]
"""Given and family name, in lower case."""

MAILBOX = ALNUM | frozenset(b"._+-")
_GAP = 24
_BETWEEN = re.compile(rb"(?:<[^<>]{0,16}>\s*|&(?:nbsp|#160);|\xc2?\xa0|[ \t,;:|\"'/\\&#\0+])+")
"""What may stand between two names of one person: the end of a line only in HTML.

Blanks may be such at which no line is broken, and a plus in a URL.
"""

_URL_BLANK = b"   "
_NESTED_BLANK = b"     "
"""What a blank of a URL, and of one within another, is read as: as long, so that places stay."""
_BLANKS = (b" ", _URL_BLANK, _NESTED_BLANK, b"+", b"+++")
"""How a blank within a name may stand in bytes; a form's plus may be a part of another URL, too."""

_WHOLE = 8
"""Names that are shorter are told by all their letters, and by what stands behind them."""

_JOINED = np.array([byte in ALNUM | {ord("@")} for byte in range(256)])
"""What makes a name a part of a longer word or of an address if it stands behind it."""

_OPENING = frozenset(b"< \t,;:|\"'/\\&#\0+\xc2\xa0")
_CLOSING = _OPENING - frozenset(b"<\xc2") | frozenset(b">\n\r\v\f")
"""What that may begin and end with."""


class Names:
    """Looks for the names of many people in bytes.

    The longer of a person's two names is looked for; the other is wanted beside it.
    """

    def __init__(self, names: Iterable[Name]) -> None:
        """Prepare the search."""
        self._beside: dict[bytes, list[tuple[bytes, Name]]] = {}
        for name in sorted(names):
            for pair in sorted(_forms(name)):
                other, anchor = sorted(pair, key=lambda part: (len(part), part))
                self._beside.setdefault(anchor, []).append((other, name))
        others = {other for found in self._beside.values() for other, _ in found}
        self.openings = {part[:2] for part in (*self._beside, *others)}
        self._starts = WordStarts(self._beside)
        sizes = {min(len(anchor), _WHOLE) for anchor in self._beside} - {0}
        shortest = min(sizes, default=1)
        self._beginnings = Prefixes((a[:shortest] for a in self._beside), size=shortest)
        self._anchors = {
            size: Prefixes((a for a in self._beside if min(len(a), _WHOLE) == size), size=size)
            for size in sorted(sizes)
        }

    def find(self, plain: bytes) -> Iterator[tuple[int, int, Name]]:
        """Yield start, end and name of whoever is named in a text of lower-case bytes."""
        if not self._anchors:
            return
        if b"%" in plain:  # one byte is found sooner than three
            plain = plain.replace(b"%20", _URL_BLANK).replace(b"%2520", _NESTED_BLANK)
            plain = plain.replace(b"%2b", b"+++")
        places = self._beginnings.likely(self._starts.places(plain))
        for size, anchors in self._anchors.items():
            ended = places.not_before(size, _JOINED) if size < _WHOLE else places
            for start, anchor in anchors.candidates(plain, ended):
                end = start + len(anchor)
                is_followed = end < len(plain) and plain[end] in _OPENING
                is_preceded = start > 0 and plain[start - 1] in _CLOSING
                if not (is_followed or is_preceded):  # as in most addresses
                    continue
                for other, name in self._beside[anchor]:
                    span = _after(plain, other, end) if is_followed else None
                    if span and _stands_alone(plain, start, span[1]):
                        yield start, span[1], name
                    span = _before(plain, other, start) if is_preceded else None
                    if span and _stands_alone(plain, span[0], end):
                        yield span[0], end, name


def _forms(name: Name) -> set[tuple[bytes, bytes]]:
    """Return both parts of a name as they may stand in bytes whose escaped signs are opened."""
    forms = set(zip(*map(byte_forms, name), strict=True))
    pairs = {(open_signs(a), open_signs(b)) for a, b in forms}
    for sign, written in ((" ", _BLANKS), ("'", APOSTROPHES)):
        if any(sign in part for part in name):
            plain = sign.encode()
            pairs = {
                (a.replace(plain, form), b.replace(plain, form))
                for a, b in pairs
                for form in written
            }
    return pairs


def _after(plain: bytes, other: bytes, end: int) -> tuple[int, int] | None:
    """Return where a name stands shortly after a place."""
    place = plain.find(other, end, end + _GAP + len(other))
    is_near = place > end and _BETWEEN.fullmatch(plain, end, place)
    return (place, place + len(other)) if is_near else None


def _before(plain: bytes, other: bytes, start: int) -> tuple[int, int] | None:
    """Return where a name stands shortly before a place."""
    place = plain.rfind(other, max(0, start - _GAP - len(other)), start)
    is_near = place >= 0 and _BETWEEN.fullmatch(plain, place + len(other), start)
    return (place, place + len(other)) if is_near else None


def _stands_alone(plain: bytes, start: int, end: int) -> bool:
    """Return whether a name is no part of a longer word or of an address."""
    return (start == 0 or plain[start - 1] not in MAILBOX) and (
        end >= len(plain) or not _JOINED[plain[end]]
    )
