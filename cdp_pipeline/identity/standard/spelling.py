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


def street_words_sql(column: str) -> str:
    """Return SQL for a street line in which each kind of street has one name.

    Lines that need none of it, most in English, are told by one cheap look.
    """
    branches = " ".join(
        f"when word in ({', '.join(repr(word) for word in words)}) then '{short}'"
        for short, words in STREET_WORDS.items()
    )
    listed = "|".join(word for words in STREET_WORDS.values() for word in words)
    line = f"replace({column}, 'straat', 'str')"
    return (
        f"case when regexp_matches({column}, '\\b(?:{listed})\\b') then array_to_string("
        f"list_transform(string_split({line}, ' '), "
        f"lambda word: case {branches} else word end), ' ') else {line} end"
    )


def street_key_sql(column: str) -> str:
    """Return SQL for the words of a street line in one order, without the word for a flat.

    "flat 3 12 high st", "12 high st flat 3" and "3 12 high st" are one place, as are "ul dluga 5"
    and "dluga 5".
    """
    told = f"trim(regexp_replace(' ' || {column} || ' ', ' (?:{_UNTOLD})(?: |$)', ' ', 'g'))"
    return f"array_to_string(list_sort(string_split({told}, ' ')), ' ')"


def building_sql(column: str) -> str:
    """Return SQL for a street line without the number of a flat.

    People leave it out: "rue haute 12 bte 3", "rue haute 12 3" and "rue haute 12" may be one home.
    """
    number = "[0-9]+[a-z]?"
    line = column
    for found, left in (
        (f" ?\\b(?:{_FLATS}) (?:{number}|[a-z]|{_TOLD_LETTERS})\\b", ""),
        (f"\\b({number})(?: {number})+\\b", "\\1"),
        (f"^({number} .*[a-z]) {number}$", "\\1"),
    ):
        line = f"regexp_replace({line}, '{found}', '{left}', 'g')"
    return f"trim({line})"


STREET_WORDS = {
    "al": ("aleja", "aleje"),
    "all": ("allee", "allees"),
    "ave": ("av", "avda"),
    "blvd": ("bd", "bvd", "boul"),
    "calle": ("c",),
    "ch": ("chaussee", "chemin", "che", "chem"),
    "cad": ("caddesi", "cadde", "cd"),
    "fg": ("faubourg", "fbg"),
    "flat": ("apartamento", "appartement", "apto", "boite", "box", "bte", "bus", "lok", "m"),
    "hwy": ("highway",),
    "imp": ("impasse",),
    "mah": ("mahallesi", "mh"),
    "os": ("osiedle",),
    "pl": ("plaza",),
    "pza": ("piazza",),
    "r": ("rue", "rua"),
    "rte": ("route",),
    "sk": ("sokak", "sokagi", "sok"),
    "st": ("saint",),
    "ste": ("sainte",),
    "ul": ("ulitsa",),
}
"""Words of street lines by the short form that people write as well. What two words share costs
little, as the rest of the line and the postcode agree too."""

_FLATS = "flat|ste|top"
"""Words that a flat's number follows."""

_TOLD_LETTERS = "|".join(
    short for short, words in STREET_WORDS.items() if min(map(len, words)) == 1
)
"""What the letter of a flat has become that is a word of streets as well: flat C, flat M."""

_UNTOLD = "flat|ul"
"""Words that many people leave out."""


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
