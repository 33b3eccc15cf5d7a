"""What is wrong with a process as it was drawn, before any data says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sources.processes import ACTIVITIES, CONTAINERS, DATA, GATEWAYS, Edge, Process

if TYPE_CHECKING:
    from sources.contract import Source

Severity = Literal["critical", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and where. Critical: the process cannot run as drawn. Warning: it cannot be trusted."""

    rule: str
    at: str  # id of a step, flow, or the process
    severity: Severity
    zh: str
    en: str


def findings(process: Process, sources: Mapping[str, Source] | None = None) -> tuple[Finding, ...]:
    """Every finding, critical ones first. With `sources`, mapped events are looked up in the contracts too."""
    found = [
        *_unjoined(process),
        *_places(process),
        *_gateways(process),
        *_ends(process),
        *_hand_offs(process),
        *_names(process),
        *_events(process, sources),
    ]
    return tuple(sorted(found, key=lambda item: item.severity))


def _unjoined(process: Process) -> Iterator[Finding]:
    """Steps nothing leads to or from. Messages count; what starts, ends, or runs by itself needs none."""
    heard = {edge.target for edge in process.edges.values() if edge.kind != "data"}
    said = {edge.source for edge in process.edges.values() if edge.kind != "data"}
    for node in process.nodes.values():
        above = process.nodes[node.parent].kind if node.parent else ""
        if node.kind in DATA | {"event_sub_process"} or above == "ad_hoc_sub_process":
            continue
        from_afar, goes_afar = {"start_event", "boundary_event"}, {"end_event"}
        if node.trigger == "link":
            from_afar.add("intermediate_catch_event")
            goes_afar.add("intermediate_throw_event")
        title = process.title_of(node.id)
        if node.id not in heard and node.kind not in from_afar:
            yield Finding(
                "no_incoming", node.id, "critical", f"“{title}”没有流入", f"nothing leads to “{title}”"
            )
        if node.id not in said and node.kind not in goes_afar:
            yield Finding(
                "no_outgoing", node.id, "critical", f"“{title}”没有流出", f"nothing follows “{title}”"
            )
    for edge in process.edges.values():
        if edge.kind == "sequence" and process.nodes[edge.source].pool != process.nodes[edge.target].pool:
            yield Finding(
                "sequence_between_pools", edge.id, "critical",
                f"{_way(process, edge)}：顺序流跨越了泳池，应画成消息流",
                f"{_way(process, edge)}: a sequence flow leaves its pool; draw a message flow",
            )  # fmt: skip


def _places(process: Process) -> Iterator[Finding]:
    if not process.lanes and not process.pools:
        yield Finding("no_lanes", process.name, "critical", "流程没有泳道，不知道每一步由谁负责",
                      "the process has no lanes: nobody knows who does a step")  # fmt: skip
        return
    for node in process.nodes.values():
        if node.kind in DATA:
            continue
        title = process.title_of(node.id)
        if process.place_of(node.id) is None:
            yield Finding(
                "no_lane", node.id, "critical", f"“{title}”不在任何泳道内", f"“{title}” is in no lane"
            )
        elif node.kind in ACTIVITIES and process.owner_of(node.id) is None:
            yield Finding(
                "no_owner", node.id, "warning", f"“{title}”没有责任人", f"nobody answers for “{title}”"
            )


def _gateways(process: Process) -> Iterator[Finding]:
    """A gateway with one way out decides nothing, unless it joins several ways in."""
    out = Counter(edge.source for edge in process.edges.values() if edge.kind == "sequence")
    into = Counter(edge.target for edge in process.edges.values() if edge.kind == "sequence")
    for node in process.nodes.values():
        if node.kind in GATEWAYS and out[node.id] == 1 and into[node.id] < 2:
            title = process.title_of(node.id)
            yield Finding("idle_gateway", node.id, "warning", f"网关“{title}”只有一个出口，没有作用",
                          f"gateway “{title}” has one way out and decides nothing")  # fmt: skip


def _ends(process: Process) -> Iterator[Finding]:
    inside = {node.parent: [] for node in process.nodes.values()}
    for node in process.nodes.values():
        inside[node.parent].append(node)
    for node in process.nodes.values():
        ends = any(child.kind == "end_event" for child in inside.get(node.id, []))
        if node.kind in CONTAINERS - {"ad_hoc_sub_process"} and not ends:
            title = process.title_of(node.id)
            yield Finding("sub_process_without_end", node.id, "critical", f"子流程“{title}”没有结束事件",
                              f"sub-process “{title}” has no end event")  # fmt: skip
    top = [node.kind for node in inside.get(None, [])]
    for kind, zh, en in (("start_event", "开始", "start"), ("end_event", "结束", "end")):
        if kind not in top:
            yield Finding(
                f"no_{en}", process.name, "critical", f"流程没有{zh}事件", f"the process has no {en} event"
            )
    reached = _reached(process)
    for node in process.nodes.values():
        if node.kind == "end_event" and node.id not in reached:
            title = process.title_of(node.id)
            yield Finding("unreachable_end", node.id, "critical", f"从开始走不到结束“{title}”",
                          f"no way from a start leads to the end “{title}”")  # fmt: skip


