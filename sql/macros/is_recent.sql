-- Whether a date lies within the last so many days up to and including the business date.
create or replace temp macro is_recent(happened_on, business_on, days) as
    coalesce(
        happened_on > business_on - cast(days as integer) and happened_on <= business_on, false
    );

/* checks:
is_recent(date '2026-11-20', date '2026-11-20', 1)
not is_recent(date '2026-11-19', date '2026-11-20', 1)
is_recent(date '2026-10-22', date '2026-11-20', 30)
not is_recent(date '2026-10-21', date '2026-11-20', 30)
not is_recent(date '2026-11-21', date '2026-11-20', 30)
not is_recent(null, date '2026-11-20', 30)
*/
