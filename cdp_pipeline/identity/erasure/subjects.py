"""Who is to be erased: a customer with all records and all ids that lead to it.

Asked for by customer id, by record or by any identifier. An identifier that several customers hold
is nobody's name: it is refused, since erasing a relative cannot be undone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.grouping.remembered import CUSTOMERS, Memory, load_secrets
from cdp_pipeline.storage.warehouse import fetch_value, has_table

CUSTOMER_ID = re.compile(r"C[0-9A-F]{16}")

IDENTIFIERS = {
    "email": "identity_mailbox(identity_email($asked))",
    "phone": "identity_phone($asked)",
    "loyalty_id": "identity_number($asked)",
    "account_id": "nullif(trim($asked), '')",
    "payment_token": "nullif(trim($asked), '')",
    "national_id": "nullif(trim($asked), '')",
    "identifier": "nullif(trim($asked), '')",
}
"""Fields of ``identity.records`` by which a person may be asked for, and how they are cleaned."""

IGNORED = "erasure_ignored"
"""Temporary table (source, record_key, kind, value) of identifiers that linkage ignores.

Whoever looks for people may make it; without it they are not found by such values.
"""

NAMING = (*IDENTIFIERS, "printed_given", "printed_family")

SHORTEST = 5
"""Letters and digits from which a value within a text is taken for the person's."""


@dataclass(frozen=True)
class Subject:
    """A person, as identity knows them.

    Attributes:
        customers: Living id, if any, and every retired or dormant id of theirs.
        records: Source and key of every record.
        values: Identifiers, by which they may be mentioned in somebody's words.
        names: Given and family names, pair by pair.
    """

    customers: tuple[str, ...] = ()
    records: tuple[tuple[str, str], ...] = ()
    values: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()

    @cached_property
    def record_names(self) -> frozenset[str]:
        """The records as ``source:record_key``."""
        return frozenset(f"{source}:{record_key}" for source, record_key in self.records)

    def is_mentioned(self, text: str) -> bool:
        """Return whether a text names the person: an id, a record, an identifier or both names."""
        plain = text.casefold()
        words = set(re.findall(r"[^\W_]+", plain))
        if any({given, family} <= words for given, family in self.names):
            return True
        if any(name.casefold() in plain for name in (*self.customers, *self.record_names)):
            return True
        squeezed = _squeezed(plain)
        return any(value in squeezed for value in self._telling)

    @cached_property
    def _telling(self) -> tuple[str, ...]:
        """Identifiers as they are looked for: of many people, made once and not for every text."""
        return tuple(value for value in map(_squeezed, self.values) if _tells(value))


def _squeezed(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())


def _tells(value: str) -> bool:
    return len(value) >= SHORTEST


_STRAYS = """
create or replace temp table erasure_strays as
select r.source, r.record_key, {fields}
from identity.records as r
anti join identity.customer_map as m on m.source = r.source and m.record_key = r.record_key
"""

_MEMBERS = """
create or replace temp table erasure_members as
with asked as (select unnest($customers) as customer_id)

select customer_id, source, record_key
from identity.customer_map
semi join asked using (customer_id)
union
select c.customer_id, c.source, c.record_key
from ({claims}) as c
semi join asked using (customer_id)
"""

_CLAIM = """
select owners.customer_id, r.source, r.record_key
from erasure_strays as r
inner join (
    select o.{field}, min(m.customer_id) as customer_id
    from identity.records as o
    inner join identity.customer_map as m on m.source = o.source and m.record_key = o.record_key
    where o.{field} in (select {field} from erasure_strays)
    group by o.{field}
    having count(distinct m.customer_id) = 1
) as owners using ({field})
"""
# A receipt that belongs to nobody is theirs if nobody else has its number.

_IGNORED_HOLDERS = """
create or replace temp view erasure_ignored_holders as
select
    i.*,
    m.customer_id,
    case
        when m.customer_id is not null then m.customer_id
        when r.record_key is null or coalesce({naming}) is not null
            then i.source || ':' || i.record_key
    end as holder
from erasure_ignored as i
left join identity.customer_map as m on m.source = i.source and m.record_key = i.record_key
left join identity.records as r on r.source = i.source and r.record_key = i.record_key
"""
# A record that holds nothing else, as an event of a mailing does, is no further holder.

_CLAIM_IGNORED = """
select owners.customer_id, i.source, i.record_key
from erasure_ignored_holders as i
inner join (
    select kind, value, min(customer_id) as customer_id
    from erasure_ignored_holders
    group by kind, value
    having count(distinct holder) = 1
) as owners using (kind, value)
where i.holder is null and owners.customer_id is not null
"""

