-- No line and no cent is lost between staging and the marts.
with

    staged as (

        select 'sales order' as document_kind, count(*) as line_count, sum(order_amount_net_txn) as total
        from {{ ref("stg_aw_sales_dw__internet_sales") }}
        union all
        select 'sales order', count(*), sum(order_amount_net_txn)
        from {{ ref("stg_aw_sales_dw__reseller_sales") }}
        union all
        select 'purchase order', count(*), sum(order_amount_net_txn)
        from {{ ref("stg_aw_oltp__purchase_order_lines") }}
        union all
        select 'stock', count(*), sum(on_hand_qty)
        from {{ ref("stg_aw_oltp__product_inventories") }}

    ),

    built as (

        select 'sales order' as document_kind, count(*) as line_count, sum(order_amount_net_txn) as total
        from {{ ref("fct_sales_order_line") }}
        where company_code = 'AW'
        union all
        select 'purchase order', count(*), sum(order_amount_net_txn)
        from {{ ref("fct_purchase_order_line") }}
        where company_code = 'AW'
        union all
        select 'stock', count(*), sum(move_qty)
        from {{ ref("fct_stock_move") }}
        where company_code = 'AW'

    ),

    compared as (

        select document_kind, line_count, total
        from staged
        union all
        select document_kind, - line_count, - total
        from built

    )

select document_kind, sum(line_count) as line_count, sum(total) as total
from compared
group by document_kind
having sum(line_count) <> 0 or sum(total) <> 0
