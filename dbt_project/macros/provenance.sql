{# Where a mart row came from: the raw table and the key in it, for `tieout trace`. #}
{% macro provenance(system, stream, record) -%}
    '{{ system }}' as source_system,
    '{{ stream }}' as source_stream,
    cast({{ record }} as text) as source_record
{%- endmacro %}
