{#
    A folder is a schema: models/marts/** is built in `marts`, seeds/standards/** in `standards`, whoever runs
    it. (dbt's own rule would make `main_marts`.) Exports of saved queries are no files: they name their own.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set folder = node.fqn[1] if node.fqn is defined else target.schema -%}
    {{ (custom_schema_name or folder) | trim }}
{%- endmacro %}
