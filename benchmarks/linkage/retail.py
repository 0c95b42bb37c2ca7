"""A retailer's records: tills, loyalty scheme, web shop and a contact list, with known truth.

Households share address, landline, a family mailbox and at the till the partner's card; there are
twins, juniors, maiden names and movers; each source misses fields in its own way. The shares are
those of the set on which linkage was designed (see ``identity.md``); seeds and ``HELD_OUT`` are
not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.linkage import slips
from benchmarks.linkage.records import (
    LONG_AGO,
    emptied,
    numbered,
    slip_dates,
    write_population,
)
from benchmarks.linkage.wordlists import Integers, Texts, load_lists, pick, zipf_shares

TODAY = np.datetime64("2026-11-01")
SOURCES = np.array(["pos", "loyalty", "ecom", "crm"], dtype=object)
KINDS = np.array(["receipt", "loyalty", "account", "contact"], dtype=object)
RECORDS_PER_PERSON = 2.2
MOST_RECORDS = 12
DOMAINS = np.array(
    ["gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "aol.com", "icloud.com",
     "comcast.net"], dtype=object)  # fmt: skip
DOMAIN_SHARES = (0.45, 0.18, 0.10, 0.10, 0.06, 0.07, 0.04)
STREET_KINDS = np.array(
    [("st", "street"), ("ave", "avenue"), ("rd", "road"), ("ln", "lane"), ("dr", "drive"),
     ("ct", "court"), ("blvd", "boulevard"), ("way", "way")], dtype=object)  # fmt: skip
MISSING = {  # share without the field: tills, loyalty, web shop, contacts
    "given": (0.03, 0.005, 0.01, 0.03),
    "family": (0.03, 0.005, 0.005, 0.03),
    "email": (0.55, 0.20, 0.01, 0.35),
    "phone": (0.45, 0.15, 0.25, 0.25),
    "birth_date": (0.75, 0.12, 0.65, 0.45),
    "address": (0.65, 0.15, 0.08, 0.30),
    "loyalty_id": (0.45, 0.0, 0.60, 0.70),
}


@dataclass(frozen=True)
class RetailSetting:
    """What can be turned on a retail population.

    Attributes:
        records: Person records.
        seed: Seed of everything drawn.
        size_shares: Shares of households with 1, 2, .. members.
        family_mailbox_share: Households with a common mailbox.
        landline_share: Households with a landline that members give.
        partner_card_share: Till records that carry the partner's loyalty card.
        slip_factor: 1 for the design's shares of typing slips; 2 doubles them all.
    """

    records: int = 200_000
    seed: int = 4101
    size_shares: tuple[float, ...] = (0.30, 0.33, 0.17, 0.13, 0.07)
    family_mailbox_share: float = 0.12
    landline_share: float = 0.30
    partner_card_share: float = 0.04
    slip_factor: float = 1.0


HELD_OUT = RetailSetting(
    seed=4177,
    size_shares=(0.22, 0.30, 0.20, 0.18, 0.10),
    family_mailbox_share=0.20,
    landline_share=0.40,
    partner_card_share=0.15,
    slip_factor=1.25,
)


@dataclass(frozen=True)
class People:
    """The population: one entry a person, households in runs, head first, partner second."""

    household: Integers
    place: Integers
    head: Integers
    given: Texts
    family: Texts
    born_family: Texts
    birth_date: np.ndarray

    @property
    def size(self) -> int:
        """How many people there are."""
        return len(self.household)


@dataclass(frozen=True)
class Belongings:
    """Addresses and contact points, one entry a person."""

    here: dict[str, Texts]
    there: dict[str, Texts]
    mailboxes: tuple[Texts, Texts]
    mobiles: tuple[Texts, Texts]
    landline: Texts
    gives_landline: np.ndarray
    loyalty_id: Texts


def generate(setting: RetailSetting, folder: Path) -> None:
    """Write a retail population's ``records.parquet`` and ``truth.parquet``."""
    draw = np.random.default_rng(setting.seed)
    people = draw_people(setting, draw)
    belongings = draw_belongings(people, setting, draw)
    extra = draw.geometric(1 / (RECORDS_PER_PERSON - 0.2), people.size)
    counts = np.minimum(extra + (draw.random(people.size) < 0.2), MOST_RECORDS)
    rows = draw.permutation(np.repeat(np.arange(people.size), counts))[: setting.records]
    source = draw.choice(4, len(rows), p=[0.35, 0.25, 0.30, 0.10])
    columns = {
        "source": SOURCES[source],
        "record_key": numbered("", draw.permutation(len(rows)), digits=8),
        "record_kind": KINDS[source],
        **write_names(people, rows, source, setting, draw),
        **write_contacts(people, belongings, rows, source, setting, draw),
        **write_address(belongings, rows, source, setting, draw),
    }
    write_population(columns, rows, people.household[rows], folder)


