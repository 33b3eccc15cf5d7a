"""What a built table depends on, as one hash: its own definition and that of everything above it."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from tieout.transform.graph import reached

# Rules of matching are read by the models of this schema; dbt knows of them only the SQL.
_MASTER = "master"


def model_fingerprints(manifest: Path, project: Path) -> dict[str, str]:
    """Fingerprint of every model, by `schema.name`: SQL, seeds and macros it is made of, contracts of its sources.

    Equal fingerprints: the same rows loaded give the same table, as far as definitions go.

    Args:
        manifest: dbt's manifest.json of the project as it is.
        project: Where `sources/` and `dbt_project/` lie.
    """
    document = json.loads(manifest.read_text(encoding="utf-8"))
    nodes: dict[str, Any] = document["nodes"]
    macros: dict[str, Any] = document["macros"]
    known: dict[str, frozenset[str]] = {}

    @cache
    def contract(source: str) -> str:
        path = project / "sources" / source / "source.yaml"
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""

    @cache
    def rules_of_matching() -> str:
        digest = hashlib.sha256()
        for path in sorted((project / "dbt_project" / "master_data").glob("*.yaml")):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def is_ours(macro: str) -> bool:
        return macro in macros and not macros[macro]["package_name"].startswith("dbt")

    def macros_of(names: list[str]) -> set[str]:
        # dbt's own macros change with dbt's version alone
        found = reached(
            filter(is_ours, names), lambda name: filter(is_ours, macros[name]["depends_on"]["macros"])
        )
        return {f"{name} {hashlib.sha256(macros[name]['macro_sql'].encode()).hexdigest()}" for name in found}

    def parts(key: str) -> frozenset[str]:
        """What a node is made of, and all above it; a project of models has no cycles."""
        if key not in known:
            if key not in nodes:  # a source
                source = (
                    document["sources"][key]["source_name"].removeprefix("raw_")
                    if key in document["sources"]
                    else ""
                )
                known[key] = frozenset({f"{key} {contract(source)}"})
            else:
                node = nodes[key]
                own = {f"{key} {node['checksum']['checksum']}", *macros_of(node["depends_on"]["macros"])}
                if node["schema"] == _MASTER:
                    own.add(f"master_data {rules_of_matching()}")
                known[key] = frozenset(own).union(*map(parts, node["depends_on"].get("nodes", [])))
        return known[key]

    return {
        f"{node['schema']}.{node.get('alias') or node['name']}": hashlib.sha256(
            "\n".join(sorted(parts(key))).encode()
        ).hexdigest()[:16]
        for key, node in nodes.items()
        if node["resource_type"] == "model"
    }
