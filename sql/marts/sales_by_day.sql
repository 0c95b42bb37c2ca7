/*
description: >-
  Sales of every day, without anybody in them. Days whose receipts are past their time stay as they
  were last counted.
grain: one row per day and channel with sales
key: [business_date, channel]
owner: analytics
statistics: {day: business_date, of: [pos_sales, ecommerce_orders, ecommerce_order_lines]}
columns:
  business_date: Store-local day
  channel: store or web
  net_amount: Net revenue, goods and fees, returns deducted, gift cards left out
  receipt_count: Receipts and orders with at least one bought line
  unit_count: Pieces bought, returns not deducted
*/
with sales as (
    select *
    from core.fct_sales
    where line_kind <> 'gift_card' and sold_on is not null and channel is not null
),

final as (
    select
        sold_on as business_date,
        channel,
        sum(net_amount) as net_amount,
        count(distinct concat_ws('/', source, sale_id)) filter (where not is_return)
            as receipt_count,
        sum(quantity) filter (where not is_return) as unit_count
    from sales
    group by sold_on, channel
)

select * from final
