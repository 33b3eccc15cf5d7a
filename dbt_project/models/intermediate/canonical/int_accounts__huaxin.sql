-- Accounts of the ledger; the account an invoice owes its total to is the control account of that sub-ledger.
with

    accounts as (select * from {{ ref("stg_hx_finance__accounts") }}),
    invoices as (select * from {{ ref("stg_hx_finance__invoices") }}),
    account_types as (select * from {{ ref("account_types") }}),
    standard_accounts as (select * from {{ ref("accounts_asbe_2006") }}),

    control_accounts as (

        select
            control_account_code as account_code,
            bool_or(invoice_type = 'out') as is_receivable_control,
            bool_or(invoice_type = 'in') as is_payable_control
        from invoices
        group by control_account_code

    )

select
    {{ key(["'account'", "accounts.account_code"]) }} as account_key,
    accounts.account_code,
    accounts.account_name,
    accounts.parent_account_code,
    accounts.account_type_name,
    coalesce(account_types.account_group, 'other') as account_group,
    accounts.statement_code,
    standard_accounts.name as standard_account_name,
    standard_accounts.class as standard_class_name,
    standard_accounts.normal_balance as normal_balance_side,
    accounts.is_revenue,
    accounts.is_expense,
    accounts.is_receivable,
    accounts.is_payable,
    accounts.is_stock,
    accounts.is_stock and coalesce(accounts.statement_code = 'balance', false) as is_stock_balance,
    coalesce(account_types.is_cash, false) as is_cash,
    coalesce(control_accounts.is_receivable_control, false) as is_receivable_control,
    coalesce(control_accounts.is_payable_control, false) as is_payable_control,
    accounts.is_closed,
    'HX' as company_code,
    {{ provenance("hx_finance", "account", "accounts.account_id") }}
from accounts
left join account_types on accounts.account_type_name = account_types.type_name
left join standard_accounts on accounts.account_code = standard_accounts.code
left join control_accounts on accounts.account_code = control_accounts.account_code
