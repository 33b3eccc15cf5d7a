-- generated from expectations/reconciliation/*.yaml by `make sync`; do not edit
select
    'attendance_equals_timesheet' as identity,
    '考勤时长等于填报工时' as title_zh,
    'Hours present equal hours written down' as title_en,
    'hr' as owner,
    'production' as with_department,
    'warning' as severity,
    'hours' as unit,
    '考勤：在岗时长' as left_label_zh,
    'Attendance: hours present' as left_label_en,
    '工时：填报时长' as right_label_zh,
    'Timesheets: hours written down' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    coalesce(sum(left_value), 0) as left_total,
    coalesce(sum(right_value), 0) as right_total,
    coalesce(sum(difference), 0) as difference,
    coalesce(sum(explained), 0) as explained,
    coalesce(sum(unexplained), 0) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_attendance_equals_timesheet") }}
union all
select
    'bank_payments_equal_payable_reductions' as identity,
    '银行付款等于结清的供应商发票' as title_zh,
    'Bank payments equal the supplier invoices they settle' as title_en,
    'finance' as owner,
    'purchasing' as with_department,
    'critical' as severity,
    'CNY' as unit,
    '银行付款' as left_label_zh,
    'Bank payments' as left_label_en,
    '已结清发票（价税合计）' as right_label_zh,
    'Settled invoices (gross)' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    coalesce(sum(left_value), 0) as left_total,
    coalesce(sum(right_value), 0) as right_total,
    coalesce(sum(difference), 0) as difference,
    coalesce(sum(explained), 0) as explained,
    coalesce(sum(unexplained), 0) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_bank_payments_equal_payable_reductions") }}
union all
select
    'bank_receipts_equal_receivable_reductions' as identity,
    '银行收款等于结清的客户发票' as title_zh,
    'Bank receipts equal the customer invoices they settle' as title_en,
    'finance' as owner,
    'sales' as with_department,
    'critical' as severity,
    'CNY' as unit,
    '银行收款' as left_label_zh,
    'Bank receipts' as left_label_en,
    '已结清发票（价税合计）' as right_label_zh,
    'Settled invoices (gross)' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    coalesce(sum(left_value), 0) as left_total,
    coalesce(sum(right_value), 0) as right_total,
    coalesce(sum(difference), 0) as difference,
    coalesce(sum(explained), 0) as explained,
    coalesce(sum(unexplained), 0) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_bank_receipts_equal_receivable_reductions") }}
union all
select
    'booked_to_shipped' as identity,
    '从订单额到发货额' as title_zh,
    'From orders booked to goods shipped' as title_en,
    'sales' as owner,
    'inventory' as with_department,
    'warning' as severity,
    'CNY' as unit,
    '销售：订单额（未税）' as left_label_zh,
    'Sales: orders booked (net)' as left_label_en,
    '仓库：发货额（订单价，扣除退货）' as right_label_zh,
    'Warehouse: shipped at order price, net of returns' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    coalesce(sum(left_value), 0) as left_total,
    coalesce(sum(right_value), 0) as right_total,
    coalesce(sum(difference), 0) as difference,
    coalesce(sum(explained), 0) as explained,
    coalesce(sum(unexplained), 0) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_booked_to_shipped") }}
union all
select
    'invoices_equal_ledger_revenue' as identity,
    '已过账客户发票等于总账收入' as title_zh,
    'Posted customer invoices equal revenue in the ledger' as title_en,
    'finance' as owner,
    'sales' as with_department,
    'critical' as severity,
    'CNY' as unit,
    '已过账发票（未税）' as left_label_zh,
    'Posted invoices (net)' as left_label_en,
    '总账收入' as right_label_zh,
    'Revenue in the ledger' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    coalesce(sum(left_value), 0) as left_total,
    coalesce(sum(right_value), 0) as right_total,
    coalesce(sum(difference), 0) as difference,
    coalesce(sum(explained), 0) as explained,
    coalesce(sum(unexplained), 0) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_invoices_equal_ledger_revenue") }}
union all
select
    'ledger_debit_equals_credit' as identity,
    '每张凭证借贷相等' as title_zh,
    'Every voucher''s debit equals its credit' as title_en,
    'finance' as owner,
    'finance' as with_department,
    'critical' as severity,
    'CNY' as unit,
    '借方' as left_label_zh,
    'Debit' as left_label_en,
    '贷方' as right_label_zh,
    'Credit' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    coalesce(sum(left_value), 0) as left_total,
    coalesce(sum(right_value), 0) as right_total,
    coalesce(sum(difference), 0) as difference,
    coalesce(sum(explained), 0) as explained,
    coalesce(sum(unexplained), 0) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_ledger_debit_equals_credit") }}
union all
select
    'ordered_quantity_is_shipped_or_open' as identity,
    '订货数量等于已发加未发' as title_zh,
    'Every ordered quantity is shipped or open' as title_en,
    'sales' as owner,
    'inventory' as with_department,
    'critical' as severity,
    'base unit of the product' as unit,
    '订货数量' as left_label_zh,
    'Ordered' as left_label_en,
    '已发数量加待发数量' as right_label_zh,
    'Shipped plus open' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    cast(null as decimal(38, 4)) as left_total,
    cast(null as decimal(38, 4)) as right_total,
    cast(null as decimal(38, 4)) as difference,
    cast(null as decimal(38, 4)) as explained,
    cast(null as decimal(38, 4)) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_ordered_quantity_is_shipped_or_open") }}
union all
select
    'payable_open_invoices_equal_ledger_2202' as identity,
    '未付款供应商发票等于总账应付' as title_zh,
    'Open supplier invoices equal the payables account' as title_en,
    'purchasing' as owner,
    'finance' as with_department,
    'critical' as severity,
    'CNY' as unit,
    '未付款发票（价税合计）' as left_label_zh,
    'Open invoices (gross)' as left_label_en,
    '总账应付账款余额' as right_label_zh,
    'Balance of the payables account' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    coalesce(sum(left_value), 0) as left_total,
    coalesce(sum(right_value), 0) as right_total,
    coalesce(sum(difference), 0) as difference,
    coalesce(sum(explained), 0) as explained,
    coalesce(sum(unexplained), 0) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_payable_open_invoices_equal_ledger_2202") }}
union all
select
    'produced_equals_stock_moves_in' as identity,
    '完工数量等于生产入库' as title_zh,
    'Finished work orders equal stock taken in from production' as title_en,
    'production' as owner,
    'inventory' as with_department,
    'warning' as severity,
    'piece' as unit,
    '完工工单计划数量' as left_label_zh,
    'Planned by finished work orders' as left_label_en,
    '生产入库数量' as right_label_zh,
    'Taken into stock from production' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    coalesce(sum(left_value), 0) as left_total,
    coalesce(sum(right_value), 0) as right_total,
    coalesce(sum(difference), 0) as difference,
    coalesce(sum(explained), 0) as explained,
    coalesce(sum(unexplained), 0) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_produced_equals_stock_moves_in") }}
union all
select
    'purchased_quantity_is_received_or_open' as identity,
    '采购数量等于已收加未收' as title_zh,
    'Every purchased quantity is received or open' as title_en,
    'purchasing' as owner,
    'inventory' as with_department,
    'critical' as severity,
    'base unit of the product' as unit,
    '采购数量' as left_label_zh,
    'Ordered' as left_label_en,
    '已收数量加待收数量' as right_label_zh,
    'Received plus open' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    cast(null as decimal(38, 4)) as left_total,
    cast(null as decimal(38, 4)) as right_total,
    cast(null as decimal(38, 4)) as difference,
    cast(null as decimal(38, 4)) as explained,
    cast(null as decimal(38, 4)) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_purchased_quantity_is_received_or_open") }}
union all
select
    'receivable_open_invoices_equal_ledger_1122' as identity,
    '未收款客户发票等于总账应收' as title_zh,
    'Open customer invoices equal the receivables account' as title_en,
    'sales' as owner,
    'finance' as with_department,
    'critical' as severity,
    'CNY' as unit,
    '未收款发票（价税合计）' as left_label_zh,
    'Open invoices (gross)' as left_label_en,
    '总账应收账款余额' as right_label_zh,
    'Balance of the receivables account' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    coalesce(sum(left_value), 0) as left_total,
    coalesce(sum(right_value), 0) as right_total,
    coalesce(sum(difference), 0) as difference,
    coalesce(sum(explained), 0) as explained,
    coalesce(sum(unexplained), 0) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_receivable_open_invoices_equal_ledger_1122") }}
union all
select
    'received_to_invoiced' as identity,
    '从收货额到供应商发票' as title_zh,
    'From goods received to supplier invoices' as title_en,
    'purchasing' as owner,
    'finance' as with_department,
    'warning' as severity,
    'CNY' as unit,
    '仓库：收货额（采购价）' as left_label_zh,
    'Warehouse: received at order price' as left_label_en,
    '财务：已过账供应商发票（未税）' as right_label_zh,
    'Finance: posted supplier invoices (net)' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    coalesce(sum(left_value), 0) as left_total,
    coalesce(sum(right_value), 0) as right_total,
    coalesce(sum(difference), 0) as difference,
    coalesce(sum(explained), 0) as explained,
    coalesce(sum(unexplained), 0) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_received_to_invoiced") }}
union all
select
    'shipped_to_revenue' as identity,
    '从发货额到财务收入' as title_zh,
    'From goods shipped to revenue in the ledger' as title_en,
    'finance' as owner,
    'inventory' as with_department,
    'warning' as severity,
    'CNY' as unit,
    '仓库：发货额（订单价，扣除退货）' as left_label_zh,
    'Warehouse: shipped at order price, net of returns' as left_label_en,
    '财务：总账收入' as right_label_zh,
    'Finance: revenue in the ledger' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    coalesce(sum(left_value), 0) as left_total,
    coalesce(sum(right_value), 0) as right_total,
    coalesce(sum(difference), 0) as difference,
    coalesce(sum(explained), 0) as explained,
    coalesce(sum(unexplained), 0) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_shipped_to_revenue") }}
union all
select
    'source_control_totals_equal_loaded' as identity,
    '来源控制总数等于已装载' as title_zh,
    'What the sources say equals what we hold' as title_en,
    'platform' as owner,
    'platform' as with_department,
    'critical' as severity,
    'as stated by the source' as unit,
    '来源自报' as left_label_zh,
    'The source says' as left_label_en,
    '已装载' as right_label_zh,
    'Loaded' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'holds'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    cast(null as decimal(38, 4)) as left_total,
    cast(null as decimal(38, 4)) as right_total,
    cast(null as decimal(38, 4)) as difference,
    cast(null as decimal(38, 4)) as explained,
    cast(null as decimal(38, 4)) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_source_control_totals_equal_loaded") }}
union all
select
    'stock_balance_equals_moves' as identity,
    '最后一天的结存等于全部收发之差' as title_zh,
    'The last day''s balance equals all moves in minus all moves out' as title_en,
    'inventory' as owner,
    'inventory' as with_department,
    'critical' as severity,
    'base unit of the product' as unit,
    '最后一天结存' as left_label_zh,
    'Balance on the last day' as left_label_en,
    '全部移动之差' as right_label_zh,
    'All moves in minus out' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    cast(null as decimal(38, 4)) as left_total,
    cast(null as decimal(38, 4)) as right_total,
    cast(null as decimal(38, 4)) as difference,
    cast(null as decimal(38, 4)) as explained,
    cast(null as decimal(38, 4)) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_stock_balance_equals_moves") }}
union all
select
    'stock_book_equals_count' as identity,
    '账面等于盘点' as title_zh,
    'Book equals count' as title_en,
    'inventory' as owner,
    'inventory' as with_department,
    'warning' as severity,
    'base unit of the product' as unit,
    '账面数量' as left_label_zh,
    'Expected' as left_label_en,
    '实盘数量' as right_label_zh,
    'Counted' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    cast(null as decimal(38, 4)) as left_total,
    cast(null as decimal(38, 4)) as right_total,
    cast(null as decimal(38, 4)) as difference,
    cast(null as decimal(38, 4)) as explained,
    cast(null as decimal(38, 4)) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_stock_book_equals_count") }}
union all
select
    'stock_rolls_forward' as identity,
    '期初加入库减出库等于期末' as title_zh,
    'Opening plus in minus out equals closing' as title_en,
    'inventory' as owner,
    'inventory' as with_department,
    'critical' as severity,
    'base unit of the product' as unit,
    '期初加入库减出库' as left_label_zh,
    'Opening plus in minus out' as left_label_en,
    '期末' as right_label_zh,
    'Closing' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    cast(null as decimal(38, 4)) as left_total,
    cast(null as decimal(38, 4)) as right_total,
    cast(null as decimal(38, 4)) as difference,
    cast(null as decimal(38, 4)) as explained,
    cast(null as decimal(38, 4)) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_stock_rolls_forward") }}
union all
select
    'stock_value_equals_ledger' as identity,
    '存货按平均成本等于总账存货科目' as title_zh,
    'Stock at average cost equals the ledger''s stock accounts' as title_en,
    'inventory' as owner,
    'finance' as with_department,
    'warning' as severity,
    'CNY' as unit,
    '结存乘以平均成本' as left_label_zh,
    'On hand at average cost' as left_label_en,
    '总账存货科目余额' as right_label_zh,
    'Balance of the stock accounts' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    coalesce(sum(left_value), 0) as left_total,
    coalesce(sum(right_value), 0) as right_total,
    coalesce(sum(difference), 0) as difference,
    coalesce(sum(explained), 0) as explained,
    coalesce(sum(unexplained), 0) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_stock_value_equals_ledger") }}
union all
select
    'supplier_invoices_equal_ledger_purchases' as identity,
    '已过账供应商发票等于总账采购' as title_zh,
    'Posted supplier invoices equal purchases in the ledger' as title_en,
    'finance' as owner,
    'purchasing' as with_department,
    'critical' as severity,
    'CNY' as unit,
    '已过账供应商发票（未税）' as left_label_zh,
    'Posted supplier invoices (net)' as left_label_en,
    '总账采购科目' as right_label_zh,
    'Purchases in the ledger' as right_label_en,
    cast(0 as decimal(38, 4)) as tolerance,
    case
        when count(*) = 0
        then 'broken'
        when bool_or(status = 'broken')
        then 'broken'
        when bool_or(status = 'explained')
        then 'explained'
        else 'holds'
    end as status,
    coalesce(sum(left_value), 0) as left_total,
    coalesce(sum(right_value), 0) as right_total,
    coalesce(sum(difference), 0) as difference,
    coalesce(sum(explained), 0) as explained,
    coalesce(sum(unexplained), 0) as unexplained,
    count(*) as group_count,
    count(*) filter (where status <> 'holds') as groups_off,
    count(*) filter (where status = 'broken') as groups_broken
from {{ ref("identity_supplier_invoices_equal_ledger_purchases") }}
