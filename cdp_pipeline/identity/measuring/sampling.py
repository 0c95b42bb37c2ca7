"""Which pairs a person looks at to measure the linkage: a stratified sample, one a month.

Pairs are drawn by a hash of their records' keys and the month, so the draw is random with regard
to everything else and the same whoever repeats it. The first night of a month that has weighed
every candidate draws; later nights of the month keep the sample, so that it can be finished.
Pairs joined into one customer and pairs kept apart are separate frames. What follows from
judgements belongs in ``accuracy``.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from cdp_pipeline.storage.warehouse import fetch_value, has_base_table, has_table

OVERSAMPLING = 4
"""Pairs that pass the first, cheap selection by hash, as a multiple of those wanted."""

SPARE = 64
"""Pairs more than that, so that the first selection never falls short of a small stratum."""

HASHES = 2**64


@dataclass(frozen=True)
class Stratum:
    """A kind of pair that is sampled on its own.

    Attributes:
        name: Shown to stewards and in reports.
        frame: ``joined`` pairs are of one customer, ``apart`` of two.
        low: Smallest probability in it; ``accept`` and ``review`` stand for the settings.
        size: Pairs to draw.
    """

    name: str
    frame: str
    low: float | str
    size: int


STRATA: tuple[Stratum, ...] = (
    Stratum("joined, certain", "joined", 0.99, 120),
    Stratum("joined, likely", "joined", 0.9, 40),
    Stratum("joined, narrowly", "joined", "accept", 40),
    Stratum("joined through other records", "joined", 0.0, 40),
    Stratum("apart, although likely", "apart", "accept", 30),
    Stratum("apart, for review", "apart", "review", 40),
    Stratum("apart, doubtful", "apart", 0.01, 40),
    Stratum("apart, unlikely", "apart", 0.0001, 40),
    Stratum("apart, remote", "apart", 0.0, 80),
)
"""From the most to the least probable in each frame. Sizes follow Neyman's rule roughly: more where
there are many pairs or the model is unsure. 470 pairs a month are two hours of work."""


def keep_rejected(
    con: duckdb.DuckDBPyConnection, *, review: float, accept: float, period: str
) -> None:
    """Write ``staging.identity_rejected``: a sample of the candidates that leave no edge.

    Args:
        con: Build connection with the temporary tables ``identity_scored`` and
            ``identity_nodes``.
        review: Probability below which a candidate leaves no edge.
        accept: Probability from which it is a link.
        period: Month, mixed into the draw.

    Writes also ``staging.identity_rejected_strata``: candidates there were (``pairs``), and how
    many of them the model expects to be one person (``expected``).
    """
    con.execute(_NODE_KEYS)
    con.execute(
        f"""
        create or replace temp table identity_below as
        select
            {_stratum_sql("apart", accept=accept, review=review)} as stratum,
            s.match_prob,
            hash(l.record_hash, r.record_hash, $period) as draw,
            l.record_id as record_a,
            r.record_id as record_b
        from (
            select
                node_a, node_b, 1 / (1 + pow(2, least(-log_odds, 200))) as match_prob
            from identity_scored
            where log_odds < log2($review / (1 - $review))
        ) as s
        inner join identity_node_keys as l on l.node_id = s.node_a
        inner join identity_node_keys as r on r.node_id = s.node_b
        """,  # noqa: S608 - constant text
        {"period": period, "review": review},
    )
    con.execute(_REJECTED_STRATA)
    con.execute(_sizes_sql())
    con.execute(
        _drawn_sql(
            "staging.identity_rejected", "identity_below", "staging.identity_rejected_strata"
        )
    )


_NODE_KEYS = """
create or replace temp table identity_node_keys as
select n.node_id, n.record_id, hash(r.source, r.record_key) as record_hash
from identity_nodes as n
inner join identity.records as r on r.record_id = n.record_id
"""

_REJECTED_STRATA = """
create or replace table staging.identity_rejected_strata as
select
    stratum,
    count(*) as pairs,
    cast(sum(cast(match_prob as decimal(18, 12))) as double) as expected
