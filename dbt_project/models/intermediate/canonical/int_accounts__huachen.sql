-- The parent's chart (Kingdee: its codes begin with those of the standard chart) and the accounts the
-- subsidiary
-- posts to. SAP grants postings but no chart: what its codes mean is written down, code by code.
with

    kingdee_accounts as (select * from {{ ref("stg_hc_kingdee__accounts") }}),
    account_mappings as (select * from {{ ref("account_mappings") }} where source_system = 'hc_sap'),
    sap_accounts as (select distinct source_account from {{ ref("stg_hc_sap__journal_items") }}),
    standard_accounts as (select * from {{ ref("accounts_asbe_2006") }}),

    of_huachen as (

        select
            'HC' as company_code,
            source_account as account_code,
            account_name,
            source_parent_account as parent_account_code,
            left(source_account, 4) as standard_account_code,
            is_disabled as is_closed,
            'hc_kingdee' as source_system,
            'account' as source_stream,
            cast(account_id as text) as source_record
        from kingdee_accounts
        union all by name
        select
            'HCE' as company_code,
            sap_accounts.source_account as account_code,
            coalesce(account_mappings.account_name, sap_accounts.source_account) as account_name,
            account_mappings.standard_account as standard_account_code,
            false as is_closed,
            'hc_sap' as source_system,
            'journal_item' as source_stream,
            sap_accounts.source_account as source_record
        from sap_accounts
        left join account_mappings on sap_accounts.source_account = account_mappings.source_account

    )

select
    {{ key(["'account'", "of_huachen.source_system", "of_huachen.account_code"]) }} as account_key,
    of_huachen.* exclude (standard_account_code),
    case
        when of_huachen.standard_account_code in ('1001', '1002', '1012')
        then 'cash'
        when of_huachen.standard_account_code = '1122'
        then 'receivable'
        when of_huachen.standard_account_code = '2202'
        then 'payable'
        when of_huachen.standard_account_code between '1401' and '1411'
        then 'inventory'
        when of_huachen.standard_account_code = '2221'
        then 'tax'
        when of_huachen.standard_account_code in ('6001', '6051')
        then 'revenue'
        when of_huachen.standard_account_code in ('6401', '6402')
        then 'cost_of_sales'
        when of_huachen.standard_account_code in ('6601', '6602')
        then 'operating_expense'
        when of_huachen.standard_account_code = '6603'
        then 'finance_cost'
        else 'other'
    end as account_group,
    case when standard_accounts.class = '损益' then 'income' else 'balance' end as statement_code,
    standard_accounts.name as standard_account_name,
    standard_accounts.class as standard_class_name,
    standard_accounts.normal_balance as normal_balance_side,
    of_huachen.standard_account_code in ('6001', '6051') as is_revenue,
    coalesce(standard_accounts.class = '损益' and standard_accounts.normal_balance = '借', false) as is_expense,
    of_huachen.standard_account_code = '1122' as is_receivable,
    of_huachen.standard_account_code = '2202' as is_payable,
    of_huachen.standard_account_code between '1401' and '1411' as is_stock,
    of_huachen.standard_account_code between '1401' and '1411' as is_stock_balance,
    of_huachen.standard_account_code in ('1001', '1002', '1012') as is_cash,
    of_huachen.standard_account_code = '1122' as is_receivable_control,
    -- goods received and not yet invoiced (暂估) are owed too, but no invoice says so
    of_huachen.account_code in ('2202', '160000') as is_payable_control
from of_huachen
left join standard_accounts on of_huachen.standard_account_code = standard_accounts.code
