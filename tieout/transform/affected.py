"""What a raw column reaches: models and their columns, metrics, reports, identities, suites, and who owns them.

Only models downstream of the stream are parsed, in their order, and of each only which columns carry the value
on. A column may also decide which rows there are (a filter, a join, a grouping); then the whole table depends on
it, and so does everything made of it: that is told apart from carrying the value.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tieout.strict import from_yaml
from tieout.transform.reach import NOTHING, Reach, reach


@dataclass(frozen=True)
class Touched:
    """One table, metric, report, identity or suite.

    `columns` carry the value; `rows`: the column decides which rows there are. `certain` is false if the model's
    SQL could not be read: then all its columns are named as `*`.
    """

    kind: str  # model | metric | report | identity | suite
    name: str
    title: str
    owner: str | None
    columns: tuple[str, ...] = ()
    rows: bool = False
    certain: bool = True


@dataclass(frozen=True)
class Affected:
    """Everything reached from one or more columns of a stream; `notes` say what could not be found out."""

    source: str
    stream: str
    columns: tuple[str, ...]
    touched: tuple[Touched, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, kind: str) -> list[Touched]:
        return [item for item in self.touched if item.kind == kind]

    @property
    def owners(self) -> list[str]:
        """Who has to know, those with most at stake first."""
        counts: dict[str, int] = {}
        for item in self.touched:
            for owner in (item.owner or "").split("/"):
                if owner:
                    counts[owner] = counts.get(owner, 0) + 1
        return sorted(counts, key=lambda owner: (-counts[owner], owner))


def affected(
    manifest: Path,
    source: str,
    stream: str,
    columns: Collection[str],
    *,
    expectations: Path | None = None,
) -> Affected:
    """Follow columns of `raw_<source>.<stream>` through the project.

    Args:
        manifest: dbt's manifest.json; compiled SQL is taken from it, or from `compiled/` beside it.
        columns: Names in the contract; none means the whole stream.
        expectations: The folder with suites and reconciliation, to name identities and suites.
    """
    asked = (source, stream, tuple(columns))
    if not manifest.is_file():
        return Affected(
            *asked,
            notes=("What it touches is known after the first build (`tieout refresh` or `tieout demo`).",),
        )
    project = _Project(json.loads(manifest.read_text(encoding="utf-8")), manifest.parent)
    start = project.source_id(source, stream)
    if start is None:
        return Affected(*asked, notes=(f"No model reads {source}.{stream}.",))
    reached = project.follow(start, Reach(frozenset(columns), wild=not columns))
    models = [project.touched(node, found) for node, found in reached.items()]
    metrics = _metrics(project, reached)
    touched = [
        *models,
        *metrics,
        *_reports(project, {item.name for item in metrics}),
        *_identities(expectations, models),
        *_suites(expectations, models),
    ]
    return Affected(*asked, tuple(touched), tuple(project.notes))


@dataclass
class _Project:
    document: dict[str, Any]
    target: Path
    notes: list[str] = field(default_factory=list)

    def source_id(self, source: str, stream: str) -> str | None:
        return next(
            (
                key
                for key, item in self.document["sources"].items()
                if item["source_name"] == source and item["name"] == stream
            ),
            None,
        )

    def follow(self, start: str, first: Reach) -> dict[str, Reach]:
        """What is reached in every downstream model, in the order of building."""
        nodes = self.document["nodes"]
        found: dict[str, Reach] = {start: first}
        for key in self._downstream(start):
            parents = {
                _relation(self.document["sources"].get(parent) or nodes[parent]): found[parent]
                for parent in nodes[key]["depends_on"]["nodes"]
                if parent in found
            }
            if not any(item.anything for item in parents.values()):
                continue
            code = self._code(nodes[key])
            if code is None:
                answer, why = None, "it has not been compiled"
            else:
                answer, why = reach(code, parents)
            if answer is None:
                self.notes.append(
                    f"{nodes[key]['name']}: its SQL could not be followed ({why}); the whole table is named."
                )
                answer = Reach(wild=True, rows=True, certain=False)
            found[key] = answer
        del found[start]
        return {key: item for key, item in found.items() if item.anything}

    def _downstream(self, start: str) -> list[str]:
        """Models below `start`, each after its parents."""
        nodes, children = self.document["nodes"], self.document["child_map"]
        order: list[str] = []
        seen: set[str] = set()

        def visit(key: str) -> None:
            # Depth first without recursion: projects may be deep.
            stack = [(key, iter(children.get(key, [])))]
            seen.add(key)
            while stack:
                node, below = stack[-1]
                child = next(below, None)
                if child is None:
                    order.append(node)
                    stack.pop()
                elif child not in seen and nodes.get(child, {}).get("resource_type") == "model":
                    seen.add(child)
                    stack.append((child, iter(children.get(child, []))))

        visit(start)
        return [key for key in reversed(order) if key != start]

    def _code(self, node: dict[str, Any]) -> str | None:
        if node.get("compiled_code"):
            return node["compiled_code"]
        path = self.target / "compiled" / node["package_name"] / node["original_file_path"]
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def touched(self, key: str, found: Reach) -> Touched:
        node = self.document["nodes"][key]
        columns = ("*",) if found.wild else tuple(sorted(found.values))
        name = f"{node['schema']}.{node.get('alias') or node['name']}"
        title = (node.get("description") or "").strip().split("\n")[0]
        return Touched("model", name, title, _meta(node).get("owner"), columns, found.rows, found.certain)


def _relation(node: dict[str, Any]) -> str:
    return f"{node['schema']}.{node.get('alias') or node.get('identifier') or node['name']}".lower()


def _meta(node: dict[str, Any]) -> dict[str, Any]:
    return (node.get("config") or {}).get("meta") or node.get("meta") or {}


# --- metrics, and what is made of them ------------------------------------------------------------


def _metrics(project: _Project, reached: dict[str, Reach]) -> list[Touched]:
    measures: dict[str, tuple[bool, bool]] = {}  # name → (carries the value, rows depend on it)
    for model in project.document["semantic_models"].values():
        relation = f"{model['node_relation']['schema_name']}.{model['node_relation']['alias']}"
        found = next(
            (r for k, r in reached.items() if _relation(project.document["nodes"][k]) == relation), NOTHING
        )
        if not found.anything:
            continue
        for measure in model["measures"]:
            expr = str(measure.get("expr") or measure["name"])
            answer, _ = reach(f"select {expr} as measure from {relation}", {relation: found})
            carries = answer is None or answer.reads("measure")
            if carries or found.rows:
                measures[measure["name"]] = (carries, found.rows)
    every = project.document["metrics"]
    known: dict[str, tuple[bool, bool]] = {}

    def look(key: str) -> tuple[bool, bool]:
        if key not in known:
            known[key] = (False, False)  # a metric made of itself would be an error elsewhere
            metric = every[key]
            parts = [
                measures.get(item["name"], (False, False))
                for item in metric["type_params"].get("input_measures") or []
            ]
            parts += [look(item) for item in metric["depends_on"]["nodes"] if item in every]
            known[key] = (any(value for value, _ in parts), any(rows for _, rows in parts))
        return known[key]

    touched = []
    for key, metric in every.items():
        carries, rows = look(key)
        if carries or rows:
            title, owner = metric.get("label") or metric["name"], _meta(metric).get("owner")
            touched.append(
                Touched(
                    "metric",
                    metric["name"],
                    title,
                    owner,
                    ("value",) if carries else (),
                    rows and not carries,
                )
            )
    return sorted(touched, key=lambda item: (item.rows, item.name))


def _reports(project: _Project, metrics: set[str]) -> list[Touched]:
    """Saved queries that show a metric, and exposures that depend on a touched model are for dbt to know."""
    touched = []
    for query in project.document.get("saved_queries", {}).values():
        shown = [name for name in query["query_params"]["metrics"] if name in metrics]
        if shown:
            title = query.get("label") or query.get("description") or query["name"]
            touched.append(
                Touched("report", query["name"], title.strip(), _meta(query).get("owner"), tuple(shown))
            )
    return touched


def _identities(folder: Path | None, models: list[Touched]) -> list[Touched]:
    names = {item.name.split(".")[-1]: item for item in models}
    touched = []
    for path in sorted((folder / "reconciliation").glob("*.yaml")) if folder else []:
        model = names.get(f"identity_{path.stem}")
        if model is None:
            continue
        said = _yaml(path)
        title = said.get("title") or {}
        owners = "/".join(str(said[key]) for key in ("owner", "with") if said.get(key))
        text = f"{title.get('zh', '')} / {title.get('en', '')}"
        touched.append(Touched("identity", path.stem, text, owners, model.columns, model.rows, model.certain))
    return touched


def _suites(folder: Path | None, models: list[Touched]) -> list[Touched]:
    touched = []
    for model in models:
        path = folder / "suites" / f"{model.name.replace('.', '/')}.yaml" if folder else None
        if path is None or not path.is_file():
            continue
        said = _yaml(path)
        on = {
            str(value)
            for item in said.get("expectations", [])
            for key, value in (item.get("kwargs") or {}).items()
            if key.startswith("column") and isinstance(value, str)
        }
        columns = ("*",) if model.columns == ("*",) else tuple(sorted(on & set(model.columns)))
        if columns or model.rows:
            touched.append(
                Touched(
                    "suite", model.name, model.title, said.get("owner"), columns, not columns, model.certain
                )
            )
    return touched


def _yaml(path: Path) -> dict[str, Any]:
    return from_yaml(path.read_text(encoding="utf-8")) or {}
