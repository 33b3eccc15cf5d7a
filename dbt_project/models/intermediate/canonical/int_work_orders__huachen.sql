-- Work orders of the shop floor (MES), with what stock (U8) says they used and delivered, at its cost. Labour
-- is in the ledger, by workshop, and in no work order.
with

    work_orders as (select * from {{ ref("stg_hc_mes__work_orders") }}),
    outputs as (select * from {{ ref("stg_hc_mes__outputs") }}),
    issues as (select * from {{ ref("stg_hc_u8__material_issues") }} where is_approved),
    issue_lines as (select * from {{ ref("stg_hc_u8__material_issue_lines") }}),
    receipts as (select * from {{ ref("stg_hc_u8__product_receipts") }} where is_approved),
    receipt_lines as (select * from {{ ref("stg_hc_u8__product_receipt_lines") }}),
    statuses as (select * from {{ ref("source_statuses") }} where document_type = 'work_order'),
    known_products as ({{ known_to("hc_mes", "product") }}),
    employees as ({{ known_to("hc_mes", "employee") }}),
    products as (select * from {{ ref("dim_product") }}),
    uoms as (select * from {{ ref("uoms") }}),
    units as ({{ units() }}),

    produced as (

        select
            work_order_no,
            sum(produced_qty) as produced_qty,
            sum(scrapped_qty) as scrapped_qty,
            min(timezone('Asia/Shanghai', reported_at)) as first_reported_at
        from outputs
        group by work_order_no

    ),

    issued as (

        select
            issues.work_order_no,
            sum(issue_lines.cost_amount_cny) as cost_amount_cny,
            min(issues.issue_date) as issue_date
        from issue_lines
        inner join issues on issue_lines.document_id = issues.document_id
        group by issues.work_order_no

    ),

    delivered as (

        select receipts.work_order_no, sum(receipt_lines.cost_amount_cny) as cost_amount_cny
        from receipt_lines
        inner join receipts on receipt_lines.document_id = receipts.document_id
        group by receipts.work_order_no

    ),

    planned as (

        select
            work_orders.*,
            known_products.product_key,
            coalesce(products.base_uom_code, 'unmatched') as base_uom_code,
            coalesce(statuses.status_code, 'unmatched') as status_code,
            {{ converted("work_orders.planned_qty", "uoms", "units") }} as planned_qty_base,
            {{ converted("coalesce(produced.produced_qty, 0)", "uoms", "units") }} as produced_qty_base,
            {{ converted("coalesce(produced.scrapped_qty, 0)", "uoms", "units") }} as scrapped_qty_base,
            issued.issue_date,
            issued.cost_amount_cny as issue_cost_amount_cny,
            delivered.cost_amount_cny as output_cost_amount_cny
        from work_orders
        left join produced on work_orders.work_order_no = produced.work_order_no
        left join issued on work_orders.work_order_no = issued.work_order_no
        left join delivered on work_orders.work_order_no = delivered.work_order_no
        left join known_products on work_orders.source_product = known_products.known_as
        left join products on known_products.product_key = products.product_key
        left join uoms on work_orders.source_uom = uoms.uom_text
        left join units on products.base_uom_code = units.uom_code
        left join
            statuses
            on statuses.source_system = 'hc_mes'
            and work_orders.source_status = statuses.source_status

    )

select
    {{ key(["'work_order'", "'hc_mes'", "work_order_no"]) }} as work_order_key,
    work_order_no as production_id,
    work_order_no,
    coalesce(product_key, 'unmatched') as product_key,
    'not_applicable' as warehouse_key,
    'not_applicable' as organisation_key,
    case
        when source_operator is null then 'not_applicable' else coalesce(employees.employee_key, 'unmatched')
    end as employee_key,
    planned_start_date,
    planned_date,
    issue_date as started_date,
    cast(timezone('Asia/Shanghai', finished_at) as date) as effective_date,
    status_code,
    status_code = 'done' as is_done,
    base_uom_code,
    planned_qty_base as planned_qty,
    produced_qty_base as produced_qty,
    scrapped_qty_base as scrapped_qty,
    cast(coalesce(issue_cost_amount_cny, 0) as decimal(18, 2)) as issue_cost_amount_cny,
    cast(0 as decimal(18, 2)) as labour_cost_amount_cny,
    cast(coalesce(output_cost_amount_cny, 0) as decimal(18, 2)) as output_cost_amount_cny,
    {{ of_company("HC") }},
    {{ provenance("hc_mes", "work_order", "work_order_no") }}
from planned
left join employees on planned.source_operator = employees.known_as
