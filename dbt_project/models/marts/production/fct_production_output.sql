{{ every_company("production_outputs") }}