_HOLDERS = """
select distinct
    m.customer_id,
    case when m.customer_id is null then r.source || ':' || r.record_key end as record
from identity.records as r
left join identity.customer_map as m on m.source = r.source and m.record_key = r.record_key
where {holds}
order by customer_id nulls last, record
"""


def find_subjects(
    con: duckdb.DuckDBPyConnection, asked: Sequence[str], *, memory: Memory | None = None
) -> list[Subject]:
    """Return the people that are meant, in one pass however many they are.

    Args:
        con: Connection to a version with the identity macros.
        asked: Customer ids (living, retired or dormant), ``source:record_key``, e-mail addresses,
            phones, cards, accounts, payment tokens or other numbers.
        memory: How ids that nobody has are remembered.

    Raises:
        ConfigError: Nobody is meant, or several customers hold an identifier; says by which one of
            those that were asked for.
    """
    load_secrets(con, memory or Memory())
    if has_table(con, IGNORED, catalog="temp"):
        con.execute(_IGNORED_HOLDERS.format(naming=_naming()))
    living = _living(con, [one for one in asked if CUSTOMER_ID.fullmatch(one)])
    meant = [
        living.get(one) or _find_meant(con, one, where=_place(number, len(asked)))
        for number, one in enumerate(asked, 1)
    ]
    places = {
        one: _place(number, len(asked))
        for number, one in enumerate(meant, 1)
        if isinstance(one, str)
    }
    known = _of_customers(con, places)
    return [known[one] if isinstance(one, str) else one for one in meant]


def _place(number: int, asked: int) -> str:
    """Return which of those asked for it is; not by its text, which may name a person."""
    return f"erasure, number {number} of {asked} asked for" if asked > 1 else "erasure"


def _find_meant(con: duckdb.DuckDBPyConnection, asked: str, *, where: str) -> str | Subject:
    """Return the customer that an identifier means, or somebody who is none."""
    source, _, record_key = asked.partition(":")
    owner = _owner(con, source, record_key)
    if owner is not None:
        return owner or _of_records(con, [(source, record_key)])
    dormant = _dormant_owner(con, f"{source}/{record_key}")
    if dormant:
        return Subject(customers=(dormant,), records=((source, record_key),))
    holds = " or ".join(f"r.{field} = {clean}" for field, clean in IDENTIFIERS.items())
    holders = con.execute(_HOLDERS.format(holds=holds), {"asked": asked}).fetchall()
    customers = [str(customer) for customer, _ in holders if customer]
    if len(customers) > 1:
        raise ConfigError(
            f"{len(customers)} customers hold this identifier: {', '.join(customers)}",
            where=where,
            hint="Name the one that is meant by its customer id; a family shares a mailbox.",
        )
    if customers:
        return customers[0]
    if not holders:
        return _find_by_ignored(con, asked, where=where)
    names = [str(record).partition(":") for _, record in holders]
    return _of_records(con, [(source, key) for source, _, key in names])


def _find_by_ignored(con: duckdb.DuckDBPyConnection, asked: str, *, where: str) -> str | Subject:
    """Return whom a value means that linkage ignores: who alone holds it, or rows of nobody else.

    Raises:
        ConfigError: Nobody holds it, or several do.
    """
    if not has_table(con, IGNORED, catalog="temp"):
        raise _nobody(where)
    holds = " or ".join(f"kind = '{kind}' and value = {sql}" for kind, sql in IDENTIFIERS.items())
    found = con.execute(
        "select distinct source, record_key, customer_id, holder from erasure_ignored_holders "  # noqa: S608 - constants
        f"where {holds} order by all",
        {"asked": asked},
    ).fetchall()
    holders = {str(holder) for *_, holder in found if holder}
    if len(holders) > 1:
        raise ConfigError(
            f"{len(holders)} customers and records hold this identifier, which people write who "
            "have none",
            where=where,
            hint="Ask by the customer id, card or account of the one that is meant.",
        )
    if not found:
        raise _nobody(where)
    customers = [str(customer) for *_, customer, _ in found if customer]
    return customers[0] if customers else _of_records(con, [(str(a), str(b)) for a, b, *_ in found])


def _nobody(where: str) -> ConfigError:
    return ConfigError(
        "nobody is known by this identifier",
        where=where,
        hint="Ask by customer id, source:record_key, e-mail, phone, card or account. A value that "
        "many strangers share (identity.hubs) names nobody.",
    )


