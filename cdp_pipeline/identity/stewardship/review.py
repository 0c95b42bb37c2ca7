"""The steward's queue: pairs whose judgement moves most.

First come pairs that the model is least sure of, weighted by how many records and how much money
the answer moves. A pair inside a customer is asked about only if it alone holds two parts of the
customer together: if the model is unsure of it, or if the customer has two birth dates or sexes
and the pair is its weakest. Nobody is asked twice. Reads a published version; nothing is decided
here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import duckdb

from cdp_pipeline.identity.scoring.weights import match_probability
from cdp_pipeline.identity.stewardship.constraints import Constraints, resolve
from cdp_pipeline.identity.stewardship.judgements import Judgements, PairJudgement, ordered_pair
from cdp_pipeline.identity.stewardship.parts import parts_held
from cdp_pipeline.storage.warehouse import fetch_dicts, has_table

SURE = 0.95
"""Accepted links above this are not asked about."""

DOUBTED = 0.9
"""Probability at most of the weakest link of a customer whose records contradict each other."""

MONEY_UNIT = 100.0
"""Sales that count as much as one record does."""


@dataclass(frozen=True)
class ReviewPair:
    """A pair worth a person's look.

    Attributes:
        record_a: ``source:record_key``.
        record_b: ``source:record_key``.
        customer_a: Customer of the first record; empty if it belongs to nobody.
        customer_b: Customer of the second record; the same if the pair is a bridge inside it.
        match_prob: Probability that both are one person.
        household_prob: Probability that they are two people of one household.
        records_moved: Records that change their customer if the answer is not the model's.
        money_moved: Sales that move with them.
        pattern: Packed levels of agreement; None if they must be worked out.
        interest: What the queue is ordered by.
        is_sample: Drawn at random to measure the linkage: the model's opinion would sway it.
        doubt: In what the records of its one customer contradict each other; empty if in nothing.
    """

    record_a: str
    record_b: str
    customer_a: str
    customer_b: str
    match_prob: float
    household_prob: float
    records_moved: int
    money_moved: float
    pattern: int | None
    interest: float
    is_sample: bool = False
    doubt: str = ""

    @property
    def kind(self) -> Literal["join", "bridge"]:
        """Whether the answer may join two customers or split one."""
        return "bridge" if self.customer_a == self.customer_b else "join"

    @property
    def question(self) -> str:
        """Return what is at stake, in a sentence."""
        if self.is_sample:
            return "drawn at random, to measure how good the customers are"
        money = f" and {self.money_moved:,.0f} of sales" if self.money_moved >= 1 else ""
        records = f"{self.records_moved:,} record" + ("s" if self.records_moved > 1 else "")
        if self.kind == "bridge":
            has = f" with {self.doubt}" if self.doubt else ""
            return f"one customer now{has}; this link alone holds {records}{money} in it"
        return f"two customers now; the smaller has {records}{money}"


_EDGES = """
with sizes as (
    select customer_id, count(*) as records from identity.customer_map group by customer_id
)
select
    e.source_a || ':' || e.record_key_a as record_a,
    e.source_b || ':' || e.record_key_b as record_b,
    a.customer_id as customer_a,
    b.customer_id as customer_b,
    e.match_prob,
    e.match_weight,
    e.household_weight,
    e.pattern,
    least(x.records, y.records) as records_moved
from identity.edges as e
inner join identity.customer_map as a on a.source = e.source_a and a.record_key = e.record_key_a
inner join identity.customer_map as b on b.source = e.source_b and b.record_key = e.record_key_b
inner join sizes as x on x.customer_id = a.customer_id
inner join sizes as y on y.customer_id = b.customer_id
where {condition}
order by record_a, record_b
"""

_ACROSS = "e.pattern is not null and a.customer_id <> b.customer_id"

_INSIDE = """
a.customer_id = b.customer_id and e.match_prob >= $accept and a.customer_id in (
    select unnest($doubtful)
    union all
    select m.customer_id
    from identity.edges as q
    inner join identity.customer_map as m
        on m.source = q.source_a and m.record_key = q.record_key_a
    inner join identity.customer_map as n
        on n.source = q.source_b and n.record_key = q.record_key_b
        and n.customer_id = m.customer_id
    where q.pattern is not null and q.match_prob >= $accept and q.match_prob < $sure
)
"""

_DOUBTFUL = """
select
    customer_id,
    weakest_source_a || ':' || weakest_record_key_a as record_a,
    weakest_source_b || ':' || weakest_record_key_b as record_b,
    case when birth_date_count > 1 then 'several birth dates' else 'both sexes' end as doubt
from identity.cluster_quality
where (birth_date_count > 1 or sex_count > 1) and weakest_source_a is not null
"""

_SAME_EVIDENCE = """
select
    e.source || ':' || e.record_key as record,
    count(*) as records
