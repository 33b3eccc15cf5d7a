-- Money on the bank and cash accounts, one row per ledger line there. What a payment pays is the invoice
-- its voucher names; without one (capital, wages, rent) it is `other`.
with

    ledger_lines as (select * from {{ ref("int_ledger_entry_lines__huaxin") }} where is_cash),
    invoices as (select * from {{ ref("stg_hx_finance__invoices") }}),
    customers as ({{ known_to("hx_sales", "customer") }}),
    suppliers as ({{ known_to("hx_purchasing", "supplier") }})

select
    {{ key(["'payment'", "ledger_lines.ledger_line_id"]) }} as payment_key,
    ledger_lines.ledger_move_no,
    ledger_lines.ledger_move_id,
    ledger_lines.ledger_line_id,
    case
        invoices.invoice_type
        when 'out'
        then 'customer_receipt'
        when 'in'
        then 'supplier_payment'
        else 'other'
    end as payment_kind,
    case
        when invoices.invoice_type = 'out'
        then coalesce(customers.customer_key, 'unmatched')
        else 'not_applicable'
    end as customer_key,
    case
        when invoices.invoice_type = 'in'
        then coalesce(suppliers.supplier_key, 'unmatched')
        else 'not_applicable'
    end as supplier_key,
    ledger_lines.invoice_id,
    invoices.invoice_no,
    ledger_lines.entry_date as payment_date,
    ledger_lines.account_key as bank_account_key,
    ledger_lines.is_posted,
    ledger_lines.currency_code,
    ledger_lines.amount_txn as bank_amount_txn,
    abs(ledger_lines.balance_amount_cny) as paid_amount_cny,
    ledger_lines.balance_amount_cny as bank_amount_cny,
    ledger_lines.description,
    {{ of_company("HX") }},
    {{ provenance("hx_finance", "ledger_line", "ledger_lines.ledger_line_id") }}
from ledger_lines
left join invoices on ledger_lines.invoice_id = cast(invoices.invoice_id as text)
left join customers on invoices.party_code = customers.known_as
left join suppliers on invoices.party_code = suppliers.known_as
