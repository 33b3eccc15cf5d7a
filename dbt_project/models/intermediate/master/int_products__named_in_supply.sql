-- Which product a line of a document of purchasing or production names (requests, receipts, outputs,
-- issues), and by which document another system names it: see int_products__named. One row per line and
-- such a document.
with

    kingdee_payables as (select * from {{ ref("stg_hc_kingdee__payable_lines") }}),
    u8_orders as (select * from {{ ref("stg_hc_u8__purchase_orders") }}),
    u8_order_lines as (select * from {{ ref("stg_hc_u8__purchase_order_lines") }}),
    u8_receipts as (select * from {{ ref("stg_hc_u8__goods_receipts") }}),
    u8_receipt_lines as (select * from {{ ref("stg_hc_u8__goods_receipt_lines") }}),
    u8_outputs as (select * from {{ ref("stg_hc_u8__product_receipts") }}),
    u8_output_lines as (select * from {{ ref("stg_hc_u8__product_receipt_lines") }}),
    u8_issues as (select * from {{ ref("stg_hc_u8__material_issues") }}),
    u8_issue_lines as (select * from {{ ref("stg_hc_u8__material_issue_lines") }}),
    mes_work_orders as (select * from {{ ref("stg_hc_mes__work_orders") }}),
    mes_outputs as (select * from {{ ref("stg_hc_mes__outputs") }}),
    mes_issues as (select * from {{ ref("stg_hc_mes__material_issues") }}),
    crm_requests as (select * from {{ ref("stg_hc_crm__purchase_requests") }}),
    crm_request_lines as (select * from {{ ref("stg_hc_crm__purchase_request_lines") }}),
    quality_checks as (select * from {{ ref("stg_hc_h3yun__quality_checks") }}),
    spare_parts as (select * from {{ ref("stg_hc_feishu__spare_parts") }}),
    yonbip_orders as (select * from {{ ref("stg_hc_yonbip__purchase_order_lines") }})

select
    'hc_kingdee' as source_system,
    source_product,
    invoice_no as document_no,
    'receipt:' || receipt_no as shared_document,
    cast(null as text) as shared_line
from kingdee_payables
union all
select
    'hc_u8',
    u8_receipt_lines.source_product,
    u8_receipts.receipt_no,
    'receipt:' || u8_receipts.receipt_no,
    null
from u8_receipt_lines
left join u8_receipts on u8_receipt_lines.document_id = u8_receipts.document_id
union all
select 'hc_h3yun', source_product, check_no, 'receipt:' || receipt_no, null
from quality_checks
union all
select
    'hc_u8',
    u8_order_lines.source_product,
    u8_orders.order_no,
    'request:' || u8_orders.request_no,
    unnest([null, 'quantity ' || u8_order_lines.order_qty])
from u8_order_lines
left join u8_orders on u8_order_lines.order_id = u8_orders.order_id
union all
select
    'hc_crm',
    crm_request_lines.source_product,
    crm_requests.request_no,
    'request:' || crm_requests.request_no,
    unnest([null, 'quantity ' || crm_request_lines.request_qty])
from crm_request_lines
left join crm_requests on crm_request_lines.request_id = crm_requests.request_id
union all
select
    'hc_u8',
    u8_output_lines.source_product,
    u8_outputs.output_no,
    'output:' || u8_outputs.output_no,
    cast(u8_output_lines.line_no as text)
from u8_output_lines
left join u8_outputs on u8_output_lines.document_id = u8_outputs.document_id
union all
select
    'hc_u8',
    u8_output_lines.source_product,
    u8_outputs.output_no,
    'work order:' || u8_outputs.work_order_no,
    null
from u8_output_lines
left join u8_outputs on u8_output_lines.document_id = u8_outputs.document_id
union all
select 'hc_mes', source_product, output_no, 'output:' || output_no, cast(line_no as text)
from mes_outputs
union all
select 'hc_mes', source_product, work_order_no, 'work order:' || work_order_no, null
from mes_work_orders
union all
select
    'hc_u8',
    u8_issue_lines.source_product,
    u8_issues.issue_no,
    'issue:' || u8_issues.issue_no,
    cast(u8_issue_lines.line_no as text)
from u8_issue_lines
left join u8_issues on u8_issue_lines.document_id = u8_issues.document_id
union all
select 'hc_mes', source_product, issue_no, 'issue:' || issue_no, cast(line_no as text)
from mes_issues
union all
select 'hc_feishu', source_product, record_id, null, null
from spare_parts
union all
select 'hc_yonbip', source_product, order_no, null, null
from yonbip_orders
