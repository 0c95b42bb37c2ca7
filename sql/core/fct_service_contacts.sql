/*
description: Calls, chats and letters to customer service.
grain: one row per contact of a source
key: [source, contact_id]
owner: data-engineering
subject_key: customer_id
columns:
  source: Source of the contact
  contact_id: Ticket number
  opened_at: Moment the contact began (UTC)
  opened_on: Store-local business date of the contact
  topic: complaint, question, service or praise
  channel: Way of the contact, as the source calls it
  customer_id: Stable id of the person; null if unknown
checks:
  - {expect: not_null, column: opened_on}
*/
with service_contacts as (
    select * from staging.service_contacts
),

bridge_identity as (
    select * from core.bridge_identity
),

final as (
    select
        service_contacts.source,
        service_contacts.contact_id,
        coalesce(
            service_contacts.opened_at, cast(service_contacts.opened_on as timestamp)
        ) as opened_at,
        service_contacts.opened_on,
        service_contacts.topic,
        service_contacts.channel,
        bridge_identity.customer_id
    from service_contacts
    left join bridge_identity
        on
            service_contacts.person_source = bridge_identity.source
            and service_contacts.person_record_key = bridge_identity.record_key
)

select * from final
