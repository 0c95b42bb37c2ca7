/*
description: >-
  What people are likely to do next: one line a declared propensity, with how the model that serves
  did on past days beside the best rule, and what told.
grain: one row per declared propensity
key: [propensity]
owner: analytics
# people are scored for each propensity
sums: []
columns:
  propensity: Name of the propensity
  title: What a person does
  standing: Model that serves, or why nobody is scored
  scored_count: People scored
  expected_count: How many of them are expected to do it
  small_count: The fewest people who are expected to hold half of those who will
  small_share: Their share of the people scored
  fold_count: Past days on which it was tested
  past_happened_count: People of these days who did it
  past_expected_count: How many had been expected
  auc: Chance that somebody who did it had been ranked above somebody who did not
  top_tenth_lift: Share of the likeliest tenth who did it over the share of all
  loss_change: Log-loss against that of the best rule; negative is better
  tells: What told learned trees most, in words; null where another model serves
*/
with propensity_model as (
    select * from features.propensity_model
),

propensity_backtest as (
    select * from features.propensity_backtest
),

audiences as (
    select
        propensity,
        count(*) filter (where audience = 'small') as small_count
    from features.propensities
    group by propensity
),

folds as (
    select
        propensity,
        fold,
        any_value(cut_on) as cut_on,
        max(log_loss) filter (where is_serving) as log_loss,
        min(log_loss) filter (where is_naive) as rule_log_loss
    from propensity_backtest
    group by propensity, fold
),

changes as (
    select
        propensity,
        round(exp(avg(cast(ln(log_loss / rule_log_loss) as decimal(18, 9)))) - 1, 6) as loss_change
    from folds
    where log_loss > 0 and rule_log_loss > 0
    group by propensity
),

tests as (
    select
        propensity,
        count(*) as fold_count,
        cast(sum(happened_count) as bigint) as past_happened_count,
        cast(sum(cast(expected_count as decimal(18, 6))) as double) as past_expected_count,
        avg(cast(auc as decimal(18, 9))) as auc,
        avg(cast(top_tenth_lift as decimal(18, 9))) as top_tenth_lift
    from propensity_backtest
    where is_serving
    group by propensity
),

inputs as (
    select
        propensity,
        string_agg(
            description || case
                when direction = 'mixed' then ''
                else ' (more: ' || direction || ')'
            end,
            '; '
            order by place asc
        ) as tells
    from features.propensity_inputs
    where place <= 3
    group by propensity
),

final as (
    select
        propensity_model.propensity,
        propensity_model.title,
        coalesce(propensity_model.model, 'Nobody is scored: ' || propensity_model.reason)
            as standing,
        propensity_model.scored_count,
        propensity_model.expected_count,
        coalesce(audiences.small_count, 0) as small_count,
        share(audiences.small_count, propensity_model.scored_count) as small_share,
        coalesce(tests.fold_count, 0) as fold_count,
        tests.past_happened_count,
        tests.past_expected_count,
        tests.auc,
        tests.top_tenth_lift,
        changes.loss_change,
        case when propensity_model.model = 'Gradient-boosted trees' then inputs.tells end as tells
    from propensity_model
    left join audiences on propensity_model.propensity = audiences.propensity
    left join tests on propensity_model.propensity = tests.propensity
    left join changes on propensity_model.propensity = changes.propensity
    left join inputs on propensity_model.propensity = inputs.propensity
)

select * from final
