"""Visio drawings: glue, lanes by geometry, lines that only end near a step, and files meant to hurt."""

from __future__ import annotations

import zipfile

import pytest

from sources.processes import ProcessError
from tieout.process.visio import NEAR, read_visio

MAIN = "http://schemas.microsoft.com/office/visio/2012/main"
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
MASTERS = {"2": ("Dynamic connector", "动态连接线"), "3": ("Process", "流程"), "4": ("Decision", "判定"), "5": ("Start/End", "开始/结束"), "6": ("Swimlane", "泳道")}  # fmt: skip


def cells(**values: object) -> str:
    return "".join(f'<Cell N="{name}" V="{value}"/>' for name, value in values.items())


def box(id, text, x, y, width=1.0, height=0.6, master="", inside="", more=""):
    """A shape whose centre is at (x, y)."""
    at = cells(PinX=x, PinY=y, Width=width, Height=height, LocPinX=width / 2, LocPinY=height / 2)
    mark = f' Master="{master}"' if master else ""
    outline = '<Section N="Geometry"><Row T="RelMoveTo"/></Section>'
    words = f"<Text>{text}\n</Text>" if text else ""
    return f'<Shape ID="{id}" Type="Shape"{mark}>{at}{more}{outline}{words}{inside}</Shape>'


def line(id, begin, end, text="", **more):
    at = cells(BeginX=begin[0], BeginY=begin[1], EndX=end[0], EndY=end[1], **more)
    return f'<Shape ID="{id}" Master="2">{at}<Text>{text}</Text></Shape>'


def glue(line, source, target):
    return "".join(
        f'<Connect FromSheet="{line}" FromCell="{cell}" ToSheet="{shape}" ToCell="PinX"/>'
        for cell, shape in (("BeginX", source), ("EndX", target))
    )


def vsdx(path, pages: dict[str, tuple[str, str]]):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        listed, related = "", ""
        for number, (name, (shapes, connects)) in enumerate(pages.items(), 1):
            listed += (
                f'<Page ID="{number}" NameU="Page-{number}" Name="{name}"><Rel r:id="rId{number}"/></Page>'
            )
            related += f'<Relationship Id="rId{number}" Target="page{number}.xml"/>'
            body = f'<PageContents xmlns="{MAIN}"><Shapes>{shapes}</Shapes><Connects>{connects}</Connects></PageContents>'
            file.writestr(f"visio/pages/page{number}.xml", body)
        file.writestr("visio/pages/pages.xml", f'<Pages xmlns="{MAIN}" xmlns:r="{REL}">{listed}</Pages>')
        file.writestr(
            "visio/pages/_rels/pages.xml.rels", f'<Relationships xmlns="{PACKAGE}">{related}</Relationships>'
        )
        masters = "".join(
            f'<Master ID="{id}" NameU="{en}" Name="{zh}"><Rel r:id="rId{id}"/></Master>'
            for id, (en, zh) in MASTERS.items()
        )
        file.writestr(
            "visio/masters/masters.xml", f'<Masters xmlns="{MAIN}" xmlns:r="{REL}">{masters}</Masters>'
        )
        targets = "".join(f'<Relationship Id="rId{id}" Target="master{id}.xml"/>' for id in MASTERS)
        file.writestr(
            "visio/masters/_rels/masters.xml.rels",
            f'<Relationships xmlns="{PACKAGE}">{targets}</Relationships>',
        )
        for id in set(MASTERS) - {"2"}:
            body = f'<MasterContents xmlns="{MAIN}"><Shapes><Shape ID="1">{cells(Width=1, Height=0.6)}</Shape></Shapes></MasterContents>'
            file.writestr(f"visio/masters/master{id}.xml", body)
    return path


LANES = box(
    1, "", 5, 4, 10, 2, "6", '<Shapes><Shape ID="11" MasterShape="7"><Text>销售部</Text></Shape></Shapes>'
) + box(
    2, "仓库", 5, 2, 10, 2
)  # the first is a swimlane with its heading in a part, the second a plain rectangle somebody drew
STEPS = (
    box(3, "开始", 1, 4, master="5")
    + '<Shape ID="4" Master="3">' + cells(PinX=3, PinY=4) + "<Text><cp IX='0'/>确认<pp IX='0'/>订单</Text></Shape>"  # size: the master's
    + box(5, "有货？", 5, 4, master="4")
    + box(6, "发货", 5, 2, more='<Section N="Property"><Row N="sla_hours"><Cell N="Value" V="48"/></Row></Section>')
    + box(7, "结束", 8, 2, master="5")
)  # fmt: skip


def ends(drawing):
    return {(edge.source, edge.target, edge.name, edge.guessed) for edge in drawing.process.edges.values()}


