/*
description: >-
  Articles a person looked at on the web in the last 30 days without buying anything of their
  category since the first look.
grain: one row per person and article looked at
key: [customer_id, sku]
owner: crm
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  sku: Article looked at
  product_name: Its name
  category: Its category
  department: Its department
  price_amount: Its list price
  look_count: Looks and times put into the cart
  has_cart: Whether it was put into the cart
  first_looked_at: First look of the 30 days (UTC)
  last_looked_at: Last look (UTC)
  last_looked_on: Its store-local date
  rank_no: 1 for the article of most interest to the person, carts before looks
*/
with fct_web_events as (
    select * from core.fct_web_events
    where
        customer_id is not null
        and event_type in ('product_view', 'add_to_cart')
        and is_recent(occurred_on, {{ business_date }}, 30)
),

dim_product as (
    select * from core.dim_product
),

browse_abandon as (
    select * from features.browse_abandon
    where not has_bought_since
),

looks as (
    select
        customer_id,
        sku,
        count(*) as look_count,
        bool_or(event_type = 'add_to_cart') as has_cart,
        min(occurred_at) as first_looked_at,
        max(occurred_at) as last_looked_at,
        max(occurred_on) as last_looked_on
    from fct_web_events
    where sku is not null
    group by customer_id, sku
),

final as (
    select
        looks.customer_id,
        looks.sku,
        dim_product.product_name,
        dim_product.category,
        dim_product.department,
        dim_product.list_price as price_amount,
        looks.look_count,
        looks.has_cart,
        looks.first_looked_at,
        looks.last_looked_at,
        looks.last_looked_on,
        row_number() over (
            partition by looks.customer_id
            order by
                looks.has_cart desc, looks.look_count desc, looks.last_looked_at desc, looks.sku asc
        ) as rank_no
    from looks
    inner join dim_product on looks.sku = dim_product.sku
    inner join browse_abandon
        on
            looks.customer_id = browse_abandon.customer_id
            and dim_product.category = browse_abandon.category
)

select * from final
