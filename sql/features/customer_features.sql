/*
description: >-
  Everything a segment or an export may say of a person, one wide row each. Counts are 0 and dates
  null where nothing happened, so that a predicate needs no null handling for counts.
grain: one row per person
key: [customer_id]
owner: analytics
subject_key: customer_id
columns:
  customer_id: Stable id of the person
  household_id: Stable id of the household
  household_size: Known customers in the household, this one included
  sex: F, M or null
  age_years: Age in whole years
  postcode_area: Coarse part of the postal code
  city: Town
  country: Country
  tier: Loyalty tier
  has_loyalty: Whether the person has a loyalty card
  has_account: Whether the person has a web account
  first_seen_on: Earliest of joining, buying and first delivery of a record
  known_days: Days since first_seen_on
  source_count: Sources that know the person
  home_store_id: Store the person chose
  nearest_store_id: Open store to name to the person
  nearest_store_name: Its name
  nearest_store_city: Its town
  favourite_store_id: Store with the most purchase days in the last 365 days
  favourite_weekday_name: Weekday with the most purchase days
  is_contactable_email: Whether an e-mail address is known; says nothing of consent
  is_contactable_sms: Whether a telephone number is known; says nothing of consent
  is_contactable_push: Whether a push token is known; says nothing of consent
  is_contactable_post: Whether a postal address is known; says nothing of consent
  has_email_consent: Newest statement for marketing by e-mail; the consent gate decides, not this
  has_sms_consent: Newest statement for marketing by text message; the consent gate decides
  has_push_consent: Newest statement for marketing by push message; the consent gate decides
  has_post_consent: Newest statement for marketing by post; the consent gate decides
  has_profiling_consent: Newest statement for profiling; the consent gate decides
  has_purchases: Whether anything was ever bought
  first_bought_on: Store-local date of the first purchase
  last_bought_on: Store-local date of the last purchase
  recency_days: Days since the last purchase; null without one
  last_store_visit_on: Store-local date of the last receipt at a till
  last_web_order_on: Store-local date of the last web order
  visit_count_30d: Visit days in the last 30 days
  visit_count_90d: Visit days in the last 90 days
  visit_count_365d: Visit days in the last 365 days
  visit_count_ever: Visit days ever
  net_amount_30d: Net spending in the last 30 days
  net_amount_90d: Net spending in the last 90 days
  net_amount_365d: Net spending in the last 365 days
  net_amount_previous_365d: Net spending in the 365 days before
  net_amount_ever: Net spending ever
  mean_visit_amount: Mean net amount of a visit day in the last 365 days
  usual_gap_days: Mean days between visits; null before the second visit
  store_share: Share of purchase days with a purchase at a till, last 365 days
  web_share: Share of purchase days with a web order, last 365 days
  promotion_share: Share of gross spending that a promotion priced, last 365 days
  discount_share: Discounts as a share of undiscounted spending, last 365 days
  return_share: Share of gross spending given back, last 365 days
  favourite_department: Department with the most money in the last 365 days
  favourite_department_share: Its share of spending
  favourite_category: Category with the most money in the last 365 days
  favourite_category_share: Its share of spending
  favourite_brand: Brand with the most money in the last 365 days
  favourite_brand_share: Its share of spending
  favourite_price_tier: value, mid or premium, whichever has the most money in the last 365 days
  favourite_channel: store or web, whichever has the most money in the last 365 days
  promotion_index:
    description: >-
      Days with a purchase in a promotion over everybody's, shrunk; above 1 the person likes them
    unit: no unit
  department_count_365d: Departments bought from in the last 365 days
  next_category: Category to propose
  next_sku: Article to propose
  next_product_name: Its name
  next_price_amount: Its list price
  next_reason: Why it is proposed, in words
  again_sku: Article the person is likely to buy again
  again_product_name: Its name
  r_score: Recency score; null without purchases in the RFM window
  f_score: Frequency score
  m_score: Money score
  rfm_cell: The three scores in a row
  rfm_segment: Name of the cell; No Recent Purchase without purchases in the RFM window
  p_alive: Probability of not having left for good; null if the model cannot tell
  p_active_90d: Probability of a purchase within 90 days
  expected_visits_90d: Visit days expected in the next 90 days
  expected_visits_365d: Visit days expected in the next 365 days
  expected_spend_amount: Spending expected on a visit day
  clv_12m_amount: Discounted spending expected over the CLV horizon
  clv_tenth: 1 lowest to 10 highest tenth by clv_12m_amount
  buys_footwear_prob: Chance of buying footwear within 30 days; null where nothing serves
  answers_email_prob: Chance of opening or following an e-mail within 30 days; null as above
  value_tier: >-
    top 5 % high, next 15 % upper, next 30 % middle, others low, by clv_12m_amount, or by spending
    in the last 365 days where there is no forecast; none without either
  lifecycle: >-
    prospect without purchases, else by silence over the usual gap, which counts as 14 to 120 days:
    active up to 1.5 times, cooling up to 2.5, at_risk up to 4, lapsed up to 8, lost beyond
  lifecycle_reason: The rule in words, such as usually every 12 days, silent 41
  is_at_risk_value: >-
    Repeat buyers of the tenth that stands to lose most: chance of no purchase in 90 days times
    spending expected
  last_web_on: Store-local date of the last web event
  web_session_count_30d: Visits to the site in the last 30 days
  product_look_count_30d: Product pages seen in the last 30 days
  cart_count_30d: Articles put into the cart in the last 30 days
  main_device: Device of most web events in the last 90 days
  last_email_open_on: Store-local date of the last e-mail open by a person
  email_open_count_30d: E-mail opens by a person in the last 30 days
  email_open_count_90d: E-mail opens by a person in the last 90 days
  email_click_count_90d: E-mail clicks in the last 90 days
  social_event_count_90d: Events on social networks in the last 90 days
  last_service_on: Store-local date of the last service contact
  complaint_count_90d: Complaints in the last 90 days
  looked_category: Category of most recent interest on the web that was not bought since
  looked_sku: Article of it looked at last
  looked_product_name: Its name
  looked_price_amount: Its list price
  looked_on: Store-local date of the look
  looked_winter_boots_on: Store-local date of the first look at winter boots in the last 30 days
  winter_boots_sku: Winter boots looked at last
  winter_boots_product_name: Their name
  winter_boots_price_amount: Their list price
  has_bought_winter_boots_since_look: Whether winter boots were bought on or after that date
  bought_winter_boots_30d: Whether winter boots were bought in the last 30 days, looked at or not
  visited_store_after_boots_look_on: Store-local date of the first receipt at a till after that look
  visited_store_after_boots_look_id: Its store
  opened_email_after_boots_look_on: Store-local date of the last open by a person after that look
  opened_email_after_boots_visit_on: Store-local date of the last open after that store visit
checks:
  - {expect: not_null, column: customer_id}
  - {expect: in_set, column: lifecycle, values: [prospect, active, cooling, at_risk, lapsed, lost]}
  - {expect: in_set, column: value_tier, values: [high, upper, middle, low, none]}
  - {expect: exists_in, column: customer_id, table: core.dim_customer.customer_id}
*/
with dim_customer as (
    select * from core.dim_customer
),

