/*
description: >-
  Households, without names and addresses: who is addressed, how many live there, what they are
  worth together is the sum over their people.
grain: one row per household
key: [household_id]
owner: analytics
subject_key: head_customer_id
columns:
  household_id: Stable id of the household
  head_customer_id: Person to address when one copy goes to the household
  member_count: Customers who live there
  adult_count: Customers of 18 or more years or of unknown age
  family_name_count: Different family names
  postcode_area: Coarse part of the postal code
  has_address: Whether street and town or postcode are known
checks:
  - {expect: not_null, column: head_customer_id}
*/
with households as (
    select * from identity.households
),

final as (
    select
        household_id,
        head_customer_id,
        member_count,
        adult_count,
        family_name_count,
        postcode_area(postcode) as postcode_area,
        street is not null and coalesce(postcode, city) is not null as has_address
    from households
)

select * from final
