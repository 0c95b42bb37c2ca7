/*
question: Which segments hold the same people?
role: marketer
grain: one row per pair of segments that share anybody
owner: crm
columns:
  segment: First segment, in name order
  other_segment: Second segment
  shared_count: People in both
  share_of_first: Shared people over those of the first
  share_of_second: Shared people over those of the second
*/
with sizes as (
    select
        segment,
        count(*) as member_count
    from segments.membership
    group by segment
),

pairs as (
    select
        one.segment,
        two.segment as other_segment,
        count(*) as shared_count
    from segments.membership as one
    inner join segments.membership as two
        on one.customer_id = two.customer_id and one.segment < two.segment
    group by all
)

select
    pairs.segment,
    pairs.other_segment,
    pairs.shared_count,
    cast(pairs.shared_count as double) / one.member_count as share_of_first,
    cast(pairs.shared_count as double) / two.member_count as share_of_second
from pairs
inner join sizes as one on pairs.segment = one.segment
inner join sizes as two on pairs.other_segment = two.segment
order by pairs.shared_count desc, pairs.segment asc, pairs.other_segment asc
