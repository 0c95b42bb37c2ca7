/*
description: >-
  Who moved between RFM groups since the published night earlier. Columns add up to tonight's sizes,
  rows to the sizes of that night less people merged since. Empty on the first night.
grain: one row per earlier and present group
key: [from_rank, to_rank]
owner: analytics
sums:
  - {of: [customer_count], within: [from_rank]}
  - {of: [customer_count], within: [to_rank]}
columns:
  from_rank: Order of the earlier group; 0 for people who are new or came back
  to_rank: Order of the present group; 99 for people who lapsed
  from_title: Group in the night before
  to_title: Group tonight
  customer_count: People who went from one to the other, or stayed
*/
with today as (
    select
        customer_id,
        rfm_segment
    from marts.customer_value
    where is_sound
),

earlier as (
    {% if base.has("marts.customer_value") %}
    select
        coalesce(redirects.customer_id, former.customer_id) as customer_id,
        -- of two people merged since, the one who kept the id speaks for both
        arg_min(
            former.rfm_segment,
            (redirects.customer_id is not null, former.customer_id)
        ) as rfm_segment
    from base.marts.customer_value as former
    left join identity.redirects as redirects on former.customer_id = redirects.old_customer_id
    where former.is_sound
    group by all
    {% else %}
    select
        customer_id,
        rfm_segment
    from today
    where false
    {% endif %}
),

ranks as (
    select
        rfm_segment,
        group_rank
    from marts.rfm_groups
    union all by name
    select
        rfm_segment,
        50 + row_number() over (order by rfm_segment asc) as group_rank
    from (select distinct rfm_segment from earlier) as gone
    where gone.rfm_segment not in (select known.rfm_segment from marts.rfm_groups as known)
),

moved as (
    select
        earlier.rfm_segment as from_segment,
        today.rfm_segment as to_segment,
        count(*) as customer_count
    from earlier
    full join today on earlier.customer_id = today.customer_id
    group by all
),

rows_of_grid as (
    select
        rfm_segment,
        rfm_segment as title,
        group_rank
    from ranks
    union all
    select
        null as rfm_segment,
        'New or returned' as title,
        0 as group_rank
),

columns_of_grid as (
    select
        rfm_segment,
        rfm_segment as title,
        group_rank
    from ranks
    union all
    select
        null as rfm_segment,
        'Lapsed' as title,
        99 as group_rank
),

final as (
    select
        rows_of_grid.group_rank as from_rank,
        columns_of_grid.group_rank as to_rank,
        rows_of_grid.title as from_title,
        columns_of_grid.title as to_title,
        coalesce(moved.customer_count, 0) as customer_count
    from rows_of_grid
    cross join columns_of_grid
    left join moved
        on
            rows_of_grid.rfm_segment is not distinct from moved.from_segment
            and columns_of_grid.rfm_segment is not distinct from moved.to_segment
    where
        exists (select 1 from earlier)
        and not (rows_of_grid.rfm_segment is null and columns_of_grid.rfm_segment is null)
)

select * from final