dim_store as (
    select * from core.dim_store
),

shopping_habits as (
    select * from features.shopping_habits
),

customer_purchases as (
    select * from features.customer_purchases
),

rfm as (
    select * from features.rfm
),

clv as (
    select * from features.clv
),

engagement as (
    select * from features.engagement
),

affinities as (
    select
        customer_id,
        max(affinity_value) filter (where affinity_kind = 'brand' and rank_no = 1)
            as favourite_brand,
        max(spend_share) filter (where affinity_kind = 'brand' and rank_no = 1)
            as favourite_brand_share,
        max(affinity_value) filter (where affinity_kind = 'price_tier' and rank_no = 1)
            as favourite_price_tier,
        max(affinity_value) filter (where affinity_kind = 'channel' and rank_no = 1)
            as favourite_channel,
        max(affinity_index) filter (where affinity_value = 'promotion') as promotion_index
    from features.affinities
    group by customer_id
),

propensities as (
    select
        customer_id,
        max(chance_prob) filter (where propensity = 'buys_footwear') as buys_footwear_prob,
        max(chance_prob) filter (where propensity = 'answers_email') as answers_email_prob
    from features.propensities
    group by customer_id
),

next_best as (
    select * from features.next_best
),

department_affinity as (
    select * from features.department_affinity
),

category_affinity as (
    select * from features.category_affinity
    where rank_no = 1
),

consent_state as (
    select * from features.consent_state
),

browse_abandon as (
    select * from features.browse_abandon
),

consents as (
    select
        customer_id,
        bool_or(is_granted and purpose = 'marketing' and channel = 'email') as has_email_consent,
        bool_or(is_granted and purpose = 'marketing' and channel = 'sms') as has_sms_consent,
        bool_or(is_granted and purpose = 'marketing' and channel = 'push') as has_push_consent,
        bool_or(is_granted and purpose = 'marketing' and channel = 'post') as has_post_consent,
        bool_or(is_granted and purpose = 'profiling') as has_profiling_consent
    from consent_state
    group by customer_id
),

