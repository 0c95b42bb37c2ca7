/*
description: People of the warehouse and people of the identity map are the same people.
reads: [identity.customer_map, core.dim_customer]
*/
with mapped as (
    select distinct customer_id from identity.customer_map
),

customers as (
    select customer_id from core.dim_customer
),

final as (
    select
        count(*) as evaluated_rows,
        count_if(
            mapped.customer_id is null or customers.customer_id is null
        ) as unexpected_rows
    from mapped
    full outer join customers on mapped.customer_id = customers.customer_id
)

select * from final
