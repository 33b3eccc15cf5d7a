{#
    Relations are written without the name of the database file, so that a view still answers after the
    file was copied or renamed (publishing and tests do both).
#}
{% macro ref() -%} {%- do return(builtins.ref(*varargs, **kwargs).include(database=false)) -%} {%- endmacro %}

{% macro source() -%}
    {%- do return(builtins.source(*varargs, **kwargs).include(database=false)) -%}
{%- endmacro %}

{# Every version of every row of a raw table, as it was when it was loaded (`_loaded_at`); `_is_current` marks the newest. #}
{% macro history(system, stream) -%}
    {%- set now = source(system, stream) -%}
    {{- now.incorporate(path={"identifier": now.identifier ~ "__history"}) -}}
{%- endmacro %}
