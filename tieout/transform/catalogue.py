"""What dbt's manifest says of the built tables: titles, classes and keys, for publishing and for pages."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

# Generic tests that say: this column names one row.
_KEY_TESTS = {"unique", "names_one_row"}


@dataclass(frozen=True)
class TableInfo:
    """One built table or view; texts are "Chinese / English"."""

    schema: str
    name: str
    description: str
    owner: str | None
    key: str | None  # the column that names one row
    columns: dict[str, str] = field(default_factory=dict)  # name -> description
    classes: dict[str, str] = field(default_factory=dict)  # name -> L1 … L4

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


def catalogue(manifest: Path) -> dict[str, TableInfo]:
    """Every model of the project by `schema.name`; a column without a class has its table's."""
    document = json.loads(manifest.read_text(encoding="utf-8"))
    keys = {
        node["attached_node"]: node["column_name"]
        for node in document["nodes"].values()
        if node["resource_type"] == "test"
        and (node.get("test_metadata") or {}).get("name") in _KEY_TESTS
        and node.get("attached_node")
    }
    found = {}
    for node in document["nodes"].values():
        if node["resource_type"] != "model":
            continue
        meta = _meta(node)
        columns = node.get("columns", {})
        table = TableInfo(
            schema=node["schema"],
            name=node.get("alias") or node["name"],
            description=node.get("description", ""),
            owner=meta.get("owner"),
            key=keys.get(node["unique_id"]),
            columns={name: column.get("description", "") for name, column in columns.items()},
            classes={
                name: _meta(column).get("class") or meta.get("class", "L2")
                for name, column in columns.items()
            },
        )
        found[table.full_name] = table
    return found


def _meta(node: dict) -> dict:
    return node.get("config", {}).get("meta") or node.get("meta") or {}
