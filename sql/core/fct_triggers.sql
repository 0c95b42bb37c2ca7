/*
description: >-
  Every trigger sent on earlier nights and whether it was redeemed. A sale redeems a trigger if its
  promotion is the trigger's own code (its reference), whoever pays, or the name of its offer on a
  sale of the person; the newest trigger before the sale is redeemed, by the first such sale. A file
  goes out after the store has closed, so only later days count.
grain: one row per person, offer and date sent
key: [customer_id, offer, sent_on]
owner: crm
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  offer: Name of the offer
  sent_on: Business date of the file that carried it
  channel: email, sms, push or post
  destination_count: Destinations that carried it
  reference: Code of the trigger as destinations and tills know it
  is_redeemed: Whether a sale redeemed it
  redeemed_at: Moment of that sale (UTC); null if not redeemed
  redeemed_on: Store-local date of that sale
  redeemed_by: own_code or offer_name
  redeemed_source: Source of that sale
  redeemed_sale_id: Receipt or order that redeemed it
  redeemed_channel: store or web
  redeemed_store_id: Store of that sale
  redeemed_amount: Paid for the products of the whole receipt or order
checks:
  - {expect: in_set, column: redeemed_by, values: [own_code, offer_name]}
  - expect: "true"
    name: redeemed_after_it_was_sent
    where: redeemed_on is null or redeemed_on > sent_on
*/
{% if base.has("ops.contact_log") %}
with golden_records as (
    select * from identity.golden_records
),

redirects as (
    select * from identity.redirects
),

fct_sales as (
    select * from core.fct_sales
    where not is_return
),

-- People merged since go on under their present id; people erased since are gone.
triggers as (
    select
        people.customer_id,
        contact_log.offer,
        contact_log.sent_on,
        min(contact_log.channel) as channel,
        count(distinct contact_log.destination) as destination_count,
        min(contact_log.reference) as reference
    from base.ops.contact_log as contact_log
    left join redirects on contact_log.customer_id = redirects.old_customer_id
    inner join golden_records as people
        on coalesce(redirects.customer_id, contact_log.customer_id) = people.customer_id
    where contact_log.sent_on < {{ business_date }}
    group by people.customer_id, contact_log.offer, contact_log.sent_on
),

codes as (
    select reference as code from triggers
    where reference is not null
    union
    select offer as code from triggers
),

redeeming_sales as (
    select
        fct_sales.source,
        fct_sales.sale_id,
        fct_sales.customer_id,
        codes.code,
        min(fct_sales.sold_at) as sold_at,
        min(fct_sales.sold_on) as sold_on
    from fct_sales
    inner join codes on fct_sales.promotion_id = codes.code
    group by fct_sales.source, fct_sales.sale_id, fct_sales.customer_id, codes.code
),

candidates as (
    select
        triggers.customer_id,
        triggers.offer,
        triggers.sent_on,
        'own_code' as redeemed_by,
        redeeming_sales.source,
        redeeming_sales.sale_id,
        redeeming_sales.sold_at,
        redeeming_sales.sold_on
    from triggers
    inner join redeeming_sales
        on triggers.reference = redeeming_sales.code and triggers.sent_on < redeeming_sales.sold_on
    union all by name
    select
        triggers.customer_id,
        triggers.offer,
        triggers.sent_on,
        'offer_name' as redeemed_by,
        redeeming_sales.source,
        redeeming_sales.sale_id,
        redeeming_sales.sold_at,
        redeeming_sales.sold_on
    from triggers
    inner join redeeming_sales
        on
            triggers.offer = redeeming_sales.code
            and triggers.customer_id = redeeming_sales.customer_id
            and triggers.sent_on < redeeming_sales.sold_on
    qualify
        row_number() over (
            partition by
                redeeming_sales.source,
                redeeming_sales.sale_id,
                triggers.customer_id,
                triggers.offer
            order by triggers.sent_on desc
        ) = 1
),

redeemed as (
    select *
    from candidates
    qualify
        row_number() over (
            partition by customer_id, offer, sent_on
            order by sold_at asc, redeemed_by desc, source asc, sale_id asc
        ) = 1
),

redeeming_receipts as (
    select distinct
        source,
        sale_id
    from redeemed
),

sale_totals as (
    select
        fct_sales.source,
        fct_sales.sale_id,
        min(fct_sales.channel) as channel,
        min(fct_sales.store_id) as store_id,
        sum(fct_sales.net_amount) filter (where fct_sales.line_kind = 'product') as net_amount
    from fct_sales
    inner join redeeming_receipts
        on
            fct_sales.source = redeeming_receipts.source
            and fct_sales.sale_id = redeeming_receipts.sale_id
    group by fct_sales.source, fct_sales.sale_id
),

final as (
    select
        triggers.customer_id,
        triggers.offer,
        triggers.sent_on,
        triggers.channel,
        triggers.destination_count,
        triggers.reference,
        redeemed.sale_id is not null as is_redeemed,
        redeemed.sold_at as redeemed_at,
        redeemed.sold_on as redeemed_on,
        redeemed.redeemed_by,
        redeemed.source as redeemed_source,
        redeemed.sale_id as redeemed_sale_id,
        sale_totals.channel as redeemed_channel,
        sale_totals.store_id as redeemed_store_id,
        cast(sale_totals.net_amount as decimal(18, 2)) as redeemed_amount
    from triggers
    left join redeemed
        on
            triggers.customer_id = redeemed.customer_id
            and triggers.offer = redeemed.offer
            and triggers.sent_on = redeemed.sent_on
    left join sale_totals
        on redeemed.source = sale_totals.source and redeemed.sale_id = sale_totals.sale_id
)
{% else %}
with final as (
    select
        cast(null as varchar) as customer_id,
        cast(null as varchar) as offer,
        cast(null as date) as sent_on,
        cast(null as varchar) as channel,
        cast(null as bigint) as destination_count,
        cast(null as varchar) as reference,
        cast(null as boolean) as is_redeemed,
        cast(null as timestamp) as redeemed_at,
        cast(null as date) as redeemed_on,
        cast(null as varchar) as redeemed_by,
        cast(null as varchar) as redeemed_source,
        cast(null as varchar) as redeemed_sale_id,
        cast(null as varchar) as redeemed_channel,
        cast(null as varchar) as redeemed_store_id,
        cast(null as decimal(18, 2)) as redeemed_amount
    where false
)
{% endif %}

select * from final
