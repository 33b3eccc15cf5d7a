"""What a contract of 简道云 becomes, against requests worked out by hand from the sheet."""

from __future__ import annotations

import pytest

from sources.connectors import expanded
from sources.connectors.jiandaoyun import Jiandaoyun, fields_meta
from sources.contract.http_errors import Errors


def document(**stream) -> dict:
    order = {
        "object": "65a0000000000000000000e1",
        "columns": {
            "id": {"from": "_id"},
            "po_no": {},
            "supplier_id": {"from": ["supplier.id", "vendor.id"]},
            "updated_at": {"from": "updateTime"},
        },
    }
    line = {
        "request": {"parent": "order", "records": "items"},
        "columns": {"order": {"from": "parent._id"}, "order_no": {"from": "parent.po_no"}, "sku": {}},
    }
    return {
        "source": "purchasing",
        "connector": "jiandaoyun",
        "connection": {
            "url": "http://127.0.0.1",
            "options": {"api_key": "secret:JDY", "app_id": "65a0000000000000000000a1"},
        },
        "streams": {"order": {**order, **stream}, "line": line},
    }


def test_the_body_asks_for_what_the_columns_and_the_lines_need():
    made = expanded(document())
    order = made["streams"]["order"]
    assert order["from"] == "/api/v5/app/entry/data/list"
    assert order["request"]["body"] == {
        "app_id": "{options.app_id}",
        "entry_id": "65a0000000000000000000e1",
        "data_id": "{cursor}",
        "limit": "{size}",
        "fields": ["po_no", "supplier", "updateTime", "items"],
    }
    assert order["request"]["paging"] == {"kind": "keyset", "by": "_id", "size": 100, "end": "short"}
    assert made["http"]["auth"] == {"kind": "bearer", "token": "secret:JDY"}
    assert made["connector"] == "http" and made["vendor"] == "jiandaoyun"


def test_an_object_may_name_its_app():
    body = expanded(document(object="65b1/65e1"))["streams"]["order"]["request"]["body"]
    assert (body["app_id"], body["entry_id"]) == ("65b1", "65e1")


def test_by_changes_it_filters_by_update_time_and_lists_keys_alone():
    order = expanded(document(load="incremental", cursor=["updated_at"]))["streams"]["order"]
    assert order["request"]["body"]["filter"] == {
        "rel": "and",
        "cond": [{"field": "updateTime", "type": "datetime", "method": "range", "value": ["{since}", None]}],
    }
    keys = order["request"]["keys"]["body"]
    assert keys["fields"] == [] and "filter" not in keys
    assert order["lateness"] == "1d" and order["request"]["times"]["timezone"] == "Asia/Shanghai"


def test_what_a_person_writes_wins():
    order = expanded(document(request={"paging": {"size": 20}}))["streams"]["order"]
    assert order["request"]["paging"]["size"] == 20 and order["request"]["paging"]["kind"] == "keyset"


def test_without_a_key_it_says_so():
    made = document()
    made["connection"]["options"] = {}
    with pytest.raises(ValueError, match="api_key"):
        expanded(made)


def test_codes_are_told_apart():
    errors = Errors.model_validate(Jiandaoyun().http(document())["errors"])
    assert (
        {8303, 8304} <= set(errors.retry)
        and 8301 in errors.denied
        and 17053 in errors.scope
        and 7103 in errors.quota
    )
    assert not {2004, 3000, 3005, 4815} & {*errors.retry, *errors.denied, *errors.scope, *errors.quota}
    assert all(errors.means[code] for code in (8301, 8302, 8304, 7103, 3000))


@pytest.mark.parametrize(
    ("kind", "paths", "types"),
    [
        ("number", ["w"], ["decimal(28, 8)"]),
        ("datetime", ["w"], ["timestamptz"]),
        ("user", ["w.username", "w.name"], ["text", "text"]),
        ("dept", ["w.dept_no", "w.name"], ["bigint", "text"]),
        ("linkdata", ["w.id"], ["text"]),
        ("checkboxgroup", ["w"], ["text"]),
        ("phone", ["w.phone"], ["text"]),
    ],
)
def test_a_widget_becomes_columns(kind, paths, types):
    fields = fields_meta({"name": "w", "widgetName": "_widget_1", "label": "字段", "type": kind})
    assert [field.path for field in fields] == paths and [field.type for field in fields] == types
