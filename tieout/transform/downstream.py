"""Which models are built, wholly or in part, from some sources."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from tieout.transform.graph import reached


def built_from(manifest: Path, sources: Collection[str]) -> frozenset[str]:
    """Names of the models that read these sources, directly or through others; empty if nothing was built yet.

    Args:
        manifest: dbt's manifest.json of the project as it was built last.
    """
    if not sources or not manifest.is_file():
        return frozenset()
    said = json.loads(manifest.read_text(encoding="utf-8"))
    children: dict[str, list[str]] = said["child_map"]
    wanted = {f"raw_{name}" for name in sources} | set(sources)
    starts = {
        key
        for key, node in said["sources"].items()
        if node["source_name"] in wanted or node["schema"] in wanted
    }
    below = reached(
        starts, lambda key: [child for child in children.get(key, []) if child.startswith("model.")]
    )
    return frozenset(said["nodes"][key]["name"] for key in below - starts)
