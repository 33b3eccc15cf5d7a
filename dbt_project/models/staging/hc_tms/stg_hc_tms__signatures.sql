with source as (select * from {{ source("hc_tms", "signature") }})

select waybill_no, signed_by as signer_name, box_count, timezone('Asia/Shanghai', signed_at) as signed_at
from source
where not _is_deleted
