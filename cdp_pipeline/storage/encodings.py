"""In which encoding a text was written, told by the letters that its bytes would make.

No byte says it: 0xFE is *þ* to Western Europe and *ş* to Turkey. But texts are written with the
letters of one language, nearly always. Each encoding is tried, and the one in which most letters
beyond a to z belong to one language of its own is believed; of several the first.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cdp_pipeline.storage.alphabets import ALPHABETS, COMMON_LEADS, OTHER_SCRIPTS

UTF_8 = "utf-8"
WIDE = "utf-16"
WESTERN = "cp1252"
PLAIN = "latin-1"

SURE = 0.9
"""Share of letters that make sense, from which a few lines are believed to be of an encoding."""

_ASCII = "\x7f"
_CHUNK_BYTES = 16_777_216
_SAMPLE_BYTES = 65_536

_WITHIN_WORDS = "‘’·"  # noqa: RUF001 - the marks themselves
_MARKS = f"{_WITHIN_WORDS}\xa0°§«»´“”„–—…€£¥©®™¡¿²³¼½¾"  # noqa: RUF001
"""Marks of texts in any language; between two letters only the first few stand."""

_MIXED = 0.93
"""What a letter counts that belongs to another language of the encoding than most do."""

_LEAST = 0.6
"""Share of letters that must make sense, or the file is taken for a Western one."""

_MOST = 4
"""A file is UTF-8 for the most part if that makes so many letters to each byte that is none in it.

Of a Western text it makes hardly any, of a few Thai or Chinese words as many as not, by chance."""

_WORD = re.compile(rb"[0-9A-Za-z@-~\x80-\xff]*[\x80-\xff][0-9A-Za-z@-~\x80-\xff]*")

_UNIT = re.compile(rb"[0-9]*[\x80-\xff][0-9]+|[0-9]+[A-Za-z]*[\x80-\xff]|[\x80-\xff]")
"""No word, but a price, a measure or a lone mark: ``\xa312``, ``20m\xb2``."""

_CONTROLS = bytes(range(0x80, 0xA0))
"""Bytes that are letters and quotes in every encoding of one byte but the ISO's."""


@dataclass(frozen=True)
class Encoding:
    """The encoding of a file.

    Attributes:
        name: Its name, as Python knows it; ``latin-1`` only where no byte tells it from ``cp1252``.
        others: Encoding of the lines that are not UTF-8 though most are; empty where all are.
    """

    name: str
    others: str = ""

    def __str__(self) -> str:
        """Say how the file is read, for people."""
        if self.others == UTF_8:
            return f"{self.name} with broken letters"
        return f"{self.name} and {self.others}" if self.others else self.name


def find_encoding(path: Path) -> Encoding:
    """Return the encoding of a text file."""
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return Encoding(WIDE)
    if _is_wholly_utf8(path):
        return Encoding(UTF_8)
    if _is_mostly_utf8(path):
        broken = _broken_lines(path)
        name, share = likeliest(words_of(broken))
        is_told = len(broken) > 1 and share >= SURE  # a single one may as well be damaged
        return Encoding(UTF_8, name if is_told else UTF_8)
    with path.open("rb") as file:
        name, _ = likeliest(words_of(file))
    return Encoding(PLAIN if name == WESTERN and not _has_controls(path) else name)


def read_as_utf8(path: Path, encoding: Encoding) -> Iterator[bytes]:
    """Yield a file in UTF-8; a byte that is no letter becomes a mark that says so.

    Raises:
        UnicodeError: UTF-16 ends amid a character.
    """
    if encoding.others:
        with path.open("rb") as file:
            for line in file:
                name = UTF_8 if is_utf8(line) else encoding.others
                yield line.decode(name, "replace").encode()
        return
    errors = "strict" if encoding.name in {WIDE, UTF_8} else "replace"
    decoder = codecs.getincrementaldecoder(encoding.name)(errors)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", final=True).encode()


def is_utf8(text: bytes) -> bool:
    """Return whether bytes are UTF-8 from first to last."""
    try:
        text.decode(UTF_8)
    except UnicodeDecodeError:
        return False
    return True


