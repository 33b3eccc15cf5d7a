-- Which warehouse a location belongs to. A storage place outside every warehouse holds goods on the way
-- between warehouses (TRANSIT); suppliers, customers, production and losses are no warehouse at all. A
-- storage place inside something nobody knows is unmatched.
with recursive

    locations as (select * from {{ ref("stg_hx_stock__locations") }}),

    inside as (

        select location_id, source_location_code as warehouse_code
        from locations
        where location_type = 'warehouse'
        union all
        select locations.location_id, inside.warehouse_code
        from locations
        inner join inside on locations.parent_location_id = inside.location_id

    )

select
    locations.location_id,
    coalesce(locations.source_location_code, locations.location_name) as location_code,
    locations.location_name,
    locations.location_type,
    case
        when inside.warehouse_code is not null
        then inside.warehouse_code
        when locations.location_type <> 'storage'
        then 'not_applicable'
        when locations.parent_location_id is null
        then 'TRANSIT'
        else 'unmatched'
    end as warehouse_code
from locations
left join inside on locations.location_id = inside.location_id
