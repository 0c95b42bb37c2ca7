"""Who shops in the generated department store: households, names, birth dates, contact points.

Two states a person: before and after the day on which something changed (name, address, number).
Which of them a record shows is decided in ``store``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.linkage import slips
from benchmarks.linkage.records import numbered
from benchmarks.linkage.store_places import (
    COUNTRIES,
    COUNTRY_SHARES,
    Addresses,
    draw_addresses,
    draw_phones,
)
from benchmarks.linkage.wordlists import Floats, Integers, Texts, load_lists, pick, zipf_shares

TODAY = np.datetime64("2026-10-31")
WINDOW_DAYS = 5 * 365
SIZE_SHARES = (0.34, 0.31, 0.16, 0.13, 0.06)
ADULT_YEARS = 18
SHORT_LIST = 700
"""Lists of fewer surnames would make too many namesakes: half are rare names of the census."""
ORIGINS = ("us", "mx", "ie", "de", "it", "fr", "nl", "se", "es", "cz", "fi")
ORIGIN_SHARES = {
    "US": (0.66, 0.10, 0.05, 0.05, 0.05, 0.02, 0.02, 0.02, 0.01, 0.01, 0.01),
    "DE": (0.0, 0.0, 0.0, 0.84, 0.05, 0.01, 0.02, 0.02, 0.02, 0.03, 0.01),
    "FR": (0.0, 0.0, 0.01, 0.04, 0.07, 0.81, 0.01, 0.01, 0.05, 0.0, 0.0),
    "NL": (0.0, 0.0, 0.01, 0.06, 0.02, 0.03, 0.85, 0.01, 0.02, 0.0, 0.0),
    "IE": (0.02, 0.0, 0.90, 0.02, 0.02, 0.01, 0.0, 0.0, 0.02, 0.01, 0.0),
}
DOMAINS = {
    "US": (("gmail.com", "yahoo.com", "icloud.com", "hotmail.com", "aol.com", "verizon.net"),
           (0.52, 0.16, 0.13, 0.09, 0.06, 0.04)),
    "DE": (("gmx.de", "web.de", "gmail.com", "t-online.de"), (0.32, 0.26, 0.28, 0.14)),
    "FR": (("orange.fr", "gmail.com", "free.fr", "laposte.net"), (0.30, 0.42, 0.16, 0.12)),
    "NL": (("ziggo.nl", "gmail.com", "hotmail.nl", "kpnmail.nl"), (0.2, 0.5, 0.2, 0.1)),
    "IE": (("gmail.com", "eircom.net", "yahoo.ie", "hotmail.com"), (0.58, 0.14, 0.12, 0.16)),
}  # fmt: skip


@dataclass(frozen=True)
class StoreSetting:
    """What can be turned on a department store.

    Attributes:
        customers: People with at least one record.
        seed: Seed of everything drawn.
        size_shares: Shares of households with 1, 2, .. members.
        slip_factor: 1 for usual shares of typing slips; 2 doubles them all.
        sharing_factor: 1 for usual shares of common mailboxes, landlines and lent cards.
    """

    customers: int = 100_000
    seed: int = 9203
    size_shares: tuple[float, ...] = SIZE_SHARES
    slip_factor: float = 1.0
    sharing_factor: float = 1.0


@dataclass(frozen=True)
class Shoppers:
    """The customers: one entry a person, households in runs, head first, partner second.

    ``old`` columns hold what was true before ``changed_at``.
    """

    household: Integers
    head: Integers
    partner: Integers
    given: Texts
    family: Texts
    old_family: Texts
    suffix: Texts
    is_male: np.ndarray
    birth_date: np.ndarray
    address: Addresses
    old_address: Addresses
    email: Texts
    old_email: Texts
    family_email: Texts
    phone: Texts
    old_phone: Texts
    landline: Texts
    changed_at: np.ndarray

    @property
    def size(self) -> int:
        """How many people there are."""
        return len(self.household)


@dataclass(frozen=True)
class Frame:
    """The bones of the households: who lives with whom, in which role."""

    household: Integers
    place: Integers
    head: Integers
    members: Integers
    is_child: np.ndarray
    is_mate: np.ndarray
    is_partner: np.ndarray

    @property
    def size(self) -> int:
        """How many people there are."""
        return len(self.household)


def draw_shoppers(setting: StoreSetting, draw: np.random.Generator) -> Shoppers:
    """Return the store's customers with everything that their records can show."""
    frame = draw_frame(setting, draw)
    households = int(frame.household.max()) + 1
    country = draw.choice(len(COUNTRIES), households, p=COUNTRY_SHARES)
    origin = _draw_origins(frame, COUNTRIES[country][frame.household], draw)
    is_male = _draw_sexes(frame, draw)
    birth_date = _draw_births(frame, draw)
    family, old_family = _draw_families(frame, origin, is_male, draw)
    given = _draw_givens(frame, origin, is_male, birth_date, draw)
    given, suffix = _name_juniors(frame, given, is_male, draw)
    old_family = np.where(old_family == "", family, old_family)
    address, old_address = _settle(frame, country, draw)
    abroad = address.country
    email, old_email, family_email = _draw_mailboxes(
        frame, (given, old_family, family), birth_date, abroad, setting, draw
    )
    phone = draw_phones(abroad, draw, mobile=True)
    renewed = draw.random(frame.size) < 0.12
    landline = draw_phones(abroad, draw, mobile=False)[frame.head]
    has_line = (draw.random(households) < 0.34 * setting.sharing_factor)[frame.household]
    return Shoppers(
        household=frame.household,
        head=frame.head,
        partner=_find_partners(frame),
        given=given,
        family=family,
        old_family=old_family,
        suffix=suffix,
        is_male=is_male,
        birth_date=birth_date,
        address=address,
        old_address=old_address,
        email=email,
        old_email=old_email,
        family_email=family_email,
        phone=phone,
        old_phone=np.where(renewed, draw_phones(abroad, draw, mobile=True), phone),
        landline=np.where(has_line, landline, ""),
        changed_at=TODAY - draw.integers(30, WINDOW_DAYS - 30, households)[frame.household],
    )