def draw_people(setting: RetailSetting, draw: np.random.Generator) -> People:
    """Return households of the setting's sizes, with names and birth dates."""
    sizes = np.arange(1, len(setting.size_shares) + 1)
    mean = float(np.dot(sizes, setting.size_shares))
    households = int(setting.records / RECORDS_PER_PERSON / mean * 1.02) + 1
    members = draw.choice(sizes, households, p=setting.size_shares)
    household = np.repeat(np.arange(households), members)
    first = np.concatenate([[0], np.cumsum(members)[:-1]])
    head = first[household]
    place = np.arange(len(household)) - head
    size = len(household)
    male = draw.random(size) < 0.5
    partner = place == 1
    male[partner] = ~male[head[partner]] ^ (draw.random(partner.sum()) < 0.04)
    family = pick("census_family", households, draw)[household]
    other = pick("census_family", size, draw)
    keeps_own = partner & (draw.random(size) < 0.25)
    family[keeps_own] = other[keeps_own]
    given = np.where(male, pick("census_male", size, draw), pick("census_female", size, draw))
    junior = (place > 1) & male & male[head] & (draw.random(size) < 0.03)
    given[junior] = given[head[junior]]
    grown = (place < 2) & ~male & (members[household] > 1) & ~keeps_own
    renamed = grown & (draw.random(size) < 0.22)
    return People(
        household=household,
        place=place,
        head=head,
        given=given,
        family=family,
        born_family=np.where(renamed, other, family),
        birth_date=_draw_births(place, head, draw),
    )


def _draw_births(place: Integers, head: Integers, draw: np.random.Generator) -> np.ndarray:
    size = len(place)
    of_head = draw.integers(22 * 365, 85 * 365, size)[head]
    child = place > 1
    age = of_head + np.where(place == 1, draw.normal(0, 4 * 365, size).astype(np.int64), 0)
    age = np.where(child, of_head - draw.integers(18 * 365, 41 * 365, size), age)
    young = age < 16 * 365
    age[young] = draw.integers(16 * 365, 40 * 365, young.sum())
    twins = np.flatnonzero((place == 3) & (draw.random(size) < 0.06))
    age[twins] = age[twins - 1]
    return TODAY - age


def draw_belongings(
    people: People, setting: RetailSetting, draw: np.random.Generator
) -> Belongings:
    """Return where people live and how they are reached."""
    size, household = people.size, people.household
    households = int(household.max()) + 1
    towns = _draw_towns(draw)
    here = {name: value[household] for name, value in _draw_addresses(households, towns, draw)}
    moves = draw.random(size) < 0.14
    there = {
        name: np.where(moves, value, here[name])
        for name, value in _draw_addresses(size, towns, draw)
    }
    own = _name_mailboxes(people, draw)
    shares = (draw.random(households) < setting.family_mailbox_share)[household]
    shares &= draw.random(size) < 0.7
    cards = draw.permutation(size * 3)[:size]
    has_card = draw.random(size) < 0.6
    landlines = (draw.random(households) < setting.landline_share)[household]
    return Belongings(
        here=here,
        there=there,
        mailboxes=(np.where(shares, own[people.head], own), _name_mailboxes(people, draw)),
        mobiles=(_draw_phones(size, draw), _draw_phones(size, draw)),
        landline=_draw_phones(households, draw)[household],
        gives_landline=landlines & (draw.random(size) < 0.6),
        loyalty_id=emptied(numbered("L", 100_000_000 + cards, digits=9), ~has_card),
    )


