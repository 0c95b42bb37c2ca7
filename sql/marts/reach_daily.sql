/*
description: >-
  How many active customers can be reached by e-mail: their last word is yes and an address is
  known. Tonight's figure is added to those of the nights before.
grain: one row per business date with a published night, of the last 392 days
key: [business_date]
owner: analytics
columns:
  business_date: Night's business date
  active_count: People who bought in the window of the RFM scores
  reachable_count: Those of them who agreed and have an address
  reachable_share: reachable_count over active_count
*/
with email_consents as (
    select *
    from features.consent_state
    where purpose = 'marketing' and channel = 'email'
),

tonight as (
    select
        {{ business_date }} as business_date,
        count(*) as active_count,
        count(*) filter (where customers.is_contactable_email and email_consents.is_granted)
            as reachable_count
    from marts.customer_value as people
    left join core.dim_customer as customers on people.customer_id = customers.customer_id
    left join email_consents on people.customer_id = email_consents.customer_id
    -- without any statement of consent there is nothing to report, which is not the same as zero
    having count(email_consents.customer_id) > 0
),

final as (
    select
        business_date,
        active_count,
        reachable_count,
        reachable_count / active_count as reachable_share
    from tonight
    {% if base.has("marts.reach_daily") %}
    union all by name
    select
        business_date,
        active_count,
        reachable_count,
        reachable_share
    from base.marts.reach_daily
    where business_date < {{ business_date }} and business_date > {{ business_date }} - 392
    {% endif %}
)

select * from final
