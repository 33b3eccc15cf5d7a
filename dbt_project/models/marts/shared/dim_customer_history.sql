-- Versions of a customer: join by key and day, `valid_from <= day < valid_to`. One row per customer and
-- version.
{{
    dimension_history(
        "customer",
        {
            "code": "customer_code",
            "name": "customer_name",
            "short_name": "short_name",
            "credit_code": "credit_code",
            "country_code": "country_code",
            "city": "city",
            "address": "street",
            "phone": "phone",
        },
    )
}}
