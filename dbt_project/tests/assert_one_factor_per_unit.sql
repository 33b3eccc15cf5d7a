-- A unit has one reference unit and one factor, however many ways there are to spell it.
select uom_code, count(distinct(base_uom_code, factor)) as factors
from {{ ref("uoms") }}
group by uom_code
having count(distinct(base_uom_code, factor)) > 1
