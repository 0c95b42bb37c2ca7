"""How much speaks for two customers living together, in bits.

A dwelling (street, numbers and postcode of today's address) counts most, then the model's
household class, a common family name, telephone or mailbox. Different dwellings speak against it:
who has moved out leaves. In a block without flat numbers the dwelling says nothing by itself; one
building, of which only one customer names the flat, needs a name besides.
Which customers make a household is decided in ``households``.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.identity.standard.spelling import building_sql, street_words_sql

ACCEPT_BITS = 2.0
"""Evidence from which two customers share a household."""

CROWD = 8
"""More customers than this at one door are a block without flat numbers, a hall or a hotel."""

WEIGHTS = {
    "same_dwelling": 3.0,
    "one_delivery": 1.5,
    "same_building": 1.0,
    "came_to_it": 1.0,
    "same_postcode": 1.0,
    "other_dwelling": -3.5,
    "same_family": 1.5,
    "other_family": -0.5,
    "model": 2.0,
    "same_phone": 1.5,
    "same_email": 1.5,
}
"""Bits. A dwelling is enough whatever the names (flat-mates, couples with two names), but not one
that is known from a single order only: that may be a present. A name and the model are enough where
no address speaks against it."""

SHARERS = 8
"""A number or mailbox that more customers state is no family's."""

NEIGHBOURS = 20
"""A postcode of more customers is a district, not a few doors."""

_HOMES = r"""
create or replace temp table identity_homes as
with written as (
    select
        cast(row_number() over (order by customer_id) - 1 as integer) as place,
        customer_id,
        identity_letters(family_name) as family,
        identity_postcode(postcode) as postcode,
        identity_street(street) as written
    from identity_golden
),
told as (
    select * exclude (written), {told} as street from written
),
homes as (
    select *, {building} as building from told
)
select
    * exclude (building),
    string_split(family, ' ') as family_parts,
    postcode || '|' || array_to_string(
        list_sort(regexp_extract_all(street, '\d+[a-z]?')), ' '
    ) as door,
    postcode || '|' || array_to_string(
        list_sort(regexp_extract_all(building, '\d+[a-z]?')), ' '
    ) as building,
    trim(regexp_replace(street, '\b(?:flat|ul)\b|\d+[a-z]?', '', 'g')) as road
from homes
"""
# Numbers and postcode find a door however the line is ordered; the road is compared by its letters.

_CROWDS = """
create or replace temp table identity_crowds as
select door, count(*) as people from identity_homes where door is not null group by door
"""

_BLOCKS = """
create or replace temp table identity_blocks as
select building, count(*) as people from identity_homes where building is not null group by building
"""

_SMALL_POSTCODES = """
create or replace temp table identity_small_postcodes as
select postcode from identity_homes where postcode is not null
group by postcode having count(*) <= {neighbours}
"""

_STATED_DOORS = r"""
create or replace temp table identity_stated_doors as
with stated as (
    select
        h.place,
        h.door as home,
        m.postcode || '|' || array_to_string(
            list_sort(regexp_extract_all(m.street, '\d+[a-z]?')), ' '
        ) as door,
        coalesce(m.updated_at, m.delivered_on) as stated_at,
        m.record_kind <> 'order' as is_profile
    from identity_customer_records as m
    inner join identity_homes as h on h.customer_id = m.customer_id
    where m.street is not null and m.postcode is not null
        and m.record_kind in ('loyalty', 'account', 'order', 'contact')
)
select
    place,
    door,
    max(stated_at) as stated_at,
    bool_or(is_profile) or count(*) > 1 as is_sure
from stated
group by place, door
"""

_MODELLED = """
create or replace temp table identity_modelled_pairs as
select
    least(a.place, b.place) as place_a,
    greatest(a.place, b.place) as place_b,
    max(p.household_prob) as household_prob
from staging.identity_household_pairs as p
inner join identity_customer_records as l on l.record_id = p.record_a
inner join identity_customer_records as r on r.record_id = p.record_b
inner join identity_homes as a on a.customer_id = l.customer_id
inner join identity_homes as b on b.customer_id = r.customer_id
where a.place <> b.place
group by all
"""

_CONTACTS = """
create or replace temp table identity_shared_{field}s as
with stated as (
    select distinct h.place, m.{field} as value
    from identity_customer_records as m
    inner join identity_homes as h on h.customer_id = m.customer_id
    where m.{field} is not null
),
shared as (
    select value, list(place order by place) as places
    from stated
    group by value
    having count(*) between 2 and {sharers}
)
select distinct a.place as place_a, b.place as place_b
from shared as s, unnest(s.places) as a (place), unnest(s.places) as b (place)
where a.place < b.place
"""

