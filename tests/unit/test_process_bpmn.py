"""BPMN in and out: what tools write is read whole or refused in words, and what is exported comes back the same."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings

from sources.processes import ProcessError, read_process
from tests.processes import processes
from tieout.process.bpmn import read_bpmn
from tieout.process.bpmn_write import bpmn
from tieout.settings import PROJECT

MODEL = "http://www.omg.org/spec/BPMN/20100524/MODEL"

TWO_COMPANIES = f"""<?xml version="1.0" encoding="UTF-8"?>
<q:definitions xmlns:q="{MODEL}" xmlns:activiti="http://activiti.org/bpmn" xmlns:camunda="http://camunda.org/schema/1.0/bpmn"
   xmlns:mine="urn:my:own" id="d" targetNamespace="urn:x">
 <q:collaboration id="c">
  <q:participant id="buyer" name="公司" processRef="body"/>
  <q:participant id="seller" name="供应商"/>
  <q:messageFlow id="m1" name="订单" sourceRef="place_order" targetRef="seller"/>
 </q:collaboration>
 <q:process id="body" name="采购 到付款" isExecutable="false">
  <q:laneSet id="ls">
   <q:lane id="office" name="职能部门"><q:flowNodeRef>pay</q:flowNodeRef>
    <q:childLaneSet id="cls">
     <q:lane id="buying" name="采购部"><q:flowNodeRef>start</q:flowNodeRef><q:flowNodeRef>place_order</q:flowNodeRef></q:lane>
     <q:lane id="finance" name="财务部"><q:flowNodeRef>pay</q:flowNodeRef><q:flowNodeRef>done</q:flowNodeRef></q:lane>
    </q:childLaneSet>
   </q:lane>
   <q:lane id="store" name="仓库"><q:flowNodeRef>big</q:flowNodeRef><q:flowNodeRef>receive</q:flowNodeRef></q:lane>
  </q:laneSet>
  <q:startEvent id="start" name="有需求"><q:messageEventDefinition id="x1"/></q:startEvent>
  <q:userTask id="place_order" name="下采购&#10;订单" activiti:candidateGroups="buyers" activiti:assignee="${{boss}}">
   <q:documentation>先比价
再下单</q:documentation>
   <q:extensionElements>
    <camunda:properties>
     <camunda:property name="source_system" value="erp"/><camunda:property name="event_type" value="po.approved"/>
    </camunda:properties>
   </q:extensionElements>
   <q:dataOutputAssociation id="da"><q:sourceRef>inner_output</q:sourceRef><q:targetRef>po</q:targetRef></q:dataOutputAssociation>
  </q:userTask>
  <q:dataObject id="po_data"/><q:dataObjectReference id="po" name="采购订单" dataObjectRef="po_data"/>
  <q:exclusiveGateway id="big" name="超额?" default="f_no"/>
  <q:subProcess id="receive" name="收货">
   <q:extensionElements><mine:sla_hours>36</mine:sla_hours></q:extensionElements>
   <q:startEvent id="truck"/><q:task id="count" name="点数"/><q:endEvent id="counted"/>
   <q:sequenceFlow id="s1" sourceRef="truck" targetRef="count"/><q:sequenceFlow id="s2" sourceRef="count" targetRef="counted"/>
  </q:subProcess>
  <q:boundaryEvent id="late" attachedToRef="receive"><q:timerEventDefinition><q:timeDuration>P3D</q:timeDuration></q:timerEventDefinition></q:boundaryEvent>
  <q:callActivity id="pay" name="付款" calledElement="payment"/>
  <q:endEvent id="done"/>
  <q:sequenceFlow id="f1" sourceRef="start" targetRef="place_order"/>
  <q:sequenceFlow id="f2" sourceRef="place_order" targetRef="big"/>
  <q:sequenceFlow id="f_yes" name="是" sourceRef="big" targetRef="done"><q:conditionExpression>amount &gt; 10000</q:conditionExpression></q:sequenceFlow>
  <q:sequenceFlow id="f_no" sourceRef="big" targetRef="receive"/>
  <q:sequenceFlow id="f4" sourceRef="receive" targetRef="pay"><q:extensionElements><mine:x sla_hours="0.5"/></q:extensionElements></q:sequenceFlow>
  <q:sequenceFlow id="f5" sourceRef="pay" targetRef="done"/>
  <q:textAnnotation id="note"><q:text>看这里</q:text></q:textAnnotation>
 </q:process>
