"""Which statements are proved by what happened: a read e-mail, a delivery, a registration.

Proof and its contrary (a bounced e-mail) belong here; how much they count is declared with the
golden record. A value is proved for one customer: that a spouse reads a mailbox says nothing about
the other one's address.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.identity.standard.spelling import street_key_sql
from cdp_pipeline.storage.warehouse import has_table

SEVERAL_ORDERS = 2
"""Deliveries to one address from which it is a home: a present is sent once."""

_EMPTY = """
create or replace temp table identity_verifications (
    subject varchar, customer_id varchar, value varchar, verified_at timestamp,
    refuted_at timestamp
)
"""

_PROOFS = """
create or replace temp table identity_mailbox_proofs as
select
    r.email as value,
    max(e.occurred_at) filter (
        e.event_type in ('open', 'click', 'unsubscribe') and not coalesce(e.is_machine, false)
    ) as verified_at,
    max(e.occurred_at) filter (e.event_type = 'bounce') as refuted_at
from staging.email_events as e
inner join identity.records as r
    on r.source = e.person_source and r.record_key = e.person_record_key
where r.email is not null and e.event_type <> 'sent'
group by r.email
"""

_NO_PROOFS = """
create or replace temp table identity_mailbox_proofs (
    value varchar, verified_at timestamp, refuted_at timestamp
)
"""

_MAILBOXES = """
insert into identity_verifications
select distinct 'email', m.customer_id, p.value, p.verified_at, p.refuted_at
from identity_mailbox_proofs as p
inner join identity_golden_members as m on m.email = p.value
where p.verified_at is not null or p.refuted_at is not null
"""

_ADDRESSES = """
insert into identity_verifications
with stated as (
    select
        m.customer_id,
        concat_ws('|', coalesce({street_key}, ''), coalesce(m.postcode, '')) as value,
        m.record_kind = 'order' as is_order,
        m.family_name,
        m.updated_at
    from identity_golden_members as m
    where m.street is not null and m.postcode is not null
        and m.record_kind in ('loyalty', 'account', 'order')
)
select
    'street', o.customer_id, o.value, max(o.updated_at), null
from stated as o
where o.is_order
group by o.customer_id, o.value
having count(*) >= {several} or bool_or(exists (
    select 1 from stated as p
    where p.customer_id = o.customer_id and p.value = o.value and not p.is_order
))
"""

_REGISTERED = """
insert into identity_verifications
select '{field}', customer_id, {field}, max(updated_at), null
from identity_golden_members
where record_kind = '{kind}' and {field} is not null
group by customer_id, {field}
having max(updated_at) is not null
"""


def find_proofs(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``identity_mailbox_proofs`` (value, verified_at, refuted_at) from what was sent."""
    con.execute(_PROOFS if has_table(con, "staging.email_events") else _NO_PROOFS)


def verify_statements(con: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary table ``identity_verifications``.

    Grain: one row per subject (the first field of a group), customer and compared value. Columns:
    ``verified_at``, the newest proof, and ``refuted_at``, the newest disproof (UTC). Only customers
    of ``identity_golden_members`` are asked; ``identity_mailbox_proofs`` is there already.
    """
    con.execute(_EMPTY)
    con.execute(_MAILBOXES)
    con.execute(_ADDRESSES.format(street_key=street_key_sql("m.street"), several=SEVERAL_ORDERS))
    con.execute(_REGISTERED.format(field="loyalty_id", kind="loyalty"))
    con.execute(_REGISTERED.format(field="account_id", kind="account"))
