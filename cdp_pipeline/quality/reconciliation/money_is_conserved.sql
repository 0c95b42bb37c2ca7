/*
description: >-
  Per source, the lines of receipts and of orders that were not cancelled reach core.fct_sales in
  number and to the penny. Returned order lines, which core.fct_sales adds, are not compared.
reads: [staging.sale_lines, staging.orders, staging.order_lines, core.fct_sales]
*/
with sale_lines as (
    select * from staging.sale_lines
),

orders as (
    select * from staging.orders
),

order_lines as (
    select * from staging.order_lines
),

fct_sales as (
    select * from core.fct_sales
),

kept_orders as (
    select distinct order_id from orders
    where status is distinct from 'cancelled'
),

sold_lines as (
    select
        source,
        quantity,
        unit_price,
        discount_amount,
        net_amount
    from sale_lines
    union all by name
    select
        order_lines.source,
        order_lines.quantity,
        order_lines.unit_price,
        order_lines.discount_amount,
        order_lines.net_amount
    from order_lines
    inner join kept_orders on order_lines.order_id = kept_orders.order_id
),

staged_totals as (
    select
        source,
        count(*) as line_count,
        sum(
            cast(
                coalesce(net_amount, quantity * unit_price - coalesce(discount_amount, 0))
                as decimal(18, 2)
            )
        ) as net_amount
    from sold_lines
    group by source
),

core_totals as (
    select
        source,
        count(*) as line_count,
        sum(net_amount) as net_amount
    from fct_sales
    where sale_line_key not like '%:return'
    group by source
),

final as (
    select
        coalesce(sum(greatest(staged_totals.line_count, core_totals.line_count)), 0)
            as evaluated_rows,
        count_if(
            staged_totals.line_count is distinct from core_totals.line_count
            or staged_totals.net_amount is distinct from core_totals.net_amount
        ) as unexpected_rows
    from staged_totals
    full outer join core_totals on staged_totals.source = core_totals.source
)

select * from final
