/*
description: How predicted value spreads over customers, in twenty equal steps; the last is open.
grain: one row per step
key: [from_amount]
owner: analytics
columns:
  from_amount: Lower end of the step, in the settings' currency
  to_amount: Upper end; null for the last step, which has none
  customer_count: People whose predicted 12-month value lies in it
*/
with forecasts as (
    select cast(clv_12m_amount as double) as amount
    from features.clv
    where clv_12m_amount is not null
),

-- round step so that twenty steps cover 97 of 100 people: 1, 2, 2.5 or 5 times a power of ten
rough as (
    select
        greatest(quantile_disc(amount, 0.97) / 20, 0.5) as step,
        power(10, floor(log10(greatest(quantile_disc(amount, 0.97) / 20, 0.5)))) as magnitude
    from forecasts
    having count(*) > 0
),

steps as (
    select
        magnitude * case
            when step <= magnitude then 1
            when step <= 2 * magnitude then 2
            when step <= 2.5 * magnitude then 2.5
            when step <= 5 * magnitude then 5
            else 10
        end as step
    from rough
),

bins as (
    select
        cast(number as integer) as number,
        step
    from steps
    cross join generate_series(0, 19) as numbers (number)
),

counted as (
    select
        least(cast(floor(forecasts.amount / steps.step) as integer), 19) as number,
        count(*) as customer_count
    from forecasts
    cross join steps
    group by all
),

final as (
    select
        cast(bins.number * bins.step as decimal(18, 2)) as from_amount,
        case when bins.number < 19 then cast((bins.number + 1) * bins.step as decimal(18, 2)) end
            as to_amount,
        coalesce(counted.customer_count, 0) as customer_count
    from bins
    left join counted on bins.number = counted.number
)

select * from final
