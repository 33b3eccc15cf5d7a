"""dbt's parsed project for the asset graph, parsed again only when a file of it has changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tieout.settings import Settings, settings
from tieout.transform import dbt


@dataclass(frozen=True)
class Model:
    """One model or seed of the dbt project, as an asset shows it."""

    unique_id: str
    schema: str
    name: str
    kind: str  # model | seed
    group: str
    owner: str | None
    description: str
    depends_on: tuple[str, ...]


@dataclass(frozen=True)
class Metric:
    """One metric definition and the models its measures are read from."""

    name: str
    label: str
    description: str
    owner: str | None
    models: tuple[tuple[str, str], ...]  # (schema, name)


def _newest(settings: Settings) -> float:
    files = [path for path in settings.dbt_project.rglob("*") if path.suffix in {".sql", ".yml", ".csv"}]
    return max(path.stat().st_mtime for path in files)


@cache
def manifest() -> dict[str, Any]:
    """manifest.json of the project as it is now."""
    return json.loads(_parsed("manifest.json").read_text(encoding="utf-8"))


def _parsed(name: str) -> Path:
    file = dbt.target(settings()) / name
    if not file.is_file() or file.stat().st_mtime < _newest(settings()):
        dbt.parse(settings())
    return file


def models() -> list[Model]:
    """Every model and seed, in dbt's order of names."""
    found = []
    for node in manifest()["nodes"].values():
        if node["resource_type"] not in {"model", "seed"}:
            continue
        meta = node.get("config", {}).get("meta") or node.get("meta") or {}
        folder = node["fqn"][1:-1]
        found.append(
            Model(
                unique_id=node["unique_id"],
                schema=node["schema"],
                name=node["name"],
                kind=node["resource_type"],
                group="_".join(folder[:2]) or "seeds",
                owner=meta.get("owner"),
                description=node.get("description") or node["name"],
                depends_on=tuple(node.get("depends_on", {}).get("nodes", ())),
            )
        )
    return found


def metrics() -> list[Metric]:
    """Every metric, with the marts it is computed from."""
    document = json.loads(_parsed("semantic_manifest.json").read_text(encoding="utf-8"))
    relation_of: dict[str, tuple[str, str]] = {}
    for semantic in document["semantic_models"]:
        relation = semantic["node_relation"]
        for measure in semantic["measures"]:
            relation_of[measure["name"]] = (relation["schema_name"], relation["alias"])
    described = manifest()["metrics"].values()
    owners = {
        item["name"]: (item.get("config", {}).get("meta") or item.get("meta") or {}) for item in described
    }
    found = []
    for metric in document["metrics"]:
        inputs = metric["type_params"].get("input_measures") or []
        found.append(
            Metric(
                name=metric["name"],
                label=metric.get("label") or metric["name"],
                description=metric.get("description") or "",
                owner=owners.get(metric["name"], {}).get("owner"),
                models=tuple(
                    sorted({relation_of[item["name"]] for item in inputs if item["name"] in relation_of})
                ),
            )
        )
    return found
