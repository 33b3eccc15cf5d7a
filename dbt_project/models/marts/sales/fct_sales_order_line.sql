{{ every_company("sales_order_lines") }}
