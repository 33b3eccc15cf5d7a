{{ every_company("stock_balance_days") }}
