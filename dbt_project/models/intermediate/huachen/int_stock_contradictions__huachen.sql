-- Where stock documents contradict the cards of their products, the orders they serve, the invoices that
-- came of them, or
-- the shop floor. One row per line.
with

    receipts as (select * from {{ ref("stg_hc_u8__goods_receipts") }}),
    receipt_lines as (select * from {{ ref("stg_hc_u8__goods_receipt_lines") }}),
    inventories as (select * from {{ ref("stg_hc_u8__inventories") }}),
    deliveries as (select * from {{ ref("stg_hc_u8__deliveries") }}),
    delivery_lines as (select * from {{ ref("stg_hc_u8__delivery_lines") }}),
    order_lines as (select * from {{ ref("stg_hc_kingdee__sales_order_lines") }}),
    invoice_lines as (select * from {{ ref("stg_hc_kingdee__receivable_lines") }} where invoice_qty > 0),
    outputs as (select * from {{ ref("stg_hc_mes__outputs") }}),
    product_receipts as (select * from {{ ref("stg_hc_u8__product_receipts") }}),
    items as (select * from {{ ref("int_items__huachen") }}),
    known_products as ({{ known_to_all("product") }}),
    missing_vouchers as (select * from {{ ref("int_missing_vouchers__huachen") }}),

    -- a copy of an invoice is no second one
    billed as (

        select
            shipment_no,
            line_no,
            any_value(invoice_qty) as invoice_qty,
            any_value(invoice_amount_gross_txn) as amount_txn
        from invoice_lines
        group by shipment_no, line_no

    ),

    last_day as (select max(ship_date) as ship_date from deliveries),

    sent as (

        select
            delivery_lines.*,
            deliveries.* exclude (document_id, created_at),
            order_lines.line_id as order_line_id,
            order_lines.order_qty,
            order_lines.unit_price_txn,
            order_lines.tax_rate,
            order_lines.currency_code,
            billed.invoice_qty,
            billed.amount_txn as invoice_amount_txn,
            items.product_key as sent_product,
            ordered.product_key as ordered_product
        from delivery_lines
        inner join deliveries on delivery_lines.document_id = deliveries.document_id
        left join
            order_lines
            on deliveries.order_no = order_lines.order_no
            and delivery_lines.order_line_no = order_lines.line_no
        left join
            billed on deliveries.shipment_no = billed.shipment_no and delivery_lines.line_no = billed.line_no
        left join items on delivery_lines.source_product = items.source_product
        left join
            known_products as ordered
            on ordered.source_system = 'hc_kingdee'
            and order_lines.source_product = ordered.known_as

    ),

    -- Goods and quantity of one line can both be wrong: what is beyond the quantity told is at stake once,
    -- not
    -- twice.
    told as (

        select
            *,
            case
                when
                    ship_qty > 0
                    and (ship_qty <> invoice_qty or (invoice_qty is null and ship_qty > order_qty))
                then coalesce(invoice_qty, order_qty)
                else ship_qty
            end as told_qty
        from sent

    ),

    unbilled as (

        select shipment_no, any_value(ship_date) as ship_date
        from sent
        where ship_qty > 0
        group by shipment_no
        having count(invoice_qty) = 0

    ),

    -- Invoices are numbered in the order of their days, and of their deliveries within a day. A number that
    -- is missing
    -- between two of them was a delivery's that lies between theirs.
    numbered as (

        select
            regexp_extract(invoice_no, '^(.*?)[0-9]{4}$', 1) as series,
            cast(right(invoice_no, 4) as integer) as place,
            any_value(invoice_date) as invoice_date,
            any_value(shipment_no) as shipment_no
        from invoice_lines
        where regexp_matches(invoice_no, '[0-9]{4}$')
        group by series, place

    ),

    gaps as (

        select
            *,
            lag(place) over series_order as place_before,
            lag(invoice_date) over series_order as date_before,
            lag(shipment_no) over series_order as shipment_before
        from numbered
        window series_order as (partition by series order by place)
        qualify place - place_before > 1

    ),

    -- how long 19 of 20 invoices take at most
    patience as (

        select quantile_disc(date_diff('day', deliveries.ship_date, numbered.invoice_date), 0.95) as days
        from numbered
        inner join deliveries on numbered.shipment_no = deliveries.shipment_no

    ),

    candidates as (

        select
            unbilled.shipment_no,
            gaps.series || lpad(cast(gaps.place_before + 1 as text), 4, '0') as invoice_no,
            gaps.place - gaps.place_before - 1 as missing,
            date_diff('day', unbilled.ship_date, last_day.ship_date) > patience.days as is_waiting_long
        from gaps
        cross join last_day
        cross join patience
        inner join
            unbilled
            on (unbilled.ship_date <= gaps.date_before and unbilled.shipment_no > gaps.shipment_before)
            or (unbilled.ship_date <= gaps.invoice_date and unbilled.shipment_no < gaps.shipment_no)
            or (unbilled.ship_date < gaps.invoice_date and gaps.invoice_date - gaps.date_before > 1)
        where
            -- billed on one day: between both
            gaps.date_before < gaps.invoice_date
            or unbilled.shipment_no between gaps.shipment_before and gaps.shipment_no

    ),

    -- no more candidates than missing numbers: those they are, and no other number is missing because of them
    sure as (select * from candidates qualify count(*) over (partition by invoice_no) <= missing),

    -- More candidates: those that wait longer than invoices do; if these are too many as well, nobody can
    -- tell.
    likely as (

        select *
        from candidates
        where shipment_no not in (select shipment_no from sure)
        qualify
            is_waiting_long and count(*) filter (is_waiting_long) over (partition by invoice_no) <= missing

    ),

    skipped as (

        select shipment_no, min(invoice_no) as invoice_no
        from
            (
                select *
                from sure
                union all
                select *
                from likely
            )
        group by shipment_no

    ),

    taken_in as (select distinct output_no from product_receipts)

