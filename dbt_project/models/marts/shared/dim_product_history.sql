-- Versions of a product: join by key and day, `valid_from <= day < valid_to`. One row per product and
-- version.
{{
    dimension_history(
        "product",
        {
            "code": "product_code",
            "name": "product_name",
            "specification": "specification",
        },
    )
}}
