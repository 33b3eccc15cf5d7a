select geography_key, city, country_code from {{ source("aw_sales_dw", "geography") }} where not _is_deleted
