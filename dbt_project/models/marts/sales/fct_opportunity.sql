{{ every_company("opportunities") }}
