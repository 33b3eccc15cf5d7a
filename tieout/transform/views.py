"""Views on raw tables alone, half of all models: compiled by dbt while systems are asked, made in one transaction.

dbt takes 0.1 s for each of them, in a transaction of its own; 148 of them at once take 0.2 to 0.4 s (2026-11, 2 cores). They
are what dbt would have made, word for word: its own compiled SQL in its own statement (macros/materializations.sql).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tieout.engine import quoted

if TYPE_CHECKING:
    import duckdb

VIEWS = "views.json"


@dataclass(frozen=True)
class Made:
    """Unique ids of the views that were made, and the names of those that dbt has to make."""

    names: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def write_views(nodes: Sequence[Any], version: str, path: Path) -> None:
    """Keep the compiled views whose ancestors are sources or such views, in an order in which they can be made.

    Args:
        nodes: dbt's compiled view models.
        version: Of the definitions they are compiled from.
    """
    below = {node.unique_id: set(node.depends_on.nodes) for node in nodes}
    views = {node.unique_id: node for node in nodes}
    made: dict[str, dict[str, str]] = {}
    for name in TopologicalSorter(below).static_order():
        if name in views and all(one.startswith("source.") or one in made for one in below[name]):
            node = views[name]
            made[name] = {"schema": node.schema, "relation": node.relation_name, "sql": node.compiled_code}
    others = [node.name for name, node in views.items() if name not in made]
    path.write_text(json.dumps({"version": version, "made": made, "others": others}), encoding="utf-8")


def make_views(con: duckdb.DuckDBPyConnection, path: Path, version: str) -> Made:
    """Make every view that `write_views` kept, or none: then dbt makes them, and says what is wrong."""
    import duckdb

    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Made()
    if kept["version"] != version:
        return Made()
    con.execute("begin")
    try:
        for schema in {view["schema"] for view in kept["made"].values()}:
            con.execute(f"create schema if not exists {quoted(schema)}")
        for view in kept["made"].values():
            con.execute(f"create or replace view {view['relation']} as (\n{view['sql']}\n)")
    except duckdb.Error:
        con.execute("rollback")
        return Made()
    con.execute("commit")
    return Made(tuple(kept["made"]), tuple(kept["others"]))
