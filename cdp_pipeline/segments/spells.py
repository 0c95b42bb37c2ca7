"""From when to when people were in a segment: spells are carried, and end or go on tonight.

Spells of people who were merged become one where they overlap or touch. Who is a member tonight is
decided in ``membership``.
"""

from __future__ import annotations

from datetime import date, timedelta

import duckdb

from cdp_pipeline.storage.warehouse import has_base_table

SPELL_DAYS = 1096
"""Days for which an ended spell is kept: three years, to compare seasons with."""

# A spell that was open holds at least until tonight, and may have begun before its membership: with
# the spell of somebody who was merged.
_CARRIED = """
    union all by name
    select
        old.segment,
        coalesce(redirects.customer_id, old.customer_id) as customer_id,
        old.entered_on,
        coalesce(old.left_on, cast($business_date as date)) as left_on,
        old.is_holdout,
    from base.segments.membership_history as old
    left join identity.redirects as redirects on old.customer_id = redirects.old_customer_id
    where old.left_on is null or old.left_on > $oldest
"""

_SPELLS = """
create or replace table segments.membership_history as
with ended_tonight as (
    select previous.*, cast($business_date as date) as left_on
    from previous_members as previous
    anti join segments.membership as members
        on previous.segment = members.segment and previous.customer_id = members.customer_id
),

known as (
    select segment, customer_id, entered_on, cast(null as date) as left_on, is_holdout
    from segments.membership
    union all by name
    select segment, customer_id, entered_on, left_on, is_holdout from ended_tonight
    {carried}
),

-- Who is gone, by erasure or for want of records, leaves no spell behind. One that ends tonight is
-- carried, too: of two alike, either could come first below.
spells as (
    select
        known.segment,
        known.customer_id,
        known.entered_on,
        coalesce(known.left_on, date '9999-12-31') as left_on,
        bool_or(known.is_holdout) as is_holdout,
    from known
    semi join features.customer_features as people on known.customer_id = people.customer_id
    group by all
),

reached as (
    select
        *,
        max(left_on) over (
            partition by segment, customer_id
            order by entered_on, left_on
            rows between unbounded preceding and 1 preceding
        ) as reached_on,
    from spells
),

numbered as (
    select
        *,
        count(*) filter (where reached_on is null or entered_on > reached_on) over (
            partition by segment, customer_id order by entered_on, left_on
            rows unbounded preceding
        ) as island,
    from reached
),

final as (
    select
        segment,
        customer_id,
        min(entered_on) as entered_on,
        nullif(max(left_on), date '9999-12-31') as left_on,
        bool_or(is_holdout) as is_holdout,
    from numbered
    group by segment, customer_id, island
)

select * from final order by segment, customer_id, entered_on
"""


# A spell that somebody merged had begun before is the member's own: both tables say since when.
_ENTERED = """
update segments.membership as members
set entered_on = spells.entered_on
from segments.membership_history as spells
where
    spells.left_on is null
    and members.segment = spells.segment
    and members.customer_id = spells.customer_id
    and members.entered_on != spells.entered_on
"""


def record_spells(con: duckdb.DuckDBPyConnection, business_date: date) -> None:
    """Make ``segments.membership_history``, and let members have entered when their spell began.

    Args:
        con: The build; holds tonight's ``segments.membership`` and the temporary table
            ``previous_members`` (segment, customer_id, entered_on, is_holdout: the memberships of
            the version before, under present ids).
        business_date: The night.
    """
    has_history = has_base_table(con, "segments.membership_history")
    oldest = business_date - timedelta(days=SPELL_DAYS)
    given = {"business_date": business_date, **({"oldest": oldest} if has_history else {})}
    con.execute(_SPELLS.format(carried=_CARRIED if has_history else ""), given)
    con.execute(_ENTERED)
