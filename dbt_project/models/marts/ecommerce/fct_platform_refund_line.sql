{{ every_company("platform_refund_lines") }}
