"""用友 YonBIP: the vector of the sheet, how an object becomes a request, and what is asked for when."""

from __future__ import annotations

import pytest
import requests

from sources.connectors import expanded
from sources.connectors.yonbip import Token, signature
from tests.vendor_rows import contract

WHO = {"app_key": "demoKey", "app_secret": "demoSecret"}
VECTOR = "q2OjNmmWnKTV20Ft2XDwLgqLJ/b1UgwhqzaWyXERMuA="


def stream(name: str, more: dict | None = None, **options: str) -> dict:
    """One stream of this object, expanded."""
    written = {
        "connector": "yonbip",
        "connection": {"url": "http://erp.example", "options": WHO | options},
        "streams": {
            "s": {
                "object": name,
                "key": ["id"],
                "columns": {"id": {"type": "text", "required": True}, "pubts": {"type": "timestamp"}},
                **(more or {}),
            }
        },
    }
    return expanded(written)["streams"]["s"]


def test_the_signature_of_the_sheet():
    assert signature("demoKey", "demoSecret", "1767225600000") == VECTOR


def test_a_token_is_asked_for_and_goes_into_the_query(monkeypatch):
    monkeypatch.setattr("sources.connectors.yonbip.time.time", lambda: 1767225600.0)
    asked = []

    def exchange(method, path, params):
        asked.append((method, path, params))
        return {"code": "00000", "data": {"access_token": "tok/+1", "expire": 7200}}

    token = Token(**WHO, path="/iuap-api-auth")
    assert token.login(exchange) == ("tok/+1", 7200.0)
    sent = {"appKey": "demoKey", "timestamp": "1767225600000", "signature": VECTOR}
    assert asked == [("get", "/iuap-api-auth/open-auth/selfAppAuth/base/v1/getAccessToken", sent)]
    request = token(requests.Request("POST", "http://erp.example/x/list").prepare())
    assert request.url == "http://erp.example/x/list?access_token=tok%2F%2B1"
    assert "demoSecret" not in repr(token)
    with pytest.raises(ValueError, match=r"no token.*app_secret"):
        token.login(lambda *_, **__: {"code": "00000", "message": "?", "data": None})


def test_changed_orders_are_asked_for_as_in_the_sheet():
    made = stream("purchaseorder", {"load": "incremental", "cursor": "pubts"})
    assert made["from"] == "/iuap-api-gateway/yonbip/scm/purchaseorder/list"
    assert made["request"]["body"] == {
        "pageIndex": "{page}",
        "pageSize": "{size}",
        "isSum": False,
        "simpleVOs": [{"field": "pubts", "op": "between", "value1": "{since}", "value2": "{to}"}],
        "queryOrders": [{"field": "id", "order": "asc"}],
    }
    assert made["request"]["times"]["format"] == "%Y-%m-%d %H:%M:%S"


def test_without_a_cursor_nothing_is_filtered_and_no_key_is_empty():
    body = stream("purchaseorder")["request"]["body"]
    assert "simpleVOs" not in body and None not in body.values()
    assert stream("vendor")["request"]["body"] == {"pageIndex": "{page}", "pageSize": "{size}"}


def test_finance_and_master_data_say_it_in_their_own_ways():
    cursor = {"load": "incremental", "cursor": "pubts"}
    simple = stream("payable", cursor)["request"]["body"]["simple"]
    assert simple == {"open_pubts_begin": "{since}", "open_pubts_end": "{to}"}
    assert stream("staff", cursor)["request"]["body"]["pubts"] == "{since}"


def test_keys_are_asked_for_without_the_filter():
    made = stream("purchaseorder", {"load": "incremental", "cursor": "pubts", "deletes": "keys"})
    assert "simpleVOs" not in made["request"]["keys"]["body"]


def test_whether_the_count_is_of_lines_is_an_option():
    assert stream("purchaseorder")["request"]["total"] == "data.recordCount"
    assert "total" not in stream("purchaseorder", counts="documents")["request"]
    assert stream("vendor", counts="documents")["request"]["total"] == "data.recordCount"
    with pytest.raises(ValueError, match="counts: 'rows' is neither"):
        stream("vendor", counts="rows")


def test_an_object_may_be_a_path_but_not_any_word():
    made = stream("scm/othinrecord/list")
    assert made["from"] == "/iuap-api-gateway/yonbip/scm/othinrecord/list"
    with pytest.raises(ValueError, match=r"'orders' is none of .*purchaseorder"):
        stream("orders")


def test_the_contract_of_the_sandbox_company_is_whole():
    source = contract("hc_yonbip", "http://erp.example", WHO)
    assert source.vendor == "yonbip" and set(source.streams) == {"purchase_order_line", "vendor", "staff"}
    assert source.class_of("staff", "mobile") == "L3"
