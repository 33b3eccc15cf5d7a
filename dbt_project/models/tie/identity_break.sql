-- generated from expectations/reconciliation/*.yaml by `make sync`; do not edit
select
    'attendance_equals_timesheet' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'missing_left' as cause,
    'not_clocked' as cause_name,
    '有工时但当天没有打卡' as cause_title_zh,
    'Hours written down, nobody clocked that day' as cause_title_en,
    not_clocked_amount as cause_amount,
    not_clocked_evidence as evidence,
    not_clocked_documents as documents,
    cast(null as text) as suspect,
    'hr' as owner
from {{ ref("identity_attendance_equals_timesheet") }}
where not_clocked_amount <> 0
union all
select
    'attendance_equals_timesheet' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'hr' as owner
from {{ ref("identity_attendance_equals_timesheet") }}
where unexplained <> 0
union all
select
    'bank_payments_equal_payable_reductions' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'currency' as cause,
    'currency' as cause_name,
    '汇兑差调整应付' as cause_title_zh,
    'Exchange differences booked on payables' as cause_title_en,
    currency_amount as cause_amount,
    currency_evidence as evidence,
    currency_documents as documents,
    cast(null as text) as suspect,
    'finance' as owner
from {{ ref("identity_bank_payments_equal_payable_reductions") }}
where currency_amount <> 0
union all
select
    'bank_payments_equal_payable_reductions' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'open' as cause,
    'part_payment' as cause_name,
    '未结清发票的部分付款' as cause_title_zh,
    'Part payments on open invoices' as cause_title_en,
    part_payment_amount as cause_amount,
    part_payment_evidence as evidence,
    part_payment_documents as documents,
    cast(null as text) as suspect,
    'finance' as owner
from {{ ref("identity_bank_payments_equal_payable_reductions") }}
where part_payment_amount <> 0
union all
select
    'bank_payments_equal_payable_reductions' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'rounding' as cause,
    'rounding' as cause_name,
    '外币发票逐行折算入账的尾差' as cause_title_zh,
    'The ledger converts foreign invoices line by line' as cause_title_en,
    rounding_amount as cause_amount,
    rounding_evidence as evidence,
    rounding_documents as documents,
    cast(null as text) as suspect,
    'finance' as owner
from {{ ref("identity_bank_payments_equal_payable_reductions") }}
where rounding_amount <> 0
union all
select
    'bank_payments_equal_payable_reductions' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'finance' as owner
from {{ ref("identity_bank_payments_equal_payable_reductions") }}
where unexplained <> 0
union all
select
    'bank_receipts_equal_receivable_reductions' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'currency' as cause,
    'currency' as cause_name,
    '汇兑差调整应收' as cause_title_zh,
    'Exchange differences booked on receivables' as cause_title_en,
    currency_amount as cause_amount,
    currency_evidence as evidence,
    currency_documents as documents,
    cast(null as text) as suspect,
    'finance' as owner
from {{ ref("identity_bank_receipts_equal_receivable_reductions") }}
where currency_amount <> 0
union all
select
    'bank_receipts_equal_receivable_reductions' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'open' as cause,
    'part_payment' as cause_name,
    '未结清发票的部分收款' as cause_title_zh,
    'Part payments on open invoices' as cause_title_en,
    part_payment_amount as cause_amount,
    part_payment_evidence as evidence,
    part_payment_documents as documents,
    cast(null as text) as suspect,
    'finance' as owner
from {{ ref("identity_bank_receipts_equal_receivable_reductions") }}
where part_payment_amount <> 0
union all
select
    'bank_receipts_equal_receivable_reductions' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'rounding' as cause,
    'rounding' as cause_name,
    '外币发票逐行折算入账的尾差' as cause_title_zh,
    'The ledger converts foreign invoices line by line' as cause_title_en,
    rounding_amount as cause_amount,
    rounding_evidence as evidence,
    rounding_documents as documents,
    cast(null as text) as suspect,
    'finance' as owner
from {{ ref("identity_bank_receipts_equal_receivable_reductions") }}
where rounding_amount <> 0
union all
select
    'bank_receipts_equal_receivable_reductions' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'finance' as owner
from {{ ref("identity_bank_receipts_equal_receivable_reductions") }}
where unexplained <> 0
union all
select
    'booked_to_shipped' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'timing' as cause,
    'timing' as cause_name,
    '订货与发货不在同一个月' as cause_title_zh,
    'Ordered and shipped in different months' as cause_title_en,
    timing_amount as cause_amount,
    timing_evidence as evidence,
    timing_documents as documents,
    cast(null as text) as suspect,
    'sales' as owner
from {{ ref("identity_booked_to_shipped") }}
where timing_amount <> 0
union all
select
    'booked_to_shipped' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'scope' as cause,
    'scope' as cause_name,
    '服务，没有实物可发' as cause_title_zh,
    'Services, nothing to ship' as cause_title_en,
    scope_amount as cause_amount,
    scope_evidence as evidence,
    scope_documents as documents,
    cast(null as text) as suspect,
    'sales' as owner
from {{ ref("identity_booked_to_shipped") }}
where scope_amount <> 0
union all
select
    'booked_to_shipped' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'open' as cause,
    'open' as cause_name,
    '已订货，仓库尚未发货' as cause_title_zh,
    'Ordered, still to be shipped' as cause_title_en,
    open_amount as cause_amount,
    open_evidence as evidence,
    open_documents as documents,
    cast(null as text) as suspect,
    'sales' as owner
from {{ ref("identity_booked_to_shipped") }}
where open_amount <> 0
union all
select
    'booked_to_shipped' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'currency' as cause,
    'currency' as cause_name,
    '订货日与发货日的汇率不同' as cause_title_zh,
    'Exchange rates of the order day and the shipping day' as cause_title_en,
    currency_amount as cause_amount,
    currency_evidence as evidence,
    currency_documents as documents,
    cast(null as text) as suspect,
    'sales' as owner
from {{ ref("identity_booked_to_shipped") }}
where currency_amount <> 0
union all
select
    'booked_to_shipped' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'rounding' as cause,
    'rounding' as cause_name,
    '分摊与四舍五入' as cause_title_zh,
    'Rounding' as cause_title_en,
    rounding_amount as cause_amount,
    rounding_evidence as evidence,
    rounding_documents as documents,
    cast(null as text) as suspect,
    'sales' as owner
from {{ ref("identity_booked_to_shipped") }}
where rounding_amount <> 0
union all
select
    'booked_to_shipped' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'sales' as owner
from {{ ref("identity_booked_to_shipped") }}
where unexplained <> 0
union all
select
    'invoices_equal_ledger_revenue' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'rounding' as cause,
    'rounding' as cause_name,
    '外币发票逐行折算入账的尾差' as cause_title_zh,
    'The ledger converts foreign invoices line by line' as cause_title_en,
    rounding_amount as cause_amount,
    rounding_evidence as evidence,
    rounding_documents as documents,
    cast(null as text) as suspect,
    'finance' as owner
from {{ ref("identity_invoices_equal_ledger_revenue") }}
where rounding_amount <> 0
union all
select
    'invoices_equal_ledger_revenue' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'finance' as owner
from {{ ref("identity_invoices_equal_ledger_revenue") }}
where unexplained <> 0
union all
select
    'ledger_debit_equals_credit' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'finance' as owner
from {{ ref("identity_ledger_debit_equals_credit") }}
where unexplained <> 0
union all
select
    'ordered_quantity_is_shipped_or_open' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'sales' as owner
from {{ ref("identity_ordered_quantity_is_shipped_or_open") }}
where unexplained <> 0
union all
select
    'payable_open_invoices_equal_ledger_2202' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'open' as cause,
    'part_payment' as cause_name,
    '未结清发票的部分付款' as cause_title_zh,
    'Part payments on open invoices' as cause_title_en,
    part_payment_amount as cause_amount,
    part_payment_evidence as evidence,
    part_payment_documents as documents,
    cast(null as text) as suspect,
    'purchasing' as owner
from {{ ref("identity_payable_open_invoices_equal_ledger_2202") }}
where part_payment_amount <> 0
union all
select
    'payable_open_invoices_equal_ledger_2202' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'rounding' as cause,
    'rounding' as cause_name,
    '外币发票逐行折算入账的尾差' as cause_title_zh,
    'The ledger converts foreign invoices line by line' as cause_title_en,
    rounding_amount as cause_amount,
    rounding_evidence as evidence,
    rounding_documents as documents,
    cast(null as text) as suspect,
    'purchasing' as owner
from {{ ref("identity_payable_open_invoices_equal_ledger_2202") }}
where rounding_amount <> 0
union all
select
    'payable_open_invoices_equal_ledger_2202' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'purchasing' as owner
from {{ ref("identity_payable_open_invoices_equal_ledger_2202") }}
where unexplained <> 0
union all
select
    'produced_equals_stock_moves_in' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'quantity' as cause,
    'scrap' as cause_name,
    '报废' as cause_title_zh,
    'Scrapped' as cause_title_en,
    scrap_amount as cause_amount,
    scrap_evidence as evidence,
    scrap_documents as documents,
    cast(null as text) as suspect,
    'production' as owner
from {{ ref("identity_produced_equals_stock_moves_in") }}
where scrap_amount <> 0
union all
select
    'produced_equals_stock_moves_in' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'production' as owner
from {{ ref("identity_produced_equals_stock_moves_in") }}
where unexplained <> 0
union all
select
    'purchased_quantity_is_received_or_open' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'purchasing' as owner
from {{ ref("identity_purchased_quantity_is_received_or_open") }}
where unexplained <> 0
union all
select
    'receivable_open_invoices_equal_ledger_1122' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'open' as cause,
    'part_payment' as cause_name,
    '未结清发票的部分收款' as cause_title_zh,
    'Part payments on open invoices' as cause_title_en,
    part_payment_amount as cause_amount,
    part_payment_evidence as evidence,
    part_payment_documents as documents,
    cast(null as text) as suspect,
    'sales' as owner
from {{ ref("identity_receivable_open_invoices_equal_ledger_1122") }}
where part_payment_amount <> 0
union all
select
    'receivable_open_invoices_equal_ledger_1122' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'rounding' as cause,
    'rounding' as cause_name,
    '外币发票逐行折算入账的尾差' as cause_title_zh,
    'The ledger converts foreign invoices line by line' as cause_title_en,
    rounding_amount as cause_amount,
    rounding_evidence as evidence,
    rounding_documents as documents,
    cast(null as text) as suspect,
    'sales' as owner
from {{ ref("identity_receivable_open_invoices_equal_ledger_1122") }}
where rounding_amount <> 0
union all
select
    'receivable_open_invoices_equal_ledger_1122' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'sales' as owner
from {{ ref("identity_receivable_open_invoices_equal_ledger_1122") }}
where unexplained <> 0
union all
select
    'received_to_invoiced' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'timing' as cause,
    'timing' as cause_name,
    '收货与开票不在同一个月' as cause_title_zh,
    'Received and invoiced in different months' as cause_title_en,
    timing_amount as cause_amount,
    timing_evidence as evidence,
    timing_documents as documents,
    cast(null as text) as suspect,
    'purchasing' as owner
from {{ ref("identity_received_to_invoiced") }}
where timing_amount <> 0
union all
select
    'received_to_invoiced' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'open' as cause,
    'received_not_invoiced' as cause_name,
    '已收货，发票还是草稿' as cause_title_zh,
    'Received, the invoice is still a draft' as cause_title_en,
    received_not_invoiced_amount as cause_amount,
    received_not_invoiced_evidence as evidence,
    received_not_invoiced_documents as documents,
    cast(null as text) as suspect,
    'purchasing' as owner
from {{ ref("identity_received_to_invoiced") }}
where received_not_invoiced_amount <> 0
union all
select
    'received_to_invoiced' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'open' as cause,
    'invoiced_not_received' as cause_name,
    '已开票，仓库尚未收货' as cause_title_zh,
    'Invoiced, still to be received' as cause_title_en,
    invoiced_not_received_amount as cause_amount,
    invoiced_not_received_evidence as evidence,
    invoiced_not_received_documents as documents,
    cast(null as text) as suspect,
    'purchasing' as owner
from {{ ref("identity_received_to_invoiced") }}
where invoiced_not_received_amount <> 0
union all
select
    'received_to_invoiced' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'scope' as cause,
    'scope' as cause_name,
    '运费等服务，没有实物可收' as cause_title_zh,
    'Services such as freight, nothing to receive' as cause_title_en,
    scope_amount as cause_amount,
    scope_evidence as evidence,
    scope_documents as documents,
    cast(null as text) as suspect,
    'purchasing' as owner
from {{ ref("identity_received_to_invoiced") }}
where scope_amount <> 0
union all
select
    'received_to_invoiced' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'currency' as cause,
    'currency' as cause_name,
    '收货日与开票日的汇率不同' as cause_title_zh,
    'Exchange rates of the receipt day and the invoice day' as cause_title_en,
    currency_amount as cause_amount,
    currency_evidence as evidence,
    currency_documents as documents,
    cast(null as text) as suspect,
    'purchasing' as owner
from {{ ref("identity_received_to_invoiced") }}
where currency_amount <> 0
union all
select
    'received_to_invoiced' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'rounding' as cause,
    'rounding' as cause_name,
    '分摊与四舍五入' as cause_title_zh,
    'Rounding' as cause_title_en,
    rounding_amount as cause_amount,
    rounding_evidence as evidence,
    rounding_documents as documents,
    cast(null as text) as suspect,
    'purchasing' as owner
from {{ ref("identity_received_to_invoiced") }}
where rounding_amount <> 0
union all
select
    'received_to_invoiced' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'purchasing' as owner
from {{ ref("identity_received_to_invoiced") }}
where unexplained <> 0
union all
select
    'shipped_to_revenue' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'timing' as cause,
    'timing' as cause_name,
    '发货与开票不在同一个月' as cause_title_zh,
    'Shipped and invoiced in different months' as cause_title_en,
    timing_amount as cause_amount,
    timing_evidence as evidence,
    timing_documents as documents,
    cast(null as text) as suspect,
    'finance' as owner
from {{ ref("identity_shipped_to_revenue") }}
where timing_amount <> 0
union all
select
    'shipped_to_revenue' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'open' as cause,
    'shipped_not_invoiced' as cause_name,
    '已发货，发票还是草稿' as cause_title_zh,
    'Shipped, the invoice is still a draft' as cause_title_en,
    shipped_not_invoiced_amount as cause_amount,
    shipped_not_invoiced_evidence as evidence,
    shipped_not_invoiced_documents as documents,
    cast(null as text) as suspect,
    'finance' as owner
from {{ ref("identity_shipped_to_revenue") }}
where shipped_not_invoiced_amount <> 0
union all
select
    'shipped_to_revenue' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'open' as cause,
    'invoiced_not_shipped' as cause_name,
    '已开票，仓库尚未发货' as cause_title_zh,
    'Invoiced, still to be shipped' as cause_title_en,
    invoiced_not_shipped_amount as cause_amount,
    invoiced_not_shipped_evidence as evidence,
    invoiced_not_shipped_documents as documents,
    cast(null as text) as suspect,
    'finance' as owner
from {{ ref("identity_shipped_to_revenue") }}
where invoiced_not_shipped_amount <> 0
union all
select
    'shipped_to_revenue' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'scope' as cause,
    'scope' as cause_name,
    '服务收入，没有实物可发' as cause_title_zh,
    'Services, nothing to ship' as cause_title_en,
    scope_amount as cause_amount,
    scope_evidence as evidence,
    scope_documents as documents,
    cast(null as text) as suspect,
    'finance' as owner
from {{ ref("identity_shipped_to_revenue") }}
where scope_amount <> 0
union all
select
    'shipped_to_revenue' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'currency' as cause,
    'currency' as cause_name,
    '发货日与开票日的汇率不同' as cause_title_zh,
    'Exchange rates of the shipping day and the invoice day' as cause_title_en,
    currency_amount as cause_amount,
    currency_evidence as evidence,
    currency_documents as documents,
    cast(null as text) as suspect,
    'finance' as owner
from {{ ref("identity_shipped_to_revenue") }}
where currency_amount <> 0
union all
select
    'shipped_to_revenue' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'rounding' as cause,
    'invoice_rounding' as cause_name,
    '分摊与四舍五入' as cause_title_zh,
    'Rounding' as cause_title_en,
    invoice_rounding_amount as cause_amount,
    invoice_rounding_evidence as evidence,
    invoice_rounding_documents as documents,
    cast(null as text) as suspect,
    'finance' as owner
from {{ ref("identity_shipped_to_revenue") }}
where invoice_rounding_amount <> 0
union all
select
    'shipped_to_revenue' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'rounding' as cause,
    'ledger_rounding' as cause_name,
    '外币发票逐行折算入账的尾差' as cause_title_zh,
    'The ledger converts foreign invoices line by line' as cause_title_en,
    ledger_rounding_amount as cause_amount,
    ledger_rounding_evidence as evidence,
    ledger_rounding_documents as documents,
    cast(null as text) as suspect,
    'finance' as owner
from {{ ref("identity_shipped_to_revenue") }}
where ledger_rounding_amount <> 0
union all
select
    'shipped_to_revenue' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'finance' as owner
from {{ ref("identity_shipped_to_revenue") }}
where unexplained <> 0
union all
select
    'source_control_totals_equal_loaded' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'scope' as cause,
    'quarantined' as cause_name,
    '已隔离的行' as cause_title_zh,
    'Rows in quarantine' as cause_title_en,
    quarantined_amount as cause_amount,
    quarantined_evidence as evidence,
    quarantined_documents as documents,
    cast(null as text) as suspect,
    'platform' as owner
from {{ ref("identity_source_control_totals_equal_loaded") }}
where quarantined_amount <> 0
union all
select
    'source_control_totals_equal_loaded' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'platform' as owner
from {{ ref("identity_source_control_totals_equal_loaded") }}
where unexplained <> 0
union all
select
    'stock_balance_equals_moves' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'inventory' as owner
from {{ ref("identity_stock_balance_equals_moves") }}
where unexplained <> 0
union all
select
    'stock_book_equals_count' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'quantity' as cause,
    'loss_or_gain' as cause_name,
    '盘盈盘亏移动' as cause_title_zh,
    'Gains and losses booked by stock moves' as cause_title_en,
    loss_or_gain_amount as cause_amount,
    loss_or_gain_evidence as evidence,
    loss_or_gain_documents as documents,
    cast(null as text) as suspect,
    'inventory' as owner
from {{ ref("identity_stock_book_equals_count") }}
where loss_or_gain_amount <> 0
union all
select
    'stock_book_equals_count' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'inventory' as owner
from {{ ref("identity_stock_book_equals_count") }}
where unexplained <> 0
union all
select
    'stock_rolls_forward' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'inventory' as owner
from {{ ref("identity_stock_rolls_forward") }}
where unexplained <> 0
union all
select
    'stock_value_equals_ledger' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'currency' as cause,
    'currency' as cause_name,
    '外币收货：库存系统用最新汇率，总账用收货日汇率' as cause_title_zh,
    'Foreign receipts: last known rate in stock, rate of the day in the ledger' as cause_title_en,
    currency_amount as cause_amount,
    currency_evidence as evidence,
    currency_documents as documents,
    cast(null as text) as suspect,
    'inventory' as owner
from {{ ref("identity_stock_value_equals_ledger") }}
where currency_amount <> 0
union all
select
    'stock_value_equals_ledger' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'rounding' as cause,
    'rounding' as cause_name,
    '平均成本四位小数与分位尾差' as cause_title_zh,
    'Average cost of four decimals, ledger lines of whole cents' as cause_title_en,
    rounding_amount as cause_amount,
    rounding_evidence as evidence,
    rounding_documents as documents,
    cast(null as text) as suspect,
    'inventory' as owner
from {{ ref("identity_stock_value_equals_ledger") }}
where rounding_amount <> 0
union all
select
    'stock_value_equals_ledger' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'inventory' as owner
from {{ ref("identity_stock_value_equals_ledger") }}
where unexplained <> 0
union all
select
    'supplier_invoices_equal_ledger_purchases' as identity,
    group_key,
    group_name,
    status,
    left_value,
    right_value,
    difference,
    'unexplained' as cause,
    'unexplained' as cause_name,
    '未解释' as cause_title_zh,
    'Unexplained' as cause_title_en,
    unexplained as cause_amount,
    unexplained_evidence as evidence,
    unexplained_documents as documents,
    unexplained_suspect as suspect,
    'finance' as owner
from {{ ref("identity_supplier_invoices_equal_ledger_purchases") }}
where unexplained <> 0
