"""In which encoding a file of texts was written, told by the letters that its bytes would make.

No byte says it: 0xFE is *þ* to Western Europe and *ş* to Turkey. But texts are written with the
letters of one language, nearly always. Each encoding is tried, and the one in which most letters
beyond a to z belong to one language of its own is believed; of several the first.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

UTF_8 = "utf-8"
WIDE = "utf-16"
PLAIN = "latin-1"

_ASCII = "\x7f"
_CHUNK_BYTES = 16_777_216
_SAMPLE_BYTES = 65_536

_ALPHABETS: dict[str, tuple[str, ...]] = {
    "cp1252": (
        "äöüßé", "àâçéèêëîïôùûüÿœæ", "áéíñóúüºª", "áâãàçéêíóôõúºª", "àèéìòù", "åäöæøé",
        "áðéíóúýþæö", "éëïèöü", "àçéèíïóòúü",
    ),
    "cp1250": (
        "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž",
        "ăâîşţ",
    ),
    "cp1254": ("ğışçöüâîûi",),  # noqa: RUF001 - Turkish
    "cp1255": ("אבגדהוזחטיךכלםמןנסעףפץצקרשת",),
    "cp1251": ("абвгдеёжзийклмнопрстуфхцчшщъыьэюяєіїґўјљњћџ",),
    "cp1253": ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",),
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž", "äöüõšž"),
    "koi8-r": ("абвгдеёжзийклмнопрстуфхцчшщъыьэюя",),
    "cp852": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áéíóöőúüű"),
    "cp850": ("äöüßé", "àâçéèêëîïôùûü", "áéíñóúü"),
    "cp1256": ("ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيپچژگ",),
    "cp874": ("".join(map(chr, range(0x0E01, 0x0E5C))),),
}  # fmt: skip
"""Encodings of one byte a letter, each with the small letters of its languages beyond a to z.

Hebrew comes before Russian: it has no capitals, so what is Russian is seldom Hebrew as well.
Thai has a letter for almost every byte, so it comes last."""

_OTHER_SCRIPTS = frozenset({"cp1251", "cp1253", "cp1255", "cp1256", "cp874", "koi8-r"})
"""Encodings of alphabets that do not mix with Latin letters within a word."""

_MARKS = "\xa0°·§«»´‘’“”–—…€"  # noqa: RUF001 - the marks themselves
"""Marks that stand beside letters in any language."""

_MIXED = 0.93
"""What a letter counts that belongs to another language of the encoding than most do."""

_COMMON_LEADS = {
    "cp949": ("euc-kr", range(0xB0, 0xC9)),
    "gb18030": ("gb2312", range(0xB0, 0xD8)),
    "big5": ("big5", range(0xA4, 0xC7)),
    "cp932": ("shift-jis", range(0x82, 0x98)),
}
"""Encodings of two bytes a character: the first bytes of everyday characters, in a stricter one.

Korean comes first, as its everyday syllables would make everyday Chinese, but not the other way."""

_LEAST = 0.6
"""Share of letters that must make sense, or the file is taken for a Western one."""


def find_encoding(path: Path) -> str:
    """Return the name of the encoding of a text file, as Python knows it.

    Returns:
        ``latin-1`` only where no byte tells it from ``cp1252``.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return WIDE
    if _is_utf8(path):
        return UTF_8
    return _encoding_of(_high_words(path))


def read_as_utf8(path: Path, encoding: str) -> Iterator[bytes]:
    """Yield a file in UTF-8; a byte that is no letter becomes a mark that says so.

    Raises:
        UnicodeError: UTF-16 ends amid a character.
    """
    errors = "strict" if encoding in {WIDE, UTF_8} else "replace"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", final=True).encode()


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder(UTF_8)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _high_words(path: Path) -> bytes:
    """Return the words with bytes beyond ASCII, from the start of a file, one a line."""
    found: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        for line in file:
            if line.isascii():
                continue
            words = re.findall(rb"[A-Za-z@-~\x80-\xff]*[\x80-\xff][A-Za-z@-~\x80-\xff]*", line)
            found += words
            size += sum(map(len, words))
            if size >= _SAMPLE_BYTES:
                break
    return b"\n".join(found)


def _encoding_of(sample: bytes) -> str:
    scores = {name: _double_score(sample, name) for name in _COMMON_LEADS}
    scores |= {name: _single_score(sample, name) for name in _ALPHABETS}
    best = max(scores, key=lambda name: scores[name])  # the first of equals
    if scores[best] < _LEAST:
        best = "cp1252"
    is_told = best != "cp1252" or re.search(rb"[\x80-\x9f]", sample)
    return best if is_told else PLAIN


def _single_score(sample: bytes, encoding: str) -> float:
    """Return the share of letters beyond a to z that one language of the encoding explains.

    Capitals stand at the starts of words or among capitals: one Cyrillic encoding read as another
    turns them round.
    """
    text = sample.decode(encoding, errors="replace")
    letters = Counter(
        letter.lower()[0] if _is_in_place(before, letter, after, encoding) else ""
        for before, letter, after in zip(f"\n{text}", text, f"{text[1:]}\n", strict=False)
        if letter > _ASCII and letter not in _MARKS
    )
    alphabets = [set(alphabet) for alphabet in _ALPHABETS[encoding]]
    every = set().union(*alphabets)
    alone = max(sum(letters[x] for x in alphabet) for alphabet in alphabets)
    together = sum(letters[x] for x in every)
    return max(alone, _MIXED * together) / max(letters.total(), 1)


def _is_in_place(before: str, letter: str, after: str, encoding: str) -> bool:
    if letter.isupper() and before.islower():
        return False
    is_amid_latin = any(x <= _ASCII and x.isalpha() for x in (before, after))
    return not (is_amid_latin and encoding in _OTHER_SCRIPTS)


def _double_score(sample: bytes, encoding: str) -> float:
    """Return the share of characters beyond ASCII that are everyday ones of the encoding."""
    text = sample.decode(encoding, errors="replace")
    stricter, leads = _COMMON_LEADS[encoding]
    characters = Counter(x for x in text if x > _ASCII and x not in _MARKS)
    everyday = sum(
        count
        for character, count in characters.items()
        if next(iter(character.encode(stricter, errors="ignore")), 0) in leads
    )
    return everyday / max(characters.total(), 1)
