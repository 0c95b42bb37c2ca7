/*
description: >-
  What a person spent on a day, returns netted. A day is a visit only if something was bought and
  the day's net amount is above zero. Fees and gift cards are not spending.
grain: one row per person and day with a product line
key: [customer_id, purchased_on]
owner: analytics
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  purchased_on: Store-local business date
  net_amount: Paid for products that day, less returns of that day
  gross_amount: Paid for products that day, before returns
  returned_amount: Given back that day, as a positive amount
  store_net_amount: Part of net_amount at tills
  web_net_amount: Part of net_amount on the web
  promoted_amount: Part of gross_amount that a promotion priced
  discount_amount: Discounts on what was bought
  unit_count: Units bought, before returns
  receipt_count: Receipts and orders with something bought
  is_visit: Whether something was bought and net_amount is above zero
  is_store_visit: Whether something was bought at a till
  is_web_visit: Whether something was ordered on the web
checks:
  - {expect: not_null, column: net_amount}
  - {expect: "true", name: visits_have_net_above_zero, where: not is_visit or net_amount > 0}
incremental:  # a person
  unit: {customer: customer_id}
  inputs:
    core.fct_sales:
      where: customer_id is not null and line_kind = 'product'
      unit: {customer: customer_id}
      turns: {sold_on: [0]}
*/
with fct_sales as (
    select * from core.fct_sales
    where
        customer_id is not null
        and line_kind = 'product'
        -- A till whose clock runs ahead must not make a customer recent.
        and sold_on <= {{ business_date }}
),

days as (
    select
        customer_id,
        sold_on as purchased_on,
        sum(net_amount) as net_amount,
        coalesce(sum(net_amount) filter (where not is_return), 0) as gross_amount,
        coalesce(-sum(net_amount) filter (where is_return), 0) as returned_amount,
        coalesce(sum(net_amount) filter (where channel = 'store'), 0) as store_net_amount,
        coalesce(sum(net_amount) filter (where channel = 'web'), 0) as web_net_amount,
        coalesce(
            sum(net_amount) filter (where not is_return and promotion_id is not null), 0
        ) as promoted_amount,
        coalesce(sum(discount_amount) filter (where not is_return), 0) as discount_amount,
        coalesce(sum(quantity) filter (where not is_return), 0) as unit_count,
        count(distinct sale_id) filter (where not is_return) as receipt_count,
        bool_or(not is_return) as has_sale,
        bool_or(not is_return and channel = 'store') as is_store_visit,
        bool_or(not is_return and channel = 'web') as is_web_visit
    from fct_sales
    group by customer_id, sold_on
),

final as (
    select
        customer_id,
        purchased_on,
        cast(net_amount as decimal(18, 2)) as net_amount,
        cast(gross_amount as decimal(18, 2)) as gross_amount,
        cast(returned_amount as decimal(18, 2)) as returned_amount,
        cast(store_net_amount as decimal(18, 2)) as store_net_amount,
        cast(web_net_amount as decimal(18, 2)) as web_net_amount,
        cast(promoted_amount as decimal(18, 2)) as promoted_amount,
        cast(discount_amount as decimal(18, 2)) as discount_amount,
        cast(unit_count as decimal(18, 3)) as unit_count,
        receipt_count,
        has_sale and net_amount > 0 as is_visit,
        is_store_visit,
        is_web_visit
    from days
)

select * from final
