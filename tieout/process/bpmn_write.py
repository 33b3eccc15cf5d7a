"""Write BPMN 2.0 XML that tools open: model, our extension elements, and a left-to-right diagram."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

from sources.processes import CONTAINERS, Edge, Lane, Node, Pool, Process
from tieout.process.diagram import draw
from tieout.process.words import DC, DD, DI, MODEL, OURS, TAGS


def bpmn(process: Process) -> bytes:
    """The process as BPMN 2.0 XML, UTF-8; reading it again gives an equal process."""
    for prefix, space in (("", MODEL), ("bpmndi", DI), ("dc", DC), ("di", DD), ("tieout", OURS)):
        register_namespace(prefix, space)
    root = _Writer(process).definitions()
    indent(root)
    return tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


class _Writer:
    def __init__(self, process: Process) -> None:
        self.process = process
        self.ids = {*process.pools, *process.lanes, *process.nodes, *process.edges}
        self.defaults = {edge.source: edge.id for edge in process.edges.values() if edge.default}

    def definitions(self) -> Element:
        process = self.process
        about = {
            "name": process.name,
            "title_en": process.title_en if process.title_en != process.title else "",
        }
        root = Element(_model("definitions"), id=self._fresh("definitions"), targetNamespace=OURS)
        if process.title:
            root.set("name", process.title)
        plane = None
        if process.pools:
            plane = self._sub(root, "collaboration", self._fresh("collaboration"))
            _describe(plane, process.note, about)
            bodies = {pool.id: self._participant(plane, pool) for pool in process.pools.values()}
            for edge in process.edges.values():
                if edge.kind == "message":
                    self._flow(plane, edge)
        else:
            bodies = {None: self._fresh("process")}
        for pool, body in bodies.items():
            if body is None:
                continue
            element = self._sub(root, "process", body, isExecutable="false")
            if plane is None:
                plane = element
                _describe(element, process.note, about)
            self._lane_set(element, "laneSet", [lane for lane in process.lanes.values()
                                                if lane.pool == pool and lane.parent is None])  # fmt: skip
            self._flow_elements(element, pool, None)
        assert plane is not None
        draw(root, process, plane.get("id", ""), self._fresh)
        return root

    def _participant(self, collaboration: Element, pool: Pool) -> str | None:
        """A pool; the id of its process, unless nothing happens in it."""
        inside = [*self.process.nodes.values(), *self.process.lanes.values()]
        body = self._fresh(f"{pool.id}_process") if any(item.pool == pool.id for item in inside) else None
        more = {"processRef": body} if body else {}
        element = self._sub(collaboration, "participant", pool.id, name=pool.name, **more)
        _describe(element, "", {"title_en": _english(pool), "owner": pool.owner})
        return body

    def _lane_set(self, around: Element, tag: str, lanes: list[Lane]) -> None:
        if not lanes:
            return
        lane_set = self._sub(around, tag, self._fresh("lanes"))
        for lane in lanes:
            element = self._sub(lane_set, "lane", lane.id, name=lane.name)
            _describe(element, "", {"title_en": _english(lane), "owner": lane.owner})
            for node in self.process.nodes.values():
                if node.lane == lane.id:
                    SubElement(element, _model("flowNodeRef")).text = node.id
            self._lane_set(element, "childLaneSet", [item for item in self.process.lanes.values()
                                                     if item.parent == lane.id])  # fmt: skip

    def _flow_elements(self, around: Element, pool: str | None, parent: str | None) -> None:
        process = self.process
        for node in process.nodes.values():
            if node.parent == parent and (parent is not None or node.pool == pool):
                self._node(around, node)
        for edge in process.edges.values():
            source = process.nodes.get(edge.source)
            if edge.kind == "sequence" and source and source.parent == parent and source.pool == pool:
                self._flow(around, edge)

    def _node(self, around: Element, node: Node) -> None:
        more = {
            "attachedToRef": node.attached_to,
            "calledElement": node.calls,
            "default": self.defaults.get(node.id),
            "triggeredByEvent": "true" if node.kind == "event_sub_process" else None,
        }
        if node.kind == "data_object":
            more["dataObjectRef"] = self._fresh(f"{node.id}_object")
            self._sub(around, "dataObject", more["dataObjectRef"])
        kept = {key: value for key, value in more.items() if value}
        element = self._sub(around, TAGS[node.kind], node.id, name=node.name, **kept)
        about = {"title_en": _english(node), "owner": node.owner, "limit": node.limit}
        _describe(element, node.note, about, [(item.system, item.type) for item in node.events])
        edges = self.process.edges.values()
        for tag, end in (("incoming", "target"), ("outgoing", "source")):
            for edge in edges:
                if edge.kind == "sequence" and getattr(edge, end) == node.id:
                    SubElement(element, _model(tag)).text = edge.id
        self._associations(element, node)
        if node.trigger:
            definition = SubElement(element, _model(f"{node.trigger}EventDefinition"))
            if node.trigger == "conditional":
                SubElement(definition, _model("condition"))  # the schema wants one, and a link's name
            if node.trigger == "link":
                definition.set("name", node.name or node.id)
            if node.timer:
                SubElement(definition, _model(_timer_tag(node.timer))).text = node.timer
        if node.kind in CONTAINERS:
            self._flow_elements(element, node.pool, node.id)

    def _associations(self, element: Element, node: Node) -> None:
        read = [
            edge for edge in self.process.edges.values() if edge.kind == "data" and edge.target == node.id
        ]
        written = [
            edge for edge in self.process.edges.values() if edge.kind == "data" and edge.source == node.id
        ]
        if node.kind in ("data_object", "data_store"):
            return
        if read:
            # The schema wants a target inside the step; tools use a nameless property for it.
            place = self._sub(element, "property", self._fresh(f"{node.id}_input"), name="input").get("id")
        for edge in read:
            association = self._sub(element, "dataInputAssociation", edge.id)
            SubElement(association, _model("sourceRef")).text = edge.source
            SubElement(association, _model("targetRef")).text = place
        for edge in written:
            association = self._sub(element, "dataOutputAssociation", edge.id)
            SubElement(association, _model("targetRef")).text = edge.target

    def _flow(self, around: Element, edge: Edge) -> None:
        element = self._sub(
            around, f"{edge.kind}Flow", edge.id, name=edge.name, sourceRef=edge.source, targetRef=edge.target
        )
        marks = {key: "true" for key in ("proposed", "guessed") if getattr(edge, key)}
        _describe(element, "", {"owner": edge.owner, "limit": edge.limit, **marks})
        if edge.condition:
            SubElement(element, _model("conditionExpression")).text = edge.condition

    def _sub(self, around: Element, tag: str, id: str, **attributes: str) -> Element:
        kept = {key: value for key, value in attributes.items() if value}
        return SubElement(around, _model(tag), {"id": id, **kept})

    def _fresh(self, wanted: str) -> str:
        id, number = wanted, 1
        while id in self.ids:
            id, number = f"{wanted}_{number}", number + 1
        self.ids.add(id)
        return id


def _model(tag: str) -> str:
    return f"{{{MODEL}}}{tag}"


def _english(item: Node | Lane | Pool) -> str:
    return item.name_en if item.name_en != item.name else ""


def _timer_tag(timer: str) -> str:
    return {"R": "timeCycle", "P": "timeDuration"}.get(timer[0], "timeDate")


def _describe(
    element: Element, note: str, about: Mapping[str, str | None], events: list[tuple[str, str]] | None = None
) -> None:
    """Documentation and extension elements; the schema wants them first."""
    if note:
        SubElement(element, _model("documentation")).text = note
    said = {key: value for key, value in about.items() if value}
    if not said and not events:
        return
    extension = SubElement(element, _model("extensionElements"))
    if said:
        SubElement(extension, f"{{{OURS}}}about", said)
    for system, kind in events or []:
        SubElement(extension, f"{{{OURS}}}event", {"source_system": system, "event_type": kind})
