"""Addresses and telephones of a department store's customers, at home and abroad.

Five countries with streets, units, postcodes and telephone formats of their own. Many households
live in blocks of flats, so that one address without its unit holds strangers.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from benchmarks.linkage.records import numbered
from benchmarks.linkage.wordlists import Integers, Texts, load_lists, zipf_shares

COUNTRIES = np.array(["US", "DE", "FR", "NL", "IE"], dtype=object)
COUNTRY_SHARES = (0.80, 0.08, 0.05, 0.04, 0.03)
POSTCODES = (900, 160, 120, 100, 60)
STREETS = 700
STREETS_PER_POSTCODE = 60
BLOCK_SHARE = 0.30
FLATS_PER_BLOCK = 14


def words(text: str, *, between: str = " ") -> tuple[str, ...]:
    """Return the words of a list written in one text."""
    return tuple(text.split(between))


US_WORDS = words(
    "Main Oak Maple Cedar Park Elm Washington Lake Hill Walnut Spring North Ridge Church Willow "
    "Mill Sunset Railroad Jackson Highland Forest Lincoln River Meadow Broadway Chestnut Franklin "
    "Center Dogwood Hickory Laurel Pine Poplar Prospect Sycamore Valley Union Winding Orchard"
)
US_KINDS = ("Street", "Avenue", "Road", "Drive", "Lane", "Court", "Boulevard", "Place", "Way",
            "Terrace", "Circle", "Parkway")  # fmt: skip
US_SHORT = {"Street": "St", "Avenue": "Ave", "Road": "Rd", "Drive": "Dr", "Lane": "Ln",
            "Court": "Ct", "Boulevard": "Blvd", "Place": "Pl", "Terrace": "Ter", "Circle": "Cir",
            "Parkway": "Pkwy"}  # fmt: skip
DE_WORDS = words(
    "Linden Haupt Schul Garten Bahnhof Dorf Berg Birken Kirch Wald Ring Wiesen Schiller Goethe "
    "Mozart Rosen Mühlen Brunnen Feld Buchen Tannen Eichen Burg Schloss Kaiser König Markt"
)
DE_KINDS = ("straße", "weg", "gasse", "platz", "allee", "ring")
FR_WORDS = words(
    "de la République|Victor Hugo|Pasteur|de l'Église|du Moulin|des Écoles|de la Gare|du Château|"
    "Jean Jaurès|des Lilas|de la Paix|Voltaire|du Général de Gaulle|des Acacias|de Verdun|Gambetta|"
    "Jules Ferry|de la Fontaine|du Stade|des Tilleuls|Saint-Michel|Émile Zola|de Provence",
    between="|",
)
FR_KINDS = ("rue", "avenue", "boulevard", "chemin", "place", "impasse")
NL_WORDS = words(
    "Kerk School Dorps Molen Nieuwe Wilhelmina Juliana Beatrix Emma Keizers Prinsen Heren "
    "Stations Linden Eiken Beuken Park Haven Markt Hoofd Ooster Wester Zand Industrie"
)
NL_KINDS = ("straat", "weg", "laan", "gracht", "plein", "kade", "hof")
IE_WORDS = words(
    "Main O'Connell Patrick Church Castle Abbey Griffith Pearse Parnell Mill Dublin Cork Shannon "
    "Killarney Ashfield Oakwood Riverside Woodlands Sandymount Merrion"
)
IE_KINDS = ("Street", "Road", "Avenue", "Park", "Drive", "Grove", "Terrace")
LETTERS = "ABCDEFGHJKLMNPRSTVWXYZ"


@dataclass(frozen=True)
class Addresses:
    """Addresses in parts, one entry each; ``unit`` is empty for houses."""

    country: Texts
    house: Texts
    line: Texts
    unit: Texts
    city: Texts
    postcode: Texts

    def take(self, places: Integers) -> Addresses:
        """Return the addresses at the given places."""
        return Addresses(*(getattr(self, field.name)[places] for field in fields(self)))

    def where(self, chosen: np.ndarray, other: Addresses) -> Addresses:
        """Return these addresses, and the other's where chosen."""
        return Addresses(
            *(
                np.where(chosen, getattr(other, field.name), getattr(self, field.name))
                for field in fields(self)
            )
        )


