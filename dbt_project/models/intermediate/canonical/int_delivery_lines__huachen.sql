-- Goods that leave for customers and come back, as the stock books have them, at the price of the order line
-- they serve. A return is negative there already. The subsidiary connects no deliveries.
with

    deliveries as (select * from {{ ref("stg_hc_u8__deliveries") }}),
    delivery_lines as (select * from {{ ref("stg_hc_u8__delivery_lines") }}),
    order_lines as (select * from {{ ref("int_order_lines__huachen") }} where company_code = 'HC'),
    items as (select * from {{ ref("int_items__huachen") }}),
    customers as ({{ known_to("hc_u8", "customer") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }} where source_system = 'hc_u8'),

    priced as (

        select
            delivery_lines.*,
            deliveries.* exclude (document_id, created_at),
            order_lines.sales_order_line_key,
            order_lines.is_intercompany,
            order_lines.planned_ship_date,
            order_lines.currency_code,
            order_lines.unit_price_txn,
            order_lines.cny_per_unit,
            case when deliveries.is_approved then delivery_lines.ship_qty else 0 end as done_qty
        from delivery_lines
        left join deliveries on delivery_lines.document_id = deliveries.document_id
        left join
            order_lines
            on deliveries.order_no = order_lines.order_no
            and delivery_lines.order_line_no = order_lines.line_no

    )

select
    {{ key(["'delivery_line'", "'hc_u8'", "priced.line_id"]) }} as delivery_line_key,
    'delivery ' || priced.line_id as stock_move_id,
    priced.shipment_no,
    priced.shipment_no as shipment_reference,
    case when priced.source_business_type = '销售退货' then 'return' else 'delivery' end as delivery_kind,
    coalesce(priced.sales_order_line_key, 'unmatched') as sales_order_line_key,
    coalesce(customers.customer_key, 'unmatched') as customer_key,
    coalesce(items.product_key, 'unmatched') as product_key,
    coalesce(warehouses.warehouse_key, 'unmatched') as warehouse_key,
    coalesce(priced.is_intercompany, false) as is_intercompany,
    priced.planned_ship_date,
    priced.ship_date,
    case when priced.is_approved then 'done' else 'draft' end as status_code,
    priced.is_approved as is_shipped,
    not priced.is_approved as is_open,
    cast(priced.done_qty as decimal(18, 4)) as ship_qty,
    cast(priced.done_qty as decimal(18, 4)) as ship_qty_base,
    cast(priced.ship_qty - priced.done_qty as decimal(18, 4)) as open_qty_base,
    items.uom_code,
    items.base_uom_code,
    priced.currency_code,
    priced.unit_price_txn,
    cast(round(priced.done_qty * priced.unit_price_txn, 2) as decimal(18, 2)) as shipped_amount_net_txn,
    {{ at_price("priced.done_qty * priced.unit_price_txn", "priced.cny_per_unit") }}
    as shipped_amount_net_cny,
    cast(
        round((priced.ship_qty - priced.done_qty) * priced.unit_price_txn, 2) as decimal(18, 2)
    ) as open_amount_net_txn,
    cast(
        case when priced.is_approved then priced.cost_amount_cny else 0 end as decimal(18, 2)
    ) as cost_amount_cny,
    {{ of_company("HC") }},
    {{ provenance("hc_u8", "delivery_line", "priced.line_id") }}
from priced
left join items on priced.source_product = items.source_product
left join customers on priced.source_customer = customers.known_as
left join warehouses on priced.source_warehouse = warehouses.warehouse_code
