-- Part of a whole as DOUBLE with six decimals; null if there is no whole.
create or replace temp macro share(part, whole) as
    round(cast(part as double) / nullif(cast(whole as double), 0), 6);

/* checks:
share(1, 4) = 0.25
share(cast(1 as decimal(18, 2)), 3) = 0.333333
share(1, 0) is null
share(null, 3) is null
*/