def draw_frame(setting: StoreSetting, draw: np.random.Generator) -> Frame:
    """Return households of the setting's sizes: families, single parents, flat-mates."""
    sizes = np.arange(1, len(setting.size_shares) + 1)
    mean = float(np.dot(sizes, setting.size_shares))
    members = draw.choice(sizes, int(setting.customers / mean * 1.03) + 5, p=setting.size_shares)
    household = np.repeat(np.arange(len(members)), members)[: setting.customers]
    first = np.concatenate([[0], np.cumsum(members)[:-1]])
    head = first[household]
    place = np.arange(len(household)) - head
    are_mates = (draw.random(len(members)) < 0.07) & (members > 1)
    is_mate = are_mates[household]
    couple = (draw.random(len(members)) < 0.84)[household]
    is_partner = (place == 1) & couple & ~is_mate
    is_child = (place > 0) & ~is_partner & ~is_mate
    return Frame(
        household, place, head, members[household], is_child=is_child, is_mate=is_mate,
        is_partner=is_partner,
    )  # fmt: skip


def _find_partners(frame: Frame) -> Integers:
    """Return each person's partner, or the person where there is none."""
    found = np.arange(frame.size)
    seconds = np.flatnonzero(frame.is_partner)
    found[seconds] = frame.head[seconds]
    found[frame.head[seconds]] = seconds
    return found


def _draw_origins(frame: Frame, country: Texts, draw: np.random.Generator) -> Integers:
    origin = np.zeros(frame.size, dtype=np.int64)
    for name, shares in ORIGIN_SHARES.items():
        here = np.flatnonzero(country == name)
        origin[here] = draw.choice(len(ORIGINS), len(here), p=np.array(shares) / sum(shares))
    follows = ~frame.is_mate & (draw.random(frame.size) < np.where(frame.is_partner, 0.8, 1.0))
    return np.where(follows, origin[frame.head], origin)


def _draw_sexes(frame: Frame, draw: np.random.Generator) -> np.ndarray:
    is_male = draw.random(frame.size) < 0.46
    partners = np.flatnonzero(frame.is_partner)
    same = draw.random(len(partners)) < 0.05
    is_male[partners] = ~is_male[frame.head[partners]] ^ same
    return is_male


def _draw_births(frame: Frame, draw: np.random.Generator) -> np.ndarray:
    size = frame.size
    of_head = 20 + 68 * draw.beta(1.7, 2.3, size)[frame.head]
    age = np.where(frame.is_partner, of_head + draw.normal(-1.0, 4.0, size), of_head)
    mates = frame.is_mate & (frame.place > 0)
    age = np.where(mates, of_head + draw.normal(0.0, 3.0, size), age)
    children = frame.is_child
    age = np.where(children, of_head - draw.uniform(19, 42, size), age)
    young = age < np.where(children, 13, ADULT_YEARS)
    age = np.where(young, draw.uniform(13, 30, size), age)
    days = (age * 365.25).astype(np.int64)
    twins = np.flatnonzero(children & (draw.random(size) < 0.045))
    twins = twins[children[twins - 1] & (frame.head[twins] == frame.head[twins - 1])]
    days[twins] = days[twins - 1]
    return TODAY - days


