-- Versions of a customer: join by key and day, `valid_from <= day < valid_to`. One row per customer and
-- version.
{{ dimension_history("customer", party_attributes("customer")) }}
