/*
description: >-
  What a person leans to in the last 365 days, returns netted: brand, price tier, promotion, channel
  and weekday. Departments and categories have tables of their own.
grain: one row per person, kind and value with net spending above zero
key: [customer_id, affinity_kind, affinity_value]
owner: analytics
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  affinity_kind: brand, price_tier, promotion, channel or weekday
  affinity_value: >-
    The brand; value, mid or premium; promotion or full price; store or web; the weekday's name
  net_amount: Net spending on it
  purchase_day_count: Days on which the person bought it
  last_bought_on: Store-local date of the last such purchase
  spend_share: Share of the person's net spending over all values of the kind
  house_share: Share of everybody's purchase days of the kind that it has
  affinity_index:
    description: >-
      The person's share of purchase days over everybody's, shrunk by four days of everybody's;
      above 1 the person leans to it
    unit: no unit
  rank_no: 1 for the value of the kind with the most money
checks:
  - expect: in_set
    column: affinity_kind
    values: [brand, price_tier, promotion, channel, weekday]
  - {expect: between, column: spend_share, min: 0, max: 1}
  - {expect: between, column: house_share, min: 0, max: 1}
*/
with fct_sales as (
    select * from core.fct_sales
    where
        customer_id is not null
        and line_kind = 'product'
        and is_recent(sold_on, {{ business_date }}, 365)
),

-- Where the product file names no tier, the article's list price among those of its category.
dim_product as (
    select
        sku,
        brand,
        coalesce(
            price_tier,
            case
                when list_price is null or category is null then null
                when percent_rank() over (
                    partition by category, list_price is null
                    order by list_price asc
                ) < 1 / 3.0 then 'value'
                when percent_rank() over (
                    partition by category, list_price is null
                    order by list_price asc
                ) < 2 / 3.0 then 'mid'
                else 'premium'
            end
        ) as price_tier
    from core.dim_product
),

lines as (
    select
        fct_sales.customer_id,
        fct_sales.sold_on,
        fct_sales.net_amount,
        fct_sales.is_return,
        dim_product.brand,
        dim_product.price_tier,
        case
            when fct_sales.promotion_id is null then 'full price'
            else 'promotion'
        end as promotion,
        fct_sales.channel,
        dayname(fct_sales.sold_on) as weekday_name
    from fct_sales
    left join dim_product on fct_sales.sku = dim_product.sku
),

-- Day by day first: counting different days of purchase afterwards is a plain count.
days as (
    select
        customer_id,
        sold_on,
        case
            when grouping(brand) = 0 then 'brand'
            when grouping(price_tier) = 0 then 'price_tier'
            when grouping(promotion) = 0 then 'promotion'
            when grouping(channel) = 0 then 'channel'
            else 'weekday'
        end as affinity_kind,
        coalesce(brand, price_tier, promotion, channel, weekday_name) as affinity_value,
        sum(net_amount) as net_amount,
        bool_or(not is_return) as has_bought
    from lines
    group by grouping sets (
        (customer_id, sold_on, brand),
        (customer_id, sold_on, price_tier),
        (customer_id, sold_on, promotion),
        (customer_id, sold_on, channel),
        (customer_id, sold_on, weekday_name)
    )
),

totals as (
    select
        customer_id,
        affinity_kind,
        affinity_value,
        cast(sum(net_amount) as decimal(18, 2)) as net_amount,
        count(*) filter (where has_bought) as purchase_day_count,
        max(sold_on) filter (where has_bought) as last_bought_on
    from days
    where affinity_value is not null
    group by customer_id, affinity_kind, affinity_value
),

kept as (
    select * from totals
    where net_amount > 0
),

house as (
    select
        affinity_kind,
        affinity_value,
        share(
            sum(purchase_day_count),
            sum(sum(purchase_day_count)) over (partition by affinity_kind)
        ) as house_share
    from kept
    group by affinity_kind, affinity_value
),

final as (
    select
        kept.customer_id,
        kept.affinity_kind,
        kept.affinity_value,
        kept.net_amount,
        kept.purchase_day_count,
        kept.last_bought_on,
        share(
            kept.net_amount,
            sum(kept.net_amount) over (partition by kept.customer_id, kept.affinity_kind)
        ) as spend_share,
        house.house_share,
        affinity_index(
            kept.purchase_day_count,
            sum(kept.purchase_day_count) over (partition by kept.customer_id, kept.affinity_kind),
            house.house_share
        ) as affinity_index,
        row_number() over (
            partition by kept.customer_id, kept.affinity_kind
            order by
                kept.net_amount desc,
                kept.last_bought_on desc nulls last,
                kept.affinity_value asc
        ) as rank_no
    from kept
    inner join house
        on
            kept.affinity_kind = house.affinity_kind
            and kept.affinity_value = house.affinity_value
)

select * from final
