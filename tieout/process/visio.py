"""What a Visio drawing means: which shapes are steps, which are lanes, and what a connector joins.

Visio knows shapes, not processes. Kinds come from the names of masters (English and Chinese) and of BPMN stencils;
lanes from masters, categories, or from being a box that steps lie in; the ends of a connector from its glue, and
where it was not glued from the nearest step within `NEAR`, marked as guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import hypot
from pathlib import Path

from sources.processes import Edge, Lane, Node, NodeEvent, Process, ProcessError
from tieout.process.vsdx import Package, Page, Shape
from tieout.process.words import Drawing, identifier, limit_of_hours

NEAR = 0.25  # inches between the end of a line and the border of the step it is meant to touch
_LANES = re.compile(r"swimlane|泳道|functional band|职能带区|pool|\blane\b|cff container|容器|跨职能")
_FURNITURE = re.compile(
    r"phase|阶段|separator|分隔符|swimlane list|泳道列表|title|标题|legend|图例|callout|标注"
)
# First match wins. A document drawn in the flow is the step that makes it: sequence flows go through it.
_KINDS = (
    (re.compile(r"decision|判定|判断|决策|gateway|网关"), "exclusive_gateway"),
    (re.compile(r"start/end|开始/结束|terminator|终止|端点"), "terminator"),
    (re.compile(r"start event|开始事件|^start\b|开始"), "start_event"),
    (re.compile(r"end event|结束事件|^end\b|结束"), "end_event"),
    (re.compile(r"intermediate event|中间事件"), "intermediate_catch_event"),
    (re.compile(r"sub-?process|predefined process|子流程|预定义流程|预定义进程"), "call_activity"),
    (re.compile(r"process|流程|进程|task|任务|document|文档|data|数据|database|数据库|manual|手动"), "task"),
)


@dataclass(frozen=True)
class _Line:
    shape: Shape
    ends: tuple[Shape | None, Shape | None]
    guessed: bool


def read_visio(path: Path, name: str | None = None, page: str | None = None) -> Drawing:
    """The process on one page of a VSDX file; `page` chooses where there are several.

    Raises: ProcessError naming the file, what is wrong and what to do.
    """
    package = Package(path)
    pages = package.pages()
    if not pages:
        raise ProcessError(f"{path.name}: has no page. Nothing was imported.")
    if page is None and len(pages) > 1:
        listed = ", ".join(pages)
        raise ProcessError(
            f"{path.name}: has {len(pages)} pages ({listed}). Say --page; one page is one process."
        )
    chosen = page or next(iter(pages))
    if chosen not in pages:
        raise ProcessError(
            f"{path.name}: has no page {chosen!r}, but: {', '.join(pages)}. Nothing was imported."
        )
    called = name or identifier(path.stem) or identifier(chosen)
    if called is None:
        raise ProcessError(
            f"{path.name}: what shall the process be called? Say --name, such as order_to_cash."
        )
    drawing = _meaning(package.page(chosen, pages[chosen]), called)
    if not drawing.process.nodes:
        raise ProcessError(f"{path.name}: page {chosen!r} has no shape that is a step. Nothing was imported.")
    title = path.stem if len(pages) == 1 else chosen
    return replace(drawing, process=replace(drawing.process, title=title, title_en=title))


def _meaning(page: Page, name: str) -> Drawing:
    lines = [item for item in page.shapes if item.begin and item.end]
    flat = [item for item in page.shapes if item.begin is None and not _FURNITURE.search(item.master)]
    joined = {shape for (line, _), shape in page.glued.items() if line in {item.id for item in lines}}
    lanes = [item for item in flat if _is_lane(item)]
    labels = [
        item
        for item in flat
        if item not in lanes and not item.outlined and not item.master and not (item.ids & joined)
    ]
    steps = [item for item in flat if item not in lanes and item not in labels]
    # A box nothing is joined to, in which others lie, is a lane whatever it was drawn with.
    boxes = [item for item in steps if not (item.ids & joined) and not item.master
             and any(_surrounds(item, other) for other in steps)]  # fmt: skip
    lanes += boxes
    steps = [item for item in steps if item not in boxes]
    found = [_line(item, page, steps) for item in lines]
    notes = [
        _left_out(item)
        for item in found
        if None in item.ends or (item.guessed and item.ends[0] is item.ends[1])
    ]
    kept = [
        item
        for item in found
        if None not in item.ends and not (item.guessed and item.ends[0] is item.ends[1])
    ]
    touched = {end.id for item in kept for end in item.ends if end}
    words = _labels(labels, steps, kept, lanes)
    mute = [item for item in steps if not item.text and item.id not in words and item.id not in touched]
    steps = [item for item in steps if item not in mute]
    if mute:
        notes.append(f"{len(mute)} shapes without words or connectors are taken for decoration")
    notes += [
        f"{words_} stands alone and belongs to nothing" for words_ in words.get("", "").split("\n") if words_
    ]
    nodes = {f"shape_{item.id}": _node(item, words.get(item.id, ""), lanes, kept) for item in steps}
    if not lanes:
        notes.append("no lanes were found: who does a step is not in this drawing")
    edges = {f"line_{item.shape.id}": _edge(item, words.get(item.shape.id, "")) for item in kept}
    guessed = sum(edge.guessed for edge in edges.values())
    if guessed:
        notes.append(f"{guessed} connectors are not glued; their ends are guessed: check `guessed: true`")
    return Drawing(
        Process(name, lanes={f"shape_{i.id}": _lane(i, lanes) for i in lanes}, nodes=nodes, edges=edges),
        tuple(notes),
    )


# --- lanes -----------------------------------------------------------------------------------------


def _is_lane(shape: Shape) -> bool:
    categories = shape.cells.get("User.msvShapeCategories", "").lower()
    return bool(_LANES.search(shape.master)) or "swimlane" in categories or "cff container" in categories


def _holds(box: Shape, point: tuple[float, float]) -> bool:
    slack = 0.001  # inches: programs round
    return (
        box.x - slack <= point[0] <= box.x + box.width + slack
        and box.y - slack <= point[1] <= box.y + box.height + slack
    )


def _surrounds(box: Shape, other: Shape) -> bool:
    """Whether a box has all of another inside; the pool and its only lane may share a border."""
    corners = (other.x, other.y), (other.x + other.width, other.y + other.height)
    return box.width * box.height > other.width * other.height * 1.001 and all(
        _holds(box, at) for at in corners
    )


def _innermost(lanes: list[Shape], shape: Shape) -> Shape | None:
    """The smallest lane around a shape; of a lane, the smallest that is larger than itself."""
    area = shape.width * shape.height
    around = [item for item in lanes if item is not shape and _holds(item, shape.centre)
              and item.width * item.height > area * 1.001]  # fmt: skip
    return min(around, key=lambda item: item.width * item.height, default=None)


def _lane(shape: Shape, lanes: list[Shape]) -> Lane:
    parent = _innermost(lanes, shape)
    owner = shape.properties.get("owner") or shape.properties.get("function") or None
    return Lane(
        f"shape_{shape.id}", shape.text, shape.text, owner, parent=f"shape_{parent.id}" if parent else None
    )


# --- steps -----------------------------------------------------------------------------------------


def _node(shape: Shape, label: str, lanes: list[Shape], lines: list[_Line]) -> Node:
    lane, about, text = _innermost(lanes, shape), shape.properties, shape.text or label
    heard = any(item.ends[1] is shape for item in lines)
    says = any(item.ends[0] is shape for item in lines)
    kind = next((kind for pattern, kind in _KINDS if pattern.search(shape.master)), "task")
    if kind == "terminator" or (
        not shape.master and text in {"开始", "结束", "Start", "End", "start", "end"}
    ):
        kind = "end_event" if heard and not says else "start_event" if says and not heard else "task"
    system, event = about.get("source_system", ""), about.get("event_type", "")
    return Node(
        f"shape_{shape.id}", kind, text, text, f"shape_{lane.id}" if lane else None,
        owner=about.get("owner") or None,
        limit=limit_of_hours(about.get("sla_hours", "")),
        events=(NodeEvent(system, event),) if system and event else (),
    )  # fmt: skip


def _labels(
    labels: list[Shape], steps: list[Shape], lines: list[_Line], lanes: list[Shape]
) -> dict[str, str]:
    """Words that stand in shapes of their own, by the id of the wordless step or line they stand nearest to.

    Under "" what belongs to nothing, one a line.
    """
    found: dict[str, str] = {}
    boxes = [(0, item.id, (item.x, item.y, item.width, item.height)) for item in steps if not item.text]
    for item in lines:
        if not item.shape.text and item.shape.begin and item.shape.end:
            (x1, y1), (x2, y2) = item.shape.begin, item.shape.end
            boxes.append((1, item.shape.id, (min(x1, x2), min(y1, y2), abs(x1 - x2), abs(y1 - y2))))
    # Steps first: every step has a name, few lines do.
    near = sorted(
        (rank, distance, id, label.id, label.text)
        for label in labels
        for rank, id, box in boxes
        if label.text and (distance := _distance(label.centre, box)) <= label.height / 2 + NEAR
    )
    used: set[str] = set()
    for _, _, id, label_id, text in near:
        if id not in found and label_id not in used:
            found[id] = text
            used.add(label_id)
    titles = {lane.text for lane in lanes}
    loose = [item.text for item in labels if item.text and item.id not in used and item.text not in titles]
    found[""] = "\n".join(loose)
    return found


# --- connectors ------------------------------------------------------------------------------------


def _line(line: Shape, page: Page, steps: list[Shape]) -> _Line:
    owner_of_part = {part: step for step in steps for part in step.ids} | {step.id: step for step in steps}
    ends: list[Shape | None] = []
    guessed = False
    for cell, point in (("BeginX", line.begin), ("EndX", line.end)):
        glued = owner_of_part.get(page.glued.get((line.id, cell), ""))
        if glued is None and point is not None:
            guessed, glued = True, _nearest(steps, point)
        ends.append(glued)
    begin, end = ends
    drawn_backwards = _arrow(line, "BeginArrow") and not _arrow(line, "EndArrow")
    return _Line(line, (end, begin) if drawn_backwards else (begin, end), guessed)


def _arrow(line: Shape, cell: str) -> bool:
    return line.cells.get(cell, "0") not in {"0", "", "Themed"}


def _nearest(steps: list[Shape], point: tuple[float, float]) -> Shape | None:
    """The step whose border is nearest, within `NEAR`; of two it lies in, the one whose centre is nearest."""
    near = [
        (distance, hypot(step.centre[0] - point[0], step.centre[1] - point[1]), step.id, step)
        for step in steps
        if (distance := _distance(point, (step.x, step.y, step.width, step.height))) <= NEAR
    ]
    return min(near)[3] if near else None


def _distance(point: tuple[float, float], box: tuple[float, ...]) -> float:
    x, y, width, height = box
    return hypot(max(x - point[0], 0, point[0] - x - width), max(y - point[1], 0, point[1] - y - height))


def _left_out(line: _Line) -> str:
    which = [word for word, end in zip(("begins", "ends"), line.ends, strict=True) if end is None]
    what = f"connector {line.shape.id}" + (f" ({line.shape.text})" if line.shape.text else "")
    if not which:
        return f"{what} leads from a step to itself and is not glued: left out"
    return f"{what} {' and '.join(which)} near no step: left out; glue it in Visio"


def _edge(line: _Line, label: str) -> Edge:
    source, target = (end.id if end else "" for end in line.ends)
    return Edge(
        f"line_{line.shape.id}", f"shape_{source}", f"shape_{target}", name=line.shape.text or label,
        guessed=line.guessed,
    )  # fmt: skip
