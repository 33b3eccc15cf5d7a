"""Content hashes: what a table holds, and what a result depends on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.engine import literal, quoted
from tieout.ingest.status import open_quarantine

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

# What decides what is published; Python too, since rows, metrics and identities are made by it. Pages and the
# command line only show it.
_MAKING = ("doors", "ingest", "master_data", "metrics", "privacy", "tie", "transform")
DEFINING = ("sources", "dbt_project", "expectations", *(f"tieout/{part}" for part in _MAKING))
# Who agreed to a definition and to which numbers does not make them.
_ASIDE = {"target", "logs", "metric_versions", "approvers.yaml"}
_SUFFIXES = {".py", ".sql", ".yml", ".yaml", ".csv"}


def table_hash(con: duckdb.DuckDBPyConnection, table: str) -> str:
    """Order-free hash of a table's rows: equal rows, equal hash, on one version of DuckDB."""
    row = con.execute(
        f"select count(*), coalesce(sum(hash(r)::hugeint), 0), coalesce(bit_xor(hash(r)), 0) from {table} as r"
    ).fetchone()
    assert row is not None
    return f"{row[0]}-{row[1]:x}-{row[2]:x}"


def schema_hashes(con: duckdb.DuckDBPyConnection, schemas: Iterable[str]) -> dict[str, str]:
    """Content hash of every table and view in the schemas, by `schema.name`."""
    listed = ", ".join(literal(schema) for schema in schemas)
    tables = con.execute(
        "select table_schema || '.' || table_name from information_schema.tables"
        f" where table_schema in ({listed}) order by 1"
    ).fetchall()
    return {name: table_hash(con, name) for (name,) in tables}


def definition_version(project: Path) -> str:
    """Content hash of the contracts, models, metrics, suites and code of an installation."""
    digest = hashlib.sha256()
    for folder in DEFINING:
        for path in sorted((project / folder).rglob("*")):
            if path.suffix in _SUFFIXES and not _ASIDE & set(path.relative_to(project).parts):
                digest.update(str(path.relative_to(project)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def roles_version(roles: Path) -> str:
    """Content hash of the file that says who may see what."""
    return hashlib.sha256(roles.read_bytes()).hexdigest()[:16]


def decided_version(master: Path) -> str:
    """Which decisions on master data there are; their names follow from their content. Empty without any."""
    names = sorted(str(path.relative_to(master)) for path in master.glob("*/decisions/*.json"))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:8] if names else ""


def raw_version(con: duckdb.DuckDBPyConnection) -> str:
    """Content hash of everything loaded: the batches that changed a row, rows let in by hand, what is in quarantine
    now, and which totals of whole systems agree."""
    changed = con.execute(
        "select source, stream, batch_id, rows_loaded, rows_deleted from ops.batch"
        " where rows_loaded + rows_deleted > 0 order by all"
    ).fetchall()
    aside = [str(row) for row in open_quarantine(con)]
    totals = con.execute(
        "select source, measure, agrees from ops.control_total where stream = '' order by all"
    ).fetchall()
    # A row let in with another value than before counts the same.
    let_in = [
        (
            source,
            stream,
            table_hash(
                con, f"(from {quoted('raw_' + source)}.{quoted(stream)} where _batch_id = {literal(batch)})"
            ),
        )
        for source, stream, batch in con.execute(
            "select distinct source, stream, batch_id from ops.quarantine where decision = 'released' order by all"
        ).fetchall()
    ]
    said = (changed, aside, totals, let_in) if totals or let_in else (changed, aside)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]
