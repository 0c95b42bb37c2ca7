/*
question: How did people react to each e-mail campaign?
role: marketer
grain: one row per campaign, the 25 sent last
owner: email-marketing
note: >-
  People who open twice count twice.
columns:
  campaign_id: Campaign
  first_sent_on: Day on which it began to be sent
  sent_count: E-mails sent
  open_share: Opened by a person, over sent; machines do not count
  click_share: Clicked, over sent
  bounce_share: Bounced, over sent
  unsubscribe_share: Unsubscribed, over sent
*/
with campaigns as (
    select
        campaign_id,
        min(occurred_on) as first_sent_on,
        count(*) filter (where event_type = 'sent') as sent_count,
        count(*) filter (where event_type = 'open' and not is_machine) as open_count,
        count(*) filter (where event_type = 'click') as click_count,
        count(*) filter (where event_type = 'bounce') as bounce_count,
        count(*) filter (where event_type = 'unsubscribe') as unsubscribe_count
    from core.fct_email_events
    where campaign_id is not null
    group by campaign_id
    having count(*) filter (where event_type = 'sent') > 0
)

select
    campaign_id,
    first_sent_on,
    sent_count,
    cast(open_count as double) / sent_count as open_share,
    cast(click_count as double) / sent_count as click_share,
    cast(bounce_count as double) / sent_count as bounce_share,
    cast(unsubscribe_count as double) / sent_count as unsubscribe_share
from campaigns
order by first_sent_on desc, campaign_id asc
limit 25
