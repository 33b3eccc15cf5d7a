"""Random processes that keep the contract, for tests that must hold for any of them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from sources.processes import (
    ACTIVITIES,
    CONTAINERS,
    DATA,
    EVENTS,
    GATEWAYS,
    Edge,
    Lane,
    Node,
    NodeEvent,
    Pool,
    Process,
    one_line,
)
from sources.processes.contract import CHOOSING, TRIGGERS

# Whatever XML can hold, with what breaks naive writers more often.
_CHARACTERS = st.characters(exclude_categories=("Cc", "Cs", "Cn")) | st.sampled_from(
    "<>&'\"\n\t：，#{}[]%|-?*！\u3000"
)
LINES = st.text(_CHARACTERS, max_size=12).map(one_line)
TEXTS = st.text(_CHARACTERS, max_size=30).map(str.strip)
_MAYBE = st.none() | LINES.filter(bool)
_LIMITS = st.none() | st.sampled_from(["90s", "30m", "36h", "14d"])
_WORDS = st.tuples(LINES, LINES).map(
    lambda pair: {"name": pair[0], "name_en": (pair[1] or pair[0]) if pair[0] else ""}
)


@st.composite
def processes(draw: st.DrawFn) -> Process:
    pools = {
        f"pool{n}": Pool(f"pool{n}", owner=draw(_MAYBE), **draw(_WORDS))
        for n in range(draw(st.integers(0, 3)))
    }
    lanes: dict[str, Lane] = {}
    for number in range(draw(st.integers(0, 4))):
        parent = draw(st.sampled_from([None, *lanes.values()]))
        pool = parent.pool if parent else draw(st.sampled_from([*pools])) if pools else None
        id = f"lane-{number}"
        lanes[id] = Lane(
            id, owner=draw(_MAYBE), pool=pool, parent=parent.id if parent else None, **draw(_WORDS)
        )
    nodes: dict[str, Node] = {}
    for number in range(draw(st.integers(1, 9))):
        node = draw(_nodes(f"Step_{number}.x", pools, lanes, nodes))
        nodes[node.id] = node
    edges: dict[str, Edge] = {}
    for number in range(draw(st.integers(0, 10))):
        edge = draw(_edges(f"步骤_{number}", pools, nodes))
        if edge and not (edge.default and any(e.default and e.source == edge.source for e in edges.values())):
            edges[edge.id] = edge
    title = draw(LINES.filter(bool))
    return Process("any_process", title, draw(LINES) or title, draw(TEXTS), pools, lanes, nodes, edges)


@st.composite
def _nodes(
    draw: st.DrawFn, id: str, pools: dict[str, Pool], lanes: dict[str, Lane], nodes: dict[str, Node]
) -> Node:
    hosts = [node for node in nodes.values() if node.kind in ACTIVITIES]
    kinds = ACTIVITIES | EVENTS | GATEWAYS | DATA
    kind = draw(st.sampled_from(sorted(kinds if hosts else kinds - {"boundary_event"})))
    host = draw(st.sampled_from(hosts)) if kind == "boundary_event" else None
    parent = host.parent if host else draw(
        st.sampled_from([None, *(node.id for node in nodes.values() if node.kind in CONTAINERS)])
    )  # fmt: skip
    above = host or (nodes[parent] if parent else None)
    pool = above.pool if above else draw(st.sampled_from([*pools])) if pools else None
    lane = draw(st.sampled_from([None, *(lane.id for lane in lanes.values() if lane.pool == pool)]))
    trigger = draw(st.none() | st.sampled_from(TRIGGERS)) if kind in EVENTS else None
    return Node(
        id, kind, lane=lane, pool=pool, parent=parent, attached_to=host.id if host else None, trigger=trigger,
        timer=draw(st.none() | st.sampled_from(["PT2H", "R3/PT10H", "2026-01-05T02:11:09Z"])) if trigger == "timer" else None,
        calls=draw(st.none() | st.just("other_process")) if kind == "call_activity" else None,
        owner=draw(_MAYBE), limit=draw(_LIMITS), note=draw(TEXTS), **draw(_WORDS),
        events=tuple(draw(st.lists(st.builds(NodeEvent, LINES.filter(bool), LINES.filter(bool)), max_size=2))),
    )  # fmt: skip


@st.composite
def _edges(draw: st.DrawFn, id: str, pools: dict[str, Pool], nodes: dict[str, Node]) -> Edge | None:
    kind = draw(st.sampled_from(["sequence", "sequence", "message", "data"]))
    papers = [node.id for node in nodes.values() if node.kind in DATA]
    steps = [node.id for node in nodes.values() if node.kind not in DATA]
    doing = [step for step in steps if nodes[step].kind in ACTIVITIES]
    if kind == "data":
        if not papers or not doing:
            return None
        ends = draw(st.permutations([draw(st.sampled_from(papers)), draw(st.sampled_from(doing))]))
        return Edge(id, *ends, kind="data")
    if kind == "message" and not pools:
        return None
    known = [*steps, *pools] if kind == "message" else steps
    if not known:
        return None
    source, target = draw(st.sampled_from(known)), draw(st.sampled_from(known))
    default = kind == "sequence" and nodes[source].kind in CHOOSING and draw(st.booleans())
    return Edge(
        id, source, target, kind, draw(LINES), draw(TEXTS) if kind == "sequence" else "", default,
        draw(_LIMITS), draw(_MAYBE), draw(st.booleans()), draw(st.booleans()),
    )  # fmt: skip


def agreed(process: Process) -> Process:
    """The same process with every hand-off owned and limited, and nothing of the kind on other flows."""
    edges = {
        id: replace(edge, limit=edge.limit or "1d", owner=edge.owner or "somebody")
        if process.is_hand_off(edge)
        else replace(edge, limit=None, owner=None, proposed=False)
        for id, edge in process.edges.items()
    }
    return replace(process, edges=edges)
