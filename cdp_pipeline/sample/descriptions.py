"""What a file says about a person: the true fields, as carefully as its source writes.

Which fields of which records suffer which mistake belongs here; the mistakes are in ``slips``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp_pipeline.sample import slips
from cdp_pipeline.sample.arrays import Bools, Ints, Texts, happens, join_texts
from cdp_pipeline.sample.contacts import (
    Addresses,
    Contacts,
    write_cities,
    write_countries,
    write_postcodes,
    write_streets,
)
from cdp_pipeline.sample.people import People

JUNK_EMAIL = "none@none.com"
JUNK_PHONE = "0000000000"


@dataclass(frozen=True)
class Manners:
    """How a source writes people down; every field is a share of its records.

    Attributes:
        short_name: Given name in a short form.
        name_slip: Given name or surname mistyped, misheard or misread (each of the two).
        initial: Initial instead of the given name.
        swapped: Given name and surname exchanged.
        shouting: Names in capitals, or all small.
        blanks: Stray blanks around names.
        plain: Accents left out.
        former_name: Surname before the marriage, for those who changed it.
        former_address: Address before the move, for those who moved.
        lacks_birth: No birth date.
        birth_1900: ``1900-01-01`` instead of a birth date.
        birth_slip: Birth date with a slip.
        lacks_email: No e-mail address although there is one.
        second_email: The person's other mailbox.
        dressed_email: Mailbox with plus tag, moved dots or capitals.
        email_slip: Mailbox mistyped: it does not arrive.
        junk: ``none@none.com``, ``0000000000`` (each of the two).
        lacks_phone: No telephone although there is one.
        landline: The household's landline instead of the mobile.
        phone_slip: One wrong digit.
        phone_zero: Leading zero lost.
        lacks_address: No address.
        address_slip: Street or town mistyped (each of the two).
        street_short: Abbreviated street.
        postcode_odd: Postcode without blank or in small letters.
    """

    short_name: float = 0.10
    name_slip: float = 0.025
    initial: float = 0.015
    swapped: float = 0.01
    shouting: float = 0.12
    blanks: float = 0.02
    plain: float = 0.6
    former_name: float = 0.45
    former_address: float = 0.4
    lacks_birth: float = 0.2
    birth_1900: float = 0.012
    birth_slip: float = 0.03
    lacks_email: float = 0.15
    second_email: float = 0.2
    dressed_email: float = 0.03
    email_slip: float = 0.012
    junk: float = 0.002
    lacks_phone: float = 0.2
    landline: float = 0.2
    phone_slip: float = 0.01
    phone_zero: float = 0.01
    lacks_address: float = 0.0
    address_slip: float = 0.02
    street_short: float = 0.3
    postcode_odd: float = 0.12


@dataclass(frozen=True)
class Description:
    """Identifying fields of records, one entry per record; empty text for no value.

    Attributes:
        owner: Index of the person whom the record is about.
        mail_fails: Whether the mailbox was mistyped or made up, so that mail does not arrive.
    """

    owner: Ints
    first_name: Texts
    last_name: Texts
    birth_date: Texts
    email: Texts
    phone: Texts
    street: Texts
    city: Texts
    postcode: Texts
    country: Texts
    mail_fails: Bools


@dataclass(frozen=True)
class _Pen:
    """Writes the fields of one set of records; the cast's records stay clean."""

    rng: np.random.Generator
    people: People
    contacts: Contacts
    owner: Ints
    manners: Manners
    careful: Bools

    def errs(self, share: float) -> Bools:
        return happens(self.rng, share, len(self.owner)) & ~self.careful

    def slip(self, texts: Texts, share: float, slip: slips.Slip) -> Texts:
        return slips.slip_some(self.rng, texts, self.errs(share), slip)

    def misspell(self, texts: Texts, share: float) -> Texts:
        for slip, part in ((slips.mistype, 0.5), (slips.mishear, 0.3), (slips.misread, 0.2)):
            texts = self.slip(texts, share * part, slip)
        return texts


def describe_people(
    people: People, contacts: Contacts, owner: Ints, manners: Manners, rng: np.random.Generator
) -> Description:
    """Return what a source's records say about their owners.

    Args:
        people: The true people.
        contacts: Their true contact points.
        owner: Person behind each record; any order, repeats allowed.
        manners: How the source writes.
        rng: Random stream of the source.

    Returns:
        One description per entry of ``owner``, in that order.
    """
    pen = _Pen(rng, people, contacts, owner, manners, people.is_cast[owner])
    first, last = _write_names(pen)
    birth = _write_births(pen)
    street, city, postcode, country = _write_address(pen)
    email, mail_fails = _write_email(pen)
    return Description(
        owner=owner,
        first_name=first,
        last_name=last,
        birth_date=birth,
        email=email,
        phone=_write_phone(pen),
        street=street,
        city=city,
        postcode=postcode,
        country=country,
        mail_fails=mail_fails,
    )


