-- Silence that is usual for a person: the own gap between visits, or the store's without one. A
-- daily shopper on a fortnight's holiday has not left, and nobody is expected so rarely that half a
-- year of silence says nothing.
create or replace temp macro patience_days(own_gap_days, store_gap_days) as
    least(greatest(coalesce(own_gap_days, store_gap_days), 14), 120);

/* checks:
patience_days(1.5, 60) = 14
patience_days(30, 60) = 30
patience_days(null, 60) = 60
patience_days(400, 60) = 120
*/
