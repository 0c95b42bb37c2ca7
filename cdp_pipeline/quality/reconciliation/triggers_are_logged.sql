/*
description: >-
  Rows of tonight's trigger files and tonight's entries of the contact log are the same in number,
  per destination and offer: caps of coming nights rest on it.
reads: [ops.exports, ops.contact_log]
*/
with exports as (
    select * from ops.exports
),

contact_log as (
    select * from ops.contact_log
),

sent as (
    select
        destination,
        segment_or_offer as offer,
        sum(rows) as row_count
    from exports
    where content = 'trigger'
    group by destination, segment_or_offer
),

logged as (
    select
        destination,
        offer,
        count(*) as row_count
    from contact_log
    where sent_on = {{ business_date }}
    group by destination, offer
),

final as (
    select
        coalesce(sum(greatest(sent.row_count, logged.row_count)), 0) as evaluated_rows,
        count_if(
            coalesce(sent.row_count, 0) <> coalesce(logged.row_count, 0)
        ) as unexpected_rows
    from sent
    full outer join logged
        on sent.destination = logged.destination and sent.offer = logged.offer
)

select * from final
