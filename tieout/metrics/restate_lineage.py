"""What a mart is made of, as dbt's manifest has it: the raw streams below it, and one hash over its SQL.

Who is who (the models in Python) is where this ends: below it lies every system there is, and keys that change hands
are found by the crosswalk instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tieout.transform.graph import reached


@dataclass(frozen=True)
class Origin:
    """`version` changes with any model, seed or macro below a relation; `streams` are `source.stream`."""

    version: str
    streams: frozenset[str]


def origins(manifest: Path, relations: Iterable[str]) -> dict[str, Origin]:
    """Origin of each relation (`schema.name`) that dbt builds; of no relation, if there is no manifest.

    Args:
        manifest: dbt's `manifest.json` of the project as it was built.
    """
    if not manifest.is_file():
        return {}
    said = json.loads(manifest.read_text(encoding="utf-8"))
    nodes, sources, macros = said["nodes"], said["sources"], said["macros"]
    by_name = {
        f"{node['schema']}.{node.get('alias') or node['name']}": key
        for key, node in nodes.items()
        if node["resource_type"] in {"model", "seed", "snapshot"}
    }
    found = {}
    for relation in relations:
        if relation not in by_name:
            continue
        below = reached([by_name[relation]], lambda key: _parents(nodes, key))
        used = {name for key in below if key in nodes for name in nodes[key]["depends_on"].get("macros", [])}
        own = {
            name
            for name in reached(used, lambda key: _parents(macros, key, "macros"))
            if name in macros and macros[name]["package_name"] == said["metadata"]["project_name"]
        }
        text = [
            *(f"{key} {nodes[key]['checksum']['checksum']}" for key in sorted(below) if key in nodes),
            *(f"{name} {macros[name]['macro_sql']}" for name in sorted(own)),
        ]
        streams = frozenset(
            f"{sources[key]['schema'].removeprefix('raw_')}.{sources[key]['name']}"
            for key in below
            if key in sources
        )
        found[relation] = Origin(hashlib.sha256("\n".join(text).encode()).hexdigest()[:16], streams)
    return found


def _parents(nodes: Mapping[str, dict], key: str, kind: str = "nodes") -> list[str]:
    if key not in nodes or nodes[key].get("language") == "python":
        return []
    return nodes[key]["depends_on"].get(kind, [])
