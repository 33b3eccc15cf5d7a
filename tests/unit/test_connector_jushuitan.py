"""聚水潭: the signature, how an interface becomes a request, and fields proposed from rows."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
import requests

from sources.connectors.jushuitan import Jushuitan, Login, Signature, signature
from sources.connectors.sampled import type_of

FORM = {
    "access_token": "tok",
    "app_key": "demo",
    "biz": '{"page_index":1}',
    "charset": "utf-8",
    "timestamp": "1767225600",
    "version": "2",
}


def document(streams: dict | None = None, **options: str) -> dict:
    return {"connector": "jushuitan", "connection": {"options": options}, "streams": streams or {}}


def stream(name: str, load: str = "incremental", **more) -> dict:
    return {"object": name, "key": ["o_id"], "load": load, "columns": {"o_id": {"type": "bigint"}}, **more}


def test_the_vector_of_the_sheet():
    assert signature(FORM, "demoSecret") == "68c4cefd72dcc071796d592cf1ebb441"
    assert signature(FORM | {"sign": "anything"}, "demoSecret") == "68c4cefd72dcc071796d592cf1ebb441"
    assert signature(FORM | {"biz": '{"page_index":2}'}, "demoSecret") != "68c4cefd72dcc071796d592cf1ebb441"


def test_every_attempt_is_signed_over_what_is_sent(monkeypatch):
    monkeypatch.setattr("sources.connectors.jushuitan.time.time", lambda: 1767225600.9)
    request = requests.Request("POST", "http://shop/open/x", data={"biz": '{"page_index":1}'}).prepare()
    signed = Signature("demo", "demoSecret", "tok")(request)
    sent = dict(parse_qsl(signed.body))
    assert sent == FORM | {"sign": "68c4cefd72dcc071796d592cf1ebb441"}
    assert signed.headers["Content-Length"] == str(len(signed.body))
    # the same request once more, a second later: a new time, a new signature, nothing doubled
    monkeypatch.setattr("sources.connectors.jushuitan.time.time", lambda: 1767225601.0)
    again = dict(parse_qsl(Signature("demo", "demoSecret", "tok")(signed).body))
    assert again["timestamp"] == "1767225601"
    assert again["sign"] == signature(FORM | {"timestamp": "1767225601"}, "demoSecret")
    assert "demoSecret" not in repr(Signature("demo", "demoSecret", "tok"))


def test_orders_are_asked_by_their_last_change_in_weeks():
    made = Jushuitan().request("order", stream("orders"), document(since="2026-01-05"))
    assert made["from"] == "/open/orders/single/query"
    assert made["request"] == {
        "method": "post",
        "form": {
            "biz": {
                "page_index": "{page}",
                "page_size": "{size}",
                "modified_begin": "{from}",
                "modified_end": "{to}",
            }
        },
        "records": "data.orders",
        "total": "data.data_count",
        "paging": {"kind": "page", "size": 50, "end": "more", "more": "data.has_next"},
        "sparse": True,
        "span": "7d",
        "beginning": "2026-01-05",
        "times": {"format": "%Y-%m-%d %H:%M:%S"},
    }


def test_shops_are_asked_whole_and_lines_lie_in_their_orders():
    shops = Jushuitan().request("shop", stream("shops", "full"), document())
    assert shops["request"]["form"] == {"biz": {"page_index": "{page}", "page_size": "{size}"}}
    assert "span" not in shops["request"]
    streams = {"kept_order": stream("orders"), "line": stream("orders.items")}
    lines = Jushuitan().request("line", streams["line"], document(streams))
    assert lines == {"from": "items", "request": {"parent": "kept_order", "records": "items"}}
    with pytest.raises(ValueError, match=r"streams\.line: its rows lie in those of orders"):
        Jushuitan().request("line", streams["line"], document({"line": streams["line"]}))


def test_an_unknown_object_is_named_and_a_path_is_taken():
    with pytest.raises(ValueError, match=r"streams\.x: object 'trades' is none of"):
        Jushuitan().request("x", stream("trades"), document())
    made = Jushuitan().request("x", stream("/open/inventory/query", "full"), document())
    assert (made["from"], made["request"]["records"]) == ("/open/inventory/query", "data.datas")


def test_without_a_token_one_is_fetched_and_its_end_is_survived():
    given = Jushuitan().http(document(app_key="k", app_secret="env:S", access_token="env:T"))
    assert given["auth"]["use"].endswith(":Signature") and 100 in given["errors"]["denied"]
    fetched = Jushuitan().http(document(app_key="k", app_secret="env:S"))
    assert fetched["auth"]["use"].endswith(":Login") and fetched["errors"]["expired"] == [100]

    asked = []

    def exchange(method, path, form):
        asked.append((method, path, form))
        return {"code": 0, "data": {"access_token": "fresh", "expires_in": 2592000}}

    login = Login("demo", "demoSecret")
    assert login.login(exchange) == ("fresh", 2592000.0)
    method, path, form = asked[0]
    assert (method, path) == ("post", "/openWeb/auth/getInitToken")
    assert len(form["code"]) == 6 and form["sign"] == signature(form, "demoSecret")
    request = requests.Request("POST", "http://shop/open/x", data={"biz": "{}"}).prepare()
    assert dict(parse_qsl(login(request).body))["access_token"] == "fresh"
    with pytest.raises(ValueError, match="gives no token"):
        login.login(lambda *_, **__: {"code": 0, "data": None})


def test_fields_are_proposed_from_rows_with_doubt():
    rows = [
        {"o_id": 1, "pay_amount": "99.00", "modified": "2026-01-05 10:11:09", "shop_buyer_id": "买家1**",
         "items": [{"oi_id": 11, "qty": 1, "amount": "99.00", "sku_id": "A1"}]},
        {"o_id": 2, "pay_amount": "8", "modified": "2026-01-06 10:11:09", "shop_buyer_id": None, "items": []},
    ]  # fmt: skip
    asked = []

    def ask(method, path, *, form=None, **_):
        asked.append((path, form["biz"]))
        return {"code": 0, "data": {"orders": rows}}

    orders, items = Jushuitan().discover(ask, ["orders", "orders.items"])
    assert [path for path, _ in asked] == ["/open/orders/single/query"]
    types = {field.id: field.type for field in orders.fields}
    assert (types["o_id"], types["pay_amount"], types["modified"]) == (
        "bigint",
        "decimal(18, 2)",
        "timestamp",
    )
    assert list(types)[-1] == "shop_buyer_id" and orders.fields[-1].personal and orders.fields[-1].doubt
    assert not [field.id for field in orders.fields[:-1] if field.doubt or field.personal] and "2 rows" in (
        orders.doubt or ""
    )
    assert (orders.key, orders.cursor, items.parent, items.key) == (
        ("o_id",),
        ("modified",),
        "orders",
        ("o_id", "oi_id"),
    )
    assert (items.fields[0].path, items.fields[-1].path) == ("parent.o_id", "parent.modified")
    assert orders.fields[0].title == "内部订单号"


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        ([True, False], "boolean"), ([1, 2], "bigint"), ([1, 2.5], "decimal(18, 4)"), (["1.50", "2"], "decimal(18, 4)"), (["001", "002"], "text"),
        (["2026-01-05 10:11:09", "2026/1/5 9:01:00"], "timestamp"), (["2026-01-05T10:00:00.000+0800"], "timestamptz"), (["2026-01-05"], "date"),
        ([None, ""], "text"), ([{"a": 1}], "text"), ([["a"]], "text"), (["2026-01-05", "soon"], "text"),
    ],
)  # fmt: skip
def test_types_are_proposed_from_values(seen, kind):
    assert type_of(seen)[0] == kind
