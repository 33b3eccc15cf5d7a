{{ every_company("material_issues") }}
