from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.core.unseen import LONGEST_LINE, find_unseen, one_line


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Zoë, 株式会社, שלום\u200f\tand\nmore", None),
        ("a\x1b[2J", "U+001B"),
        ("a\rb", "U+000D"),
        ("a\x85b", "U+0085"),
        ("a\u202eb", "U+202E (right-to-left override)"),
        ("a\ud800b", "U+D800"),
        ("a\ufffeb\x00", "U+FFFE"),
    ],
)
def test_the_first_character_that_is_not_shown_is_named(text: str, found: str | None) -> None:
    assert find_unseen(text) == found


@given(st.characters())
def test_of_all_characters_only_controls_surrogates_and_marks_of_direction_are_not_shown(
    character: str,
) -> None:
    kind = unicodedata.category(character)
    is_found = find_unseen(f"a{character}b") is not None
    if kind in {"Cc", "Cs", "Zl", "Zp"}:
        assert is_found == (character not in "\t\n")
    elif kind not in {"Cf", "Cn"}:
        assert not is_found


@pytest.mark.parametrize("text", ["", "The Store", "a" * LONGEST_LINE])
def test_one_line_passes_as_it_is(text: str) -> None:
    assert one_line(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a\nBcc: b", r"U\+000A"),
        ("a\tb", r"U\+0009"),
        ("a\u2028b", "line separator"),
        ("a" * (LONGEST_LINE + 1), "more than 200"),
    ],
)
def test_more_than_a_line_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        one_line(text)
