/*
description: How right the customers are tonight, as far as it can be told without the truth.
grain: one row per kind of estimate
key: [figure]
owner: identity
columns:
  figure: Name of the figure
  reading_order: Order for reading
  question: What it answers
  value: {description: "Best estimate, a share of pairs", unit: "share, 1 is 100 %"}
  low: {description: Lower 95 % limit, unit: "share, 1 is 100 %"}
  high: {description: Upper 95 % limit, unit: "share, 1 is 100 %"}
  basis: judged, model or withheld
  rests_on: The basis in words
  case_count: Judged pairs, or pairs whose withheld evidence was looked at
  previous_value: {description: The estimate of the night before, unit: "share, 1 is 100 %"}
  value_change: value less previous_value
checks:
  - name: precision_is_likely_above_its_floor
    expect: "true"
    where: "figure <> 'precision' or high >= 0.97"
    severity: warn
  - name: recall_is_likely_above_its_floor
    expect: "true"
    where: "figure <> 'recall_among_compared' or high >= 0.9"
    severity: warn
*/
with figures as (
    select *
    from identity.quality_figures
    where figure like 'precision%' or figure like 'recall%'
),

previous_nights as (
    select max(business_date) as business_date
    from figures
    where business_date < {{ business_date }}
),

final as (
    select
        tonight.figure,
        case
            when tonight.figure = 'precision' then 1
            when tonight.figure = 'recall_among_compared' then 2
            else 3
        end as reading_order,
        case
            when tonight.figure = 'precision' then 'Joined pairs that are one person'
            when tonight.figure = 'recall_among_compared'
                then 'Compared pairs of one person that were joined'
            else
                'Links confirmed by a ' || replace(tonight.figure[14:], '_', ' ')
                || ' they did not need'
        end as question,
        tonight.value,
        tonight.low,
        tonight.high,
        tonight.basis,
        case tonight.basis
            when 'judged' then 'pairs judged by people'
            when 'model' then 'the model''s own opinion'
            else 'withheld evidence'
        end as rests_on,
        tonight.case_count,
        earlier.value as previous_value,
        tonight.value - earlier.value as value_change
    from figures as tonight
    left join previous_nights on true
    left join figures as earlier
        on
            tonight.figure = earlier.figure
            and previous_nights.business_date = earlier.business_date
    where tonight.business_date = {{ business_date }}
)

select * from final
