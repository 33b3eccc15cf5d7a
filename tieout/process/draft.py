"""Draft `sources/processes/<process>.yaml` from a drawing: what was drawn, and proposals for what was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sources.processes import Edge, Lane, Node, Pool, Process

# Two working days: short enough to be argued about, which is what a proposal is for.
PROPOSED_LIMIT = "2d"


def proposed(process: Process) -> Process:
    """The process with owners and limits filled in where the drawing says nothing.

    A lane's owner is its name. A hand-off's limit is its own, else that of the step it leads to, else a proposal
    and marked so; who receives the work is accountable for it, outside the company who hands it over.
    """
    with_lanes = replace(
        process,
        lanes={
            id: replace(lane, owner=lane.owner or lane.name or None) for id, lane in process.lanes.items()
        },
        pools={
            id: replace(pool, owner=pool.owner or pool.name or None)
            if any(node.pool == id and not node.lane for node in process.nodes.values())
            else pool
            for id, pool in process.pools.items()
        },
    )
    return replace(
        with_lanes,
        edges={
            id: _handed_off(with_lanes, edge) if with_lanes.is_hand_off(edge) else edge
            for id, edge in process.edges.items()
        },
    )


def _handed_off(process: Process, edge: Edge) -> Edge:
    target = process.nodes.get(edge.target)
    limit = edge.limit or (target.limit if target else None)
    return replace(
        edge,
        limit=limit or PROPOSED_LIMIT,
        proposed=edge.proposed or limit is None,
        owner=edge.owner or process.owner_of(edge.target) or process.owner_of(edge.source),
    )


def draft(process: Process, origin: str = "") -> str:
    """The process as YAML for a person to edit; the contract reader makes the same process of it again."""
    title = process.title or process.name
    lines = (
        [f"# Drafted from {' '.join(origin.split())}; this file is the truth from now on."] if origin else []
    )
    if any(edge.proposed for edge in process.edges.values()):
        lines += ["# Limits with `proposed: true` are guesses: agree on each, then take the mark away."]
    lines += [f"process: {process.name}", f"title: {_flow(_title(title, process.title_en or title))}"]
    if process.note:
        lines += [f"note: {_flow(process.note)}"]
    lines += _part("pools", {id: _pool(pool) for id, pool in process.pools.items()})
    lines += _part("lanes", {id: _lane(process, lane) for id, lane in process.lanes.items()})
    lines += _part("steps", {id: _step(process, node) for id, node in process.nodes.items()})
    within = {id: edge for id, edge in process.edges.items() if not process.is_hand_off(edge)}
    lines += _part("flows", {id: _edge(edge) for id, edge in within.items()})
    across = {id: edge for id, edge in process.edges.items() if process.is_hand_off(edge)}
    lines += _part("hand_offs", {id: _edge(edge) | _agreed(edge) for id, edge in across.items()})
    return "\n".join(lines) + "\n"


def _part(name: str, items: Mapping[str, Mapping[str, object]]) -> list[str]:
    return [f"{name}:", *(f"  {_flow(id)}: {_flow(item)}" for id, item in items.items())] if items else []


def _flow(value: object) -> str:
    """One line of YAML."""
    import yaml

    text = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=float("inf")
    )
    return text.removesuffix("\n").removesuffix("\n...")


def _said(**facts: object) -> dict[str, object]:
    return {key: value for key, value in facts.items() if value}


def _title(zh: str, en: str) -> dict[str, str] | None:
    return {"zh": zh, "en": en} if zh else None


def _pool(pool: Pool) -> dict[str, object]:
    return _said(title=_title(pool.name, pool.name_en), owner=pool.owner)


def _lane(process: Process, lane: Lane) -> dict[str, object]:
    inherited = process.lanes[lane.parent].pool if lane.parent else None
    return _said(
        title=_title(lane.name, lane.name_en),
        owner=lane.owner,
        pool=lane.pool if lane.pool != inherited else None,
        within=lane.parent,
    )


def _step(process: Process, node: Node) -> dict[str, object]:
    above = node.attached_to or node.parent
    inherited = process.lanes[node.lane].pool if node.lane else process.nodes[above].pool if above else None
    return _said(
        kind=node.kind if node.kind != "task" else None,
        title=_title(node.name, node.name_en),
        lane=node.lane,
        pool=node.pool if node.pool != inherited else None,
        inside=node.parent,
        attached_to=node.attached_to,
        trigger=node.trigger,
        timer=node.timer,
        calls=node.calls,
        owner=node.owner,
        limit=node.limit,
        events=[{"source": event.system, "event": event.type} for event in node.events],
        note=node.note,
    )


def _edge(edge: Edge) -> dict[str, object]:
    return {"from": edge.source, "to": edge.target} | _said(
        kind=edge.kind if edge.kind != "sequence" else None,
        label=edge.name,
        when=edge.condition,
        default=edge.default,
        guessed=edge.guessed,
    )


def _agreed(edge: Edge) -> dict[str, object]:
    return _said(limit=edge.limit, owner=edge.owner, proposed=edge.proposed)
