"""Why two records are one customer, or are not: the evidence, field by field.

Reads a published version; nothing is decided here. ``explain_pair`` weighs two records with the
stored model, ``explain_customer`` shows which link holds each record in its customer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.compare import (
    Comparison,
    frequency_columns,
    pattern_sql,
    unpack,
)
from cdp_pipeline.identity.design import Design, shipped_design
from cdp_pipeline.identity.explanations import (
    CustomerExplanation,
    FieldEvidence,
    MemberEvidence,
    PairExplanation,
)
from cdp_pipeline.identity.nodes import build_nodes
from cdp_pipeline.identity.weights import (
    Parameters,
    frequency_select,
    load_parameters,
    match_probability,
)
from cdp_pipeline.storage.warehouse import fetch_dicts

CUSTOMER_ID = re.compile(r"C[0-9A-F]{16}")

COMPARED_RECORDS = 40
"""Records of each customer that are tried when two customers are compared."""


def explain_pair(
    con: duckdb.DuckDBPyConnection, left: str, right: str, *, design: Design | None = None
) -> PairExplanation:
    """Explain why two records, or two customers, are or are not one person.

    Args:
        con: Read-only connection to a published version.
        left: ``source:record_key`` or a customer id; of a customer, the best fitting record.
        right: The same.
        design: What the project compares; default: the shipped declaration.

    Raises:
        ConfigError: A record or customer does not exist.
    """
    sides = [_find_records(con, asked) for asked in (left, right)]
    same = _identical(sides)
    if same is not None:
        return same
    parameters = load_parameters(con, (design or shipped_design()).comparisons)
    ids = [[row["evidence_id"] for row in side if row["is_comparable"]] for side in sides]
    if parameters is None or not all(ids):
        return _attached(sides[0][0], sides[1][0])
    return _weigh(con, parameters, sides, ids)


def _find_records(con: duckdb.DuckDBPyConnection, asked: str) -> list[dict[str, Any]]:
    """Return the record, or a customer's records: comparable ones first."""
    if CUSTOMER_ID.fullmatch(asked):
        found = fetch_dicts(
            con,
            _RECORDS
            + " where m.customer_id = ? order by r.is_comparable desc, r.record_id limit ?",
            [_living(con, asked), COMPARED_RECORDS],
        )
    else:
        source, _, record_key = asked.partition(":")
        found = fetch_dicts(
            con, _RECORDS + " where r.source = ? and r.record_key = ?", [source, record_key]
        )
    if not found:
        raise ConfigError(
            f"no person record or customer {asked!r}",
            where="cdp explain",
            hint="Give a customer id (C and 16 hex digits) or source:record_key.",
        )
    return found


_RECORDS = """
select r.*, m.customer_id, m.match_prob, r.source || ':' || r.record_key as name
from identity.records as r
left join identity.customer_map as m on m.source = r.source and m.record_key = r.record_key
"""


def _living(con: duckdb.DuckDBPyConnection, customer_id: str) -> str:
    found = con.execute(
        "select customer_id from identity.redirects where old_customer_id = ?", [customer_id]
    ).fetchall()
    return str(found[0][0]) if found else customer_id


def _identical(sides: Sequence[list[dict[str, Any]]]) -> PairExplanation | None:
    left, right = (side[0] for side in sides)
    alone = all(len(side) == 1 for side in sides)
    if not alone or left["evidence_id"] != right["evidence_id"]:
        return None
    return _unweighed(left, right, 1.0, "Both records say exactly the same.")


def _attached(left: dict[str, Any], right: dict[str, Any]) -> PairExplanation:
    """Explain a pair of which one record holds nothing but identifiers."""
    shared = [
        field
        for field in ("account_id", "loyalty_id", "email", "phone", "payment_token")
        if left[field] is not None and left[field] == right[field]
    ]
    if left["customer_id"] and left["customer_id"] == right["customer_id"]:
        prob = min(left["match_prob"], right["match_prob"])
        what = f"They share {' and '.join(shared)}." if shared else "Other records connect them."
        note = f"One customer, probability {prob:.3f}: records without a name follow their holder. "
        return _unweighed(left, right, prob, note + what)
    holders = "; they share " + " and ".join(shared) if shared else "; they share no identifier"
    return _unweighed(left, right, 0.0, f"Not one customer{holders}.")


