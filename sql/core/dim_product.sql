/*
description: Articles, listed in the newest product file or merely seen on a receipt or order.
grain: one row per article
key: [sku]
owner: data-engineering
columns:
  sku: Article number with leading zeros
  product_name: Name shown to customers; text of the receipt if the article is not listed
  department: Department; null if not listed
  category: Category within the department; null if not listed
  brand: Brand
  list_price: Price without discount
  price_tier: value, mid or premium
  season: all, winter or summer
  is_active: Whether it is still sold
  is_in_stock: Whether it can be had now; true if no source says
  is_listed: Whether the product file has it
  url_path: Path of its page on the web site
checks:
  - {expect: not_null, column: sku}
  - expect: "true"
    name: most_articles_are_listed
    where: is_listed
    mostly: 0.5
    severity: warn
*/
with products as (
    select * from staging.products
),

sale_lines as (
    select * from staging.sale_lines
),

order_lines as (
    select * from staging.order_lines
),

listed as (
    select
        sku,
        product_name,
        department,
        category,
        brand,
        cast(list_price as decimal(18, 2)) as list_price,
        price_tier,
        season,
        coalesce(is_active, true) as is_active,
        coalesce(is_in_stock, true) as is_in_stock,
        true as is_listed,
        url_path
    from products
),

-- Receipts alone must do: what was sold exists, listed or not.
sold as (
    select
        sku,
        description
    from sale_lines
    where sku is not null and coalesce(line_kind, 'product') = 'product'
    union all
    select
        sku,
        description
    from order_lines
    where sku is not null
),

unlisted as (
    select
        sold.sku,
        coalesce(min(sold.description), sold.sku) as product_name,
        cast(null as varchar) as department,
        cast(null as varchar) as category,
        cast(null as varchar) as brand,
        cast(null as decimal(18, 2)) as list_price,
        cast(null as varchar) as price_tier,
        cast(null as varchar) as season,
        true as is_active,
        true as is_in_stock,
        false as is_listed,
        cast(null as varchar) as url_path
    from sold
    anti join listed on sold.sku = listed.sku
    group by sold.sku
),

final as (
    select * from listed
    union all
    select * from unlisted
)

select * from final
