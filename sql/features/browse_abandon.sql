/*
description: >-
  Who looked at a category on the web in the last 30 days, and what followed the first of these
  looks: a purchase in the category, a visit to a store, an e-mail opened. The winter boots journey,
  for every category.
grain: one row per person and category looked at
key: [customer_id, category]
owner: crm
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  category: Category looked at
  department: Its department
  sku: Article looked at last
  product_name: Its name
  price_amount: Its list price
  look_count: Looks and articles put into the cart
  has_cart: Whether an article of the category was put into the cart
  first_looked_at: First look of the 30 days (UTC)
  first_looked_on: Its store-local date
  looked_at: Last look (UTC)
  looked_on: Its store-local date
  has_bought_since: Whether anything of the category was bought on or after first_looked_on
  bought_on: Store-local date of the last such purchase
  visited_store_at: First receipt at a till after the first look (UTC)
  visited_store_on: Its store-local date
  visited_store_id: Its store
  last_visited_store_on: Store-local date of the last receipt at a till after the first look
  opened_email_at: Last e-mail open by a person after the first look (UTC)
  opened_email_on: Its store-local date
  opened_email_after_visit_at: Last e-mail open by a person after that store visit (UTC)
  opened_email_after_visit_on: Its store-local date
checks:
  - {expect: "true", name: first_look_is_first, where: first_looked_at <= looked_at}
*/
with fct_web_events as (
    select * from core.fct_web_events
    where
        customer_id is not null
        and event_type in ('product_view', 'add_to_cart')
        and is_recent(occurred_on, {{ business_date }}, 30)
),

fct_sales as (
    select * from core.fct_sales
    where
        customer_id is not null
        and line_kind = 'product'
        and is_recent(sold_on, {{ business_date }}, 31)
),

fct_email_events as (
    select * from core.fct_email_events
    where
        customer_id is not null
        and event_type = 'open'
        and not is_machine
        and is_recent(occurred_on, {{ business_date }}, 31)
),

dim_product as (
    select * from core.dim_product
    where category is not null
),

looks as (
    select
        fct_web_events.customer_id,
        dim_product.category,
        min(dim_product.department) as department,
        max({
            'looked_at': fct_web_events.occurred_at,
            'event_id': fct_web_events.event_id,
            'sku': fct_web_events.sku
        }).sku as sku,
        count(*) as look_count,
        bool_or(fct_web_events.event_type = 'add_to_cart') as has_cart,
        min(fct_web_events.occurred_at) as first_looked_at,
        min(fct_web_events.occurred_on) as first_looked_on,
        max(fct_web_events.occurred_at) as looked_at,
        max(fct_web_events.occurred_on) as looked_on
    from fct_web_events
    inner join dim_product on fct_web_events.sku = dim_product.sku
    group by fct_web_events.customer_id, dim_product.category
),

bought as (
    select
        fct_sales.customer_id,
        dim_product.category,
        max(fct_sales.sold_on) as bought_on
    from fct_sales
    inner join dim_product on fct_sales.sku = dim_product.sku
    where not fct_sales.is_return
    group by fct_sales.customer_id, dim_product.category
),

-- One row per receipt: somebody who gives goods back has been in the store as well.
receipts as (
    select
        customer_id,
        store_id,
        sold_at,
        sold_on
    from fct_sales
    where channel = 'store'
    group by customer_id, store_id, sold_at, sold_on
),

visits as (
    select
        looks.customer_id,
        looks.category,
        min({
            'at': receipts.sold_at,
            'visited_on': receipts.sold_on,
            'store_id': receipts.store_id
        }) as first_visit,
        max(receipts.sold_on) as last_visited_store_on
    from looks
    inner join receipts
        on
            looks.customer_id = receipts.customer_id
            and looks.first_looked_at < receipts.sold_at
    group by looks.customer_id, looks.category
),

opens as (
    select
        looks.customer_id,
        looks.category,
        max(fct_email_events.occurred_at) as opened_email_at,
        max(fct_email_events.occurred_on) as opened_email_on,
        max(fct_email_events.occurred_at) filter (
            where fct_email_events.occurred_at > visits.first_visit.at
        ) as opened_email_after_visit_at,
        max(fct_email_events.occurred_on) filter (
            where fct_email_events.occurred_at > visits.first_visit.at
        ) as opened_email_after_visit_on
    from looks
    inner join fct_email_events
        on
            looks.customer_id = fct_email_events.customer_id
            and looks.first_looked_at < fct_email_events.occurred_at
    left join visits
        on looks.customer_id = visits.customer_id and looks.category = visits.category
    group by looks.customer_id, looks.category
),

final as (
    select
        looks.customer_id,
        looks.category,
        looks.department,
        looks.sku,
        dim_product.product_name,
        dim_product.list_price as price_amount,
        looks.look_count,
        looks.has_cart,
        looks.first_looked_at,
        looks.first_looked_on,
        looks.looked_at,
        looks.looked_on,
        coalesce(bought.bought_on >= looks.first_looked_on, false) as has_bought_since,
        case when bought.bought_on >= looks.first_looked_on then bought.bought_on end as bought_on,
        visits.first_visit.at as visited_store_at,
        visits.first_visit.visited_on as visited_store_on,
        visits.first_visit.store_id as visited_store_id,
        visits.last_visited_store_on,
        opens.opened_email_at,
        opens.opened_email_on,
        opens.opened_email_after_visit_at,
        opens.opened_email_after_visit_on
    from looks
    inner join dim_product on looks.sku = dim_product.sku
    left join bought on looks.customer_id = bought.customer_id and looks.category = bought.category
    left join visits on looks.customer_id = visits.customer_id and looks.category = visits.category
    left join opens on looks.customer_id = opens.customer_id and looks.category = opens.category
)

select * from final
