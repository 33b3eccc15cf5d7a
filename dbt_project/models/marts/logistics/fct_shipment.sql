{{ every_company("shipments") }}
