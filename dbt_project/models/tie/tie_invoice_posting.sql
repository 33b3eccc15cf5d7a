-- Invoices beside what their vouchers posted: the net amount beside revenue, the gross amount beside the
-- account of receivables or payables. The ledger converts each line of an invoice in foreign currency,
-- the invoice is converted as a whole: each line and the document may be half a cent off. More than that,
-- another day, or anything in the company's own currency is not rounding and stays unexplained.
with

    sales_invoice_lines as (select * from {{ ref("fct_sales_invoice_line") }} where is_posted),
    supplier_invoice_lines as (select * from {{ ref("fct_supplier_invoice_line") }} where is_posted),
    ledger_lines as (select * from {{ ref("fct_ledger_entry_line") }} where invoice_id is not null),
    accounts as (select * from {{ ref("dim_account") }}),

    invoice_lines as (

        select 'sales' as flow, customer_key as party_key, *
        from sales_invoice_lines
        union all by name
        select 'purchase' as flow, supplier_key as party_key, *
        from supplier_invoice_lines

    ),

    invoiced as (

        select
            invoice_id,
            flow,
            company_code,
            max(party_key) as party_key,
            max(invoice_date) as invoice_date,
            max(currency_code) as currency_code,
            bool_or(is_open) as is_open,
            count(*) as line_count,
            sum(invoice_amount_net_cny) as net_amount_cny,
            sum(invoice_amount_gross_cny) as gross_amount_cny
        from invoice_lines
        group by invoice_id, flow, company_code

    ),

    -- the voucher of an invoice and the vouchers of its payments name the same invoice; money marks the
    -- latter
    payment_vouchers as (select distinct ledger_move_id from ledger_lines where is_cash),

    posted as (

        select
            ledger_lines.invoice_id,
            ledger_lines.company_code,
            max(ledger_lines.entry_date) as entry_date,
            sum(ledger_lines.revenue_amount_cny) as revenue_amount_cny,
            sum(
                case when accounts.is_receivable_control then ledger_lines.balance_amount_cny else 0 end
            ) as receivable_amount_cny,
            sum(
                case when accounts.is_payable_control then - ledger_lines.balance_amount_cny else 0 end
            ) as payable_amount_cny,
            any_value(ledger_lines.source_system) as source_system,
            any_value(ledger_lines.source_stream) as source_stream,
            cast(min(ledger_lines.ledger_line_id) as text) as source_record
        from ledger_lines
        left join accounts on ledger_lines.account_key = accounts.account_key
        where ledger_lines.ledger_move_id not in (select ledger_move_id from payment_vouchers)
        group by ledger_lines.invoice_id, ledger_lines.company_code

    ),

    compared as (

        select
            invoiced.*,
            'net' as amount_kind,
            posted.revenue_amount_cny - invoiced.net_amount_cny as difference_cny,
            posted.* exclude (invoice_id, company_code)
        from invoiced
        inner join
            posted on invoiced.invoice_id = posted.invoice_id and invoiced.company_code = posted.company_code
        where invoiced.flow = 'sales'
        union all by name
        select
            invoiced.*,
            'gross' as amount_kind,
            case
                when invoiced.flow = 'sales' then posted.receivable_amount_cny else posted.payable_amount_cny
            end
            - invoiced.gross_amount_cny as difference_cny,
            posted.* exclude (invoice_id, company_code)
        from invoiced
        inner join
            posted on invoiced.invoice_id = posted.invoice_id and invoiced.company_code = posted.company_code

    )

select
    flow,
    amount_kind,
    invoice_id,
    company_code,
    party_key,
    is_open,
    cast(date_trunc('month', entry_date) as date) as month_start_date,
    difference_cny,
    currency_code <> '{{ var("reporting_currency") }}'
    and invoice_date = entry_date
    and abs(difference_cny) <= 0.005 * (line_count + 1) as is_rounding,
    source_system,
    source_stream,
    source_record
from compared
