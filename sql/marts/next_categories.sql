/*
description: >-
  Which category is proposed first to how many people, and what speaks for it most often. Counts
  people with a list of their own.
grain: one row per proposed category
key: [category]
owner: analytics
columns:
  category: Category proposed first
  customer_count: People it is proposed to
  customer_share: Share of all people with a list of their own
  because: Category they bought that speaks for it most often
  because_share: Share of them for whom it does
*/
with firsts as (
    select * from features.recommendations
    where item_kind = 'category' and list = 'discover' and rank_no = 1 and is_personal
),

reasons as (
    select
        item_id,
        reason_item_id,
        count(*) as reason_count,
        row_number() over (
            partition by item_id
            order by count(*) desc, reason_item_id asc
        ) as reason_rank
    from firsts
    group by item_id, reason_item_id
),

final as (
    select
        item_id as category,
        sum(reason_count) as customer_count,
        share(sum(reason_count), sum(sum(reason_count)) over ()) as customer_share,
        arg_min(reason_item_id, reason_rank) filter (where reason_item_id is not null) as because,
        share(
            max(reason_count) filter (where reason_item_id is not null), sum(reason_count)
        ) as because_share
    from reasons
    group by item_id
)

select
    category,
    cast(customer_count as bigint) as customer_count,
    customer_share,
    because,
    because_share
from final
