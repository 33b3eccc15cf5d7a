"""The 简道云 emulator against its sheet: keys, the cursor, silent filters, how each type arrives, error codes."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.emulators.faults import Faults
from sandbox.emulators.jiandaoyun import Jiandaoyun
from sandbox.emulators.server import serving
from sandbox.store import Field, Store, Table, write_store

APP = "65a0000000000000000000a1"


def identity(number: int) -> str:
    return f"65b{number:021x}"


REQUESTS = Table(
    "purchase_request",
    "请购单",
    ("_id",),
    (
        Field("_id", "text", "内码"),
        Field("creator", "text", "提交人", refers="users"),
        Field("createTime", "instant", "提交时间"),
        Field("updateTime", "instant", "更新时间"),
        Field("flowState", "integer", "流程状态"),
        Field("_widget_1700000000001", "text", "请购单号"),
        Field("_widget_1700000000002", "date", "需求日期"),
        Field("_widget_1700000000003", "decimal", "金额"),
        Field("_widget_1700000000004", "choice", "类别", (("原料", "原料"), ("辅料", "辅料"))),
        Field("_widget_1700000000005", "flag", "加急"),
        Field("_widget_1700000000006", "list", "附加要求"),
        Field("_widget_1700000000007", "text", "供应商", refers="supplier"),
        Field("_widget_1700000000008", "integer", "部门", refers="departments"),
        Field("_widget_1700000000009", "list", "会签人", refers="users"),
    ),
    tuple(
        (
            identity(number),
            "E001" if number % 2 else "E002",
            f"2026-01-{number:02}T02:11:09Z",
            f"2026-02-{number:02}T02:11:09Z",
            number % 3,
            f"QG-{number:03}",
            f"2026-02-{number:02}",
            f"{number}.10",
            "原料" if number < 4 else None,
            number % 2,
            '["急","冷藏"]' if number == 1 else '["急"]' if number == 2 else "[]",
            identity(900) if number == 1 else None,
            3 if number == 1 else None,
            '["E001","E002"]' if number == 1 else None,
        )
        # written out of order: the store keeps the order of its key
        for number in (7, 3, 1, 2, 5, 4, 6, 8, 9, 10, 11, 12)
    ),
)
LINES = Table(
    "_widget_1700000000100",
    "明细",
    ("_id",),
    (
        Field("_id", "text", "行内码"),
        Field("request_id", "text", "所属", refers="purchase_request"),
        Field("_widget_1700000000101", "text", "物料"),
        Field("_widget_1700000000102", "decimal", "数量"),
    ),
    (
        (identity(502), identity(1), "M-02", "3.000"),
        (identity(501), identity(1), "M-01", "10"),
        (identity(503), identity(12), "M-03", "0.5"),
    ),
    "purchase_request",
    "request_id",
)
SUPPLIERS = Table(
    "supplier",
    "供应商",
    ("_id",),
    (Field("_id", "text", "内码"), Field("name", "text", "名称")),
    ((identity(900), "甲"),),
)
USERS = Table(
    "users",
    "成员",
    ("username",),
    (
        Field("username", "text", "编号"),
        Field("name", "text", "姓名", personal=True),
        Field("status", "integer", "状态"),
        Field("type", "integer", "类型"),
        Field("departments", "list", "部门"),
    ),
    (("E001", "王芳", 1, 0, "[3]"), ("E002", "李雷", -1, 0, "[4]")),
)
DEPARTMENTS = Table(
    "departments",
    "部门",
    ("dept_no",),
    (
        Field("dept_no", "integer", "编号"),
        Field("name", "text", "名称"),
        Field("parent_no", "integer", "上级"),
    ),
    ((2, "制造", 1), (3, "采购", 2), (4, "财务", 1)),
)
MEMBER = {"username": "E001", "name": "王芳", "status": 1, "type": 0, "departments": [3]}
OPTIONS = {
    "api_key": "key-of-the-tenant",
    "app_id": APP,
    "app_name": "采购管理",
    "entry.purchase_request": "65a0000000000000000000e1",
    "alias.purchase_request._widget_1700000000001": "request_no",
}
FORM = {"app_id": APP, "entry_id": "65a0000000000000000000e1"}


@pytest.fixture
def forms(tmp_path: Path):
    write_store(tmp_path / "forms.sqlite", [REQUESTS, LINES, SUPPLIERS, USERS, DEPARTMENTS])
    emulator = Jiandaoyun(Store(tmp_path / "forms.sqlite"), OPTIONS)
    with serving(emulator):
        yield emulator


def post(
    emulator: Jiandaoyun, path: str, body: Any, key: str | None = "key-of-the-tenant"
) -> tuple[int, str]:
    line = http.client.HTTPConnection(emulator.address.removeprefix("http://"), timeout=5)
    try:
        headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
        line.request("POST", f"/api/{path}", json.dumps(body).encode() if body != "" else b"{", headers)
        answer = line.getresponse()
        return answer.status, answer.read().decode()
    finally:
        line.close()


def said(emulator: Jiandaoyun, path: str, **body: Any) -> Any:
    status, text = post(emulator, path, FORM | body)
    assert status == 200, text
    return json.loads(text)


def code(
    emulator: Jiandaoyun, path: str, body: Any, key: str | None = "key-of-the-tenant"
) -> tuple[int, int]:
    status, text = post(emulator, path, body, key)
    return status, json.loads(text)["code"]


def numbers(emulator: Jiandaoyun, **body: Any) -> list[int]:
    rows = said(emulator, "v5/app/entry/data/list", **{"limit": 100} | body)["data"]
    return [int(row["_id"][3:], 16) for row in rows]


def found(emulator: Jiandaoyun, *conditions: dict[str, Any], rel: str = "and") -> list[int]:
    return numbers(emulator, filter={"rel": rel, "cond": list(conditions)})


EVERY = list(range(1, 13))


def test_how_each_type_arrives(forms):
    status, text = post(forms, "v5/app/entry/data/list", FORM | {"limit": 1})
    assert status == 200
    assert json.loads(text, parse_float=str)["data"] == [
        {
            "_id": identity(1),
            "appId": APP,
            "entryId": FORM["entry_id"],
            "creator": MEMBER,
            "createTime": "2026-01-01T02:11:09.000Z",
            "updateTime": "2026-02-01T02:11:09.000Z",
            "deleter": None,
            "deleteTime": None,
            "flowState": 1,
            "request_no": "QG-001",
            # 1 February in China begins on 31 January in UTC
            "_widget_1700000000002": "2026-01-31T16:00:00.000Z",
            "_widget_1700000000003": "1.10",
            "_widget_1700000000004": "原料",
            "_widget_1700000000005": "是",
            "_widget_1700000000006": ["急", "冷藏"],
            "_widget_1700000000007": {"id": identity(900)},
            "_widget_1700000000008": {"dept_no": 3, "name": "采购", "parent_no": 2},
            "_widget_1700000000009": [
                MEMBER,
                {"username": "E002", "name": "李雷", "status": -1, "type": 0, "departments": [4]},
            ],
            "_widget_1700000000100": [
                {"_id": identity(501), "_widget_1700000000101": "M-01", "_widget_1700000000102": 10},
                {"_id": identity(502), "_widget_1700000000101": "M-02", "_widget_1700000000102": "3.000"},
            ],
        }
    ]
    empty = said(forms, "v5/app/entry/data/get", data_id=identity(5))["data"]
    assert [empty[f"_widget_170000000{n}"] for n in ("0004", "0006", "0007", "0008", "0009", "0100")] == [
        None,
        [],
        None,
        None,
        None,
        [],
    ]


def test_the_cursor_reads_every_row_once(forms):
    read, last = [], ""
    while True:
        page = numbers(forms, limit=5, data_id=last)
        read += page
        if len(page) < 5:
            break
        last = identity(page[-1])
    assert read == EVERY
    assert len(said(forms, "v5/app/entry/data/list")["data"]) == 10


def test_a_page_holds_a_hundred_at_most(tmp_path):
    many = Table(
        "big", "大", ("_id",), (Field("_id", "text", "内码"),), tuple((identity(n),) for n in range(150))
    )
    write_store(tmp_path / "big.sqlite", [many])
    emulator = Jiandaoyun(Store(tmp_path / "big.sqlite"), {"api_key": "key-of-the-tenant", "app_id": APP})
    asked = {"app_id": APP, "entry_id": emulator.entry_id("big"), "limit": 150}
    assert len(asked["entry_id"]) == 24 and int(asked["entry_id"], 16)
    with serving(emulator):
        assert len(json.loads(post(emulator, "v5/app/entry/data/list", asked)[1])["data"]) == 100
        emulator.options["over_limit"] = "refuse"
        assert code(emulator, "v5/app/entry/data/list", asked) == (400, 17017)


def test_fields_cut_a_row_down(forms):
    row = said(forms, "v5/app/entry/data/list", fields=["_widget_1700000000001", "updateTime"], limit=1)[
        "data"
    ][0]
    assert list(row) == ["_id", "appId", "entryId", "updateTime", "request_no"]


@pytest.mark.parametrize(
    ("condition", "want"),
    [
        ({"field": "request_no", "type": "text", "method": "eq", "value": ["QG-003"]}, [3]),
        ({"field": "_widget_1700000000001", "method": "eq", "value": "QG-003"}, [3]),
        ({"field": "request_no", "method": "in", "value": ["QG-003", "QG-012", "none"]}, [3, 12]),
        ({"field": "request_no", "method": "like", "value": ["-01"]}, [10, 11, 12]),
        ({"field": "_widget_1700000000004", "method": "ne", "value": ["原料"]}, EVERY[3:]),
        ({"field": "_widget_1700000000004", "method": "nin", "value": ["原料"]}, EVERY[3:]),
        ({"field": "_widget_1700000000004", "method": "empty"}, EVERY[3:]),
        ({"field": "_widget_1700000000003", "method": "range", "value": [2.1, 4.1]}, [2, 3, 4]),
        ({"field": "_widget_1700000000003", "method": "range", "value": [None, 2.1]}, [1, 2]),
        ({"field": "_widget_1700000000003", "method": "gt", "value": [10.1]}, [11, 12]),
        (
            {"field": "_widget_1700000000002", "method": "range", "value": ["2026-02-03", "2026-02-04"]},
            [3, 4],
        ),
        ({"field": "_widget_1700000000002", "method": "eq", "value": ["2026-01-31T16:00:00.000Z"]}, [1]),
        ({"field": "_widget_1700000000006", "method": "in", "value": ["急", "冷藏"]}, [1, 2]),
        ({"field": "_widget_1700000000006", "method": "all", "value": ["急", "冷藏"]}, [1]),
        ({"field": "_widget_1700000000005", "method": "eq", "value": ["否"]}, EVERY[1::2]),
        ({"field": "flowState", "method": "in", "value": [0]}, [3, 6, 9, 12]),
        # inclusive, and a day is the whole day where people live
        ({"field": "createTime", "method": "range", "value": ["2026-01-02", "2026-01-03"]}, [2, 3]),
        ({"field": "createTime", "method": "range", "value": ["2026-01-11T02:11:09Z", None]}, [11, 12]),
    ],
)
def test_filters_that_can_be_read(forms, condition, want):
    assert found(forms, condition) == want


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "nobody", "method": "eq", "value": ["x"]},
        {"field": "_id", "method": "eq", "value": [identity(3)]},
        {"field": "request_no", "method": "gt", "value": ["QG-003"]},
        {"field": "request_no", "type": "number", "method": "eq", "value": ["QG-003"]},
        {"field": "_widget_1700000000003", "method": "eq", "value": ["3.10"]},
        {"field": "_widget_1700000000002", "method": "eq", "value": ["soon"]},
        {"field": "createTime", "method": "eq", "value": ["2026-01-02"]},
        {"field": "updateTime", "method": "range", "value": ["2099-01-01", None]},
        {"field": "_widget_1700000000003", "method": "range", "value": [5]},
    ],
)
def test_filters_that_cannot_be_read_are_ignored_in_silence(forms, condition):
    assert found(forms, condition) == EVERY
    good = {"field": "request_no", "method": "eq", "value": ["QG-003"]}
    assert found(forms, condition, good) == found(forms, good, condition) == [3]


def test_conditions_are_joined(forms):
    first = {"field": "request_no", "method": "eq", "value": ["QG-003"]}
    second = {"field": "_widget_1700000000003", "method": "gt", "value": [11]}
    assert found(forms, first, second) == []
    assert found(forms, first, second, rel="or") == [3, 11, 12]
    # the cursor binds tighter than the filter's own "or"
    assert numbers(forms, data_id=identity(3), filter={"rel": "or", "cond": [first, second]}) == [11, 12]
    forms.options["update_time_filter"] = "1"
    assert found(forms, {"field": "updateTime", "method": "range", "value": ["2099-01-01", None]}) == []


def test_what_there_is(forms):
    assert said(forms, "v5/app/list") == {"apps": [{"app_id": APP, "name": "采购管理"}]}
    assert said(forms, "v5/app/entry/list")["forms"] == [
        {"app_id": APP, "entry_id": FORM["entry_id"], "name": "请购单"},
        {"app_id": APP, "entry_id": forms.entry_id("supplier"), "name": "供应商"},
    ]
    assert len(said(forms, "v5/app/entry/list", skip=1, limit=1)["forms"]) == 1


def test_the_widgets_of_a_form(forms):
    answer = said(forms, "v5/app/entry/widget/list")
    assert answer["widgets"][0] == {
        "name": "request_no",
        "widgetName": "_widget_1700000000001",
        "label": "请购单号",
        "type": "text",
    }
    assert [item["type"] for item in answer["widgets"]] == [
        "text",
        "datetime",
        "number",
        "combo",
        "radiogroup",
        "checkboxgroup",
        "linkdata",
        "dept",
        "usergroup",
        "subform",
    ]
    subform = answer["widgets"][-1]
    assert (subform["widgetName"], subform["label"]) == ("_widget_1700000000100", "明细")
    assert [(item["label"], item["type"]) for item in subform["items"]] == [
        ("物料", "text"),
        ("数量", "number"),
    ]
    assert [item["name"] for item in answer["sysWidgets"]] == [
        "creator",
        "createTime",
        "updateTime",
        "flowState",
    ]
    assert answer["dataModifyTime"] == "2026-02-12T02:11:09.000Z"


def test_the_directory(forms):
    def departments(**asked: Any) -> list[int]:
        return [item["dept_no"] for item in said(forms, "v5/corp/department/list", **asked)["departments"]]

    def users(**asked: Any) -> list[str]:
        return [item["name"] for item in said(forms, "v5/corp/department/user/list", **asked)["users"]]

    assert departments(dept_no=1, has_child=True) == [2, 3, 4]
    assert departments(dept_no=1, has_child=False) == [2, 4]
    assert users(dept_no=1, has_child=True) == ["王芳", "李雷"]
    assert users(dept_no=2, has_child=True) == ["王芳"]
    assert users(dept_no=2, has_child=False) == []


def test_error_codes(forms):
    rows = "v5/app/entry/data/list"
    assert code(forms, rows, FORM, key=None) == (400, 8301)
    assert code(forms, rows, FORM, key="wrong") == (400, 17018)
    assert code(forms, rows, FORM | {"app_id": "65a0000000000000000000ff"}) == (400, 2004)
    assert code(forms, rows, {"app_id": APP, "entry_id": "65a0000000000000000000ff"}) == (400, 3000)
    assert code(forms, rows, {"entry_id": FORM["entry_id"]}) == (400, 17017)
    assert code(forms, rows, FORM | {"limit": 0}) == (400, 17017)
    assert code(forms, rows, "") == (400, 17017)
    assert code(forms, rows, FORM | {"filter": {"cond": []}}) == (400, 4815)
    assert code(forms, "v5/app/entry/data/get", FORM | {"data_id": identity(99)}) == (400, 4001)


def test_rights_rates_and_quotas(forms):
    rows = "v5/app/entry/data/list"
    forms.faults = Faults(revoked=["purchase_request"])
    assert code(forms, rows, FORM) == (400, 8302)
    forms.faults = Faults(revoked=[APP])
    assert code(forms, rows, FORM) == (400, 17053)
    assert said(forms, "v5/app/list") == {"apps": []}
    forms.faults = Faults(throttle_every=1)
    assert code(forms, rows, FORM) == (400, 8304)
    forms.faults = Faults(quota=0)
    assert code(forms, rows, FORM) == (400, 7103)


def test_so_many_calls_a_second(tmp_path):
    write_store(tmp_path / "forms.sqlite", [SUPPLIERS])
    time_is = [100.0]
    emulator = Jiandaoyun(
        Store(tmp_path / "forms.sqlite"), OPTIONS | {"per_second": "2"}, clock=lambda: time_is[0]
    )
    with serving(emulator):
        assert [post(emulator, "v5/app/list", {})[0] for _ in range(3)] == [200, 200, 400]
        assert code(emulator, "v5/app/list", {}) == (400, 8304)
        time_is[0] += 1
        assert post(emulator, "v5/app/list", {})[0] == 200


def test_a_truncated_page_ends_the_reading_too_early(forms):
    forms.faults = Faults(truncate_page=1)
    assert numbers(forms, limit=6) == [1, 2, 3, 4]
    forms.faults = Faults(
        drift={"_widget_1700000000003": "_widget_1800000000003"}, tables=["purchase_request"]
    )
    row = said(forms, "v5/app/entry/data/list", limit=1)["data"][0]
    assert "_widget_1700000000003" not in row and row["_widget_1800000000003"] == 1.1
    names = [item["widgetName"] for item in said(forms, "v5/app/entry/widget/list")["widgets"]]
    assert "_widget_1800000000003" in names and "_widget_1700000000003" not in names