def _owner(con: duckdb.DuckDBPyConnection, source: str, record_key: str) -> str | None:
    """Return a record's customer, empty if it belongs to nobody, None if there is none."""
    found = con.execute(
        "select coalesce(m.customer_id, '') from identity.records as r "
        "left join identity.customer_map as m "
        "on m.source = r.source and m.record_key = r.record_key "
        "where r.source = ? and r.record_key = ?",
        [source, record_key],
    ).fetchall()
    return str(found[0][0]) if found else None


def _dormant_owner(con: duckdb.DuckDBPyConnection, member: str) -> str | None:
    if not has_table(con, "identity.dormant_ids"):
        return None
    found = fetch_value(
        con,
        "select min(d.id) from identity.dormant_ids as d inner join identity_secrets as k "
        "on d.member_hash = identity_keyed(k.secret, $member) where left(d.id, 1) = $prefix",
        {"member": member, "prefix": CUSTOMERS.prefix},
    )
    return str(found) if found else None


def _living(con: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> dict[str, str]:
    """Return the ids under which customers are known now, by the ids that were asked for."""
    retired = con.execute(
        "select old_customer_id, customer_id from identity.redirects "
        "where old_customer_id in (select unnest($ids)) order by all",
        {"ids": list(ids)},
    ).fetchall()
    return {one: one for one in ids} | {str(old): str(now) for old, now in retired}


def _of_customers(con: duckdb.DuckDBPyConnection, places: Mapping[str, str]) -> dict[str, Subject]:
    """Return people by living or dormant id, of ids with their places for messages."""
    customers = sorted(places)
    if not customers:
        return {}
    fields = ", ".join(f"r.{field}" for field in IDENTIFIERS)
    con.execute(_STRAYS.format(fields=fields))
    claims = [_CLAIM.format(field=field) for field in IDENTIFIERS]
    claims += [_CLAIM_IGNORED] if has_table(con, IGNORED, catalog="temp") else []
    con.execute(_MEMBERS.format(claims=" union all ".join(claims)), {"customers": customers})
    rows = con.execute(
        f"select m.customer_id, m.source, m.record_key, {_naming()} "  # noqa: S608 - constants
        "from erasure_members as m left join identity.records as r "
        "on r.source = m.source and r.record_key = m.record_key order by all"
    ).fetchall()
    retired: dict[str, list[str]] = {}
    for old, customer in con.execute(
        "select old_customer_id, customer_id from identity.redirects "
        "where customer_id in (select unnest($customers)) order by all",
        {"customers": customers},
    ).fetchall():
        retired.setdefault(customer, []).append(old)
    found: dict[str, list[tuple[str | None, ...]]] = {customer: [] for customer in customers}
    for customer, *row in rows:
        found[customer].append(tuple(row))
    for customer in [customer for customer, held in found.items() if not held]:
        _require_dormant(con, customer, where=places[customer])
    return {
        customer: _make_subject((customer, *retired.get(customer, ())), held)
        for customer, held in found.items()
    }


def _require_dormant(con: duckdb.DuckDBPyConnection, customer: str, *, where: str) -> None:
    """Accept an id without records if it may come back.

    Raises:
        ConfigError: There is no such id.
    """
    sql = "select count(*) from identity.dormant_ids where id = ?"
    if not (has_table(con, "identity.dormant_ids") and fetch_value(con, sql, [customer])):
        raise _nobody(where)


def _of_records(con: duckdb.DuckDBPyConnection, records: Sequence[tuple[str, str]]) -> Subject:
    """Return somebody who is no customer."""
    rows = con.execute(
        f"select t.source, t.record_key, {_naming()} "  # noqa: S608 - constants
        "from (select unnest($sources) as source, unnest($keys) as record_key) as t "
        "left join identity.records as r on r.source = t.source and r.record_key = t.record_key",
        {"sources": [source for source, _ in records], "keys": [key for _, key in records]},
    ).fetchall()
    return _make_subject((), rows)


def _naming() -> str:
    return ", ".join(f"r.{field}" for field in NAMING)


def _make_subject(customers: Sequence[str], rows: Sequence[tuple[str | None, ...]]) -> Subject:
    """Return a person by ids and, record by record, source, key and ``NAMING``."""
    named = 2 + len(IDENTIFIERS)
    return Subject(
        customers=tuple(customers),
        records=tuple(sorted({(str(row[0]), str(row[1])) for row in rows})),
        values=tuple(sorted({str(value) for row in rows for value in row[2:named] if value})),
        names=tuple(
            sorted(
                {
                    (str(given).casefold(), str(family).casefold())
                    for given, family in (row[named:] for row in rows)
                    if given and family
                }
            )
        ),
    )
