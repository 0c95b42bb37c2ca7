/*
description: Categories that lie in one basket more often than by chance, the closest pairs first.
grain: one row per pair of categories
key: [pair_rank]
owner: analytics
# one basket holds many pairs
sums: []
columns:
  pair_rank: 1 for the closest pair
  category: One category; of a pair, the rarer one
  partner: The other
  basket_count: Baskets with both
  confidence_share: Share of the baskets with the one that hold the other
  lift: {description: Baskets with both over those expected by chance, unit: ratio}
*/
with rules as (
    select * from features.basket_rules
    where item_kind = 'category'
),

-- Both ways of a pair have one cosine; from the rarer side it says more.
pairs as (
    select *
    from rules
    qualify
        row_number() over (
            partition by least(item_id, partner_id), greatest(item_id, partner_id)
            order by confidence desc, item_id asc
        ) = 1
),

final as (
    select
        row_number() over (
            order by cosine desc, basket_count desc, item_id asc, partner_id asc
        ) as pair_rank,
        item_id as category,
        partner_id as partner,
        basket_count,
        confidence as confidence_share,
        lift
    from pairs
    qualify pair_rank <= 40
)

select * from final
