/*
description: How strongly customers of several records hold together, by their weakest link.
grain: one row per band of the weakest link
key: [weakest_link]
owner: identity
columns:
  weakest_link: Probability of the weakest link, in bands
  reading_order: Order for reading
  customer_count: Customers
  customer_share: Share of the customers of several records
  bridge_customer_count: Customers of three and more records of which one link's loss takes a part
  mean_record_count: Distinct named records a customer, on average
*/
with cohesion as (
    select * from identity.cluster_quality
),

banded as (
    select
        *,
        case
            when part_count > 1 then 5
            when weakest_link_prob >= 0.999 then 1
            when weakest_link_prob >= 0.99 then 2
            when weakest_link_prob >= 0.9 then 3
            else 4
        end as reading_order
    from cohesion
),

final as (
    select
        case reading_order
            when 1 then '.999 and above'
            when 2 then '.99 to .999'
            when 3 then '.9 to .99'
            when 4 then 'below .9'
            else 'held as a group'
        end as weakest_link,
        reading_order,
        count(*) as customer_count,
        count(*) / sum(count(*)) over () as customer_share,
        count(*) filter (where bridge_count > 0 and distinct_record_count > 2)
            as bridge_customer_count,
        avg(distinct_record_count) as mean_record_count
    from banded
    group by reading_order
)

select * from final
