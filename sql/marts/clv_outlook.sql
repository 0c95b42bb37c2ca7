/*
description: What all customers together are expected to do, with the range that holds it.
grain: one row per quantity
key: [outlook_rank]
owner: analytics
columns:
  outlook_rank: Order of reading
  quantity: What is forecast, in words
  expected_count: Visits expected; null for amounts
  expected_amount: Net amount expected; null for visits
  range_text: Range that holds the outcome nine times in ten
  basis: What is known of the season
*/
with totals as (
    select * from features.clv_total
    where expected is not null
),

final as (
    select
        row_number() over (order by quantity like 'clv%' asc, horizon_days asc) as outlook_rank,
        case
            when quantity like 'clv%'
                then 'Net amount of the next ' || horizon_days || ' days, discounted'
            else 'Visits in the next ' || horizon_days || ' days'
        end as quantity,
        case when quantity not like 'clv%' then expected end as expected_count,
        case when quantity like 'clv%' then cast(expected as decimal(18, 2)) end as expected_amount,
        format('{:,}', cast(round(low) as bigint)) || ' to '
        || format('{:,}', cast(round(high) as bigint)) as range_text,
        basis
    from totals
)

select * from final
