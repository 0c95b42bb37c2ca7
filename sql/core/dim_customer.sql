/*
description: People, without anything that identifies them outside the store.
grain: one row per person
key: [customer_id]
owner: analytics
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  household_id: Stable id of the household
  household_size: Known customers in the household, this one included
  is_household_head: Whether one copy for the household is addressed to this person
  birth_year: Year of birth
  age_years: Age on the business date in whole years
  sex: F, M or null
  postcode_area: Coarse part of the postal code
  city: Town
  country: Country
  tier: Loyalty tier
  home_store_id: Store the person chose
  nearest_store_id: Open store to name to the person
  nearest_store_rule: home_store, most_visited, same_postcode_area or same_city
  first_seen_on: Earliest of joining, buying and first delivery of a record
  record_count: Person records
  source_count: Sources that know the person
  has_loyalty: Whether the person has a loyalty card
  has_account: Whether the person has a web account
  is_contactable_email: Whether an e-mail address is known; says nothing of consent
  is_contactable_sms: Whether a telephone number is known; says nothing of consent
  is_contactable_push: Whether a push token is known; says nothing of consent
  is_contactable_post: Whether street and town or postcode are known; says nothing of consent
checks:
  - {expect: not_null, column: customer_id}
  - {expect: between, column: age_years, min: 0, max: 120, severity: warn}
incremental:  # a person
  unit: {customer: customer_id}
  inputs:
    identity.golden_records:
      unit: {customer: customer_id}
      anniversaries: [birth_date]
    identity.households:
      columns: [household_id, head_customer_id, member_count]
      found_in:
        - {table: identity.golden_records, by: {household_id: household_id}}
    core.dim_store:
      columns: [store_id, postcode_area, city, is_open]
      is_whole: true
    core.fct_sales:
      unit: {customer: customer_id}
      columns: [customer_id, channel, store_id, sold_on]
      where: customer_id is not null
      turns: {sold_on: [0]}
*/
with golden_records as (
    select * from identity.golden_records
),

households as (
    select * from identity.households
),

dim_store as (
    select * from core.dim_store
    where is_open
),

fct_sales as (
    select * from core.fct_sales
    where customer_id is not null and sold_on <= {{ business_date }}
),

customer_store_days as (
    select
        customer_id,
        case when channel = 'store' then store_id end as store_id,
        sold_on
    from fct_sales
    group by all
),

first_sales as (
    select
        customer_id,
        min(sold_on) as first_on
    from customer_store_days
    group by customer_id
),

visited_stores as (
    select
        visits.customer_id,
        visits.store_id
    from customer_store_days as visits
    inner join dim_store on visits.store_id = dim_store.store_id
    group by visits.customer_id, visits.store_id
    qualify
        row_number() over (
            partition by visits.customer_id
            order by count(*) desc, max(visits.sold_on) desc, visits.store_id asc
        ) = 1
),

stores_by_area as (
    select
        postcode_area,
        min(store_id) as store_id
    from dim_store
    where postcode_area is not null
    group by postcode_area
),

stores_by_city as (
    select
        lower(city) as city,
        min(store_id) as store_id
    from dim_store
    where city is not null
    group by lower(city)
),

-- Customers have no coordinates: what they chose or did says more than a postcode.
near as (
    select
        golden_records.customer_id,
        coalesce(
            home.store_id,
            visited_stores.store_id,
            stores_by_area.store_id,
            stores_by_city.store_id
        ) as nearest_store_id,
        case
            when home.store_id is not null then 'home_store'
            when visited_stores.store_id is not null then 'most_visited'
            when stores_by_area.store_id is not null then 'same_postcode_area'
            when stores_by_city.store_id is not null then 'same_city'
        end as nearest_store_rule
    from golden_records
    left join dim_store as home on golden_records.home_store_id = home.store_id
    left join visited_stores on golden_records.customer_id = visited_stores.customer_id
    left join stores_by_area
        on postcode_area(golden_records.postcode) = stores_by_area.postcode_area
    left join stores_by_city on lower(golden_records.city) = stores_by_city.city
),

final as (
    select
        golden_records.customer_id,
        golden_records.household_id,
        households.member_count as household_size,
        coalesce(households.head_customer_id = golden_records.customer_id, false)
            as is_household_head,
        cast(year(golden_records.birth_date) as integer) as birth_year,
        cast(date_sub('year', golden_records.birth_date, {{ business_date }}) as integer)
            as age_years,
        golden_records.sex,
        postcode_area(golden_records.postcode) as postcode_area,
        golden_records.city,
        golden_records.country,
        golden_records.tier,
        golden_records.home_store_id,
        near.nearest_store_id,
        near.nearest_store_rule,
        least(golden_records.first_seen_on, first_sales.first_on) as first_seen_on,
        golden_records.record_count,
        golden_records.source_count,
        golden_records.loyalty_id is not null as has_loyalty,
        golden_records.account_id is not null as has_account,
        golden_records.email is not null as is_contactable_email,
        golden_records.phone is not null as is_contactable_sms,
        golden_records.push_token is not null as is_contactable_push,
        golden_records.street is not null
        and coalesce(golden_records.postcode, golden_records.city) is not null
            as is_contactable_post
    from golden_records
    inner join near on golden_records.customer_id = near.customer_id
    left join households on golden_records.household_id = households.household_id
    left join first_sales on golden_records.customer_id = first_sales.customer_id
)

select * from final
