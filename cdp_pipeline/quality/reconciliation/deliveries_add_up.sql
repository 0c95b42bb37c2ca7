/*
description: >-
  Every record of a delivery is loaded, set aside, a duplicate, excluded by a rule or
  suppressed after an erasure; none of a delivery that was not loaded counts as loaded.
reads: [ops.deliveries]
*/
with deliveries as (
    select * from ops.deliveries
),

final as (
    select
        count(*) as evaluated_rows,
        count_if(
            case
                when status = 'loaded'
                    then
                        records
                        is distinct from loaded + quarantined + duplicates + excluded + suppressed
                else loaded > 0
            end
        ) as unexpected_rows
    from deliveries
)

select * from final
