-- Whether an earlier day lies in the same month, quarter or year as a later one.
create or replace temp macro is_same_period(period, earlier_on, later_on) as
    coalesce(
        earlier_on <= later_on
        and date_trunc(period, cast(earlier_on as date)) = date_trunc(period, later_on),
        false
    );

/* checks:
is_same_period('month', date '2026-11-01', date '2026-11-20')
not is_same_period('month', date '2026-10-31', date '2026-11-20')
is_same_period('quarter', date '2026-10-31', date '2026-11-20')
not is_same_period('month', date '2026-11-21', date '2026-11-20')
not is_same_period('month', null, date '2026-11-20')
*/