</q:definitions>"""


def written(tmp_path, text, name="采购流程.bpmn"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def drawing(tmp_path):
    return read_bpmn(written(tmp_path, TWO_COMPANIES), "purchase_to_pay")


def test_pools_nested_lanes_and_steps_are_read_whatever_the_prefix(drawing):
    process = drawing.process
    assert (process.name, process.title) == ("purchase_to_pay", "采购 到付款")
    assert {pool.id: pool.name for pool in process.pools.values()} == {"buyer": "公司", "seller": "供应商"}
    assert {lane.id: (lane.name, lane.parent) for lane in process.lanes.values()} == {
        "office": ("职能部门", None),
        "buying": ("采购部", "office"),
        "finance": ("财务部", "office"),
        "store": ("仓库", None),
    }
    assert {node.id: (node.kind, node.lane, node.parent) for node in process.nodes.values()} == {
        "start": ("start_event", "buying", None),
        "place_order": ("user_task", "buying", None),
        "po": ("data_object", None, None),
        "big": ("exclusive_gateway", "store", None),
        "receive": ("sub_process", "store", None),
        "truck": ("start_event", None, "receive"),
        "count": ("task", None, "receive"),
        "counted": ("end_event", None, "receive"),
        "late": ("boundary_event", None, None),
        "pay": (
            "call_activity",
            "finance",
            None,
        ),  # listed in the outer lane too: the inner one is where it lies
        "done": ("end_event", "finance", None),
    }


def test_what_the_steps_say_is_read(drawing):
    nodes = drawing.process.nodes
    order = nodes["place_order"]
    assert order.name == "下采购 订单"
    assert order.owner == "buyers", "an expression names nobody, the group does"
    assert [(event.system, event.type) for event in order.events] == [("erp", "po.approved")]
    assert order.note == "先比价\n再下单"
    assert nodes["start"].trigger == "message"
    assert (nodes["late"].attached_to, nodes["late"].trigger, nodes["late"].timer) == (
        "receive",
        "timer",
        "P3D",
    )
    assert nodes["pay"].calls == "payment"
    assert nodes["receive"].limit == "36h"
    assert drawing.notes == ("1 × <textAnnotation> is not read",)


def test_flows_have_their_kind_condition_and_default(drawing):
    edges = drawing.process.edges
    assert {(edge.source, edge.target, edge.kind) for edge in edges.values()} == {
        ("start", "place_order", "sequence"),
        ("place_order", "big", "sequence"),
        ("big", "done", "sequence"),
        ("big", "receive", "sequence"),
        ("receive", "pay", "sequence"),
        ("pay", "done", "sequence"),
        ("truck", "count", "sequence"),
        ("count", "counted", "sequence"),
        ("place_order", "seller", "message"),
        ("place_order", "po", "data"),
    }
    assert (edges["f_yes"].name, edges["f_yes"].condition, edges["f_yes"].default) == (
        "是",
        "amount > 10000",
        False,
    )
    assert edges["f_no"].default
    assert edges["f4"].limit == "30m"


def test_a_hand_off_is_a_flow_between_lanes_and_every_message(drawing):
    assert {edge.id for edge in drawing.process.hand_offs} == {"f2", "f_yes", "f4", "m1"}
    assert drawing.process.place_of("count") == "store", "what lies in a sub-process is where that is"
    assert drawing.process.place_of("late") == "store"


def test_reading_a_minimal_file_of_the_default_namespace(tmp_path):
    text = f'<definitions xmlns="{MODEL}"><process id="p"><task id="t" name="做"/></process></definitions>'
    process = read_bpmn(written(tmp_path, text, "Sales Order-2.bpmn")).process
    assert process.name == "sales_order_2"
    assert (process.nodes["t"].name, process.pools) == ("做", {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<definitions", ["not well-formed", "Nothing was read"]),
        ("", ["not well-formed"]),
        ("<mxfile><diagram/></mxfile>", ["not BPMN 2.0", "<mxfile>", "VSDX"]),
        (
            '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><definitions>&b;</definitions>',
            ["document type", "Nothing was read"],
        ),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><definitions/>', ["document type"]),
        (
            f'<definitions xmlns="{MODEL}"><process id="p"><task id="t"/>'
            '<sequenceFlow id="f" sourceRef="t" targetRef="gone"/></process></definitions>',
            ["sequenceFlow", "f: its targetRef 'gone'", "Nothing was imported"],
        ),
        (
            f'<definitions xmlns="{MODEL}"><process id="p"><task id="t"/><task id="t"/></process></definitions>',
            ["2 elements have the id 't'"],
        ),
        (f'<definitions xmlns="{MODEL}"><process id="p"><task name="无号"/></process></definitions>', ["无号", "no id"]),
        (f'<definitions xmlns="{MODEL}"><process id="p"/></definitions>', ["no process with a step"]),
        (f'<definitions xmlns="{MODEL}"/>', ["no process with a step"]),
        (
            f'<definitions xmlns="{MODEL}"><process id="p">'
            + '<subProcess id="x">' * 200 + "</subProcess>" * 200 + "</process></definitions>",
            ["more than 100 deep"],
        ),
        (
            f'<definitions xmlns="{MODEL}"><process id="p"><boundaryEvent id="b"/></process></definitions>',
            ["boundaryEvent b"],
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_whole_is_refused_in_words(tmp_path, text, words):
    with pytest.raises(ProcessError) as refused:
        read_bpmn(written(tmp_path, text), "any")
    for word in [*words, "采购流程.bpmn"]:
        assert word in str(refused.value)


def test_a_huge_file_is_not_even_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr("tieout.process.xml.LARGEST", 1000)
    with pytest.raises(ProcessError, match="larger than"):
        read_bpmn(written(tmp_path, "<" * 2000))


def test_a_file_named_in_chinese_needs_a_name(tmp_path):
    with pytest.raises(ProcessError, match="--name"):
        read_bpmn(written(tmp_path, TWO_COMPANIES))


@given(process=processes())
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_exported_comes_back_the_same(tmp_path, process):
    path = tmp_path / "out.bpmn"
    path.write_bytes(bpmn(process))
    drawing = read_bpmn(path)
    assert drawing.process == process
    assert drawing.notes == ()


@given(process=processes())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_step_and_flow_is_drawn_once_and_ids_are_unique(process):
    root = ElementTree.fromstring(bpmn(process))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    shapes = [item.get("bpmnElement") for item in root.iter() if item.tag.endswith("BPMNShape")]
    assert sorted(shapes) == sorted([*process.pools, *process.lanes, *process.nodes])
    model = {element.get("id") for element in root.iter() if element.tag.startswith(f"{{{MODEL}}}")}
    assert {item.get("bpmnElement") for item in root.iter() if item.get("bpmnElement")} <= model


def test_the_diagram_puts_steps_into_their_lanes_from_left_to_right():
    process = read_process(PROJECT / "sources" / "processes" / "order_to_cash.yaml")
    root = ElementTree.fromstring(bpmn(process))
    boxes = {}
    for shape in root.iter():
        if shape.tag.endswith("BPMNShape"):
            bounds = shape[0].attrib
            x, y = float(bounds["x"]), float(bounds["y"])
            boxes[shape.get("bpmnElement")] = (x, y, x + float(bounds["width"]), y + float(bounds["height"]))
    for id, node in process.nodes.items():
        inner, outer = boxes[id], boxes[node.lane]
        assert outer[0] < inner[0] and outer[1] < inner[1] and inner[2] < outer[2] and inner[3] < outer[3], id
    steps = [boxes[id] for id in process.nodes]
    for number, one in enumerate(steps):
        for other in steps[number + 1 :]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    for edge in process.edges.values():
        if edge.kind == "sequence":
            assert boxes[edge.source][2] < boxes[edge.target][0], f"{edge.id} does not lead to the right"
