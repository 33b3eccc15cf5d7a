-- People that documents name, with the name the documents print. U8 prints no name of a buyer but of
-- who entered the order: taken for the buyer's where most orders of the buyer were entered by one who
-- enters mostly for this buyer. One row per system and id.
with

    named as (select * from {{ ref("int_employees__named") }}),

    names as (

        select
            source_system,
            source_employee,
            employee_name,
            count(*) as document_count,
            sum(count(*)) over (partition by source_system, source_employee) as id_document_count,
            sum(count(*)) over (partition by source_system, employee_name) as name_document_count
        from named
        where employee_name is not null
        group by source_system, source_employee, employee_name

    ),

    -- more than half of the documents: at most one name an id, at most one id a name
    sure_names as (

        select source_system, source_employee, employee_name
        from names
        where
            document_count * 2 > id_document_count
            and (source_system <> 'hc_u8' or document_count * 2 > name_document_count)

    ),

    people as (select distinct source_system, source_employee from named)

select
    people.source_system,
    people.source_employee as source_key,
    case when people.source_system = 'hc_salesforce' then 'HCE' else 'HC' end as company_code,
    sure_names.employee_name as name,
    true as is_active
from people
left join
    sure_names
    on people.source_system = sure_names.source_system
    and people.source_employee = sure_names.source_employee
