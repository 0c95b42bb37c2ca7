/*
description: >-
  When a person's stated will changed, purpose by purpose and channel by channel. A statement that
  only repeats the one before is no change. Of statements of the same moment the refusal counts.
  What is permitted today is decided by the consent gate alone.
grain: one row per person, purpose, channel and moment of a change
key: [customer_id, purpose, channel, changed_at]
owner: privacy
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  purpose: What the consent is for
  channel: email, sms, push or post; none if the purpose has no channel
  changed_at: Moment the person stated it (UTC)
  changed_on: Store-local date of the change
  previous_status: Status before; null for the first statement
  status: granted, withdrawn or objected
  ended_at: Moment of the next change (UTC); null for what holds now
  is_current: Whether it is the newest
  source: Source of the statement
  statement_id: Hash of the statement
checks:
  - {expect: in_set, column: status, values: [granted, withdrawn, objected]}
  - expect: "true"
    name: a_change_changes_something
    where: status is distinct from previous_status
incremental:  # a person
  unit: {customer: customer_id}
  inputs:
    core.fct_consents:
      unit: {customer: customer_id}
*/
with fct_consents as (
    select * from core.fct_consents
),

-- People merged into one may have stated different things at one moment: the refusal counts.
moments as (
    select
        customer_id,
        purpose,
        coalesce(channel, 'none') as channel,
        captured_at,
        status,
        source,
        statement_id
    from fct_consents
    qualify
        row_number() over (
            partition by customer_id, purpose, channel, captured_at
            order by
                case status when 'objected' then 1 when 'withdrawn' then 2 else 3 end asc,
                source asc,
                statement_id asc
        ) = 1
),

compared as (
    select
        *,
        lag(status) over (
            partition by customer_id, purpose, channel
            order by captured_at asc
        ) as previous_status
    from moments
),

changes as (
    select
        *,
        lead(captured_at) over (
            partition by customer_id, purpose, channel
            order by captured_at asc
        ) as ended_at
    from compared
    where status is distinct from previous_status
),

final as (
    select
        customer_id,
        purpose,
        channel,
        captured_at as changed_at,
        business_date(captured_at) as changed_on,
        previous_status,
        status,
        ended_at,
        ended_at is null as is_current,
        source,
        statement_id
    from changes
)

select * from final
