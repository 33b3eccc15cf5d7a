-- Which supplier a document names, and by which number another system's document can be found: the
-- purchase order, the goods receipt. One row per document and such a number.
with

    kingdee_payables as (select * from {{ ref("stg_hc_kingdee__payable_lines") }}),
    kingdee_vouchers as (select * from {{ ref("stg_hc_kingdee__gl_voucher_lines") }}),
    u8_orders as (select * from {{ ref("stg_hc_u8__purchase_orders") }}),
    u8_receipts as (select * from {{ ref("stg_hc_u8__goods_receipts") }}),
    yonbip_orders as (select * from {{ ref("stg_hc_yonbip__purchase_order_lines") }}),
    sap_postings as (select * from {{ ref("stg_hc_sap__journal_items") }}),

    named as (

        select distinct
            'hc_kingdee' as source_system,
            source_supplier,
            invoice_no as document_no,
            unnest(['order:' || order_no, 'receipt:' || receipt_no]) as shared_number
        from kingdee_payables
        union all
        -- spare parts have no payable of their own: the voucher quotes their order
        select distinct
            'hc_kingdee', source_supplier, 'voucher ' || cast(voucher_id as text), 'order:' || source_document
        from kingdee_vouchers
        union all
        select 'hc_u8', source_supplier, order_no, 'order:' || order_no
        from u8_orders
        union all
        select 'hc_u8', source_supplier, receipt_no, unnest(['order:' || order_no, 'receipt:' || receipt_no])
        from u8_receipts
        union all
        select distinct 'hc_yonbip', source_supplier, order_no, 'order:' || order_no
        from yonbip_orders
        union all
        select distinct 'hc_sap', source_supplier, accounting_document_no, cast(null as text)
        from sap_postings

    )

select source_system, source_supplier, document_no, shared_number
from named
where source_supplier is not null
