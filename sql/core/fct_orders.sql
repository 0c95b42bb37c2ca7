/*
description: Web orders in their newest state, cancelled ones included.
grain: one row per order of a source
key: [source, order_id]
owner: data-engineering
subject_key: customer_id
erasure: detach
partition_by: ordered_on
columns:
  source: Source of the order
  order_id: Order number
  customer_id: Stable id of the person; null if anonymous
  ordered_at: Moment of the order (UTC); midnight if the source knows only the day
  ordered_on: Store-local business date of the order
  status: paid, shipped, cancelled or returned
  is_cancelled: Whether the order was cancelled and hence is no sale
  channel: Selling channel, web
  line_count: Lines of the order
  unit_count: Units ordered
  goods_amount: Charged for the goods, before anything was sent back
  returned_amount: Worth of the units sent back
  shipping_amount: Charged for delivery
  order_amount: Charged for the whole order
  promotion_id: Promotion used on the order
  collect_store_id: Store of a click-and-collect order
  updated_at: Moment of the newest change (UTC)
checks:
  - {expect: not_null, column: ordered_on}
  - {expect: not_null, column: status, severity: warn}
incremental:  # an order number
  unit: {order: order_id}
  inputs:
    staging.orders:
      unit: {order: order_id}
    staging.order_lines:
      unit: {order: order_id}
    core.fct_sales:
      where: sale_line_key like '%:return'
      unit: {order: sale_id}
    core.bridge_identity:
      columns: [source, record_key, customer_id]
      found_in:
        - {table: staging.orders, by: {person_source: source, person_record_key: record_key}}
        - table: core.fct_orders
          by: {customer_id: customer_id}
          gone: [source, record_key]
*/
with orders as (
    select * from staging.orders
),

order_lines as (
    select * from staging.order_lines
),

fct_sales as (
    select * from core.fct_sales
    where sale_line_key like '%:return'
),

bridge_identity as (
    select * from core.bridge_identity
),

line_totals as (
    select
        order_id,
        count(*) as line_count,
        sum(quantity) as unit_count,
        sum(coalesce(net_amount, quantity * unit_price - coalesce(discount_amount, 0)))
            as goods_amount
    from order_lines
    group by order_id
),

returned as (
    select
        sale_id,
        -sum(net_amount) as returned_amount
    from fct_sales
    group by sale_id
),

final as (
    select
        orders.source,
        orders.order_id,
        bridge_identity.customer_id,
        coalesce(orders.ordered_at, cast(orders.ordered_on as timestamp)) as ordered_at,
        orders.ordered_on,
        orders.status,
        coalesce(orders.status = 'cancelled', false) as is_cancelled,
        coalesce(orders.channel, 'web') as channel,
        coalesce(line_totals.line_count, 0) as line_count,
        cast(coalesce(line_totals.unit_count, 0) as decimal(18, 3)) as unit_count,
        cast(coalesce(line_totals.goods_amount, 0) as decimal(18, 2)) as goods_amount,
        cast(coalesce(returned.returned_amount, 0) as decimal(18, 2)) as returned_amount,
        cast(coalesce(orders.shipping_amount, 0) as decimal(18, 2)) as shipping_amount,
        cast(
            coalesce(
                orders.order_amount, line_totals.goods_amount + coalesce(orders.shipping_amount, 0)
            ) as decimal(18, 2)
        ) as order_amount,
        orders.promotion_id,
        orders.collect_store_id,
        orders.updated_at
    from orders
    left join bridge_identity
        on
            orders.person_source = bridge_identity.source
            and orders.person_record_key = bridge_identity.record_key
    left join line_totals on orders.order_id = line_totals.order_id
    left join returned on orders.order_id = returned.sale_id
)

select * from final
