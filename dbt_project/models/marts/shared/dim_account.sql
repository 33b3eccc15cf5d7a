-- Accounts of every company's books, and two that are none.
with accounts as ({{ every_company("accounts") }})

select *
from accounts
union all by name
select
    'unmatched' as account_key,
    'unmatched' as account_code,
    '未匹配' as account_name,
    'other' as account_group,
    false as is_revenue,
    false as is_expense,
    false as is_receivable,
    false as is_payable,
    false as is_stock,
    false as is_stock_balance,
    false as is_cash,
    false as is_receivable_control,
    false as is_payable_control,
    false as is_closed,
    {{ provenance("tieout", "special_member", "'unmatched'") }}
union all by name
-- documents that name no account at all
select
    'not_applicable' as account_key,
    'not_applicable' as account_code,
    '不适用' as account_name,
    'other' as account_group,
    false as is_revenue,
    false as is_expense,
    false as is_receivable,
    false as is_payable,
    false as is_stock,
    false as is_stock_balance,
    false as is_cash,
    false as is_receivable_control,
    false as is_payable_control,
    false as is_closed,
    {{ provenance("tieout", "special_member", "'not_applicable'") }}