departments as (
    select
        customer_id,
        count(*) as department_count_365d,
        max(department) filter (where rank_no = 1) as favourite_department,
        max(spend_share) filter (where rank_no = 1) as favourite_department_share
    from department_affinity
    group by customer_id
),

interests as (
    select
        customer_id,
        category,
        sku,
        product_name,
        price_amount,
        looked_on
    from browse_abandon
    where not has_bought_since
    qualify
        row_number() over (
            partition by customer_id
            order by looked_at desc, category asc
        ) = 1
),

winter_boots as (
    select * from browse_abandon
    where lower(category) = 'winter boots'
),

winter_boots_buyers as (
    select distinct fct_sales.customer_id
    from core.fct_sales as fct_sales
    inner join core.dim_product as dim_product on fct_sales.sku = dim_product.sku
    where
        fct_sales.customer_id is not null
        and fct_sales.line_kind = 'product'
        and not fct_sales.is_return
        and lower(dim_product.category) = 'winter boots'
        and is_recent(fct_sales.sold_on, {{ business_date }}, 30)
),

-- Somebody who bought once has no gap of their own; what is usual in the store stands in.
usual as (
    select coalesce(quantile_disc(usual_gap_days, 0.5) filter (where x > 0), 60) as gap_days
    from customer_purchases
),

standings as (
    select
        dim_customer.customer_id,
        cast({{ business_date }} - shopping_habits.last_bought_on as integer) as recency_days,
        patience_days(customer_purchases.usual_gap_days, usual.gap_days) as patience_days,
        nullif(greatest(coalesce(clv.clv_12m_amount, shopping_habits.net_amount_365d), 0), 0)
            as worth_amount,
        -- Visits expected of somebody who is still a customer, times the chance of losing them.
        case
            when customer_purchases.x >= 2
                then
                    (1 - clv.p_active_90d)
                    * clv.expected_visits_365d * cast(clv.expected_spend_amount as double)
                    / nullif(coalesce(clv.p_alive, 1), 0)
        end as amount_at_stake
    from dim_customer
    cross join usual
    left join shopping_habits on dim_customer.customer_id = shopping_habits.customer_id
    left join customer_purchases on dim_customer.customer_id = customer_purchases.customer_id
    left join clv on dim_customer.customer_id = clv.customer_id
),

borders as (
    select
        quantile_disc(worth_amount, [0.5, 0.8, 0.95]) as worth_steps,
        quantile_disc(amount_at_stake, 0.9) as stake_step
    from standings
),