def _write_names(pen: _Pen) -> tuple[Texts, Texts]:
    manners, people, owner = pen.manners, pen.people, pen.owner
    first = pen.slip(people.first_name[owner], manners.plain, slips.drop_accents)
    former = happens(pen.rng, manners.former_name, len(owner))
    last = np.where(former, people.former_name[owner], people.last_name[owner])
    last = pen.slip(last, manners.plain, slips.drop_accents)
    first = pen.slip(first, manners.short_name, slips.shorten)
    first = pen.misspell(first, manners.name_slip)
    last = pen.misspell(last, manners.name_slip)
    first = pen.slip(first, manners.initial, slips.keep_initial)
    suffix = people.suffix[owner]
    shown = (suffix != "") & happens(pen.rng, 0.5, len(owner))
    last = np.where(shown, join_texts(last, " ", suffix), last)
    swapped = pen.errs(manners.swapped)
    first, last = np.where(swapped, last, first), np.where(swapped, first, last)
    shouting = pen.errs(manners.shouting)
    first = slips.slip_some(pen.rng, first, shouting, slips.change_case)
    last = slips.slip_some(pen.rng, last, shouting, slips.change_case)
    first = pen.slip(first, manners.blanks, slips.add_blanks)
    return first, pen.slip(last, manners.blanks, slips.add_blanks)


def _write_births(pen: _Pen) -> Texts:
    manners = pen.manners
    true = pen.people.birth_date[pen.owner]
    slipped = np.where(pen.careful, true, slips.slip_dates(pen.rng, true, manners.birth_slip))
    text = np.datetime_as_string(slipped)
    text = np.where(pen.errs(manners.birth_1900), "1900-01-01", text)
    return np.where(pen.errs(manners.lacks_birth), "", text)


def _write_email(pen: _Pen) -> tuple[Texts, Bools]:
    manners, contacts = pen.manners, pen.contacts
    main, other = contacts.email[pen.owner], contacts.second_email[pen.owner]
    email = np.where(pen.errs(manners.second_email) & (other != ""), other, main)
    email = pen.slip(email, manners.dressed_email, slips.dress_mailbox)
    wrong = pen.slip(email, manners.email_slip * 0.6, slips.slip_mailbox)
    wrong = pen.slip(wrong, manners.email_slip * 0.4, slips.mistype)
    junk = pen.errs(manners.junk)
    fails = (wrong != email) | junk
    written = np.where(pen.errs(manners.lacks_email), "", wrong)
    return np.where(junk, JUNK_EMAIL, written), fails


def _write_phone(pen: _Pen) -> Texts:
    manners, contacts = pen.manners, pen.contacts
    mobile, landline = contacts.mobile[pen.owner], contacts.landline[pen.owner]
    fixed = (pen.errs(manners.landline) | (mobile == "")) & (landline != "")
    phone = pen.slip(np.where(fixed, landline, mobile), manners.phone_slip, slips.slip_digit)
    phone = slips.slip_some(pen.rng, phone, phone != "", slips.style_phones)
    phone = pen.slip(phone, manners.phone_zero, slips.lose_zero)
    phone = np.where(pen.errs(manners.lacks_phone), "", phone)
    return np.where(pen.errs(manners.junk), JUNK_PHONE, phone)


def _write_address(pen: _Pen) -> tuple[Texts, Texts, Texts, Texts]:
    manners, contacts, owner = pen.manners, pen.contacts, pen.owner
    moved = pen.people.has_moved[owner] & happens(pen.rng, manners.former_address, len(owner))
    now, before = contacts.address.take(owner), contacts.former_address.take(owner)
    address = Addresses(
        np.where(moved, before.place, now.place),
        np.where(moved, before.street, now.street),
        np.where(moved, before.number, now.number),
        np.where(moved, before.flat, now.flat),
    )
    street = pen.slip(write_streets(address), manners.street_short, slips.abbreviate_street)
    street = pen.slip(street, manners.address_slip, slips.mistype)
    city = pen.slip(write_cities(address), manners.address_slip, slips.mistype)
    postcode = pen.slip(write_postcodes(address), manners.postcode_odd, slips.crumple_postcode)
    lacks = pen.errs(manners.lacks_address)
    country = write_countries(address)
    street, city, postcode, country = (
        np.where(lacks, "", text) for text in (street, city, postcode, country)
    )
    return street, city, postcode, country
