-- Goods from suppliers, at the order's price. Amounts and quantities are zero until the goods are in,
-- negative when they go back; each move is converted on its own day.
with

    stock_moves as (
        select *
        from {{ ref("int_stock_moves__conformed") }}
        where move_kind in ('receipt', 'supplier_return')
    ),
    order_lines as (select * from {{ ref("int_purchase_order_lines__huaxin") }}),
    suppliers as ({{ known_to("hx_purchasing", "supplier") }}),
    products as ({{ known_to("hx_stock", "product") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }} where coalesce(company_code, 'HX') = 'HX'),
    rates as (select * from {{ ref("int_exchange_rates") }}),

    signed as (

        select
            *,
            case when move_kind = 'receipt' then 1 else -1 end as direction,
            case
                when move_kind = 'receipt' then to_warehouse_code else from_warehouse_code
            end as warehouse_code,
            coalesce(unit_price_txn, 0) as price_txn
        from stock_moves

    ),

    rated as (

        select signed.*, {{ rate_of("rates", "signed.currency_code") }} as rate
        from signed
        asof left join
            rates on signed.currency_code = rates.currency_code and signed.move_date >= rates.rate_date

    )

select
    {{ key(["'goods_receipt_line'", "rated.stock_move_id"]) }} as goods_receipt_line_key,
    cast(rated.stock_move_id as text) as stock_move_id,
    rated.shipment_no,
    rated.shipment_reference,
    rated.move_kind as receipt_kind,
    coalesce(order_lines.purchase_order_line_key, 'unmatched') as purchase_order_line_key,
    coalesce(suppliers.supplier_key, order_lines.supplier_key, 'unmatched') as supplier_key,
    coalesce(products.product_key, 'unmatched') as product_key,
    coalesce(warehouses.warehouse_key, 'unmatched') as warehouse_key,
    rated.move_date as receipt_date,
    rated.status_code,
    rated.is_done as is_received,
    rated.is_open,
    cast(
        case when rated.is_done then rated.direction * rated.move_qty else 0 end as decimal(18, 4)
    ) as receipt_qty,
    rated.uom_code,
    cast(
        case when rated.is_done then rated.direction * rated.move_qty_base else 0 end as decimal(18, 4)
    ) as receipt_qty_base,
    cast(
        case when rated.is_open then rated.direction * rated.move_qty_base else 0 end as decimal(18, 4)
    ) as open_qty_base,
    rated.base_uom_code,
    rated.currency_code,
    rated.unit_price_txn,
    cast(
        case
            when rated.is_done then rated.direction * round(rated.move_qty * rated.price_txn, 2) else 0
        end as decimal(18, 2)
    ) as received_amount_net_txn,
    case
        when rated.is_done
        then {{ in_reporting_currency("rated.direction * rated.move_qty * rated.price_txn", "rated.rate") }}
        else 0
    end as received_amount_net_cny,
    {{ of_company("HX") }},
    {{ provenance("hx_stock", "stock_move", "rated.stock_move_id") }}
from rated
left join order_lines on cast(rated.purchase_line_id as text) = order_lines.line_id
left join suppliers on rated.partner_code = suppliers.known_as
left join products on rated.product_code = products.known_as
left join warehouses on rated.warehouse_code = warehouses.warehouse_code