select
    'receipt_in_another_unit' as case_kind,
    receipts.receipt_no as subject,
    'inventory' as owner,
    'the quantity counts as the receipt says' as safe_default,
    receipt_lines.source_product
    || ': '
    || receipt_lines.receipt_qty
    || ' for '
    || receipt_lines.pack_qty
    || ' packs of '
    || inventories.units_per_pack as detail,
    receipt_lines.cost_amount_cny as amount_txn,
    '{{ var("reporting_currency") }}' as currency_code,
    'hc_u8' as source_system,
    'goods_receipt_line' as source_stream,
    cast(receipt_lines.line_id as text) as source_record
from receipt_lines
left join receipts on receipt_lines.document_id = receipts.document_id
inner join inventories on receipt_lines.source_product = inventories.source_product
where abs(receipt_lines.receipt_qty - receipt_lines.pack_qty * inventories.units_per_pack) > 0.001
union all by name
select
    'delivery_of_another_product' as case_kind,
    shipment_no as subject,
    'inventory' as owner,
    'stock moves as the delivery says' as safe_default,
    'sent ' || source_product || ' for ' || order_no || ' line ' || order_line_no as detail,
    cost_amount_cny * coalesce(told_qty / nullif(ship_qty, 0), 1) as amount_txn,
    '{{ var("reporting_currency") }}' as currency_code,
    'hc_u8' as source_system,
    'delivery_line' as source_stream,
    cast(line_id as text) as source_record
from told
where sent_product <> ordered_product
union all by name
select
    'delivery_of_another_quantity' as case_kind,
    shipment_no as subject,
    'inventory' as owner,
    'stock moves as the delivery says' as safe_default,
    'sent '
    || ship_qty
    || ', invoiced '
    || coalesce(cast(invoice_qty as text), 'nothing')
    || ', ordered '
    || order_qty as detail,
    cost_amount_cny * (ship_qty - told_qty) / ship_qty as amount_txn,
    '{{ var("reporting_currency") }}' as currency_code,
    'hc_u8' as source_system,
    'delivery_line' as source_stream,
    cast(line_id as text) as source_record
