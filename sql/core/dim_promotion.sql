/*
description: Promotions, past, running and planned.
grain: one row per promotion
key: [promotion_id]
owner: data-engineering
columns:
  promotion_id: Promotion number
  promotion_name: Name shown to customers
  starts_on: First day
  ends_on: Last day
  department: Department concerned; null means all
  discount_share: Discount, 0.10 is 10 %
  channel: all, store or web
  is_running: Whether the business date lies within it
checks:
  - {expect: not_null, column: promotion_id}
  - {expect: between, column: discount_share, min: 0, max: 1, severity: warn}
*/
with promotions as (
    select * from staging.promotions
),

final as (
    select
        promotion_id,
        coalesce(promotion_name, promotion_id) as promotion_name,
        starts_on,
        ends_on,
        department,
        cast(discount_share as double) as discount_share,
        coalesce(channel, 'all') as channel,
        coalesce({{ business_date }} between starts_on and ends_on, false) as is_running
    from promotions
)

select * from final
