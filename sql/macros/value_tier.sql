-- Name of a customer's worth, by where the lowest half, four fifths and 95 of 100 customers end.
create or replace temp macro value_tier(worth, steps) as
    case
        when worth is null then 'none'
        when worth > steps[3] then 'high'
        when worth > steps[2] then 'upper'
        when worth > steps[1] then 'middle'
        else 'low'
    end;

/* checks:
value_tier(null, [10, 20, 30]) = 'none'
value_tier(10, [10, 20, 30]) = 'low'
value_tier(11, [10, 20, 30]) = 'middle'
value_tier(30, [10, 20, 30]) = 'upper'
value_tier(31, [10, 20, 30]) = 'high'
*/
