"""Values to text: money, percent and counts in the reader's locale, dates in its English.

Every number that a reader sees passes here. The words around them are English, so the names of
months and weekdays are, too; ``babel`` knows both. Which counts of people are hidden is decided in
``withholding``; here is how that is written. No layout belongs here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from babel import Locale, localedata
from babel.dates import format_date, format_skeleton
from babel.numbers import (
    format_compact_currency,
    format_currency,
    format_decimal,
    format_percent,
)

from cdp_pipeline.privacy.small_counts import Withheld, is_small

MISSING = "–"  # noqa: RUF001 - an en dash is the typographic mark for "no value"
MINUS = "−"  # noqa: RUF001 - a true minus sign, as wide as the plus
_HIDDEN = "hidden"
_FLAT = 0.0005
_MILLION = 1_000_000
_THOUSAND = 1_000

Tone = Literal["good", "bad", "flat"]


@dataclass(frozen=True)
class Delta:
    """A change as readers see it: arrow, word, figure and colour say the same.

    Attributes:
        arrow: ``▲``, ``▼`` or ``●``.
        word: ``up``, ``down`` or ``unchanged``.
        figure: The size without a sign, for example ``7.2%`` or ``0.4 pts``.
        tone: Whether this direction is good news.
    """

    arrow: str
    word: str
    figure: str
    tone: Tone

    @property
    def signed(self) -> str:
        """The figure with its sign, for plain text and e-mail."""
        return {"up": "+", "down": MINUS, "unchanged": ""}[self.word] + self.figure

    @property
    def phrase(self) -> str:
        """The change in words, for sentences: ``up 7.2%``."""
        return self.word if self.word == "unchanged" else f"{self.word} {self.figure}"


@dataclass(frozen=True)
class Formatter:
    """Writes values for one locale and currency.

    Attributes:
        locale: Babel locale such as ``en_GB``.
        currency: ISO 4217 code.
        smallest: Smallest count of people that is written.
    """

    locale: str
    currency: str
    smallest: int = 11

    @cached_property
    def _writers(self) -> dict[str, Callable[[Any], str]]:
        return {
            "text": str,
            "count": self._count,
            "people": self._people,
            "people_change": self._people_change,
            "money": self._money,
            "money_whole": self._money_whole,
            "money_short": self._money_short,
            "share": self._share,
            "points": lambda v: self.delta(v, is_points=True).phrase,
            "change": lambda v: self.delta(v).phrase,
            "decimal": lambda v: format_decimal(v, "#,##0.00", locale=self.locale),
            "date": self._date,
            "date_long": lambda v: str(format_date(v, "full", locale=self._english)),
            "weekday": lambda v: str(format_date(v, "EEEE", locale=self._english)),
            "month": lambda v: str(format_skeleton("yMMM", v, locale=self._english)),
            "days": lambda v: f"{self._count(v)} {'day' if v == 1 else 'days'}",
            "bytes": self._bytes,
        }

    @cached_property
    def _english(self) -> str:
        """English of the locale's country, which says whether the month or the day comes first."""
        country = Locale.parse(self.locale).territory
        return next(name for name in (f"en_{country}", "en_001") if localedata.exists(name))

    @property
    def language(self) -> str:
        """Value of the page's ``lang`` attribute, for example ``en-GB``: what its words are in."""
        return self._english.replace("_", "-")

    @property
    def few(self) -> str:
        """What stands for a count of people that is too small to be written."""
        return f"<{self.smallest}"

    def height(self, value: object) -> float | None:
        """Return what charts draw for a value; the true height of a small count would tell it."""
        return self.smallest / 2 if value is Withheld.FEW else as_number(value)

    def explain_withheld(self, values: Iterable[object]) -> str:
        """Return what the marks among some values mean, nothing if there are none."""
        found = {value for value in values if isinstance(value, Withheld)}
        people = f"fewer than {self.smallest} people"
        meaning = {
            Withheld.FEW: f"{self.few} stands for {people}.",
            Withheld.HIDDEN: f"A {_HIDDEN} figure is of {people}, or would tell such a one.",
            Withheld.RESTING: f"What would tell of {people} is left out.",
        }
        return " ".join(text for mark, text in meaning.items() if mark in found)

    def write(self, value: object, form: str) -> str:
        """Return a value as text; an en dash when there is none.

        >>> Formatter("en_GB", "GBP").write(1853250, "money_short")
        '£1.85M'
        >>> Formatter("en_GB", "GBP").write(7, "people")
        '<11'
        """
        if is_missing(value):
            return MISSING
        if isinstance(value, Withheld):
            return self.few if value is Withheld.FEW else _HIDDEN
        return self._writers[form](value)

    def tick(self, value: float, form: str) -> str:
        """Return the text of a position on an axis: short, and never hidden."""
        if form.startswith("money"):
            return str(
                format_compact_currency(value, self.currency, locale=self.locale, fraction_digits=1)
            )
        if form == "share":
            return str(format_percent(value, locale=self.locale))
        return self.write(value, "count" if form == "people" else form)

    def delta(self, change: float, *, good: str = "none", is_points: bool = False) -> Delta:
        """Return a relative change (0.072 is 7.2 %) or a difference of shares, ready to print.

        Args:
            change: New over old minus one, or new share minus old share.
            good: Direction that is good news: ``up``, ``down`` or ``none``.
            is_points: Whether ``change`` is a difference of shares, written in points.
        """
        size = abs(float(change))
        unit = format_decimal(size * 100, "#,##0.0", locale=self.locale) + " pts"
        figure = unit if is_points else self._share(size)
        if size < _FLAT:
            return Delta("●", "unchanged", figure, "flat")
        word = "up" if change > 0 else "down"
        tone: Tone = "flat" if good == "none" else ("good" if word == good else "bad")
        return Delta("▲" if word == "up" else "▼", word, figure, tone)

    def _count(self, value: float) -> str:
        text: str = format_decimal(value, "#,##0", locale=self.locale)
        return text.replace("-", MINUS)

    def _people(self, value: float) -> str:
        return self.few if is_small(value, self.smallest) else self._count(value)

    def _people_change(self, value: float) -> str:
        sign = "+" if value > 0 else MINUS if value < 0 else ""
        return sign + self._people(abs(value))

    def _money(self, value: float) -> str:
        text: str = format_currency(value, self.currency, locale=self.locale)
        return text.replace("-", MINUS)

    def _money_whole(self, value: float) -> str:
        pattern = Locale.parse(self.locale).currency_formats["standard"].pattern.replace(".00", "")
        text: str = format_currency(
            value, self.currency, pattern, locale=self.locale, currency_digits=False
        )
        return text.replace("-", MINUS)

    def _money_short(self, value: float) -> str:
        if abs(float(value)) < _MILLION:  # many locales have no short form of thousands
            return self._money_whole(value)
        text: str = format_compact_currency(
            value, self.currency, locale=self.locale, fraction_digits=2
        )
        return text.replace("-", MINUS)

    def _share(self, value: float) -> str:
        pattern = Locale.parse(self.locale).percent_formats[None].pattern.replace("##0", "##0.0")
        text: str = format_percent(value, pattern, locale=self.locale)
        return text.replace("-", MINUS)

    def _date(self, value: date) -> str:
        text: str = format_skeleton("MMMd", value, locale=self._english)
        return text

    def _bytes(self, value: float) -> str:
        for unit in ("B", "kB", "MB"):
            if value < _THOUSAND:
                return f"{self._count(value)} {unit}"
            value /= _THOUSAND
        return f"{self._count(value)} GB"


def is_missing(value: object) -> bool:
    """Return whether there is no value to print: NULL, not a number, or telling of few people."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return value is None or value is Withheld.RESTING or is_nan


def is_withheld(value: object) -> bool:
    """Return whether a count is not shown, because it is of few people or would tell of some."""
    return isinstance(value, Withheld)


def as_number(value: object) -> float | None:
    """Return a value as a number, None where there is none or it is withheld."""
    if is_missing(value) or not isinstance(value, int | float | Decimal):
        return None
    return float(value)


def as_date(value: object) -> date | None:
    """Return the calendar day of a date or timestamp, None for anything else."""
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else None
