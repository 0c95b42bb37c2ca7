/*
description: >-
  What people said about marketing on each channel. Statistics only: the consent gate decides who
  may be contacted.
grain: one row per channel
key: [channel_rank]
owner: privacy
sums:
  - {of: [agreed_count, refused_count, never_asked_count], total: customer_count}
columns:
  channel_rank: Order of the channels
  channel: Name in words
  customer_count: People in the warehouse
  agreed_count: People whose last word is yes
  refused_count: People who said no, withdrew or objected
  never_asked_count: People without any statement
  agreed_share: agreed_count over customer_count
  refused_share: refused_count over customer_count
  never_asked_share: never_asked_count over customer_count
*/
with customers as (
    select customer_id from core.dim_customer
),

last_words as (
    select consents.*
    from features.consent_state as consents
    inner join customers on consents.customer_id = customers.customer_id
    where consents.purpose = 'marketing'
),

channels (channel_rank, channel, title) as (
    values
    (1, 'email', 'E-mail'),
    (2, 'sms', 'SMS'),
    (3, 'push', 'App push'),
    (4, 'post', 'Post')
),

counted as (
    select
        channels.channel_rank,
        channels.title as channel,
        (select count(*) from customers) as customer_count,
        count(*) filter (where last_words.status = 'granted') as agreed_count,
        count(*) filter (where last_words.status <> 'granted') as refused_count
    from channels
    left join last_words on channels.channel = last_words.channel
    group by all
),

final as (
    select
        channel_rank,
        channel,
        customer_count,
        agreed_count,
        refused_count,
        customer_count - agreed_count - refused_count as never_asked_count,
        agreed_count / customer_count as agreed_share,
        refused_count / customer_count as refused_share,
        (customer_count - agreed_count - refused_count) / customer_count as never_asked_share
    from counted
    where customer_count > 0 and exists (select 1 from last_words)
)

select * from final
