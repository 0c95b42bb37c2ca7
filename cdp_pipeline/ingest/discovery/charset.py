"""Which encoding a text is written in, by a strict ladder: marks, zero bytes, UTF-8, then likeness.

UTF-8 proves itself; other encodings never do, so such a finding is always said to be a guess.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from itertools import pairwise

from cdp_pipeline.ingest.mixed_lines import mend_lines
from cdp_pipeline.storage.encodings import SURE, likeliest, words_of

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_MANY_ZEROS = 0.2
_FILLING = 8
_FEWEST_BYTES = 8
_FEW_LINES = 4
_MOST_RUNS = 0.7
_MOSTLY_PLAIN = 0.6
_ASCII = frozenset(b"0123456789\n")
_EBCDIC = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ".encode("cp037")
)
_ENOUGH = 1 << 20


@dataclass(frozen=True)
class Charset:
    """An encoding and why it was chosen.

    Attributes:
        name: Name for ``encoding:``.
        note: What people should know about the choice; empty if nothing is in doubt.
        fallback: Encoding of the lines that are not UTF-8, for ``fallback_encoding:``.
    """

    name: str
    note: str = ""
    fallback: str = ""


def find_charset(head: bytes) -> Charset:
    """Return the encoding of a text, from its first bytes."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Charset(name)
    whole = head.rstrip(b"\0")  # what a crash fills up is not the other half of letters
    start = (head if len(head) - len(whole) < _FILLING else whole)[:4096]
    if _is_ebcdic(start):
        return Charset("cp037", "EBCDIC of a mainframe; look at letters with accents")
    wide = _widest(start) or _wide(start)
    if wide:
        return Charset(wide, "no byte order mark; told by its zero bytes")
    if _is_utf8(head):
        return Charset("utf-8")
    lines = [line for line in head[:_ENOUGH].split(b"\n") if not line.isascii()]
    broken = [line for line in lines if not _is_utf8(line)]
    if (len(lines) - len(broken)) * _FEW_LINES >= len(broken):
        return _mixed(broken)
    name, _ = likeliest(words_of(broken))
    return Charset(name, "a guess by the look of its letters; look at names with accents")


def _mixed(broken: list[bytes]) -> Charset:
    """Return UTF-8, and the encoding of lines that are not, if it shows in their letters."""
    count, text = len(broken), b"\n".join(broken)
    name, share = likeliest(words_of(broken))
    if count == 1 or share < SURE or _is_run_on(text):  # a single one may as well be damaged
        return Charset("utf-8", f"{count} lines of the sample are not, and are set aside")
    note = f"{count} lines of the sample are not; that they are {name} is a guess by their letters"
    return Charset("utf-8", note, name)


def _is_ebcdic(head: bytes) -> bool:
    """Return whether a text has the letters, digits and blanks of EBCDIC, and none of ASCII."""
    if not head or any(byte in _ASCII for byte in head):
        return False
    return sum(byte in _EBCDIC for byte in head) >= _MOSTLY_PLAIN * len(head)


def _widest(head: bytes) -> str:
    """Return UTF-32 in either order if three bytes of four are mostly zero."""
    if len(head) < _FEWEST_BYTES:
        return ""
    zeros = [head[at::4].count(0) * 4 >= (len(head) - 3) * SURE for at in range(4)]
    if sum(zeros) < 3 or zeros[1:3] != [True, True]:  # noqa: PLR2004 - three of four
        return ""
    return "utf-32-be" if zeros[0] else "utf-32-le"


def _wide(head: bytes) -> str:
    """Return UTF-16 in either order if every other byte is mostly zero."""
    if not head:
        return ""
    even, odd = head[0::2].count(0) / len(head), head[1::2].count(0) / len(head)
    if max(even, odd) < _MANY_ZEROS or min(even, odd) > _MANY_ZEROS / 2:
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _is_utf8(text: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")("strict").decode(text, final=False)
    except UnicodeDecodeError:
        return False
    return True


def _is_run_on(text: bytes) -> bool:
    """Return whether letters beyond ASCII stand side by side, as in no language of Latin script."""
    odd = [at for at, byte in enumerate(text[:_ENOUGH]) if byte > 0x7F]  # noqa: PLR2004 - ASCII
    pairs = sum(1 for one, other in pairwise(odd) if other == one + 1)
    return pairs >= _MOST_RUNS * len(odd)


def decode(text: bytes, charset: Charset) -> str:
    """Return bytes as text; what cannot be decoded is replaced."""
    name = "utf-8-sig" if charset.name == "utf-8" else charset.name
    if charset.fallback:
        text, _ = mend_lines(text, charset.fallback)
    return text.decode(name, "replace")
