-- What was produced comes from the stock moves, not from the plan: scrap is what a finished order planned
-- and did not deliver.
with

    productions as (select * from {{ ref("stg_hx_stock__productions") }}),
    costs as (select * from {{ ref("int_work_orders__costed") }}),
    source_products as (select * from {{ ref("stg_hx_stock__products") }}),
    source_uoms as (select * from {{ ref("stg_hx_stock__uoms") }}),
    locations as (select * from {{ ref("int_stock_locations__warehouses") }}),
    products as (select * from {{ ref("int_products__conformed") }}),
    uoms as (select * from {{ ref("uoms") }}),
    statuses as (select * from {{ ref("document_statuses") }} where document_type = 'work_order'),
    known_products as ({{ known_to("hx_stock", "product") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }} where coalesce(company_code, 'HX') = 'HX'),
    work_centers as (
        select * from {{ ref("dim_organisation") }} where source_stream = 'production_work_center'
    ),

    planned as (

        select
            productions.*,
            source_products.product_code,
            locations.warehouse_code,
            coalesce(products.base_uom_code, 'unmatched') as base_uom_code,
            {{ in_base_unit("productions.planned_qty") }} as planned_qty_base,
            coalesce(statuses.status_code, 'unmatched') as status_code,
            coalesce(statuses.status_code = 'done', false) as is_done,
            coalesce(costs.produced_qty, 0) as produced_qty,
            coalesce(costs.issue_cost_amount_cny, 0) as issue_cost_amount_cny,
            coalesce(costs.labour_cost_amount_cny, 0) as labour_cost_amount_cny,
            coalesce(costs.output_cost_amount_cny, 0) as output_cost_amount_cny
        from productions
        left join costs on productions.production_id = costs.production_id
        left join source_products on productions.product_id = source_products.product_id
        left join products on source_products.product_code = products.product_code
        left join source_uoms on productions.uom_id = source_uoms.uom_id
        left join uoms on source_uoms.uom_text = uoms.uom_text
        left join locations on productions.warehouse_id = locations.location_id
        left join statuses on productions.source_status = statuses.source_status

    )

select
    {{ key(["'work_order'", "planned.production_id"]) }} as work_order_key,
    cast(planned.production_id as text) as production_id,
    planned.work_order_no,
    coalesce(known_products.product_key, 'unmatched') as product_key,
    coalesce(warehouses.warehouse_key, 'unmatched') as warehouse_key,
    coalesce(work_centers.organisation_key, 'unmatched') as organisation_key,
    planned.planned_start_date,
    planned.planned_date,
    planned.started_date,
    planned.effective_date,
    planned.status_code,
    planned.is_done,
    planned.base_uom_code,
    planned.planned_qty_base as planned_qty,
    cast(planned.produced_qty as decimal(18, 4)) as produced_qty,
    cast(
        case when planned.is_done then planned.planned_qty_base - planned.produced_qty else 0 end as decimal(
            18, 4
        )
    ) as scrapped_qty,
    cast(planned.issue_cost_amount_cny as decimal(18, 2)) as issue_cost_amount_cny,
    cast(planned.labour_cost_amount_cny as decimal(18, 2)) as labour_cost_amount_cny,
    cast(planned.output_cost_amount_cny as decimal(18, 2)) as output_cost_amount_cny,
    'not_applicable' as employee_key,
    {{ of_company("HX") }},
    {{ provenance("hx_stock", "production", "planned.production_id") }}
from planned
left join known_products on planned.product_code = known_products.known_as
left join warehouses on planned.warehouse_code = warehouses.warehouse_code
left join work_centers on work_centers.source_record = cast(planned.work_center_id as text)
