{{ every_company("work_orders") }}