def _draw_towns(draw: np.random.Generator) -> tuple[Texts, Texts, np.ndarray]:
    postcodes = numbered("", draw.choice(np.arange(10_000, 99_999), 1200, replace=False), digits=5)
    endings = np.array(["ville", "ton", " springs", " city", "burg", " park"], dtype=object)
    towns = pick("census_family", 400, draw) + endings[draw.integers(0, 6, 400)]
    return postcodes, towns[draw.integers(0, 400, 1200)], zipf_shares(1200, exponent=0.7, shift=0)


def _draw_addresses(
    count: int, towns: tuple[Texts, Texts, np.ndarray], draw: np.random.Generator
) -> list[tuple[str, Texts]]:
    postcodes, cities, shares = towns
    place = draw.choice(len(postcodes), count, p=shares)
    number = draw.integers(0, 160, count)
    names, _ = load_lists()["census_family"]
    flat = np.where(draw.random(count) < 0.25, draw.integers(1, 60, count), 0)
    return [
        ("house", draw.integers(1, 400, count).astype(str).astype(object)),
        ("line", names[(place * 37 + number * 101) % 3500]),
        ("kind", ((place + number) % 8).astype(object)),
        ("flat", flat.astype(object)),
        ("city", cities[place]),
        ("postcode", postcodes[place]),
    ]


def _name_mailboxes(people: People, draw: np.random.Generator) -> Texts:
    size = people.size
    years = people.birth_date.astype("datetime64[Y]").astype(object)
    number = draw.integers(1, 1000, size).tolist()
    style = draw.integers(0, 5, size).tolist()
    words = pick("census_family", size, draw)
    domain = DOMAINS[draw.choice(len(DOMAINS), size, p=DOMAIN_SHARES)]
    taken: dict[str, int] = {}
    found = []
    for i, (given, family) in enumerate(zip(people.given, people.born_family, strict=True)):
        many = number[i]
        name = (
            f"{given}.{family}{many % 100}",
            f"{given[0]}{family}{many}",
            f"{given}{years[i].year}{many if many % 2 else ''}",
            f"{words[i]}{many}",
            f"{family}.{given}{many}",
        )[style[i]].lower()
        whole = f"{name}@{domain[i]}"
        again = taken.get(whole, 0)
        taken[whole] = again + 1  # mailboxes are unique
        found.append(f"{name}{again + 1:02d}x@{domain[i]}" if again else whole)
    return np.array(found, dtype=object)


def _draw_phones(count: int, draw: np.random.Generator) -> Texts:
    area = draw.integers(201, 989, count) * 10_000_000
    return numbered("", area + draw.integers(2_000_000, 9_999_999, count), digits=10)


