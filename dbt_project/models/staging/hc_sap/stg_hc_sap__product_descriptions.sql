with source as (select * from {{ source("hc_sap", "product_description") }})

select product as source_product, language as language_code, product_description as product_name
from source
where not _is_deleted