_CANDIDATES = """
create or replace temp table identity_home_pairs as
select a.place as place_a, b.place as place_b
from identity_homes as a
inner join identity_homes as b on a.door = b.door and a.place < b.place
inner join identity_crowds as c on c.door = a.door
where c.people <= {crowd} or a.family = b.family
union
select least(a.place, b.place), greatest(a.place, b.place)
from identity_homes as a
inner join identity_homes as b on a.building = b.building and a.door <> b.door
inner join identity_blocks as c on c.building = a.building
where a.door <> a.building and b.door = b.building
    and (c.people <= {crowd} or a.family = b.family)
union
select least(a.place, b.place), greatest(a.place, b.place)
from identity_homes as a
inner join identity_homes as b
    on a.postcode = b.postcode and a.family = b.family and a.place <> b.place
inner join identity_small_postcodes as s on s.postcode = a.postcode
where a.street is null
union
select place_a, place_b from identity_modelled_pairs
union
select place_a, place_b from identity_shared_phones
union
select place_a, place_b from identity_shared_emails
"""

_SCORES = """
create or replace temp table {scored} as
with compared as (
    select
        p.*,
        a.door is not null and a.door = b.door
            and (a.road = b.road or jaro_winkler_similarity(a.road, b.road) >= 0.85) as same_door,
        a.building = b.building and a.door <> b.door
            and (a.door = a.building or b.door = b.building)
            and (a.road = b.road or jaro_winkler_similarity(a.road, b.road) >= 0.85)
            as same_building,
        f.people > {crowd} as is_block,
        a.street is not null and b.street is not null and a.postcode is not null
            and b.postcode is not null as both_known,
        c.people > {crowd} as is_crowded,
        s.postcode is not null as is_small,
        coalesce(aa.is_sure and bb.is_sure, false) as is_sure,
        list_has_any(a.family_parts, b.family_parts) as same_family,
        coalesce(m.household_prob, 0) as household_prob,
        t.place_a is not null as same_phone,
        e.place_a is not null as same_email,
        coalesce(ab.stated_at >= aa.stated_at, false)
            or coalesce(ba.stated_at >= bb.stated_at, false) as came_to_it
    from {pairs} as p
    inner join identity_homes as a on a.place = p.place_a
    inner join identity_homes as b on b.place = p.place_b
    left join identity_crowds as c on c.door = a.door
    left join identity_blocks as f on f.building = a.building
    left join identity_small_postcodes as s on s.postcode = a.postcode and s.postcode = b.postcode
    left join identity_modelled_pairs as m on m.place_a = p.place_a and m.place_b = p.place_b
    left join identity_shared_phones as t on t.place_a = p.place_a and t.place_b = p.place_b
    left join identity_shared_emails as e on e.place_a = p.place_a and e.place_b = p.place_b
    left join identity_stated_doors as aa on aa.place = a.place and aa.door = a.door
    left join identity_stated_doors as ab on ab.place = a.place and ab.door = b.door
    left join identity_stated_doors as ba on ba.place = b.place and ba.door = a.door
    left join identity_stated_doors as bb on bb.place = b.place and bb.door = b.door
)
select
    * exclude (
        both_known, is_crowded, is_block, is_small, is_sure, same_building, same_family,
        household_prob
    ),
    case
        when same_door and not is_crowded and not is_sure then {one_delivery}
        when same_door and not is_crowded then {same_dwelling}
        when same_door then 0
        when same_building and is_block then 0
        when same_building then {same_building}
        when both_known and came_to_it then {came_to_it}
        when both_known then {other_dwelling}
        when is_small then {same_postcode}
        else 0
    end
    + case when same_family then {same_family} when not same_family then {other_family} else 0 end
    + round({model} * household_prob, 6)
    + case when same_phone then {same_phone} else 0 end
    + case when same_email then {same_email} else 0 end as bits
from compared
"""


def collect_evidence(con: duckdb.DuckDBPyConnection) -> None:
    """Make ``identity_homes``, the pairs that any evidence proposes and their scores.

    Reads ``identity_golden``, ``identity_customer_records`` and the model's household pairs. The
    scores are in ``identity_home_scores`` (place_a, place_b, same_door, bits).
    """
    con.execute(_HOMES.format(told=street_words_sql("written"), building=building_sql("street")))
    con.execute(_CROWDS)
    con.execute(_BLOCKS)
    con.execute(_SMALL_POSTCODES.format(neighbours=NEIGHBOURS))
    con.execute(_STATED_DOORS)
    con.execute(_MODELLED)
    for field in ("phone", "email"):
        con.execute(_CONTACTS.format(field=field, sharers=SHARERS))
    con.execute(_CANDIDATES.format(crowd=CROWD))
    score_homes(con, pairs="identity_home_pairs", scored="identity_home_scores")


def score_homes(con: duckdb.DuckDBPyConnection, *, pairs: str, scored: str) -> None:
    """Score a table of pairs (place_a < place_b and further columns, which are kept)."""
    con.execute(_SCORES.format(pairs=pairs, scored=scored, crowd=CROWD, **WEIGHTS))
