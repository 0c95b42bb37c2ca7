"""Signs of wrong customers that need no truth: who holds too much, who looks like somebody else.

Over-merged customers have more names, birth dates and postcodes than a person has; under-merged
ones share name and contact with another customer. Evidence that was withheld from the decision
tells how often the decision was right. Counting belongs here; thresholds are checks of the table.
"""

from __future__ import annotations

import duckdb
import numpy as np

from cdp_pipeline.identity.measuring.accuracy import Figure
from cdp_pipeline.identity.measuring.estimates import Estimate, share
from cdp_pipeline.identity.scoring.compare import Comparison, two_births, unpack
from cdp_pipeline.identity.scoring.weights import Parameters
from cdp_pipeline.storage.warehouse import fetch_dicts, fetch_value

OVER_MERGED = {
    "several_records": "true",
    "over_3_given_names": "given_name_count > 3",
    "over_3_family_names": "family_name_count > 3",
    "over_5_postcodes": "postcode_count > 5",
    "several_birth_dates": "birth_date_count > 1",
    "both_sexes": "sex_count > 1",
    "weak_link": "weakest_link_prob < 0.9",
}
"""Conditions on ``identity.cluster_quality``; the first, all of it, is no sign but the measure of
how much was joined. More than three names and five postcodes are Amperity's signs, who expect at
most .011 % of ids with more than three given names."""

CONTACTS = {
    "same_name_and_email": "r.email",
    "same_name_and_phone": "r.phone",
    "same_name_and_address": "r.street, r.postcode",
}
"""What another customer of the same names may share."""

FEW_PAIRS = 30
"""Below so many pairs withheld evidence says nothing."""

_TWINS = """
with faces as (
    select
        n.customer_no,
        hash(r.given_name, r.family_name, {contact}) as face
    from identity_named as n
    inner join identity.records as r on r.record_id = n.record_id
    where length(r.given_name) > 1 and r.family_name is not null
        and {present}
),
shared as (
    select face from faces group by face having min(customer_no) <> max(customer_no)
)
select count(distinct f.customer_no) from faces as f semi join shared as s on s.face = f.face
"""


def count_indicators(con: duckdb.DuckDBPyConnection) -> list[Figure]:
    """Return the shares of customers that look over-merged or under-merged.

    Args:
        con: Connection with ``identity.cluster_quality`` and the tables of
            ``members.collect_members``. Shares are of all customers with a name, birth date or
            address.
    """
    customers = int(fetch_value(con, "select count(distinct customer_no) from identity_named"))
    if not customers:
        return []
    counts = fetch_dicts(
        con,
        "select "  # noqa: S608 - conditions are written above
        + ", ".join(f"count(*) filter ({sql}) as {name}" for name, sql in OVER_MERGED.items())
        + " from identity.cluster_quality",
    )[0]
    for name, contact in CONTACTS.items():
        present = " and ".join(f"{part} is not null" for part in contact.split(", "))
        counts[name] = fetch_value(con, _TWINS.format(contact=contact, present=present))
    return [_counted(name, int(count), customers) for name, count in counts.items()]


def _counted(name: str, count: int, customers: int) -> Figure:
    known = count / customers
    return Figure(name, Estimate(known, known, known), "counted", customers)


def check_withheld(
    con: duckdb.DuckDBPyConnection, parameters: Parameters | None, *, accept: float
) -> list[Figure]:
    """Return the precision of links as judged by the birth date they did not need.

    Of pairs inside customers that would be accepted without their birth dates, the dates of some
    differ plainly. Either the pair is wrong, as two people's dates nearly always differ, or a date
    is. The value takes every such pair for a wrong one; the upper limit believes the model that
    one person's dates differ as often as it has learned.

    Args:
        con: Connection with the tables of ``members.collect_members``.
        parameters: Fitted model.
        accept: Probability from which a pair is a link.
    """
    if parameters is None:
        return []
    figures = []
    for place, comparison in enumerate(parameters.comparisons):
        if comparison.kind == "birth" and not comparison.frequency:
            figures += _withheld(con, parameters, place, comparison, accept=accept)
    return figures


def _withheld(
    con: duckdb.DuckDBPyConnection,
    parameters: Parameters,
    place: int,
    comparison: Comparison,
    *,
    accept: float,
) -> list[Figure]:
    match, household = parameters.level_bits(place)
    codes = np.asarray(
        con.execute(
            "select distinct pattern from identity_known_edges order by pattern"
        ).fetchnumpy()["pattern"],
        dtype=np.int64,
    )
    outcomes = unpack(codes, parameters.comparisons)[:, place] if len(codes) else codes
    apart = two_births(parameters.comparisons).get(place, (0,))
    con.execute(
        "create or replace temp table identity_withheld as "
        "select unnest($codes) as pattern, unnest($present) as is_present, "
        "unnest($apart) as is_apart, unnest($match) as match_bits, "
        "unnest($household) as household_bits",
        {
            "codes": codes.tolist(),
            "present": (outcomes >= 0).tolist(),
            "apart": np.isin(outcomes, apart).tolist(),
            "match": [float(match[o]) if o >= 0 else 0.0 for o in outcomes],
            "household": [float(household[o]) if o >= 0 else 0.0 for o in outcomes],
        },
    )
    differing, pairs = con.execute(_DIFFERING, {"accept": accept}).fetchall()[0]
    if pairs < FEW_PAIRS:
        return []
    slip, strangers = (
        float(shares[place][list(apart)].sum())
        for shares in (parameters.match, parameters.household)
    )
    differ = share(differing, pairs)
    highest = (strangers - differ.low) / (strangers - slip) if strangers > slip else 1.0
    estimate = Estimate(
        max(0.0, 1 - differ.value / strangers),
        max(0.0, 1 - differ.high / strangers),
        min(1.0, highest),
    )
    name = "precision_by_" + comparison.name.replace(" ", "_").replace("-", "_")
    return [Figure(name, estimate, "withheld", pairs)]


_DIFFERING = """
select count(*) filter (w.is_apart), count(*)
from identity_known_edges as e
inner join identity_withheld as w on w.pattern = e.pattern
where e.customer_no is not null and w.is_present
    and (e.match_weight - w.match_bits)
        - log2(1 + pow(2, least(e.household_weight - w.household_bits, 200)))
        >= log2($accept / (1 - $accept))
"""
