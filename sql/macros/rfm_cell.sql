-- The three scores in a row, as segments are named by; other numbers of bins are brought to five.
create or replace temp macro rfm_cell(r_score, f_score, m_score, bins) as
    cast(
        cast(ceil(5.0 * r_score / bins) as integer) * 100
        + cast(ceil(5.0 * f_score / bins) as integer) * 10
        + cast(ceil(5.0 * m_score / bins) as integer) as varchar
    );

/* checks:
rfm_cell(5, 1, 3, 5) = '513'
rfm_cell(1, 1, 1, 10) = '111'
rfm_cell(10, 9, 8, 10) = '554'
rfm_cell(3, 2, 1, 3) = '542'
*/
