"""Read BPMN 2.0 XML (OMG, namespace 20100524), whatever prefix and tool wrote it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sources.processes import (
    ACTIVITIES,
    CONTAINERS,
    DATA,
    Edge,
    Lane,
    Node,
    NodeEvent,
    Pool,
    Process,
    ProcessError,
    one_line,
)
from sources.processes.contract import TRIGGERS
from tieout.process.words import KINDS, MODEL, OURS, Drawing, identifier, limit_of_hours
from tieout.process.xml import content_of, local, namespace, tree

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# Workflow engines name who does a step in attributes of their own.
_ENGINES = ("activiti", "flowable", "camunda")
_DOERS = ("candidateGroups", "assignee", "candidateUsers")
# Read as part of something else, or saying nothing that is missed.
_SILENT = {
    "documentation", "extensionElements", "laneSet", "sequenceFlow", "dataObject", "incoming", "outgoing",
    "ioSpecification", "property", "dataInputAssociation", "dataOutputAssociation",
    "multiInstanceLoopCharacteristics", "standardLoopCharacteristics", "potentialOwner", "performer",
    "humanPerformer", "script", "supportedInterfaceRef", "completionCondition", "conditionExpression",
    "participant", "messageFlow", "textAnnotation", "association", "group",
}  # fmt: skip
_DRAWN_ONLY = ("textAnnotation", "association", "group")


def read_bpmn(path: Path, name: str | None = None) -> Drawing:
    """The process a BPMN file draws. `name` is what to call it; without it, what the file suggests.

    Faithful: nothing is proposed or mended. Owners come from `tieout`, activiti, flowable and camunda attributes
    and BPMN performers; `source_system`, `event_type` and `sla_hours` from extension elements of any namespace.

    Raises: ProcessError naming the file, the element, what is wrong and what to do.
    """
    root = tree(content_of(path), path.name)
    if root.tag != f"{{{MODEL}}}definitions":
        raise ProcessError(
            f"{path.name}: is not BPMN 2.0: its root element is <{local(root.tag)}> of {namespace(root.tag) or 'no'} "
            f"namespace. Nothing was read. Export it as “BPMN 2.0 XML” (from draw.io and ProcessOn: as VSDX)."
        )
    return _Reader(path.name, root).drawing(name, identifier(path.stem))


class _Reader:
    def __init__(self, file: str, root: Element) -> None:
        self.file, self.root = file, root
        self.notes: list[str] = []
        self.faults: list[str] = []
        self.left_out: Counter[str] = Counter()
        self.pools: dict[str, Pool] = {}
        self.lanes: dict[str, Lane] = {}
        self.nodes: dict[str, Node] = {}
        self.edges: dict[str, Edge] = {}
        self.defaults: set[str] = set()
        ids = Counter(id for item in root.iter() if namespace(item.tag) == MODEL and (id := item.get("id")))
        self.faults += [
            f"{count} elements have the id {id!r}: give each its own"
            for id, count in ids.items()
            if count > 1
        ]
        self.taken = set(ids)

    def drawing(self, name: str | None, otherwise: str | None) -> Drawing:
        processes = {element.get("id"): element for element in _children(self.root, "process")}
        collaboration = next(_children(self.root, "collaboration"), None)
        taking_part = [] if collaboration is None else list(_children(collaboration, "participant"))
        pool_of: dict[str | None, str] = {}
        for element in taking_part:
            pool = self._pool(element)
            if (reference := _reference(element.get("processRef"))) is not None:
                if reference in processes:
                    pool_of[reference] = pool
                else:
                    self.faults.append(f"participant {pool}: its process {reference!r} is not in the file")
        for id, element in processes.items():
            if id not in pool_of and (taking_part or len(processes) > 1):
                pool_of[id] = self._pool(element)
            self._flow_elements(element, pool_of.get(id), None)
        for id, element in processes.items():
            self._lanes(element, pool_of.get(id))
        messages = [] if collaboration is None else list(_children(collaboration, "messageFlow"))
        for element in [*messages, *self.root.iter(f"{{{MODEL}}}sequenceFlow")]:
            self._flow(element)
        for node in [item for item in self.root.iter() if item.get("id") in self.nodes]:
            self._documents(node)
        if not self.nodes:
            self.faults.append("no process with a step is in the file")
        self._refuse_faults()
        head = collaboration if collaboration is not None else next(iter(processes.values()))
        about = _about(head)
        titles = [self.root.get("name"), *(item.get("name") for item in processes.values()), head.get("name"),
                  *(item.get("name") for item in taking_part)]  # fmt: skip
        title = next((words for text in titles if (words := one_line(text))), "")
        chosen = name or about.get("name") or otherwise
        if chosen is None:
            raise ProcessError(
                f"{self.file}: what shall the process be called? Say --name, such as order_to_cash."
            )
        self.notes += [
            f"{count} × <{tag}> {'is' if count == 1 else 'are'} not read"
            for tag, count in sorted(self.left_out.items())
        ]
        process = Process(
            chosen, title, about.get("title_en") or title, _documentation(head), self.pools,
            self.lanes, self.nodes, self.edges,
        )  # fmt: skip
        return Drawing(process, tuple(self.notes))

    # --- pools and lanes ---------------------------------------------------------------------------

    def _pool(self, element: Element) -> str:
        id, about = self._id(element, "pool"), _about(element)
        name = one_line(element.get("name"))
        self.pools[id] = Pool(id, name, about.get("title_en") or name, about.get("owner"))
        return id

    def _lanes(self, process: Element, pool: str | None) -> None:
        for lanes in process.iter(f"{{{MODEL}}}laneSet"):
            self._lane_set(lanes, pool, None)

    def _lane_set(self, lanes: Element, pool: str | None, parent: str | None) -> None:
        for element in _children(lanes, "lane"):
            id, about, name = self._id(element, "lane"), _about(element), one_line(element.get("name"))
            self.lanes[id] = Lane(id, name, about.get("title_en") or name, about.get("owner"), pool, parent)
            for reference in _children(element, "flowNodeRef"):
                node = _reference(reference.text)
                if node in self.nodes:
                    self.nodes[node] = replace(self.nodes[node], lane=id)
                else:
                    self.notes.append(f"lane {id} ({name}) lists {node!r}, which is not in the file")
            for inner in _children(element, "childLaneSet"):  # after the lane itself: the inner one wins
                self._lane_set(inner, pool, id)

    # --- steps ----------------------------------------------------------------------------------------

    def _flow_elements(self, around: Element, pool: str | None, parent: str | None) -> None:
        for element in around:
            tag = local(element.tag)
            if namespace(element.tag) != MODEL:
                continue
            if tag in KINDS:
                self._node(element, KINDS[tag], pool, parent)
            elif tag in _DRAWN_ONLY or (tag not in _SILENT and not tag.endswith("EventDefinition")):
                self.left_out[tag] += 1

    def _node(self, element: Element, kind: str, pool: str | None, parent: str | None) -> None:
        id = element.get("id")
        if not id:
            self.faults.append(f"<{local(element.tag)}> {element.get('name')!r} has no id: export it again")
            return
        if kind == "sub_process" and element.get("triggeredByEvent") == "true":
            kind = "event_sub_process"
        about, name = _about(element), one_line(element.get("name"))
        triggers = [item for item in element if local(item.tag).endswith("EventDefinition")]
        trigger = local(triggers[0].tag).removesuffix("EventDefinition") if triggers else None
        if trigger is not None and trigger not in TRIGGERS:
            self.left_out[local(triggers[0].tag)] += 1
            trigger = None
        if len(triggers) > 1:
            self.notes.append(
                f"{id} ({name}) waits for {len(triggers)} things; only the first, {trigger}, is kept"
            )
        if element.get("default"):
            self.defaults.add(element.get("default", ""))
        self.nodes[id] = Node(
            id, kind, name, about.get("title_en") or name, None, pool, parent,
            attached_to=_reference(element.get("attachedToRef")),
            trigger=trigger,
            timer=_timer(triggers[0]) if trigger == "timer" else None,
            calls=_reference(element.get("calledElement")) if kind == "call_activity" else None,
            owner=about.get("owner") or (self._doer(element) if kind in ACTIVITIES else None),
            limit=about.get("limit"),
            events=self._events(element),
            note=_documentation(element),
        )  # fmt: skip
        if kind in CONTAINERS:
            self._flow_elements(element, pool, id)

    def _doer(self, element: Element) -> str | None:
        """Who does a step by the engine that runs it; an expression such as ${manager} names nobody."""
        named = {
            local(key): text
            for key, text in element.attrib.items()
            if any(engine in namespace(key) for engine in _ENGINES)
        }
        found = [named.get(key, "") for key in _DOERS]
        found += [
            "".join(item.itertext())
            for tag in ("potentialOwner", "humanPerformer", "performer")
            for item in _children(element, tag)
        ]
        return next(
            (one_line(text) for text in found if text.strip() and "${" not in text and "#{" not in text), None
        )

    def _events(self, element: Element) -> tuple[NodeEvent, ...]:
        events, system = [], None
        for key, value in _facts(element):
            if key == "source_system":
                system = value
            elif key == "event_type" and system:
                events.append(NodeEvent(system, value))
            elif key == "event_type":
                self.notes.append(f"{element.get('id')}: event_type {value!r} has no source_system; left out")
        return tuple(events)

    # --- flows ---------------------------------------------------------------------------------------

    def _flow(self, element: Element) -> None:
        id, about = self._id(element, "flow"), _about(element)
        kind = "message" if local(element.tag) == "messageFlow" else "sequence"
        known = {*self.nodes, *self.pools} if kind == "message" else self.nodes.keys()
        ends = [_reference(element.get(key)) for key in ("sourceRef", "targetRef")]
        for key, end in zip(("sourceRef", "targetRef"), ends, strict=True):
            if end not in known:
                self.faults.append(
                    f"<{local(element.tag)}> {id}: its {key} {end!r} is no step in the file; join it again"
                )
        condition = next(_children(element, "conditionExpression"), None)
        self.edges[id] = Edge(
            id, ends[0] or "", ends[1] or "", kind, one_line(element.get("name")),
            "" if condition is None else "".join(condition.itertext()).strip(),
            default=id in self.defaults,
            limit=about.get("limit"),
            owner=about.get("owner"),
            proposed=about.get("proposed") == "true",
            guessed=about.get("guessed") == "true",
        )  # fmt: skip

    def _documents(self, element: Element) -> None:
        here = element.get("id", "")
        for tag, end in (("dataInputAssociation", "sourceRef"), ("dataOutputAssociation", "targetRef")):
            for association in _children(element, tag):
                named = [_reference(item.text) for item in _children(association, end)]
                papers = [item for item in named if item in self.nodes and self.nodes[item].kind in DATA]
                if not papers:
                    self.left_out[tag] += 1
                for paper in papers:
                    id = self._id(association, "data")
                    id = self._fresh("data") if id in self.edges else id
                    ends = (paper, here) if end == "sourceRef" else (here, paper)
                    self.edges[id] = Edge(id, *ends, kind="data")

    # --- what all share --------------------------------------------------------------------------------

    def _id(self, element: Element, what: str) -> str:
        return element.get("id") or self._fresh(what)

    def _fresh(self, what: str) -> str:
        number = 1
        while f"{what}_{number}" in self.taken:
            number += 1
        self.taken.add(f"{what}_{number}")
        return f"{what}_{number}"

    def _refuse_faults(self) -> None:
        for node in self.nodes.values():
            if node.kind == "boundary_event" and node.attached_to not in self.nodes:
                self.faults.append(
                    f"boundaryEvent {node.id}: attachedToRef {node.attached_to!r} is not in the file"
                )
        if self.faults:
            lines = "\n".join(f"  {fault}" for fault in self.faults)
            raise ProcessError(f"{self.file}: cannot be read whole. Nothing was imported.\n{lines}")


def _children(element: Element, tag: str) -> Iterator[Element]:
    return element.iterfind(f"{{{MODEL}}}{tag}")


def _reference(text: str | None) -> str | None:
    """An id somebody refers to: references are qualified names, so a prefix may stand before it."""
    return text.strip().rpartition(":")[2] or None if text else None


def _documentation(element: Element) -> str:
    return "\n".join("".join(item.itertext()) for item in _children(element, "documentation")).strip()


def _timer(definition: Element) -> str | None:
    for kind in ("timeDuration", "timeDate", "timeCycle"):
        for item in _children(definition, kind):
            return one_line("".join(item.itertext())) or None
    return None


def _facts(element: Element) -> Iterator[tuple[str, str]]:
    """What extension elements say: `<x:sla_hours>24</…>`, `<x:event source_system="…"/>`, `<x:property name= value=>`."""
    for extension in _children(element, "extensionElements"):
        for item in extension.iter():
            yield from _said(item)


def _said(item: Element) -> Iterable[tuple[str, str]]:
    ours = namespace(item.tag) == OURS
    keys = ("source_system", "event_type", "sla_hours", "owner")
    keys += ("limit", "proposed", "guessed", "title_en", "name") if ours else ()
    said = {local(key): one_line(text) for key, text in item.attrib.items()}
    if said.get("name") in keys and said.get("value"):
        return [(said["name"], said["value"])]
    text = one_line(item.text) or said.get("value", "")
    found = [(local(item.tag), text)] if local(item.tag) in keys and text else []
    return found + [(key, said[key]) for key in keys if said.get(key)]


def _about(element: Element) -> dict[str, str]:
    """The facts of an element by name; `sla_hours` becomes a `limit`."""
    facts = dict(_facts(element))
    if "limit" not in facts and (limit := limit_of_hours(facts.get("sla_hours", ""))):
        facts["limit"] = limit
    return facts
