"""Each rule finds what it is for, at the step it is at, and nothing in a sound process."""

from __future__ import annotations

import pytest

from sources.contract import read_sources
from sources.processes import process_in
from tieout.process.checks import findings
from tieout.settings import settings

SOUND = """
process: p
title: {zh: 流程, en: Process}
lanes:
  sales: {title: {zh: 销售, en: Sales}, owner: sales}
  store: {title: {zh: 仓库, en: Store}, owner: warehouse}
steps:
  begin: {kind: start_event, lane: sales}
  confirm: {title: {zh: 确认, en: Confirm}, lane: sales, events: [{source: hx_sales, event: sale_sale.sale_date}]}
  fits: {kind: exclusive_gateway, lane: sales}
  ship: {kind: sub_process, title: {zh: 发货, en: Ship}, lane: store, events: [{source: hx_stock, event: stock_move.effective_date}]}
  pick: {kind: start_event, inside: ship}
  packed: {kind: end_event, inside: ship}
  late: {kind: boundary_event, attached_to: ship, trigger: timer, timer: P3D}
  lost: {kind: end_event, lane: sales}
  done: {kind: end_event, lane: store}
flows:
  f1: {from: begin, to: confirm}
  f2: {from: confirm, to: fits}
  f3: {from: fits, to: lost}
  f5: {from: ship, to: done}
  f6: {from: pick, to: packed}
  f7: {from: late, to: done}
hand_offs:
  f4: {from: fits, to: ship, limit: 2d, owner: warehouse}
"""


def found(text: str) -> set[tuple[str, str, str]]:
    process = process_in(text, "here")
    return {
        (item.rule, item.at, item.severity) for item in findings(process, read_sources(settings().sources))
    }


def test_a_sound_process_has_no_findings():
    assert found(SOUND) == set()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  f1: {from: begin, to: confirm}\n", "", {("no_outgoing", "begin"), ("no_incoming", "confirm"),
                                                   ("unreachable_end", "lost"), ("unreachable_end", "done"),
                                                   ("unreachable_end", "packed")}),
        ("  f5: {from: ship, to: done}\n", "", {("no_outgoing", "ship")}),  # the deadline still leads to the end
        ("  f3: {from: fits, to: lost}\n", "", {("idle_gateway", "fits"), ("no_incoming", "lost"), ("unreachable_end", "lost")}),
        ("  f6: {from: pick, to: packed}\n", "", {("no_outgoing", "pick"), ("no_incoming", "packed"), ("unreachable_end", "packed")}),
        ("packed: {kind: end_event", "packed: {kind: intermediate_throw_event",
         {("sub_process_without_end", "ship"), ("no_outgoing", "packed")}),
        ("begin: {kind: start_event, lane: sales}", "begin: {kind: start_event}", {("no_lane", "begin")}),
        ("begin: {kind: start_event", "begin: {kind: intermediate_catch_event",
         {("no_incoming", "begin"), ("no_start", "p"), ("unreachable_end", "lost"), ("unreachable_end", "done"),
          ("unreachable_end", "packed")}),
        (", events: [{source: hx_sales, event: sale_sale.sale_date}]", "", {("unmeasured_hand_off", "f4")}),
        (", events: [{source: hx_stock, event: stock_move.effective_date}]", "", {("unmeasured_hand_off", "f4")}),
        ("sale_sale.sale_date", "sale_sale.sold_on", {("unknown_event", "confirm")}),
        ("source: hx_sales", "source: crm", {("unknown_event", "confirm")}),
        ("zh: 发货", "zh: 确认", {("duplicate_name", "confirm"), ("duplicate_name", "ship")}),
        ("limit: 2d", "limit: 2d, proposed: true", {("proposed_limit", "f4")}),
        ("to: ship, limit", "to: ship, guessed: true, limit", {("guessed_flow", "f4")}),
        (", owner: sales}", "}", {("no_owner", "confirm")}),
    ],
)  # fmt: skip
def test_each_rule_finds_what_it_is_for(old, new, expected):
    assert SOUND.count(old) == 1
    result = found(SOUND.replace(old, new))
    assert {item[:2] for item in result} == expected
    warnings = {"idle_gateway", "unmeasured_hand_off", "unknown_event", "duplicate_name", "proposed_limit",
                "guessed_flow", "no_owner"}  # fmt: skip
    assert all((severity == "warning") == (rule in warnings) for rule, _, severity in result)


def test_a_gateway_that_joins_is_no_idle_one():
    text = SOUND.replace(
        "  f3: {from: fits, to: lost}\n", "  f3: {from: fits, to: lost}\n  f8: {from: lost2, to: fits2}\n"
    )
    text = text.replace(
        "  lost: {kind",
        "  lost2: {kind: start_event, lane: sales}\n  fits2: {kind: parallel_gateway, lane: sales}\n  lost: {kind",
    )
    once = text.replace("from: fits, to: lost}", "from: fits, to: lost}\n  f9: {from: fits2, to: lost}")
    assert ("idle_gateway", "fits2", "warning") in found(once)
    twice = once.replace("flows:\n", "flows:\n  f10: {from: fits, to: fits2}\n")
    assert found(twice) == set()


def test_a_process_without_lanes_says_so_once():
    assert found(
        "process: p\ntitle: {zh: 流, en: P}\nsteps: {a: {kind: start_event}, b: {kind: end_event}}\nflows: {f: {from: a, to: b}}"
    ) == {("no_lanes", "p", "critical")}
