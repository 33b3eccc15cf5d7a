{{ every_company("delivery_lines") }}
