-- An amount without an exchange rate would silently miss from every total: what counts must be in CNY.
select 'fct_sales_order_line' as table_name, sales_order_line_key as row_key
from {{ ref("fct_sales_order_line") }}
where is_booked and order_amount_net_cny is null
union all
select 'fct_delivery_line', delivery_line_key
from {{ ref("fct_delivery_line") }}
where is_shipped and shipped_amount_net_cny is null
union all
select 'fct_sales_invoice_line', sales_invoice_line_key
from {{ ref("fct_sales_invoice_line") }}
where is_posted and invoice_amount_gross_cny is null
union all
select 'fct_purchase_order_line', purchase_order_line_key
from {{ ref("fct_purchase_order_line") }}
where is_ordered and order_amount_net_cny is null
union all
select 'fct_goods_receipt_line', goods_receipt_line_key
from {{ ref("fct_goods_receipt_line") }}
where is_received and received_amount_net_cny is null
union all
select 'fct_supplier_invoice_line', supplier_invoice_line_key
from {{ ref("fct_supplier_invoice_line") }}
where is_posted and invoice_amount_gross_cny is null
