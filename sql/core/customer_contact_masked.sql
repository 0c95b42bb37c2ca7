/*
description: >-
  What analyses may ask of contact data: masked so that nobody is named. The data themselves are in
  the vault, core.customer_contact.
grain: one row per person
key: [customer_id]
owner: privacy
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  email_masked: >-
    First letter and domain of the e-mail address, such as e***@example.com; *** for domains of
    fewer than 11 people
  phone_masked: "Last two digits of the telephone number, such as *** 42"
  postcode_district: First half of a British or Irish postal code, else its first 3 characters
  country: Country
  birth_year: Year of birth
  has_loyalty: Whether the person has a loyalty card
  has_account: Whether the person has a web account
  has_push_token: Whether the person has the app with messages allowed
checks:
  - {expect: not_null, column: customer_id}
*/
with customer_contact as (
    select * from core.customer_contact
),

parts as (
    select
        *,
        lower(split_part(email, '@', 2)) as email_domain
    from customer_contact
),

common_domains as (
    select email_domain
    from parts
    where email_domain <> ''
    group by email_domain
    having count(*) >= 11
),

final as (
    select
        parts.customer_id,
        case
            when common_domains.email_domain is not null
                then left(lower(trim(parts.email)), 1) || '***@' || common_domains.email_domain
            when parts.email is not null then '***'
        end as email_masked,
        '*** ' || right(regexp_replace(parts.phone, '[^0-9]', '', 'g'), 2) as phone_masked,
        postcode_district(parts.postcode) as postcode_district,
        parts.country,
        year(parts.birth_date) as birth_year,
        parts.loyalty_id is not null as has_loyalty,
        parts.account_id is not null as has_account,
        parts.push_token is not null as has_push_token
    from parts
    left join common_domains on parts.email_domain = common_domains.email_domain
)

select * from final