from identity.records as r
inner join identity.records as e on e.record_id = r.evidence_id
group by record
having count(*) > 1
"""

_SALES = """
select customer_id, cast(sum(net_amount) as double) as money
from core.fct_sales
where customer_id is not null
group by customer_id
"""


def review_queue(
    con: duckdb.DuckDBPyConnection, judgements: Judgements, *, accept: float, limit: int
) -> list[ReviewPair]:
    """Return the most informative pairs, the best first; equal versions give equal queues.

    Args:
        con: Read-only connection to a published version.
        judgements: Everything decided so far, also since the last night.
        accept: Probability from which links count.
        limit: Pairs at most; of two customers only the pair that tells most.
    """
    constraints = resolve(judgements)
    asked = judged_pairs(judgements)
    money = _sales(con)
    across = fetch_dicts(con, _EDGES.format(condition=_ACROSS))
    inside = _bridges(con, accept=accept)
    pairs = [_weigh(edge, money) for edge in (*across, *inside)]
    open_pairs = [
        pair
        for pair in pairs
        if ordered_pair(pair.record_a, pair.record_b) not in asked
        and not _is_settled(constraints, pair)
    ]
    open_pairs.sort(key=lambda pair: (-pair.interest, pair.record_a, pair.record_b))
    return list(_one_per_customers(open_pairs))[:limit]


def judged_pairs(judgements: Judgements) -> set[tuple[str, str]]:
    """Return every pair that somebody has judged, be it unsure."""
    lines = (line for line in judgements.standing if isinstance(line, PairJudgement))
    return {pair for line in lines for pair in line.pairs}


_SAMPLE = """
select
    s.source_a || ':' || s.record_key_a as record_a,
    s.source_b || ':' || s.record_key_b as record_b,
    coalesce(a.customer_id, '') as customer_a,
    coalesce(b.customer_id, '') as customer_b,
    s.match_prob
from identity.clerical_sample as s
semi join identity.records as x on x.source = s.source_a and x.record_key = s.record_key_a
semi join identity.records as y on y.source = s.source_b and y.record_key = s.record_key_b
left join identity.customer_map as a on a.source = s.source_a and a.record_key = s.record_key_a
left join identity.customer_map as b on b.source = s.source_b and b.record_key = s.record_key_b
order by
    row_number() over (
        partition by s.stratum order by hash(record_a, record_b), record_a, record_b
    ),
    s.stratum
"""
# A bit of every stratum at any time, so that a review that is not finished measures something.


def sample_queue(
    con: duckdb.DuckDBPyConnection, judgements: Judgements, *, limit: int
) -> list[ReviewPair]:
    """Return what is left of the month's random sample, which measures precision and recall.

    Args:
        con: Read-only connection to a published version.
        judgements: Everything decided so far.
        limit: Pairs at most.
    """
    if not has_table(con, "identity.clerical_sample"):
        return []
    asked = judged_pairs(judgements)
    pairs = [
        ReviewPair(
            **row,
            household_prob=0.0,
            records_moved=0,
            money_moved=0.0,
            pattern=None,
            interest=0.0,
            is_sample=True,
        )
        for row in fetch_dicts(con, _SAMPLE)
    ]
    return [p for p in pairs if ordered_pair(p.record_a, p.record_b) not in asked][:limit]


def _bridges(con: duckdb.DuckDBPyConnection, *, accept: float) -> list[dict[str, Any]]:
    """Return unsure and doubted links that alone hold two parts of a customer together."""
    has_quality = has_table(con, "identity.cluster_quality")
    doubtful = fetch_dicts(con, _DOUBTFUL) if has_quality else []
    doubts = {ordered_pair(row["record_a"], row["record_b"]): row["doubt"] for row in doubtful}
    customers = [row["customer_id"] for row in doubtful]
    edges = fetch_dicts(
        con,
        _EDGES.format(condition=_INSIDE),
        {"accept": accept, "sure": SURE, "doubtful": customers},
    )
    if not edges:
        return []
    weights = dict(con.execute(_SAME_EVIDENCE).fetchall())
    found = parts_held([(edge["record_a"], edge["record_b"]) for edge in edges], weights)
    asked = []
    for edge in edges:
        size = found.get((edge["record_a"], edge["record_b"]))
        doubt = doubts.get(ordered_pair(edge["record_a"], edge["record_b"]), "")
        if (
            size is not None
            and edge["pattern"] is not None
            and (doubt or edge["match_prob"] < SURE)
        ):
            asked.append(edge | {"records_moved": size, "doubt": doubt})
    return asked


def _sales(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Return sales by customer; none where a warehouse holds people only."""
    if not has_table(con, "core.fct_sales"):
        return {}
    return dict(con.execute(_SALES).fetchall())


def _weigh(edge: dict[str, Any], money: dict[str, float]) -> ReviewPair:
    customers = edge["customer_a"], edge["customer_b"]
    moved = min(abs(money.get(customer, 0.0)) for customer in customers)
    if customers[0] == customers[1]:
        moved /= 2  # which part bought what is not known here
    stake = 1 + math.log2(1 + edge["records_moved"]) + math.log2(1 + moved / MONEY_UNIT)
    probability = float(edge["match_prob"])
    doubt = edge.get("doubt", "")
    unsure = min(probability, DOUBTED) if doubt else probability
    household = match_probability(edge["household_weight"], edge["match_weight"])
    return ReviewPair(
        record_a=edge["record_a"],
        record_b=edge["record_b"],
        customer_a=customers[0],
        customer_b=customers[1],
        match_prob=probability,
        household_prob=household,
        records_moved=int(edge["records_moved"]),
        money_moved=round(moved, 2),
        pattern=int(edge["pattern"]),
        interest=round(4 * unsure * (1 - unsure) * stake, 9),
        doubt=doubt,
    )


def _is_settled(constraints: Constraints, pair: ReviewPair) -> bool:
    """Return whether what has been judged already decides the pair."""
    one, other = (constraints.units.get(record) for record in (pair.record_a, pair.record_b))
    if one in constraints.closed or other in constraints.closed:
        return True
    if one is None or other is None:
        return False
    return one == other or (min(one, other), max(one, other)) in constraints.apart


def _one_per_customers(pairs: Iterable[ReviewPair]) -> Iterable[ReviewPair]:
    seen: set[tuple[str, str]] = set()
    for pair in pairs:
        customers = ordered_pair(pair.customer_a, pair.customer_b)
        if pair.kind == "bridge" or customers not in seen:
            seen.add(customers)
            yield pair