def _reached(process: Process) -> set[str]:
    """Every step some way leads to: from starts, from messages from outside, into sub-processes, out of deadlines."""
    next_to: dict[str, list[str]] = {}
    for edge in process.edges.values():
        if edge.kind != "data":
            next_to.setdefault(edge.source, []).append(edge.target)
    heard = {edge.target for edge in process.edges.values() if edge.kind == "sequence"}
    for node in process.nodes.values():
        if node.attached_to:
            next_to.setdefault(node.attached_to, []).append(node.id)
        elif node.parent and (
            node.kind in {"start_event", "event_sub_process"}
            or (node.id not in heard and node.kind != "end_event")
        ):
            next_to.setdefault(node.parent, []).append(node.id)
    jumps = {"intermediate_throw_event", "intermediate_catch_event"}
    links = [node for node in process.nodes.values() if node.trigger == "link" and node.kind in jumps]
    for throw in links:
        targets = [other.id for other in links if other.kind != throw.kind and other.name == throw.name]
        if throw.kind == "intermediate_throw_event":
            next_to.setdefault(throw.id, []).extend(targets)
    waiting = [node.id for node in process.nodes.values() if not node.parent and node.kind == "start_event"]
    waiting += [
        node.id for node in process.nodes.values() if not node.parent and node.kind == "event_sub_process"
    ]
    waiting += [pool for pool in process.pools if _outside(process, pool)]
    reached: set[str] = set()
    while waiting:
        place = waiting.pop()
        if place not in reached:
            reached.add(place)
            waiting += next_to.get(place, [])
    return reached


def _hand_offs(process: Process) -> Iterator[Finding]:
    for edge in process.edges.values():
        way = _way(process, edge)
        if edge.guessed:
            yield Finding("guessed_flow", edge.id, "warning", f"{way}：连线两端是推测的，请核对",
                          f"{way}: the ends of this line are guessed; confirm them")  # fmt: skip
        if not process.is_hand_off(edge):
            continue
        if edge.proposed:
            yield Finding("proposed_limit", edge.id, "warning", f"{way}：时限 {edge.limit} 只是建议，尚未商定",
                          f"{way}: the limit {edge.limit} is a proposal nobody agreed to")  # fmt: skip
        blind = [end for end, back in ((edge.source, True), (edge.target, False))
                 if not _outside(process, end) and not _seen(process, end, back)]  # fmt: skip
        if blind:
            names = "、".join(process.title_of(end) for end in blind)
            yield Finding(
                "unmeasured_hand_off", edge.id, "warning",
                f"疑似断点 {way}：“{names}”没有对应的系统事件，交接无法度量",
                f"possible break {way}: no system event is mapped to “{names}”, so the hand-off cannot be measured",
            )  # fmt: skip


def _outside(process: Process, place: str) -> bool:
    """A pool in which nothing is drawn: a customer, a bank. It leaves no trace in our systems."""
    return place in process.pools and not any(node.pool == place for node in process.nodes.values())


def _seen(process: Process, step: str, back: bool) -> bool:
    """Whether a system event marks this side of a hand-off: the step's, or past gateways and events the next one's."""
    waiting, known = [step], set()
    while waiting:
        place = waiting.pop()
        if place in known or place in process.pools:
            continue
        known.add(place)
        node = process.nodes[place]
        if node.events:
            return True
        if node.kind in ACTIVITIES or process.place_of(place) != process.place_of(step):
            continue
        for edge in process.edges.values():
            here, there = (edge.target, edge.source) if back else (edge.source, edge.target)
            if here == place and edge.kind == "sequence":
                waiting.append(there)
    return False


def _names(process: Process) -> Iterator[Finding]:
    named = [node for node in process.nodes.values() if node.kind in ACTIVITIES and node.name]
    count = Counter(node.name for node in named)
    for node in named:
        if count[node.name] > 1:
            yield Finding("duplicate_name", node.id, "warning", f"有 {count[node.name]} 个步骤都叫“{node.name}”",
                          f"{count[node.name]} steps are called “{node.name}”")  # fmt: skip


def _events(process: Process, sources: Mapping[str, Source] | None) -> Iterator[Finding]:
    """Events mapped to a system nobody connected, or to a table or column its contract does not promise."""
    for node in process.nodes.values() if sources is not None else ():
        for event in node.events:
            source = (sources or {}).get(event.system)
            stream, dot, column = event.type.partition(".")
            if source and (
                not dot or (stream in source.streams and column in source.streams[stream].columns)
            ):
                continue
            what = event.system if source is None else f"{event.system} {event.type}"
            yield Finding("unknown_event", node.id, "warning", f"“{process.title_of(node.id)}”对应的 {what} 不在任何接入合同中",
                          f"“{process.title_of(node.id)}” is mapped to {what}, which no contract promises")  # fmt: skip


def _way(process: Process, edge: Edge) -> str:
    return f"{process.title_of(edge.source)} → {process.title_of(edge.target)}"
