-- Why a customer stands where lifecycle_stage puts them.
create or replace temp macro lifecycle_words(silent_days, own_gap_days) as
    case
        when silent_days is null then 'nothing bought yet'
        when own_gap_days is null then 'one visit only, silent ' || silent_days || ' days'
        else
            'usually every ' || cast(round(own_gap_days) as integer) || ' days, silent '
            || silent_days
    end;

/* checks:
lifecycle_words(null, 12) = 'nothing bought yet'
lifecycle_words(41, null) = 'one visit only, silent 41 days'
lifecycle_words(41, 12.2) = 'usually every 12 days, silent 41'
*/
