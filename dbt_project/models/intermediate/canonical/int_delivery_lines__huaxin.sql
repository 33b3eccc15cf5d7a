-- Goods leaving for customers and coming back. `ship_` and `shipped_` say what has happened, signed (a
-- return is negative) and zero until it has; `open_` what is still to happen.
with

    stock_moves as (
        select * from {{ ref("int_stock_moves__conformed") }} where move_kind in ('delivery', 'return')
    ),
    order_lines as (select * from {{ ref("int_sales_order_lines__huaxin") }}),
    customers as ({{ known_to("hx_sales", "customer") }}),
    products as ({{ known_to("hx_stock", "product") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }} where coalesce(company_code, 'HX') = 'HX'),
    rates as (select * from {{ ref("int_exchange_rates") }}),

    signed as (

        select
            *,
            case when move_kind = 'return' then -1 else 1 end as direction,
            case
                when move_kind = 'return' then to_warehouse_code else from_warehouse_code
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
    {{ key(["'delivery_line'", "rated.stock_move_id"]) }} as delivery_line_key,
    cast(rated.stock_move_id as text) as stock_move_id,
    rated.shipment_no,
    rated.shipment_reference,
    rated.move_kind as delivery_kind,
    coalesce(order_lines.sales_order_line_key, 'unmatched') as sales_order_line_key,
    coalesce(customers.customer_key, order_lines.customer_key, 'unmatched') as customer_key,
    coalesce(products.product_key, 'unmatched') as product_key,
    coalesce(warehouses.warehouse_key, 'unmatched') as warehouse_key,
    rated.planned_date as planned_ship_date,
    rated.move_date as ship_date,
    rated.status_code,
    rated.is_done as is_shipped,
    rated.is_open,
    cast(
        case when rated.is_done then rated.direction * rated.move_qty else 0 end as decimal(18, 4)
    ) as ship_qty,
    cast(
        case when rated.is_done then rated.direction * rated.move_qty_base else 0 end as decimal(18, 4)
    ) as ship_qty_base,
    cast(
        case when rated.is_open then rated.direction * rated.move_qty_base else 0 end as decimal(18, 4)
    ) as open_qty_base,
    rated.uom_code,
    rated.base_uom_code,
    rated.currency_code,
    rated.unit_price_txn,
    cast(
        case
            when rated.is_done then rated.direction * round(rated.move_qty * rated.price_txn, 2) else 0
        end as decimal(18, 2)
    ) as shipped_amount_net_txn,
    -- each move is converted on its own day, straight from price times quantity
    case
        when rated.is_done
        then {{ in_reporting_currency("rated.direction * rated.move_qty * rated.price_txn", "rated.rate") }}
        else 0
    end as shipped_amount_net_cny,
    cast(
        case
            when rated.is_open then rated.direction * round(rated.move_qty * rated.price_txn, 2) else 0
        end as decimal(18, 2)
    ) as open_amount_net_txn,
    cast(
        case
            when rated.is_done then rated.direction * coalesce(rated.move_cost_amount_cny, 0) else 0
        end as decimal(18, 2)
    ) as cost_amount_cny,
    -- it buys and sells with no other company of the group
    false as is_intercompany,
    {{ of_company("HX") }},
    {{ provenance("hx_stock", "stock_move", "rated.stock_move_id") }}
from rated
left join order_lines on cast(rated.sales_line_id as text) = order_lines.line_id
left join customers on rated.partner_code = customers.known_as
left join products on rated.product_code = products.known_as
left join warehouses on rated.warehouse_code = warehouses.warehouse_code
