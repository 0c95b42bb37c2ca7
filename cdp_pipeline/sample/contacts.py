"""Where people can be reached: addresses, telephones and mailboxes, as they truly are.

True contact points belong here; how they are mistyped is in ``slips``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from cdp_pipeline.sample.arrays import (
    Bools,
    Floats,
    Ints,
    Texts,
    happens,
    join_texts,
    number_texts,
    open_stream,
    pick,
    positions_in_groups,
)
from cdp_pipeline.sample.names import read_packed
from cdp_pipeline.sample.people import FLAT_MATE, People, household_heads
from cdp_pipeline.sample.seasons import Timeline
from cdp_pipeline.sample.slips import strip_accents

STREETS_PER_PLACE = 900
_STREET_NAMES = (
    "High", "Station", "Church", "Victoria", "Albert", "Park", "Mill", "Green", "Manor",
    "Kings", "Queens", "York", "Windsor", "Grange", "Highfield", "North", "South", "West",
    "East", "Main", "New", "Chapel", "School", "Springfield", "George", "Stanley", "Alexandra",
    "Richmond", "Clarence", "Broad", "Bridge", "Castle", "Elm", "Oak", "Beech", "Cedar",
    "Chestnut", "Willow", "Hawthorn", "Holly", "Poplar", "Sycamore", "Birch", "Meadow",
    "Orchard", "Garden", "Hill", "Hillside", "Woodland", "Woodside", "Wood", "Brook", "River",
    "Lake", "Priory", "Abbey", "Vicarage", "Rectory", "College", "University", "Nelson",
    "Wellington", "Cromwell", "Salisbury", "Cambridge", "Oxford", "Derby", "Lincoln",
    "Gloucester", "Warwick", "Balmoral", "Sandringham", "Lansdowne",
)  # fmt: skip
_STREET_KINDS = ("Road", "Street", "Avenue", "Close", "Lane", "Drive", "Gardens", "Terrace",
                 "Crescent", "Way", "Court", "Place")  # fmt: skip
_MAIL_HOSTS = ("gmail.com", "hotmail.co.uk", "hotmail.com", "outlook.com", "yahoo.co.uk",
               "btinternet.com", "icloud.com", "sky.com", "live.co.uk", "aol.com",
               "virginmedia.com", "talktalk.net")  # fmt: skip
_MAIL_SHARES = (0.40, 0.10, 0.09, 0.09, 0.08, 0.06, 0.08, 0.03, 0.03, 0.02, 0.01, 0.01)
_POSTCODE_LETTERS = np.array(list("ABDEFGHJLNPQRSTUWXYZ"))


@dataclass(frozen=True)
class Places:
    """Towns people live in; those with a store come first, in the order of their stores."""

    city: Texts
    area: Texts
    districts: Ints
    dial_code: Texts
    latitude: Floats
    longitude: Floats
    weight: Floats
    store_name: Texts
    store_street: Texts
    nearest_store: Ints


@dataclass(frozen=True)
class Addresses:
    """Postal addresses in numbers.

    Attributes:
        place: Index into the places.
        street: Number of the street within its place; fixes the postcode too.
        number: House number.
        flat: Flat number, 0 for a house.
    """

    place: Ints
    street: Ints
    number: Ints
    flat: Ints

    def take(self, index: Ints) -> Addresses:
        """Return the addresses at ``index``."""
        return Addresses(
            self.place[index], self.street[index], self.number[index], self.flat[index]
        )


@dataclass(frozen=True)
class Contacts:
    """True contact points, one entry per person.

    Attributes:
        address: Where the person lives now.
        former_address: Where the person lived before; only movers have used it.
        email: Main mailbox; empty for people without e-mail. Families may share one.
        second_email: Another mailbox; empty for most.
        mobile: Ten or eleven national digits; empty for few.
        landline: Digits of the household's landline; empty if it has none.
        home_store: Index of the nearest store.
    """

    address: Addresses
    former_address: Addresses
    email: Texts
    second_email: Texts
    mobile: Texts
    landline: Texts
    home_store: Ints


@cache
def load_places() -> Places:
    """Return the packed towns with their nearest store."""
    rows = read_packed("places.csv")
    latitude = np.array([float(row["latitude"]) for row in rows])
    longitude = np.array([float(row["longitude"]) for row in rows])
    stores = sum(1 for row in rows if row["store_name"])
    # One degree of longitude is about 0.6 of a degree of latitude in Britain.
    across = (longitude[:, None] - longitude[None, :stores]) * 0.6
    distance = (latitude[:, None] - latitude[None, :stores]) ** 2 + across**2
    return Places(
        city=np.array([row["city"] for row in rows]),
        area=np.array([row["postcode_area"] for row in rows]),
        districts=np.array([int(row["districts"]) for row in rows]),
        dial_code=np.array([row["dial_code"] for row in rows]),
        latitude=latitude,
        longitude=longitude,
        weight=np.array([float(row["weight"]) for row in rows]),
        store_name=np.array([row["store_name"] for row in rows]),
        store_street=np.array([row["store_street"] for row in rows]),
        nearest_store=np.argmin(distance, axis=1).astype(np.int64),
    )


def connect_people(people: People, timeline: Timeline, seed: int) -> Contacts:
    """Return the contact points of all people; households share address and landline."""
    rng = open_stream(seed, "contacts")
    heads = household_heads(people.household)
    address = _draw_addresses(rng, len(people))
    second = _draw_addresses(rng, len(people))
    home = address.take(heads)
    former = Addresses(
        np.where(happens(rng, 0.6, len(people)), home.place, second.place),
        second.street,
        second.number,
        second.flat,
    )
    email, second_email = _draw_mailboxes(rng, people, timeline)
    return Contacts(
        address=home,
        former_address=former,
        email=email,
        second_email=second_email,
        mobile=_draw_mobiles(rng, people, timeline),
        landline=_draw_landlines(rng, home.place, heads),
        home_store=load_places().nearest_store[home.place],
    )


def write_streets(addresses: Addresses) -> Texts:
    """Return address lines such as ``Flat 3, 12 Station Road``."""
    streets = _street_table()[addresses.street]
    line = join_texts(number_texts(addresses.number), " ", streets)
    with_flat = join_texts("Flat ", number_texts(addresses.flat), ", ", line)
    return np.where(addresses.flat > 0, with_flat, line)


def write_postcodes(addresses: Addresses) -> Texts:
    """Return postcodes such as ``LS6 3QB``; neighbours in a street share one."""
    places = load_places()
    district = addresses.street % places.districts[addresses.place] + 1
    sector = addresses.street // 7 % 9 + 1
    letters = _POSTCODE_LETTERS
    first = letters[addresses.street * 7 % len(letters)]
    # A postcode covers about 15 doors.
    last = letters[(addresses.street // 3 + addresses.number // 30) % len(letters)]
    area = places.area[addresses.place]
    return join_texts(area, number_texts(district), " ", number_texts(sector), first, last)


def write_cities(addresses: Addresses) -> Texts:
    """Return the towns of the addresses."""
    return load_places().city[addresses.place]


def write_countries(addresses: Addresses) -> Texts:
    """Return country codes: ``IE`` for Dublin, else ``GB``."""
    return np.where(load_places().area[addresses.place] == "D", "IE", "GB")


@cache
def _street_table() -> Texts:
    names = np.array(_STREET_NAMES)
    kinds = np.array(_STREET_KINDS)
    number = np.arange(STREETS_PER_PLACE)
    return join_texts(names[number % len(names)], " ", kinds[number * 5 // 7 % len(kinds)])


def _draw_addresses(rng: np.random.Generator, count: int) -> Addresses:
    in_flat = happens(rng, 0.18, count)
    return Addresses(
        place=pick(rng, load_places().weight, count),
        street=rng.integers(0, STREETS_PER_PLACE, count),
        number=np.minimum(rng.geometric(0.025, count), 240),
        flat=np.where(in_flat, rng.integers(1, 25, count), 0),
    )


def _draw_mailboxes(
    rng: np.random.Generator, people: People, timeline: Timeline
) -> tuple[Texts, Texts]:
    age = people.ages(timeline)
    lacks = happens(rng, np.clip((age - 55) / 90, 0.05, 0.5), len(people)) & ~people.is_cast
    own = _compose_mailboxes(rng, people, people.former_name)
    other = _compose_mailboxes(rng, people, people.last_name)
    both = _number_doubles(np.concatenate([own, other]))
    own, other = both[: len(people)], both[len(people) :]
    heads = household_heads(people.household)
    families = happens(rng, 0.14, len(people))[heads] & ~people.alone
    shared = families & happens(rng, 0.7, len(people)) & (people.role != FLAT_MATE)
    email = np.where(shared, own[heads], own)
    has_second = happens(rng, 0.15, len(people)) & ~people.is_cast
    return np.where(lacks, "", email), np.where(lacks | ~has_second, "", other)


def _compose_mailboxes(rng: np.random.Generator, people: People, surname: Texts) -> Texts:
    count = len(people)
    first = _mailbox_letters(people.first_name)
    last = _mailbox_letters(surname)
    number = number_texts(rng.integers(1, 99, count))
    year = number_texts(people.birth_date.astype("datetime64[Y]").astype(np.int64) + 1970)
    initial = first.astype("U1")
    words = _mailbox_letters(np.array(_STREET_NAMES))[rng.integers(0, len(_STREET_NAMES), count)]
    local = np.select(
        [np.equal(pick(rng, (0.34, 0.16, 0.16, 0.12, 0.14), count), kind) for kind in range(4)],
        [
            join_texts(first, ".", last),
            join_texts(initial, last, number),
            join_texts(first, year),
            join_texts(words, number, initial),
        ],
        join_texts(last, ".", first, number),
    )
    hosts = np.array(_MAIL_HOSTS)[pick(rng, _MAIL_SHARES, count)]
    return join_texts(local, "@", hosts)


def _mailbox_letters(names: Texts) -> Texts:
    plain = np.strings.lower(strip_accents(names))
    for character in ("'", "-", " "):
        plain = np.strings.replace(plain, character, "")
    return plain


def _number_doubles(mailboxes: Texts) -> Texts:
    """Give the second and later owner of the same name a number before the ``@``."""
    order = np.argsort(mailboxes, kind="stable")
    ordered = mailboxes[order]
    _, group = np.unique(ordered, return_inverse=True)
    turn = np.zeros(len(mailboxes), dtype=np.int64)
    turn[order] = positions_in_groups(group.astype(np.int64))
    local, at, host = np.strings.partition(mailboxes, "@")
    # The underscore keeps numbered names apart from names that end in a number by themselves.
    numbered = join_texts(local, "_", number_texts(turn + 1), at, host)
    return np.where(turn > 0, numbered, mailboxes)


def _draw_mobiles(rng: np.random.Generator, people: People, timeline: Timeline) -> Texts:
    lacks = happens(rng, np.clip((people.ages(timeline) - 60) / 100, 0.02, 0.3), len(people))
    numbers = 7_400_000_000 + rng.choice(599_999_999, len(people), replace=False)
    return np.where(lacks & ~people.is_cast, "", number_texts(numbers, 11))


def _draw_landlines(rng: np.random.Generator, place: Ints, heads: Ints) -> Texts:
    code = load_places().dial_code[place]
    # National numbers have eleven digits (Dublin's one fewer); the code's length leaves the rest.
    digits = number_texts(rng.integers(20_000_000, 89_999_999, len(heads))[heads], 8)
    has_one: Bools = happens(rng, 0.45, len(heads))[heads]
    room = 11 - np.strings.str_len(code)
    lengths = range(6, 9)
    tail = np.select(
        [room == n for n in lengths], [digits.astype(f"U{n}") for n in lengths], digits
    )
    return np.where(has_one, join_texts(code, tail), "")
