{{ every_company("payments") }}
