{{ every_company("stock_moves") }}
