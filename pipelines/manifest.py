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
    owner: str
    description: str
    depends_on: tuple[str, ...]


@dataclass(frozen=True)
class Metric:
    """One metric definition and the models its measures are read from."""

    name: str
    label: str
    description: str
    owner: str
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
    """Every model and seed of the project."""
    found = []
    for node in manifest()["nodes"].values():
        if node["resource_type"] not in {"model", "seed"}:
            continue
        folder = node["fqn"][1:-1]
        depends_on = tuple(node.get("depends_on", {}).get("nodes", ()))
        origins = [manifest()["sources"][item] for item in depends_on if item.startswith("source.")]
        found.append(
            Model(
                unique_id=node["unique_id"],
                schema=node["schema"],
                name=node["name"],
                kind=node["resource_type"],
                group="_".join(folder[:2]) or "seeds",
                owner=_owner(node, folder, origins),
                description=_description(node, origins),
                depends_on=depends_on,
            )
        )
    return found


def _owner(node: dict[str, Any], folder: list[str], origins: list[dict[str, Any]]) -> str:
    """Its own owner, else the owner of the system it cleans, else the department its folder is named after."""
    declared = _meta(node).get("owner")
    if declared:
        return declared
    if origins:
        return origins[0].get("source_meta", {}).get("owner") or "data"
    return folder[1] if folder[:1] == ["intermediate"] and folder[1:] and folder[1] != "shared" else "data"


def _description(node: dict[str, Any], origins: list[dict[str, Any]]) -> str:
    """What it says of itself, else the comment at the head of its SQL, else what it is made of."""
    if node.get("description"):
        return node["description"]
    lines = []
    for line in node.get("raw_code", "").lstrip().splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    made_of = [
        f"{origin['description']} Renamed and cast." for origin in origins if origin.get("description")
    ]
    return " ".join([*made_of, *lines]) or node["name"]


def _meta(node: dict[str, Any]) -> dict[str, Any]:
    return node.get("config", {}).get("meta") or node.get("meta") or {}


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
                owner=str(owners.get(metric["name"]) or "data"),
                models=tuple(
                    sorted({relation_of[item["name"]] for item in inputs if item["name"] in relation_of})
                ),
            )
        )
    return found
