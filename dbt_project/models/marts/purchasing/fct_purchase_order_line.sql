{{ every_company("purchase_order_lines") }}
