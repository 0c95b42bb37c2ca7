/*
description: >-
  Size of every group and segment tonight against seven days ago, or against the oldest night there
  is if the history is shorter.
grain: one row per kind and segment that has a size tonight
key: [kind, segment]
owner: crm
columns:
  kind: rfm or marketing, as in marts.segment_daily
  segment: Name of the group or segment
  customer_count: People in it tonight
  compared_on: Earlier night of the comparison; null on the first night
  earlier_count: People in it then; null on the first night
  change_count: customer_count less earlier_count
*/
with sizes as (
    select * from marts.segment_daily
),

compared as (
    select
        coalesce(
            max(business_date) filter (where business_date <= {{ business_date }} - 7),
            min(business_date) filter (where business_date < {{ business_date }})
        ) as compared_on
    from sizes
),

final as (
    select
        tonight.kind,
        tonight.segment,
        tonight.customer_count,
        compared.compared_on,
        case when compared.compared_on is not null then coalesce(earlier.customer_count, 0) end
            as earlier_count,
        tonight.customer_count
        - case when compared.compared_on is not null then coalesce(earlier.customer_count, 0) end
            as change_count
    from sizes as tonight
    cross join compared
    left join sizes as earlier
        on
            tonight.kind = earlier.kind
            and tonight.segment = earlier.segment
            and compared.compared_on = earlier.business_date
    where tonight.business_date = {{ business_date }}
)

select * from final
