"""Records without a name - receipts, mail events - go to the customer who holds their identifier.

A card number alone is no material for a probabilistic model: there is one field, and it agrees.
What counts is who holds the identifier, how many do, and whether one of them is registered with
it. Each attachment says how sure it is; an identifier that several people hold equally attaches
nothing. Whoever is left is grouped by identifier: a customer without a name.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.identity.grouping.slips import TYPED, find_slips
from cdp_pipeline.identity.stewardship.partners import (
    place_partners,
    settle_judged,
    withhold_judged,
)
from cdp_pipeline.storage.warehouse import fetch_value

KEYS = (
    "national_id", "account_id", "loyalty_id", "email", "phone", "payment_token", "identifier",
)  # fmt: skip
"""Identifiers from the most to the least personal; a record is settled by its first."""

ATTACHED_BY = ("record_id", "evidence_id", "record_kind", "is_usable", "is_comparable")
"""What else of a record is looked at."""

RELIABILITY = {
    "national_id": 0.98,
    "account_id": 0.98,
    "loyalty_id": 0.95,
    "email": 0.93,
    "phone": 0.80,
    "payment_token": 0.75,
    "identifier": 0.75,
}
"""How often the sole holder of an identifier is the person who used it. Cards are lent in the
family (4 to 15 % at tills), payment cards and landlines are shared."""

REGISTERED_WEIGHT = 100
"""The loyalty or account record behind a number, against one mention elsewhere."""

HOLDER_WEIGHT = 2
"""Whoever holds a number at all, before anything is seen of how it is used. Shopping comes in
runs: who has used the mailbox at a till is likelier to use it there again than whoever is merely
registered with it."""

RECEIPT_WEIGHT = 4
"""One receipt with a name, against all orders and contacts of profiles together: how often a number
is registered says who filled in forms, not who used it at a till."""

DECIDED_SHARE = 0.66
"""Share of all claims from which a record's owner is decided. Where a family holds a mailbox, the
likeliest member is often not the one who shopped; nobody's receipt does less harm than another's.
Between two holders, one receipt decides (7 to 3), however often the other is registered."""

_HOLDINGS = """
create or replace temp table identity_holdings (
    field varchar, value varchar, group_id integer, weight double, record_id integer
)
"""

_MENTIONS = """
create or replace temp table identity_wanted_mentions (
    field varchar, value varchar, evidence_id integer, record_kind varchar
)
"""

_WANTED_MENTIONS = """
insert into identity_wanted_mentions
select '{field}', r.{field}, r.evidence_id, r.record_kind
from identity_attachable as r
where r.{field} in (select value from identity_wanted_values where field = '{field}')
"""
# All records are looked through once, not again after every pass.

_GROUP_HOLDINGS = """
insert into identity_holdings
select
    r.field,
    r.value,
    g.group_id,
    sum(case
        when r.field = 'loyalty_id' and r.record_kind = 'loyalty' then {registered}
        when r.field = 'account_id' and r.record_kind = 'account' then {registered}
        when r.record_kind = 'receipt' then {receipt}
        else 0
    end) + max(case when r.record_kind = 'receipt' then 0 else 1 end),
    min(g.evidence_id)
from identity_wanted_mentions as r
inner join {groups} as g on g.evidence_id = r.evidence_id
group by r.field, r.value, g.group_id
"""

_OPEN = """
create or replace temp table identity_open as
select evidence_id, {keys},
    {count} as identifiers,
    case {primary} end as primary_key
from identity_attachable
where record_id = evidence_id and is_usable and not is_comparable
order by evidence_id
"""

_MEANT = """
update identity_open set {field} = s.meant
from identity_slips as s
where s.evidence_id = identity_open.evidence_id and s.field = '{field}'
"""
# What a hand meant is looked up, not what it wrote; the record itself stays as it was written.

_WANTED_VALUES = """
create or replace temp table identity_wanted_values as
select distinct field, value
from (select {keys} from identity_open)
unpivot (value for field in ({keys}))
"""
# Who holds an identifier matters only where a nameless record has it.

_ASKED = """
create or replace temp table identity_asked as
select evidence_id, field, value
from (
    select evidence_id, {keys} from identity_open
    where primary_key = $key and (identifiers > 1) = $several
)
unpivot (value for field in ({keys}))
"""

_SHARES = """
create or replace temp table identity_shares as
with summed as (
    select
        h.field, h.value, h.group_id,
        sum(h.weight) + {holder} as weight,
        min(h.record_id) as holder_id
    from identity_holdings as h
    semi join identity_asked as a on a.value = h.value and a.field = h.field
    group by h.field, h.value, h.group_id
)
select
    field, value, group_id, holder_id,
    -- decimals from here on: sums of doubles differ with the order in which threads add them
    cast(weight / sum(weight) over (partition by field, value) as decimal(18, 12)) as share
from summed
"""

_CLAIMS = """
create or replace temp table identity_claims as
with claims as (
    select
        a.evidence_id,
        s.group_id,
        sum(cast(s.share * r.reliability as decimal(18, 12))) as claim,
        max(r.reliability) as reliability,
        -- of equal claims always the same field speaks
        arg_max(a.field, (s.share * r.reliability, -hash(a.field)::hugeint)) as field,
        arg_max(s.holder_id, (s.share * r.reliability, -hash(a.field)::hugeint)) as holder_id
    from identity_asked as a
    inner join identity_shares as s on s.field = a.field and s.value = a.value
    inner join identity_reliability as r on r.field = a.field
    group by a.evidence_id, s.group_id
)
select
    evidence_id, group_id, field, holder_id,
    round(
        reliability * cast(claim as double)
        / cast(sum(claim) over (partition by evidence_id) as double), 9
    ) as match_prob,
    cast(claim as double) / cast(sum(claim) over (partition by evidence_id) as double) as share
