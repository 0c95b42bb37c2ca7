"""Which records somebody can be reached by, and which only mention somebody in passing."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import numpy.typing as npt

from cdp_pipeline.identity.standard.extras import brought_tags
from cdp_pipeline.storage.warehouse import fetch_value

Marks = npt.NDArray[np.bool_]

MAILED_BY = (
    "email", "phone", "street", "loyalty_id", "account_id", "payment_token", "national_id",
    "identifier",
)  # fmt: skip
"""Where or by what to reach somebody who could get another's mail."""

REACHED_BY = (*MAILED_BY, "street_name")
"""Where or by what to reach somebody; the last only where addresses come in parts."""

SAYS_MORE = ("street", "loyalty_id", "account_id", "national_id", "street_name")
"""What nobody gives in passing."""

RECEIPT = "receipt"
CONTACT = "contact"
UNTOLD = "record"
"""Kind of a record told in passing, of one that wrote to the store, and of one of no known kind."""


def reachable_nodes(con: duckdb.DuckDBPyConnection) -> Marks:
    """Return which of ``identity_node_ids`` hold where or by what to reach somebody.

    The others are a name, with a birth date at most.
    """
    return _holding(con, REACHED_BY)


def mailed_nodes(con: duckdb.DuckDBPyConnection, is_reachable: Marks) -> Marks:
    """Return which of the nodes that can be reached hold more than an address in parts.

    Addresses in parts are those of a census or a register: nobody there gets another's mail, and
    who moves house leaves nothing of them.
    """
    if "street_name" not in brought_tags(con, "identity.records"):
        return is_reachable
    return _holding(con, MAILED_BY)


def _holding(con: duckdb.DuckDBPyConnection, tags: Sequence[str]) -> Marks:
    found = con.execute(_REACHABLE.format(held=_held(con, tags))).fetchnumpy()
    return np.asarray(found["is_reachable"], np.bool_)


def _held(con: duckdb.DuckDBPyConnection, tags: Sequence[str]) -> str:
    """Return the columns of these tags; the part of an address only where it was brought."""
    brought = brought_tags(con, "identity.records")
    return ", ".join(f"r.{tag}" for tag in tags if tag != "street_name" or tag in brought)


_REACHABLE = """
select coalesce({held}) is not null as is_reachable
from identity_node_ids as i
inner join identity.records as r on r.record_id = i.record_id
order by i.node_id
"""


def mention_nodes(con: duckdb.DuckDBPyConnection) -> Marks:
    """Return which of ``identity_node_ids`` are said in passing alone: by receipts.

    Of records of files nobody knows the kind: those that say little are counted as mentions, with
    neither birth date nor street nor card, and a mailbox or a number, not both. Where no record
    says more, as in a list of names and mailboxes, all are people.
    """
    kinds = con.execute(
        "select distinct record_kind from identity.records where record_kind in (?, ?)",
        [RECEIPT, UNTOLD],
    ).fetchall()
    if not kinds:
        nodes = int(fetch_value(con, "select count(*) from identity_node_ids"))
        return np.zeros(nodes, dtype=bool)
    is_told = (RECEIPT,) in kinds
    thin = _THIN.format(held=_held(con, SAYS_MORE))
    found = con.execute(_MENTIONS if is_told else thin).fetchnumpy()
    is_mention = np.asarray(found["is_mention"], np.bool_)
    return is_mention if is_told else is_mention & ~is_mention.all()


def contact_nodes(con: duckdb.DuckDBPyConnection) -> Marks:
    """Return which of ``identity_node_ids`` wrote to the store or called it."""
    found = con.execute(_CONTACTS, [CONTACT]).fetchnumpy()
    return np.asarray(found["is_contact"], np.bool_)


_CONTACTS = """
select c.evidence_id is not null as is_contact
from identity_node_ids as i
left join (
    select distinct evidence_id from identity.records where record_kind = $1
) as c on c.evidence_id = i.record_id
order by i.node_id
"""

_MENTIONS = """
select (r.record_kind <> 'receipt') is not true and c.evidence_id is null as is_mention
from identity_node_ids as i
inner join identity.records as r on r.record_id = i.record_id
left join (
    select distinct evidence_id from identity.records
    where record_id <> evidence_id and record_kind <> 'receipt'
) as c on c.evidence_id = i.record_id
order by i.node_id
"""

_THIN = """
select
    coalesce({held}) is null
    and r.birth_date is null and (r.email is null or r.phone is null) as is_mention
from identity_node_ids as i
inner join identity.records as r on r.record_id = i.record_id
order by i.node_id
"""
