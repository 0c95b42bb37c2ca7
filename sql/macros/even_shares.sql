-- The shares that cut a population into so many equal parts, for quantile_disc.
create or replace temp macro even_shares(parts) as
    list_transform(range(1, parts), lambda part: cast(part as double) / parts);

/* checks:
even_shares(5) = [0.2, 0.4, 0.6, 0.8]
even_shares(2) = [0.5]
*/
