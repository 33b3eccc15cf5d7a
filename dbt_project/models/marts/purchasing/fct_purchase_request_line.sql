{{ every_company("purchase_request_lines") }}
