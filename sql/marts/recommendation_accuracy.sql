/*
description: >-
  How well each way to recommend foresaw the last basket of people, which was held back: the one
  that serves, and the best rule that anybody could apply.
grain: one row per kind of item, list and way to rank
key: [level_rank, ranker_rank]
owner: analytics
# the same people judge every way to rank
sums: []
columns:
  level_rank: Order of the four lists
  list_title: List in words
  ranker_rank: 1 for the one that foresaw best
  ranker: Way to rank, in words
  standing: serving, rule of thumb or compared
  customer_count: People judged
  hit_count: People with one of the held-back items among ten
  hit_share: Share of people with one of the held-back items among ten
  recall_share: Share of the held-back items among ten
  mean_precision: {description: Mean average precision at ten, unit: precision}
  precision_change:
    description: MAP over that of the best rule of thumb, less 1; null for the rules themselves
    unit: share
*/
with backtest as (
    select * from features.recommendation_backtest
    where status = 'ok'
),

rules as (
    select
        item_kind,
        list,
        max(mean_precision) as rule_precision
    from backtest
    where is_naive
    group by item_kind, list
),

final as (
    select
        case backtest.item_kind when 'category' then 1 else 3 end
        + case backtest.list when 'discover' then 0 else 1 end as level_rank,
        case backtest.list when 'discover' then 'Discover' else 'Buy again' end
        || case backtest.item_kind when 'category' then ': categories' else ': articles' end
            as list_title,
        row_number() over (
            partition by backtest.item_kind, backtest.list
            order by backtest.mean_precision desc, backtest.ranker asc
        ) as ranker_rank,
        backtest.title as ranker,
        case
            when backtest.is_serving then 'serving'
            when backtest.is_naive then 'rule of thumb'
            else 'compared'
        end as standing,
        backtest.customer_count,
        cast(round(backtest.hit_share * backtest.customer_count) as bigint) as hit_count,
        backtest.hit_share,
        backtest.recall_share,
        backtest.mean_precision,
        case
            when not backtest.is_naive
                then round(backtest.mean_precision / nullif(rules.rule_precision, 0) - 1, 6)
        end as precision_change
    from backtest
    inner join rules on backtest.item_kind = rules.item_kind and backtest.list = rules.list
)

select * from final
