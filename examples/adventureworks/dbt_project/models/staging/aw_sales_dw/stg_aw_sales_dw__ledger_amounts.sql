-- What the finance extract states of a month: actual (1), budget (2) and forecast (3), by organisation and
-- account.
select
    cast(amounts.finance_key as text) as ledger_amount_id,
    {{ aw_day("amounts.stated_on") }} as stated_on,
    -- the month as its own calendar has it: 4,170 days are no number of months
    cast(date_trunc('month', amounts.stated_on) as date) as source_month_start_date,
    cast(amounts.organisation_key as text) as source_organisation,
    amounts.scenario_key,
    accounts.account_code,
    accounts.account_name,
    accounts.account_type,
    cast(round(amounts.amount, 2) as decimal(18, 2)) as stated_amount
from {{ source("aw_sales_dw", "ledger_amount") }} as amounts
left join {{ source("aw_sales_dw", "account") }} as accounts on amounts.account_key = accounts.account_key
where not amounts._is_deleted
