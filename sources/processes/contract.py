"""Typed reader of `sources/processes/<process>.yaml`; unknown keys are errors, so is a hand-off nobody answers for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, get_args

import yaml
from pydantic import AfterValidator, Field, ValidationError

from sources.contract import ContractError, Duration
from sources.processes.shape import (
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
from tieout.strict import Identifier, Strict, Title, from_yaml

_ID = re.compile(r"^[^\W\d][\w.-]{0,199}$")
# What no XML file can hold: a name with such a character could never be exported.
_UNWRITABLE = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class ProcessError(ContractError):
    """A process or its drawing cannot be read or used; the message names file, element and remedy."""


def _id(value: str) -> str:
    if not _ID.match(value):
        raise ValueError(f"{value!r} is no id: begin with a letter, go on with letters, digits, _ . -")
    return value


def _writable(value: str) -> str:
    if _UNWRITABLE.search(value):
        raise ValueError("holds a control character, which no XML file can hold; take it out")
    return value.strip()


def _kind(value: str) -> str:
    if value not in ACTIVITIES | EVENTS | GATEWAYS | DATA:
        raise ValueError(
            f"unknown kind {value!r}; use one of {sorted(ACTIVITIES | EVENTS | GATEWAYS | DATA)}"
        )
    return value


Id = Annotated[str, AfterValidator(_id)]
Text = Annotated[str, AfterValidator(_writable), Field(min_length=1)]
Line = Annotated[str, AfterValidator(lambda value: one_line(_writable(value))), Field(min_length=1)]
Trigger = Literal[
    "timer", "message", "error", "signal", "conditional", "escalation", "link", "terminate", "compensate", "cancel"
]  # fmt: skip
TRIGGERS = get_args(Trigger)
_CATCHING = frozenset({"start_event", "intermediate_catch_event", "boundary_event"})
_THROWING = frozenset({"end_event", "intermediate_throw_event"})
CHOOSING = ACTIVITIES | {"exclusive_gateway", "inclusive_gateway", "complex_gateway"}


class _Words(Title):
    zh: Line
    en: Line


class _Pool(Strict):
    title: _Words | None = None
    owner: Line | None = None


class _Lane(_Pool):
    pool: Id | None = None
    within: Id | None = None


class _Event(Strict):
    source: Line
    event: Line


class _Step(Strict):
    """`limit` is how long the step may take; `events` is where it leaves its trace in the systems."""

    kind: Annotated[str, AfterValidator(_kind)] = "task"
    title: _Words | None = None
    lane: Id | None = None
    pool: Id | None = None
    inside: Id | None = None
    attached_to: Id | None = None
    trigger: Trigger | None = None
    timer: Line | None = None
    calls: Line | None = None
    owner: Line | None = None
    limit: Duration | None = None
    events: tuple[_Event, ...] = ()
    note: Text | None = None


class _Flow(Strict):
    source: Id = Field(alias="from")
    target: Id = Field(alias="to")
    kind: Literal["sequence", "message", "data"] = "sequence"
    label: Line | None = None
    when: Text | None = None
    default: bool = False
    guessed: bool = False


class _HandOff(_Flow):
    """A flow between two departments. `proposed`: the limit is a guess nobody has agreed to yet."""

    limit: Duration
    owner: Line
    proposed: bool = False


class _File(Strict):
    process: Identifier
    title: _Words
    note: Text | None = None
    pools: dict[Id, _Pool] = Field(default_factory=dict)
    lanes: dict[Id, _Lane] = Field(default_factory=dict)
    steps: dict[Id, _Step] = Field(min_length=1)
    flows: dict[Id, _Flow] = Field(default_factory=dict)
    hand_offs: dict[Id, _HandOff] = Field(default_factory=dict)


def process_in(text: str, where: str) -> Process:
    """The process a YAML text describes; `where` names the text in errors.

    Raises: ProcessError naming every wrong key and every reference that leads nowhere.
    """
    try:
        file = _File.model_validate(from_yaml(text))
    except yaml.YAMLError as error:
        raise ProcessError(f"{where}: is not YAML: {error}") from error
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        raise _refusal(where, faults) from None
    if faults := list(_loose_ends(file)):
        raise _refusal(where, faults)
    process = _process(file)
    if faults := [*_misplaced(file, process)]:
        raise _refusal(where, faults)
    return process


def read_process(path: Path) -> Process:
    """One process; its name is the file's name.

    Raises: ProcessError naming the file, the keys and what is wrong with them.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ProcessError(f"{path}: cannot be read: {error}") from error
    process = process_in(text, str(path))
    if process.name != path.stem:
        raise ProcessError(f"{path}: says process {process.name!r}; name the file {process.name}.yaml")
    return process


