"""氚云 from its emulator to the warehouse, and the emulator's own manners."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import requests

from sandbox.emulators.faults import Faults
from sandbox.emulators.h3yun import H3yun
from sandbox.emulators.server import serving
from sandbox.huachen.systems import h3yun
from sandbox.huachen.systems.h3yun import FORM
from sandbox.huachen.world.records import Inspection, World
from sandbox.huachen.world.spelling import Spelling
from sandbox.store import Field, Store, Table, write_store
from sources.connectors import connector_for
from tests.vendor_rows import Pulls, announced

START = datetime(2026, 9, 5, 1, 1, 9, tzinfo=UTC)  # 09:01:09, written 9:01:09 or 09:01:09
NAMES = {"object_id": "ObjectId", "name": "Name", "check_no": "F0000001", "receipt": "F0000002", "material": "F0000003", "checked": "F0000004",
         "rejected": "F0000005", "result": "F0000006", "reason": "F0000007", "checked_at": "F0000008", "created_by": "CreatedBy",
         "created_time": "CreatedTime", "modified_time": "ModifiedTime"}  # fmt: skip


def world() -> World:
    made = World(1, 1, date(2026, 9, 1), date(2026, 10, 31))
    for n in range(11):
        bad = n % 5 == 4
        made.quality.append(
            Inspection(f"RK{n:04d}-1", "RM-001", "HC007", START + timedelta(days=2 * n), "让步接收" if bad else "合格", Decimal("50.2500"),
                       Decimal(2 * bad), "尺寸偏差" if bad else "", f"RK{n:04d}")
        )  # fmt: skip
    return made


@pytest.fixture
def running(tmp_path, monkeypatch):
    history = world()
    path = tmp_path / "h3yun.sqlite"
    write_store(path, h3yun.tables(history, Spelling(history)))
    emulator = H3yun(Store(path), h3yun.OPTIONS | {"rows_max": "3"})
    with serving(emulator) as url:
        yield emulator, announced("hc_h3yun", url, h3yun.OPTIONS, tmp_path, monkeypatch)


def assert_same(emulator: H3yun, small: Pulls) -> None:
    rows = [{column: row[name] for column, name in NAMES.items()} for row in emulator.store.rows(FORM)]
    there = small.truth("quality_check", rows)
    assert there and small.loaded("quality_check") == there


def test_every_row_is_as_the_store_has_it_in_both_formats(running):
    emulator, small = running
    small.refresh()
    assert_same(emulator, small)
    written = [row["ModifiedTime"] for row in asked(emulator, rows=3)["ReturnData"]["BizObjectArray"]]
    written += [
        row["ModifiedTime"] for row in asked(emulator, start=3, rows=6)["ReturnData"]["BizObjectArray"]
    ]
    assert len({"/" in text for text in written}) == 2, (
        written
    )  # or the two formats were not there to be read


def test_changes_and_deletions_follow(running):
    emulator, small = running
    small.refresh()
    emulator.store.change(
        f"update {FORM} set F0000006 = '退货', ModifiedTime = '2026-10-30T00:00:00Z' where F0000001 = 'RK0002-1'"
    )
    emulator.store.change(
        f"update {FORM} set F0000005 = '1.5', ModifiedTime = '2026-10-29T23:59:59Z' where F0000001 = 'RK0003-1'"
    )
    emulator.store.change(f"delete from {FORM} where F0000001 = 'RK0007-1'")
    small.refresh()
    assert_same(emulator, small)
    # a later cursor is later, in whatever format it was written
    emulator.store.change(
        f"update {FORM} set F0000005 = '9', ModifiedTime = '2026-10-30T00:00:01Z' where F0000001 = 'RK0005-1'"
    )
    small.refresh()
    assert_same(emulator, small)


@pytest.mark.parametrize(
    ("faults", "options"),
    [
        (Faults(truncate_page=2), {}),
        (Faults(error_at=2), {}),
        (Faults(cut_body_at=3), {}),
        (Faults(throttle_every=3), {}),
        (Faults(slow=0.01), {}),
        (Faults(truncate_page=2), {"count_at": "root"}),
    ],
    ids=["page lost rows", "500 in the middle", "body cut", "throttled", "slow", "no total, page lost rows"],
)
def test_faults_that_can_be_survived_are(running, faults, options):
    emulator, small = running
    emulator.options |= options
    emulator.faults = faults
    small.refresh()
    assert_same(emulator, small)


def test_rows_in_another_order_at_every_call_are_refused_or_whole(running):
    emulator, small = running
    emulator.options |= {"shuffle": "1"}
    told = small.outcomes()["quality_check"]
    if told.error is None:
        small.load()
        assert_same(emulator, small)
    else:
        assert "the server names 11 rows in all" in str(told.error) and not small.landing.batches(
            "hc_h3yun", "quality_check"
        )


def test_a_page_that_comes_again_is_noticed(running):
    emulator, small = running
    emulator.faults = Faults(repeat_page=1)
    assert "holds the same rows as a page before" in small.refused("quality_check")


@pytest.mark.parametrize(
    ("faults", "options", "words"),
    [
        (Faults(), {"engine_secret": "sandbox-wrong-secret"}, "EngineSecret错误"),
        (Faults(), {"engine_code": "nobody00"}, "EngineCode不存在"),
        (Faults(revoked=[FORM]), {}, "没有表单D282411qc的访问权限"),
        (Faults(quota=1), {}, "今日接口调用次数已达上限"),
        (Faults(throttle_every=1), {}, "过于频繁"),
    ],
    ids=["secret", "engine", "right", "quota", "rate"],
)
def test_what_cannot_be_survived_says_so(running, monkeypatch, faults, options, words):
    emulator, small = running
    for name, value in options.items():
        monkeypatch.setenv(f"HC_H3YUN_{name.upper()}", value)
    emulator.faults = faults
    said = small.refused("quality_check")
    assert words in said and "what was loaded before stays" in said and "sandbox-" not in said


def asked(
    emulator: H3yun, start: int = 0, rows: int = 500, form: str = FORM, matchers: list | None = None, **more
) -> dict:
    said = {
        "FromRowNum": start,
        "ToRowNum": rows,
        "RequireCount": True,
        "Matcher": {"Type": "And", "Matchers": matchers or []},
    }
    body = {"ActionName": "LoadBizObjects", "SchemaCode": form, "Filter": json.dumps(said)} | more
    headers = {
        "EngineCode": emulator.options["engine_code"],
        "EngineSecret": emulator.options["engine_secret"],
    }
    return requests.post(emulator.address + "/OpenApi/Invoke", json=body, headers=headers, timeout=5).json()


def test_discovery_proposes_fields_from_rows(running):
    emulator, _ = running
    emulator.options |= {"rows_max": "500"}

    def ask(method, path, *, body):
        return asked(emulator, **body)

    (found,) = connector_for("h3yun").discover(ask, [FORM])
    fields = {field.id: field for field in found.fields}
    assert (found.key, found.cursor) == (("object_id",), ("modified_time",))
    assert (fields["modified_time"].type, fields["f0000003"].type) == ("timestamp", "text")
    assert fields["created_by"].personal and "no titles" in (found.doubt or "")


def test_the_emulator_keeps_the_rules_of_the_sheet(running, tmp_path):
    emulator, _ = running
    first = asked(emulator)["ReturnData"]
    assert (len(first["BizObjectArray"]), first["TotalCount"]) == (
        3,
        11,
    )  # never more than the most, whatever is asked
    assert asked(emulator, Filter={"FromRowNum": 0})["Successful"] is False
    assert asked(emulator, form="D0")["ErrorMessage"] == "表单D0不存在"

    def count(operator: int, value: str) -> int:
        item = {"Type": "Item", "Name": "ModifiedTime", "Operator": operator, "Value": value}
        return asked(emulator, matchers=[item])["ReturnData"]["TotalCount"]

    moment = "2026-09-05 09:01:09"
    assert [count(operator, moment) for operator in (0, 1, 2)] == [10, 11, 1]
    assert count(1, "2026/9/7 9:01:09") == 10
    assert count(4, moment) == 11  # an operator it does not know is ignored
    emulator.options |= {"operators": "all"}
    assert count(4, moment) == 0

    lines = (
        Field("ObjectId", "text", "行"),
        Field("ParentObjectId", "text", "主表"),
        Field("F0000003", "text", "物料"),
    )
    head = (Field("ObjectId", "text", "单"), Field("F0000001", "text", "单号"))
    write_store(tmp_path / "two.sqlite", [
        Table("D1", "单", ("ObjectId",), head, [("a", "CG1")]),
        Table("D1L", "行", ("ObjectId",), lines, [("l1", "a", "M-01")], "D1", "ParentObjectId"),
    ])  # fmt: skip
    emulator.store = Store(tmp_path / "two.sqlite")
    assert "D1L" not in asked(emulator, form="D1")["ReturnData"]["BizObjectArray"][0]
    one = asked(emulator, form="D1", ActionName="LoadBizObject", BizObjectId="a")["ReturnData"]["BizObject"]
    assert one["D1L"][0]["F0000003"] == "M-01"
    assert asked(emulator, form="D1L")["ReturnData"]["BizObjectArray"][0]["ParentObjectId"] == "a"
