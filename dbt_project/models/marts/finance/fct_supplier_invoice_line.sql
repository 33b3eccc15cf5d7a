{{ every_company("supplier_invoice_lines") }}
