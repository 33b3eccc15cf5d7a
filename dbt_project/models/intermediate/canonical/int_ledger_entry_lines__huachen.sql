-- The parent's vouchers (Kingdee, CNY) and the subsidiary's journal (SAP, EUR, converted at the rate of the
-- posting day; the last line of a document takes the cents, so that it balances in CNY too). A voucher that
-- carries income and expense to the year's profit (4103) closes accounts and is no revenue.
with

    voucher_lines as (select * from {{ ref("stg_hc_kingdee__gl_voucher_lines") }}),
    journal_items as (select * from {{ ref("stg_hc_sap__journal_items") }}),
    rates as (select * from {{ ref("int_exchange_rates__huachen") }}),
    accounts as (select * from {{ ref("dim_account") }}),
    customers as ({{ known_to_all("customer") }}),
    suppliers as ({{ known_to_all("supplier") }}),
    departments as (select * from {{ ref("int_departments__huachen") }}),
    organisations as (select * from {{ ref("dim_organisation") }} where organisation_kind = 'company'),

    unioned as (

        select
            'HC' as company_code,
            'hc_kingdee' as source_system,
            'gl_voucher_line' as source_stream,
            cast(ledger_line_id as text) as source_record,
            cast(ledger_line_id as text) as ledger_line_id,
            voucher_word
            || '-'
            || strftime(entry_date, '%Y%m')
            || '-'
            || lpad(cast(voucher_no as text), 4, '0') as ledger_move_no,
            'hc_kingdee ' || voucher_id as ledger_move_id,
            line_no,
            entry_date,
            fiscal_year,
            fiscal_period_number,
            voucher_word as journal_code,
            source_account,
            source_customer,
            source_supplier,
            source_department,
            source_document,
            line_description,
            currency_code,
            source_status = 'C' as is_posted,
            amount_txn,
            debit_amount_cny,
            credit_amount_cny
        from voucher_lines
        union all by name
        select
            'HCE' as company_code,
            'hc_sap' as source_system,
            'journal_item' as source_stream,
            items.source_company
            || '|'
            || items.fiscal_year
            || '|'
            || items.accounting_document_no
            || '|'
            || items.line_no as source_record,
            items.fiscal_year
            || ' '
            || items.accounting_document_no
            || ' '
            || items.line_no as ledger_line_id,
            items.fiscal_year || '-' || items.accounting_document_no as ledger_move_no,
            'hc_sap ' || items.fiscal_year || ' ' || items.accounting_document_no as ledger_move_id,
            items.line_no,
            items.entry_date,
            items.fiscal_year,
            items.fiscal_period_number,
            items.source_document_type as journal_code,
            items.source_account,
            items.source_customer,
            items.source_supplier,
            items.source_document,
            items.line_description,
            items.currency_code,
            true as is_posted,
            items.amount_txn,
            {{
                share_of_document(
                    at_price("items.amount_txn", "rates.cny_per_unit"),
                    "0",
                    "items.fiscal_year, items.accounting_document_no",
                    "items.line_no",
                )
            }} as balance_amount_cny
        from journal_items as items
        asof left join
            rates on items.currency_code = rates.currency_code and items.entry_date >= rates.rate_date

    ),

    signed as (

        select
            * exclude (balance_amount_cny, debit_amount_cny, credit_amount_cny),
            cast(
                coalesce(balance_amount_cny, debit_amount_cny - credit_amount_cny) as decimal(18, 2)
            ) as balance_amount_cny,
            cast(
                coalesce(debit_amount_cny, greatest(balance_amount_cny, 0)) as decimal(18, 2)
            ) as debit_amount_cny,
            cast(
                coalesce(credit_amount_cny, greatest(- balance_amount_cny, 0)) as decimal(18, 2)
            ) as credit_amount_cny,
            bool_or(source_account = '4103') over (partition by ledger_move_id) as is_closing
        from unioned

    )

select
    {{ key(["'ledger_entry_line'", "signed.source_system", "signed.ledger_line_id"]) }}
    as ledger_entry_line_key,
    signed.ledger_line_id,
    signed.ledger_move_no,
    signed.ledger_move_id,
    signed.entry_date,
    signed.entry_date as post_date,
    signed.fiscal_year || '-' || lpad(cast(signed.fiscal_period_number as text), 2, '0') as fiscal_period,
    signed.journal_code,
    coalesce(accounts.account_key, 'unmatched') as account_key,
    signed.source_account as account_code,
    coalesce(signed.source_customer, signed.source_supplier) as party_code,
    case
        when signed.source_customer is null
        then 'not_applicable'
        else coalesce(customers.customer_key, 'unmatched')
    end as customer_key,
    case
        when signed.source_supplier is null
        then 'not_applicable'
        else coalesce(suppliers.supplier_key, 'unmatched')
    end as supplier_key,
    case
        when signed.source_department is null
        then 'not_applicable'
        else coalesce(departments.organisation_key, 'unmatched')
    end as organisation_key,
    signed.debit_amount_cny,
    signed.credit_amount_cny,
    signed.balance_amount_cny,
    signed.currency_code,
    cast(
        case
            when signed.company_code = 'HC' then signed.balance_amount_cny else signed.amount_txn
        end as decimal(18, 2)
    ) as amount_txn,
    cast(
        case
            when coalesce(accounts.is_revenue, false) and not signed.is_closing
            then - signed.balance_amount_cny
            else 0
        end as decimal(18, 2)
    ) as revenue_amount_cny,
    signed.is_posted,
    coalesce(accounts.is_revenue, false) as is_revenue,
    coalesce(accounts.statement_code = 'income', false) as is_profit_and_loss,
    coalesce(accounts.is_receivable, false) as is_receivable,
    coalesce(accounts.is_payable, false) as is_payable,
    coalesce(accounts.is_stock_balance, false) as is_stock_balance,
    coalesce(accounts.is_cash, false) as is_cash,
    signed.is_closing,
    false as is_outside_operations,
    signed.source_document,
    signed.line_description as description,
    signed.company_code,
    coalesce(organisations.organisation_key, 'unmatched') as company_key,
    signed.source_system,
    signed.source_stream,
    signed.source_record
from signed
left join organisations on signed.company_code = organisations.organisation_code
left join
    accounts
    on signed.source_system = accounts.source_system
    and signed.source_account = accounts.account_code
left join
    customers
    on signed.source_system = customers.source_system
    and signed.source_customer = customers.known_as
left join
    suppliers
    on signed.source_system = suppliers.source_system
    and signed.source_supplier = suppliers.known_as
left join
    departments
    on signed.source_system = departments.source_system
    and signed.source_department = departments.known_as
