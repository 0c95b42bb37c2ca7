"""What tells a person anywhere in the data folder: values to match, words to look for.

Values that somebody else holds too (a family's mailbox, a shared number) are nobody's trace: they
stay, and the other person keeps them. Finding the person is ``identity``'s business.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
import pyarrow as pa

from cdp_pipeline.identity.erasure.subjects import IGNORED, Subject
from cdp_pipeline.privacy.suppression import KINDS
from cdp_pipeline.rights.coincidence import PHONE_DIGITS, numbers_of_others
from cdp_pipeline.rights.homonyms import own_names
from cdp_pipeline.rights.names import Name
from cdp_pipeline.storage.warehouse import describe, has_table, quote_literal

HASHES = ("md5", "sha1", "sha256")
"""Algorithms whose plain digests of addresses and numbers are looked for too."""

_RECORD_FIELDS = (
    "email",
    "phone",
    "loyalty_id",
    "account_id",
    "payment_token",
    "national_id",
    "identifier",
)
_SHORTEST = 5
_SHA256 = re.compile("[0-9a-f]{64}")
_DEVICES = ("push_token", "cookie")

Holder = tuple[int, str, str]
"""Number of a person among the subjects, from 1, kind and value."""


@dataclass(frozen=True)
class Traces:
    """Everything that stands for one or several people.

    Attributes:
        subjects: The people, as identity knows them.
        values: Kind and normalised value, held by nobody else.
        holders: Which of the people holds which value: number in ``subjects`` from 1, kind, value.
        words: Lower-case texts by which they are found: ids, addresses, numbers, hashes.
        phones: Digits of their telephone numbers, with all that is known to stand before the last
            nine.
        numbers: Cards and accounts without leading zeros.
        others: Identifiers of others that equal such a number or end like a telephone number.
        names: Given and family name of those who share both with nobody, nor with a street or an
            article.
    """

    subjects: tuple[Subject, ...] = ()
    values: frozenset[tuple[str, str]] = frozenset()
    words: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    names: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    holders: frozenset[Holder] = frozenset()
    others: frozenset[str] = frozenset()

    @property
    def customers(self) -> tuple[str, ...]:
        """Ids of the people, living and retired."""
        return tuple(sorted({c for subject in self.subjects for c in subject.customers}))

    @property
    def everybody(self) -> Subject:
        """All of the people as if they were one: so texts are searched once for them all."""
        return Subject(
            customers=self.customers,
            records=tuple(sorted({r for s in self.subjects for r in s.records})),
            values=tuple(sorted({v for s in self.subjects for v in s.values})),
            names=tuple(sorted({n for s in self.subjects for n in s.names})),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for the file by which an interrupted erasure goes on."""
        return {
            "subjects": [
                {
                    "customers": s.customers,
                    "records": s.records,
                    "values": s.values,
                    "names": s.names,
                }
                for s in self.subjects
            ],
            **{
                name: sorted(getattr(self, name))
                for name in ("values", "words", "phones", "numbers", "names", "holders", "others")
            },
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Traces:
        """Return what ``as_dict`` wrote."""
        subjects = tuple(
            Subject(
                customers=tuple(s["customers"]),
                records=tuple((a, b) for a, b in s["records"]),
                values=tuple(s["values"]),
                names=tuple((a, b) for a, b in s["names"]),
            )
            for s in document["subjects"]
        )
        return cls(
            subjects=subjects,
            values=frozenset((a, b) for a, b in document["values"]),
            words=frozenset(document["words"]),
            phones=frozenset(document["phones"]),
            numbers=frozenset(document["numbers"]),
            names=frozenset((a, b) for a, b in document["names"]),
            holders=frozenset((n, a, b) for n, a, b in document.get("holders", ())),
            others=frozenset(document.get("others", ())),
        )


def find_traces(
    con: duckdb.DuckDBPyConnection,
    subjects: Sequence[Subject],
    *,
    departed: Collection[Holder] = (),
    names: Collection[Name] = (),
) -> Traces:
    """Return the traces of people in a version that still has them.

    Args:
        con: Connection to the version, with the macros of ``sql/macros``.
        subjects: The people, by ``identity.erasure.subjects.find_subjects``.
        departed: What they had in earlier versions; what others have by now is theirs no more.
        names: What they were called there, to which the same applies.
    """
    holders = find_holders(con, subjects, departed=departed)
    values = {(kind, value) for _, kind, value in holders}
    records = {
        (number, "record", f"{source}/{key}")
        for number, subject in enumerate(subjects, start=1)
        for source, key in subject.records
    }
    sent = _sent_values(con) if has_table(con, "ops.export_members") else set()
    traces = Traces(
        subjects=tuple(subjects),
        values=frozenset(values | {(kind, name) for _, kind, name in records}),
        words=frozenset(c.casefold() for s in subjects for c in s.customers) | frozenset(sent),
        names=frozenset(own_names(con, names)),
        holders=frozenset(holders | records),
    )
    told = add_words(traces, values)
    phones = {phone[-PHONE_DIGITS:] for phone in told.phones}
    others = numbers_of_others(con, sorted(phones), sorted(told.numbers))
    return add_words(replace(traces, others=others), values)


def find_holders(
    con: duckdb.DuckDBPyConnection,
    subjects: Sequence[Subject],
    *,
    departed: Collection[Holder] = (),
) -> set[Holder]:
    """Return which of some people holds what, if nobody else does; like ``find_traces``."""
    _load(con, subjects, departed)
    return _record_values(con) | _contact_values(con)


def add_words(traces: Traces, values: Iterable[tuple[str, str]]) -> Traces:
    """Return traces with the words of further spellings: kind and value, as written anywhere."""
    words, phones, numbers = set(traces.words), set(traces.phones), set(traces.numbers)
    for kind, value in values:
        text = value.strip().casefold()
        digits = "".join(c for c in text if c.isdigit())
        if kind == "phone" and len(digits) >= _SHORTEST + 2:
            phones.add(digits)
            for form in (digits, f"+{digits}", f"00{digits}", digits.lstrip("0"), text):
                words |= _digests(form) if form not in traces.others else set()
        elif kind == "email":
            for form in {text, value.strip()}:
                words |= {text, *_digests(form), *_encoded(form.encode())}
        elif kind in {"loyalty_id", "account_id", "identifier", "national_id"}:
            if len(text) >= _SHORTEST and text not in traces.others:
                words |= {text, *_digests(text)}
                numbers |= {digits.lstrip("0")} if digits == text else set()
        elif kind in {"payment_token", "push_token", "cookie", "handle"} and len(text) >= _SHORTEST:
            words.add(text)
    theirs = {number.lstrip("0") for number in traces.others}
    return replace(
        traces,
        words=frozenset(words),
        phones=frozenset(phones),
        numbers=frozenset(n for n in numbers - theirs if len(n) >= _SHORTEST + 1),
    )


def load_values(con: duckdb.DuckDBPyConnection, traces: Traces, table: str) -> str:
    """Make a temporary table (kind, value) of the people's values and return its name."""
    return load_pairs(con, sorted(traces.values), table)


def load_pairs(con: duckdb.DuckDBPyConnection, pairs: Sequence[tuple[str, str]], table: str) -> str:
    """Make a temporary table (kind, value) and return its name."""
    kinds = pa.array([kind for kind, _ in pairs], pa.string())
    values = pa.array([value for _, value in pairs], pa.string())
    con.register(f"{table}_rows", pa.table({"kind": kinds, "value": values}))
    con.execute(f"create or replace temp table {table} as from {table}_rows")
    con.unregister(f"{table}_rows")
    return table


def records_of_values(con: duckdb.DuckDBPyConnection, values: str) -> set[tuple[str, str]]:
    """Return records of a version that hold values of the people, whosever they were known to be.

    An older version has records that the current one, by which people are found, has no more.

    Args:
        con: Connection to the version, with the macros of ``sql/macros``.
        values: Table that ``load_values`` made.
    """
    held = describe(con, "identity.records")
    parts = [
        f"select source, record_key from identity.records where {KINDS[name].format(value=name)} "  # noqa: S608 - constants
        f"in (select value from {values} where kind = {quote_literal(name)})"
        for name in _RECORD_FIELDS
        if name in held
    ]
    return {(str(a), str(b)) for a, b in con.execute(" union ".join(parts)).fetchall()}


def _encoded(data: bytes) -> set[str]:
    """Return bytes in Base64, as links of mailings carry addresses; in lower case, unpadded."""
    encoders = (base64.b64encode, base64.urlsafe_b64encode)
    return {encode(data).decode().rstrip("=").lower() for encode in encoders}


def _digests(text: str) -> set[str]:
    """Return the digests of a text, in hexadecimal digits and in Base64."""
    made = [hashlib.new(name, text.encode(), usedforsecurity=False).digest() for name in HASHES]
    return {form for digest in made for form in (digest.hex(), *_encoded(digest))}


def _load(
    con: duckdb.DuckDBPyConnection, subjects: Sequence[Subject], departed: Collection[Holder]
) -> None:
    records = [(n, *record) for n, s in enumerate(subjects, start=1) for record in s.records]
    customers = [(n, customer) for n, s in enumerate(subjects, start=1) for customer in s.customers]
    _register(con, "erased_record_rows", ("source", "record_key"), records)
    _register(con, "erased_customer_rows", ("id",), customers)
    _register(con, "departed_rows", ("kind", "value"), sorted(departed))
    con.execute("create or replace temp table erased_departed as from departed_rows")
    con.execute("create or replace temp table erased_records as from erased_record_rows")
    con.execute("create or replace temp table erased_customers as from erased_customer_rows")
    con.execute(
        "create or replace temp table told_records as "
        "select r.*, e.number, e.number is not null as is_theirs from identity.records as r "
        "left join erased_records as e on e.source = r.source and e.record_key = r.record_key"
    )


def _register(
    con: duckdb.DuckDBPyConnection,
    name: str,
    texts: tuple[str, ...],
    rows: Sequence[tuple[int | str, ...]],
) -> None:
    """Register rows of a person's number and some texts."""
    kinds = {"number": pa.int64(), **dict.fromkeys(texts, pa.string())}
    columns = {
        column: pa.array([row[place] for row in rows], kind)
        for place, (column, kind) in enumerate(kinds.items())
    }
    con.register(name, pa.table(columns))


_COMPOSITES = {
    "name_birth": "given_name || '|' || family_name || '|' || cast(birth_date as varchar)",
    "name_address": "given_name || '|' || family_name || '|' || street || '|' || postcode",
}


_OF_IGNORED = """
select e.number, i.kind, i.value
from erasure_ignored as i
left join erased_records as e on e.source = i.source and e.record_key = i.record_key
"""


def _record_values(con: duckdb.DuckDBPyConnection) -> set[Holder]:
    """Return number of the person, kind and value: what no record of others has."""
    held = describe(con, "told_records")
    fields = {name: KINDS[name].format(value=name) for name in _RECORD_FIELDS if name in held}
    parts = [
        f"select number, {quote_literal(kind)} as kind, {sql} as value from told_records"  # noqa: S608 - constants
        for kind, sql in {**fields, **_COMPOSITES}.items()
    ]
    if has_table(con, IGNORED, catalog="temp"):
        parts.append(_OF_IGNORED)
    devices = ", ".join(map(quote_literal, _DEVICES))
    parts.append(f"from erased_departed where kind not in ({devices})")
    return _unshared(con, parts)


def _contact_values(con: duckdb.DuckDBPyConnection) -> set[Holder]:
    """Return number of the person, kind and value: devices and browsers that are theirs alone."""
    number = "(select min(number) from erased_customers where id = customer_id) as number"
    devices = ", ".join(map(quote_literal, _DEVICES))
    parts = [f"from erased_departed where kind in ({devices})"]
    if has_table(con, "core.customer_contact"):
        parts.append(
            f"select {number}, 'push_token' as kind, trim(push_token) as value "  # noqa: S608 - constants
            "from core.customer_contact"
        )
    if has_table(con, "core.bridge_cookie"):
        parts.append(
            f"select {number}, 'cookie' as kind, cookie_id as value "  # noqa: S608 - constants
            "from core.bridge_cookie"
        )
    return _unshared(con, parts)


def _unshared(con: duckdb.DuckDBPyConnection, parts: Sequence[str]) -> set[Holder]:
    """Return number, kind and value of those values that nobody else has."""
    found = con.execute(
        "select distinct unnest(numbers), kind, value from (select list(number) as numbers, kind, "  # noqa: S608 - own SQL
        f"value from ({' union all '.join(parts)}) where nullif(value, '') is not null "
        "group by kind, value having bool_and(number is not null)) order by all"
    ).fetchall()
    return {(int(number), str(kind), str(value)) for number, kind, value in found}


def _sent_values(con: duckdb.DuckDBPyConnection) -> set[str]:
    """Return what destinations were told: hashed or plain identifiers, as they were sent."""
    found = con.execute(
        "select distinct identifiers from ops.export_members "
        "where customer_id in (select id from erased_customers) order by all"
    ).fetchall()
    texts = [
        str(value).casefold()
        for (document,) in found
        for value in json.loads(document or "{}").values()
        if value
    ]
    digests = {text for text in texts if _SHA256.fullmatch(text)}
    return digests - _others_sent(con, digests)


def _others_sent(con: duckdb.DuckDBPyConnection, digests: set[str]) -> set[str]:
    """Return digests that other people were sent with too: a first name, a shared mailbox."""
    if not digests:
        return set()
    found = con.execute(
        "select distinct unnest(regexp_extract_all(lower(identifiers), '[0-9a-f]{64}')) as digest "
        "from ops.export_members where customer_id not in (select id from erased_customers)"
    ).fetchall()
    return {str(digest) for (digest,) in found} & digests