def write_names(
    people: People,
    rows: Integers,
    source: Integers,
    setting: RetailSetting,
    draw: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Return the name columns of the records, slips included."""
    size, factor = len(rows), setting.slip_factor
    older = draw.random(size) < 0.45
    given = people.given[rows].copy()
    family = np.where(older, people.born_family[rows], people.family[rows])
    given = slips.apply(given, draw.random(size) < 0.12, draw, slips.shorten)
    given = slips.apply(given, draw.random(size) < 0.045 * factor, draw, slips.mistype)
    family = slips.apply(family, draw.random(size) < 0.055 * factor, draw, slips.mistype)
    at_till = source == 0
    initial = (draw.random(size) < 0.03 * factor) & at_till
    given = slips.apply(given, initial, draw, slips.take_initial)
    double = draw.random(size) < 0.01
    family = np.where(double, family + "-" + pick("census_family", size, draw), family)
    swapped = draw.random(size) < 0.012 * factor
    given, family = np.where(swapped, family, given), np.where(swapped, given, family)
    letters = np.array(list("ABCDEFGHIJKLMNOPRSTW"), dtype=object)[draw.integers(0, 20, size)]
    given = np.where(draw.random(size) < 0.08, given + " " + letters, given)
    loud = draw.random(size) < 0.45
    given = slips.apply(given, loud, draw, slips.change_case)
    family = slips.apply(family, loud, draw, slips.change_case)
    return {
        "given_name": _drop("given", given, source, draw),
        "family_name": _drop("family", family, source, draw),
    }


def write_contacts(
    people: People,
    belongings: Belongings,
    rows: Integers,
    source: Integers,
    setting: RetailSetting,
    draw: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Return birth dates, mailboxes, telephones and cards of the records."""
    size, factor, at_till = len(rows), setting.slip_factor, source == 0
    births = slip_dates(people.birth_date[rows], draw, factor)
    births = np.where((source != 1) & (draw.random(size) < 0.012), LONG_AGO, births)
    first, second = belongings.mailboxes
    email = np.where(draw.random(size) < 0.18, second[rows], first[rows])
    email = slips.apply(email, draw.random(size) < 0.02 * factor, draw, slips.slip_mailbox)
    email = np.where(at_till & (draw.random(size) < 0.01), "none@none.com", email)
    mobile, older = belongings.mobiles
    phone = np.where(draw.random(size) < 0.12, older[rows], mobile[rows])
    lands = belongings.gives_landline[rows] & (draw.random(size) < 0.6)
    phone = np.where(lands, belongings.landline[rows], phone)
    phone = slips.apply(phone, draw.random(size) < 0.02 * factor, draw, slips.slip_digit)
    phone = np.where(at_till & (draw.random(size) < 0.015), "0000000000", phone)
    phone = slips.apply(phone, np.ones(size, dtype=bool), draw, _print_phone)
    partner = np.where(people.place[rows] == 1, people.head[rows], rows)
    lent = at_till & (draw.random(size) < setting.partner_card_share)
    card = belongings.loyalty_id[np.where(lent, partner, rows)]
    return {
        "birth_date": _drop("birth_date", births, source, draw),
        "email": _drop("email", email, source, draw),
        "phone": _drop("phone", phone, source, draw),
        "loyalty_id": _drop("loyalty_id", card, source, draw),
    }


def _print_phone(phone: str, number: int) -> str:
    return (phone, f"({phone[:3]}) {phone[3:6]}-{phone[6:]}", f"+1{phone}", phone)[number % 4]


def write_address(
    belongings: Belongings,
    rows: Integers,
    source: Integers,
    setting: RetailSetting,
    draw: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Return the address columns of the records."""
    size, factor = len(rows), setting.slip_factor
    away = draw.random(size) < 0.5
    part = {
        name: np.where(away, belongings.there[name][rows], belongings.here[name][rows])
        for name in belongings.here
    }
    spelt = (draw.random(size) < 0.4).astype(np.int64)
    kind = STREET_KINDS[part["kind"].astype(np.int64), spelt]
    flat = part["flat"].astype(np.int64)
    shows_flat = (flat > 0) & (draw.random(size) < 0.8)
    street = part["house"] + " " + part["line"] + " " + kind
    street = np.where(shows_flat, street + " apt " + flat.astype(str).astype(object), street)
    street = slips.apply(street, draw.random(size) < 0.06 * factor, draw, slips.mistype)
    postcode = part["postcode"]
    postcode = slips.apply(postcode, draw.random(size) < 0.02 * factor, draw, slips.slip_digit)
    city = slips.apply(part["city"], draw.random(size) < 0.03 * factor, draw, slips.mistype)
    lost = draw.random(size) < np.array(MISSING["address"])[source]
    country = np.full(size, "US", dtype=object)
    return {
        name: emptied(value, lost)
        for name, value in (
            ("street", street), ("city", city), ("postcode", postcode), ("country", country)
        )
    }  # fmt: skip


def _drop(
    field: str, values: np.ndarray, source: Integers, draw: np.random.Generator
) -> np.ndarray:
    return emptied(values, draw.random(len(values)) < np.array(MISSING[field])[source])