def _draw_families(
    frame: Frame, origin: Integers, is_male: np.ndarray, draw: np.random.Generator
) -> tuple[Texts, Texts]:
    """Return present surnames, and former ones ("" where never changed)."""
    own = _family_names(origin, draw)
    family = np.where(frame.is_mate | frame.is_partner, own, own[frame.head])
    partners = np.flatnonzero(frame.is_partner)
    habit = draw.random(len(partners))
    of_head = own[frame.head[partners]]
    hyphen = np.where(
        habit < 0.37, own[partners] + "-" + of_head, of_head + "-" + own[partners]
    )  # fmt: skip
    took = np.where(habit < 0.42, hyphen, of_head)
    family[partners] = np.where(habit < 0.30, own[partners], took)
    former = np.full(frame.size, "", dtype=object)
    lately = (habit >= 0.30) & (draw.random(len(partners)) < 0.35)
    former[partners[lately]] = own[partners[lately]]
    alone = ~frame.is_partner & ~frame.is_child & ~is_male & (draw.random(frame.size) < 0.02)
    former[alone] = _family_names(origin, draw)[alone]
    kept_own = np.flatnonzero(frame.is_child & (draw.random(frame.size) < 0.06))
    family[kept_own] = own[frame.head[kept_own] + 1]  # the other parent's name
    return family, former


def _family_names(origin: Integers, draw: np.random.Generator) -> Texts:
    names = np.empty(len(origin), dtype=object)
    census, _ = load_lists()["census_family"]
    ranks = draw.choice(25_000, len(origin), p=zipf_shares(25_000, exponent=0.93))
    for number, name in enumerate(ORIGINS):
        here = np.flatnonzero(origin == number)
        names[here] = (
            census[ranks[here]] if name == "us" else pick(f"{name}_family", len(here), draw)
        )
        if len(load_lists()[f"{name}_family"][0]) < SHORT_LIST:
            rare = census[draw.integers(25_000, len(census), len(here))]
            names[here] = np.where(draw.random(len(here)) < 0.5, rare, names[here])
        if name in ("mx", "es"):
            second = pick(f"{name}_family", len(here), draw)
            both = draw.random(len(here)) < 0.45
            names[here] = np.where(both, names[here] + " " + second, names[here])
    return names


def _draw_givens(
    frame: Frame,
    origin: Integers,
    is_male: np.ndarray,
    birth_date: np.ndarray,
    draw: np.random.Generator,
) -> Texts:
    given = np.empty(frame.size, dtype=object)
    for number, name in enumerate(ORIGINS):
        for sex, chosen in (("male", is_male), ("female", ~is_male)):
            here = np.flatnonzero((origin == number) & chosen)
            given[here] = pick(f"{name}_{sex}", len(here), draw)
    again = np.flatnonzero(
        frame.is_child & (given == np.roll(given, 1)) & (birth_date == np.roll(birth_date, 1))
    )
    given[again] = given[again] + " Lee"  # twins are not namesakes
    return given


def _name_juniors(
    frame: Frame, given: Texts, is_male: np.ndarray, draw: np.random.Generator
) -> tuple[Texts, Texts]:
    """Name some sons after their fathers; other namesakes come of common names by themselves."""
    suffix = np.full(frame.size, "", dtype=object)
    son = frame.is_child & is_male & is_male[frame.head] & (draw.random(frame.size) < 0.045)
    given[son] = given[frame.head[son]]
    printed = son & (draw.random(frame.size) < 0.5)
    suffix[printed] = "Jr"
    fathers = frame.head[son & (draw.random(frame.size) < 0.2)]
    suffix[fathers] = "Sr"
    return given, suffix


def _settle(
    frame: Frame, country: Integers, draw: np.random.Generator
) -> tuple[Addresses, Addresses]:
    """Return present and former addresses: households that moved, and people who left alone."""
    size = frame.size
    homes = draw_addresses(country, draw)
    earlier = draw_addresses(country, draw)
    present = homes.take(frame.household)
    moved = (draw.random(len(country)) < 0.10)[frame.household]
    former = present.where(moved, earlier.take(frame.household))
    leaves = (frame.place > 0) & (draw.random(size) < np.where(frame.is_partner, 0.02, 0.10))
    alone = draw_addresses(country[frame.household], draw)
    return present.where(leaves, alone), former


