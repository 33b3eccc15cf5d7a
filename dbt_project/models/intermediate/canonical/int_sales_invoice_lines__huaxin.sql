with

    invoice_lines as (select * from {{ ref("int_invoice_lines__priced") }} where invoice_type = 'out'),
    order_lines as (select * from {{ ref("int_sales_order_lines__huaxin") }}),
    customers as ({{ known_to("hx_sales", "customer") }}),
    products as ({{ known_to("hx_stock", "product") }}),
    counted as (select * from {{ ref("int_products__conformed") }}),
    accounts as (select * from {{ ref("dim_account") }} where company_code = 'HX')

select
    {{ key(["'invoice_line'", "invoice_lines.invoice_line_id"]) }} as sales_invoice_line_key,
    cast(invoice_lines.invoice_id as text) as invoice_id,
    invoice_lines.invoice_no,
    cast(invoice_lines.invoice_line_id as text) as invoice_line_id,
    coalesce(order_lines.sales_order_line_key, 'unmatched') as sales_order_line_key,
    coalesce(customers.customer_key, 'unmatched') as customer_key,
    coalesce(products.product_key, 'unmatched') as product_key,
    coalesce(accounts.account_key, 'unmatched') as account_key,
    invoice_lines.invoice_date,
    invoice_lines.status_code,
    invoice_lines.is_posted,
    invoice_lines.is_open,
    invoice_lines.is_draft,
    coalesce(counted.product_kind in ('goods', 'assets'), false) as is_goods,
    invoice_lines.source_document,
    invoice_lines.currency_code,
    invoice_lines.invoice_qty,
    invoice_lines.uom_code,
    invoice_lines.unit_price_txn,
    invoice_lines.invoice_amount_net_txn,
    invoice_lines.invoice_amount_tax_txn,
    invoice_lines.invoice_amount_gross_txn,
    invoice_lines.invoice_amount_net_cny,
    invoice_lines.invoice_amount_tax_cny,
    invoice_lines.invoice_amount_gross_cny,
    invoice_lines.draft_amount_net_cny,
    -- it buys and sells with no other company of the group
    false as is_intercompany,
    {{ of_company("HX") }},
    {{ provenance("hx_finance", "invoice_line", "invoice_lines.invoice_line_id") }}
from invoice_lines
left join order_lines on cast(invoice_lines.sales_line_id as text) = order_lines.line_id
left join customers on invoice_lines.party_code = customers.known_as
left join products on invoice_lines.product_code = products.known_as
left join counted on invoice_lines.product_code = counted.product_code
left join accounts on invoice_lines.account_code = accounts.account_code
