/*
description: >-
  The consent ledger: every statement of consent by a known person, with its proof and the night
  that came to know it; rows are added, never changed. What it permits on a day, and what it was
  known to permit, is decided by the consent gate alone (cdp consent PERSON --as-of --known-at).
grain: one row per statement of a source
key: [source, statement_id]
owner: privacy
subject_key: customer_id
partition_by: captured_at
columns:
  source: Source of the statement
  statement_id: Hash of the statement; with the source it names the ledger's entry
  customer_id: Stable id of the person
  purpose: What the consent is for
  channel: email, sms, push or post; null if the purpose has no channel
  status: granted, withdrawn or objected
  captured_at: Moment the person stated it (UTC); the day of delivery if the source gives none
  legal_basis: Basis that the source names; null if it names none, then sql/consent.yml does
  wording_version: Version of the words that the person agreed to; null if the source names none
  file_id: File that brought it first
  file_line: Line of that file
  recorded_on: Business date of the night that came to know it
  linked_on: Business date since which the record belongs to this person
  merged_from: Former customer of the record, if a merge of two customers brought it; else null
  merged_on: Business date of the newest such merge; else null
checks:
  - {expect: not_null, column: purpose}
  - {expect: not_null, column: recorded_on}
  - {expect: in_set, column: status, values: [granted, withdrawn, objected]}
  - {expect: in_set, column: channel, values: [email, sms, push, post], severity: warn}
incremental:  # a statement
  unit: {source: source, statement: statement_id}
  inputs:
    staging.consents:
      unit: {source: source, statement: statement_id}
    core.bridge_identity:
      columns: [source, record_key, customer_id, linked_on]
      found_in:
        - {table: staging.consents, by: {person_source: source, person_record_key: record_key}}
    identity.changes:
      found_in:
        - {table: staging.consents, by: {person_source: source, person_record_key: record_key}}
*/
with consents as (
    select * from staging.consents
),

bridge_identity as (
    select * from core.bridge_identity
),

changes as (
    select * from identity.changes
),

homes as (
    select
        source,
        record_key,
        customer_id,
        change,
        changed_on,
        lag(customer_id) over (
            partition by source, record_key
            order by changed_on
        ) as customer_before
    from changes
    where source is not null
),

-- A record that parted again from whom it was merged with has no merge behind it; one that was not
-- delivered for a night and is back with the same customer has.
partings as (
    select
        source,
        record_key,
        max(changed_on) as parted_on
    from homes
    where change in ('split', 'moved') or (change = 'joined' and customer_before <> customer_id)
    group by source, record_key
),

person_merges as (
    select
        changes.source,
        changes.record_key,
        min({
            'merged_on': changes.changed_on,
            'customer_id': changes.previous_customer_id
        }) as origin,
        max(changes.changed_on) as merged_on
    from changes
    left join partings
        on changes.source = partings.source and changes.record_key = partings.record_key
    where
        changes.change = 'merged'
        and changes.source is not null
        and (partings.parted_on is null or partings.parted_on < changes.changed_on)
    group by changes.source, changes.record_key
),

final as (
    select
        consents.source,
        consents.statement_id,
        bridge_identity.customer_id,
        consents.purpose,
        consents.channel,
        consents.status,
        coalesce(consents.captured_at, cast(consents.delivered_on as timestamp)) as captured_at,
        consents.legal_basis,
        consents.wording_version,
        consents.file_id,
        consents.file_line,
        consents.recorded_on,
        bridge_identity.linked_on,
        struct_extract(person_merges.origin, 'customer_id') as merged_from,
        person_merges.merged_on
    from consents
    inner join bridge_identity
        on
            consents.person_source = bridge_identity.source
            and consents.person_record_key = bridge_identity.record_key
    left join person_merges
        on
            consents.person_source = person_merges.source
            and consents.person_record_key = person_merges.record_key
)

select * from final
