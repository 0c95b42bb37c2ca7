/*
question: Did being in a segment make people spend more? Its holdout against everybody else in it.
role: marketer
grain: one row per segment
owner: crm
note: >-
  Who entered counts from the first time on, contacted or not (intention to treat), over the 28 days
  after; people whose 28 days are not over are left out. Only people who entered on the same night
  are held against each other, as the share kept back and the season change; nights on which
  everybody or nobody was kept back show nothing and are left out, too. What somebody spent in the
  92 days before foretells much of it and is taken out of both sides (CUPED), which narrows the
  range and moves nothing. A range that holds 0 shows nothing. The few who are never contacted at
  all (global_holdout_share) are among those kept back: for them, all else that the others are sent
  counts, too. Amounts are null where a side has fewer than 11 people: so few tell of themselves,
  not of the segment.
columns:
  segment: Name of the segment
  customer_count: People who might be contacted, of the nights that count
  holdout_count: People kept back, of the same nights
  holdout_mean_amount: What one of those kept back spent in the 28 days
  uplift_amount: By how much more the others did, each
  low_amount: Lower end of what holds it 19 times in 20
  high_amount: Upper end
  smallest_amount: Smallest uplift that so many people would show four times in five
*/
with entries as (
    select
        segment,
        customer_id,
        min(entered_on) as entered_on,
        -- whoever comes back may be drawn anew by another share, but was contacted before
        arg_min(is_holdout, entered_on) as is_holdout
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
        entries.entered_on,
        entries.is_holdout,
        cast(not entries.is_holdout as double) as contactable,
        spending.amount_after,
        spending.amount_before
    from entries
    inner join spending
        on
            entries.customer_id = spending.customer_id
            and entries.entered_on = spending.entered_on
),

nights as (
    select
        segment,
        entered_on,
        count(*) as people,
        avg(contactable) as contactable,
        avg(amount_after) as amount_after,
        avg(amount_before) as amount_before
    from people
    group by
        segment,
        entered_on
    having bool_or(is_holdout) and not bool_and(is_holdout)
),

-- What sets each person apart from those of the same night.
apart as (
    select
        people.segment,
        people.is_holdout,
        people.amount_after as spent_amount,
        nights.people,
        people.contactable - nights.contactable as contactable,
        people.amount_after - nights.amount_after as amount_after,
        people.amount_before - nights.amount_before as amount_before
    from people
    inner join nights
        on people.segment = nights.segment and people.entered_on = nights.entered_on
),

slopes as (
    select
        segment,
        coalesce(sum(amount_after * amount_before) / nullif(sum(amount_before ^ 2), 0), 0) as slope
    from apart
    group by segment
),

-- The slope of amounts over whether people might be contacted is the mean difference of the
-- nights, each by how much it tells.
uplifts as (
    select
        apart.segment,
        slopes.slope,
        sum(apart.contactable ^ 2) as weight,
        sum(apart.contactable * (apart.amount_after - slopes.slope * apart.amount_before))
        / sum(apart.contactable ^ 2) as uplift
    from apart
    inner join slopes on apart.segment = slopes.segment
    group by
        apart.segment,
        slopes.slope
),

-- Each person's error is divided by the part of it that the means have not swallowed (HC2): of one
-- night alone, this is Welch's error of two means.
sides as (
    select
        apart.segment,
        uplifts.uplift,
        count(*) filter (where not apart.is_holdout) as customer_count,
        count(*) filter (where apart.is_holdout) as holdout_count,
        avg(apart.spent_amount) filter (where apart.is_holdout) as holdout_mean,
        sqrt(
            sum(
                (
                    apart.contactable
                    * (
                        apart.amount_after
                        - uplifts.slope * apart.amount_before
                        - uplifts.uplift * apart.contactable
                    )
                ) ^ 2
                -- of a single one kept back nothing is left
                / nullif(
                    greatest(1 - 1 / apart.people - apart.contactable ^ 2 / uplifts.weight, 0), 0
                )
            )
        )
        / uplifts.weight as standard_error
    from apart
    inner join uplifts on apart.segment = uplifts.segment
    group by
        apart.segment,
        uplifts.uplift,
        uplifts.weight
),

told as (
    select * from sides
    where customer_count >= 11 and holdout_count >= 11
),

named as (
    select distinct segment from entries
)

select
    named.segment,
    coalesce(sides.customer_count, 0) as customer_count,
    coalesce(sides.holdout_count, 0) as holdout_count,
    cast(told.holdout_mean as decimal(18, 2)) as holdout_mean_amount,
    cast(told.uplift as decimal(18, 2)) as uplift_amount,
    cast(told.uplift - 1.96e0 * told.standard_error as decimal(18, 2)) as low_amount,
    cast(told.uplift + 1.96e0 * told.standard_error as decimal(18, 2)) as high_amount,
    -- 1.96 to be told from chance, 0.84 more to be four times in five
    cast(2.8e0 * told.standard_error as decimal(18, 2)) as smallest_amount
from named
left join sides on named.segment = sides.segment
left join told on named.segment = told.segment
order by named.segment asc
