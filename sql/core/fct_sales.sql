/*
description: >-
  Everything sold and given back, at tills and on the web. Cancelled orders are left out. Units sent
  back from a web order become a return line on the day of the change that reported them. A return
  without a person of its own belongs to the buyer of the receipt or order it refers to.
grain: one row per receipt line, order line, or returned order line
key: [sale_line_key]
owner: data-engineering
subject_key: customer_id
erasure: detach
partition_by: sold_on
columns:
  sale_line_key: Source, receipt or order, and line; returned order lines end in :return
  source: Source of the line
  sale_id: Receipt or order number
  line_no: Line of the receipt or order
  sold_at: Moment of the sale or return (UTC); midnight if the source knows only the day
  sold_on: Store-local business date of the sale or return
  channel: store or web
  store_id: Store that sold; collecting store of a web order; null if sent
  customer_id: Stable id of the person; null if anonymous
  sku: Article number
  line_kind: product, fee or gift_card; only products count as spending
  quantity: Units; negative on returns
  unit_price: Gross price of one unit
  discount_amount: Discount on the line; negative on returns
  net_amount: Paid for the line after discount; negative on returns
  is_return: Whether the line gives goods back
  original_sale_id: Receipt or order that a return names; core.bridge_returns leads to its line
  promotion_id: Promotion that priced the line, or code of an offer
  currency: ISO 4217 code; the store's currency if the source does not say
checks:
  - {expect: not_null, column: sold_on}
  - {expect: not_null, column: net_amount}
  - {expect: in_set, column: line_kind, values: [product, fee, gift_card]}
  - {expect: in_set, column: channel, values: [store, web]}
  - expect: "true"
    name: returns_are_not_positive
    where: not (is_return and net_amount > 0)
    severity: warn
incremental:  # a receipt or order, and what is given back of it
  unit: {sale: "coalesce(original_sale_id, sale_id)"}
  inputs:
    staging.sale_lines:
      unit:
        sale: >-
          case when coalesce(is_return, quantity < 0 or net_amount < 0, false)
          then coalesce(original_sale_id, sale_id) else sale_id end
      found_in:
        - {table: staging.sale_lines, by: {source: source, sale_id: sale_id, line_no: line_no}}
        - {table: core.fct_sales, by: {source: source, sale_id: sale_id, line_no: line_no}}
    staging.orders:
      unit: {sale: order_id}
    staging.order_lines:
      unit: {sale: order_id}
    core.bridge_identity:
      columns: [source, record_key, customer_id]
      found_in:
        - table: staging.sale_lines
          by: {person_source: source, person_record_key: record_key}
        - {table: staging.orders, by: {person_source: source, person_record_key: record_key}}
        - table: core.fct_sales
          by: {customer_id: customer_id}
          gone: [source, record_key]
*/
with sale_lines as (
    select * from staging.sale_lines
),

orders as (
    select * from staging.orders
),

order_lines as (
    select * from staging.order_lines
),

bridge_identity as (
    select * from core.bridge_identity
),

till_lines as (
    select
        sale_lines.source,
        sale_lines.sale_id,
        sale_lines.line_no,
        coalesce(sale_lines.sold_at, cast(sale_lines.sold_on as timestamp)) as sold_at,
        sale_lines.sold_on,
        coalesce(sale_lines.channel, 'store') as channel,
        sale_lines.store_id,
        bridge_identity.customer_id,
        sale_lines.original_sale_id,
        sale_lines.sku,
        coalesce(sale_lines.line_kind, 'product') as line_kind,
        sale_lines.quantity,
        sale_lines.unit_price,
        coalesce(sale_lines.discount_amount, 0) as discount_amount,
        coalesce(
            sale_lines.net_amount,
            sale_lines.quantity * sale_lines.unit_price - coalesce(sale_lines.discount_amount, 0)
        ) as net_amount,
        coalesce(
            sale_lines.is_return, sale_lines.quantity < 0 or sale_lines.net_amount < 0, false
        ) as is_return,
        sale_lines.promotion_id,
        sale_lines.currency
    from sale_lines
    left join bridge_identity
        on
            sale_lines.person_source = bridge_identity.source
            and sale_lines.person_record_key = bridge_identity.record_key
),

kept_orders as (
    select
        orders.source,
        orders.order_id,
        coalesce(orders.ordered_at, cast(orders.ordered_on as timestamp)) as ordered_at,
        orders.ordered_on,
        coalesce(orders.channel, 'web') as channel,
        orders.collect_store_id,
        orders.promotion_id,
        orders.currency,
        orders.status,
        orders.updated_at,
        bridge_identity.customer_id
    from orders
    left join bridge_identity
        on
            orders.person_source = bridge_identity.source
            and orders.person_record_key = bridge_identity.record_key
    where orders.status is distinct from 'cancelled'
),

