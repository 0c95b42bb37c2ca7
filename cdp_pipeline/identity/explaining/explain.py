"""Why two records are one customer, or are not: the evidence, field by field.

Reads a published version; nothing is decided here. ``explain_pair`` weighs two records with the
stored model and says what decided, ``explain_customer`` shows which link holds each record in its
customer and where it could break.
"""

from __future__ import annotations

from typing import Any

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.explaining.bridges import (
    Link,
    bridge_links,
    strongest_path,
    strongest_tree,
)
from cdp_pipeline.identity.explaining.counterfactuals import find_flips
from cdp_pipeline.identity.explaining.evidence import (
    RECORDS,
    Model,
    Record,
    Weighed,
    find_records,
    living,
    load_model,
    shown,
    weigh,
)
from cdp_pipeline.identity.explaining.explanations import (
    CustomerExplanation,
    FieldEvidence,
    MemberEvidence,
    PairExplanation,
)
from cdp_pipeline.identity.explaining.reasons import find_reason, find_two_births
from cdp_pipeline.identity.scoring.design import Design, shipped_design
from cdp_pipeline.storage.warehouse import describe, fetch_dicts, has_table

ACCEPT_PROB = 0.5
"""Probability from which a pair is a link, unless the project says otherwise."""

SIDES = {
    "record_kind": "Kind",
    "printed_given": "Given names",
    "printed_family": "Family name",
    "birth_date": "Birth date",
    "sex": "Sex",
    "email": "E-mail",
    "phone": "Phone",
    "street": "Street",
    "city": "Town",
    "postcode": "Postcode",
    "loyalty_id": "Loyalty card",
    "account_id": "Web account",
    "payment_token": "Payment card",
    "updated_at": "Changed at",
}


def explain_pair(
    con: duckdb.DuckDBPyConnection,
    left: str,
    right: str,
    *,
    design: Design | None = None,
    accept: float = ACCEPT_PROB,
) -> PairExplanation:
    """Explain why two records, or two customers, are or are not one person.

    Args:
        con: Read-only connection to a published version.
        left: ``source:record_key`` or a customer id; of a customer, the best fitting record.
        right: The same.
        design: What the project compares; default: the shipped declaration.
        accept: Probability from which a pair is a link.

    Raises:
        ConfigError: A record or customer does not exist, or both are the same.
    """
    sides = [find_records(con, asked) for asked in (left, right)]
    model = load_model(con, (design or shipped_design()).comparisons)
    alone = all(len(side) == 1 for side in sides)
    is_identical = alone and sides[0][0]["evidence_id"] == sides[1][0]["evidence_id"]
    comparable = all(any(row["is_comparable"] for row in side) for side in sides)
    weighed = None
    if model is not None and comparable and not is_identical:
        weighed = weigh(con, model, sides)
    pair = (weighed.left, weighed.right) if weighed else (sides[0][0], sides[1][0])
    path = _path(con, *pair, accept=accept)
    reason = find_reason(con, *pair, path, weighed=weighed, accept=accept)
    if reason.by == "guard" and model is not None:
        reason = find_two_births(con, *pair, model) or reason
    known: dict[str, Any] = {}
    if weighed is not None and model is not None:
        known = _weights(model, weighed, accept=accept)
    else:
        known = {"match_prob": min((link.prob for link in path), default=float(reason.is_same))}
    return PairExplanation(
        left=pair[0]["name"],
        right=pair[1]["name"],
        left_customer=pair[0]["customer_id"],
        right_customer=pair[1]["customer_id"],
        reason=reason,
        path=path,
        sides=_sides(*pair),
        **known,
    )


def _weights(model: Model, weighed: Weighed, *, accept: float) -> dict[str, Any]:
    parameters = model.parameters
    fields = zip(parameters.comparisons, weighed.outcomes, weighed.bits, strict=True)
    return {
        "fields": tuple(
            FieldEvidence(
                field=comparison.name,
                level=comparison.level_name(outcome),
                left=shown(weighed.left, comparison),
                right=shown(weighed.right, comparison),
                match_bits=match,
                household_bits=household,
            )
            for comparison, outcome, (match, household) in fields
        ),
        "prior_bits": parameters.match_bits,
        "household_prior_bits": parameters.household_bits,
        "match_weight": weighed.match_weight,
        "household_weight": weighed.household_weight,
        "match_prob": weighed.match_prob,
        "household_prob": weighed.household_prob,
        "learned_bits": weighed.learned_bits,
        "flips": find_flips(model, weighed, accept=accept),
    }


def _sides(left: Record, right: Record) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (label, _said(left, field), _said(right, field))
        for field, label in SIDES.items()
        if left[field] is not None or right[field] is not None
    )


def _said(record: Record, field: str) -> str:
    return "-" if record[field] is None else str(record[field])


_LINKS = """
select
    e.source_a || ':' || e.record_key_a as name_a,
    e.source_b || ':' || e.record_key_b as name_b,
    e.match_prob,
    e.rule
from identity.edges as e
inner join identity.customer_map as a on a.source = e.source_a and a.record_key = e.record_key_a
inner join identity.customer_map as b on b.source = e.source_b and b.record_key = e.record_key_b
where a.customer_id = $customer and b.customer_id = $customer and e.match_prob >= $accept
order by e.match_prob desc, name_a, name_b
"""

_VALUES = """
select field, source || ':' || record_key || ', ' || replace(rule, '_', ' ')
from identity.golden_sources
where customer_id = ?
order by field
"""

