/*
description: >-
  RFM within each channel or department, for the parts that settings.rfm.parts asks for; empty
  without any. Returns are netted within the part; thresholds are those of its own buyers.
grain: one row per part and person with a product line in it within the window
key: [part_kind, part, customer_id]
owner: analytics
subject_key: customer_id
columns:
  part_kind: channel or department
  part: Which one
  customer_id: Stable id of the person
  last_visit_on: Store-local date of the last visit to it in the window; null if there is none
  recency_days: Days since then
  frequency_count: Visit days in the window
  monetary_amount: Net spending in the window
  r_score: 1 longest ago to settings.rfm.bins most recent
  f_score: 1 rarest to settings.rfm.bins most often
  m_score: 1 least to settings.rfm.bins most money
  rfm_cell: Scores in a row, brought to 1 to 5 each
  rfm_segment: Name of the cell in features.rfm_segment_map
*/
with fct_sales as (
    select * from core.fct_sales
    where
        customer_id is not null
        and line_kind = 'product'
        and is_recent(sold_on, {{ business_date }}, {{ settings.rfm.window_days }})
),

dim_product as (
    select * from core.dim_product
),

rfm_segment_map as (
    select * from features.rfm_segment_map
),

lines as (
    {% for kind in settings.rfm.parts %}
    select
        '{{ kind }}' as part_kind,
        case
            when '{{ kind }}' = 'channel' then fct_sales.channel
            else dim_product.department
        end as part,
        fct_sales.customer_id,
        fct_sales.sold_on,
        fct_sales.net_amount,
        fct_sales.is_return
    from fct_sales
    left join dim_product on fct_sales.sku = dim_product.sku
    union all
    {% endfor %}
    select
        'none' as part_kind,
        dim_product.department as part,
        fct_sales.customer_id,
        fct_sales.sold_on,
        fct_sales.net_amount,
        fct_sales.is_return
    from fct_sales
    left join dim_product on fct_sales.sku = dim_product.sku
    where false
),

days as (
    select
        part_kind,
        part,
        customer_id,
        sold_on,
        sum(net_amount) as net_amount,
        bool_or(not is_return) and sum(net_amount) > 0 as is_visit
    from lines
    where part is not null
    group by
        part_kind,
        part,
        customer_id,
        sold_on
),

totals as (
    select
        part_kind,
        part,
        customer_id,
        max(sold_on) filter (where is_visit) as last_visit_on,
        cast(count(*) filter (where is_visit) as integer) as frequency_count,
        cast(sum(net_amount) as decimal(18, 2)) as monetary_amount,
        count(*) filter (where is_visit) > 0 and sum(net_amount) > 0 as is_buyer
    from days
    group by
        part_kind,
        part,
        customer_id
),

{% set bins = settings.rfm.bins %}
thresholds as (
    select
        part_kind,
        part,
        quantile_disc({{ business_date }} - last_visit_on, even_shares({{ bins }}))
            as recency_steps,
        quantile_disc(frequency_count, even_shares({{ bins }})) as frequency_steps,
        quantile_disc(monetary_amount, even_shares({{ bins }})) as monetary_steps
    from totals
    where is_buyer
    group by
        part_kind,
        part
),

scored as (
    select
        totals.part_kind,
        totals.part,
        totals.customer_id,
        totals.last_visit_on,
        cast({{ business_date }} - totals.last_visit_on as integer) as recency_days,
        totals.frequency_count,
        totals.monetary_amount,
        rfm_score(
            totals.is_buyer,
            thresholds.recency_steps,
            {{ business_date }} - totals.last_visit_on,
            true
        ) as r_score,
        rfm_score(totals.is_buyer, thresholds.frequency_steps, totals.frequency_count, false)
            as f_score,
        rfm_score(totals.is_buyer, thresholds.monetary_steps, totals.monetary_amount, false)
            as m_score
    from totals
    left join thresholds
        on totals.part_kind = thresholds.part_kind and totals.part = thresholds.part
),

celled as (
    select
        *,
        rfm_cell(r_score, f_score, m_score, {{ bins }}) as rfm_cell
    from scored
),

final as (
    select
        celled.part_kind,
        celled.part,
        celled.customer_id,
        celled.last_visit_on,
        celled.recency_days,
        celled.frequency_count,
        celled.monetary_amount,
        celled.r_score,
        celled.f_score,
        celled.m_score,
        celled.rfm_cell,
        rfm_segment_map.rfm_segment
    from celled
    left join rfm_segment_map on celled.rfm_cell = rfm_segment_map.rfm_cell
)

select * from final
