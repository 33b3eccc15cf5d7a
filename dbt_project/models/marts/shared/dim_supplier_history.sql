-- Versions of a supplier: join by key and day, `valid_from <= day < valid_to`. One row per supplier and
-- version.
{{ dimension_history("supplier", party_attributes("supplier")) }}
