"""A department store's person records: loyalty scheme, web accounts, guest orders, e-receipts.

What ``data-contract.md`` says of people in a store's files, with names, addresses and frequencies
of another origin than the sample store's: the team's test set, on which nothing is tuned.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.linkage import slips
from benchmarks.linkage.records import LONG_AGO, emptied, numbered, slip_dates, write_population
from benchmarks.linkage.store_people import (
    TODAY,
    WINDOW_DAYS,
    Shoppers,
    StoreSetting,
    draw_activity,
    draw_cards,
    draw_shoppers,
)
from benchmarks.linkage.store_places import print_phone, print_postcode, print_street
from benchmarks.linkage.wordlists import Floats, Integers, Texts

SOURCES = np.array(["loyalty_members", "web_accounts", "guest_orders", "e_receipts"], dtype=object)
KINDS = np.array(["loyalty", "account", "order", "receipt"], dtype=object)
LOYALTY, ACCOUNT, ORDER, RECEIPT = range(4)
COURTESY_CARDS = np.array(["0000099999990", "0000099999991", "0000011111111"], dtype=object)
STORE_PHONE = "2125550100"
JUNK_PHONES = np.array([STORE_PHONE, "0000000000", "5555555555", "9999999999"], dtype=object)
JUNK_MAILBOXES = np.array(
    ["noemail@noemail.com", "none@none.com", "noreply@harborstore.com", "na@na.com",
     "receipts@harborstore.com"], dtype=object)  # fmt: skip
CUSTOMERS_PER_CASHIER = 2500

# By source: loyalty form keyed by a clerk, account typed by its owner, order, receipt at the till.
SHARES: dict[str, tuple[float, float, float, float]] = {
    "mistyped given": (0.030, 0.012, 0.020, 0.090),
    "mistyped family": (0.035, 0.015, 0.025, 0.100),
    "short form": (0.10, 0.16, 0.12, 0.18),
    "initial": (0.012, 0.010, 0.020, 0.060),
    "swapped": (0.012, 0.008, 0.010, 0.015),
    "plain letters": (0.55, 0.15, 0.30, 0.90),
    "case": (0.15, 0.08, 0.12, 0.35),
    "blanks": (0.015, 0.010, 0.010, 0.030),
    "remark": (0.008, 0.0, 0.0, 0.012),
    "mistyped street": (0.040, 0.020, 0.030, 0.0),
    "mistyped email": (0.020, 0.006, 0.010, 0.060),
    "dressed email": (0.03, 0.06, 0.05, 0.03),
    "mistyped phone": (0.015, 0.010, 0.012, 0.040),
    "junk email": (0.012, 0.0, 0.002, 0.025),
    "junk phone": (0.012, 0.003, 0.003, 0.010),
    "has email": (0.72, 1.0, 0.97, 0.72),
    "has phone": (0.76, 0.42, 0.62, 0.45),
    "has address": (0.86, 0.56, 0.96, 0.0),
    "has birth date": (0.80, 0.28, 0.0, 0.0),
    "has sex": (0.70, 0.20, 0.0, 0.0),
    "has name": (1.0, 1.0, 1.0, 0.58),
    "has card": (1.0, 0.22, 0.06, 0.36),
    "has payment": (0.0, 0.0, 0.85, 0.66),
}


@dataclass(frozen=True)
class Sheet:
    """The records to be written: whose they are, where they come from, what they still show."""

    person: Integers
    source: Integers
    day: np.ndarray
    is_old: np.ndarray
    factor: float
    sharing: float

    @property
    def size(self) -> int:
        """How many records there are."""
        return len(self.person)

    def chosen(self, what: str, draw: np.random.Generator) -> np.ndarray:
        """Return the rows to which something of ``SHARES`` happens."""
        slip = not what.startswith("has ")
        shares = np.array(SHARES[what]) * (self.factor if slip else 1.0)
        return draw.random(self.size) < shares[self.source]


def generate(setting: StoreSetting, folder: Path) -> None:
    """Write a department store's ``records.parquet`` and ``truth.parquet``."""
    draw = np.random.default_rng(setting.seed)
    shoppers = draw_shoppers(setting, draw)
    sheet, card = _lay_out(shoppers, setting, draw)
    columns = {
        "source": SOURCES[sheet.source],
        "record_key": numbered("", draw.permutation(sheet.size), digits=9),
        "record_kind": KINDS[sheet.source],
        "updated_at": sheet.day.astype("datetime64[us]")
        + draw.integers(0, 86_400, sheet.size).astype("timedelta64[s]"),
        **write_names(shoppers, sheet, draw),
        **write_contacts(shoppers, sheet, draw),
        **write_address(shoppers, sheet, draw),
        **write_numbers(shoppers, sheet, card, draw),
    }
    person, household = sheet.person.copy(), shoppers.household[sheet.person]
    tests = np.flatnonzero(draw.random(sheet.size) < 0.0006)
    _make_tests(columns, tests, draw)
    person[tests] = shoppers.size + np.arange(len(tests))  # nobody: each one on its own
    household[tests] = household.max() + 1 + np.arange(len(tests))
    write_population(columns, person, household, folder)


