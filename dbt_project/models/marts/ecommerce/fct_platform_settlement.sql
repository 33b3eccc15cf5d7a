{{ every_company("platform_settlements") }}
