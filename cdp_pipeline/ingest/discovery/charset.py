"""Which encoding a text is written in, by a strict ladder: marks, zero bytes, UTF-8, then likeness.

UTF-8 proves itself; single-byte encodings never do, so such a finding is always said to be a
guess. Scripts other than Latin are told apart by charset-normalizer.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from itertools import pairwise

from charset_normalizer import from_bytes

from cdp_pipeline.ingest.mixed_lines import mend_lines

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_WESTERN = frozenset(
    "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßœšžÀÁÂÄÅÆÇÈÉÊËÍÎÏÑÓÔÖØÙÚÜŒŠŽ€£¥°§²³½¼\u2013—…\u2018\u2019“”„•«»®©™\u00a0"
)
_EASTERN = frozenset(
    "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňřšťúůýžÁČĎÉĚÍŇŘŠŤÚŮÝŽőűŐŰăâîșțşţđäöüß€\u2013„”\u2019\u00a0"
)
_LATIN = (("cp1252", _WESTERN), ("cp850", _WESTERN), ("mac-roman", _WESTERN), ("cp1250", _EASTERN))
_OTHERS = ["cp1251", "koi8_r", "cp1253", "cp1254", "cp932", "gb18030", "big5", "cp949", "cp866"]
_WIDE = (
    ("cp932", "euc_jp", (0xB0, 0xCF)),
    ("euc-jp", "euc_jp", (0xB0, 0xCF)),
    ("gb18030", "gb2312", (0xB0, 0xD7)),
    ("big5", "big5", (0xA4, 0xC6)),
    ("cp949", "euc_kr", (0xB0, 0xC8)),
)
"""Encodings of East Asia: with the code that puts the commonest signs into certain rows, and them.

Read in the wrong one, a text turns into rare signs.
"""
_COMMON_ROWS = (0xA1, 0xA5)
_SURE, _TIE = 0.9, 0.02
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
    return _single_byte(b"\n".join(broken))


def _mixed(broken: list[bytes]) -> Charset:
    """Return UTF-8, and the encoding of lines that are not, if it shows in their letters."""
    count, text = len(broken), b"\n".join(broken)
    name, share = _likest(text)
    if count == 1 or share < _SURE or _is_run_on(text):  # a single one may as well be damaged
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
    zeros = [head[at::4].count(0) * 4 >= (len(head) - 3) * _SURE for at in range(4)]
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


def _single_byte(text: bytes) -> Charset:
    name, share = _likest(text)
    if wide := _east_asian(text):
        name = wide
    elif share < _SURE or _is_run_on(text):
        match = from_bytes(text, cp_isolation=_OTHERS).best()
        name = match.encoding.replace("_", "-") if match else name
    return Charset(name, "a guess by the look of its letters; look at names with accents")


def _likest(text: bytes) -> tuple[str, float]:
    """Return the Latin encoding in which most letters are ones that people write."""
    shares = {name: _likeness(text, name, letters) for name, letters in _LATIN}
    return max(shares.items(), key=lambda item: item[1])


def _east_asian(text: bytes) -> str:
    """Return the encoding in which nearly all signs are common ones; empty if there is none."""
    if not _is_run_on(text):
        return ""
    shares = {name: _common_share(text, name, code, rows) for name, code, rows in _WIDE}
    best = max(shares.values())
    likely = [name for name, share in shares.items() if share >= max(_SURE, best - _TIE)]
    if len(likely) < 2:  # noqa: PLR2004 - one is sure
        return next(iter(likely), "")
    match = from_bytes(text, cp_isolation=likely).best()
    return match.encoding.replace("_", "-") if match else likely[0]


def _common_share(text: bytes, encoding: str, code: str, rows: tuple[int, int]) -> float:
    try:
        signs = [sign for sign in text.decode(encoding) if not sign.isascii()]
    except UnicodeDecodeError:
        return 0.0
    written = [sign.encode(code, "ignore") for sign in signs]  # rare ones: not at all, or at length
    common = sum(
        len(pair) == 2 and any(low <= pair[0] <= high for low, high in (rows, _COMMON_ROWS))  # noqa: PLR2004 - bytes
        for pair in written
    )
    return common / len(signs) if signs else 0.0


def _is_run_on(text: bytes) -> bool:
    """Return whether letters beyond ASCII stand side by side, as in no language of Latin script."""
    odd = [at for at, byte in enumerate(text[:_ENOUGH]) if byte > 0x7F]  # noqa: PLR2004 - ASCII
    pairs = sum(1 for one, other in pairwise(odd) if other == one + 1)
    return pairs >= _MOST_RUNS * len(odd)


def _likeness(text: bytes, encoding: str, letters: frozenset[str]) -> float:
    """Return the share of non-ASCII characters that people write, if it can be decoded."""
    try:
        decoded = text.decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    odd = [c for c in decoded if not c.isascii()]
    return sum(c in letters for c in odd) / len(odd) if odd else 0.0


def decode(text: bytes, charset: Charset) -> str:
    """Return bytes as text; what cannot be decoded is replaced."""
    name = "utf-8-sig" if charset.name == "utf-8" else charset.name
    if charset.fallback:
        text, _ = mend_lines(text, charset.fallback)
    return text.decode(name, "replace")
