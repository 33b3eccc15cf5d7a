with

    ledger_lines as (select * from {{ ref("stg_hx_finance__ledger_lines") }}),
    ledger_moves as (select * from {{ ref("stg_hx_finance__ledger_moves") }}),
    companies as (select * from {{ ref("stg_hx_finance__companies") }}),
    accounts as (select * from {{ ref("dim_account") }} where company_code = 'HX'),
    customers as ({{ known_to("hx_sales", "customer") }}),
    suppliers as ({{ known_to("hx_purchasing", "supplier") }}),
    last_day as (select * from {{ ref("int_operations__last_day") }}),

    posted as (

        select
            ledger_lines.*,
            ledger_moves.ledger_move_no,
            ledger_moves.journal_code,
            ledger_moves.fiscal_period,
            ledger_moves.move_description,
            ledger_moves.source_document,
            ledger_moves.entry_date,
            ledger_moves.post_date,
            coalesce(ledger_moves.source_status = 'posted', false) as is_posted,
            {{ reference_id("account.invoice", "ledger_moves.source_document") }} as invoice_id,
            {{ reference_id("stock.move", "ledger_moves.source_document") }} as stock_move_id,
            date_diff('day', last_day.last_operational_date, ledger_moves.entry_date)
            > {{ var("outside_operations_after_days") }} as is_outside_operations
        from ledger_lines
        cross join last_day
        left join ledger_moves on ledger_lines.ledger_move_id = ledger_moves.ledger_move_id

    )

select
    {{ key(["'ledger_entry_line'", "posted.ledger_line_id"]) }} as ledger_entry_line_key,
    cast(posted.ledger_line_id as text) as ledger_line_id,
    posted.ledger_move_no,
    cast(posted.ledger_move_id as text) as ledger_move_id,
    posted.entry_date,
    posted.post_date,
    posted.due_date,
    posted.fiscal_period,
    posted.journal_code,
    coalesce(accounts.account_key, 'unmatched') as account_key,
    posted.account_code,
    posted.party_code,
    -- a line about a supplier has no customer; one about a party that is neither, nor the company itself,
    -- belongs to somebody nobody knows
    case
        when customers.customer_key is not null
        then customers.customer_key
        when
            posted.party_code is null
            or suppliers.supplier_key is not null
            or companies.company_code is not null
        then 'not_applicable'
        else 'unmatched'
    end as customer_key,
    case
        when suppliers.supplier_key is not null
        then suppliers.supplier_key
        when
            posted.party_code is null
            or customers.customer_key is not null
            or companies.company_code is not null
        then 'not_applicable'
        else 'unmatched'
    end as supplier_key,
    posted.debit_amount_cny,
    posted.credit_amount_cny,
    cast(posted.debit_amount_cny - posted.credit_amount_cny as decimal(18, 2)) as balance_amount_cny,
    coalesce(posted.second_currency_code, '{{ var("reporting_currency") }}') as currency_code,
    case
        when posted.second_currency_code is null
        then cast(posted.debit_amount_cny - posted.credit_amount_cny as decimal(18, 2))
        else posted.second_currency_amount
    end as amount_txn,
    cast(
        case
            when coalesce(accounts.is_revenue, false)
            then posted.credit_amount_cny - posted.debit_amount_cny
            else 0
        end as decimal(18, 2)
    ) as revenue_amount_cny,
    posted.is_posted,
    posted.reconciliation_id is not null as is_reconciled,
    cast(posted.reconciliation_id as text) as reconciliation_id,
    coalesce(accounts.is_revenue, false) as is_revenue,
    coalesce(accounts.statement_code = 'income', false) as is_profit_and_loss,
    coalesce(accounts.is_receivable, false) as is_receivable,
    coalesce(accounts.is_payable, false) as is_payable,
    coalesce(accounts.is_stock_balance, false) as is_stock_balance,
    coalesce(accounts.is_cash, false) as is_cash,
    coalesce(posted.is_outside_operations, false) as is_outside_operations,
    posted.source_document,
    posted.line_source_document,
    cast(posted.invoice_id as text) as invoice_id,
    cast(posted.stock_move_id as text) as stock_move_id,
    coalesce(posted.line_description, posted.move_description) as description,
    'not_applicable' as organisation_key,
    -- no year of its books was closed
    false as is_closing,
    {{ of_company("HX") }},
    {{ provenance("hx_finance", "ledger_line", "posted.ledger_line_id") }}
from posted
left join accounts on posted.account_code = accounts.account_code
left join customers on posted.party_code = customers.known_as
left join suppliers on posted.party_code = suppliers.known_as
left join companies on posted.party_code = companies.company_code
