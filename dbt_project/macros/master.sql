{#
    What one system knows an entity by: the master key, found by the name that system's documents use. One row per
    record of the system, so a join by `known_as` never multiplies a document's lines.
#}
{% macro known_to(system, entity) -%}
    select source_key as known_as, master_key as {{ entity }}_key
    from {{ ref("crosswalk") }}
    where entity = '{{ entity }}' and source_system = '{{ system }}'
{%- endmacro %}

{# The same for every system at once: join by `source_system` too. #}
{% macro known_to_all(entity) -%}
    select source_system, source_key as known_as, master_key as {{ entity }}_key
    from {{ ref("crosswalk") }}
    where entity = '{{ entity }}'
{%- endmacro %}

{# Golden records of an entity with their attributes as columns: one row per master key. #}
{% macro golden(entity, attributes) -%}
    select
        master_key as {{ entity }}_key
        {%- for attribute in attributes %}
            , max(value) filter (where attribute = '{{ attribute }}') as {{ attribute }}
        {%- endfor %}
    from {{ ref("golden_attribute") }}
    where entity = '{{ entity }}'
    group by master_key
{%- endmacro %}

{#
    Master keys of an entity with how many records stand behind each; the record that gave the name stands for all.
    An active record anywhere makes the whole active.
#}
{% macro members(entity) -%}
    select
        crosswalk.master_key,
        coalesce(bool_or(records.is_active), false) as is_active,
        count(*) as record_count,
        count(distinct crosswalk.source_system) as system_count,
        count(*) - count(distinct crosswalk.source_system) as duplicate_record_count,
        min_by(crosswalk.source_system, (naming.record_id is null, crosswalk.record_id)) as source_system,
        min_by(crosswalk.source_key, (naming.record_id is null, crosswalk.record_id)) as source_record
    from {{ ref("crosswalk") }} as crosswalk
    left join {{ ref(entity ~ "_record") }} as records on crosswalk.record_id = records.record_id
    left join
        {{ ref("golden_attribute") }} as naming
        on crosswalk.entity = naming.entity
        and crosswalk.record_id = naming.record_id
        and naming.attribute = 'name'
    where crosswalk.entity = '{{ entity }}'
    group by crosswalk.master_key
{%- endmacro %}

{#
    The last step of a record model: rows of the CTE `records` with their record id and what `said_same` says of
    them. `columns` are those of the entity.
#}
{% macro recorded(columns) -%}
    select
        records.source_system || ':' || records.source_key as record_id,
        records.source_system,
        records.source_key,
        records.company_code,
        {%- for column in columns.split() %} records.{{ column }}, {%- endfor %}
        records.is_active,
        records.changed_at,
        said_same.same_as
    from records
    left join
        said_same
        on records.source_system = said_same.source_system
        and records.source_key = said_same.source_key
{%- endmacro %}

{#
    The versions of a conformed dimension (SCD2): `attributes` maps the attribute of the golden record to the
    dimension's column. Members that never changed have one version. The first one holds from 1900 on, so facts older
    than what we know of their member find it; the last one is what the dimension says now.
#}
{% macro dimension_history(entity, attributes) -%}
    {%- set key = entity ~ "_key" -%}
    with

        members as (select * from {{ ref("dim_" ~ entity) }}),
        changed as (select * from {{ ref("golden_version") }} where entity = '{{ entity }}'),

        versions as (

            select
                members.{{ key }},
                changed.version,
                coalesce(changed.valid_from, timestamptz '1900-01-01 00:00:00+00') as valid_from,
                coalesce(changed.valid_to, timestamptz '9999-12-31 00:00:00+00') as valid_to,
                changed.valid_to is null as is_current,
                {%- for attribute, column in attributes.items() %}
                    coalesce(
                        changed.attributes ->> '{{ attribute }}',
                        case when changed.valid_to is null then cast(members.{{ column }} as text) end
                    ) as {{ column }},
                {%- endfor %}
                members.source_system,
                members.source_stream,
                members.source_record
            from members
            inner join changed on members.{{ key }} = changed.master_key
            union all
            select
                {{ key }},
                1 as version,
                timestamptz '1900-01-01 00:00:00+00' as valid_from,
                timestamptz '9999-12-31 00:00:00+00' as valid_to,
                true as is_current,
                {%- for column in attributes.values() %}
                    cast({{ column }} as text) as {{ column }},
                {%- endfor %}
                source_system,
                source_stream,
                source_record
            from members
            where {{ key }} not in (select master_key from changed)

        )

    select {{ key }} || '|' || version as {{ entity }}_version_key, *
    from versions
{%- endmacro %}

{# Attributes of a customer or supplier → columns of its dimension, for `dimension_history`. #}
{% macro party_attributes(entity) -%}
    {%- do return(
        {
            "code": entity ~ "_code",
            "name": entity ~ "_name",
            "short_name": "short_name",
            "credit_code": "credit_code",
            "country_code": "country_code",
            "city": "city",
            "address": "street",
            "phone": "phone",
        }
    ) -%}
{%- endmacro %}
