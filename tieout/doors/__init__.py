"""How readers come in: PostgreSQL over TLS for BI tools, snapshot files for analysts, one policy for both."""
