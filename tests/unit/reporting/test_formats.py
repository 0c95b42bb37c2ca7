"""Values are written for the reader's locale, and small counts of people are hidden."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.privacy.small_counts import is_small
from cdp_pipeline.reporting.formats import MINUS, MISSING, Formatter

BRITISH = Formatter("en_GB", "GBP")
GERMAN = Formatter("de_DE", "EUR")


@pytest.mark.parametrize(
    ("value", "form", "british", "german"),
    [
        (Decimal("72.60"), "money", "£72.60", "72,60\xa0€"),
        (-1234.5, "money_whole", f"{MINUS}£1,234", f"{MINUS}1.234\xa0€"),
        (1853250, "money_short", "£1.85M", "1,85\xa0Mio.\xa0€"),
        (45123, "money_short", "£45,123", "45.123\xa0€"),
        (0.0712, "share", "7.1%", "7,1\xa0%"),
        (12345, "count", "12,345", "12.345"),
        (date(2026, 11, 18), "weekday", "Wednesday", "Wednesday"),
        (date(2026, 11, 18), "date", "18 Nov", "18 Nov"),
        (1, "days", "1 day", "1 day"),
        (57_000, "bytes", "57 kB", "57 kB"),
        (0.072, "change", "up 7.2%", "up 7,2\xa0%"),
        (-0.004, "points", "down 0.4 pts", "down 0,4 pts"),
    ],
)
def test_values_follow_the_locale(value: object, form: str, british: str, german: str) -> None:
    assert BRITISH.write(value, form) == british
    assert GERMAN.write(value, form) == german


@pytest.mark.parametrize(
    ("locale", "day", "language"),
    [
        ("en_US", "Wednesday, November 18, 2026", "en-US"),
        ("de_DE", "Wednesday, 18 November 2026", "en-DE"),
        ("ja_JP", "Wednesday, 18 November 2026", "en-001"),  # no English of Japan in CLDR
    ],
)
def test_dates_are_in_the_language_of_the_words_around_them(
    locale: str, day: str, language: str
) -> None:
    formatter = Formatter(locale, "EUR")
    assert formatter.write(date(2026, 11, 18), "date_long") == day
    assert formatter.language == language


@pytest.mark.parametrize("value", [None, float("nan")])
def test_missing_values_are_a_dash(value: object) -> None:
    assert BRITISH.write(value, "money") == MISSING


@given(st.integers(min_value=-100_000, max_value=100_000))
@settings(max_examples=60, deadline=None)
def test_no_count_of_few_people_is_ever_printed(count: int) -> None:
    plain, change = BRITISH.write(abs(count), "people"), BRITISH.write(count, "people_change")
    if is_small(count, 11):
        assert plain == "<11"
        assert change in {"+<11", f"{MINUS}<11"}
    else:
        assert plain == f"{abs(count):,}"


def test_a_change_says_the_same_by_arrow_word_and_colour() -> None:
    lapsed = BRITISH.delta(0.04, good="down")
    assert (lapsed.arrow, lapsed.word, lapsed.tone) == ("▲", "up", "bad")
    assert (lapsed.signed, lapsed.phrase) == ("+4.0%", "up 4.0%")
    flat = BRITISH.delta(0.0004, good="up")
    assert (flat.word, flat.tone, flat.phrase) == ("unchanged", "flat", "unchanged")
    assert BRITISH.delta(-0.5).tone == "flat"
