-- Pairs of records of two systems whose documents name them under the same number (order, delivery,
-- ticket), with the evidence for each: how many documents of either side name the pair, which share
-- these are of all documents that name either record together with anything of the other's system, and
-- whether neither was ever named with anything else there. One row per pair, in both directions.
with

    named as (

        select 'customer' as entity, source_system, source_customer as source_key, document_no, shared_number
        from {{ ref("int_customers__named") }}
        union all
        select 'supplier', source_system, source_supplier, document_no, shared_number
        from {{ ref("int_suppliers__named") }}
        union all
        select 'product', source_system, source_product, document_no, shared_number
        from {{ ref("int_products__named") }}
        union all
        select 'employee', source_system, source_employee, document_no, shared_number
        from {{ ref("int_employees__named") }}
        union all
        select 'department', source_system, source_department, document_no, shared_number
        from {{ ref("int_departments__named") }}

    ),

    met as (

        select
            ours.entity,
            ours.source_system as our_system,
            ours.source_key as our_key,
            ours.document_no as our_document_no,
            theirs.source_system as their_system,
            theirs.source_key as their_key,
            theirs.document_no as their_document_no
        from named as ours
        inner join
            named as theirs
            on ours.entity = theirs.entity
            and ours.shared_number = theirs.shared_number
            and ours.source_system <> theirs.source_system

    ),

    pairs as (

        select
            entity,
            our_system,
            our_key,
            their_system,
            their_key,
            count(distinct our_document_no) as our_document_count,
            count(distinct their_document_no) as their_document_count
        from met
        group by entity, our_system, our_key, their_system, their_key

    ),

    totals as (

        select
            entity,
            our_system,
            our_key,
            their_system,
            count(distinct our_document_no) as document_count,
            count(distinct their_key) as partner_count
        from met
        group by entity, our_system, our_key, their_system

    )

select
    pairs.entity,
    pairs.our_system,
    pairs.our_key,
    pairs.their_system,
    pairs.their_key,
    least(pairs.our_document_count, pairs.their_document_count) as document_count,
    least(
        pairs.our_document_count / ours.document_count, pairs.their_document_count / theirs.document_count
    ) as document_ratio,
    ours.partner_count = 1 and theirs.partner_count = 1 as is_only_pair
from pairs
left join
    totals as ours
    on pairs.entity = ours.entity
    and pairs.our_system = ours.our_system
    and pairs.our_key = ours.our_key
    and pairs.their_system = ours.their_system
left join
    totals as theirs
    on pairs.entity = theirs.entity
    and pairs.their_system = theirs.our_system
    and pairs.their_key = theirs.our_key
    and pairs.our_system = theirs.their_system
