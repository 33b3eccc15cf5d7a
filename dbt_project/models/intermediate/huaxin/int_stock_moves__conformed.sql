-- Stock moves in words everyone shares: codes instead of private numbers, what kind of move it is, the
-- quantity in the product's base unit, and the document lines it names.
with

    stock_moves as (select * from {{ ref("stg_hx_stock__stock_moves") }}),
    source_products as (select * from {{ ref("stg_hx_stock__products") }}),
    source_uoms as (select * from {{ ref("stg_hx_stock__uoms") }}),
    currencies as (select * from {{ ref("stg_hx_stock__currencies") }}),
    locations as (select * from {{ ref("int_stock_locations__warehouses") }}),
    shipments as (select * from {{ ref("int_shipments__unioned") }}),
    products as (select * from {{ ref("int_products__conformed") }}),
    uoms as (select * from {{ ref("uoms") }}),
    statuses as (select * from {{ ref("document_statuses") }} where document_type = 'stock_move'),
    rates as (select * from {{ ref("int_exchange_rates") }}),

    conformed as (

        select
            stock_moves.stock_move_id,
            coalesce(statuses.status_code, 'unmatched') as status_code,
            coalesce(statuses.status_code = 'done', false) as is_done,
            -- neither done nor cancelled: still to happen
            coalesce(statuses.status_code not in ('done', 'cancelled'), true) as is_open,
            coalesce(source_products.product_code, 'unmatched') as product_code,
            from_locations.location_code as from_location_code,
            from_locations.location_type as from_location_type,
            coalesce(from_locations.warehouse_code, 'unmatched') as from_warehouse_code,
            to_locations.location_code as to_location_code,
            to_locations.location_type as to_location_type,
            coalesce(to_locations.warehouse_code, 'unmatched') as to_warehouse_code,
            coalesce(uoms.uom_code, 'unmatched') as uom_code,
            coalesce(products.base_uom_code, 'unmatched') as base_uom_code,
            stock_moves.move_qty,
            {{ in_base_unit("stock_moves.move_qty") }} as move_qty_base,
            stock_moves.stated_qty_base,
            currencies.currency_code,
            stock_moves.unit_price_txn,
            stock_moves.cost_price_cny,
            stock_moves.planned_date,
            stock_moves.move_date,
            stock_moves.shipment_reference,
            shipments.shipment_no,
            shipments.partner_code,
            stock_moves.source_document,
            {{ reference_id("sale.line", "stock_moves.source_document") }} as sales_line_id,
            {{ reference_id("purchase.line", "stock_moves.source_document") }} as purchase_line_id,
            stock_moves.issue_production_id,
            stock_moves.output_production_id
        from stock_moves
        left join source_products on stock_moves.product_id = source_products.product_id
        left join source_uoms on stock_moves.uom_id = source_uoms.uom_id
        left join currencies on stock_moves.currency_id = currencies.currency_id
        left join locations as from_locations on stock_moves.from_location_id = from_locations.location_id
        left join locations as to_locations on stock_moves.to_location_id = to_locations.location_id
        left join shipments on stock_moves.shipment_reference = shipments.shipment_reference
        left join products on source_products.product_code = products.product_code
        left join uoms on source_uoms.uom_text = uoms.uom_text
        left join statuses on stock_moves.source_status = statuses.source_status

    ),

    rated as (

        select conformed.*, {{ rate_of("rates", "conformed.currency_code") }} as rate
        from conformed
        asof left join
            rates on conformed.currency_code = rates.currency_code and conformed.move_date >= rates.rate_date

    )

select
    * exclude (rate),
    case
        when from_location_type = 'supplier' and to_location_type = 'storage'
        then 'receipt'
        when from_location_type = 'storage' and to_location_type = 'supplier'
        then 'supplier_return'
        when from_location_type = 'storage' and to_location_type = 'customer'
        then 'delivery'
        when from_location_type = 'customer' and to_location_type = 'storage'
        then 'return'
        when from_location_type = 'storage' and to_location_type = 'production'
        then 'production_issue'
        when from_location_type = 'production' and to_location_type = 'storage'
        then 'production_output'
        when from_location_type = 'storage' and to_location_type = 'lost_found'
        then 'inventory_loss'
        when from_location_type = 'lost_found' and to_location_type = 'storage'
        then 'inventory_gain'
        when from_location_type = 'storage' and to_location_type = 'storage'
        then 'internal'
        else 'other'
    end as move_kind,
    -- the ERP keeps a cost on moves that change the value of stock; inner moves have none
    cast(round(move_qty_base * cost_price_cny, 2) as decimal(18, 2)) as move_cost_amount_cny,
    -- what the move adds to or takes from the value of stock: goods from a supplier or from production
    -- come in at their own price (kept per base unit with four decimals, as the ERP does), all others at
    -- cost
    cast(
        round(
            case
                when from_location_type in ('supplier', 'production')
                then
                    move_qty_base * cast(
                        round(unit_price_txn / rate * move_qty / nullif(move_qty_base, 0), 4) as decimal(
                            18, 4
                        )
                    )
                else move_qty_base * cost_price_cny
            end,
            2
        ) as decimal(18, 2)
    ) as stock_value_amount_cny
from rated
