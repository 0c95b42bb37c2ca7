/*
description: The linkage's quality night by night, one column a figure.
grain: one row per night
key: [business_date]
owner: identity
columns:
  business_date: The night
  precision_share: Joined pairs that are one person, estimated
  recall_share: Compared pairs of one person that were joined, estimated
  withheld_share: Links confirmed by the birth dates that they did not need
  several_record_share: Customers of several distinct named records
*/
with figures as (
    select
        business_date,
        figure,
        value
    from identity.quality_figures
),

final as (
    select
        business_date,
        max(value) filter (where figure = 'precision') as precision_share,
        max(value) filter (where figure = 'recall_among_compared') as recall_share,
        max(value) filter (where figure = 'precision_by_birth_date') as withheld_share,
        max(value) filter (where figure = 'several_records') as several_record_share
    from figures
    group by business_date
)

select * from final
