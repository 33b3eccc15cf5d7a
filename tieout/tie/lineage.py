"""What a report's figures are made of: from metrics and identities to tables, from tables to streams of systems."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tieout.metrics.definitions import Definitions, read

Stream = tuple[str, str]  # source, stream


@dataclass(frozen=True)
class Lineage:
    """`tables` of a metric with the column of the business day each is counted by; `streams` of a model, by name."""

    tables: dict[str, dict[str, str]]
    streams: dict[str, frozenset[Stream]]

    def of(self, models: Iterable[str]) -> frozenset[Stream]:
        return frozenset().union(*(self.streams.get(name, frozenset()) for name in models))


def tables_of_metrics(definitions: Definitions) -> dict[str, dict[str, str]]:
    """Metric -> mart -> column of the business day."""
    found = {}
    for name, metric in definitions.metrics.items():
        tables = found.setdefault(name, {})
        for item in metric.measures:
            measure = definitions.measures[item]
            model = definitions.models[measure.model]
            tables[model.table] = model.time_expr(measure.time)
    return found


def lineage(manifest: Path) -> Lineage:
    """Lineage of the project as it was built last.

    Args:
        manifest: dbt's manifest.json, with semantic_manifest.json beside it.
    """
    document: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    nodes, sources = document["nodes"], document["sources"]
    known: dict[str, frozenset[Stream]] = {}

    def above(key: str) -> frozenset[Stream]:
        if key not in known:
            if key in sources:
                item = sources[key]
                known[key] = frozenset({(item["source_name"].removeprefix("raw_"), item["name"])})
            else:
                parents = nodes[key]["depends_on"].get("nodes", []) if key in nodes else []
                known[key] = frozenset().union(*map(above, parents))
        return known[key]

    models = {node["name"]: above(key) for key, node in nodes.items() if node["resource_type"] == "model"}
    definitions = read(manifest.with_name("semantic_manifest.json"))
    return Lineage(tables_of_metrics(definitions), models)
