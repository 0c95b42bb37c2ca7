-- The store's business date of a UTC moment.
create or replace temp macro business_date(moment) as
    cast(timezone({{ time_zone }}, timezone('UTC', moment)) as date);
