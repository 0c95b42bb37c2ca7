"""What a steward asks for, worked out as judgements of records.

Looking up records and customers of the published version, and turning "take these out", "keep
this one as it is" and "these two are one" into drafts for the journal belong here. Nothing is
written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.stewardship.constraints import Conflict, resolve
from cdp_pipeline.identity.stewardship.judgements import (
    Draft,
    Freeze,
    Judgements,
    Line,
    PairJudgement,
)

CUSTOMER_ID = re.compile(r"C[0-9A-F]{16}")

MOST_PARTS = 60
"""Distinct records that are taken apart completely; of a larger customer, some must be named."""


@dataclass(frozen=True)
class Member:
    """A record of a customer.

    Attributes:
        name: ``source:record_key``.
        evidence_id: The same for records that say exactly the same.
        is_named: Whether the model compares it; receipts that hold only numbers are not.
    """

    name: str
    evidence_id: int
    is_named: bool


@dataclass(frozen=True)
class Decision:
    """Drafts for the journal, with what the steward should know about them."""

    drafts: tuple[Draft, ...]
    notes: tuple[str, ...] = field(default=())


def judge_pair(
    con: duckdb.DuckDBPyConnection, verdict: str, sides: tuple[str, str], reason: str
) -> Decision:
    """Return the judgement of two records, or of two customers by one record of each.

    Raises:
        ConfigError: A record or customer does not exist, or both are the same.
    """
    notes = []
    records = []
    for asked in sides:
        record = asked
        if CUSTOMER_ID.fullmatch(asked):
            record = _members(con, asked)[0].name
            notes.append(f"{record} stands for customer {asked}")
        else:
            require_record(con, asked)
        records.append(record)
    if records[0] == records[1]:
        raise ConfigError(
            "these are one and the same record",
            where="cdp judge",
            hint="Name two records, as source:record_key; `cdp explain CUSTOMER` lists them.",
        )
    draft = {"verdict": verdict, "a": records[0], "b": records[1], "reason": reason}
    return Decision((draft,), tuple(notes))


def unmerge(
    con: duckdb.DuckDBPyConnection, customer: str, records: Sequence[str], reason: str
) -> Decision:
    """Return the judgements that take records out of a customer for good.

    Args:
        con: Read-only connection to a published version.
        customer: Living or retired customer id.
        records: Those to take out; none: the named records are all taken apart.
        reason: Kept with each judgement.

    Raises:
        ConfigError: The customer does not exist, a record is not one of its, or nothing would
            be left or taken.
    """
    members = _members(con, customer)
    if not records:
        return _take_apart(customer, members, reason)
    names = {member.name: member for member in members}
    strangers = [record for record in records if record not in names]
    if strangers:
        raise ConfigError(
            f"{', '.join(strangers)}: no record of {customer}",
            where="cdp unmerge",
            hint=f"`cdp explain {customer}` lists its records.",
        )
    taken = sorted(set(records))
    staying = [member for member in members if member.name not in taken]
    if not staying:
        raise ConfigError(
            "these are all records of the customer, so nothing would remain",
            where="cdp unmerge",
            hint="Name those that belong to somebody else, or none to take all apart.",
        )
    others = _one_each(staying)
    drafts = tuple(
        {"verdict": "different", "a": record, "b": others, "reason": reason} for record in taken
    )
    return Decision(drafts, (f"{len(taken)} of {len(members)} records leave {customer}",))


def freeze(
    con: duckdb.DuckDBPyConnection, judgements: Judgements, customer: str, reason: str
) -> Decision:
    """Return the freeze of a customer with the records it has now, but for those taken out since.

    Raises:
        ConfigError: The customer does not exist or is frozen already.
    """
    frozen = _freezes(judgements, customer)
    if frozen:
        raise ConfigError(
            f"{customer} is frozen already, by {frozen[-1].who} ({frozen[-1].id})",
            where="cdp freeze",
            hint=f"`cdp freeze {customer} --thaw` first, to freeze it with other records.",
        )
    members = [member.name for member in _members(con, customer)]
    kept = _not_taken_out(judgements, members)
    draft = {"verdict": "freeze", "customer": customer, "records": kept, "reason": reason}
    notes = [f"{customer} keeps its {len(kept)} records"]
    if len(kept) < len(members):
        notes.append(f"{len(members) - len(kept)} judged to be another person's are left out")
    return Decision((draft,), tuple(notes))


def _not_taken_out(judgements: Judgements, members: Sequence[str]) -> list[str]:
    """Return the members that may stay together; whom a steward took from the others goes."""
    judged = resolve(judgements)
    taken = {
        line.a
        for line in judgements.standing
        if isinstance(line, PairJudgement) and line.verdict == "different"
    }
    apart = {
        name: {
            other
            for other in members
            if name in judged.units
            and other in judged.units
            and tuple(sorted((judged.units[name], judged.units[other]))) in judged.apart
        }
        for name in members
    }
    kept: set[str] = set()
    for name in sorted(members, key=lambda name: (name in taken, len(apart[name]))):
        if not apart[name] & kept:
            kept.add(name)
    return [name for name in members if name in kept]


def thaw(judgements: Judgements, customer: str, reason: str) -> Decision:
    """Return the withdrawal of a customer's freeze.

    Raises:
        ConfigError: The customer is not frozen.
    """
    frozen = _freezes(judgements, customer)
    if not frozen:
        raise ConfigError(
            f"{customer} is not frozen",
            where="cdp freeze --thaw",
            hint="`cdp judgements` lists frozen customers.",
        )
    drafts = tuple(
        {"verdict": "withdraw", "withdraws": line.id, "reason": reason} for line in frozen
    )
    return Decision(drafts)


def withdraw(judgements: Judgements, number: str, reason: str) -> Decision:
    """Return the withdrawal of a judgement.

    Raises:
        ConfigError: There is no such judgement, or it has been withdrawn.
    """
    known = {line.id for line in judgements.lines}
    if number not in known:
        raise ConfigError(
            f"there is no judgement {number}",
            where="cdp judgements --withdraw",
            hint="`cdp judgements` lists them with their numbers.",
        )
    if number not in {line.id for line in judgements.standing}:
        raise ConfigError(
            f"{number} does not count anyway: it is withdrawn, or a withdrawal itself",
            where="cdp judgements --withdraw",
            hint="To restore a judgement, make it again with `cdp judge`.",
        )
    return Decision(({"verdict": "withdraw", "withdraws": number, "reason": reason},))


def not_recorded(judgements: Judgements, drafts: Sequence[Draft], *, who: str) -> tuple[Draft, ...]:
    """Return judgements of two records, without those that are an author's last word already.

    What others have said since stays the newest: to say a thing again takes more than a file that
    still has it.
    """
    said = {
        pair: (line.verdict, line.reason)
        for line in judgements.standing
        if isinstance(line, PairJudgement) and line.who == who
        for pair in line.pairs
    }
    return tuple(
        draft
        for draft in drafts
        if said.get((draft["a"], draft["b"])) != (draft["verdict"], draft["reason"])
    )


def new_conflicts(before: Judgements, after: Judgements) -> tuple[Conflict, ...]:
    """Return the contradictions that the newest judgements brought."""
    known = set(resolve(before).conflicts)
    return tuple(conflict for conflict in resolve(after).conflicts if conflict not in known)


def with_lines(judgements: Judgements, lines: Sequence[Line]) -> Judgements:
    """Return judgements with some more at their end."""
    return Judgements((*judgements.lines, *lines), judgements.torn)


def require_record(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Make sure that a record is part of the published version.

    Raises:
        ConfigError: It is not.
    """
    if missing_records(con, [name]):
        raise ConfigError(
            f"no person record {name!r} in the published version",
            where="cdp judge",
            hint="Write source:record_key, as `cdp explain CUSTOMER` shows them.",
        )


