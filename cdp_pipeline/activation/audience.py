"""Who of a segment's members a message or list may go to, and why the others may not.

Every member gets exactly one outcome, so that rows and exclusions add up to the segment's size.
Consent is not judged here but asked of ``privacy.consent``; caps and gaps of a message are added
by ``triggers``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

import duckdb

from cdp_pipeline.privacy.consent import (
    ADDRESSES,
    HOUSEHOLD_CHANNELS,
    hold_to_consent,
    permitted,
)
from cdp_pipeline.project.consent_rules import ConsentRules

EXCLUSIONS = ("no_consent", "no_contact", "shared_contact", "holdout", "cap", "incomplete")
"""Reasons to leave a member out, in the order in which they are looked at."""

_REACH = """
create or replace temp table {table} as
select
    gate.customer_id,
    bool_and(gate.is_permitted) as is_permitted,
    any_value(contact.address) as address,
from ({gates}) as gate
left join (select customer_id, {address} as address from core.customer_contact) as contact
    on gate.customer_id = contact.customer_id
group by gate.customer_id
having count(*) = {gate_count}
"""

_CHOSEN = """
create or replace temp table chosen as
with members as (
    select
        membership.customer_id,
        membership.is_holdout,
        coalesce(reach.is_permitted, false) as is_permitted,
        {reader} as reader,
        reach.address is not null as has_address,
        coalesce(customers.record_count, 0) as record_count,
        households.head_customer_id is not null as is_head,
    from segments.membership as membership
    left join {table} as reach on membership.customer_id = reach.customer_id
    left join core.dim_customer as customers on membership.customer_id = customers.customer_id
    left join core.dim_household as households
        on membership.customer_id = households.head_customer_id
    where membership.segment = $segment
),

ranked as (
    select
        *,
        row_number() over (
            partition by is_permitted and has_address, reader
            order by {first}record_count desc, customer_id
        ) as rank_at_address,
    from members
)

select
    customer_id,
    case
        when not is_permitted then 'no_consent'
        when not has_address then 'no_contact'
        when rank_at_address > 1 then 'shared_contact'
        when is_holdout then 'holdout'
        else 'sent'
    end as outcome,
from ranked
"""

_EVERYBODY = """
create or replace temp table chosen as
select customer_id, 'sent' as outcome from segments.membership where segment = $segment
"""


@dataclass(frozen=True)
class Reach:
    """Permissions and addresses of all customers.

    Attributes:
        channel: Channel they are for.
        gates: Tables of the consent gate; finished rows are held to each of them.
        asked: What each gate was asked: purpose and channel.
        table: Temporary table with customer_id, is_permitted and address.
    """

    channel: str
    gates: tuple[str, ...]
    asked: tuple[tuple[str, str | None], ...]
    table: str


@dataclass(frozen=True)
class ReachFinder:
    """Finds who can be reached; what was asked once tonight is not asked again.

    Attributes:
        con: The build, with ``core`` finished: consent does not change while files are written.
        business_date: Day as of which grants count.
        rules: Which of several statements holds.
        known: What was found, by purposes and channel.
        judged: Table of the consent gate, by the one purpose and channel it was asked for.
    """

    con: duckdb.DuckDBPyConnection
    business_date: date
    rules: ConsentRules
    known: dict[tuple[frozenset[tuple[str, str | None]], str], Reach] = field(default_factory=dict)
    judged: dict[tuple[str, str | None], str] = field(default_factory=dict)

    def find(self, *, purposes: Iterable[tuple[str, str | None]], channel: str) -> Reach:
        """Ask consent for each purpose and look up the address; all purposes must permit.

        Args:
            purposes: Purposes, each with its channel or None.
            channel: Channel of the contact, for the address.

        Raises:
            PrivacyError: The consent ledger is missing.
        """
        key = frozenset(purposes), channel
        if key not in self.known:
            self.known[key] = self._make(*key)
        return self.known[key]

    def _make(self, purposes: frozenset[tuple[str, str | None]], channel: str) -> Reach:
        wanted = tuple(sorted(purposes, key=str))
        gates = tuple(self._judge(*asked) for asked in wanted)
        union = " union all ".join(
            f"select customer_id, is_permitted from {gate}"  # noqa: S608 - names made by the gate
            for gate in gates
        )
        reach = Reach(channel, gates, wanted, f"reach_{len(self.known)}")
        address = ADDRESSES[channel]
        self.con.execute(
            _REACH.format(table=reach.table, gates=union, address=address, gate_count=len(gates))
        )
        return reach

    def _judge(self, purpose: str, channel: str | None) -> str:
        """Return the gate's table for a purpose; several destinations ask for the same."""
        asked = purpose, channel
        if asked not in self.judged:
            self.judged[asked] = permitted(
                self.con,
                purpose=purpose,
                channel=channel,
                business_date=self.business_date,
                rules=self.rules,
            )
        return self.judged[asked]


def choose_members(
    con: duckdb.DuckDBPyConnection,
    *,
    segment: str,
    reach: Reach | None,
    one_per_household: bool = False,
) -> None:
    """Give every member of a segment an outcome, in the temporary table ``chosen``.

    Args:
        con: The build.
        segment: Name of the segment.
        reach: What ``ReachFinder`` found; None for analysis, which contacts nobody and therefore
            keeps everybody, holdouts included.
        one_per_household: Only one member of each household, the person to address if she is
            among them; the others are counted as ``shared_contact``.
    """
    if reach is None:
        con.execute(_EVERYBODY, {"segment": segment})
        return
    is_shared = reach.channel not in HOUSEHOLD_CHANNELS
    reader = "reach.address" if is_shared else "membership.customer_id"
    if one_per_household:
        reader = "coalesce(customers.household_id, membership.customer_id)"
    first = "is_head desc, " if one_per_household else ""
    sql = _CHOSEN.format(reader=reader, first=first, table=reach.table)
    con.execute(sql, {"segment": segment})


def count_outcomes(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return how many members ended with each outcome: ``sent`` and every exclusion."""
    rows = con.execute("select outcome, count(*) from chosen group by outcome").fetchall()
    found = dict(rows)
    return {outcome: int(found.get(outcome, 0)) for outcome in ("sent", *EXCLUSIONS)}


def prove_consent(con: duckdb.DuckDBPyConnection, *, rows: str, reach: Reach | None) -> None:
    """Hold finished rows to every gate they had to pass.

    Raises:
        PrivacyError: Somebody in them is not permitted.
    """
    for gate in reach.gates if reach else ():
        hold_to_consent(con, rows=rows, gate=gate)
