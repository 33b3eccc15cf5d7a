-- No line and no cent is lost between staging and the marts: counts and totals per document kind must
-- agree.
with

    staged as (

        select 'sales order' as document_kind, count(*) as line_count, sum(order_qty) as total
        from {{ ref("stg_hx_sales__sales_order_lines") }}
        where line_type = 'line'
        union all
        select 'purchase order', count(*), sum(order_qty)
        from {{ ref("stg_hx_purchasing__purchase_order_lines") }}
        union all
        select 'invoice', count(*), sum(invoice_qty)
        from {{ ref("stg_hx_finance__invoice_lines") }}
        union all
        select 'stock move', count(*), sum(move_qty)
        from {{ ref("stg_hx_stock__stock_moves") }}
        union all
        select 'ledger', count(*), sum(debit_amount_cny)
        from {{ ref("stg_hx_finance__ledger_lines") }}
        union all
        select 'timesheet', count(*), sum(worked_hours)
        from {{ ref("stg_hx_people__timesheet_lines") }}

    ),

    invoice_lines as (

        select invoice_qty
        from {{ ref("fct_sales_invoice_line") }}
        where company_code = 'HX'
        union all
        select invoice_qty
        from {{ ref("fct_supplier_invoice_line") }}
        where company_code = 'HX'

    ),

    marts as (

        select 'sales order' as document_kind, count(*) as line_count, sum(order_qty) as total
        from {{ ref("fct_sales_order_line") }}
        where company_code = 'HX'
        union all
        select 'purchase order', count(*), sum(order_qty)
        from {{ ref("fct_purchase_order_line") }}
        where company_code = 'HX'
        union all
        select 'invoice', count(*), sum(invoice_qty)
        from invoice_lines
        union all
        select 'stock move', count(*), sum(move_qty)
        from {{ ref("fct_stock_move") }}
        where company_code = 'HX'
        union all
        select 'ledger', count(*), sum(debit_amount_cny)
        from {{ ref("fct_ledger_entry_line") }}
        where company_code = 'HX'
        union all
        select 'timesheet', count(*), sum(worked_hours)
        from {{ ref("fct_timesheet_line") }}
        where company_code = 'HX'

    )

select
    staged.document_kind,
    staged.line_count as staged_lines,
    marts.line_count as mart_lines,
    staged.total as staged_total,
    marts.total as mart_total
from staged
left join marts on staged.document_kind = marts.document_kind
where
    staged.line_count is distinct from marts.line_count
    or coalesce(staged.total, 0) is distinct from coalesce(marts.total, 0)
