/*
title: Opens an e-mail or follows its link in the next 30 days
event: e-mails opened or followed
owner: email-marketing
horizon_days: 30
eligible_days: 90
columns:
  customer_id: Stable id of the person
  happened_on: Store-local date of the answer, or of an e-mail that could have had one
  is_chance: Whether it is only an e-mail that was sent
*/
select
    customer_id,
    occurred_on as happened_on,
    event_type = 'sent' as is_chance
from core.fct_email_events
where event_type in ('sent', 'open', 'click') and not coalesce(is_machine, false)
