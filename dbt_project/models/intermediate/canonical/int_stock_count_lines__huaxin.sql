with

    count_lines as (select * from {{ ref("stg_hx_stock__stock_count_lines") }}),
    counts as (select * from {{ ref("stg_hx_stock__stock_counts") }}),
    source_products as (select * from {{ ref("stg_hx_stock__products") }}),
    locations as (select * from {{ ref("int_stock_locations__warehouses") }}),
    statuses as (select * from {{ ref("document_statuses") }} where document_type = 'stock_count'),
    products as ({{ known_to("hx_stock", "product") }}),
    counted as (select * from {{ ref("int_products__conformed") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }} where coalesce(company_code, 'HX') = 'HX')

select
    {{ key(["'stock_count_line'", "count_lines.stock_count_line_id"]) }} as stock_count_line_key,
    counts.stock_count_no,
    cast(count_lines.stock_count_line_id as text) as stock_count_line_id,
    coalesce(products.product_key, 'unmatched') as product_key,
    coalesce(warehouses.warehouse_key, 'unmatched') as warehouse_key,
    locations.location_code,
    counts.count_date,
    coalesce(statuses.status_code, 'unmatched') as status_code,
    coalesce(statuses.status_code = 'done', false) as is_done,
    coalesce(counted.base_uom_code, 'unmatched') as base_uom_code,
    count_lines.expected_qty,
    count_lines.counted_qty,
    cast(count_lines.counted_qty - count_lines.expected_qty as decimal(18, 4)) as difference_qty,
    {{ of_company("HX") }},
    {{ provenance("hx_stock", "stock_inventory_line", "count_lines.stock_count_line_id") }}
from count_lines
left join counts on count_lines.stock_count_id = counts.stock_count_id
left join statuses on counts.source_status = statuses.source_status
left join locations on counts.location_id = locations.location_id
left join source_products on count_lines.product_id = source_products.product_id
left join products on source_products.product_code = products.known_as
left join counted on source_products.product_code = counted.product_code
left join warehouses on locations.warehouse_code = warehouses.warehouse_code
