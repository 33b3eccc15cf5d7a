-- What the parent invoiced to the subsidiary and received from it, in the subsidiary's currency: an invoice
-- at
-- the rate of its day, a receipt at the rate of the invoice it settles, as the two companies agreed.
with

    invoice_lines as (
        select *
        from {{ ref("fct_sales_invoice_line") }}
        where company_code = 'HC' and is_posted and is_intercompany
    ),
    payments as (
        select *
        from {{ ref("fct_payment") }}
        where company_code = 'HC' and payment_kind = 'customer_receipt' and is_posted
    ),
    rates as (select * from {{ ref("int_exchange_rates__huachen") }} where currency_code = 'EUR'),

    invoices as (

        select
            invoice_no,
            min(invoice_date) as invoice_date,
            sum(invoice_amount_net_cny) as amount_cny,
            company_code,
            min(source_system) as source_system,
            min(source_stream) as source_stream,
            min(source_record) as source_record
        from invoice_lines
        group by invoice_no, company_code

    ),

    rated as (

        select invoices.*, rates.cny_per_unit
        from invoices
        asof left join rates on invoices.invoice_date >= rates.rate_date

    )

select
    'invoice' as document_kind,
    invoice_no as document_no,
    invoice_date as document_date,
    cast(round(amount_cny / cny_per_unit, 2) as decimal(18, 2)) as amount_eur,
    company_code,
    source_system,
    source_stream,
    source_record
from rated
union all
select
    'receipt' as document_kind,
    payments.ledger_move_no as document_no,
    payments.payment_date as document_date,
    cast(round(payments.bank_amount_cny / rated.cny_per_unit, 2) as decimal(18, 2)) as amount_eur,
    payments.company_code,
    payments.source_system,
    payments.source_stream,
    payments.source_record
from payments
inner join rated on payments.invoice_no = rated.invoice_no