from claims
qualify row_number() over (partition by evidence_id order by claim desc, group_id) = 1
"""

_ACCEPTED = """
create or replace temp table identity_newly as
select evidence_id, group_id, match_prob, field, holder_id
from identity_claims
where match_prob > $accept and share >= $decided
"""

_UNCLAIMED = """
create or replace temp table identity_newly as
select
    o.evidence_id,
    min(o.evidence_id) over (partition by o.{key}) as group_id,
    case when count(*) over (partition by o.{key}) = 1 then 1.0 else {reliability} end
        as match_prob,
    '{key}' as field,
    min(o.evidence_id) over (partition by o.{key}) as holder_id
from identity_open as o
anti join identity_claims as c on c.evidence_id = o.evidence_id
where o.primary_key = '{key}' and (o.identifiers > 1) = $several
"""


def attach_records(con: duckdb.DuckDBPyConnection, *, accept: float, is_part: bool = False) -> None:
    """Extend ``identity_groups`` by the nameless records.

    Args:
        con: Connection with ``identity.records`` and the temporary table ``identity_groups``
            (evidence_id, group_id, match_prob) of the named records.
        accept: Probability above which an attachment counts.
        is_part: The temporary table ``identity_attachable`` holds the records to look at: nameless
            ones, and whoever shares an identifier with them; ``identity_slips`` exists. Default:
            all records.

    Writes the temporary table ``identity_attached`` (evidence_id, holder_id, match_prob, field):
    the record that each one was attached to, and why.
    """
    place_partners(con)
    if not is_part:
        con.execute(
            "create or replace temp view identity_attachable as select * from identity.records"
        )
        find_slips(con)
    _prepare(con)
    withhold_judged(con)
    for key, several in _passes(con):
        con.execute(_ASKED.format(keys=", ".join(KEYS)), {"key": key, "several": several})
        con.execute(_SHARES.format(holder=HOLDER_WEIGHT))
        con.execute(_CLAIMS)
        con.execute(_ACCEPTED, {"accept": accept, "decided": DECIDED_SHARE})
        _keep(con)
        unclaimed = _UNCLAIMED.format(key=key, reliability=RELIABILITY[key])
        con.execute(unclaimed, {"several": several})
        _keep(con)
    settle_judged(con, keys=KEYS, accept=accept)


def _passes(con: duckdb.DuckDBPyConnection) -> list[tuple[str, bool]]:
    """Return the keys with open records, in order.

    Records with several identifiers come first: they tell whose the single ones are.
    """
    found = set(
        con.execute("select distinct primary_key, identifiers > 1 from identity_open").fetchall()
    )
    return [(key, several) for key in KEYS for several in (True, False) if (key, several) in found]


def _prepare(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(_HOLDINGS)
    con.execute(
        "create or replace temp table identity_reliability as "
        "select unnest($fields) as field, unnest($values) as reliability",
        {"fields": list(RELIABILITY), "values": list(RELIABILITY.values())},
    )
    con.execute(
        _OPEN.format(
            keys=", ".join(KEYS),
            count=" + ".join(f"cast({key} is not null as integer)" for key in KEYS),
            primary=" ".join(f"when {key} is not null then '{key}'" for key in KEYS),
        )
    )
    for field in TYPED:
        con.execute(_MEANT.format(field=field))
    con.execute(_WANTED_VALUES.format(keys=", ".join(KEYS)))
    con.execute(_MENTIONS)
    wanted = con.execute("select distinct field from identity_wanted_values").fetchall()
    for (field,) in sorted(wanted):
        con.execute(_WANTED_MENTIONS.format(field=field))
    _add_holdings(con, "identity_groups")
    con.execute(
        "create or replace temp table identity_attached "
        "(evidence_id integer, holder_id integer, match_prob double, field varchar)"
    )


def _keep(con: duckdb.DuckDBPyConnection) -> None:
    if not fetch_value(con, "select count(*) from identity_newly"):
        return
    con.execute(
        "insert into identity_groups select evidence_id, group_id, match_prob from identity_newly"
    )
    con.execute(
        "insert into identity_attached select evidence_id, holder_id, match_prob, field "
        "from identity_newly where evidence_id <> holder_id"
    )
    _add_holdings(con, "identity_newly")


def _add_holdings(con: duckdb.DuckDBPyConnection, groups: str) -> None:
    con.execute(
        _GROUP_HOLDINGS.format(groups=groups, registered=REGISTERED_WEIGHT, receipt=RECEIPT_WEIGHT)
    )


_ATTACHED_EDGES = """
insert into identity.edges
select
    a.source,
    a.record_key,
    b.source,
    b.record_key,
    log2(t.match_prob / (1 - t.match_prob)),
    null,
    t.match_prob,
    null,
    'attached by ' || t.field
from identity_attached as t
inner join identity.records as a on a.record_id = t.evidence_id
inner join identity.records as b on b.record_id = t.holder_id
where t.match_prob < 1
order by a.record_id
"""


def add_attached_edges(con: duckdb.DuckDBPyConnection) -> None:
    """Add to ``identity.edges`` whom each nameless record was attached to tonight."""
    con.execute("delete from identity.edges where pattern is null")
    con.execute(_ATTACHED_EDGES)
