-- What the shop floor (MES), the warehouse (WMS) and the stock system's own running balance say happened, in
-- the base unit and under the product's key: other people keyed them than those who keep the stock documents.
with

    shipment_lines as (select * from {{ ref("stg_hc_mes__shipment_lines") }}),
    outputs as (select * from {{ ref("stg_hc_mes__outputs") }}),
    issues as (select * from {{ ref("stg_hc_mes__material_issues") }}),
    current_stocks as (select * from {{ ref("stg_hc_u8__current_stocks") }}),
    items as (select * from {{ ref("int_items__huachen") }}),
    known as ({{ known_to("hc_mes", "product") }}),
    products as (select * from {{ ref("dim_product") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }} where source_system = 'hc_u8'),
    uoms as (select * from {{ ref("uoms") }}),
    units as ({{ units() }}),

    stated as (

        select
            'shipped' as statement_kind,
            shipment_no as document_no,
            source_product,
            source_uom,
            ship_qty as quantity,
            'shipment_line' as source_stream,
            shipment_no || '|' || line_no as source_record
        from shipment_lines
        union all
        select
            'produced',
            output_no,
            source_product,
            source_uom,
            produced_qty,
            'output',
            output_no || '|' || line_no
        from outputs
        union all
        select
            'issued',
            issue_no,
            source_product,
            source_uom,
            issued_qty,
            'material_issue',
            issue_no || '|' || line_no
        from issues

    )

select
    stated.statement_kind,
    stated.document_no,
    coalesce(known.product_key, 'unmatched') as product_key,
    'not_applicable' as warehouse_key,
    cast({{ converted("stated.quantity", "uoms", "units") }} as decimal(18, 4)) as quantity,
    'HC' as company_code,
    'hc_mes' as source_system,
    stated.source_stream,
    stated.source_record
from stated
left join known on stated.source_product = known.known_as
left join products on known.product_key = products.product_key
left join uoms on stated.source_uom = uoms.uom_text
left join units on products.base_uom_code = units.uom_code
union all by name
select
    'on_hand' as statement_kind,
    coalesce(items.product_key, 'unmatched') as product_key,
    coalesce(warehouses.warehouse_key, 'unmatched') as warehouse_key,
    current_stocks.stock_qty as quantity,
    'HC' as company_code,
    {{
        provenance(
            "hc_u8",
            "current_stock",
            "current_stocks.source_warehouse || '|' || current_stocks.source_product",
        )
    }}
from current_stocks
left join items on current_stocks.source_product = items.source_product
left join warehouses on current_stocks.source_warehouse = warehouses.warehouse_code