def read_processes(folder: Path) -> dict[str, Process]:
    """Every process of a folder, by name; none is an answer too.

    Raises: ProcessError if one cannot be read.
    """
    return {path.stem: read_process(path) for path in sorted(folder.glob("*.yaml"))}


def _refusal(where: str, faults: list[str]) -> ProcessError:
    lines = "\n".join(f"  {fault}" for fault in faults)
    return ProcessError(f"{where} does not keep the contract format; the process is not used:\n{lines}")


def _loose_ends(file: _File) -> Iterator[str]:
    """Ids used twice and references to nothing; ids are unique over the whole file, as BPMN wants them."""
    flows = {**file.flows, **file.hand_offs}
    used = Counter([*file.pools, *file.lanes, *file.steps, *file.flows, *file.hand_offs])
    yield from (
        f"{id}: the id is used {count} times; give each its own" for id, count in used.items() if count > 1
    )
    for id, lane in file.lanes.items():
        yield from _unknown(
            f"lanes.{id}", {"pool": (lane.pool, file.pools), "within": (lane.within, file.lanes)}
        )
    for id, step in file.steps.items():
        where = f"steps.{id}"
        hosts = {name for name, other in file.steps.items() if other.kind in ACTIVITIES}
        around = {name for name, other in file.steps.items() if other.kind in CONTAINERS}
        yield from _unknown(
            where,
            {
                "lane": (step.lane, file.lanes),
                "pool": (step.pool, file.pools),
                "inside (a sub-process)": (step.inside, around),
                "attached_to (a task)": (step.attached_to, hosts),
            },
        )
        if (step.kind == "boundary_event") != (step.attached_to is not None):
            yield f"{where}: `attached_to` is for boundary events, and they need one"
        if step.trigger and step.kind not in EVENTS:
            yield f"{where}: `trigger` is for events"
        if step.timer and step.trigger != "timer":
            yield f"{where}: `timer` needs `trigger: timer`"
        if step.calls and step.kind != "call_activity":
            yield f"{where}: `calls` is for call activities"
    yield from (
        f"lanes.{id}: lies within itself" for id in _circles({k: v.within for k, v in file.lanes.items()})
    )
    above = {id: step.attached_to or step.inside for id, step in file.steps.items()}
    yield from (f"steps.{id}: lies inside itself" for id in _circles(above))
    for id, flow in flows.items():
        yield from (f"flows.{id}: {fault}" for fault in _flow_faults(file, flow))


def _unknown(where: str, references: Mapping[str, tuple[str | None, object]]) -> Iterator[str]:
    for key, (name, known) in references.items():
        if name is not None and name not in known:  # ty: ignore[unsupported-operator]
            yield f"{where}: `{key}` names {name!r}, which is not there"


def _circles(parents: Mapping[str, str | None]) -> Iterator[str]:
    for start in parents:
        seen, place = {start}, parents[start]
        while place is not None and place not in seen:
            seen.add(place)
            place = parents.get(place)
        if place == start:
            yield start


