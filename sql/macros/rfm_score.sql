-- One of the three scores: by how many thresholds a buyer's value lies above, or below where the
-- lowest value is the best, as for days since the last visit. Who bought nothing scores 1.
create or replace temp macro rfm_score(is_buyer, thresholds, value, is_low_best) as
    cast(
        case
            when not is_buyer then 1
            when is_low_best then len(thresholds) + 1 - count_below(thresholds, value)
            else 1 + count_below(thresholds, value)
        end as integer
    );

/* checks:
rfm_score(true, [1, 2, 3, 4], 3, false) = 3
rfm_score(true, [1, 2, 3, 4], 5, false) = 5
rfm_score(true, [10, 20, 30, 40], 10, true) = 5
rfm_score(true, [10, 20, 30, 40], 41, true) = 1
rfm_score(false, [1, 2, 3, 4], 9, false) = 1
*/
