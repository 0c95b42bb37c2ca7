"""How well each customer holds together: ``identity.cluster_quality``.

One row a customer of several distinct records: the weakest of the links that hold it, how many of
them are bridges, and how much its records differ. For stewards, who see the doubtful ones first.
"""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp_pipeline.identity.explaining.bridges import bridges, strongest_forest
from cdp_pipeline.storage.warehouse import fetch_value

CERTAIN_BITS = 200.0
"""Log odds of a link that a steward has made: no score is stronger."""

Integers = npt.NDArray[np.int64]


def measure_cohesion(con: duckdb.DuckDBPyConnection, *, accept: float) -> None:
    """Write ``identity.cluster_quality`` from the tables of ``members.collect_members``.

    Args:
        con: Build connection.
        accept: Probability from which an edge is a link.
    """
    links = con.execute(_LINKS, {"accept": accept, "certain": CERTAIN_BITS}).fetchnumpy()
    left, right, customer = (
        np.asarray(links[name], np.int64) for name in ("place_a", "place_b", "customer_no")
    )
    size = int(fetch_value(con, "select count(*) from identity_named"))
    weights = np.asarray(links["log_odds"], np.float64)
    forest = strongest_forest(left, right, weights, size=size)
    is_bridge = bridges(left, right, forest, size=size)
    con.register(
        "identity_holding_rows",
        pa.table(
            {
                "place_a": left[forest],
                "place_b": right[forest],
                "customer_no": customer[forest],
                "log_odds": weights[forest],
                "is_bridge": is_bridge[forest],
            }
        ),
    )
    con.execute("create or replace temp table identity_holding as from identity_holding_rows")
    con.unregister("identity_holding_rows")
    con.execute(_HELD)
    con.execute(_TABLE)


_LINKS = """
with judged as (
    select a.place as place_a, b.place as place_b, a.customer_no, $certain as log_odds
    from identity_judged_pairs as j
    inner join identity_named as a on a.record_id = j.evidence_a
    inner join identity_named as b on b.record_id = j.evidence_b and b.customer_no = a.customer_no
    where j.verdict = 'same' and j.evidence_a <> j.evidence_b
),
accepted as (
    select place_a, place_b, customer_no, log_odds
    from identity_known_edges
    where customer_no is not null and match_prob >= $accept
    union all
    select place_a, place_b, customer_no, log_odds from judged
)
select place_a, place_b, customer_no, max(log_odds) as log_odds
from accepted
group by place_a, place_b, customer_no
order by place_a, place_b
"""

_HELD = """
create or replace temp table identity_held as
with several as (
    select
        n.customer_no,
        count(*) as distinct_record_count,
        count(distinct case when length(r.given_name) > 1 then r.given_name end)
            as given_name_count,
        count(distinct r.family_name) as family_name_count,
        count(distinct r.birth_date) as birth_date_count,
        count(distinct r.sex) as sex_count,
        count(distinct r.postcode) as postcode_count
    from identity_named as n
    inner join identity.records as r on r.record_id = n.record_id
    semi join (
        select customer_no from identity_named group by customer_no having count(*) > 1
    ) as m on m.customer_no = n.customer_no
    group by n.customer_no
),
links as (
    select
        customer_no,
        count(*) as links,
        count(*) filter (is_bridge) as bridge_count,
        min(log_odds) as weakest,
        arg_min(place_a, (log_odds, place_a, place_b)) as place_a,
        arg_min(place_b, (log_odds, place_a, place_b)) as place_b
    from identity_holding
    group by customer_no
),
pairs as (
    select customer_no, min(match_weight) as least_pair_weight
    from identity_inner_pairs
    group by customer_no
)
select
    s.*,
    s.distinct_record_count - coalesce(l.links, 0) as part_count,
    coalesce(l.bridge_count, 0) as bridge_count,
    1 / (1 + pow(2, least(-l.weakest, 200))) as weakest_link_prob,
    l.place_a,
    l.place_b,
    p.least_pair_weight
from several as s
left join links as l on l.customer_no = s.customer_no
left join pairs as p on p.customer_no = s.customer_no
"""

_TABLE = """
create or replace table identity.cluster_quality as
with ids as (
    select customer_no, any_value(customer_hash) as customer_hash
    from identity_named
    group by customer_no
),
customers as (
    select
        hash(customer_id) as customer_hash,
        any_value(customer_id) as customer_id,
        count(*) as record_count
    from identity.customer_map
    group by hash(customer_id)
),
named as (
    select n.place, r.source, r.record_key
    from identity_named as n
    inner join identity.records as r on r.record_id = n.record_id
)
select
    c.customer_id,
    c.record_count,
    h.distinct_record_count,
    h.part_count,
    h.weakest_link_prob,
    a.source as weakest_source_a,
    a.record_key as weakest_record_key_a,
    b.source as weakest_source_b,
    b.record_key as weakest_record_key_b,
    h.bridge_count,
    h.least_pair_weight,
    h.given_name_count,
    h.family_name_count,
    h.birth_date_count,
    h.sex_count,
    h.postcode_count
from identity_held as h
inner join ids as i on i.customer_no = h.customer_no
inner join customers as c on c.customer_hash = i.customer_hash
left join named as a on a.place = h.place_a
left join named as b on b.place = h.place_b
order by c.customer_id
"""
