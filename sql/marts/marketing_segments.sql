/*
description: Size, value and movement of the marketing segments; a person may be in several.
grain: one row per served segment
key: [segment]
owner: crm
columns:
  segment: "Name of the segment: its file's stem"
  title: What people call it
  priority: Lowest goes first under a contact cap
  customer_count: People in it, holdout included
  holdout_count: People kept back for measuring
  revenue_share: Share of the revenue of all active customers in the window of the RFM scores
  average_clv_amount: Expected net amount in the next 12 months a member
  compared_on: Earlier night of the comparison; null on the first night
  change_count: People more or fewer than on that night
  next_step: Suggested action
*/
with definitions as (
    select * from segments.definitions
),

people as (
    select * from marts.customer_value
),

change as (
    select *
    from marts.segment_change
    where kind = 'marketing'
),

spent as (
    select
        members.segment,
        cast(sum(people.window_net_amount) as decimal(18, 2)) as window_net_amount
    from segments.membership as members
    inner join people on members.customer_id = people.customer_id
    group by members.segment
),

total as (
    select sum(window_net_amount) as window_net_amount
    from people
),

final as (
    select
        definitions.segment,
        definitions.title,
        definitions.priority,
        definitions.size as customer_count,
        definitions.holdout_count,
        coalesce(spent.window_net_amount, 0) / nullif(total.window_net_amount, 0)
            as revenue_share,
        definitions.average_clv_amount,
        change.compared_on,
        change.change_count,
        definitions.next_step
    from definitions
    cross join total
    left join spent on definitions.segment = spent.segment
    left join change on definitions.segment = change.segment
)

select * from final
