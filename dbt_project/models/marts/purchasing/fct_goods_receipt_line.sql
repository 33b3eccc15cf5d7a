{{ every_company("goods_receipt_lines") }}
