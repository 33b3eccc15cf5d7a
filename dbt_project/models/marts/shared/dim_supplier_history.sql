-- Versions of a supplier: join by key and day, `valid_from <= day < valid_to`. One row per supplier and
-- version.
{{
    dimension_history(
        "supplier",
        {
            "code": "supplier_code",
            "name": "supplier_name",
            "short_name": "short_name",
            "credit_code": "credit_code",
            "country_code": "country_code",
            "city": "city",
            "address": "street",
            "phone": "phone",
        },
    )
}}
