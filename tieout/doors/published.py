"""What each publish held, table by table, so that a number can be reproduced and a file that was changed is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.engine import connect, constants, literal
from tieout.fingerprint import schema_hashes

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class PublishedTable:
    """One table of a publish. Hashes are of its rows, in the warehouse and (masked) in the snapshot file.

    `definition` is the fingerprint of the model it was made of, None for what metrics made; `engine` the version
    of DuckDB, since row hashes of two versions cannot be compared.
    """

    name: str
    rows: int
    content_hash: str
    snapshot_hash: str | None
    definition: str | None
    engine: str


@dataclass(frozen=True)
class PublishLine:
    """One line of `ops.publish`."""

    publish_id: str
    fingerprint: str
    content_hash: str
    snapshot: str
    published_at: datetime


def snapshot_hashes(snapshot: Path) -> dict[str, str]:
    """Content hash of every table in a snapshot file, by `schema.name`."""
    with connect(snapshot, read_only=True) as con:
        return schema_hashes(con, ("marts", "metrics"))


def record_tables(
    con: duckdb.DuckDBPyConnection,
    publish_id: str,
    contents: Mapping[str, str],
    in_snapshot: Mapping[str, str],
    definitions: Mapping[str, str],
) -> None:
    """Write what a publish held to `ops.publish_table`; one with the same id is replaced.

    Args:
        contents: Content hash in the warehouse, by `schema.name`.
        in_snapshot: The same of the snapshot file, which also holds the table `publish`.
        definitions: Fingerprint of the model, by `schema.name`.
    """
    row = con.execute("select version()").fetchone()
    engine = str(row[0]) if row else ""
    lines = []
    for name in sorted({*contents, *in_snapshot}):
        content = contents.get(name) or in_snapshot[name]
        count = int(content.split("-", 1)[0])
        lines.append(
            f"({constants(publish_id, name, count, content, in_snapshot.get(name), definitions.get(name), engine)})"
        )
    con.execute(f"delete from ops.publish_table where publish_id = {literal(publish_id)}")
    if lines:
        con.execute(f"insert into ops.publish_table values {', '.join(lines)}")


def tables_of(con: duckdb.DuckDBPyConnection, publish_id: str) -> dict[str, PublishedTable]:
    """What a publish held, by `schema.name`; empty if nothing is known of it."""
    rows = con.execute(
        "select table_name, rows, content_hash, snapshot_hash, definition, engine from ops.publish_table"
        f" where publish_id = {literal(publish_id)} order by table_name"
    ).fetchall()
    return {row[0]: PublishedTable(*row) for row in rows}


def line_of(con: duckdb.DuckDBPyConnection, publish_id: str) -> PublishLine | None:
    """The ledger's line of a publish, if there is one."""
    row = con.execute(
        "select publish_id, fingerprint, content_hash, snapshot, published_at from ops.publish"
        f" where publish_id = {literal(publish_id)}"
    ).fetchone()
    return PublishLine(*row) if row else None
