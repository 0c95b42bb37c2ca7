"""How the numbers of a column are written: marks, currency signs, decimals, negative amounts.

``1,234`` is a thousand or one and a bit: the column's other values, then the file's other columns
decide; if nothing does, people are asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from cdp_pipeline.ingest.casting import BINARY_TAIL

SIGNS = "$€£¥₹₺₽%"
_WORDS = r"EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|JPY|AUD|CAD|INR|kr\.?|zł|Fr\.|US\$|Rs\.?"
_BLANKS = " \u00a0\u202f\u2009"
_APOSTROPHES = ("'", "\u2019")
_CURRENCY = re.compile(rf"[{re.escape(SIGNS)}]|(?<![A-Za-z])(?:{_WORDS})(?![A-Za-z])")
_BODY = re.compile(rf"[+\-\u2212]?\(?[+\-\u2212]?([\d.,'\u2019{_BLANKS}]*\d[.,]?)\)?[-\u2212]?")
_INTEGER = re.compile(r"\d+")
_SIMPLE = re.compile(r"\d*([.,])(\d*)")
_GROUPED = re.compile(rf"\d{{1,3}}([.,'\u2019{_BLANKS}])(?:\d{{2,3}}\1)*\d{{3}}(?:([.,])(\d*))?")
_DOUBTFUL = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")

_TAILED = re.compile(rf"(\d{{0,6}}?){BINARY_TAIL}")
_MOST_DECIMALS, _NEARLY_ALL = 6, 0.9
_SIGN = re.compile(r"(?i)^(CR|DR)(?=[\s\d.,])|(?<=[\s\d.,)])(CR|DR)$")

CODES = {"€": "EUR", "£": "GBP", "₹": "INR", "₺": "TRY", "zł": "PLN"}
"""Currencies whose sign belongs to one country."""


@dataclass(frozen=True)
class Numbers:
    """How a column's numbers are written.

    Attributes:
        share: Share of its values that are numbers.
        decimals: Most decimals that matter; zeros at the end do not.
        digits: Most digits before the decimal mark.
        decimal_mark: ``.`` or ``,``; empty if no value tells.
        thousands_mark: Mark between thousands; empty if there is none.
        doubtful: Mark that may stand for decimals or thousands; empty if none does.
        strip: Characters of currency signs and the like.
        has_leading_zeros: Whether a whole number begins with a zero.
        currency: ISO code that a sign stands for; empty if none or several do.
        words: Words that stand for a sign, such as CR and DR.
    """

    share: float
    decimals: int = 0
    digits: int = 0
    decimal_mark: str = ""
    thousands_mark: str = ""
    doubtful: str = ""
    strip: str = ""
    has_leading_zeros: bool = False
    currency: str = ""
    words: tuple[str, ...] = ()


def look_at_numbers(counts: Mapping[str, int]) -> Numbers:
    """Return how numbers are written; ``share`` tells whether they are numbers at all.

    Args:
        counts: How often each value occurs.
    """
    total = count = digits = 0
    decimals: Counter[int] = Counter()
    marks: set[str] = set()
    thousands: set[str] = set()
    doubtful: set[str] = set()
    signs: set[str] = set()
    words: set[str] = set()
    has_zeros = False
    for value, times in counts.items():
        total += times
        bare, found = _bare(value)
        word = _SIGN.search(bare)
        read = _read(_SIGN.sub("", bare, count=1).strip(_BLANKS))
        if read is None:
            continue
        count += times
        signs.update(found)
        words.update([word[0].upper()] if word else [])
        whole, mark, after, group, is_doubtful = read
        digits = max(digits, len(whole))
        has_zeros = has_zeros or (len(whole) > 1 and whole.startswith("0"))
        if is_doubtful:
            doubtful.add(mark)
            continue
        decimals[_decimals(after)] += times
        marks.update([mark] if mark else [])
        thousands.update([group] if group else [])
    doubt = next(iter(doubtful - thousands - marks), "") if not (doubtful & thousands) else ""
    if doubtful & marks:
        decimals[3] += 1
    return Numbers(
        share=count / total if total else 0.0,
        decimals=_usual(decimals),
        digits=digits,
        decimal_mark=next(iter(marks)) if len(marks) == 1 else "",
        thousands_mark=_one(thousands),
        doubtful=doubt,
        strip="".join(sorted({c for sign in signs for c in sign})),
        has_leading_zeros=has_zeros,
        currency=_one({CODES.get(s, s if len(s) == 3 and s.isupper() else "") for s in signs}),  # noqa: PLR2004 - ISO codes
        words=tuple(sorted(words)),
    )


def _bare(value: str) -> tuple[str, list[str]]:
    """Return a value without signs of currency and the like, and these."""
    found = _CURRENCY.findall(value)
    bare = _CURRENCY.sub("", value).strip(_BLANKS)
    if bare[:1] == "'" and bare[1:2] != "'":  # so that a spreadsheet takes it for text
        return bare[1:], [*found, "'"]
    return bare, found


def _decimals(after: str) -> int:
    """Return how many decimals matter: neither zeros at the end nor the dust of binary sums."""
    tailed = _TAILED.fullmatch(after)
    return len((tailed[1] if tailed else after).rstrip("0"))


def _usual(found: Counter[int]) -> int:
    """Return the most decimals; if too many for a number, those that nearly all values have."""
    most = max(found, default=0)
    if most <= _MOST_DECIMALS:
        return most
    enough, seen = _NEARLY_ALL * found.total(), 0
    for decimals in sorted(found):
        seen += found[decimals]
        if seen >= enough:
            return decimals
    return most


def _one(found: set[str]) -> str:
    if len(found) == 1:
        return next(iter(found))
    return " " if found and found <= set(_BLANKS) else ""


def _read(value: str) -> tuple[str, str, str, str, bool] | None:
    """Return digits before the mark, mark, decimals, thousands mark, whether it is in doubt."""
    body = _BODY.fullmatch(value)
    if body is None:
        return None
    text = body[1].strip(_BLANKS)
    if _INTEGER.fullmatch(text):
        return text, "", "", "", False
    if _DOUBTFUL.fullmatch(text):
        mark = "." if "." in text else ","
        return text.replace(mark, ""), mark, "", "", True
    if simple := _SIMPLE.fullmatch(text):
        return text.partition(simple[1])[0], simple[1], simple[2], "", False
    return _read_groups(text)


def _read_groups(text: str) -> tuple[str, str, str, str, bool] | None:
    grouped = _GROUPED.fullmatch(text)
    if grouped is None:
        return None
    mark, after = grouped[2] or "", grouped[3] or ""
    group = grouped[1] or ""
    whole = text.rpartition(mark)[0] if mark else text
    if mark and mark == group:
        return None
    group = " " if group and group in _BLANKS else group
    group = "'" if group in _APOSTROPHES else group
    return re.sub(r"\D", "", whole), mark, after, group, False


def number_of(text: str, mark: str) -> Decimal | None:
    """Return the number that a text stands for, or None.

    Args:
        text: A number with any signs of currency and marks between thousands.
        mark: What stands before its decimals.

    >>> number_of("1.234,50- EUR", ","), number_of("(\u00a312.00)", "."), number_of("n/a", ".")
    (Decimal('-1234.50'), Decimal('-12.00'), None)
    """
    text = re.sub(r"[^\d.,()+\-]", "", text.replace("\u2212", "-"))
    is_negative = text.startswith(("(", "-")) or text.endswith("-")
    bare = re.sub(r"[()+\-]", "", text).replace("." if mark == "," else ",", "")
    try:
        number = Decimal(bare.replace(",", "."))
    except InvalidOperation:
        return None
    return -number if is_negative else number