def _make_tests(columns: dict[str, np.ndarray], rows: Integers, draw: np.random.Generator) -> None:
    """Make the rows what staff enter to try a form: no person, junk for contacts."""
    columns["given_name"][rows], columns["family_name"][rows] = "TEST", "CUSTOMER"
    for name in ("full_name", "birth_date", "sex", "street", "city", "postcode", "payment_token"):
        columns[name][rows] = None
    columns["loyalty_id"][rows[columns["record_kind"][rows] != KINDS[LOYALTY]]] = None
    mailboxes = draw.integers(0, len(JUNK_MAILBOXES), len(rows))
    columns["email"][rows] = JUNK_MAILBOXES[mailboxes]
    columns["phone"][rows] = JUNK_PHONES[draw.integers(0, len(JUNK_PHONES), len(rows))]


def _lay_out(
    shoppers: Shoppers, setting: StoreSetting, draw: np.random.Generator
) -> tuple[Sheet, Texts]:
    """Return the records' owners, sources and days, and the loyalty card of each record."""
    size = shoppers.size
    activity = draw_activity(size, draw)
    counts = np.stack(
        [
            draw.choice(4, size, p=[0.40, 0.53, 0.06, 0.01]),
            draw.choice(3, size, p=[0.60, 0.36, 0.04]),
            draw.poisson(0.30 * activity),
            draw.poisson(0.33 * activity**1.4),
        ]
    )
    none = np.flatnonzero(counts.sum(axis=0) == 0)
    counts[draw.choice(4, len(none), p=[0.4, 0.25, 0.25, 0.1]), none] = 1
    person = np.concatenate([np.repeat(np.arange(size), row) for row in counts])
    source = np.repeat(np.arange(4), counts.sum(axis=1))
    day = TODAY - draw.integers(0, WINDOW_DAYS, len(person))
    stale = draw.random(len(person)) < 0.06
    is_old = (day < shoppers.changed_at[person]) | stale
    cards = draw_cards(int(counts[LOYALTY].sum()), draw)
    first = np.concatenate([[0], np.cumsum(counts[LOYALTY])[:-1]])
    held = np.where(counts[LOYALTY] > 0, first, -1)
    card = np.where(held[person] >= 0, cards[held[person]], "")
    card[source == LOYALTY] = cards
    sheet = Sheet(
        person, source, day, is_old, factor=setting.slip_factor, sharing=setting.sharing_factor
    )
    partner = shoppers.partner[person]
    lends = (source == RECEIPT) & (draw.random(len(person)) < 0.08 * setting.sharing_factor)
    lent = lends & (held[partner] >= 0) & (partner != person)
    card[lent] = cards[held[partner[lent]]]
    return sheet, card


