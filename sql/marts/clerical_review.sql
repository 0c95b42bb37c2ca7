/*
description: This month's sample for judging, kind by kind, with what was found so far.
grain: one row per stratum
key: [stratum]
owner: identity
columns:
  stratum: Kind of pair
  reading_order: Order for reading
  pair_count: Pairs of this kind
  sampled_count: Pairs in the sample
  judged_count: Pairs judged same or different
  unsure_count: Pairs looked at without a verdict
  expected_share: Share that is one person in the model's opinion
  same_share: Share that people found to be one person
  low_share: Lower 95 % limit of same_share
  high_share: Upper 95 % limit of same_share
  agreement: Whether the model's share lies within the limits
  total_sampled_count: Pairs in the whole sample
  total_judged_count: Judged pairs in the whole sample
  total_open_count: Pairs of the sample that nobody has judged yet
*/
with strata as (
    select * from identity.clerical_strata
),

final as (
    select
        stratum,
        row_number() over (order by frame desc, expected_share desc, stratum asc) as reading_order,
        pair_count,
        sampled_count,
        judged_count,
        unsure_count,
        expected_share,
        same_share,
        low_share,
        high_share,
        case
            when judged_count = 0 then 'to judge'
            when expected_share between low_share and high_share then 'as expected'
            when expected_share > high_share then 'model too sure'
            else 'model too shy'
        end as agreement,
        cast(sum(sampled_count) over () as bigint) as total_sampled_count,
        cast(sum(judged_count) over () as bigint) as total_judged_count,
        cast(sum(sampled_count - judged_count - unsure_count) over () as bigint)
            as total_open_count
    from strata
)

select * from final
