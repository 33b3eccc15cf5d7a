-- The system keeps what lies where, and no history of it: the group takes the stock over as it was counted,
-- in
-- one move per product and place on the last day anything there was changed, at standard cost.
with

    inventories as (select * from {{ ref("stg_aw_oltp__product_inventories") }}),
    costs as (select * from {{ ref("stg_aw_oltp__products") }}),
    products as ({{ known_to("aw_oltp", "product") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }} where company_code = 'AW'),
    rates as (select * from {{ ref("int_exchange_rates__adventureworks") }}),

    valued as (

        select
            inventories.*,
            max(inventories.changed_date) over () as counted_date,
            inventories.source_product || '|' || inventories.source_warehouse as record,
            'USD' as currency_code,
            costs.standard_cost_txn
        from inventories
        left join costs on inventories.source_product = costs.source_product

    ),

    rated as (

        select valued.*, rates.cny_per_unit
        from valued
        asof left join
            rates on valued.currency_code = rates.currency_code and valued.counted_date >= rates.rate_date

    )

select
    {{ key(["'stock_move'", "'aw_oltp'", "'opening'", "rated.record"]) }} as stock_move_key,
    'opening ' || rated.record as stock_move_id,
    coalesce(products.product_key, 'unmatched') as product_key,
    'not_applicable' as from_location_code,
    rated.source_warehouse as to_location_code,
    'not_applicable' as from_warehouse_key,
    coalesce(warehouses.warehouse_key, 'unmatched') as to_warehouse_key,
    'lost_found' as from_location_type,
    'storage' as to_location_type,
    'opening' as move_kind,
    rated.counted_date as planned_date,
    rated.counted_date as move_date,
    'done' as status_code,
    true as is_done,
    false as is_open,
    cast(rated.on_hand_qty as decimal(18, 4)) as move_qty,
    'piece' as uom_code,
    cast(rated.on_hand_qty as decimal(18, 4)) as move_qty_base,
    cast(rated.on_hand_qty as decimal(18, 4)) as stated_qty_base,
    'piece' as base_uom_code,
    rated.currency_code,
    cast(rated.standard_cost_txn as decimal(18, 4)) as unit_price_txn,
    cast(round(rated.standard_cost_txn * rated.cny_per_unit, 4) as decimal(18, 4)) as cost_price_cny,
    {{ at_price("rated.on_hand_qty * rated.standard_cost_txn", "rated.cny_per_unit") }}
    as move_cost_amount_cny,
    {{ at_price("rated.on_hand_qty * rated.standard_cost_txn", "rated.cny_per_unit") }}
    as stock_value_amount_cny,
    {{ of_company("AW") }},
    {{ provenance("aw_oltp", "product_inventory", "rated.record") }}
from rated
left join products on rated.source_product = products.known_as
left join warehouses on 'AW-' || rated.source_warehouse = warehouses.warehouse_code