from told
where ship_qty <> told_qty
union all by name
select
    'order_line_lost' as case_kind,
    order_no as subject,
    'sales' as owner,
    'the delivery stays, without a price' as safe_default,
    shipment_no
    || ' delivers '
    || order_no
    || '-'
    || lpad(cast(order_line_no as text), 4, '0')
    || ', a line the order does not have' as detail,
    sum(invoice_amount_txn) as amount_txn,
    '{{ var("reporting_currency") }}' as currency_code,
    'hc_u8' as source_system,
    'delivery_line' as source_stream,
    min(cast(line_id as text)) as source_record
from sent
where order_line_id is null
group by order_no, order_line_no, shipment_no
union all by name
select
    'order_line_lost' as case_kind,
    order_no as subject,
    'sales' as owner,
    'the order counts without it' as safe_default,
    'lines up to ' || max(line_no) || ', of which ' || count(*) || ' are there' as detail,
    null as amount_txn,
    any_value(currency_code) as currency_code,
    'hc_kingdee' as source_system,
    'sales_order_line' as source_stream,
    min(cast(line_id as text)) as source_record
from order_lines
-- what a delivery names is said above
where order_no not in (select order_no from sent where order_line_id is null and order_no is not null)
group by order_no
having max(line_no) > count(*)
union all by name
select
    'delivery_never_invoiced' as case_kind,
    sent.shipment_no as subject,
    'finance' as owner,
    'no revenue is counted' as safe_default,
    'sent on '
    || any_value(sent.ship_date)
    || ' for '
    || any_value(order_no)
    || coalesce('; ' || any_value(skipped.invoice_no) || ' is missing among the invoices', '')
    || coalesce('; ' || any_value(missing_vouchers.ledger_move_no) || ' among the vouchers', '') as detail,
    sum(
        cast(ship_qty * unit_price_txn as decimal(18, 2))
        + cast(ship_qty * unit_price_txn * tax_rate as decimal(18, 2))
    ) as amount_txn,
    any_value(currency_code) as currency_code,
    'hc_u8' as source_system,
    'delivery_line' as source_stream,
    min(cast(line_id as text)) as source_record
from sent
cross join last_day
left join skipped on sent.shipment_no = skipped.shipment_no
left join missing_vouchers on skipped.invoice_no = missing_vouchers.source_document
where
    ship_qty > 0
    and (
        sent.ship_date < last_day.ship_date - interval '{{ var("sales_invoice_after_days") }} days'
        or skipped.shipment_no is not null
    )
group by sent.shipment_no
having count(invoice_qty) = 0
union all by name
select
    'output_never_came_into_stock' as case_kind,
    outputs.output_no as subject,
    'inventory' as owner,
    'stock is what the stock documents say' as safe_default,
    'reported on ' || any_value(outputs.reported_at) || ' for ' || any_value(outputs.work_order_no) as detail,
    sum(outputs.produced_qty * costs.unit_cost_cny) as amount_txn,
    '{{ var("reporting_currency") }}' as currency_code,
    'hc_mes' as source_system,
    'output' as source_stream,
    min(outputs.output_no || '|' || outputs.line_no) as source_record
from outputs
left join
    known_products
    on known_products.source_system = 'hc_mes'
    and outputs.source_product = known_products.known_as
left join
    (
        select items.product_key, min(inventories.standard_cost_cny) as unit_cost_cny
        from items
        inner join inventories on items.source_product = inventories.source_product
        group by items.product_key
    ) as costs
    on known_products.product_key = costs.product_key
where outputs.output_no not in (select output_no from taken_in)
group by outputs.output_no
