{{ every_company("headcount_months") }}
