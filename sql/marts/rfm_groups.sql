/*
description: Size, value and movement of the RFM groups; every active customer is in exactly one.
grain: one row per RFM group with members; none while scores mean little
key: [rfm_segment]
owner: analytics
columns:
  rfm_segment: Name of the group
  group_rank: 1 for the group with the highest mean scores
  customer_count: People in the group
  customer_share: Share of all active customers
  window_net_amount: What they spent in the window of the RFM scores
  revenue_share: Share of what all active customers spent
  average_clv_amount: Expected net amount in the next 12 months a person
  compared_on: Earlier night of the comparison; null on the first night
  change_count: People more or fewer than on that night
  change_size: change_count without its sign
  next_step: Suggested action
*/
with people as (
    select * from marts.customer_value
),

change as (
    select *
    from marts.segment_change
    where kind = 'rfm'
),

-- a suggestion only: names that a project invents get none
steps (name, next_step) as (
    values
    ('Champions', 'Early access, referral'),
    ('Loyal', 'Tier upgrade nudge'),
    ('Potential Loyalist', 'Second-purchase offer'),
    ('New Customers', 'Welcome series'),
    ('Promising', 'Second-purchase offer'),
    ('Need Attention', 'Category reminder'),
    ('About To Sleep', 'Category reminder'),
    ('At Risk', 'Win-back offer'),
    ('Cannot Lose Them', 'Personal call or win-back'),
    ('Hibernating', 'Last-chance offer'),
    ('Lost', 'Leave out of paid media')
),

grouped as (
    select
        rfm_segment,
        count(*) as customer_count,
        avg(r_score + f_score) as mean_score,
        cast(sum(window_net_amount) as decimal(18, 2)) as window_net_amount,
        cast(avg(clv_12m_amount) as decimal(18, 2)) as average_clv_amount
    from people
    where is_sound
    group by rfm_segment
),

final as (
    select
        grouped.rfm_segment,
        row_number() over (order by grouped.mean_score desc, grouped.rfm_segment asc) as group_rank,
        grouped.customer_count,
        grouped.customer_count / sum(grouped.customer_count) over () as customer_share,
        grouped.window_net_amount,
        grouped.window_net_amount / nullif(sum(grouped.window_net_amount) over (), 0)
            as revenue_share,
        grouped.average_clv_amount,
        change.compared_on,
        change.change_count,
        abs(change.change_count) as change_size,
        coalesce(steps.next_step, '') as next_step
    from grouped
    left join change on grouped.rfm_segment = change.segment
    left join steps on grouped.rfm_segment = steps.name
)

select * from final