def draw_addresses(country: Integers, draw: np.random.Generator) -> Addresses:
    """Return one address a household in the given countries (places in ``COUNTRIES``)."""
    size = len(country)
    post = np.zeros(size, dtype=np.int64)
    for number, count in enumerate(POSTCODES):
        here = np.flatnonzero(country == number)
        post[here] = draw.choice(count, len(here), p=zipf_shares(count, exponent=0.6))
    which = draw.choice(STREETS_PER_POSTCODE, size, p=zipf_shares(60, exponent=0.4))
    house = draw.integers(1, 260, size)
    in_block = draw.random(size) < BLOCK_SHARE
    unit = np.where(in_block, draw.integers(1, 9, size) * 10 + draw.integers(0, 6, size), 0)
    _gather_into_blocks(in_block, country, (post, which, house))
    towns, postcodes = _draw_postcodes()
    street = (post * 131 + which * 17) % STREETS
    line, printed = _streets()
    return Addresses(
        country=COUNTRIES[country],
        house=_house_numbers(house, country, draw, in_block=in_block),
        line=line[country, street],
        unit=np.where(unit > 0, printed[unit], ""),
        city=towns[country, post],
        postcode=postcodes[country, post],
    )


def _gather_into_blocks(
    in_block: np.ndarray, country: Integers, places: tuple[Integers, ...]
) -> None:
    """Give each run of households in blocks of flats the street and number of its first one."""
    members = np.flatnonzero(in_block)
    order = members[np.argsort(country[members], kind="stable")]
    model = order[np.arange(len(order)) // FLATS_PER_BLOCK * FLATS_PER_BLOCK]
    same = country[model] == country[order]
    for column in places:
        column[order[same]] = column[model[same]]


def _house_numbers(
    house: Integers, country: Integers, draw: np.random.Generator, *, in_block: np.ndarray
) -> Texts:
    stretch = np.where(country == 0, 7 * house + 100, house)
    text = stretch.astype(str).astype(object)
    lettered = (country == 1) & (draw.random(len(house)) < 0.15) & ~in_block
    letter = np.array(list("abc"), dtype=object)[draw.integers(0, 3, len(house))]
    return np.where(lettered, text + letter, text)


def _streets() -> tuple[np.ndarray, Texts]:
    draw = np.random.default_rng(17)  # streets are the same in every population
    names, _ = load_lists()["census_family"]
    tables = []
    for words, kinds, form in (
        (US_WORDS, US_KINDS, "{word} {kind}"),
        (DE_WORDS, DE_KINDS, "{word}{kind}"),
        (FR_WORDS, FR_KINDS, "{kind} {word}"),
        (NL_WORDS, NL_KINDS, "{word}{kind}"),
        (IE_WORDS, IE_KINDS, "{word} {kind}"),
    ):
        found = []
        for number in range(STREETS):
            kind = kinds[draw.integers(0, len(kinds))]
            word = words[number % len(words)] if number % 3 else names[number]
            if words is US_WORDS and number % 11 == 0:
                word = f"{'NESW'[number % 4]} {_ordinal(1 + number % 97)}"
            found.append(form.format(word=word, kind=kind))
        tables.append(found)
    units = [f"{number // 10}{'ABCDEF'[number % 10 % 6]}" for number in range(100)]
    return np.array(tables, dtype=object), np.array(units, dtype=object)


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 // 10 != 1 else 0, "th")
    return f"{number}{ending}"


def _draw_postcodes() -> tuple[np.ndarray, np.ndarray]:
    """Return towns and postcodes by country and number; American ones often begin with 0."""
    fixed = np.random.default_rng(23)  # geography is the same in every population
    most = max(POSTCODES)
    names, _ = load_lists()["census_family"]
    endings = ("ville", "ton", " Falls", " Heights", "field", "burgh", "port", " Springs", "wood")
    cities = np.empty((len(COUNTRIES), most), dtype=object)
    codes = np.empty((len(COUNTRIES), most), dtype=object)
    north_east = fixed.choice(np.arange(1_001, 8_900), most, replace=False)
    elsewhere = fixed.choice(np.arange(10_001, 99_900), (4, most), replace=False)
    us = np.where(np.arange(most) % 3 == 0, north_east, elsewhere[0])
    codes[0] = numbered("", us, digits=5)
    codes[1] = numbered("", elsewhere[1], digits=5)
    codes[2] = numbered("", elsewhere[2], digits=5)
    for number in range(most):
        pair = LETTERS[number % 22] + LETTERS[number // 22 % 22]
        codes[3, number] = f"{1000 + elsewhere[3, number] % 8999} {pair}"
        codes[4, number] = f"{LETTERS[number % 20]}{number % 90 + 10} {pair}{number % 90 + 10}"
        for country, ending in enumerate(("", "heim", "-sur-Orne", "dam", "more")):
            word = names[2000 + number // 4 + 300 * country]
            cities[country, number] = word + (ending or endings[number // 4 % len(endings)])
    return cities, codes


def print_street(parts: tuple[str, str, str, str], number: int) -> str:
    """Return a street line as somebody in that country might write it.

    Args:
        parts: Country, house number, street line and unit.
        number: Decides on short forms and on how the unit is written.
    """
    country, house, line, unit = parts
    if country == "US":
        head, _, kind = line.rpartition(" ")
        if number % 5 < 3:
            kind = US_SHORT.get(kind, kind) + ("." if number % 10 == 0 else "")
        street = f"{house} {head} {kind}"
        forms = (f"{street} Apt {unit}", f"{street}, Apt. {unit}", f"{street} #{unit}",
                 f"{street} Unit {unit}", f"{unit} {street}", street)  # fmt: skip
    elif country == "DE":
        line = line.replace("straße", "str.") if number % 3 == 0 else line
        street = f"{line} {house}"
        forms = (f"{street} // {unit}", f"{street}, Whg. {unit}", street, street)
    elif country == "FR":
        street = f"{house}, {line}" if number % 2 else f"{house} {line}"
        forms = (f"{street}, Appt {unit}", f"Appt {unit} {street}", street)
    elif country == "NL":
        street = f"{line} {house}"
        forms = (f"{street}-{unit}", f"{street} {unit}", street)
    else:
        street = f"{house} {line}"
        forms = (f"Apt {unit}, {street}", f"Flat {unit}, {street}", street)
    return forms[number // 10 % len(forms)] if unit else street


def print_postcode(country: str, postcode: str, number: int) -> str:
    """Return a postcode as printed: ZIP+4, leading zeros lost, blanks left out."""
    if country == "US":
        if number % 9 == 0:
            return f"{postcode}-{1000 + number // 9 % 8999}"
        return postcode.lstrip("0") if number % 23 == 1 else postcode
    return postcode.replace(" ", "") if number % 3 == 0 else postcode


def draw_phones(country: Texts, draw: np.random.Generator, *, mobile: bool) -> Texts:
    """Return national telephone numbers: ten digits at home, with the trunk zero abroad."""
    size = len(country)
    area = draw.integers(0, 40, size)
    local = draw.integers(200_0000, 999_9999, size)
    found = []
    for here, zone, rest in zip(country.tolist(), area.tolist(), local.tolist(), strict=True):
        if here == "US":
            found.append(f"{(212 + zone * 17) % 780 + 201}{rest}")
        else:
            prefix = {"DE": ("0170", "030"), "FR": ("06", "01"), "NL": ("06", "020"),
                      "IE": ("087", "01")}[here][0 if mobile else 1]  # fmt: skip
            found.append(f"{prefix}{zone % 10}{rest}")
    return np.array(found, dtype=object)


def print_phone(country: str, phone: str, number: int) -> str:
    """Return a telephone number in one of the formats of its country."""
    if country == "US":
        a, b, c = phone[:3], phone[3:6], phone[6:]
        return (
            phone, f"({a}) {b}-{c}", f"{a}-{b}-{c}", f"{a}.{b}.{c}", f"+1 {a} {b} {c}",
            f"+1{phone}", f"1-{a}-{b}-{c}",
        )[number % 7]  # fmt: skip
    code = {"DE": "49", "FR": "33", "NL": "31", "IE": "353"}[country]
    head, rest = phone[:4], phone[4:]
    return (
        phone, f"{head} {rest}", f"+{code} {phone[1:]}", f"+{code}{phone[1:]}",
        f"00{code}{phone[1:]}", f"+{code} (0){phone[1:]}", f"{head}/{rest}",
    )[number % 7]  # fmt: skip
