"""The vendor's own SDK talks to the 飞书 emulator: a witness that shares no code and no reading with us."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from sandbox.emulators.faults import Faults
from sandbox.emulators.feishu import Feishu
from sandbox.emulators.server import serving
from sandbox.store import Field, Store, Table, write_store

lark: Any = pytest.importorskip("lark_oapi", reason="make witness installs it")
OPTIONS = {"app_id": "cli_a5", "app_secret": "secret", "app_token": "bascn1"}


def api(name: str) -> Any:
    return importlib.import_module(f"lark_oapi.api.{name}")


def text(*names: str) -> tuple[Field, ...]:
    instants = {"created_time", "last_modified_time", "start_time", "end_time", "join_time"}
    return tuple(Field(name, "instant" if name in instants else "text", name) for name in names)


TABLES = [
    Table(
        "department",
        "部门",
        ("open_department_id",),
        text("open_department_id", "name", "parent_department_id", "member_count"),
        [("od-1", "总经办", "0", 1), ("od-2", "销售部", "od-1", 0)],
    ),
    Table(
        "user",
        "用户",
        ("open_id",),
        text("open_id", "name", "department_ids", "join_time", "is_frozen", "is_resigned", "is_activated"),
        [("ou_1", "王芳", '["od-2"]', "2026-01-05T00:00:00Z", 0, 0, 1)],
    ),
    Table(
        "instance",
        "审批",
        ("instance_code",),
        text("instance_code", "approval_code", "status", "start_time", "end_time", "user_id", "reverted", "title", "amount", "reference"),
        [("I1", "A1", "APPROVED", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z", "u1", 0, "付款", "12800.50", "CG-1")],
    ),
    Table(
        "task",
        "任务",
        ("instance_code", "id"),
        text("instance_code", "id", "place", "user_id", "status", "node_name", "start_time", "end_time"),
        [("I1", "t1", "1", "u2", "APPROVED", "部门负责人", "2026-01-05T00:00:00Z", "2026-01-05T08:00:00Z")],
        "instance",
        "instance_code",
    ),
    Table(
        "tbl1",
        "采购",
        ("record_id",),
        (*text("record_id", "created_time", "last_modified_time"), Field("fldA", "text", "单号"), Field("fldB", "decimal", "金额")),
        [(f"rec{n}", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z", f"CG-{n}", f"{n}.5") for n in range(3)],
    ),
]  # fmt: skip


@pytest.fixture
def client(tmp_path):
    write_store(tmp_path / "feishu.sqlite", TABLES)
    emulator = Feishu(Store(tmp_path / "feishu.sqlite"), OPTIONS)
    with serving(emulator) as url:
        builder = (
            lark.Client.builder()
            .app_id("cli_a5")
            .app_secret("secret")
            .domain(url)
            .log_level(lark.LogLevel.ERROR)
        )
        lark.core.token.manager.TokenManager.cache = lark.core.cache.LocalCache()  # tokens of other tests
        yield emulator, builder.build()


def test_the_sdk_reads_a_table_page_by_page(client):
    bitable = api("bitable.v1")
    _, sdk = client
    body = (
        bitable.SearchAppTableRecordRequestBody.builder()
        .field_names(["单号", "金额"])
        .automatic_fields(True)
        .build()
    )
    builder = bitable.SearchAppTableRecordRequest.builder().app_token("bascn1").table_id("tbl1").page_size(2)
    first = sdk.bitable.v1.app_table_record.search(builder.request_body(body).build())
    assert first.success(), first.msg
    assert (first.data.total, first.data.has_more) == (3, True)
    assert [item.record_id for item in first.data.items] == ["rec0", "rec1"]
    assert first.data.items[1].fields == {"单号": [{"text": "CG-1", "type": "text"}], "金额": 1.5}
    assert first.data.items[0].last_modified_time == 1767657600000
    second = sdk.bitable.v1.app_table_record.search(builder.page_token(first.data.page_token).build())
    assert [item.record_id for item in second.data.items] == ["rec2"] and not second.data.has_more
    fields = sdk.bitable.v1.app_table_field.list(
        bitable.ListAppTableFieldRequest.builder().app_token("bascn1").table_id("tbl1").page_size(100).build()
    )
    assert [(item.field_id, item.field_name, item.type) for item in fields.data.items] == [
        ("fldA", "单号", 1),
        ("fldB", "金额", 2),
    ]


def test_the_sdk_reads_approvals_and_the_directory(client):
    approval, contact = api("approval.v4"), api("contact.v3")
    _, sdk = client
    asked = (
        approval.ListInstanceRequest.builder()
        .approval_code("A1")
        .start_time("1767484800000")
        .end_time("1767830400000")
        .page_size(100)
    )
    listed = sdk.approval.v4.instance.list(asked.build())
    assert listed.success() and listed.data.instance_code_list == ["I1"]
    got = sdk.approval.v4.instance.get(approval.GetInstanceRequest.builder().instance_id("I1").build()).data
    assert (got.status, got.start_time, got.task_list[0].node_name) == (
        "APPROVED",
        "1767571200000",
        "部门负责人",
    )
    assert {item["id"]: item["value"] for item in json.loads(got.form)}["widget_amount"] == 12800.5
    asked = contact.ChildrenDepartmentRequest.builder().department_id("0").fetch_child(True).page_size(50)
    places = sdk.contact.v3.department.children(asked.build())
    assert [item.open_department_id for item in places.data.items] == ["od-1", "od-2"]
    asked = contact.FindByDepartmentUserRequest.builder().department_id("od-2").page_size(50)
    (person,) = sdk.contact.v3.user.find_by_department(asked.build()).data.items
    assert (person.name, person.status.is_activated, person.join_time) == ("王芳", True, 1767571200)


def test_the_sdk_is_told_of_errors(client):
    contact = api("contact.v3")
    emulator, sdk = client
    emulator.faults = Faults(throttle_every=1)
    answer = sdk.contact.v3.department.children(
        contact.ChildrenDepartmentRequest.builder().department_id("0").build()
    )
    assert not answer.success() and answer.code == 99991400