def _is_wholly_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder(UTF_8)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _is_mostly_utf8(path: Path) -> bool:
    """Return whether UTF-8 makes letters of most bytes beyond ASCII."""
    letters = strays = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            text = chunk.decode(UTF_8, "ignore")
            letters += len(text) - len(text.encode("ascii", "ignore"))
            strays += len(chunk) - len(text.encode())
    return letters >= _MOST * strays


def _broken_lines(path: Path) -> list[bytes]:
    """Return lines that are not UTF-8, from the start of a file."""
    kept: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        for line in file:
            if line.isascii() or is_utf8(line):
                continue
            kept.append(line)
            size += len(line)
            if size >= _SAMPLE_BYTES:
                break
    return kept


def _has_controls(path: Path) -> bool:
    """Return whether a file has bytes that Latin-1 has no letters for, anywhere."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            if len(chunk.translate(None, _CONTROLS)) < len(chunk):
                return True
    return False


def words_of(lines: Iterable[bytes]) -> bytes:
    """Return words with bytes beyond ASCII, from the first lines that have any, one a line."""
    found: list[bytes] = []
    size = 0
    for line in lines:
        if line.isascii():
            continue
        words = _WORD.findall(line)
        found += [word for word in words if not _UNIT.fullmatch(word)]
        size += sum(map(len, words))
        if size >= _SAMPLE_BYTES:
            break
    return b"\n".join(found)


def likeliest(words: bytes) -> tuple[str, float]:
    """Return the encoding in which most letters of words make sense, and their share."""
    scores = {name: _double_score(words, name) for name in COMMON_LEADS}
    scores |= {name: _single_score(words, name) for name in ALPHABETS}
    best = max(scores, key=lambda name: scores[name])  # the first of equals
    return (best, scores[best]) if scores[best] >= _LEAST else (WESTERN, scores[WESTERN])


def _single_score(sample: bytes, encoding: str) -> float:
    """Return the share of letters beyond a to z that one language of the encoding explains.

    Capitals stand at the starts of words or among capitals: one Cyrillic encoding read as another
    turns them round.
    """
    text = sample.decode(encoding, errors="replace")
    odd = [
        (before, letter, after)
        for before, letter, after in zip(f"\n{text}", text, f"{text[1:]}\n", strict=False)
        if letter > _ASCII
    ]
    letters = Counter(
        letter.lower()[0] if _is_in_place(before, letter, after, encoding) else ""
        for before, letter, after in odd
        if not _is_mark(before, letter, after)
    )
    if odd and not letters:  # such as that of O'Brien
        return 1.0
    alphabets = [set(alphabet) for alphabet in ALPHABETS[encoding]]
    every = set().union(*alphabets)
    alone = max(sum(letters[x] for x in alphabet) for alphabet in alphabets)
    together = sum(letters[x] for x in every)
    return max(alone, _MIXED * together) / max(letters.total(), 1)


def _is_mark(before: str, letter: str, after: str) -> bool:
    is_between = before.isalpha() and after.isalpha()
    return letter in (_WITHIN_WORDS if is_between else _MARKS)


def _is_in_place(before: str, letter: str, after: str, encoding: str) -> bool:
    if letter.isupper() and before.islower():
        return False
    return encoding not in OTHER_SCRIPTS or not _is_amid_latin(before, after)


def _is_amid_latin(before: str, after: str) -> bool:
    return any(x <= _ASCII and x.isalpha() for x in (before, after))


def _double_score(sample: bytes, encoding: str) -> float:
    """Return the share of characters beyond ASCII that are everyday ones of the encoding.

    They do not stand beside Latin letters, as what *Åse* would make does.
    """
    text = sample.decode(encoding, errors="replace")
    stricter, leads = COMMON_LEADS[encoding]
    characters = Counter(
        "" if _is_amid_latin(before, after) else x
        for before, x, after in zip(f"\n{text}", text, f"{text[1:]}\n", strict=False)
        if x > _ASCII and x not in _MARKS
    )
    everyday = sum(
        count
        for character, count in characters.items()
        if next(iter(character.encode(stricter, errors="ignore")), 0) in leads
    )
    return everyday / max(characters.total(), 1)
