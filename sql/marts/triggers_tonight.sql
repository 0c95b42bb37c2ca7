/*
description: Every trigger file of the night, with who was left out of it for which reason.
grain: one row per destination and offer
key: [destination, offer]
owner: crm
# a person may qualify for several offers, so only a row adds up
sums:
  - of:
      [sent_count, no_consent_count, no_contact_count, holdout_count, cap_count, incomplete_count]
    total: member_count
columns:
  destination: Receiving system
  offer: Name of the offer
  title: Name of the offer in words
  member_count: People in the offer's segment
  sent_count: People who get it
  no_consent_count: Left out without consent for the purpose and channel
  no_contact_count: Left out without an address, or with one that another member already uses
  holdout_count: Kept back for measuring
  cap_count: Left out because they got enough already
  incomplete_count: Left out because the message would have a gap
*/
with files as (
    select *
    from ops.exports
    where content = 'trigger' and kind = 'full'
),

final as (
    select
        destination,
        segment_or_offer as offer,
        upper(left(segment_or_offer, 1)) || replace(substr(segment_or_offer, 2), '_', ' ')
            as title,
        cast(sum(member_count) as bigint) as member_count,
        cast(sum(rows) as bigint) as sent_count,
        cast(sum(excluded_no_consent) as bigint) as no_consent_count,
        cast(sum(excluded_no_contact + excluded_shared_contact) as bigint) as no_contact_count,
        cast(sum(excluded_holdout) as bigint) as holdout_count,
        cast(sum(excluded_cap) as bigint) as cap_count,
        cast(sum(excluded_incomplete) as bigint) as incomplete_count
    from files
    group by
        destination,
        segment_or_offer
)

select * from final
