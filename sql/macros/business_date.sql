-- The store's business date of a UTC moment.
create or replace temp macro business_date(moment) as
    cast(timezone({{ time_zone }}, timezone('UTC', moment)) as date);

/* checks, for time_zone Europe/London:
business_date(timestamp '2026-07-01 22:59:59') = date '2026-07-01'
business_date(timestamp '2026-07-01 23:00:00') = date '2026-07-02'
business_date(timestamp '2026-12-01 23:59:59') = date '2026-12-01'
business_date(cast(null as timestamp)) is null
*/
