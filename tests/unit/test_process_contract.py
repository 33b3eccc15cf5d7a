"""`sources/processes/<process>.yaml`: what a person may write, and what is refused with the place named."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from sources.contract import read_sources
from sources.processes import ProcessError, process_in, read_process, read_processes
from tests.processes import agreed, processes
from tieout.process.bpmn import read_bpmn
from tieout.process.bpmn_write import bpmn
from tieout.process.checks import findings
from tieout.process.draft import draft
from tieout.settings import settings as here

TEXT = """
process: order_to_cash
title: {zh: 从订单到收款, en: Order to cash}
lanes:
  sales: {title: {zh: 销售部, en: Sales}, owner: sales}
  store: {title: {zh: 仓库, en: Warehouse}, owner: warehouse}
steps:
  begin: {kind: start_event, lane: sales}
  confirm: {title: {zh: 确认订单, en: Confirm}, lane: sales}
  ship: {title: {zh: 发货, en: Ship}, lane: store, owner: night_shift}
  end: {kind: end_event, lane: store}
flows:
  f1: {from: begin, to: confirm}
  f3: {from: ship, to: end}
hand_offs:
  f2: {from: confirm, to: ship, limit: 36h, owner: warehouse}
"""


def test_a_process_reads_as_it_was_written():
    process = process_in(TEXT, "here")
    assert (process.title, process.title_en) == ("从订单到收款", "Order to cash")
    (hand_off,) = process.hand_offs
    assert (hand_off.id, hand_off.limit, hand_off.owner, hand_off.proposed) == (
        "f2",
        "36h",
        "warehouse",
        False,
    )
    assert [process.owner_of(step) for step in ("confirm", "ship", "end")] == [
        "sales",
        "night_shift",
        "warehouse",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((", owner: warehouse}\n", "}\n"), ["hand_offs.f2.owner", "Field required"]),  # the last: the hand-off's
        (("limit: 36h, ", ""), ["hand_offs.f2.limit", "Field required"]),
        (("owner: warehouse}\n", 'owner: ""}\n'), ["hand_offs.f2.owner"]),
        (("limit: 36h", "limit: soon"), ["hand_offs.f2.limit", "72h"]),
        (("hand_offs:\n", ""), ["f2", "Extra inputs"]),
        (("from: ship, to: end", "from: begin, to: ship"), ["flows.f3", "begin → 发货 changes hands", "hand_offs"]),
        (("from: confirm, to: ship", "from: begin, to: confirm"), ["hand_offs.f2", "write it under flows"]),
        (("to: end}", "to: nowhere}"), ["flows.f3", "['nowhere']", "not a step"]),
        (("end: {kind: end_event, lane: store}", "end: {kind: end_event, lane: hall}"), ["steps.end", "'hall'"]),
        (("kind: end_event", "kind: finish"), ["steps.end.kind", "unknown kind 'finish'"]),
        (("confirm: {", "f1: {"), ["f1: the id is used 2 times"]),
        (("begin: {kind: start_event,", "begin: {kind: start_event, inside: begin,"), ["inside"]),
        (("begin: {kind: start_event,", "begin: {kind: boundary_event,"), ["steps.begin", "attached_to"]),
        (("title: {zh: 确认订单, en: Confirm}", "titel: 确认"), ["steps.confirm.titel", "Extra inputs"]),
        (("process: order_to_cash", "process: Order"), ["process", "lower-case ASCII"]),
        (('zh: 发货', 'zh: "\\x07"'), ["steps.ship.title.zh", "control character"]),
        (("store: {", "store: {within: store, "), ["lanes.store", "within itself"]),
    ],
)  # fmt: skip
def test_what_does_not_keep_the_contract_is_refused_with_its_place(change, words):
    old, new = change
    at = TEXT.rindex(old)
    with pytest.raises(ProcessError) as refused:
        process_in(TEXT[:at] + new + TEXT[at + len(old) :], "order_to_cash.yaml")
    for word in [*words, "order_to_cash.yaml"]:
        assert word in str(refused.value)


def test_the_name_is_that_of_the_file(tmp_path):
    path = tmp_path / "other.yaml"
    path.write_text(TEXT, encoding="utf-8")
    with pytest.raises(ProcessError, match=r"name the file order_to_cash\.yaml"):
        read_process(path)
    assert read_processes(tmp_path / "none") == {}


@given(process=processes().map(agreed))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_draft_reads_as_the_process_it_was_made_of(process):
    assert process_in(draft(process, "drawing.bpmn"), "draft") == process


def test_the_shipped_processes_are_sound_and_their_owners_own_systems(tmp_path):
    sources = read_sources(here().sources)
    owners = {source.owner for source in sources.values()}
    shipped = read_processes(here().processes)
    assert "order_to_cash" in shipped
    for name, process in shipped.items():
        assert findings(process, sources) == (), name
        assert {edge.owner for edge in process.hand_offs} <= owners
        path = tmp_path / f"{name}.bpmn"
        path.write_bytes(bpmn(process))
        assert read_bpmn(path).process == process
