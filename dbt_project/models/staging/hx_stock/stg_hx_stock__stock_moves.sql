with source as (select * from {{ source("hx_stock", "stock_move") }})

select
    id as stock_move_id,
    state as source_status,
    product as product_id,
    unit as uom_id,
    currency as currency_id,
    from_location as from_location_id,
    to_location as to_location_id,
    shipment as shipment_reference,
    origin as source_document,
    production_input as issue_production_id,
    production_output as output_production_id,
    cast(quantity as decimal(18, 4)) as move_qty,
    -- the same in the product's base unit, as the stock system itself counted it
    cast(internal_quantity as decimal(18, 4)) as stated_qty_base,
    cast(unit_price as decimal(18, 4)) as unit_price_txn,
    cast(cost_price as decimal(18, 4)) as cost_price_cny,
    cast(planned_date as date) as planned_date,
    cast(effective_date as date) as move_date
from source
where not _is_deleted
