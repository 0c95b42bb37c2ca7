/*
description: What a person spends by category in the last 365 days, returns netted.
grain: one row per person and category with net spending above zero
key: [customer_id, category]
owner: analytics
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  category: Category
  department: Department of the category
  net_amount: Net spending in the category
  unit_count: Units kept
  purchase_day_count: Days on which the person bought in it
  last_bought_on: Store-local date of the last purchase in it
  spend_share: Share of the person's net spending over all categories
  rank_no: 1 for the category with the most money
checks:
  - {expect: between, column: spend_share, min: 0, max: 1}
incremental:  # a person
  unit: {customer: customer_id}
  inputs:
    core.fct_sales:
      where: customer_id is not null and line_kind = 'product'
      unit: {customer: customer_id}
      turns: {sold_on: [0, 365]}
    core.dim_product:
      columns: [sku, category, department]
      found_in:
        - {table: core.fct_sales, by: {sku: sku}}
*/
with fct_sales as (
    select * from core.fct_sales
    where
        customer_id is not null
        and line_kind = 'product'
        and is_recent(sold_on, {{ business_date }}, 365)
),

dim_product as (
    select * from core.dim_product
    where category is not null
),

totals as (
    select
        fct_sales.customer_id,
        dim_product.category,
        min(dim_product.department) as department,
        cast(sum(fct_sales.net_amount) as decimal(18, 2)) as net_amount,
        cast(sum(fct_sales.quantity) as decimal(18, 3)) as unit_count,
        count(distinct fct_sales.sold_on) filter (where not fct_sales.is_return)
            as purchase_day_count,
        max(fct_sales.sold_on) filter (where not fct_sales.is_return) as last_bought_on
    from fct_sales
    inner join dim_product on fct_sales.sku = dim_product.sku
    group by fct_sales.customer_id, dim_product.category
),

final as (
    select
        customer_id,
        category,
        department,
        net_amount,
        unit_count,
        purchase_day_count,
        last_bought_on,
        share(net_amount, sum(net_amount) over (partition by customer_id)) as spend_share,
        row_number() over (
            partition by customer_id
            order by net_amount desc, last_bought_on desc nulls last, category asc
        ) as rank_no
    from totals
    where net_amount > 0
)

select * from final
