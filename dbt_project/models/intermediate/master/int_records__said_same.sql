-- For every record the records of other systems that it is said to be, because a system says so itself
-- or because documents name both under one number. Evidence, not a verdict: master.crosswalk decides.
-- One row per record that anything is said of.
with

    stated as (select * from {{ ref("int_records__stated_same") }}),
    named_together as (select * from {{ ref("int_records__named_together") }}),

    said as (

        select entity, our_system, our_key, their_system, their_key
        from stated
        union
        select entity, their_system, their_key, our_system, our_key
        from stated
        union
        select entity, our_system, our_key, their_system, their_key
        from named_together

    )

select
    entity,
    our_system as source_system,
    our_key as source_key,
    list_sort(list(their_system || ':' || their_key)) as same_as
from said
group by entity, our_system, our_key
