from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.sample import slips
from cdp_pipeline.sample.arrays import open_stream

NAMES = np.array(["Christopher", "Zoë", "Al", "O'Neill", "Smith-Jones", "Philippa"] * 60)


def edit_distance(left: str, right: str) -> int:
    """Damerau-Levenshtein distance (adjacent transpositions cost one)."""
    table = {(i, 0): i for i in range(len(left) + 1)} | {(0, j): j for j in range(len(right) + 1)}
    for i in range(1, len(left) + 1):
        for j in range(1, len(right) + 1):
            cost = left[i - 1] != right[j - 1]
            best = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + cost)
            if i > 1 and j > 1 and left[i - 1] == right[j - 2] and left[i - 2] == right[j - 1]:
                best = min(best, table[i - 2, j - 2] + 1)
            table[i, j] = best
    return table[len(left), len(right)]


def test_a_mistyped_name_is_one_keystroke_away() -> None:
    typed = slips.mistype(open_stream(1, "test"), NAMES)
    distances = {edit_distance(a, b) for a, b in zip(NAMES.tolist(), typed.tolist(), strict=True)}
    assert distances <= {0, 1}
    assert np.mean(typed != NAMES) > 0.8


def test_all_four_kinds_of_keystroke_slip_occur() -> None:
    typed = slips.mistype(open_stream(1, "test"), np.array(["abcdefgh"] * 400))
    lengths = np.strings.str_len(typed)
    swapped = [sorted(text) == sorted("abcdefgh") and text != "abcdefgh" for text in typed.tolist()]
    assert {7, 8, 9} == set(lengths.tolist())
    assert any(swapped)
    assert not all(np.array(swapped)[lengths == 8])


@given(st.lists(st.text(min_size=1, max_size=12).filter(lambda t: "\0" not in t), min_size=1))
@settings(max_examples=40, deadline=None)
def test_slips_keep_the_number_of_texts(texts: list[str]) -> None:
    values = np.array(texts)
    rng = open_stream(3, "property")
    for slip in (slips.mistype, slips.mishear, slips.misread, slips.change_case, slips.shorten):
        assert len(slip(rng, values)) == len(values)


def test_slip_some_leaves_the_others_and_empty_texts_alone() -> None:
    values = np.array(["Anna", "", "Berta"])
    chosen = np.array([True, True, False])
    slipped = slips.slip_some(open_stream(1, "t"), values, chosen, lambda _r, t: t + "-long-tail")
    assert slipped.tolist() == ["Anna-long-tail", "", "Berta"]


@pytest.mark.parametrize("number", ["07700900123", "02079460123"])
def test_phones_are_written_in_seven_ways(number: str) -> None:
    written = set(slips.style_phones(open_stream(1, "t"), np.array([number] * 300)).tolist())
    assert len(written) == 7
    for text in written:
        digits = "".join(c for c in text.replace("(0)", "") if c.isdigit())
        assert digits.removeprefix("00").removeprefix("44").removeprefix("0") == number[1:]


def test_dressed_gmail_still_arrives() -> None:
    written = slips.dress_mailbox(open_stream(1, "t"), np.array(["anna.smith@gmail.com"] * 200))
    plain = {text.lower().split("@")[0].split("+")[0].replace(".", "") for text in written.tolist()}
    assert plain == {"annasmith"}
    assert len(set(written.tolist())) >= 3


def test_other_hosts_are_only_written_in_capitals() -> None:
    written = slips.dress_mailbox(open_stream(1, "t"), np.array(["a.b@sky.com"] * 50))
    assert set(written.tolist()) == {"A.B@SKY.COM"}


def test_short_forms_belong_to_the_name() -> None:
    written = slips.shorten(open_stream(1, "t"), np.array(["William", "Xq"] * 50))
    assert "Xq" in written
    assert set(written.tolist()) & {"Bill", "Will", "Billy", "Willie"}


def test_accents_are_dropped() -> None:
    assert slips.strip_accents(np.array(["Zoë", "Wójcik", "Ann"])).tolist() == [
        "Zoe",
        "Wojcik",
        "Ann",
    ]
    assert slips.strip_accents(np.array(["Michał"])).tolist() == ["Michal"]


def test_slipped_dates_exist_and_most_stay() -> None:
    dates = np.arange("1940-01-01", "2005-12-31", dtype="datetime64[D]")
    slipped = slips.slip_dates(open_stream(1, "t"), dates, 0.2)
    share = np.mean(slipped != dates)
    assert 0.08 < share < 0.2
    assert not np.isnat(slipped).any()
    unslipped = slips.slip_dates(open_stream(1, "t"), dates, 0.0)
    assert (unslipped == dates).all()


def test_a_slipped_digit_changes_one_digit() -> None:
    slipped = slips.slip_digit(open_stream(1, "t"), np.array(["07700900123"] * 50))
    assert {sum(a != b for a, b in zip(t, "07700900123", strict=True)) for t in slipped} == {1}


def test_streets_are_abbreviated() -> None:
    streets = np.array(["Flat 3, 12 Station Road", "9 High Street"])
    short = slips.abbreviate_street(open_stream(1, "t"), streets).tolist()
    assert short[1] == "9 High St"
    assert short[0].endswith(" 3, 12 Station Rd")
