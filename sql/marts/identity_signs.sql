/*
description: Signs that customers hold several people, or that one person is several customers.
grain: one row per sign
key: [sign]
owner: identity
# one customer may show several signs
sums: []
columns:
  figure: Name of the figure
  reading_order: Order for reading
  sign: What is counted
  meaning: What it points to
  customer_count: Customers that show it
  per_ten_thousand: Customers that show it, of ten thousand
  previous_per_ten_thousand: The same the night before
  change_per_ten_thousand: Difference to the night before
checks:
  - name: no_sign_jumps_overnight
    expect: "true"
    where: >-
      previous_per_ten_thousand is null
      or change_per_ten_thousand <= greatest(0.5 * previous_per_ten_thousand, 20)
    severity: warn
  - name: few_customers_with_more_than_three_given_names
    expect: "true"
    where: "figure <> 'over_3_given_names' or per_ten_thousand <= 50"
    severity: warn
*/
with labels as (
    select
        t.figure,
        t.reading_order,
        t.sign,
        t.meaning
    from (
        values
        ('over_3_given_names', 1, 'More than three given names', 'several people joined'),
        ('over_3_family_names', 2, 'More than three family names', 'several people joined'),
        ('several_birth_dates', 3, 'More than one birth date', 'several people joined'),
        ('both_sexes', 4, 'Both sexes', 'several people joined'),
        ('over_5_postcodes', 5, 'More than five postcodes', 'several people joined'),
        ('weak_link', 6, 'Held by a link below 0.9', 'several people joined'),
        ('same_name_and_email', 7, 'Name and e-mail of another customer', 'one person split'),
        ('same_name_and_phone', 8, 'Name and phone of another customer', 'one person split'),
        ('same_name_and_address', 9, 'Name and address of another customer', 'one person split')
    ) as t (figure, reading_order, sign, meaning)
),

figures as (
    select * from identity.quality_figures
),

previous_nights as (
    select max(business_date) as business_date
    from figures
    where business_date < {{ business_date }}
),

final as (
    select
        labels.figure,
        labels.reading_order,
        labels.sign,
        labels.meaning,
        cast(round(tonight.value * tonight.case_count) as bigint) as customer_count,
        10000 * tonight.value as per_ten_thousand,
        10000 * earlier.value as previous_per_ten_thousand,
        10000 * (tonight.value - earlier.value) as change_per_ten_thousand
    from labels
    inner join figures as tonight
        on labels.figure = tonight.figure and tonight.business_date = {{ business_date }}
    left join previous_nights on true
    left join figures as earlier
        on
            labels.figure = earlier.figure
            and previous_nights.business_date = earlier.business_date
)

select * from final
