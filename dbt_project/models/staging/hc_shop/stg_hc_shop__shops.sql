with source as (select * from {{ source("hc_shop", "shop") }})

select shop_id, shop_name, shop_site as platform_name, timezone('Asia/Shanghai', created) as created_at
from source
where not _is_deleted
