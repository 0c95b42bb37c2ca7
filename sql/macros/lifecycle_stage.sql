-- Where a customer stands, by silence over the usual silence.
create or replace temp macro lifecycle_stage(silent_days, usual_days) as
    case
        when silent_days is null then 'prospect'
        when silent_days <= 1.5 * usual_days then 'active'
        when silent_days <= 2.5 * usual_days then 'cooling'
        when silent_days <= 4 * usual_days then 'at_risk'
        when silent_days <= 8 * usual_days then 'lapsed'
        else 'lost'
    end;

/* checks:
lifecycle_stage(null, 30) = 'prospect'
lifecycle_stage(45, 30) = 'active'
lifecycle_stage(46, 30) = 'cooling'
lifecycle_stage(120, 30) = 'at_risk'
lifecycle_stage(240, 30) = 'lapsed'
lifecycle_stage(241, 30) = 'lost'
*/