def missing_records(con: duckdb.DuckDBPyConnection, names: Sequence[str]) -> set[str]:
    """Return those of the names that are no record of the published version."""
    rows = con.execute(
        "select distinct name from (select unnest($names) as name) as n "
        "anti join identity.records as r on r.source || ':' || r.record_key = n.name",
        {"names": list(names)},
    ).fetchall()
    return {name for (name,) in rows}


def _freezes(judgements: Judgements, customer: str) -> list[Freeze]:
    lines = (line for line in judgements.standing if isinstance(line, Freeze))
    return [line for line in lines if line.customer == customer]


_MEMBERS = """
select m.source || ':' || m.record_key as name, r.evidence_id, r.is_comparable
from identity.customer_map as m
inner join identity.records as r on r.source = m.source and r.record_key = m.record_key
where m.customer_id = coalesce(
    (select customer_id from identity.redirects where old_customer_id = $customer), $customer
)
order by r.is_comparable desc, r.record_id
"""


def _members(con: duckdb.DuckDBPyConnection, customer: str) -> list[Member]:
    rows = con.execute(_MEMBERS, {"customer": customer}).fetchall()
    if not rows:
        raise ConfigError(
            f"no customer {customer!r}",
            where="identity.customer_map",
            hint="Ids are C and 16 hex digits; `cdp explain RECORD` tells whose a record is.",
        )
    return [Member(*row) for row in rows]


def _one_each(members: Sequence[Member]) -> list[str]:
    """Return one record for all that say exactly the same."""
    return sorted({member.evidence_id: member.name for member in reversed(members)}.values())


def _take_apart(customer: str, members: Sequence[Member], reason: str) -> Decision:
    named = _one_each([member for member in members if member.is_named])
    if not 1 < len(named) <= MOST_PARTS:
        what = "one named record only" if len(named) < 2 else f"{len(named)} distinct records"  # noqa: PLR2004 - a pair
        raise ConfigError(
            f"{customer} has {what}",
            where="cdp unmerge",
            hint=f"Name the records to take out: `cdp unmerge {customer} source:record_key …`.",
        )
    following: dict[str, list[str]] = {}
    for left, right in combinations(named, 2):
        following.setdefault(left, []).append(right)
    drafts = tuple(
        {"verdict": "different", "a": record, "b": others, "reason": reason}
        for record, others in following.items()
    )
    note = f"{len(named)} different records of {customer} become customers of their own"
    return Decision(drafts, (note, "records without a name follow their identifiers"))
