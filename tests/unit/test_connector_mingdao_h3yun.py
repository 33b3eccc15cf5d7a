"""明道云 and 氚云: how a worksheet or form becomes a request, as the sheets' examples show it."""

from __future__ import annotations

import json

import pytest

from sources.connectors import connector_for

OPTIONS = {
    "connection": {"options": {"app_key": "k", "sign": "env:S", "engine_code": "c", "engine_secret": "env:S"}}
}


def stream(load: str = "incremental", deletes: str = "keys") -> dict:
    columns = {"row_id": {"from": ["id", "rowid"]}, "amount": {"from": "f1"}, "supplier": {"from": "f2.0.sid"},
               "supplier_name": {"from": "f2.0.name"}, "updated_at": {"from": "_updatedAt"}}  # fmt: skip
    return {"object": "po_header", "key": ["row_id"], "load": load, "deletes": deletes, "columns": columns}


def test_a_worksheet_is_asked_by_its_last_change_in_a_group_with_exactly_the_wanted_fields():
    made = connector_for("mingdao").request("po", stream(), OPTIONS)
    assert made["from"] == "/v3/app/worksheets/po_header/rows/list"
    assert made["request"]["body"] == {
        "pageSize": "{size}", "pageIndex": "{page}", "fields": ["f1", "f2"], "useFieldIdAsKey": True,
        "includeSystemFields": True, "includeTotalCount": True,
        "filter": {"type": "group", "logic": "AND", "children": [
            {"type": "condition", "field": "_updatedAt", "operator": "gt", "value": ["{since}"]}]},
        "sorts": [{"field": "_updatedAt", "isAsc": True}],
    }  # fmt: skip
    keys = made["request"]["keys"]["body"]
    assert keys["fields"] == ["f1"] and "filter" not in keys and made["lateness"] == "10m"
    whole = connector_for("mingdao").request("po", stream("full", "none"), OPTIONS)["request"]
    assert "filter" not in whole["body"] and "keys" not in whole and "beginning" not in whole


def test_the_two_headers():
    http = connector_for("mingdao").http(OPTIONS)
    assert http["headers"] == {"HAP-Appkey": "k"} and http["auth"]["name"] == "HAP-Sign"
    http = connector_for("h3yun").http(OPTIONS)
    assert http["headers"] == {"EngineCode": "c"}
    assert http["auth"] == {"kind": "header", "name": "EngineSecret", "value": "env:S"}


def test_a_form_is_asked_by_rows_in_a_filter_that_is_text():
    made = connector_for("h3yun").request("po", stream() | {"object": "D000001po"}, OPTIONS)
    body = made["request"]["body"]
    assert (made["from"], body["ActionName"], body["SchemaCode"]) == (
        "/OpenApi/Invoke",
        "LoadBizObjects",
        "D000001po",
    )
    filled = (
        body["Filter"]
        .replace("{offset}", "0")
        .replace("{upto}", "500")
        .replace("{since}", "2026-01-05 00:00:00")
    )
    assert json.loads(filled) == {
        "FromRowNum": 0, "ToRowNum": 500, "RequireCount": True, "ReturnItems": [], "SortByCollection": [],
        "Matcher": {"Type": "And", "Matchers": [
            {"Type": "Item", "Name": "ModifiedTime", "Operator": 1, "Value": "2026-01-05 00:00:00"}]},
    }  # fmt: skip
    assert "ModifiedTime" not in made["request"]["keys"]["body"]["Filter"]
    assert made["request"]["paging"] == {"kind": "offset", "size": 500}


def test_the_structure_of_an_application_is_read_whatever_its_depth():
    answers = {
        "/v3/app": {"data": {"sections": [{"name": "一", "worksheets": [{"worksheetId": "w1", "name": "采购"}]},
                                          {"items": [{"id": "w2", "name": "设备", "type": 0}, {"id": "p1", "type": 1}]}]}},
        "/v3/app/worksheets/w1": {"data": {"fields": [{"id": "f1", "alias": "amount", "name": "金额", "type": "Currency"},
                                                      {"id": "f2", "alias": "供应商", "name": "供应商", "type": "Relation", "dataSource": "w9"},
                                                      {"id": "f3", "name": "签名", "type": "Signature"}]}},
        "/v3/app/worksheets/w2": {"data": {"name": "设备点检", "fields": []}},
    }  # fmt: skip
    first, second = connector_for("mingdao").discover(lambda method, path: answers[path])
    fields = {field.id: field for field in first.fields}
    assert (first.id, first.title, second.id, second.title) == ("w1", "采购", "w2", "设备点检")
    assert (fields["amount"].type, fields["f2"].path, fields["f2"].refers) == (
        "decimal(18, 2)",
        "f2.0.sid",
        "w9",
    )
    assert "not known" in (fields["f3"].doubt or "")
    assert (first.key, first.cursor, first.stream) == (("row_id",), ("updated_at",), {"deletes": "keys"})


def test_being_let_in_is_proved_by_a_form_that_is_not_there():
    from tieout.ingest.errors import SourceError

    def refusing(words):
        def ask(method, path, *, body):
            assert '"ToRowNum":1,' in body["Filter"]
            raise SourceError(words)

        return ask

    connector_for("h3yun").check(refusing("表单tieout不存在"))
    with pytest.raises(SourceError, match="EngineSecret"):
        connector_for("h3yun").check(refusing("EngineSecret错误"))