-- Order headers and lines may come from two sources, so the order number alone joins them; should
-- two shops share a number, the header of the line's own source wins.
web_lines as (
    select
        order_lines.source,
        order_lines.order_id as sale_id,
        order_lines.line_no,
        kept_orders.ordered_at as sold_at,
        kept_orders.ordered_on as sold_on,
        kept_orders.channel,
        kept_orders.collect_store_id as store_id,
        kept_orders.customer_id,
        order_lines.sku,
        order_lines.quantity,
        order_lines.unit_price,
        coalesce(order_lines.discount_amount, 0) as discount_amount,
        coalesce(
            order_lines.net_amount,
            order_lines.quantity * order_lines.unit_price
            - coalesce(order_lines.discount_amount, 0)
        ) as net_amount,
        kept_orders.promotion_id,
        kept_orders.currency,
        coalesce(order_lines.updated_at, kept_orders.updated_at) as updated_at,
        -- An order marked returned without any returned line came back as a whole.
        case
            when
                kept_orders.status = 'returned'
                and coalesce(
                    sum(order_lines.returned_quantity) over (
                        partition by order_lines.source, order_lines.order_id
                    ),
                    0
                ) = 0
                then order_lines.quantity
            else least(coalesce(order_lines.returned_quantity, 0), order_lines.quantity)
        end as returned_quantity
    from order_lines
    inner join kept_orders on order_lines.order_id = kept_orders.order_id
    qualify
        row_number() over (
            partition by order_lines.source, order_lines.order_id, order_lines.line_no
            order by (kept_orders.source = order_lines.source) desc, kept_orders.source asc
        ) = 1
),

till_buyers as (
    select
        source,
        sale_id,
        min(customer_id) as customer_id
    from till_lines
    where customer_id is not null and not is_return
    group by source, sale_id
    having count(distinct customer_id) = 1
),

web_buyers as (
    select
        order_id,
        min(customer_id) as customer_id
    from kept_orders
    where customer_id is not null
    group by order_id
    having count(distinct customer_id) = 1
),

-- Only returns look for their buyer, so the joins stay small.
anonymous_returns as (
    select
        till_lines.source,
        till_lines.sale_id,
        till_lines.line_no,
        coalesce(till_buyers.customer_id, web_buyers.customer_id) as customer_id
    from till_lines
    left join till_buyers
        on
            till_lines.source = till_buyers.source
            and till_lines.original_sale_id = till_buyers.sale_id
    left join web_buyers on till_lines.original_sale_id = web_buyers.order_id
    where
        till_lines.is_return
        and till_lines.customer_id is null
        and till_lines.original_sale_id is not null
),

all_lines as (
    select
        key_part(till_lines.source)
        || ':' || key_part(till_lines.sale_id)
        || ':' || key_part(till_lines.line_no) as sale_line_key,
        till_lines.source,
        till_lines.sale_id,
        till_lines.line_no,
        till_lines.sold_at,
        till_lines.sold_on,
        till_lines.channel,
        till_lines.store_id,
        coalesce(till_lines.customer_id, anonymous_returns.customer_id) as customer_id,
        till_lines.sku,
        till_lines.line_kind,
        till_lines.quantity,
        till_lines.unit_price,
        till_lines.discount_amount,
        till_lines.net_amount,
        till_lines.is_return,
        case when till_lines.is_return then till_lines.original_sale_id end as original_sale_id,
        till_lines.promotion_id,
        till_lines.currency
    from till_lines
    left join anonymous_returns
        on
            till_lines.source = anonymous_returns.source
            and till_lines.sale_id = anonymous_returns.sale_id
            and till_lines.line_no = anonymous_returns.line_no
    union all by name
    select
        key_part(source) || ':' || key_part(sale_id) || ':' || key_part(line_no) as sale_line_key,
        * exclude (updated_at, returned_quantity),
        'product' as line_kind,
        false as is_return
    from web_lines
    union all by name
    select
        key_part(source)
        || ':' || key_part(sale_id)
        || ':' || key_part(line_no) || ':return' as sale_line_key,
        source,
        sale_id,
        line_no,
        coalesce(updated_at, sold_at) as sold_at,
        coalesce(business_date(updated_at), sold_on) as sold_on,
        channel,
        store_id,
        customer_id,
        sku,
        'product' as line_kind,
        -returned_quantity as quantity,
        unit_price,
        -round(discount_amount * returned_quantity / nullif(quantity, 0), 2) as discount_amount,
        -round(net_amount * returned_quantity / nullif(quantity, 0), 2) as net_amount,
        true as is_return,
        sale_id as original_sale_id,
        promotion_id,
        currency
    from web_lines
    where returned_quantity > 0
),

final as (
    select
        sale_line_key,
        source,
        sale_id,
        line_no,
        sold_at,
        sold_on,
        channel,
        store_id,
        customer_id,
        sku,
        line_kind,
        cast(quantity as decimal(18, 3)) as quantity,
        cast(unit_price as decimal(18, 2)) as unit_price,
        cast(discount_amount as decimal(18, 2)) as discount_amount,
        cast(net_amount as decimal(18, 2)) as net_amount,
        is_return,
        original_sale_id,
        promotion_id,
        coalesce(currency, '{{ settings.currency }}') as currency
    from all_lines
)

select * from final
