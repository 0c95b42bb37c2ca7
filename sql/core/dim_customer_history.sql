/*
description: >-
  What was known of a person and when: one state after the other, without gaps, the last one
  current. A fact meets its state by customer_id and by its date between valid_from and valid_to. A
  merged person goes on with the history of the id that stays; the history of erased people is gone.
grain: one row per person and state
key: [customer_id, valid_from]
owner: analytics
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  valid_from: >-
    First day of the state; 1900-01-01 for the first one, which is taken to have held ever since
  valid_to: Last day of the state; 9999-12-31 for the current one
  is_current: Whether it is tonight's state
  observed_on: Business date of the night that saw the state first
  state_no: Number of the state, from 1
  household_id: Stable id of the household
  birth_year: Year of birth
  sex: F, M or null
  postcode_area: Coarse part of the postal code
  city: Town
  country: Country
  tier: Loyalty tier
  home_store_id: Store the person chose
  has_loyalty: Whether the person has a loyalty card
  has_account: Whether the person has a web account
  is_contactable_email: Whether an e-mail address is known
  is_contactable_sms: Whether a telephone number is known
  is_contactable_push: Whether a push token is known
  is_contactable_post: Whether a postal address is known
checks:
  - {expect: not_null, column: valid_to}
  - {expect: "true", name: states_end_after_they_begin, where: valid_from <= valid_to}
*/
with dim_customer as (
    select * from core.dim_customer
),

tonight as (
    select
        customer_id,
        household_id,
        birth_year,
        sex,
        postcode_area,
        city,
        country,
        tier,
        home_store_id,
        has_loyalty,
        has_account,
        is_contactable_email,
        is_contactable_sms,
        is_contactable_push,
        is_contactable_post
    from dim_customer
),

{% if base.has("core.dim_customer_history") %}
-- Who is not known tonight was merged into somebody, has no record left or was erased.
known as (
    select history.*
    from base.core.dim_customer_history as history
    inner join tonight on history.customer_id = tonight.customer_id
),

unchanged as (
    select tonight.customer_id
    from tonight
    inner join known on tonight.customer_id = known.customer_id
    where
        known.is_current
        and tonight.household_id is not distinct from known.household_id
        and tonight.birth_year is not distinct from known.birth_year
        and tonight.sex is not distinct from known.sex
        and tonight.postcode_area is not distinct from known.postcode_area
        and tonight.city is not distinct from known.city
        and tonight.country is not distinct from known.country
        and tonight.tier is not distinct from known.tier
        and tonight.home_store_id is not distinct from known.home_store_id
        and tonight.has_loyalty is not distinct from known.has_loyalty
        and tonight.has_account is not distinct from known.has_account
        and tonight.is_contactable_email is not distinct from known.is_contactable_email
        and tonight.is_contactable_sms is not distinct from known.is_contactable_sms
        and tonight.is_contactable_push is not distinct from known.is_contactable_push
        and tonight.is_contactable_post is not distinct from known.is_contactable_post
),

closed as (
    select
        known.customer_id,
        known.valid_from,
        case
            when known.is_current and unchanged.customer_id is null
                then {{ business_date }} - 1
            else known.valid_to
        end as valid_to,
        coalesce(known.is_current and unchanged.customer_id is not null, false) as is_current,
        known.observed_on,
        known.state_no,
        known.household_id,
        known.birth_year,
        known.sex,
        known.postcode_area,
        known.city,
        known.country,
        known.tier,
        known.home_store_id,
        known.has_loyalty,
        known.has_account,
        known.is_contactable_email,
        known.is_contactable_sms,
        known.is_contactable_push,
        known.is_contactable_post
    from known
    left join unchanged on known.customer_id = unchanged.customer_id
),

last_states as (
    select
        customer_id,
        max(state_no) as state_no
    from known
    group by customer_id
),

begun as (
    select
        tonight.*,
        case
            when last_states.customer_id is null then date '1900-01-01'
            else {{ business_date }}
        end as valid_from,
        coalesce(last_states.state_no, 0) + 1 as state_no
    from tonight
    left join last_states on tonight.customer_id = last_states.customer_id
    left join unchanged on tonight.customer_id = unchanged.customer_id
    where unchanged.customer_id is null
),

{% else %}
begun as (
    select
        *,
        date '1900-01-01' as valid_from,
        1 as state_no
    from tonight
),

{% endif %}
states as (
    select
        *,
        date '9999-12-31' as valid_to,
        true as is_current,
        {{ business_date }} as observed_on
    from begun
    {% if base.has("core.dim_customer_history") %}
    union all by name
    select * from closed
    {% endif %}
),

final as (
    select
        customer_id,
        valid_from,
        valid_to,
        is_current,
        observed_on,
        cast(state_no as integer) as state_no,
        household_id,
        birth_year,
        sex,
        postcode_area,
        city,
        country,
        tier,
        home_store_id,
        has_loyalty,
        has_account,
        is_contactable_email,
        is_contactable_sms,
        is_contactable_push,
        is_contactable_post
    from states
)

select * from final
