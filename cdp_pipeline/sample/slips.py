"""Mistakes in single fields: keys hit wrongly, sounds misheard, digits swapped, marks added.

How a true value becomes a wrong or odd one belongs here, a whole column at a time. Which field of
which record suffers what is decided in ``descriptions``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from cdp_pipeline.sample.arrays import Bools, Days, Ints, Texts, happens, join_texts, number_texts
from cdp_pipeline.sample.names import load_short_forms

Slip = Callable[[np.random.Generator, Texts], Texts]
Letters = npt.NDArray[np.uint32]

_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890")
_SOUNDS = (("ph", "f"), ("ck", "k"), ("ie", "ei"), ("ee", "ea"), ("ll", "l"), ("tt", "t"),
           ("nn", "n"), ("y", "ie"), ("c", "k"), ("s", "z"), ("ei", "ie"), ("e", ""))  # fmt: skip
_SHAPES = (("rn", "m"), ("m", "rn"), ("cl", "d"), ("l", "1"), ("o", "0"), ("i", "l"), ("h", "b"))
_HOST_SLIPS = (("gmail.com", "gmial.com"), ("gmail.com", "gmail.co"), ("gmail.com", "gmai.com"),
               ("hotmail.com", "hotmial.com"), ("outlook.com", "outlok.com"), (".co.uk", ".couk"),
               ("icloud.com", "iclould.com"), ("yahoo", "yaho"), (".com", ".con"))  # fmt: skip
_STREET_SHORT = (("Road", "Rd"), ("Street", "St"), ("Avenue", "Ave"), ("Close", "Cl"),
                 ("Lane", "Ln"), ("Drive", "Dr"), ("Gardens", "Gdns"), ("Terrace", "Terr"),
                 ("Crescent", "Cres"), ("Court", "Ct"), ("Place", "Pl"))  # fmt: skip
_PHONE_STYLES = 7
_HITS_NEIGHBOUR, _LEAVES_OUT, _DOUBLES, _SWAPS = range(4)
_TAG, _DOTS, _CAPITALS = range(3)
_SWAPPED, _OTHER_YEAR, _OTHER_DAY = range(1, 4)
_MONTHS, _FEBRUARY, _SHORTEST_MONTH = 12, 2, 28


def slip_some(rng: np.random.Generator, texts: Texts, chosen: Bools, slip: Slip) -> Texts:
    """Return ``texts`` with ``slip`` applied to the chosen ones; empty texts stay empty."""
    index = np.flatnonzero(chosen & (np.strings.str_len(texts) > 0))
    if len(index) == 0:
        return texts
    changed = slip(rng, texts[index])
    slipped = texts.astype(np.promote_types(texts.dtype, changed.dtype))
    slipped[index] = changed
    return slipped


def mistype(rng: np.random.Generator, texts: Texts) -> Texts:
    """Hit a neighbouring key, leave a letter out, double one, or swap two neighbours."""
    letters = _letters(texts)
    length = np.strings.str_len(texts).astype(np.int64)
    spot = (rng.random(len(texts)) * length).astype(np.int64)
    kind = rng.integers(0, 4, len(texts))
    columns = np.arange(letters.shape[1])
    source = np.broadcast_to(columns, letters.shape).copy()
    after = columns > spot[:, None]
    source += ((kind == _LEAVES_OUT)[:, None] & (columns >= spot[:, None])).astype(np.int64)
    source -= ((kind == _DOUBLES)[:, None] & after).astype(np.int64)
    rows = np.flatnonzero((kind == _SWAPS) & (spot + 1 < length))
    source[rows, spot[rows]], source[rows, spot[rows] + 1] = spot[rows] + 1, spot[rows]
    moved = np.take_along_axis(letters, np.minimum(source, letters.shape[1] - 1), axis=1)
    hit = np.flatnonzero(kind == _HITS_NEIGHBOUR)
    moved[hit, spot[hit]] = _neighbour_keys()[np.minimum(moved[hit, spot[hit]], 127)]
    return _texts(moved)


def mishear(rng: np.random.Generator, texts: Texts) -> Texts:
    """Spell by sound: one substitution such as ``ph`` to ``f``."""
    return _replace_one(rng, texts, _SOUNDS)


def misread(rng: np.random.Generator, texts: Texts) -> Texts:
    """Confuse shapes as scanners do, such as ``rn`` and ``m``."""
    return _replace_one(rng, texts, _SHAPES)


def shorten(rng: np.random.Generator, texts: Texts) -> Texts:
    """Use a short form of a given name, if it has one."""
    names, index = np.unique(texts, return_inverse=True)
    forms = load_short_forms()
    table = np.array(
        [[(f := forms.get(n, (n,)))[k % len(f)] for k in range(4)] for n in names.tolist()]
    )
    chosen: Texts = table[index, rng.integers(0, 4, len(texts))]
    return chosen


def keep_initial(_rng: np.random.Generator, texts: Texts) -> Texts:
    """Keep the first letter only."""
    return texts.astype("U1")


def change_case(rng: np.random.Generator, texts: Texts) -> Texts:
    """Write all in capitals or all small."""
    capitals = happens(rng, 0.6, len(texts))
    return np.where(capitals, np.strings.upper(texts), np.strings.lower(texts))


def add_blanks(rng: np.random.Generator, texts: Texts) -> Texts:
    """Put stray blanks before or after."""
    before = happens(rng, 0.4, len(texts))
    return np.where(before, join_texts(" ", texts), join_texts(texts, "  "))


def drop_accents(_rng: np.random.Generator, texts: Texts) -> Texts:
    """Write accented letters plainly."""
    return strip_accents(texts)


def strip_accents(texts: Texts) -> Texts:
    """Return texts in plain Latin letters: ``Zoë`` becomes ``Zoe``."""
    distinct, index = np.unique(texts, return_inverse=True)
    plain = np.array([_plain(text) for text in distinct.tolist()], dtype=np.str_)
    return plain[index] if len(plain) else texts


def slip_mailbox(rng: np.random.Generator, texts: Texts) -> Texts:
    """Mistype the host of a mailbox, or drop its dot."""
    return _replace_one(rng, texts, _HOST_SLIPS)


def dress_mailbox(rng: np.random.Generator, texts: Texts) -> Texts:
    """Write a mailbox another way that still arrives: plus tag, gmail dots, capitals."""
    local, at, host = np.strings.partition(texts, "@")
    tags = np.array(["+harrowvale", "+shop", "+hv", "+offers"])[rng.integers(0, 4, len(texts))]
    tagged = join_texts(local, tags, at, host)
    first = local.astype("U1")
    dotted = join_texts(first, ".", np.strings.replace(local, first, "", 1), at, host)
    undotted = join_texts(np.strings.replace(local, ".", ""), at, host)
    gmail = host == "gmail.com"
    kind = rng.integers(0, 3, len(texts))
    upper = np.strings.upper(texts)
    no_tags = np.where(
        kind == 1, np.where(gmail & (np.strings.find(local, ".") > 0), undotted, dotted), upper
    )
    return np.where(gmail & (kind < _CAPITALS), np.where(kind == _TAG, tagged, no_tags), upper)


def style_phones(rng: np.random.Generator, texts: Texts) -> Texts:
    """Write national digits in one of seven usual formats."""
    rest = np.strings.replace(join_texts("^", texts), "^0", "")
    head, middle, tail = _cut(texts, 0, 5), _cut(texts, 5, 8), _cut(texts, 8, 12)
    spaced = join_texts(head, " ", middle, " ", tail)
    style = rng.integers(0, _PHONE_STYLES, len(texts))
    styles = [
        texts,
        spaced,
        join_texts("+44", rest),
        join_texts("+44 ", _cut(rest, 0, 4), " ", _cut(rest, 4, 11)),
        join_texts("0044", rest),
        join_texts("+44 (0)", rest),
        join_texts(head, "-", middle, tail),
    ]
    return np.select([style == number for number in range(_PHONE_STYLES)], styles, texts)


def lose_zero(_rng: np.random.Generator, texts: Texts) -> Texts:
    """Lose leading zeros, as spreadsheets do."""
    return np.strings.lstrip(texts, "0")


def slip_digit(rng: np.random.Generator, texts: Texts) -> Texts:
    """Change one digit of a number."""
    letters = _letters(texts)
    spot = (rng.random(len(texts)) * np.strings.str_len(texts)).astype(np.int64)
    rows = np.arange(len(texts))
    hit = letters[rows, spot]
    is_digit = (hit >= ord("0")) & (hit <= ord("9"))
    other = ord("0") + (hit - ord("0") + rng.integers(1, 10, len(texts)).astype(np.uint32)) % 10
    letters[rows, spot] = np.where(is_digit, other, hit)
    return _texts(letters)


def abbreviate_street(rng: np.random.Generator, texts: Texts) -> Texts:
    """Shorten the kind of street, and write flats another way."""
    short = texts
    for long_word, short_word in _STREET_SHORT:
        short = np.strings.replace(short, f" {long_word}", f" {short_word}")
    flat_word = np.array(["Apt ", "Apartment ", "Unit ", "flat "])[rng.integers(0, 4, len(texts))]
    return np.strings.replace(short, "Flat ", flat_word)


def crumple_postcode(rng: np.random.Generator, texts: Texts) -> Texts:
    """Leave the blank out, or write small letters."""
    joined = np.strings.replace(texts, " ", "")
    kind = rng.integers(0, 3, len(texts))
    return np.select(
        [kind == 0, kind == 1], [joined, np.strings.lower(texts)], np.strings.lower(joined)
    )


def slip_dates(rng: np.random.Generator, dates: Days, rate: float) -> Days:
    """Swap day and month, or miss a day or a year by a digit, in about ``rate`` of the dates."""
    years, months, days = _split_dates(dates)
    kind = np.where(happens(rng, rate, len(dates)), rng.integers(1, 4, len(dates)), 0)
    swap = (kind == _SWAPPED) & (days <= _MONTHS)
    months, days = np.where(swap, days, months), np.where(swap, months, days)
    step = np.array([-10, -1, 1, 10])[rng.integers(0, 4, len(dates))]
    years = years + np.where(kind == _OTHER_YEAR, step, 0)
    days = np.where(kind == _OTHER_DAY, np.clip(days + step, 1, _SHORTEST_MONTH), days)
    # A slipped year may have no 29 February.
    leap = (kind == _OTHER_YEAR) & (months == _FEBRUARY)
    days = np.where(leap, np.minimum(days, _SHORTEST_MONTH), days)
    text = join_texts(number_texts(years), "-", number_texts(months, 2), "-", number_texts(days, 2))
    return text.astype("datetime64[D]")


def _replace_one(
    rng: np.random.Generator, texts: Texts, rules: tuple[tuple[str, str], ...]
) -> Texts:
    # Each text tries the rules from its own starting point and takes the first that changes it.
    start = rng.integers(0, len(rules), len(texts))
    changed = texts
    for turn in range(len(rules)):
        for number, (old, new) in enumerate(rules):
            mine = ((start + turn) % len(rules) == number) & (changed == texts)
            if mine.any():
                changed = np.where(mine, np.strings.replace(changed, old, new, 1), changed)
    return changed


def _split_dates(dates: Days) -> tuple[Ints, Ints, Ints]:
    years = dates.astype("datetime64[Y]").astype(np.int64) + 1970
    months = dates.astype("datetime64[M]").astype(np.int64) % 12 + 1
    days = (dates - dates.astype("datetime64[M]")).astype(np.int64) + 1
    return years, months, days


def _cut(texts: Texts, start: int, stop: int) -> Texts:
    letters = _letters(texts)
    return _texts(letters[:, start:stop]) if letters.shape[1] > start else np.full_like(texts, "")


def _letters(texts: Texts) -> Letters:
    # One spare column, so that an inserted letter has room.
    width = texts.dtype.itemsize // 4 + 1
    return (
        np.ascontiguousarray(texts.astype(f"U{width}")).view(np.uint32).reshape(len(texts), width)
    )


def _texts(letters: Letters) -> Texts:
    width = letters.shape[1]
    return np.ascontiguousarray(letters).view(f"U{width}").reshape(len(letters))


@cache
def _neighbour_keys() -> Letters:
    keys = np.arange(128, dtype=np.uint32)
    for row in _KEYBOARD:
        for key, neighbour in zip(row, row[1:] + row[-2], strict=True):
            keys[ord(key)] = ord(neighbour)
            keys[ord(key.upper())] = ord(neighbour.upper())
    return keys


def _plain(text: str) -> str:
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L"))
    return "".join(part for part in parts if not unicodedata.combining(part))
