"""纷享销客: what is asked, as the sheet's examples show it, and what is said of its objects."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from sources.connectors import connector_for
from sources.connectors.fxiaoke import Operator
from sources.contract.http import Times
from tieout.ingest.intake.http.values import filled, moment, written

FX = connector_for("fxiaoke")
SECRETS = {"app_id": "FSAID_x", "app_secret": "env:S", "permanent_code": "env:P"}
DOCUMENT = {"connection": {"options": {**SECRETS, "open_user_id": "FSUID_x"}}}


def stream(said: str = "SalesOrderObj", **more: Any) -> dict[str, Any]:
    columns = {
        "id": {"from": "_id"},
        "amount": {"from": "payment_amount"},
        "modified": {"from": "last_modified_time"},
    }
    return {"object": said, "key": ["id"], "columns": columns, **more}  # fmt: skip


def test_the_question_of_the_sheet_with_the_rows_after_the_last_one():
    made = FX.request("orders", stream(load="incremental", cursor="modified", deletes="keys"), DOCUMENT)
    asked = made["request"]
    since = written(
        moment("2026-01-01T00:00:00+00:00", "timestamptz", "UTC"), Times(format="epoch_ms"), "UTC"
    )
    first = filled(asked["body"], {"size": 100, "since": since, "cursor": None})
    changed = {"field_name": "last_modified_time", "operator": "GTE", "field_values": [1767225600000]}
    assert first == {"data": {"dataObjectApiName": "SalesOrderObj", "find_explicit_total_num": True, "search_query_info": {
        "offset": 0, "limit": 100, "filters": [changed], "orders": [{"fieldName": "_id", "isAsc": True}]}}}  # fmt: skip
    second = filled(asked["body"], {"size": 100, "since": since, "cursor": "5f3a"})
    beyond = {"field_name": "_id", "operator": "GT", "field_values": ["5f3a"]}
    assert second["data"]["search_query_info"]["filters"] == [changed, beyond]
    begun = filled(asked["body"], {"size": 100, "since": None, "cursor": None})
    assert begun["data"]["search_query_info"]["filters"] == []  # not a condition without its value
    keys = filled(asked["keys"]["body"], {"size": 100, "since": since, "cursor": "5f3a"})
    assert keys["data"]["search_query_info"]["filters"] == [beyond]
    assert keys["data"]["search_query_info"]["fieldProjection"] == ["_id"]


def test_a_custom_object_has_its_own_path_and_a_whole_load_no_time():
    made = FX.request("visits", stream("visit__c", load="full"), DOCUMENT)
    assert made["from"] == "/cgi/crm/custom/v2/data/query" and "lateness" not in made
    assert "{since}" not in json.dumps(made) and "keys" not in made["request"]
    assert FX.request("orders", stream(), DOCUMENT)["from"] == "/cgi/crm/v2/data/query"


def prepared(body: Any) -> requests.PreparedRequest:
    return requests.Request("POST", "http://fx.example/cgi/crm/v2/data/query", json=body).prepare()


TOKEN_ANSWER = {"errorCode": 0, "corpAccessToken": "t0ken", "corpId": "FSCID_x", "expiresIn": 7200}


def test_the_credentials_go_into_the_body_and_nothing_in_it_replaces_them():
    operator = Operator("FSAID_x", "s3cret", "c0de", "FSUID_x")
    sent = []
    assert operator.login(lambda method, path, body: sent.append((path, body)) or TOKEN_ANSWER) == ("t0ken", 7200.0)  # fmt: skip
    assert sent == [("/cgi/corpAccessToken/get/V2", {"appId": "FSAID_x", "appSecret": "s3cret", "permanentCode": "c0de"})]  # fmt: skip
    request = operator(prepared({"data": {"a": "甲"}, "currentOpenUserId": "FSUID_other"}))
    assert isinstance(request.body, bytes)
    assert json.loads(request.body) == {
        "corpAccessToken": "t0ken", "corpId": "FSCID_x", "currentOpenUserId": "FSUID_x", "data": {"a": "甲"},
    }  # fmt: skip
    assert request.headers["Content-Length"] == str(len(request.body))
    assert request.headers["Content-Type"] == "application/json"
    assert "s3cret" not in repr(operator)


def test_the_operator_is_found_by_his_number():
    def exchange(method: str, path: str, body: dict[str, str]) -> dict[str, Any]:
        if path == "/cgi/user/getByMobile":
            assert body == {"corpAccessToken": "t0ken", "corpId": "FSCID_x", "mobile": "13800000001"}
            return {"errorCode": 0, "empList": staff}
        return TOKEN_ANSWER

    staff = [{"openUserId": "FSUID_7"}]
    operator = Operator("FSAID_x", "s3cret", "c0de", mobile="13800000001")
    operator.login(exchange)
    body = operator(prepared({})).body
    assert isinstance(body, bytes) and json.loads(body)["currentOpenUserId"] == "FSUID_7"
    staff = []
    with pytest.raises(ValueError, match=r"connection\.options\.mobile") as said:
        Operator("FSAID_x", "s3cret", "c0de", mobile="13800000001").login(exchange)
    assert "13800000001" not in str(said.value)
    with pytest.raises(ValueError, match="say open_user_id, or mobile"):
        Operator("FSAID_x", "s3cret", "c0de")


def test_an_option_that_is_missing_is_named():
    with pytest.raises(ValueError, match="say permanent_code"):
        FX.http({"connection": {"options": {"app_id": "a", "app_secret": "env:S"}}})


FIELDS = {
    "payment_amount": {"label": "金额", "type": "currency", "decimal_places": 2},
    "rate": {"label": "折扣", "type": "percentile"},
    "signed": {"label": "签订日期", "type": "date"},
    "owner": {"label": "负责人", "type": "employee", "is_required": True},
    "account_id": {"label": "客户", "type": "object_reference", "target_api_name": "AccountObj"},
    "life_status": {
        "label": "生命状态",
        "type": "select_one",
        "options": [{"value": "normal", "label": "正常"}],
    },
    "total": {"label": "合计", "type": "count", "return_type": "currency", "decimal_places": 2},
    "tags": {"label": "标签", "type": "select_many"},
    "old": {"label": "停用", "type": "text", "is_active": False},
    "lock_rule": {"label": "锁定规则", "type": "lock_rule"},
    "last_modified_time": {"label": "修改时间", "type": "date_time"},
}


@pytest.mark.parametrize("shape", ["map", "list"])
def test_a_description_becomes_columns(shape):
    fields = {name: {"api_name": name, **field} for name, field in FIELDS.items()}
    said = {"fields": fields if shape == "map" else list(fields.values()), "display_name": "销售订单"}
    asked = []

    def ask(method: str, path: str, *, body: Any = None, **_: Any) -> dict[str, Any]:
        asked.append((path, body))
        if path.endswith("/list"):
            listed = [{"describeApiName": "SalesOrderObj", "describeDisplayName": "订单"},
                      {"describeApiName": "OldObj", "describeDisplayName": "停用", "isActive": False}]  # fmt: skip
            return {"errorCode": 0, "objects": listed} if shape == "list" else {"data": {"objects": listed}}
        return {"errorCode": 0, "data": {"describe": said} if shape == "map" else said}

    (found,) = FX.discover(ask)
    named = {"apiName": "SalesOrderObj", "includeDetail": False}
    assert asked[-1] == ("/cgi/crm/v2/object/describe", {**named, "data": named})
    columns = {field.id: (field.path, field.type) for field in found.fields}
    assert columns == {
        "_id": ("_id", "text"), "create_time": ("create_time", "timestamptz"), "payment_amount": ("payment_amount", "decimal(18, 2)"),
        "rate": ("rate", "decimal(18, 4)"), "signed": ("signed", "date"), "owner": ("owner.0", "text"), "account_id": ("account_id", "text"),
        "life_status": ("life_status", "text"), "total": ("total", "decimal(18, 2)"), "tags": ("tags", "text"),
        "last_modified_time": ("last_modified_time", "timestamptz"),
    }  # fmt: skip
    by_id = {field.id: field for field in found.fields}
    assert (found.title, found.key, found.cursor) == ("销售订单", ("_id",), ("last_modified_time",))
    assert by_id["account_id"].refers == "AccountObj" and by_id["owner"].personal
    assert by_id["life_status"].options == (("normal", "正常"),)
    assert "JSON" in (by_id["tags"].doubt or "") and "computed" in (by_id["total"].doubt or "")
    asked.clear()
    assert FX.discover(ask, ()) == [] and [path for path, _ in asked] == ["/cgi/crm/v2/object/list"]
