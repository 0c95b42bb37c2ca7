-- First day of a retail year: the Monday nearest to 1 February.
create or replace temp macro retail_year_start(retail_year) as
    make_date(retail_year, 2, 1)
    + case
        when isodow(make_date(retail_year, 2, 1)) <= 4
            then 1 - cast(isodow(make_date(retail_year, 2, 1)) as integer)
        else 8 - cast(isodow(make_date(retail_year, 2, 1)) as integer)
    end;

/* checks:
retail_year_start(2026) = date '2026-02-02'
retail_year_start(2025) = date '2025-02-03'
retail_year_start(2024) = date '2024-01-29'
retail_year_start(2023) = date '2023-01-30'
isodow(retail_year_start(2029)) = 1
*/
