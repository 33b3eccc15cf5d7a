{{ every_company("platform_order_lines") }}
