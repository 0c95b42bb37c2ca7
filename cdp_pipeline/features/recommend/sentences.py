"""Reasons in words, as SQL over the columns of a made list, so that millions cost nothing.

Every sentence states counted facts only: of the customer, or of ten others or more.
"""

REASON = """
case made.reason_kind
    when 'own_habit' then
        'Bought in ' || made.reason_count || ' of ' || made.reason_of_count
        || case when made.reason_of_count = 1 then ' basket' else ' baskets' end
        || coalesce(', last on ' || strftime(made.last_bought_at, '%Y-%m-%d'), '')
    when 'bought_with' then
        'Bought with ' || coalesce(because.item_name, made.reason_item_id) || ': '
        || made.reason_count || ' of ' || made.reason_of_count
        || ' who bought that bought both, '
        || case
            when made.reason_lift >= 1.05
            then printf('%.1f', made.reason_lift) || ' times as many as by chance'
            else 'as many as by chance'
        end
    else 'Among what most customers buy: ' || made.reason_count || ' bought it'
end
"""

SELLS = """
'Popular ' || case
    when placed.store_name is null then 'in our stores and online'
    else 'in ' || placed.store_name
end || ': on ' || popular.receipt_count || ' receipts in 90 days'
"""