def _draw_mailboxes(
    frame: Frame,
    names: tuple[Texts, Texts, Texts],
    birth_date: np.ndarray,
    country: Texts,
    setting: StoreSetting,
    draw: np.random.Generator,
) -> tuple[Texts, Texts, Texts]:
    """Return present, former and family mailboxes; "" for people without."""
    given, old_family, family = names
    taken: dict[str, int] = {}
    new = _name_mailboxes((given, family), birth_date, country, taken, draw)
    old = _name_mailboxes((given, old_family), birth_date, country, taken, draw)
    size = frame.size
    renewed = draw.random(size) < 0.22
    old = np.where(renewed, old, new)
    years = (TODAY - birth_date).astype(np.int64) / 365.25
    none = draw.random(size) < np.interp(years, [13, 18, 60, 90], [0.3, 0.04, 0.08, 0.45])
    shared = _name_family_boxes(family, country, taken, draw)[frame.head]
    households = int(frame.household.max()) + 1
    has_shared = (draw.random(households) < 0.14 * setting.sharing_factor)[frame.household]
    has_shared &= (frame.members > 1) & ~frame.is_mate
    has_shared &= draw.random(size) < 0.8
    return np.where(none, "", new), np.where(none, "", old), np.where(has_shared, shared, "")


def _name_mailboxes(
    names: tuple[Texts, Texts],
    birth_date: np.ndarray,
    country: Texts,
    taken: dict[str, int],
    draw: np.random.Generator,
) -> Texts:
    size = len(country)
    years = birth_date.astype("datetime64[Y]").astype(np.int64) + 1970
    numbers = draw.integers(0, 2**30, size).tolist()
    shares = draw.random(size)
    words = pick("census_family", size, draw)
    found = []
    for i, (given, family) in enumerate(zip(*names, strict=True)):
        g, f, word = _plain(given), _plain(family), _plain(words[i])
        k, year = numbers[i], int(years[i])
        name = (
            f"{g}.{f}", f"{g[0]}{f}{k % 90 + 10}", f"{f}{g[0]}{year % 100:02d}",
            f"{g}{f}{k % 1000}", f"{g}_{year}_{k % 50}", f"{word}{k % 10_000}",
            f"{g}{f[0]}{k % 10_000}", f"{g}.{f}{year}",
        )[k // 7 % 8]  # fmt: skip
        found.append(_unique(name, _domain(country[i], shares[i]), taken))
    return np.array(found, dtype=object)


def _name_family_boxes(
    family: Texts, country: Texts, taken: dict[str, int], draw: np.random.Generator
) -> Texts:
    shares = draw.random(len(family))
    numbers = draw.integers(1, 500, len(family)).tolist()
    forms = {"US": "the{0}s{1}", "IE": "{0}household{1}", "DE": "familie.{0}{1}",
             "FR": "famille.{0}{1}", "NL": "fam.{0}{1}"}  # fmt: skip
    return np.array(
        [
            _unique(forms[here].format(_plain(name), k), _domain(here, share), taken)
            for name, here, share, k in zip(family, country, shares, numbers, strict=True)
        ],
        dtype=object,
    )


def _plain(name: str) -> str:
    return "".join(c for c in slips.lose_accents(name, 1).lower() if c.isascii() and c.isalpha())


def _domain(country: str, share: float) -> str:
    domains, shares = DOMAINS[country]
    place = int(np.searchsorted(np.cumsum(shares), share))
    return domains[min(place, len(domains) - 1)]


def _unique(name: str, domain: str, taken: dict[str, int]) -> str:
    whole = f"{name}@{domain}"
    again = taken.get(whole, 0)
    taken[whole] = again + 1
    return f"{name}.{again + 1}x@{domain}" if again else whole


def draw_activity(size: int, draw: np.random.Generator) -> Floats:
    """Return how busy a shopper each customer is: mean 1, a long tail to the right."""
    return draw.gamma(0.9, 1 / 0.9, size)


def draw_cards(size: int, draw: np.random.Generator) -> Texts:
    """Return thirteen-digit card numbers that begin with zeros, as spreadsheets lose them."""
    return numbered("", 29_000_000 + draw.permutation(size * 4)[:size], digits=13)
