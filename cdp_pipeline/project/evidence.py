"""What a person record can say about a person, by semantic tag, and how it is kept for comparing.

A tag is a column of ``staging.person_records``: ``given_name``, ``national_id``, ``occupation``.
Sources are free to bring any of them; blocking rules and comparisons speak of tags alone. How a
value is cleaned and stored belongs to ``identity``; what agreement means, to ``levels``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Nature: TypeAlias = Literal["text", "date", "code"]


@dataclass(frozen=True)
class Evidence:
    """One tag, and the columns of ``identity_nodes`` that hold it.

    Attributes:
        tag: Name for declarations.
        meaning: One sentence for people.
        key: Column on which equality is tested; an integer.
        present: Column that is null when a record says nothing.
        text: Column with the text, for fuzzy levels.
        mask: Column with the text's letters as bits.
        frequency: Column with the log2 frequency of the value.
        held: Column that tells whether any record brings the tag; default: ``present``.
        fields: Columns of ``identity.records`` to show beside a verdict.
        nature: ``date`` has levels of its own; a ``code`` has no letters to compare.
    """

    tag: str
    meaning: str
    key: str
    present: str
    fields: tuple[str, ...]
    text: str | None = None
    mask: str | None = None
    frequency: str | None = None
    held: str | None = None
    nature: Nature = "text"


@dataclass(frozen=True)
class Extra:
    """A further column that sources may bring.

    Attributes:
        tag: Column of ``staging.person_records`` and of ``identity.records``.
        meaning: One sentence for people.
        clean: Macro that brings a value into comparable form.
        nature: ``code`` for numbers and ids, ``text`` for words.
        pii: Kind of personal data.
        is_declared: Whether every store's ``identity.records`` has the column; the others are
            brought by ``cdp link`` alone: parts of addresses, and the parents whom registers name.
    """

    tag: str
    meaning: str
    clean: str
    nature: Nature = "text"
    pii: str = "identifier"
    is_declared: bool = True


EXTRAS: tuple[Extra, ...] = (
    Extra("middle_name", "Further given names, or their initials", "identity_letters", pii="name"),
    Extra("national_id", "Number given by a state: tax, insurance, passport", "identity_number",
          "code"),
    Extra("birth_place", "Town of birth", "identity_letters", pii="birth_date"),
    Extra("birth_year", "Year of birth, where no date is known", "identity_year", "code",
          pii="birth_date"),
    Extra("occupation", "Trade or profession", "identity_letters", pii="person"),
    Extra("house_number", "House number, where it stands apart from the street",
          "identity_number", "code", pii="address"),
    Extra("state", "State, county or province", "identity_letters", pii="address"),
    Extra("identifier", "Any other number of the person or household", "identity_number", "code"),
    Extra("category", "Any other class of the person, such as a group", "identity_letters",
          pii="person"),
    Extra("street_name", "Street without house number", "identity_street", pii="address",
          is_declared=False),
    Extra("town", "Town of residence", "identity_letters", pii="address", is_declared=False),
    Extra("zip", "Postal code, compared apart from the street", "identity_postcode", "code",
          pii="address", is_declared=False),
    Extra("father_name", "Father's name, without the person's own family name",
          "identity_letters", pii="name", is_declared=False),
    Extra("mother_name", "Mother's name", "identity_letters", pii="name", is_declared=False),
)  # fmt: skip


def _extra(extra: Extra) -> Evidence:
    if extra.tag == "birth_year":  # a node has one year, from the date if there is one
        return Evidence(
            extra.tag,
            extra.meaning,
            key="birth_year",
            present="birth_year",
            held="stated_year",
            fields=(extra.tag, "birth_date"),
            nature="code",
        )
    return Evidence(
        extra.tag,
        extra.meaning,
        key=f"{extra.tag}_hash",
        present=f"{extra.tag}_hash",
        fields=(extra.tag,),
        text=extra.tag,
        mask=f"{extra.tag}_mask" if extra.nature == "text" else None,
        frequency=f"{extra.tag}_frequency",
        nature=extra.nature,
    )


_FIXED: tuple[Evidence, ...] = (
    Evidence(
        "given_name",
        "First given name, or its initial",
        key="given_hash",
        present="given_initial",
        fields=("given_name",),
        text="given_name",
        mask="given_mask",
        frequency="given_frequency",
    ),
    Evidence(
        "family_name",
        "Family name",
        key="family_hash",
        present="family_hash",
        fields=("family_name",),
        text="family_name",
        mask="family_mask",
        frequency="family_frequency",
    ),
    Evidence(
        "birth_date",
        "Date of birth",
        key="birth_number",
        present="birth_number",
        fields=("birth_date",),
        nature="date",
    ),
    Evidence("sex", "F or M", key="sex", present="sex", fields=("sex",), nature="code"),
    Evidence(
        "email",
        "Mailbox",
        key="email_hash",
        present="email_hash",
        fields=("email",),
        text="email",
    ),
    Evidence(
        "mailbox_year",
        "Year, or its last two digits, in the mailbox's name: often the owner's year of birth",
        key="mailbox_year",
        present="told_year",
        held="mailbox_year",
        fields=("email", "birth_date"),
        nature="code",
    ),
    Evidence(
        "phone",
        "Last nine digits of a telephone number",
        key="phone_hash",
        present="phone_hash",
        fields=("phone",),
        text="phone",
        nature="code",
    ),
    Evidence(
        "address",
        "Street line and postcode together",
        key="address_hash",
        present="postcode_hash",
        fields=("street", "postcode"),
        text="street",
    ),
    Evidence(
        "street",
        "Street line",
        key="street_hash",
        present="street_hash",
        fields=("street",),
        text="street",
    ),
    Evidence(
        "postcode",
        "Postal code",
        key="postcode_hash",
        present="postcode_hash",
        fields=("postcode",),
        frequency="postcode_frequency",
        nature="code",
    ),
    Evidence(
        "loyalty_id",
        "Loyalty card number",
        key="loyalty_hash",
        present="loyalty_hash",
        fields=("loyalty_id",),
        text="loyalty_id",
        nature="code",
    ),
    Evidence(
        "account_id",
        "Web account",
        key="account_hash",
        present="account_hash",
        fields=("account_id",),
        nature="code",
    ),
    Evidence(
        "payment_token",
        "Token of a payment card",
        key="payment_hash",
        present="payment_hash",
        fields=("payment_token",),
        nature="code",
    ),
)

DISTRICT = "left({0}, case when regexp_full_match({0}, '[0-9]+') then 3 else length({0}) - 3 end)"
"""First part of a postal code: SW1A of SW1A1AA, 606 of 60614."""

_ROLE = Evidence(
    "record_kind",
    "Whether a record registers a person (loyalty, account) or mentions one, and in which source",
    key="source_hash",
    present="is_profile",
    fields=("record_kind",),
    nature="code",
)

EVIDENCE: dict[str, Evidence] = {
    found.tag: found for found in (*_FIXED, _ROLE, *(_extra(extra) for extra in EXTRAS))
}
"""Every tag that a comparison may name."""

KEY_COLUMNS: dict[str, str] = {
    "given name's start": "given_name",
    "family name's start": "family_name",
    "family name's last word": "family_name",
    "postal district": "zip",
}
"""The node column behind each key that is an expression."""

TELLING: dict[str, float] = {
    "birth_date": 1.5,
    **dict.fromkeys(("given_name", "family_name", "zip", "street_name", "house_number"), 1.0),
    **dict.fromkeys(("father_name", "mother_name"), 1.0),
    **dict.fromkeys(("town", "postal district", "birth_place"), 0.5),
    **dict.fromkeys(("given name's start", "family name's start"), 0.5),
}
"""How much a key tells, where it is less than a whole identifier. A rule whose keys sum to less
than two finds strangers above all, and may be dropped where it proposes too many pairs."""

KEYS: dict[str, str] = {
    **{tag: found.key for tag, found in EVIDENCE.items()},
    "given initial": "given_initial",
    "both names": "names_hash",
    "e-mail name": "email_local",
    "given name's start": "left(given_name, 3)",
    "family name's start": "left(family_name, 4)",
    "family name's last word": "family_last",
    "building": "building_hash",
    "postal district": DISTRICT.format("zip"),
}
"""Everything a blocking rule may name, with its node column: tags, and parts of them."""