def _unweighed(
    left: dict[str, Any], right: dict[str, Any], prob: float, note: str
) -> PairExplanation:
    return PairExplanation(
        left=left["name"],
        right=right["name"],
        left_customer=left["customer_id"],
        right_customer=right["customer_id"],
        fields=(),
        prior_bits=0.0,
        match_weight=0.0,
        household_weight=0.0,
        match_prob=prob,
        note=note,
    )


def _weigh(
    con: duckdb.DuckDBPyConnection,
    parameters: Parameters,
    sides: Sequence[list[dict[str, Any]]],
    ids: Sequence[list[int]],
) -> PairExplanation:
    build_nodes(con, only=sorted({*ids[0], *ids[1]}))
    pairs = fetch_dicts(con, _pairs_sql(parameters.comparisons), {"left": ids[0], "right": ids[1]})
    best = max((_evidence(parameters, pair) for pair in pairs), key=lambda found: found[1])
    (left_id, right_id), _, bits, outcomes = best
    left, right = (
        next(row for row in side if row["evidence_id"] == record_id)
        for side, record_id in zip(sides, (left_id, right_id), strict=True)
    )
    fields = tuple(
        FieldEvidence(
            field=c.name,
            level=c.level_name(outcome),
            left=_shown(left, c),
            right=_shown(right, c),
            match_bits=match,
            household_bits=household,
        )
        for c, outcome, (match, household) in zip(
            parameters.comparisons, outcomes, bits, strict=True
        )
    )
    match_weight = parameters.match_bits + sum(match for match, _ in bits)
    household_weight = parameters.household_bits + sum(household for _, household in bits)
    return PairExplanation(
        left=left["name"],
        right=right["name"],
        left_customer=left["customer_id"],
        right_customer=right["customer_id"],
        fields=fields,
        prior_bits=parameters.match_bits,
        match_weight=match_weight,
        household_weight=household_weight,
        match_prob=match_probability(match_weight, household_weight),
        note=_verdict(left, right, match_weight, household_weight),
    )


def _pairs_sql(comparisons: Sequence[Comparison]) -> str:
    # The lower record is always l: some levels take the frequency of the left value.
    return f"""
        select
            x.record_id as left_id, y.record_id as right_id,
            {pattern_sql(comparisons)} as pattern
            {frequency_select(comparisons)}
        from identity_nodes as x
        inner join identity_nodes as y on x.record_id <> y.record_id
        inner join identity_nodes as l on l.record_id = least(x.record_id, y.record_id)
        inner join identity_nodes as r on r.record_id = greatest(x.record_id, y.record_id)
        where x.record_id in (select unnest($left)) and y.record_id in (select unnest($right))
        order by left_id, right_id
        """  # noqa: S608 - declared comparisons


_Evidence = tuple[tuple[int, int], float, list[tuple[float, float]], list[int]]


def _evidence(parameters: Parameters, pair: dict[str, Any]) -> _Evidence:
    codes = np.array([pair["pattern"]], dtype=np.int64)
    outcomes = [int(o) for o in unpack(codes, parameters.comparisons)[0]]
    weighted = frequency_columns(parameters.comparisons)
    bits = parameters.pair_bits(outcomes, {place: pair[f"f{place}"] for place in weighted})
    match = parameters.match_bits + sum(m for m, _ in bits)
    household = parameters.household_bits + sum(h for _, h in bits)
    probability = match_probability(match, household)
    return (pair["left_id"], pair["right_id"]), probability, bits, outcomes


def _shown(record: dict[str, Any], comparison: Comparison) -> str:
    values = [str(record[field]) for field in comparison.fields if record[field] is not None]
    return ", ".join(values) or "-"


def _verdict(
    left: dict[str, Any], right: dict[str, Any], match_weight: float, household_weight: float
) -> str:
    person = match_probability(match_weight, household_weight)
    household = match_probability(household_weight, match_weight)
    chances = f"one person {person:.3f}, one household {household:.3f}"
    is_same = left["customer_id"] is not None and left["customer_id"] == right["customer_id"]
    decided = "One customer" if is_same else "Two customers"
    if is_same and person < 0.5:  # noqa: PLR2004 - even odds
        return f"{decided} ({chances}): other records of the customer connect the two."
    if not is_same and person >= 0.5:  # noqa: PLR2004 - even odds
        return f"{decided} ({chances}): the customers' other records speak against it."
    return f"{decided} ({chances})."


