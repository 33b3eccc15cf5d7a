-- Pairs of records that a system itself says are one. One row per statement.
{{ every_company("stated_same") }}