def test_glued_connectors_lanes_and_kinds(tmp_path):
    lines = (
        line(20, (0, 0), (0, 0))
        + line(21, (0, 0), (0, 0))
        + line(22, (0, 0), (0, 0), "是")
        + line(23, (0, 0), (0, 0))
    )
    connects = glue(20, 3, 4) + glue(21, 4, 5) + glue(22, 5, 6) + glue(23, 6, 7)
    drawing = read_visio(vsdx(tmp_path / "order.vsdx", {"第一页": (LANES + STEPS + lines, connects)}))
    process = drawing.process
    assert {lane.id: lane.name for lane in process.lanes.values()} == {"shape_1": "销售部", "shape_2": "仓库"}
    assert {node.id: (node.kind, node.name, node.lane) for node in process.nodes.values()} == {
        "shape_3": ("start_event", "开始", "shape_1"),
        "shape_4": ("task", "确认订单", "shape_1"),
        "shape_5": ("exclusive_gateway", "有货？", "shape_1"),
        "shape_6": ("task", "发货", "shape_2"),
        "shape_7": ("end_event", "结束", "shape_2"),
    }
    assert ends(drawing) == {
        ("shape_3", "shape_4", "", False),
        ("shape_4", "shape_5", "", False),
        ("shape_5", "shape_6", "是", False),
        ("shape_6", "shape_7", "", False),
    }
    assert process.nodes["shape_6"].limit == "48h"
    assert [edge.id for edge in process.hand_offs] == ["line_22"]
    assert drawing.notes == ()


def test_lines_that_are_not_glued_are_guessed_within_a_tolerance_and_marked(tmp_path):
    just, too_far = NEAR - 0.05, NEAR + 0.05
    lines = (
        line(20, (1.5 + just, 4), (2.5 - just, 4))
        + line(21, (3.5 + too_far, 4), (4.5, 4), "断")
        + line(22, (5, 2.3), (5, 3.7), BeginArrow=4, EndArrow=0)  # the arrow is at its beginning
        + line(23, (5.4, 2), (5.3, 2.1))
    )
    drawing = read_visio(vsdx(tmp_path / "order.vsdx", {"第一页": (LANES + STEPS + lines, "")}))
    assert ends(drawing) == {("shape_3", "shape_4", "", True), ("shape_5", "shape_6", "", True)}
    notes = "\n".join(drawing.notes)
    assert "connector 21 (断) begins near no step: left out" in notes
    assert "connector 23 leads from a step to itself" in notes
    assert "2 connectors are not glued" in notes


def test_half_glued_and_glued_to_a_part_of_a_group(tmp_path):
    group = box(6, "发货", 5, 2, inside='<Shapes><Shape ID="61" MasterShape="6"/></Shapes>')
    other = box(5, "查货", 5, 4)
    connects = '<Connect FromSheet="20" FromCell="BeginX" ToSheet="61"/>'
    drawing = read_visio(
        vsdx(tmp_path / "a.vsdx", {"一": (group + other + line(20, (9, 9), (5, 3.8)), connects)})
    )
    assert ends(drawing) == {("shape_6", "shape_5", "", True)}


def test_shapes_in_a_plain_group_are_where_the_group_is(tmp_path):
    inner = box(6, "发货", 1, 1)
    group = f'<Shape ID="9" Type="Group">{cells(PinX=6, PinY=3, Width=2, Height=2, LocPinX=1, LocPinY=1)}<Shapes>{inner}</Shapes></Shape>'
    drawing = read_visio(vsdx(tmp_path / "a.vsdx", {"一": (box(2, "仓库", 6, 3, 5, 3) + group, "")}))
    assert [(node.name, node.lane) for node in drawing.process.nodes.values()] == [("发货", "shape_2")]


def test_of_several_pages_one_is_chosen(tmp_path):
    path = vsdx(tmp_path / "a.vsdx", {"订单": (box(1, "甲", 1, 1), ""), "采购": (box(1, "乙", 1, 1), "")})
    with pytest.raises(ProcessError, match=r"2 pages \(订单, 采购\)\. Say --page"):
        read_visio(path)
    with pytest.raises(ProcessError, match="no page '库存'"):
        read_visio(path, page="库存")
    assert [node.name for node in read_visio(path, page="采购").process.nodes.values()] == ["乙"]


def test_files_meant_to_hurt_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "bad.vsdx"
    path.write_bytes(b"\xd0\xcf\x11\xe0 an old binary drawing")
    with pytest.raises(ProcessError, match=r"is no VSDX file.*Save it as \.vsdx"):
        read_visio(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("word/document.xml", "<x/>")
    with pytest.raises(ProcessError, match=r"lacks the part visio/pages/pages\.xml"):
        read_visio(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("visio/pages/pages.xml", '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')
    with pytest.raises(ProcessError, match="document type"):
        read_visio(path)
    monkeypatch.setattr("tieout.process.vsdx.LARGEST", 5_000)
    monkeypatch.setattr("tieout.process.xml.LARGEST", 5_000)
    bomb = vsdx(path, {"一": (f"<!--{' ' * 200_000}-->", "")})
    assert bomb.stat().st_size < 10_000
    with pytest.raises(ProcessError, match="larger than"):
        read_visio(bomb)


def test_a_part_that_was_damaged_is_named(tmp_path):
    path = vsdx(tmp_path / "a.vsdx", {"一": (STEPS, "")})
    data = bytearray(path.read_bytes())
    place = data.index(b"visio/pages/page1.xml") + len("visio/pages/page1.xml")
    data[place + 5 : place + 25] = b"\xff" * 20
    path.write_bytes(bytes(data))
    with pytest.raises(ProcessError, match=r"page1\.xml cannot be read"):
        read_visio(path)
