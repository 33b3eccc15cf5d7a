select
    cast(product_key as text) as source_product,
    {{ aw_day("movement_date") }} as movement_date,
    units_in as in_qty,
    units_out as out_qty,
    units_balance as balance_qty
from {{ source("aw_sales_dw", "product_inventory_day") }}
where not _is_deleted