def explain_customer(con: duckdb.DuckDBPyConnection, customer_id: str) -> CustomerExplanation:
    """Explain which records make a customer and what holds each of them.

    Args:
        con: Read-only connection to a published version.
        customer_id: Living or retired id.

    Raises:
        ConfigError: The customer does not exist.
    """
    living = _living(con, customer_id)
    records = fetch_dicts(con, _RECORDS + " where m.customer_id = ? order by r.record_id", [living])
    if not records:
        raise ConfigError(
            f"no customer {customer_id!r}",
            where="cdp explain",
            hint="Ids are C and 16 hex digits; identity.customer_map lists them.",
        )
    golden = con.execute(
        "select household_id from identity.golden_records where customer_id = ?", [living]
    ).fetchall()
    sources = con.execute(
        "select field, source || ':' || record_key from identity.golden_sources "
        "where customer_id = ? order by field",
        [living],
    ).fetchall()
    return CustomerExplanation(
        customer_id=living,
        asked_for=customer_id if customer_id != living else None,
        household_id=golden[0][0] if golden else None,
        members=_members(con, living, records),
        sources=dict(sources),
        changes=_history(con, living),
    )


_LINKS = """
select
    e.source_a || ':' || e.record_key_a as name_a,
    e.source_b || ':' || e.record_key_b as name_b,
    e.match_prob,
    e.rule
from identity.edges as e
inner join identity.customer_map as a on a.source = e.source_a and a.record_key = e.record_key_a
inner join identity.customer_map as b on b.source = e.source_b and b.record_key = e.record_key_b
where a.customer_id = ? and b.customer_id = ?
order by e.match_prob desc, name_a, name_b
"""


def _members(
    con: duckdb.DuckDBPyConnection, customer_id: str, records: list[dict[str, Any]]
) -> tuple[MemberEvidence, ...]:
    """Return each record with its link in the strongest tree over the customer's edges."""
    names = {row["record_id"]: row["name"] for row in records}
    tree = _strongest_tree(con.execute(_LINKS, [customer_id, customer_id]).fetchall())
    members: list[MemberEvidence] = []
    for row in records:
        first = names.get(row["evidence_id"], row["name"])
        if first != row["name"]:
            link: tuple[str | None, str] = (first, "says the same as")
        elif row["name"] in tree:
            other, rule = tree[row["name"]]
            link = (other, f"{rule}:")
        else:
            link = (None, "first record" if not members else "held by the group as a whole")
        members.append(MemberEvidence(row["name"], row["record_kind"], row["match_prob"], *link))
    return tuple(members)


def _strongest_tree(links: list[tuple[str, str, float, str]]) -> dict[str, tuple[str, str]]:
    """Return, for each record but the first of a tree, the record it hangs on and the rule."""
    neighbours: dict[str, list[tuple[float, str, str]]] = {}
    for left, right, probability, rule in links:
        neighbours.setdefault(left, []).append((probability, right, rule))
        neighbours.setdefault(right, []).append((probability, left, rule))
    tree: dict[str, tuple[str, str]] = {}
    seen: set[str] = set()
    for root in sorted(neighbours):
        if root in seen:
            continue
        seen.add(root)
        border = [(-p, other, root, rule) for p, other, rule in neighbours[root]]
        while border:
            border.sort()
            _, name, parent, rule = border.pop(0)
            if name in seen:
                continue
            seen.add(name)
            tree[name] = (parent, rule)
            border += [
                (-p, other, name, r) for p, other, r in neighbours[name] if other not in seen
            ]
    return tree


def _history(con: duckdb.DuckDBPyConnection, customer_id: str) -> tuple[str, ...]:
    rows = con.execute(
        "select changed_on, change, previous_customer_id, count(*) from identity.changes "
        "where customer_id = ? group by all order by changed_on, change, previous_customer_id",
        [customer_id],
    ).fetchall()
    return tuple(
        f"{day} {change}" + (f" from {previous}" if previous else "") + f" ({records} records)"
        for day, change, previous, records in rows
    )
