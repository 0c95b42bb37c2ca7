/*
description: Every order line belongs to a known order; lines without one reach no report.
severity: warn
reads: [staging.orders, staging.order_lines]
*/
with orders as (
    select * from staging.orders
),

order_lines as (
    select * from staging.order_lines
),

known_orders as (
    select distinct order_id from orders
),

final as (
    select
        count(*) as evaluated_rows,
        count_if(known_orders.order_id is null) as unexpected_rows
    from order_lines
    left join known_orders on order_lines.order_id = known_orders.order_id
)

select * from final
