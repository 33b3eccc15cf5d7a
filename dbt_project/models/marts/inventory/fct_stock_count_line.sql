{{ every_company("stock_count_lines") }}
