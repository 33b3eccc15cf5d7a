"""A plain left-to-right drawing (BPMN DI) of a process: pools and lanes are bands, steps stand in columns by rank."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from xml.etree.ElementTree import Element, SubElement

from sources.processes import ACTIVITIES, CONTAINERS, GATEWAYS, Edge, Lane, Node, Process
from tieout.process.words import DC, DD, DI

_COLUMN, _ROW, _HEAD, _GAP = 160, 110, 30, 40  # pixels, as every BPMN tool counts


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    width: float
    height: float


def draw(root: Element, process: Process, plane: str, fresh: Callable[[str], str]) -> None:
    """Append one diagram for the process and one for each sub-process (tools open those by a click)."""
    levels: list[str | None] = [
        None,
        *(node.id for node in process.nodes.values() if node.kind in CONTAINERS),
    ]
    for parent in levels:
        boxes = _Layout(process, parent).boxes
        if parent is not None and not boxes:
            continue
        diagram = SubElement(root, f"{{{DI}}}BPMNDiagram", id=fresh("diagram"))
        page = SubElement(diagram, f"{{{DI}}}BPMNPlane", id=fresh("plane"), bpmnElement=parent or plane)
        for id, box in boxes.items():
            shape = SubElement(page, f"{{{DI}}}BPMNShape", id=fresh(f"{id}_shape"), bpmnElement=id)
            if id in process.pools or id in process.lanes:
                shape.set("isHorizontal", "true")
            elif process.nodes[id].kind in CONTAINERS:
                shape.set("isExpanded", "false")
            SubElement(shape, f"{{{DC}}}Bounds", {key: f"{value:g}" for key, value in vars(box).items()})
        for edge in process.edges.values():
            if edge.source in boxes and edge.target in boxes:
                line = SubElement(page, f"{{{DI}}}BPMNEdge", id=fresh(f"{edge.id}_line"), bpmnElement=edge.id)
                for x, y in _way(edge, boxes[edge.source], boxes[edge.target]):
                    SubElement(line, f"{{{DD}}}waypoint", x=f"{x:g}", y=f"{y:g}")


class _Layout:
    def __init__(self, process: Process, parent: str | None) -> None:
        self.process, self.parent = process, parent
        self.nodes = [
            node for node in process.nodes.values() if node.parent == parent and not node.attached_to
        ]
        self.rank = _ranks([node.id for node in self.nodes], process.edges.values())
        self.boxes: dict[str, Box] = {}
        self.width = 2 * _GAP + _COLUMN * (1 + max(self.rank.values(), default=0))
        y = 0.0
        if parent is not None:
            self._band(self.nodes, 0, y)
        elif process.pools:
            for pool in process.pools.values():
                bottom = self._lanes(pool.id, None, [n for n in self.nodes if n.pool == pool.id], _HEAD, y)
                self.boxes[pool.id] = Box(0, y, self.width + self._deepest(), bottom - y)
                y = bottom + _GAP
            self._lanes(None, None, [node for node in self.nodes if node.pool is None], 0, y)
        else:
            self._lanes(None, None, self.nodes, 0, y)
        self._boundaries()
        areas = [id for id in self.boxes if id not in process.nodes]  # tools want what lies behind first
        areas.sort(key=lambda id: (id not in process.pools, self._depth(id)))
        self.boxes = {
            id: self.boxes[id] for id in [*areas, *(set_ for set_ in self.boxes if set_ in process.nodes)]
        }

    def _lanes(self, pool: str | None, parent: str | None, nodes: list[Node], x: float, y: float) -> float:
        """Bands of one level of lanes, and of what is in none of them; where the next band begins."""
        lanes = [lane for lane in self.process.lanes.values() if lane.pool == pool and lane.parent == parent]
        loose = [node for node in nodes if node.lane == parent or (parent is None and node.lane is None)]
        if loose or not lanes:
            y = self._band(loose, x, y)
        for lane in lanes:
            top = y
            y = self._lanes(pool, lane.id, [node for node in nodes if self._within(node, lane)], x + _HEAD, y)
            self.boxes[lane.id] = Box(x, top, self.width + self._deepest() - x, y - top)
        return y

    def _within(self, node: Node, lane: Lane) -> bool:
        place = node.lane
        while place is not None and place != lane.id:
            place = self.process.lanes[place].parent
        return place == lane.id

    def _band(self, nodes: Iterable[Node], x: float, y: float) -> float:
        filled: dict[int, int] = {}
        for node in nodes:
            column = self.rank[node.id]
            row = filled[column] = filled.get(column, -1) + 1
            width, height = _size(node)
            middle_x = self._deepest() + _GAP + _COLUMN * column + 50
            self.boxes[node.id] = Box(
                middle_x - width / 2, y + _ROW * (row + 0.5) - height / 2, width, height
            )
        return y + _ROW * (1 + max(filled.values(), default=0))

    def _boundaries(self) -> None:
        seen: dict[str, int] = {}
        for node in self.process.nodes.values():
            if node.attached_to and (host := self.boxes.get(node.attached_to)):
                place = seen[node.attached_to] = seen.get(node.attached_to, -1) + 1
                self.boxes[node.id] = Box(host.x + 4 + 38 * place, host.y + host.height - 18, 36, 36)

    def _depth(self, place: str) -> int:
        lane = self.process.lanes.get(place)
        return 0 if lane is None else 1 + (self._depth(lane.parent) if lane.parent else 0)

    def _deepest(self) -> int:
        """Width of the headings of pool and lanes: steps stand right of all of them."""
        deepest = max((self._depth(lane) for lane in self.process.lanes), default=0)
        return _HEAD * (deepest + bool(self.process.pools))


def _ranks(nodes: list[str], edges: Iterable[Edge]) -> dict[str, int]:
    """Column of each step: one right of the furthest it follows; flows that go back are not followed."""
    after: dict[str, list[str]] = {id: [] for id in nodes}
    heard: set[str] = set()
    for edge in edges:
        if edge.source in after and edge.target in after and edge.source != edge.target:
            after[edge.source].append(edge.target)
            heard.add(edge.target)
    forward: dict[str, list[str]] = {id: [] for id in nodes}
    state: dict[str, int] = {}
    order: list[str] = []
    for start in [*(id for id in nodes if id not in heard), *nodes]:
        if start in state:
            continue
        state[start] = 1
        stack = [(start, iter(after[start]))]
        while stack:
            id, rest = stack[-1]
            for target in rest:
                if state.get(target) != 1:  # 1: still on the way to here, so the flow goes back
                    forward[id].append(target)
                if target not in state:
                    state[target] = 1
                    stack.append((target, iter(after[target])))
                    break
            else:
                state[id] = 2
                order.append(id)
                stack.pop()
    rank = dict.fromkeys(nodes, 0)
    for id in reversed(order):
        for target in forward[id]:
            rank[target] = max(rank[target], rank[id] + 1)
    return rank


def _size(node: Node) -> tuple[float, float]:
    if node.kind in ACTIVITIES:
        return 100, 80
    if node.kind in GATEWAYS or node.kind == "data_store":
        return 50, 50
    return (36, 50) if node.kind == "data_object" else (36, 36)


def _way(edge: Edge, source: Box, target: Box) -> list[tuple[float, float]]:
    """Right side to left side with one bend; downwards and up again where that would go back."""
    start = (source.x + source.width, source.y + source.height / 2)
    end = (target.x, target.y + target.height / 2)
    if edge.kind == "message":
        down = source.y < target.y
        start = (source.x + source.width / 2, source.y + (source.height if down else 0))
        end = (target.x + target.width / 2, target.y + (0 if down else target.height))
        middle = (start[1] + end[1]) / 2
        points = [start, (start[0], middle), (end[0], middle), end]
    elif start[0] < end[0]:
        middle = (start[0] + end[0]) / 2
        points = [start, (middle, start[1]), (middle, end[1]), end]
    else:
        start = (source.x + source.width / 2, source.y + source.height)
        end = (target.x + target.width / 2, target.y + target.height)
        below = max(start[1], end[1]) + 12
        points = [start, (start[0], below), (end[0], below), end]
    return [points[0], *(here for before, here in pairwise(points) if here != before)]
