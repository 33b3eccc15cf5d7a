{{ every_company("sales_invoice_lines") }}
