/*
description: >-
  How to reach a person: the only table of core with names and addresses. Analyses join by
  customer_id and need it not.
grain: one row per person
key: [customer_id]
owner: privacy
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  title: Form of address
  given_name: {description: First name, pii: name}
  family_name: {description: Family name, pii: name}
  email: {description: E-mail address, pii: email}
  phone: {description: Telephone number, pii: phone}
  street: {description: Street and number, pii: address}
  city: {description: Town, pii: address}
  postcode: {description: Postal code, pii: address}
  country: Country
  push_token: {description: Token for push messages, pii: identifier}
  birth_date: {description: Date of birth, pii: birth_date}
  loyalty_id: {description: Loyalty card number, pii: identifier}
  account_id: {description: Web account, pii: identifier}
checks:
  - {expect: not_null, column: customer_id}
incremental:
  unit: {customer: customer_id}
  inputs:
    identity.golden_records:
      unit: {customer: customer_id}
*/
with golden_records as (
    select * from identity.golden_records
),

final as (
    select
        customer_id,
        title,
        given_name,
        family_name,
        email,
        phone,
        street,
        city,
        postcode,
        country,
        push_token,
        birth_date,
        loyalty_id,
        account_id
    from golden_records
)

select * from final
