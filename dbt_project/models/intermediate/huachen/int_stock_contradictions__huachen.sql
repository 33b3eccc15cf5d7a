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
    -- of goods beyond what was asked for, the quantity is what is wrong: the next rule names them
    cost_amount_cny * case
        when ship_qty > 0 then least(ship_qty, coalesce(invoice_qty, order_qty, ship_qty)) / ship_qty else 1
    end as amount_txn,
    '{{ var("reporting_currency") }}' as currency_code,
    'hc_u8' as source_system,
    'delivery_line' as source_stream,
    cast(line_id as text) as source_record
from sent
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
    cost_amount_cny * (ship_qty - coalesce(invoice_qty, order_qty)) / ship_qty as amount_txn,
    '{{ var("reporting_currency") }}' as currency_code,
    'hc_u8' as source_system,
    'delivery_line' as source_stream,
    cast(line_id as text) as source_record
from sent
where ship_qty > 0 and (ship_qty <> invoice_qty or (invoice_qty is null and ship_qty > order_qty))
union all by name
select
    'order_line_lost' as case_kind,
    order_no as subject,
    'sales' as owner,
    'the delivery stays, without a price' as safe_default,
    shipment_no || ' delivers line ' || order_line_no || ', which the order does not have' as detail,
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
    shipment_no as subject,
    'finance' as owner,
    'no revenue is counted' as safe_default,
    'sent on ' || any_value(sent.ship_date) || ' for ' || any_value(order_no) as detail,
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
where
    ship_qty > 0
    and sent.ship_date < last_day.ship_date - interval '{{ var("sales_invoice_after_days") }} days'
group by shipment_no
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
