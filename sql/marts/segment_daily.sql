/*
description: >-
  Size of every RFM group and marketing segment, night by night. Tonight's sizes are added to those
  of the nights before.
grain: one row per business date, kind and segment, of the last 35 days
key: [business_date, kind, segment]
owner: crm
columns:
  business_date: Night's business date
  kind: "rfm: groups by recency and frequency, everybody is in one; marketing: declared segments"
  segment: Name of the group or segment
  customer_count: People in it
*/
with tonight as (
    select
        {{ business_date }} as business_date,
        'rfm' as kind,
        rfm_segment as segment,
        count(*) as customer_count
    from marts.customer_value
    where is_sound
    group by rfm_segment
    union all by name
    select
        {{ business_date }} as business_date,
        'marketing' as kind,
        segment,
        size as customer_count
    from segments.definitions
),

final as (
    select * from tonight
    {% if base.has("marts.segment_daily") %}
    union all by name
    select
        business_date,
        kind,
        segment,
        customer_count
    from base.marts.segment_daily
    where business_date < {{ business_date }} and business_date > {{ business_date }} - 35
    {% endif %}
)

select * from final
