"""Which models are built, wholly or in part, from some sources."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection
from pathlib import Path


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
    queue = deque(
        key
        for key, node in said["sources"].items()
        if node["source_name"] in wanted or node["schema"] in wanted
    )
    seen: set[str] = set()
    while queue:
        for child in children.get(queue.popleft(), []):
            if child.startswith("model.") and child not in seen:
                seen.add(child)
                queue.append(child)
    return frozenset(said["nodes"][key]["name"] for key in seen)
