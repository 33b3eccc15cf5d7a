"""The one shape of a process, whatever it was drawn in: pools, lanes, steps, and the flows between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CONTAINERS = frozenset({"sub_process", "event_sub_process", "transaction", "ad_hoc_sub_process"})
ACTIVITIES = CONTAINERS | {
    "task", "user_task", "manual_task", "service_task", "send_task", "receive_task", "script_task",
    "business_rule_task", "call_activity",
}  # fmt: skip
EVENTS = frozenset(
    {"start_event", "end_event", "intermediate_catch_event", "intermediate_throw_event", "boundary_event"}
)
GATEWAYS = frozenset(
    {"exclusive_gateway", "parallel_gateway", "inclusive_gateway", "event_based_gateway", "complex_gateway"}
)
DATA = frozenset({"data_object", "data_store"})


def one_line(text: str | None) -> str:
    """A name as it is compared and shown: drawings break names over lines and pad them."""
    return " ".join((text or "").split())


@dataclass(frozen=True)
class Pool:
    """A company or system that takes part; without steps it stands outside and is only sent to or heard from."""

    id: str
    name: str = ""
    name_en: str = ""
    owner: str | None = None


@dataclass(frozen=True)
class Lane:
    """A department or role; lanes lie inside lanes."""

    id: str
    name: str = ""
    name_en: str = ""
    owner: str | None = None
    pool: str | None = None
    parent: str | None = None


@dataclass(frozen=True)
class NodeEvent:
    """Where a step leaves its trace: a system, and there a table and column (`stream.column`) or a word."""

    system: str
    type: str


@dataclass(frozen=True)
class Node:
    """A step, an event, a gateway or a document; `limit` is how long the step may take."""

    id: str
    kind: str = "task"
    name: str = ""
    name_en: str = ""
    lane: str | None = None
    pool: str | None = None
    parent: str | None = None  # the sub-process it lies in
    attached_to: str | None = None  # boundary events: the step they interrupt
    trigger: str | None = None  # events: timer, message, error …
    timer: str | None = None  # timers: ISO 8601 duration, date or cycle, as drawn
    calls: str | None = None  # call activities: the process they call
    owner: str | None = None  # where it is not the lane's
    limit: str | None = None
    events: tuple[NodeEvent, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Edge:
    """A flow from one step to another: `sequence`, `message` (between pools) or `data` (to or from a document)."""

    id: str
    source: str
    target: str
    kind: str = "sequence"
    name: str = ""
    condition: str = ""
    default: bool = False
    limit: str | None = None  # hand-offs: how long the other side may take to act
    owner: str | None = None  # hand-offs: who is accountable
    proposed: bool = False  # hand-offs: nobody has agreed to the limit yet
    guessed: bool = False  # drawn near its ends, not joined to them


@dataclass(frozen=True)
class Process:
    """One process. Mappings are by id, in the order of the drawing; two processes are equal in any order."""

    name: str
    title: str = ""
    title_en: str = ""
    note: str = ""
    pools: Mapping[str, Pool] = field(default_factory=dict)
    lanes: Mapping[str, Lane] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)
    edges: Mapping[str, Edge] = field(default_factory=dict)

    def place_of(self, end: str) -> str | None:
        """The lane a step lies in, or its pool if that has no lanes; a pool is its own place. None: nobody knows.

        What lies in a sub-process or on the border of a step is where that is, unless it says otherwise.
        """
        if end in self.pools:
            return end
        node = self.nodes[end]
        if node.lane:
            return node.lane
        if above := node.attached_to or node.parent:
            return self.place_of(above)
        if node.pool and not any(lane.pool == node.pool for lane in self.lanes.values()):
            return node.pool
        return None

    def owner_of(self, end: str) -> str | None:
        """Who answers for a step: itself, else its lane, the lane around that, its pool."""
        node = self.nodes.get(end)
        if node and node.owner:
            return node.owner
        place = self.place_of(end)
        while place and (lane := self.lanes.get(place)):
            if lane.owner:
                return lane.owner
            place = lane.parent or lane.pool
        pool = self.pools.get(place or "")
        return pool.owner if pool else None

    def is_hand_off(self, edge: Edge) -> bool:
        """Whether work changes hands: a message, or a sequence whose ends lie in different lanes."""
        if edge.kind != "sequence":
            return edge.kind == "message"
        ends = self.place_of(edge.source), self.place_of(edge.target)
        return None not in ends and ends[0] != ends[1]

    @property
    def hand_offs(self) -> tuple[Edge, ...]:
        return tuple(edge for edge in self.edges.values() if self.is_hand_off(edge))

    def title_of(self, place: str | None) -> str:
        """What people call a step, lane or pool; its id if it was never named."""
        if place is None:
            return "–"
        item = self.nodes.get(place) or self.lanes.get(place) or self.pools.get(place)
        return item.name if item and item.name else place
