-- How many of the thresholds lie below a value; a value equal to a threshold is not above it.
create or replace temp macro count_below(thresholds, value) as
    len(list_filter(thresholds, lambda threshold: threshold < value));

/* checks:
count_below([1, 2, 3, 4], 3) = 2
count_below([1, 1, 1, 4], 1) = 0
count_below([1, 1, 1, 4], 5) = 4
count_below([], 5) = 0
*/