final as (
    select
        dim_customer.customer_id,
        dim_customer.household_id,
        dim_customer.household_size,
        dim_customer.sex,
        dim_customer.age_years,
        dim_customer.postcode_area,
        dim_customer.city,
        dim_customer.country,
        dim_customer.tier,
        dim_customer.has_loyalty,
        dim_customer.has_account,
        dim_customer.first_seen_on,
        cast({{ business_date }} - dim_customer.first_seen_on as integer) as known_days,
        dim_customer.source_count,
        dim_customer.home_store_id,
        dim_customer.nearest_store_id,
        dim_store.store_name as nearest_store_name,
        dim_store.city as nearest_store_city,
        shopping_habits.favourite_store_id,
        shopping_habits.favourite_weekday_name,
        dim_customer.is_contactable_email,
        dim_customer.is_contactable_sms,
        dim_customer.is_contactable_push,
        dim_customer.is_contactable_post,
        coalesce(consents.has_email_consent, false) as has_email_consent,
        coalesce(consents.has_sms_consent, false) as has_sms_consent,
        coalesce(consents.has_push_consent, false) as has_push_consent,
        coalesce(consents.has_post_consent, false) as has_post_consent,
        coalesce(consents.has_profiling_consent, false) as has_profiling_consent,
        shopping_habits.first_bought_on is not null as has_purchases,
        shopping_habits.first_bought_on,
        shopping_habits.last_bought_on,
        standings.recency_days,
        shopping_habits.last_store_visit_on,
        shopping_habits.last_web_order_on,
        coalesce(shopping_habits.visit_count_30d, 0) as visit_count_30d,
        coalesce(shopping_habits.visit_count_90d, 0) as visit_count_90d,
        coalesce(shopping_habits.visit_count_365d, 0) as visit_count_365d,
        coalesce(shopping_habits.visit_count_ever, 0) as visit_count_ever,
        coalesce(shopping_habits.net_amount_30d, 0) as net_amount_30d,
        coalesce(shopping_habits.net_amount_90d, 0) as net_amount_90d,
        coalesce(shopping_habits.net_amount_365d, 0) as net_amount_365d,
        coalesce(shopping_habits.net_amount_previous_365d, 0) as net_amount_previous_365d,
        coalesce(shopping_habits.net_amount_ever, 0) as net_amount_ever,
        shopping_habits.mean_visit_amount,
        customer_purchases.usual_gap_days,
        shopping_habits.store_share,
        shopping_habits.web_share,
        shopping_habits.promotion_share,
        shopping_habits.discount_share,
        shopping_habits.return_share,
        departments.favourite_department,
        departments.favourite_department_share,
        category_affinity.category as favourite_category,
        category_affinity.spend_share as favourite_category_share,
        affinities.favourite_brand,
        affinities.favourite_brand_share,
        affinities.favourite_price_tier,
        affinities.favourite_channel,
        affinities.promotion_index,
        coalesce(departments.department_count_365d, 0) as department_count_365d,
        next_best.next_category,
        next_best.next_sku,
        next_best.next_product_name,
        next_best.next_price_amount,
        next_best.next_reason,
        next_best.again_sku,
        next_best.again_product_name,
        rfm.r_score,
        rfm.f_score,
        rfm.m_score,
        rfm.rfm_cell,
        coalesce(rfm.rfm_segment, 'No Recent Purchase') as rfm_segment,
        clv.p_alive,
        clv.p_active_90d,
        clv.expected_visits_90d,
        clv.expected_visits_365d,
        clv.expected_spend_amount,
        clv.clv_12m_amount,
        clv.clv_tenth,
        propensities.buys_footwear_prob,
        propensities.answers_email_prob,
        value_tier(standings.worth_amount, borders.worth_steps) as value_tier,
        lifecycle_stage(standings.recency_days, standings.patience_days) as lifecycle,
        lifecycle_words(standings.recency_days, customer_purchases.usual_gap_days)
            as lifecycle_reason,
        coalesce(standings.amount_at_stake > borders.stake_step, false) as is_at_risk_value,
        engagement.last_web_on,
        coalesce(engagement.web_session_count_30d, 0) as web_session_count_30d,
        coalesce(engagement.product_look_count_30d, 0) as product_look_count_30d,
        coalesce(engagement.cart_count_30d, 0) as cart_count_30d,
        engagement.main_device,
        engagement.last_email_open_on,
        coalesce(engagement.email_open_count_30d, 0) as email_open_count_30d,
        coalesce(engagement.email_open_count_90d, 0) as email_open_count_90d,
        coalesce(engagement.email_click_count_90d, 0) as email_click_count_90d,
        coalesce(engagement.social_event_count_90d, 0) as social_event_count_90d,
        engagement.last_service_on,
        coalesce(engagement.complaint_count_90d, 0) as complaint_count_90d,
        interests.category as looked_category,
        interests.sku as looked_sku,
        interests.product_name as looked_product_name,
        interests.price_amount as looked_price_amount,
        interests.looked_on,
        winter_boots.first_looked_on as looked_winter_boots_on,
        winter_boots.sku as winter_boots_sku,
        winter_boots.product_name as winter_boots_product_name,
        winter_boots.price_amount as winter_boots_price_amount,
        coalesce(winter_boots.has_bought_since, false) as has_bought_winter_boots_since_look,
        winter_boots_buyers.customer_id is not null as bought_winter_boots_30d,
        winter_boots.visited_store_on as visited_store_after_boots_look_on,
        winter_boots.visited_store_id as visited_store_after_boots_look_id,
        winter_boots.opened_email_on as opened_email_after_boots_look_on,
        winter_boots.opened_email_after_visit_on as opened_email_after_boots_visit_on
    from dim_customer
    cross join borders
    inner join standings on dim_customer.customer_id = standings.customer_id
    left join shopping_habits on dim_customer.customer_id = shopping_habits.customer_id
    left join customer_purchases on dim_customer.customer_id = customer_purchases.customer_id
    left join clv on dim_customer.customer_id = clv.customer_id
    left join affinities on dim_customer.customer_id = affinities.customer_id
    left join propensities on dim_customer.customer_id = propensities.customer_id
    left join dim_store on dim_customer.nearest_store_id = dim_store.store_id
    left join consents on dim_customer.customer_id = consents.customer_id
    left join departments on dim_customer.customer_id = departments.customer_id
    left join category_affinity on dim_customer.customer_id = category_affinity.customer_id
    left join next_best on dim_customer.customer_id = next_best.customer_id
    left join rfm on dim_customer.customer_id = rfm.customer_id
    left join engagement on dim_customer.customer_id = engagement.customer_id
    left join interests on dim_customer.customer_id = interests.customer_id
    left join winter_boots on dim_customer.customer_id = winter_boots.customer_id
    left join winter_boots_buyers on dim_customer.customer_id = winter_boots_buyers.customer_id
)

select * from final
