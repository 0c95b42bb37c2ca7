-- Growth over an earlier amount (0.1 is 10 %) as DOUBLE; null if there was nothing above 0 to grow
-- from: against a day of more returns than sales, a ratio says the opposite of what happened.
create or replace temp macro change_share(amount, earlier) as
    cast(amount as double) / case when earlier > 0 then cast(earlier as double) end - 1;

/* checks:
change_share(3, 2) = 0.5
change_share(cast(-1 as decimal(18, 2)), 2) = -1.5
change_share(1235, -42) is null
change_share(1, 0) is null
change_share(1, null) is null
*/
