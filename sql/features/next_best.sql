/*
description: >-
  What to show a person next. The category is the one that most people who share the favourite
  category buy and this person does not; the article is the best seller of the favourite category
  that the person does not own. People without purchases in the last 365 days have no row.
grain: one row per person with a favourite category
key: [customer_id]
owner: analytics
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  favourite_category: Category with the most money in the last 365 days
  next_category: Category to propose; null if the person buys all that fit
  next_category_share: Share of people with the same favourite category who buy it
  next_sku: Article to propose from the favourite category; null if the person owns the best sellers
  next_product_name: Its name
  next_price_amount: Its list price
*/
with category_affinity as (
    select * from features.category_affinity
),

dim_product as (
    select * from core.dim_product
),

fct_sales as (
    select
        customer_id,
        sku,
        sold_on
    from core.fct_sales
    where
        customer_id is not null
        and line_kind = 'product'
        and not is_return
        and is_recent(sold_on, {{ business_date }}, 365)
),

favourites as (
    select
        customer_id,
        category,
        count(*) over (partition by category) as fan_count
    from category_affinity
    where rank_no = 1
),

-- Counting by favourite category instead of by pairs of categories keeps this linear. Fewer than
-- five people are an accident, not a pattern.
companions as (
    select
        favourites.category as favourite_category,
        category_affinity.category as next_category,
        share(count(*), max(favourites.fan_count)) as next_category_share
    from favourites
    inner join category_affinity on favourites.customer_id = category_affinity.customer_id
    where favourites.category <> category_affinity.category
    group by favourites.category, category_affinity.category
    having count(*) >= 5
    qualify
        row_number() over (
            partition by favourites.category
            order by count(*) desc, category_affinity.category asc
        ) <= 20
),

next_categories as (
    select
        favourites.customer_id,
        companions.next_category,
        companions.next_category_share
    from favourites
    inner join companions on favourites.category = companions.favourite_category
    left join category_affinity
        on
            favourites.customer_id = category_affinity.customer_id
            and companions.next_category = category_affinity.category
    where category_affinity.customer_id is null
    qualify
        row_number() over (
            partition by favourites.customer_id
            order by companions.next_category_share desc, companions.next_category asc
        ) = 1
),

owned_products as (
    select distinct
        customer_id,
        sku
    from fct_sales
),

buyer_counts as (
    select
        sku,
        count(distinct customer_id) as buyer_count
    from fct_sales
    where is_recent(sold_on, {{ business_date }}, 90)
    group by sku
),

best_sellers as (
    select
        dim_product.category,
        dim_product.sku,
        dim_product.product_name,
        dim_product.list_price,
        row_number() over (
            partition by dim_product.category
            order by buyer_counts.buyer_count desc, dim_product.sku asc
        ) as rank_no
    from dim_product
    inner join buyer_counts on dim_product.sku = buyer_counts.sku
    where dim_product.is_active and dim_product.category is not null
    qualify rank_no <= 10
),

next_products as (
    select
        favourites.customer_id,
        best_sellers.sku,
        best_sellers.product_name,
        best_sellers.list_price
    from favourites
    inner join best_sellers on favourites.category = best_sellers.category
    anti join owned_products
        on
            favourites.customer_id = owned_products.customer_id
            and best_sellers.sku = owned_products.sku
    qualify
        row_number() over (
            partition by favourites.customer_id
            order by best_sellers.rank_no asc
        ) = 1
),

final as (
    select
        favourites.customer_id,
        favourites.category as favourite_category,
        next_categories.next_category,
        next_categories.next_category_share,
        next_products.sku as next_sku,
        next_products.product_name as next_product_name,
        next_products.list_price as next_price_amount
    from favourites
    left join next_categories on favourites.customer_id = next_categories.customer_id
    left join next_products on favourites.customer_id = next_products.customer_id
)

select * from final
