{{ every_company("quality_checks") }}
