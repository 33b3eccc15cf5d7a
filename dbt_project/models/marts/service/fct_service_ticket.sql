{{ every_company("service_tickets") }}
