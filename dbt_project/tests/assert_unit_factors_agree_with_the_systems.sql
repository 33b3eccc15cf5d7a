-- The factors in seeds/standards/uoms.csv are the ones the stock and sales systems calculate with; a row
-- here is a unit whose factor differs, so that quantities in the base unit would not be theirs.
with

    uoms as (select * from {{ ref("uoms") }}),
    stock_uoms as (select * from {{ ref("stg_hx_stock__uoms") }}),
    sales_uoms as (select * from {{ ref("stg_hx_sales__uoms") }})

select 'hx_stock' as source_system, uoms.uom_text, uoms.factor, stock_uoms.factor as source_factor
from uoms
inner join stock_uoms on uoms.uom_text = stock_uoms.uom_text
where uoms.factor <> stock_uoms.factor
union all
select 'hx_sales', uoms.uom_text, uoms.factor, sales_uoms.factor
from uoms
inner join sales_uoms on uoms.uom_text = sales_uoms.uom_text
where uoms.factor <> sales_uoms.factor
