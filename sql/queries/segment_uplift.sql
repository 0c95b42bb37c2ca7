/*
question: Did being in a segment make people spend more? Its holdout against everybody else in it.
role: marketer
grain: one row per segment
owner: crm
note: >-
  Who entered counts, contacted or not, over the 28 days after; people whose 28 days are not over
  are left out. What somebody spent in the 92 days before foretells much of it and is taken out of
  both sides (CUPED), which narrows the range and moves nothing. A range that holds 0 shows nothing.
columns:
  segment: Name of the segment
  customer_count: People who might be contacted
  holdout_count: People kept back
  holdout_mean_amount: What one of those kept back spent in the 28 days
  uplift_amount: By how much more the others did, each; null where a side has fewer than two people
  low_amount: Lower end of what holds it 19 times in 20
  high_amount: Upper end
  smallest_amount: Smallest uplift that so many people would show four times in five
*/
with entries as (
    select
        segment,
        customer_id,
        min(entered_on) as entered_on,
        bool_or(is_holdout) as is_holdout
    from segments.membership_history
    group by
        segment,
        customer_id
),

-- somebody enters several segments on one day
moments as (
    select distinct
        entries.customer_id,
        entries.entered_on
    from entries
    inner join core.dim_date as today
        on today.is_business_date and entries.entered_on + 28 <= today.date_on
),

spending as (
    select
        moments.customer_id,
        moments.entered_on,
        cast(
            coalesce(
                sum(spent.net_amount) filter (where spent.purchased_on > moments.entered_on), 0
            ) as double
        ) as amount_after,
        cast(
            coalesce(
                sum(spent.net_amount) filter (where spent.purchased_on <= moments.entered_on), 0
            ) as double
        ) as amount_before
    from moments
    left join features.customer_day as spent
        on
            moments.customer_id = spent.customer_id
            and moments.entered_on - 92 < spent.purchased_on
            and moments.entered_on + 28 >= spent.purchased_on
    group by
        moments.customer_id,
        moments.entered_on
),

people as (
    select
        entries.segment,
        entries.is_holdout,
        spending.amount_after,
        spending.amount_before
    from entries
    inner join spending
        on
            entries.customer_id = spending.customer_id
            and entries.entered_on = spending.entered_on
),

slopes as (
    select
        segment,
        avg(amount_before) as mean_before,
        coalesce(covar_samp(amount_after, amount_before) / nullif(var_samp(amount_before), 0), 0)
            as slope
    from people
    group by segment
),

adjusted as (
    select
        people.segment,
        people.is_holdout,
        people.amount_after,
        people.amount_after - slopes.slope * (people.amount_before - slopes.mean_before)
            as amount
    from people
    inner join slopes on people.segment = slopes.segment
),

sides as (
    select
        segment,
        count(*) filter (where not is_holdout) as customer_count,
        count(*) filter (where is_holdout) as holdout_count,
        avg(amount_after) filter (where is_holdout) as holdout_mean,
        avg(amount) filter (where not is_holdout) - avg(amount) filter (where is_holdout) as uplift,
        sqrt(
            var_samp(amount) filter (where not is_holdout)
            / count(*) filter (where not is_holdout)
            + var_samp(amount) filter (where is_holdout) / count(*) filter (where is_holdout)
        ) as standard_error
    from adjusted
    group by segment
),

named as (
    select distinct segment from entries
)

select
    named.segment,
    coalesce(sides.customer_count, 0) as customer_count,
    coalesce(sides.holdout_count, 0) as holdout_count,
    cast(sides.holdout_mean as decimal(18, 2)) as holdout_mean_amount,
    case
        when sides.standard_error is not null then cast(sides.uplift as decimal(18, 2))
    end as uplift_amount,
    cast(sides.uplift - 1.96e0 * sides.standard_error as decimal(18, 2)) as low_amount,
    cast(sides.uplift + 1.96e0 * sides.standard_error as decimal(18, 2)) as high_amount,
    -- 1.96 to be told from chance, 0.84 more to be four times in five
    cast(2.8e0 * sides.standard_error as decimal(18, 2)) as smallest_amount
from named
left join sides on named.segment = sides.segment
order by named.segment asc