_COPIES = """
select r.source || ':' || r.record_key, f.source || ':' || f.record_key
from identity.records as r
inner join identity.records as f on f.record_id = r.evidence_id
inner join identity.customer_map as m on m.source = r.source and m.record_key = r.record_key
where m.customer_id = $customer and r.record_id <> r.evidence_id
order by r.record_id
"""

SAYS_THE_SAME = "says the same"

MOVES = {"joined", "returned", "merged", "split", "moved", "left"}
"""Changes of single records; a customer is created or gone in one line of history."""


def _links(con: duckdb.DuckDBPyConnection, customer_id: str, *, accept: float) -> list[Link]:
    """Return everything that links two records of a customer directly."""
    rows = con.execute(_LINKS, {"customer": customer_id, "accept": accept}).fetchall()
    copies = con.execute(_COPIES, {"customer": customer_id}).fetchall()
    return [Link(prob, left, right, rule) for left, right, prob, rule in rows] + [
        Link(1.0, copy, first, SAYS_THE_SAME) for copy, first in copies
    ]


def _path(
    con: duckdb.DuckDBPyConnection, left: Record, right: Record, *, accept: float
) -> tuple[Link, ...]:
    customer = left["customer_id"]
    if customer is None or customer != right["customer_id"]:
        return ()
    links = _links(con, customer, accept=accept)
    return strongest_path(links, left["name"], right["name"])


def explain_customer(
    con: duckdb.DuckDBPyConnection, customer_id: str, *, accept: float = ACCEPT_PROB
) -> CustomerExplanation:
    """Explain which records make a customer, what holds each of them and where it could break.

    Args:
        con: Read-only connection to a published version.
        customer_id: Living or retired id.
        accept: Probability from which a pair is a link.

    Raises:
        ConfigError: The customer does not exist, or other software made the version.
    """
    _require_shape(con)
    known = living(con, customer_id)
    records = fetch_dicts(con, RECORDS + " where m.customer_id = ? order by r.record_id", [known])
    if not records:
        raise ConfigError(
            f"no customer {customer_id!r}",
            where="cdp explain",
            hint="Ids are C and 16 hex digits; identity.customer_map lists them.",
        )
    golden = con.execute(
        "select household_id from identity.golden_records where customer_id = ?", [known]
    ).fetchall()
    sources = con.execute(_VALUES, [known]).fetchall()
    links = _links(con, known, accept=accept)
    named = {row["name"] for row in records if row["is_comparable"]}
    inner = [
        link
        for link in links
        if link.left in named and link.right in named and link.rule != SAYS_THE_SAME
    ]
    return CustomerExplanation(
        customer_id=known,
        asked_for=customer_id if customer_id != known else None,
        household_id=golden[0][0] if golden else None,
        members=_members(records, links),
        links=tuple(inner),
        weakest=min(map(_upright, strongest_tree(inner).values()), default=None),
        bridges=bridge_links(inner),
        sources=dict(sources),
        changes=_history(con, known),
    )


NEEDED = {
    "identity.customer_map": {"customer_id", "match_prob"},
    "identity.golden_records": {"household_id"},
    "identity.golden_sources": {"field", "rule"},
    "identity.changes": {"change", "previous_customer_id", "changed_on"},
}
"""Tables and columns that an explanation of a customer reads."""


def _require_shape(con: duckdb.DuckDBPyConnection) -> None:
    """Make sure that this software can read the version."""
    for table, columns in NEEDED.items():
        held = set(describe(con, table)) if has_table(con, table) else set()
        lacking = sorted(columns - held)
        if lacking:
            raise ConfigError(
                f"{table} of the published version lacks {', '.join(lacking)}",
                where="cdp explain",
                hint="An older release published it; run the night again with this one: "
                "`cdp run --force`.",
            )


def _upright(link: Link) -> Link:
    return link if link.left < link.right else link.reversed()


def _members(records: list[Record], links: list[Link]) -> tuple[MemberEvidence, ...]:
    """Return each record with its link in the strongest tree and its best link."""
    tree = strongest_tree(links)
    best: dict[str, Link] = {}
    for link in sorted(links, reverse=True):
        best.setdefault(link.left, link)
        best.setdefault(link.right, link.reversed())
    members: list[MemberEvidence] = []
    for row in records:
        name = row["name"]
        held = tree.get(name)
        if held is not None:
            is_copy = held.rule == SAYS_THE_SAME
            reason = "says the same as" if is_copy else f"{held.rule}:"
        else:
            reason = "held by the group as a whole" if members else "first record"
        members.append(
            MemberEvidence(
                record=name,
                record_kind=row["record_kind"],
                match_prob=row["match_prob"],
                linked_to=held.right if held else None,
                reason=reason,
                best_link=best.get(name),
            )
        )
    return tuple(members)


def _history(con: duckdb.DuckDBPyConnection, customer_id: str) -> tuple[str, ...]:
    rows = con.execute(
        "select changed_on, change, previous_customer_id, count(*) from identity.changes "
        "where customer_id = ? group by all order by changed_on, change, previous_customer_id",
        [customer_id],
    ).fetchall()
    return tuple(
        f"{day} {change}"
        + (f" from {previous}" if previous not in {None, customer_id} else "")
        + (f" ({records} record{'s' if records > 1 else ''})" if change in MOVES else "")
        for day, change, previous, records in rows
    )