def write_names(
    shoppers: Shoppers, sheet: Sheet, draw: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return name columns: two fields for forms and accounts, one field on receipts."""
    given = shoppers.given[sheet.person].copy()
    family = np.where(
        sheet.is_old, shoppers.old_family[sheet.person], shoppers.family[sheet.person]
    )
    given = slips.apply(given, sheet.chosen("short form", draw), draw, slips.shorten)
    plain = sheet.chosen("plain letters", draw)
    given = slips.apply(given, plain, draw, slips.lose_accents)
    family = slips.apply(family, plain, draw, slips.lose_accents)
    given = slips.apply(given, sheet.chosen("mistyped given", draw), draw, slips.mistype)
    family = slips.apply(family, sheet.chosen("mistyped family", draw), draw, slips.mistype)
    half = draw.random(sheet.size) < 0.15
    family = slips.apply(family, half, draw, _say_half)
    given = slips.apply(given, sheet.chosen("initial", draw), draw, slips.take_initial)
    middle = np.array(list("ABCDEFGHJKLMNPRSTW"), dtype=object)[draw.integers(0, 18, shoppers.size)]
    shown = draw.random(sheet.size) < 0.07
    given = np.where(shown, given + " " + middle[sheet.person], given)
    suffix = shoppers.suffix[sheet.person]
    printed = (suffix != "") & (draw.random(sheet.size) < 0.5)
    family = np.where(printed, family + " " + suffix, family)
    swapped = sheet.chosen("swapped", draw)
    given, family = np.where(swapped, family, given), np.where(swapped, given, family)
    return _print_names(given, family, sheet, draw)


def _print_names(
    given: Texts, family: Texts, sheet: Sheet, draw: np.random.Generator
) -> dict[str, np.ndarray]:
    case = sheet.chosen("case", draw)
    given = slips.apply(given, case, draw, slips.change_case)
    family = slips.apply(family, case, draw, slips.change_case)
    family = slips.apply(family, sheet.chosen("remark", draw), draw, slips.add_remark)
    blanks = sheet.chosen("blanks", draw)
    given = slips.apply(given, blanks, draw, slips.add_blanks)
    lost = ~sheet.chosen("has name", draw)
    in_one = (sheet.source == RECEIPT) & (draw.random(sheet.size) < 0.7)
    style = draw.random(sheet.size)
    whole = np.where(style < 0.85, given + " " + family, family + ", " + given)
    whole = np.where(style > 0.93, family, whole)
    return {
        "given_name": emptied(given, lost | in_one),
        "family_name": emptied(family, lost | in_one),
        "full_name": emptied(whole, lost | ~in_one),
    }


def _say_half(family: str, number: int) -> str:
    """Return one half of a double name, which is what clerks hear."""
    for mark in ("-", " "):
        if mark in family:
            return family.split(mark)[number % 2 if mark == "-" else 0]
    return family


def write_contacts(
    shoppers: Shoppers, sheet: Sheet, draw: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return mailboxes and telephones, with the family's, the partner's and nobody's among them."""
    size, person = sheet.size, sheet.person
    email = np.where(sheet.is_old, shoppers.old_email[person], shoppers.email[person])
    common = shoppers.family_email[person]
    uses_common = (common != "") & (draw.random(size) < 0.55)
    email = np.where(uses_common, common, email)
    partner = shoppers.partner[person]
    borrowed = (draw.random(size) < 0.025 * sheet.sharing) & (sheet.source != ACCOUNT)
    email = np.where(borrowed | (email == ""), shoppers.email[partner], email)
    email = slips.apply(email, sheet.chosen("mistyped email", draw), draw, slips.slip_mailbox)
    email = slips.apply(email, sheet.chosen("dressed email", draw), draw, slips.dress_mailbox)
    email = np.where(sheet.chosen("has email", draw), email, "")
    junk = JUNK_MAILBOXES[draw.integers(0, len(JUNK_MAILBOXES), size)]
    cashiers = 1 + shoppers.size // CUSTOMERS_PER_CASHIER
    cashier = np.array([f"clerk{n * 37 % 97}.{n}@gmail.com" for n in range(cashiers)], dtype=object)
    at_till = (sheet.source == RECEIPT) & (draw.random(size) < 0.5)
    junk = np.where(at_till, cashier[draw.integers(0, cashiers, size)], junk)
    email = np.where(sheet.chosen("junk email", draw), junk, email)
    phone = np.where(sheet.is_old, shoppers.old_phone[person], shoppers.phone[person])
    years = (TODAY - shoppers.birth_date[person]).astype(np.int64) / 365.25
    likes_line = np.interp(years, [30, 75], [0.15, 0.65])
    at_home = (shoppers.landline[person] != "") & (draw.random(size) < likes_line)
    phone = np.where(at_home, shoppers.landline[person], phone)
    phone = slips.apply(phone, sheet.chosen("mistyped phone", draw), draw, slips.slip_digit)
    shows = sheet.chosen("has phone", draw) | ((sheet.source == RECEIPT) & (email == ""))
    phone = np.where(shows, phone, "")
    country = shoppers.address.country[person]
    number = draw.integers(0, 2**20, size).tolist()
    printed = [
        print_phone(here, text, k) if text else ""
        for here, text, k in zip(country, phone, number, strict=True)
    ]
    phone = np.array(printed, dtype=object)
    junk_phone = JUNK_PHONES[draw.integers(0, len(JUNK_PHONES), size)]
    phone = np.where(sheet.chosen("junk phone", draw), junk_phone, phone)
    return {"email": emptied(email, email == ""), "phone": emptied(phone, phone == "")}


def write_address(
    shoppers: Shoppers, sheet: Sheet, draw: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return address columns; a gift shows the address of somebody else."""
    size = sheet.size
    gift = (sheet.source == ORDER) & (draw.random(size) < 0.06)
    owner = np.where(gift, draw.integers(0, shoppers.size, size), sheet.person)
    shown = shoppers.address.take(owner).where(sheet.is_old, shoppers.old_address.take(owner))
    number = draw.integers(0, 2**30, size).tolist()
    street = np.array(
        [
            print_street(parts, k)
            for *parts, k in zip(
                shown.country, shown.house, shown.line, shown.unit, number, strict=True
            )
        ],
        dtype=object,
    )
    postcode = np.array(
        [
            print_postcode(country, text, k)
            for country, text, k in zip(shown.country, shown.postcode, number, strict=True)
        ],
        dtype=object,
    )
    plain = sheet.chosen("plain letters", draw)
    street = slips.apply(street, plain, draw, slips.lose_accents)
    street = slips.apply(street, sheet.chosen("mistyped street", draw), draw, slips.mistype)
    street = slips.apply(street, sheet.chosen("case", draw), draw, slips.change_case)
    digit = draw.random(size) < 0.01 * sheet.factor
    postcode = slips.apply(postcode, digit, draw, slips.slip_digit)
    city = slips.apply(shown.city, draw.random(size) < 0.02 * sheet.factor, draw, slips.mistype)
    lost = ~sheet.chosen("has address", draw)
    asked = (sheet.source == RECEIPT) & (draw.random(size) < 0.12)  # tills ask for the postcode
    return {
        "street": emptied(street, lost),
        "city": emptied(city, lost | (draw.random(size) < 0.03)),
        "postcode": emptied(postcode, lost & ~asked),
        "country": emptied(shown.country, lost | (draw.random(size) < 0.3)),
    }


def write_numbers(
    shoppers: Shoppers, sheet: Sheet, card: Texts, draw: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return birth dates, sexes, loyalty cards, accounts and tokens of payment cards."""
    size, person = sheet.size, sheet.person
    births = slip_dates(shoppers.birth_date[person], draw, sheet.factor)
    by_clerk = sheet.source == LOYALTY
    births = np.where(by_clerk & (draw.random(size) < 0.015), LONG_AGO, births)
    default = births.astype("datetime64[Y]").astype("datetime64[D]")
    births = np.where(draw.random(size) < 0.007, default, births)
    is_male = shoppers.is_male[person] ^ (draw.random(size) < 0.01)
    card = slips.apply(card, draw.random(size) < 0.008 * sheet.factor, draw, slips.slip_digit)
    short = (draw.random(size) < 0.05) & ~by_clerk
    card = slips.apply(card, short, draw, lambda text, _: text.lstrip("0"))
    courtesy = (sheet.source == RECEIPT) & (draw.random(size) < 0.03)
    card = np.where(courtesy, COURTESY_CARDS[draw.integers(0, 3, size)], card)
    no_card = (~sheet.chosen("has card", draw) & ~courtesy) | (card == "")
    account = numbered("A", draw.permutation(size * 2)[:size], digits=8)
    return {
        "birth_date": emptied(births, ~sheet.chosen("has birth date", draw)),
        "sex": emptied(np.where(is_male, "M", "F"), ~sheet.chosen("has sex", draw)),
        "loyalty_id": emptied(card, no_card),
        "account_id": emptied(account, sheet.source != ACCOUNT),
        "payment_token": _pay(shoppers, sheet, draw),
    }


def _pay(shoppers: Shoppers, sheet: Sheet, draw: np.random.Generator) -> np.ndarray:
    """Return payment tokens: one or two cards a person, one a household now and then."""
    cards: Floats = draw.random(shoppers.size)
    several = draw.random(sheet.size) < 0.25
    owner = np.where(
        (cards < 0.10 * sheet.sharing)[sheet.person], shoppers.head[sheet.person], sheet.person
    )
    number = draw.permutation(shoppers.size * 2)[owner * 2 + several]
    tokens = np.array([f"tok_{k * 2_654_435_761 % 2**40:010x}" for k in number.tolist()], object)
    return emptied(tokens, ~sheet.chosen("has payment", draw))
