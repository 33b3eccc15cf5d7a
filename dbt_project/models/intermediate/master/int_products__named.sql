-- Which product a line of a document names, and by which number and line another system's document
-- names it. Where one of two systems does not number its lines, a document with a single product
-- compares as 'only', and a request's lines by their quantity, which the orders made from it keep. One
-- row per line and such a number.
with

    lines as (

        select *
        from {{ ref("int_products__named_in_sales") }}
        union all
        select *
        from {{ ref("int_products__named_in_supply") }}

    ),

    counted as (

        select
            *,
            min(source_product) over (partition by source_system, shared_document, shared_line)
            = max(source_product) over (
                partition by source_system, shared_document, shared_line
            ) as is_one_product
        from lines

    )

select distinct
    source_system,
    source_product,
    document_no,
    case when is_one_product then shared_document || ':' || coalesce(shared_line, 'only') end as shared_number
from counted
where source_product is not null
