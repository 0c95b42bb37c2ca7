/*
description: >-
  Which sale a returned line takes back, and how that is known. Units sent back from a web order
  name their line. A return at a till names at most the receipt or order; of its lines it is the one
  of the same article, nearest in price, then in order.
grain: one row per returned line
key: [return_line_key]
owner: data-engineering
columns:
  return_line_key: Returned line in core.fct_sales
  sale_line_key: Line of the sale that it takes back; null if unknown
  linked_by: >-
    order_line (the order line itself), receipt_line (receipt and article), receipt_only (receipt or
    order is known, but has no such article), missing_sale (names a receipt or order that was never
    delivered) or unlinked (names none)
  original_source: Source of the sale; null if unknown
  original_sale_id: Receipt or order that the return names
  sold_on: Store-local date of the sale
  returned_on: Store-local date of the return
  days_between: Days from the sale to the return
checks:
  - expect: in_set
    column: linked_by
    values: [order_line, receipt_line, receipt_only, missing_sale, unlinked]
  - {expect: between, column: days_between, min: 0, severity: warn}
incremental:  # a receipt or order, and what is given back of it
  unit: {sale: "coalesce(original_sale_id, return_line_key)"}
  inputs:
    core.fct_sales:
      unit:
        sale: "case when is_return then coalesce(original_sale_id, sale_line_key) else sale_id end"
*/
with fct_sales as (
    select * from core.fct_sales
),

return_lines as (
    select
        sale_line_key as return_line_key,
        case when sale_line_key like '%:return' then left(sale_line_key, -7) end as order_line_key,
        source,
        original_sale_id,
        sku,
        abs(unit_price) as unit_price,
        sold_on as returned_on
    from fct_sales
    where is_return
),

named_sales as (
    select
        fct_sales.sale_line_key,
        fct_sales.source,
        fct_sales.sale_id,
        fct_sales.sku,
        fct_sales.unit_price,
        fct_sales.sold_on
    from fct_sales
    semi join return_lines on fct_sales.sale_id = return_lines.original_sale_id
    where not fct_sales.is_return
),

-- A receipt of the same tills comes before an order of the same number.
originals as (
    select
        return_lines.return_line_key,
        return_lines.sku,
        return_lines.unit_price,
        return_lines.original_sale_id,
        named_sales.source as original_source,
        named_sales.sold_on
    from return_lines
    inner join named_sales on return_lines.original_sale_id = named_sales.sale_id
    where return_lines.order_line_key is null
    qualify
        row_number() over (
            partition by return_lines.return_line_key
            order by
                (named_sales.source = return_lines.source) desc,
                named_sales.source asc,
                named_sales.sale_line_key asc
        ) = 1
),

-- The first return of an article takes its first line back, the second one its second.
numbered_returns as (
    select
        *,
        row_number() over (
            partition by original_source, original_sale_id, sku, unit_price
            order by return_line_key asc
        ) as place
    from originals
),

numbered_sales as (
    select
        *,
        row_number() over (
            partition by source, sale_id, sku, unit_price
            order by sale_line_key asc
        ) as place
    from named_sales
),

matches as (
    select
        numbered_returns.return_line_key,
        numbered_sales.sale_line_key
    from numbered_returns
    inner join numbered_sales
        on
            numbered_returns.original_source = numbered_sales.source
            and numbered_returns.original_sale_id = numbered_sales.sale_id
            and numbered_returns.sku = numbered_sales.sku
    qualify
        row_number() over (
            partition by numbered_returns.return_line_key
            order by
                abs(numbered_returns.unit_price - numbered_sales.unit_price) asc,
                abs(numbered_returns.place - numbered_sales.place) asc,
                numbered_sales.sale_line_key asc
        ) = 1
),

order_lines as (
    select
        fct_sales.sale_line_key,
        fct_sales.source,
        fct_sales.sold_on
    from fct_sales
    inner join return_lines on fct_sales.sale_line_key = return_lines.order_line_key
),

final as (
    select
        return_lines.return_line_key,
        coalesce(order_lines.sale_line_key, matches.sale_line_key) as sale_line_key,
        case
            when order_lines.sale_line_key is not null then 'order_line'
            when matches.sale_line_key is not null then 'receipt_line'
            when originals.return_line_key is not null then 'receipt_only'
            when return_lines.original_sale_id is not null then 'missing_sale'
            else 'unlinked'
        end as linked_by,
        coalesce(order_lines.source, originals.original_source) as original_source,
        return_lines.original_sale_id,
        coalesce(order_lines.sold_on, originals.sold_on) as sold_on,
        return_lines.returned_on,
        cast(
            return_lines.returned_on - coalesce(order_lines.sold_on, originals.sold_on) as integer
        ) as days_between
    from return_lines
    left join order_lines on return_lines.order_line_key = order_lines.sale_line_key
    left join originals on return_lines.return_line_key = originals.return_line_key
    left join matches on return_lines.return_line_key = matches.return_line_key
)

select * from final