def _flow_faults(file: _File, flow: _Flow) -> Iterator[str]:
    ends = (flow.source, flow.target)
    known = {*file.steps, *file.pools} if flow.kind == "message" else set(file.steps)
    if unknown := sorted({end for end in ends if end not in known}):
        yield f"names {unknown}, which {'is' if len(unknown) == 1 else 'are'} not a step of this process"
        return
    kinds = [file.steps[end].kind for end in ends if end in file.steps]
    papers = sum(kind in DATA for kind in kinds)
    if flow.kind != "data" and papers:
        yield "documents take `kind: data` flows only"
    if flow.kind == "data" and (papers != 1 or any(kind in GATEWAYS for kind in kinds)):
        yield "a `data` flow joins one document or store with one task or event"
    writes, reads = (file.steps[end].kind if end in file.steps else "" for end in ends)
    if flow.kind == "data" and (reads in _CATCHING or writes in _THROWING):
        yield "events that wait only write documents, events that throw or end only read them"
    if flow.default and (flow.kind != "sequence" or kinds[0] not in CHOOSING):
        yield "`default` is for sequence flows out of a task or an exclusive, inclusive or complex gateway"


def _process(file: _File) -> Process:
    def pool(id: str) -> str | None:
        """Said by the step, its lane, the lanes around that, or what it lies in or on."""
        step = file.steps[id]
        if step.pool:
            return step.pool
        lane = step.lane
        while lane is not None:
            if file.lanes[lane].pool:
                return file.lanes[lane].pool
            lane = file.lanes[lane].within
        above = step.attached_to or step.inside
        return pool(above) if above else None

    def lane_pool(id: str) -> str | None:
        lane = file.lanes[id]
        return lane.pool or (lane_pool(lane.within) if lane.within else None)

    def words(title: Title | None) -> dict[str, str]:
        return {"name": title.zh, "name_en": title.en} if title else {}

    def edge(id: str, flow: _Flow) -> Edge:
        drawn = Edge(
            id, flow.source, flow.target, flow.kind, flow.label or "", flow.when or "", flow.default,
            guessed=flow.guessed,
        )  # fmt: skip
        if isinstance(flow, _HandOff):
            return replace(drawn, limit=flow.limit, owner=flow.owner, proposed=flow.proposed)
        return drawn

    return Process(
        name=file.process,
        title=file.title.zh,
        title_en=file.title.en,
        note=file.note or "",
        pools={id: Pool(id, owner=item.owner, **words(item.title)) for id, item in file.pools.items()},
        lanes={
            id: Lane(id, owner=item.owner, pool=lane_pool(id), parent=item.within, **words(item.title))
            for id, item in file.lanes.items()
        },
        nodes={
            id: Node(
                id, step.kind, lane=step.lane, pool=pool(id), parent=step.inside, attached_to=step.attached_to,
                trigger=step.trigger, timer=step.timer, calls=step.calls, owner=step.owner, limit=step.limit,
                events=tuple(NodeEvent(item.source, item.event) for item in step.events), note=step.note or "",
                **words(step.title),
            )
            for id, step in file.steps.items()
        },
        edges={id: edge(id, flow) for id, flow in {**file.flows, **file.hand_offs}.items()},
    )  # fmt: skip


def _misplaced(file: _File, process: Process) -> Iterator[str]:
    """Steps outside every pool, or in two; hand-offs written as flows (they need an owner), and the other way."""
    for node in process.nodes.values():
        if process.pools and node.pool is None:
            yield f"steps.{node.id}: the process has pools; say `pool`, or a lane of one"
        if node.lane and process.lanes[node.lane].pool != node.pool:
            yield f"steps.{node.id}: its lane lies in another pool than {node.pool!r}"
        above = node.attached_to or node.parent
        if above and process.nodes[above].pool != node.pool:
            yield f"steps.{node.id}: lies in another pool than {above!r}, which it belongs to"
    for lane in process.lanes.values():
        if lane.parent and process.lanes[lane.parent].pool != lane.pool:
            yield f"lanes.{lane.id}: lies in another pool than the lane around it"
    for id, edge in process.edges.items():
        if edge.kind == "message" and not process.pools:
            yield f"{id}: messages go between pools; write the pools, or `kind: sequence`"
        if process.is_hand_off(edge) and id in file.flows:
            ends = f"{process.title_of(edge.source)} → {process.title_of(edge.target)}"
            yield f"flows.{id}: {ends} changes hands; write it under hand_offs, with `limit` and `owner`"
        if id in file.hand_offs and not process.is_hand_off(edge):
            yield f"hand_offs.{id}: both ends lie in the same lane, or one in none; write it under flows"
