"""What goes wrong when people type: slips on single values, applied to a chosen part of a column.

Every slip is a pure function of a text and a number; the numbers come from the caller's generator,
so equal seeds give equal slips. Who makes how many of them is decided by the populations.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmarks.linkage.wordlists import SHORT_FORMS, Texts

Mask = npt.NDArray[np.bool_]
Slip = Callable[[str, int], str]

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890")
NEIGHBOURS = {
    letter: row[max(place - 1, 0) : place] + row[place + 1 : place + 2]
    for row in _ROWS
    for place, letter in enumerate(row)
}
SOUNDS = (
    ("ph", "f"), ("f", "ph"), ("ck", "k"), ("c", "k"), ("k", "c"), ("y", "i"), ("ie", "y"),
    ("z", "s"), ("ee", "ea"), ("ll", "l"), ("nn", "n"), ("tt", "t"), ("v", "w"), ("ei", "ie"),
    ("sch", "sh"), ("x", "ks"), ("ou", "u"), ("ai", "ay"), ("gh", "g"), ("m", "mm"),
)  # fmt: skip
SHAPES = (
    ("rn", "m"), ("m", "rn"), ("l", "1"), ("o", "0"), ("cl", "d"), ("vv", "w"), ("i", "l"),
    ("h", "b"), ("e", "c"), ("u", "v"), ("S", "5"), ("B", "8"),
)  # fmt: skip
SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa",
                           "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "Ø": "Oe", "Å": "Aa"})  # fmt: skip


def apply(values: Texts, chosen: Mask, draw: np.random.Generator, slip: Slip) -> Texts:
    """Return the column with the slip made in the chosen rows that hold a value."""
    places = np.flatnonzero(chosen)
    numbers = draw.integers(0, 2**40, len(places)).tolist()
    changed = values.copy()
    for place, number in zip(places.tolist(), numbers, strict=True):
        if changed[place]:
            changed[place] = slip(changed[place], number)
    return changed


def mistype(text: str, number: int) -> str:
    """Return the text with one slip: keyboard, order, lost or doubled letter, sound or shape."""
    kinds = (press_neighbour, turn_two, lose_one, double_one, write_by_ear, misread)
    return kinds[number % 6](text, number // 6)


def press_neighbour(text: str, number: int) -> str:
    """Return the text with one key pressed beside the right one."""
    place = number % len(text)
    near = NEIGHBOURS.get(text[place].lower(), "")
    wrong = near[number // len(text) % len(near)] if near else ""
    return text[:place] + wrong + text[place + 1 :] if wrong else text


def turn_two(text: str, number: int) -> str:
    """Return the text with two neighbouring characters exchanged."""
    if len(text) < 2:
        return text
    place = number % (len(text) - 1)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def lose_one(text: str, number: int) -> str:
    """Return the text without one of its characters."""
    place = number % len(text)
    return text[:place] + text[place + 1 :] if len(text) > 1 else text


def double_one(text: str, number: int) -> str:
    """Return the text with one character twice."""
    place = number % len(text)
    return text[:place] + text[place] + text[place:]


def write_by_ear(text: str, number: int) -> str:
    """Return the text as somebody hears it."""
    return _replace_one(text, number, SOUNDS)


def misread(text: str, number: int) -> str:
    """Return the text as a scanner, or a clerk reading handwriting, sees it."""
    return _replace_one(text, number, SHAPES)


def _replace_one(text: str, number: int, pairs: tuple[tuple[str, str], ...]) -> str:
    fitting = [pair for pair in pairs if pair[0] in text[1:]]
    if not fitting:
        return turn_two(text, number)
    old, new = fitting[number % len(fitting)]
    return text[0] + text[1:].replace(old, new, 1)


def slip_digit(text: str, number: int) -> str:
    """Return the text with one digit wrong, or two neighbouring digits exchanged."""
    places = [place for place, letter in enumerate(text) if letter.isdigit()]
    if len(places) < 2:
        return text
    place = places[number % (len(places) - 1)]
    if number % 3 == 0 and text[place + 1].isdigit():
        return turn_two(text, place)
    return text[:place] + str((int(text[place]) + 1 + number % 9) % 10) + text[place + 1 :]


def shorten(text: str, number: int) -> str:
    """Return a usual short form of a given name, if it has one."""
    forms = SHORT_FORMS.get(text)
    return forms[number % len(forms)] if forms else text


def take_initial(text: str, number: int) -> str:
    """Return the first letter only, with or without a full stop."""
    return text[0] + ("." if number % 2 else "")


def lose_accents(text: str, number: int) -> str:
    """Return the text in plain letters: spelt out as at home, or the marks just dropped."""
    if number % 2:
        text = text.translate(SPELT_OUT)
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ø", "o"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def change_case(text: str, number: int) -> str:
    """Return the text in capitals or in small letters."""
    return text.upper() if number % 2 else text.lower()


def add_blanks(text: str, number: int) -> str:
    """Return the text with stray blanks around it or inside."""
    forms = (f" {text}", f"{text}  ", text.replace(" ", "  ") + " ")
    return forms[number % 3]


def add_remark(text: str, number: int) -> str:
    """Return the text with what a clerk noted beside it."""
    forms = (f"{text} *VIP*", f"*VIP* {text}", f"{text} (deceased)", f"{text} (do not mail)")
    return forms[number % 4]


def slip_mailbox(text: str, number: int) -> str:
    """Return an e-mail address as it is mistyped: the domain, or a letter before it."""
    name, _, domain = text.partition("@")
    if number % 2 or len(name) < 3:
        wrong = {"gmail.com": ("gmial.com", "gmail.co", "gamil.com"),
                 "yahoo.com": ("yaho.com", "yahoo.co"),
                 "hotmail.com": ("hotmial.com", "hotmail.con"),
                 "icloud.com": ("iclod.com", "icoud.com")}.get(domain)  # fmt: skip
        return f"{name}@{wrong[number // 2 % len(wrong)]}" if wrong else f"{name}@{domain[:-1]}"
    return f"{mistype(name, number // 2)}@{domain}"


def dress_mailbox(text: str, number: int) -> str:
    """Return another way to write the same mailbox: a tag, or Gmail's dots; capitals."""
    name, _, domain = text.partition("@")
    if domain == "gmail.com" and number % 3 == 0:
        place = 1 + number // 3 % max(len(name) - 1, 1)
        return f"{name[:place]}.{name[place:]}@{domain}".replace("..", ".").replace(".@", "@")
    if number % 3 == 1:
        return f"{name}+{('shop', 'store', 'news', 'promo')[number // 3 % 4]}@{domain}"
    return f"{name.capitalize()}@{domain}"
