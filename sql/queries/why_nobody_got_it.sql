/*
question: Why did members of a segment not get the file or the message?
role: marketer
grain: one row per full file of the last night
owner: crm
columns:
  destination: Receiving system
  segment_or_offer: What the file holds
  member_count: Members before anybody was left out
  rows: Rows in the file
  excluded_no_consent: Left out without consent
  excluded_no_contact: Left out without an address
  excluded_holdout: Kept back for measuring
  excluded_cap: Left out since they got enough
*/
select
    destination,
    segment_or_offer,
    member_count,
    rows,
    excluded_no_consent,
    excluded_no_contact,
    excluded_holdout,
    excluded_cap
from ops.exports
where member_count > 0
order by member_count - rows desc, destination asc, segment_or_offer asc, file_name asc
