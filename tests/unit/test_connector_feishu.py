"""What a contract of 飞书 becomes, against requests worked out by hand from the sheet."""

from __future__ import annotations

from typing import Any

import pytest

from sources.connectors import expanded
from sources.connectors.feishu import Feishu
from sources.contract.http import Http, Request


def made(**streams) -> dict:
    document = {
        "source": "fs",
        "connector": "feishu",
        "connection": {"url": "http://127.0.0.1", "options": {"app_id": "cli_x", "app_secret": "secret:FS", "app_token": "bascn1"}},
        "streams": streams,
    }  # fmt: skip
    return expanded(document)["streams"]


def stream(name: str, columns: dict[str, str], **more) -> dict:
    return {"object": name, "columns": {key: {"from": path} for key, path in columns.items()}, **more}


def test_a_table_of_a_bitable_is_searched_with_the_fields_the_columns_name():
    got = made(
        po=stream(
            "bitable/tbl1",
            {
                "id": "record_id",
                "no": "fields.采购单号.0.text",
                "who": "fields.负责人.0.id",
                "sum": "fields.金额",
            },
        )
    )["po"]
    assert got["from"] == "/open-apis/bitable/v1/apps/{options.app_token}/tables/tbl1/records/search"
    request: Any = Request.model_validate(got["request"])
    assert request.body == {"field_names": ["采购单号", "负责人", "金额"], "automatic_fields": True}
    assert request.params == {"page_size": "{size}", "page_token": "{cursor}", "user_id_type": "open_id"}
    assert (request.records, request.total, request.paging.size) == ("data.items", "data.total", 500)


def test_by_changes_it_filters_and_sorts_by_the_column_of_the_table():
    columns = {"id": "record_id", "no": "fields.采购单号", "at": "fields.最后更新时间"}
    got = made(po=stream("bitable/bascn2/tbl1", columns, load="incremental", cursor=["at"]))["po"]
    assert "/apps/bascn2/tables/tbl1/" in got["from"]
    assert got["request"]["body"] == {
        "field_names": ["采购单号", "最后更新时间"],
        "automatic_fields": True,
        "sort": [{"field_name": "最后更新时间", "desc": False}],
        "filter": {
            "conjunction": "and",
            "conditions": [
                {"field_name": "最后更新时间", "operator": "isGreater", "value": ["ExactDate", "{since}"]}
            ],
        },
    }
    assert "filter" not in got["request"]["keys"]["body"]
    assert got["lateness"] == "3d" and Request.model_validate(got["request"]).times.text


def test_approvals_are_listed_by_month_and_asked_for_one_by_one():
    got = made(pay=stream("approval/A1", {"id": "instance_code"}))["pay"]
    request: Any = Request.model_validate(got["request"])
    assert got["from"] == "/open-apis/approval/v4/instances/{each}"
    listing = request.for_each.list
    assert listing.params == {
        "approval_code": "A1", "start_time": "{from}", "end_time": "{to}", "page_size": "{size}", "page_token": "{cursor}",
    }  # fmt: skip
    assert (listing.records, listing.item, listing.span, listing.paging.size) == (
        "data.instance_code_list",
        "",
        "30d",
        100,
    )
    assert (request.times.format, request.times.numbers) == ("epoch_ms", "ms")


def test_members_are_asked_for_in_the_root_and_in_every_department():
    request: Any = Request.model_validate(made(user=stream("user", {"id": "open_id"}))["user"]["request"])
    assert request.for_each.values == ("0",) and request.for_each.list.item == "open_department_id"
    assert request.paging.size == request.for_each.list.paging.size == 50
    assert request.times.numbers == "s"


@pytest.mark.parametrize("name", ["users", "approval", "bitable/", "department/1"])
def test_an_object_it_does_not_know_is_refused(name):
    with pytest.raises(ValueError, match=r"streams\.x: object"):
        made(x=stream(name, {"id": "id"}))


def test_codes_are_told_apart():
    http: Any = Http.model_validate(Feishu().http({}))
    errors = http.errors
    assert {99991663, 99991661, 99991668} == set(errors.expired)
    assert {99991400, 1254290, 1254291, 1254607, 1395001} == set(errors.retry)
    assert 99991672 in errors.scope and 99991403 in errors.quota and 10014 in errors.denied
    assert errors.wait == "x-ogw-ratelimit-reset"
    assert http.auth.token == "tenant_access_token" and http.auth.prefix == "Bearer "
