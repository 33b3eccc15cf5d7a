-- Invoice lines of customers and suppliers with their invoice, tax and amounts in CNY. An invoice is
-- converted once, at the rate of its date: net = sum of its lines, tax = sum of its tax rows; the last
-- line takes the rounding cents. Tax is spread over the lines by net amount times the tax rate of the
-- order line behind it.
with

    invoice_lines as (select * from {{ ref("stg_hx_finance__invoice_lines") }}),
    invoices as (select * from {{ ref("int_invoices__rated") }}),
    sales_lines as (select * from {{ ref("int_sales_order_lines__priced") }}),
    purchase_lines as (select * from {{ ref("int_purchase_order_lines__priced") }}),
    uoms as (select * from {{ ref("uoms") }}),

    lines as (

        select
            invoice_lines.invoice_line_id,
            invoice_lines.invoice_id,
            coalesce(invoices.invoice_type, invoice_lines.invoice_type) as invoice_type,
            -- a line whose invoice is gone stays, with nothing known about it
            coalesce(invoices.status_code, 'unmatched') as status_code,
            coalesce(invoices.is_posted, false) as is_posted,
            coalesce(invoices.is_open, false) as is_open,
            coalesce(invoices.is_draft, false) as is_draft,
            coalesce(invoices.document_tax_txn, 0) as document_tax_txn,
            invoices.* exclude (
                invoice_id, invoice_type, status_code, is_posted, is_open, is_draft, document_tax_txn
            ),
            invoice_lines.account_code,
            invoice_lines.product_code,
            coalesce(uoms.uom_code, 'unmatched') as uom_code,
            invoice_lines.invoice_qty,
            invoice_lines.unit_price_txn,
            invoice_lines.source_document,
            sales_lines.line_id as sales_line_id,
            purchase_lines.line_id as purchase_line_id,
            coalesce(sales_lines.tax_rate, purchase_lines.tax_rate, 0) as tax_rate,
            cast(
                round(invoice_lines.invoice_qty * invoice_lines.unit_price_txn, 2) as decimal(18, 2)
            ) as invoice_amount_net_txn
        from invoice_lines
        left join invoices on invoice_lines.invoice_id = invoices.invoice_id
        left join uoms on invoice_lines.uom_text = uoms.uom_text
        left join
            sales_lines
            on {{ reference_id("sale.line", "invoice_lines.source_document") }} = sales_lines.line_id
        left join
            purchase_lines
            on {{ reference_id("purchase.line", "invoice_lines.source_document") }} = purchase_lines.line_id

    ),

    weighed as (

        select
            *,
            sum(invoice_amount_net_txn) over (partition by invoice_id) as document_net_txn,
            -- without any tax rate behind the lines, the net amount alone decides
            case
                when sum(invoice_amount_net_txn * tax_rate) over (partition by invoice_id) <> 0
                then invoice_amount_net_txn * tax_rate
                else invoice_amount_net_txn
            end as tax_weight
        from lines

    ),

    line_amounts as (

        select
            *,
            {{ in_reporting_currency("invoice_amount_net_txn", "rate") }} as line_net_cny,
            {{ in_reporting_currency("document_net_txn", "rate") }} as document_net_cny,
            {{ in_reporting_currency("invoice_amount_net_txn", "draft_rate") }} as line_draft_cny,
            {{ in_reporting_currency("document_net_txn", "draft_rate") }} as document_draft_cny,
            {{ in_reporting_currency("document_tax_txn", "rate") }} as document_tax_cny,
            document_tax_txn * coalesce(
                tax_weight / nullif(sum(tax_weight) over (partition by invoice_id), 0), 0
            ) as unrounded_tax_txn
        from weighed

    ),

    with_tax as (

        select
            *,
            cast(round(unrounded_tax_txn, 2) as decimal(18, 2)) as line_tax_txn,
            {{ in_reporting_currency("unrounded_tax_txn", "rate") }} as line_tax_cny
        from line_amounts

    ),

    shared_out as (

        select
            *,
            -- lines that carry tax come last, so that the cents fall on one of them
            {{
                share_of_document(
                    "line_tax_txn", "document_tax_txn", "invoice_id", "tax_weight <> 0, invoice_line_id"
                )
            }} as invoice_amount_tax_txn,
            {{
                share_of_document(
                    "line_tax_cny", "document_tax_cny", "invoice_id", "tax_weight <> 0, invoice_line_id"
                )
            }} as invoice_amount_tax_cny,
            {{ share_of_document("line_net_cny", "document_net_cny", "invoice_id", "invoice_line_id") }}
            as invoice_amount_net_cny,
            {{ share_of_document("line_draft_cny", "document_draft_cny", "invoice_id", "invoice_line_id") }}
            as draft_amount_net_cny
        from with_tax

    )

select
    invoice_line_id,
    invoice_id,
    invoice_no,
    invoice_type,
    party_code,
    invoice_date,
    status_code,
    is_posted,
    is_open,
    is_draft,
    currency_code,
    control_account_code,
    account_code,
    product_code,
    uom_code,
    invoice_qty,
    unit_price_txn,
    source_document,
    sales_line_id,
    purchase_line_id,
    invoice_amount_net_txn,
    invoice_amount_tax_txn,
    cast(invoice_amount_net_txn + invoice_amount_tax_txn as decimal(18, 2)) as invoice_amount_gross_txn,
    invoice_amount_net_cny,
    invoice_amount_tax_cny,
    cast(invoice_amount_net_cny + invoice_amount_tax_cny as decimal(18, 2)) as invoice_amount_gross_cny,
    draft_amount_net_cny
from shared_out
