-- Orders for material (U8) and for spare parts and services (YonBIP), which never come into stock. What a
-- closed
-- order lacks is not open.
with

    u8_orders as (select * from {{ ref("stg_hc_u8__purchase_orders") }}),
    u8_lines as (select * from {{ ref("stg_hc_u8__purchase_order_lines") }}),
    yonbip_lines as (select * from {{ ref("stg_hc_yonbip__purchase_order_lines") }}),
    receipts as (select * from {{ ref("stg_hc_u8__goods_receipts") }} where is_approved),
    receipt_lines as (select * from {{ ref("stg_hc_u8__goods_receipt_lines") }}),
    items as (select * from {{ ref("int_items__huachen") }}),
    statuses as (select * from {{ ref("source_statuses") }} where document_type = 'purchase_order'),
    suppliers as ({{ known_to_all("supplier") }}),
    employees as ({{ known_to_all("employee") }}),
    departments as (select * from {{ ref("int_departments__huachen") }}),
    known_products as ({{ known_to_all("product") }}),
    products as (select * from {{ ref("dim_product") }}),
    uoms as (select * from {{ ref("uoms") }}),

    received as (

        select receipt_lines.order_line_id, sum(receipt_lines.receipt_qty) as received_qty
        from receipt_lines
        inner join receipts on receipt_lines.document_id = receipts.document_id
        group by receipt_lines.order_line_id

    ),

    unioned as (

        select
            'hc_u8' as source_system,
            'purchase_order_line' as source_stream,
            cast(lines.line_id as text) as line_id,
            orders.order_no,
            lines.line_no,
            orders.request_no,
            orders.source_supplier,
            orders.source_buyer,
            orders.source_department,
            lines.source_product,
            items.uom_code,
            orders.order_date,
            lines.planned_receipt_date,
            orders.source_status,
            true as is_goods,
            lines.order_qty,
            lines.unit_price_txn,
            lines.tax_rate,
            orders.currency_code,
            lines.order_amount_net_txn,
            lines.order_amount_tax_txn,
            coalesce(received.received_qty, 0) as received_qty
        from u8_lines as lines
        left join u8_orders as orders on lines.order_id = orders.order_id
        left join items on lines.source_product = items.source_product
        left join received on lines.line_id = received.order_line_id
        union all by name
        select
            'hc_yonbip' as source_system,
            'purchase_order_line' as source_stream,
            cast(lines.line_id as text) as line_id,
            lines.order_no,
            lines.line_no,
            lines.source_supplier,
            lines.source_buyer,
            lines.source_product,
            uoms.uom_code,
            lines.order_date,
            lines.planned_receipt_date,
            lines.source_status,
            false as is_goods,
            lines.order_qty,
            lines.unit_price_txn,
            lines.tax_rate,
            lines.currency_code,
            lines.order_amount_net_txn,
            lines.order_amount_tax_txn,
            cast(0 as decimal(18, 4)) as received_qty
        from yonbip_lines as lines
        left join uoms on lines.source_uom = uoms.uom_text

    ),

    stated as (

        select unioned.*, coalesce(statuses.status_code, 'unmatched') as order_status_code
        from unioned
        left join
            statuses
            on unioned.source_system = statuses.source_system
            and unioned.source_status = statuses.source_status

    ),

    rated as ({{ priced_on("stated", "order_date") }})

select
    {{ key(["'purchase_order_line'", "rated.source_system", "rated.line_id"]) }} as purchase_order_line_key,
    rated.order_no,
    rated.line_id,
    rated.request_no,
    coalesce(suppliers.supplier_key, 'unmatched') as supplier_key,
    coalesce(known_products.product_key, 'unmatched') as product_key,
    'not_applicable' as warehouse_key,
    case
        when rated.source_buyer is null
        then 'not_applicable'
        else coalesce(employees.employee_key, 'unmatched')
    end as employee_key,
    case
        when rated.source_department is null
        then 'not_applicable'
        else coalesce(departments.organisation_key, 'unmatched')
    end as organisation_key,
    rated.order_date,
    rated.planned_receipt_date,
    rated.order_status_code,
    rated.order_status_code in ('confirmed', 'processing', 'done', 'closed') as is_ordered,
    rated.order_status_code = 'cancelled' as is_cancelled,
    rated.is_goods,
    rated.currency_code,
    rated.order_qty,
    coalesce(rated.uom_code, 'unmatched') as uom_code,
    rated.order_qty as order_qty_base,
    coalesce(rated.uom_code, products.base_uom_code, 'unmatched') as base_uom_code,
    cast(rated.unit_price_txn as decimal(18, 4)) as unit_price_txn,
    rated.tax_rate,
    cast(rated.order_amount_net_txn as decimal(18, 2)) as order_amount_net_txn,
    {{ at_price("rated.order_amount_net_txn", "rated.cny_per_unit") }} as order_amount_net_cny,
    cast(rated.received_qty as decimal(18, 4)) as received_qty_base,
    cast(
        case
            when rated.is_goods and rated.order_status_code in ('confirmed', 'processing')
            then greatest(rated.order_qty - rated.received_qty, 0)
            else 0
        end as decimal(18, 4)
    ) as open_qty_base,
    {{ of_company("HC") }},
    rated.source_system,
    rated.source_stream,
    rated.line_id as source_record
from rated
left join
    suppliers on rated.source_system = suppliers.source_system and rated.source_supplier = suppliers.known_as
left join
    known_products
    on rated.source_system = known_products.source_system
    and rated.source_product = known_products.known_as
left join products on known_products.product_key = products.product_key
left join
    employees
    on rated.source_system = employees.source_system
    and cast(rated.source_buyer as text) = employees.known_as
left join
    departments
    on rated.source_system = departments.source_system
    and rated.source_department = departments.known_as
