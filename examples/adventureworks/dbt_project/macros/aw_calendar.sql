{#
    A day of the sales warehouse in the calendar of the group. The maker of the sample moved the dates of the
    operational system by 4,170 days and forgot the warehouse: tests/assert_aw_calendars_agree.sql shows it on
    every order that both systems date. Said here and nowhere else; called in staging only.
#}
{% macro aw_day(day) -%} {{ day }} + 4170 {%- endmacro %}
