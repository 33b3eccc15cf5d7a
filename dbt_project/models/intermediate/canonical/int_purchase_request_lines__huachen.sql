-- What departments asked for (简道云). A request becomes one order per supplier and names their numbers; which
-- line went into which order nobody keeps, so ordered quantity is known per request and product only.
with

    requests as (select * from {{ ref("stg_hc_crm__purchase_requests") }}),
    request_lines as (select * from {{ ref("stg_hc_crm__purchase_request_lines") }}),
    statuses as (select * from {{ ref("source_statuses") }} where document_type = 'purchase_request'),
    known_products as ({{ known_to("hc_crm", "product") }}),
    products as (select * from {{ ref("dim_product") }}),
    employees as ({{ known_to("hc_crm", "employee") }}),
    uoms as (select * from {{ ref("uoms") }}),
    units as ({{ units() }})

select
    {{ key(["'purchase_request_line'", "'hc_crm'", "lines.line_id"]) }} as purchase_request_line_key,
    requests.request_no,
    lines.request_id,
    lines.line_id,
    coalesce(known_products.product_key, 'unmatched') as product_key,
    coalesce(employees.employee_key, 'unmatched') as employee_key,
    {{ key(["'organisation'", "'HC-' || requests.source_department"]) }} as organisation_key,
    cast(timezone('Asia/Shanghai', requests.created_at) as date) as request_date,
    cast(timezone('Asia/Shanghai', requests.decided_at) as date) as decision_date,
    lines.needed_date,
    coalesce(statuses.status_code, 'unmatched') as status_code,
    array_to_string(requests.order_nos, ',') as order_nos,
    lines.request_qty,
    coalesce(uoms.uom_code, 'unmatched') as uom_code,
    {{ converted("lines.request_qty", "uoms", "units") }} as request_qty_base,
    coalesce(products.base_uom_code, 'unmatched') as base_uom_code,
    {{ of_company("HC") }},
    'hc_crm' as source_system,
    'purchase_request_line' as source_stream,
    lines.request_id || '|' || lines.line_id as source_record
from request_lines as lines
left join requests on lines.request_id = requests.request_id
left join statuses on statuses.source_system = 'hc_crm' and requests.source_status = statuses.source_status
left join known_products on lines.source_product = known_products.known_as
left join products on known_products.product_key = products.product_key
left join employees on requests.source_applicant = employees.known_as
left join uoms on lines.source_uom = uoms.uom_text
left join units on products.base_uom_code = units.uom_code
