/*
description: Customers of several records and how firmly they hold together.
grain: one row per customer of several records
key: [customer_id]
owner: data-science
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  record_count: Records it is made of
  weakest_link_prob: Probability of the link without which it falls apart
  bridge_count: Links whose loss would split it
  family_name_count: Different family names in it
  birth_date_count: Different birth dates in it
*/
with cluster_quality as (
    select * from identity.cluster_quality
),

final as (
    select
        customer_id,
        record_count,
        weakest_link_prob,
        bridge_count,
        family_name_count,
        birth_date_count
    from cluster_quality
)

select * from final
