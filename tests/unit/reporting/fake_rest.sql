-- What Python steps make, on top of fake_warehouse.sql and the models of features.

insert into features.clv by name
select
    customer_id,
    0.8 as p_alive,
    0.5 as p_active_90d,
    1.0 as expected_visits_90d,
    4.0 as expected_visits_365d,
    40 as expected_spend_amount,
    clv_12m_amount,
    ntile(10) over (order by clv_12m_amount, customer_id) as clv_tenth,
    'ok' as model_status
from (
    select
        customer_id,
        cast(
            20 + monetary_amount * f_score * r_score / 12.0 + pick('clv' || customer_id, 60)
            as decimal(18, 2)
        ) as clv_12m_amount
    from features.rfm
) as forecasts;

insert into features.clv_backtest by name
select
    1 as fold,
    rival,
    'ok' as status,
    is_naive,
    not is_naive as is_serving,
    $day - 180 as cut_on,
    180 as horizon_days,
    2400 as customer_count,
    0.6 as active_share,
    predicted as predicted_visit_count,
    case when not is_naive then 4300 end as low_visit_count,
    case when not is_naive then 6100 end as high_visit_count,
    5030 as actual_visit_count,
    predicted / 5030 - 1 as bias_share,
    error as mean_absolute_error,
    1.7 * error as root_mean_squared_error,
    0.71 as spearman,
    0.8 as gini,
    3.4 as top_tenth_lift,
    0.83 as active_auc,
    case when not is_naive then 0.5 end as active_log_loss,
    41 * predicted as predicted_amount,
    206000 as actual_amount,
    41 * predicted / 206000 - 1 as amount_bias_share,
    1.8 * error as contest_loss
from (
    values
    ('mbg/nbd, seasonal', false, 5120.4, 0.92),
    ('last_horizon', true, 4702, 1.31),
    ('purchase_rate', true, 6690, 1.62)
) as rivals (rival, is_naive, predicted, error);

insert into features.clv_total
values
('visits_90d', 90, 2400, 2100, 2700, 0.9, 0.02, 0.05, 'no season'),
('clv_12m_amount', 365, 412000, 371000, 455000, 0.9, 0.02, 0.05, 'no season');

insert into features.model_contest
values
('clv', 1, 'mbg/nbd, seasonal', false, true, 1, 0.9, 'serves: 10.0% better than mbg/nbd'),
('clv', 2, 'last_horizon', true, false, 1, 1.3, 'a rule; beaten');

insert into identity.customer_map by name
select
    source,
    source || customer_id as record_key,
    customer_id,
    0.98 as match_prob,
    null as previous_customer_id
from core.dim_customer
cross join (
    values ('loyalty_members', 70), ('ecommerce_orders', 55), ('pos_sales', 90), ('crm_contacts', 8)
) as sources (source, share)
where pick(source || customer_id, 100) < share;

insert into identity.records by name
select
    source,
    record_key,
    row_number() over (order by source, record_key) as record_id
from identity.customer_map;

insert into identity.changes by name
select
    customer_id,
    'merged' as change,
    'X' || customer_id as previous_customer_id,
    $day as changed_on
from core.dim_customer
where pick('merged' || customer_id, 100) < 2;

insert into segments.definitions by name
select
    segment,
    title,
    priority,
    next_step,
    'marketing' as purpose,
    'crm' as owner,
    (select count(*) from features.rfm where r_score + f_score > least_score) as size,
    (select count(*) from features.rfm where r_score + f_score > least_score) // 10
        as holdout_count,
    cast(120 + 10 * least_score as decimal(18, 2)) as average_clv_amount
from (
    values
    ('winter_boots_nudge', 'Browsed winter boots, did not buy', 10, 'Ten percent in the store', 8),
    ('champions', 'Champions', 20, 'Early access', 9),
    ('vip <script>alert(1)</script>', 'O''Neill & "Söhne" </text><script>{{ 7*7 }}', 30, '', 9)
) as declared (segment, title, priority, next_step, least_score);

insert into segments.membership by name
select
    definitions.segment,
    rfm.customer_id,
    $day - 5 as entered_on,
    pick(rfm.customer_id, 10) = 0 as is_holdout
from segments.definitions as definitions
inner join features.rfm as rfm on rfm.r_score + rfm.f_score > 9;

insert into ops.exports by name
select
    destination,
    offer as segment_or_offer,
    'trigger' as content,
    offer || '.csv' as file_name,
    'full' as kind,
    sent as "rows",
    sent * 91 as bytes,
    sha256(offer) as sha256,
    sha256(destination) as definition_sha256,
    sent + 120 as member_count,
    60 as excluded_no_consent,
    20 as excluded_no_contact,
    4 as excluded_shared_contact,
    30 as excluded_holdout,
    6 as excluded_cap,
    0 as excluded_incomplete
from (
    values ('winter_boots_10', 'push_gateway', 412), ('win_back', 'email_tool', 633), ('tiny', 'sms', 7)
) as made (offer, destination, sent);

insert into ops.deliveries by name
select
    left(sha256(source), 16) as file_id,
    source,
    source || '/' || source || '.csv' as file_name,
    sha256(source) as sha256,
    1000 * records as bytes,
    $day - late as business_date,
    records,
    records - quarantined - duplicates - 5 as loaded,
    quarantined,
    duplicates,
    5 as excluded,
    0 as suppressed,
    'loaded' as status,
    null as reason,
    $day - late as first_loaded_on
from (
    values
    ('pos_sales', 18411, 14, 3, 0),
    ('loyalty_members', 2420, 0, 0, 0),
    ('ecommerce_orders', 998, 62, 0, 0),
    ('web_events', 44602, 207, 11, 0),
    ('crm_contacts', 240, 0, 0, 3)
) as delivered (source, records, quarantined, duplicates, late);

insert into ops.deliveries by name
select
    'old' || days_before as file_id,
    source,
    source || '/old.csv' as file_name,
    '' as sha256,
    1 as bytes,
    $day - cast(days_before as integer) as business_date,
    1 as records,
    1 as loaded,
    0 as quarantined,
    0 as duplicates,
    0 as excluded,
    0 as suppressed,
    'loaded' as status,
    $day - cast(days_before as integer) as first_loaded_on
from (values ('crm_contacts', 1), ('loyalty_members', 7)) as rhythms (source, gap)
cross join (select 4 + gap * number as days_before, gap from (values (1), (7)) as g (gap)
    cross join range(4) as numbers (number)) as history
where rhythms.gap = history.gap;

insert into ops.quarantine_summary by name
select
    left(sha256(source), 16) as file_id,
    source,
    source || '/' || source || '.csv' as file_name,
    rule,
    "rows"
from (
    values
    ('pos_sales', 'sold_at_not_null', 14),
    ('ecommerce_orders', 'currency_in_set', 62),
    ('web_events', 'occurred_at_between', 200),
    ('web_events', 'event_id_not_null', 7)
) as broken (source, rule, "rows");
