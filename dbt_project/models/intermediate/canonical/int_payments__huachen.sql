-- Money received and paid. The parent's documents (Kingdee: 收款单, 付款单) have one row per invoice they settle;
-- the subsidiary's are the bank lines of its ledger, which name a party and no invoice.
with

    receipt_lines as (select * from {{ ref("stg_hc_kingdee__receipt_lines") }}),
    payment_lines as (select * from {{ ref("stg_hc_kingdee__payment_lines") }}),
    -- a number that came twice does not pay twice: the first invoice of that number is meant
    receivables as (
        select invoice_no, min(invoice_id) as invoice_id
        from {{ ref("stg_hc_kingdee__receivable_lines") }}
        group by invoice_no
    ),
    payables as (
        select invoice_no, min(invoice_id) as invoice_id
        from {{ ref("stg_hc_kingdee__payable_lines") }}
        group by invoice_no
    ),
    -- a bank line names no party: the line beside it in the same document does
    journal_items as (

        select
            * replace (
                max(source_customer) over document as source_customer,
                max(source_supplier) over document as source_supplier
            )
        from {{ ref("stg_hc_sap__journal_items") }}
        window document as (partition by source_company, fiscal_year, accounting_document_no)
        qualify source_account = '113100'

    ),
    customers as ({{ known_to_all("customer") }}),
    suppliers as ({{ known_to_all("supplier") }}),
    accounts as (select * from {{ ref("dim_account") }}),
    organisations as (select * from {{ ref("dim_organisation") }} where organisation_kind = 'company'),

    unioned as (

        select
            'HC' as company_code,
            'hc_kingdee' as source_system,
            'receipt_line' as source_stream,
            cast(lines.payment_line_id as text) as source_record,
            'customer_receipt' as payment_kind,
            lines.payment_no,
            cast(lines.payment_id as text) as payment_id,
            lines.source_customer,
            cast(null as text) as source_supplier,
            cast(receivables.invoice_id as text) as invoice_id,
            lines.settled_invoice_no as invoice_no,
            lines.payment_date,
            lines.source_status = 'C' as is_posted,
            lines.currency_code,
            lines.settled_amount_txn as bank_amount_txn
        from receipt_lines as lines
        left join receivables on lines.settled_invoice_no = receivables.invoice_no
        union all by name
        select
            'HC' as company_code,
            'hc_kingdee' as source_system,
            'payment_line' as source_stream,
            cast(lines.payment_line_id as text) as source_record,
            'supplier_payment' as payment_kind,
            lines.payment_no,
            cast(lines.payment_id as text) as payment_id,
            lines.source_supplier,
            cast(payables.invoice_id as text) as invoice_id,
            lines.settled_invoice_no as invoice_no,
            lines.payment_date,
            lines.source_status = 'C' as is_posted,
            lines.currency_code,
            - lines.settled_amount_txn as bank_amount_txn
        from payment_lines as lines
        left join payables on lines.settled_invoice_no = payables.invoice_no
        union all by name
        select
            'HCE' as company_code,
            'hc_sap' as source_system,
            'journal_item' as source_stream,
            source_company
            || '|'
            || fiscal_year
            || '|'
            || accounting_document_no
            || '|'
            || line_no as source_record,
            case
                source_document_type
                when 'DZ'
                then 'customer_receipt'
                when 'KZ'
                then 'supplier_payment'
                else 'other'
            end as payment_kind,
            accounting_document_no as payment_no,
            source_company || '-' || fiscal_year || '-' || accounting_document_no as payment_id,
            source_customer,
            source_supplier,
            entry_date as payment_date,
            true as is_posted,
            currency_code,
            amount_txn as bank_amount_txn
        from journal_items

    ),

    rated as ({{ priced_on("unioned", "payment_date") }})

select
    {{ key(["'payment'", "rated.source_system", "rated.source_stream", "rated.source_record"]) }}
    as payment_key,
    rated.payment_no as ledger_move_no,
    rated.payment_id as ledger_move_id,
    rated.payment_kind,
    case
        when rated.payment_kind = 'customer_receipt'
        then coalesce(customers.customer_key, 'unmatched')
        else 'not_applicable'
    end as customer_key,
    case
        when rated.payment_kind = 'supplier_payment'
        then coalesce(suppliers.supplier_key, 'unmatched')
        else 'not_applicable'
    end as supplier_key,
    rated.invoice_id,
    rated.invoice_no,
    rated.payment_date,
    -- the parent's documents do not name the account the money came to
    coalesce(accounts.account_key, 'not_applicable') as bank_account_key,
    rated.is_posted,
    rated.currency_code,
    cast(rated.bank_amount_txn as decimal(18, 2)) as bank_amount_txn,
    abs({{ at_price("rated.bank_amount_txn", "rated.cny_per_unit") }}) as paid_amount_cny,
    {{ at_price("rated.bank_amount_txn", "rated.cny_per_unit") }} as bank_amount_cny,
    rated.company_code,
    coalesce(organisations.organisation_key, 'unmatched') as company_key,
    rated.source_system,
    rated.source_stream,
    rated.source_record
from rated
left join organisations on rated.company_code = organisations.organisation_code
left join
    customers on rated.source_system = customers.source_system and rated.source_customer = customers.known_as
left join
    suppliers on rated.source_system = suppliers.source_system and rated.source_supplier = suppliers.known_as
left join
    accounts
    on rated.company_code = 'HCE'
    and accounts.source_system = 'hc_sap'
    and accounts.account_code = '113100'
