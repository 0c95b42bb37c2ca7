-- A small warehouse, the same for every run: twelve thousand people, two years and more of sales.
-- $day is the business date; numbers come from hashes of names, never from chance.

-- People shop by the same calendar whatever $day is: an earlier night sees a part of it.
create or replace temp macro last_day() as date '2026-11-18';
create or replace temp macro pick(seed, n) as cast(hash(seed) % n as bigint);

create table core.dim_product as
select
    'S' || number as sku,
    ['Beauty', 'Womenswear', 'Food hall', 'Menswear', 'Home', 'Shoes', 'Children'][1 + number % 7]
        as department
from range(70) as numbers (number);

create table core.dim_customer as
select
    'C' || lpad(cast(number as varchar), 16, '0') as customer_id,
    number % 9 <> 0 as is_contactable_email
from range(12000) as numbers (number);

create temp table visits as
select
    customer_id,
    number,
    visit,
    last_day() - 900 + cast(pick('start' || number, 880) as integer)
    + cast(visit * gap + pick('jitter' || number || '-' || visit, gap) as integer) as sold_on
from (
    select
        customer_id,
        row_number() over (order by customer_id) as number,
        9 + pick('gap' || customer_id, 110) as gap,
        1 + pick('life' || customer_id, 24) as life
    from core.dim_customer
) as people
cross join range(40) as visits (visit)
where visit < life;

create table core.fct_sales as
select
    'pos_sales' as source,
    'R' || number || '-' || visit as sale_id,
    '1' as line_no,
    sold_on,
    case when number % 4 = 0 then 'web' else 'store' end as channel,
    customer_id,
    'S' || pick('sku' || number || visit, 70) as sku,
    'product' as line_kind,
    cast(1 as decimal(18, 3)) as quantity,
    cast(0 as decimal(18, 2)) as discount_amount,
    cast(8 + pick('price' || number || visit, 140) + number % 60 as decimal(18, 2)) as net_amount,
    false as is_return,
    cast(null as varchar) as promotion_id
from visits
where sold_on <= $day
union all by name
select
    'pos_sales' as source,
    'A' || offset_days || '-' || slip as sale_id,
    '1' as line_no,
    last_day() - cast(offset_days as integer) as sold_on,
    'store' as channel,
    null as customer_id,
    'S' || pick('anonymous' || offset_days || slip, 70) as sku,
    case when slip = 3 then 'gift_card' when slip = 4 then 'fee' else 'product' end as line_kind,
    1 as quantity,
    0 as discount_amount,
    (case when slip = 5 then -1 else 1 end) * (6 + pick('amount' || offset_days || slip, 90))
        as net_amount,
    slip = 5 as is_return,
    null as promotion_id
from range(900) as days (offset_days)
cross join range(26) as slips (slip)
where last_day() - cast(offset_days as integer) <= $day and slip < 9 + 3 * isodow(last_day() - cast(offset_days as integer));

create table core.fct_consents as
select
    customer_id,
    'marketing' as purpose,
    channel,
    case
        when pick('said' || channel || customer_id, 10) < 6 then 'granted'
        when pick('said' || channel || customer_id, 10) < 8 then 'withdrawn'
        else 'objected'
    end as status,
    timestamp '2026-01-05 10:00:00' as captured_at
from core.dim_customer
cross join (values ('email', 82), ('sms', 55), ('push', 30), ('post', 70)) as asked (channel, share)
where pick('asked' || channel || customer_id, 100) < share;

create table core.privacy_requests as
select
    'privacy_requests' as source,
    'R' || number as request_id,
    'C1' as customer_id,
    ['erasure', 'access', 'objection'][1 + number % 3] as request_type,
    $day - cast(number as integer) as received_on,
    case when number > 3 then 'done' else 'received' end as status
from range(14) as numbers (number);
