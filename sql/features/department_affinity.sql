/*
description: What a person spends by department in the last 365 days, returns netted.
grain: one row per person and department with net spending above zero
key: [customer_id, department]
owner: analytics
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  department: Department
  net_amount: Net spending in the department
  category_count: Categories of the department with net spending above zero
  last_bought_on: Store-local date of the last purchase in it
  spend_share: Share of the person's net spending over all departments
  rank_no: 1 for the department with the most money
checks:
  - {expect: between, column: spend_share, min: 0, max: 1}
incremental:  # a person
  unit: {customer: customer_id}
  inputs:
    features.category_affinity:
      unit: {customer: customer_id}
*/
with category_affinity as (
    select * from features.category_affinity
    where department is not null
),

totals as (
    select
        customer_id,
        department,
        cast(sum(net_amount) as decimal(18, 2)) as net_amount,
        count(*) as category_count,
        max(last_bought_on) as last_bought_on
    from category_affinity
    group by customer_id, department
),

final as (
    select
        customer_id,
        department,
        net_amount,
        category_count,
        last_bought_on,
        share(net_amount, sum(net_amount) over (partition by customer_id)) as spend_share,
        row_number() over (
            partition by customer_id
            order by net_amount desc, last_bought_on desc nulls last, department asc
        ) as rank_no
    from totals
)

select * from final
