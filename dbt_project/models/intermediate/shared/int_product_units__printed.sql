-- Every unit that a system prints with a product, and on how many lines: what has to convert. Lists of
-- products
-- count as a line too, so a unit is known before the first document names it.
with

    kingdee_materials as (select * from {{ ref("stg_hc_kingdee__materials") }}),
    kingdee_orders as (select * from {{ ref("stg_hc_kingdee__sales_order_lines") }}),
    u8_items as (select * from {{ ref("stg_hc_u8__inventories") }}),
    mes_work_orders as (select * from {{ ref("stg_hc_mes__work_orders") }}),
    mes_issues as (select * from {{ ref("stg_hc_mes__material_issues") }}),
    mes_outputs as (select * from {{ ref("stg_hc_mes__outputs") }}),
    mes_shipments as (select * from {{ ref("stg_hc_mes__shipment_lines") }}),
    crm_requests as (select * from {{ ref("stg_hc_crm__purchase_request_lines") }}),
    sap_products as (select * from {{ ref("stg_hc_sap__products") }}),
    sap_orders as (select * from {{ ref("stg_hc_sap__sales_order_items") }}),
    sap_billings as (select * from {{ ref("stg_hc_sap__billing_document_items") }}),
    yonbip_orders as (select * from {{ ref("stg_hc_yonbip__purchase_order_lines") }}),
    hx_products as (select * from {{ ref("stg_hx_stock__products") }}),
    hx_uoms as (select * from {{ ref("stg_hx_stock__uoms") }}),
    hx_moves as (select * from {{ ref("stg_hx_stock__stock_moves") }}),
    hx_purchases as (select * from {{ ref("stg_hx_purchasing__purchase_order_lines") }}),
    hx_invoices as (select * from {{ ref("stg_hx_finance__invoice_lines") }}),

    printed as (

        select 'hc_kingdee' as source_system, source_product, source_uom
        from kingdee_materials
        union all
        select 'hc_kingdee', source_product, source_uom
        from kingdee_orders
        union all
        select 'hc_u8', source_product, source_uom
        from u8_items
        union all
        select 'hc_u8', source_product, source_pack_uom
        from u8_items
        union all
        select 'hc_mes', source_product, source_uom
        from mes_work_orders
        union all
        select 'hc_mes', source_product, source_uom
        from mes_issues
        union all
        select 'hc_mes', source_product, source_uom
        from mes_outputs
        union all
        select 'hc_mes', source_product, source_uom
        from mes_shipments
        union all
        select 'hc_crm', source_product, source_uom
        from crm_requests
        union all
        select 'hc_sap', source_product, source_uom
        from sap_products
        union all
        select 'hc_sap', source_product, source_uom
        from sap_orders
        union all
        select 'hc_sap', source_product, source_uom
        from sap_billings
        union all
        select 'hc_yonbip', source_product, source_uom
        from yonbip_orders
        union all
        -- 华信's systems use the codes of the one that stocks the product
        select 'hx_stock', hx_products.product_code, hx_uoms.uom_text
        from hx_moves
        left join hx_products on hx_moves.product_id = hx_products.product_id
        left join hx_uoms on hx_moves.uom_id = hx_uoms.uom_id
        union all
        select 'hx_stock', product_code, uom_text
        from hx_purchases
        union all
        select 'hx_stock', product_code, uom_text
        from hx_invoices

    )

select source_system, source_product, source_uom, count(*) as line_count
from printed
where source_product is not null and source_uom is not null
group by source_system, source_product, source_uom