from identity_below
group by stratum
order by stratum
"""


def _sizes_sql() -> str:
    rows = ", ".join(f"('{s.name}', '{s.frame}', {s.size})" for s in STRATA)
    return (
        "create or replace temp table identity_sample_sizes as "  # noqa: S608 - constants above
        f"select * from (values {rows}) as t (stratum, frame, size)"
    )


def _stratum_sql(frame: str, *, accept: float, review: float) -> str:
    bounds = {"accept": accept, "review": review}
    branches = " ".join(
        f"when match_prob >= {bounds.get(str(s.low), s.low)} then '{s.name}'"
        for s in STRATA
        if s.frame == frame
    )
    return f"case {branches} end"


def _drawn_sql(made: str, pairs: str, strata: str) -> str:
    """Return SQL for the pairs with the smallest hashes of each stratum."""
    return f"""
        create or replace table {made} as
        with near as (
            select p.record_a, p.record_b, p.stratum, p.match_prob, p.draw, z.size
            from {pairs} as p
            inner join {strata} as s on s.stratum = p.stratum
            inner join identity_sample_sizes as z on z.stratum = p.stratum
            where p.draw <= {HASHES}::double
                * ({OVERSAMPLING} * z.size + {SPARE})::double / s.pairs
        )
        select record_a, record_b, stratum, match_prob
        from near
        qualify row_number() over (
            partition by stratum order by draw, record_a, record_b
        ) <= size
        order by stratum, record_a, record_b
        """  # noqa: S608 - own table names


def draw_sample(
    con: duckdb.DuckDBPyConnection, *, accept: float, review: float, business_date: str
) -> None:
    """Write ``identity.clerical_sample`` and ``identity.clerical_strata``.

    Args:
        con: Build connection with the tables of ``members.collect_members`` and
            ``keep_rejected``.
        accept: Probability from which a candidate is a link.
        review: Probability below which a candidate leaves no edge.
        business_date: The night, as YYYY-MM-DD.

    The sample of the version before is kept while its month lasts, and for longer if this night
    has not weighed all candidates.
    """
    period = business_date[:7]
    if _is_current(con, period):
        con.execute(_KEPT_SAMPLE)
        con.execute(_KEPT_STRATA)
        return
    con.execute(_sizes_sql())
    con.execute(
        f"""
        create or replace temp table identity_frame as
        select
            record_a, record_b, match_prob,
            hash(hash_a, hash_b, $period) as draw,
            {_stratum_sql("joined", accept=accept, review=review)} as stratum
        from identity_inner_pairs
        union all
        select
            record_a, record_b, match_prob,
            hash(hash_a, hash_b, $period),
            {_stratum_sql("apart", accept=accept, review=review)}
        from identity_known_edges
        where customer_no is null
        """,  # noqa: S608 - constant text
        {"period": period},
    )
    con.execute(_FRAME_STRATA)
    con.execute(_drawn_sql("staging.identity_drawn", "identity_frame", "identity_frame_strata"))
    con.execute(_SAMPLE, {"period": period, "day": business_date})
    con.execute(_STRATA_TABLE, {"period": period, "day": business_date})


def _is_current(con: duckdb.DuckDBPyConnection, period: str) -> bool:
    if not has_base_table(con, "identity.clerical_strata"):
        return False
    drawn = fetch_value(con, "select max(period) from base.identity.clerical_strata")
    has_all = has_table(con, "identity_rejected_strata", catalog="staging")
    return drawn == period or not has_all


_FRAME_STRATA = """
create or replace temp table identity_frame_strata as
select
    stratum,
    count(*) as pairs,
    cast(sum(cast(match_prob as decimal(18, 12))) as double) as expected
from identity_frame
group by stratum
"""

_SAMPLE = """
create or replace table identity.clerical_sample as
with drawn as (
    select record_a, record_b, stratum, match_prob from staging.identity_drawn
    union all
    -- a rejected pair that other records join anyway is among the joined ones already
    select d.record_a, d.record_b, d.stratum, d.match_prob
    from staging.identity_rejected as d
    inner join identity_named as l on l.record_id = d.record_a
    inner join identity_named as r on r.record_id = d.record_b
    where l.customer_no <> r.customer_no
)
select
    $period as period,
    z.stratum,
    z.frame,
    a.source as source_a,
    a.record_key as record_key_a,
    b.source as source_b,
    b.record_key as record_key_b,
    d.match_prob,
    cast($day as date) as drawn_on
from drawn as d
inner join identity_sample_sizes as z on z.stratum = d.stratum
inner join identity.records as a on a.record_id = d.record_a
inner join identity.records as b on b.record_id = d.record_b
order by z.frame desc, z.stratum, source_a, record_key_a, source_b, record_key_b
"""

_STRATA_TABLE = """
create or replace table identity.clerical_strata as
with populations as (
    select stratum, pairs, expected from identity_frame_strata
    union all
    select stratum, pairs, expected from staging.identity_rejected_strata
),
drawn as (
    select stratum, count(*) as sampled from identity.clerical_sample group by stratum
),
rejected as (
    select stratum, count(*) as drawn from staging.identity_rejected group by stratum
)
select
    $period as period,
    z.stratum,
    z.frame,
    -- of the rejected, only those apart count: in the proportion met in the sample
    cast(round(p.pairs * coalesce(d.sampled / r.drawn, 1)) as bigint) as pair_count,
    p.expected / p.pairs as expected_share,
    d.sampled as sampled_count,
    cast($day as date) as drawn_on
from populations as p
inner join identity_sample_sizes as z on z.stratum = p.stratum
inner join drawn as d on d.stratum = p.stratum
left join rejected as r on r.stratum = p.stratum
order by z.frame desc, expected_share desc
"""

_KEPT_SAMPLE = """
create or replace table identity.clerical_sample as
select s.*
from base.identity.clerical_sample as s
-- the pairs of erased people go with them
semi join identity.records as a on a.source = s.source_a and a.record_key = s.record_key_a
semi join identity.records as b on b.source = s.source_b and b.record_key = s.record_key_b
order by s.frame desc, s.stratum, s.source_a, s.record_key_a, s.source_b, s.record_key_b
"""

_KEPT_STRATA = """
create or replace table identity.clerical_strata as
select period, stratum, frame, pair_count, expected_share, sampled_count, drawn_on
from base.identity.clerical_strata
order by frame desc, expected_share desc
"""
