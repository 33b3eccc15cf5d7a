"""The Shopify emulator against its sheet: connections, cost, search, errors with HTTP 200."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sandbox.emulators.faults import Faults
from sandbox.emulators.server import serving
from sandbox.emulators.shopify import Shopify
from sandbox.store import Field, Store, Table, write_store

ORDERS = Table(
    "orders",
    "订单",
    ("id",),
    (
        Field("id", "text", "订单 ID", required=True),
        Field("updatedAt", "instant", "更新时间", required=True),
        Field("totalPriceSet.shopMoney.amount", "decimal", "总额"),
        Field("totalPriceSet.shopMoney.currencyCode", "text", "币种"),
    ),
    [(f"gid://shopify/Order/{n}", f"2026-01-0{9 - n}T00:00:00Z", f"{n}.10", "EUR") for n in range(1, 6)],
)
LINES = Table(
    "orders/lineItems",
    "订单行",
    ("id",),
    (Field("id", "text", "行 ID"), Field("__order", "text", "订单"), Field("quantity", "integer", "数量")),
    [(f"gid://shopify/LineItem/{n}", "gid://shopify/Order/2", n) for n in range(1, 4)],
    "orders",
    "__order",
)
# the sheet's own query, with smaller pages
QUERY = """query($q:String,$after:String){ orders(first:2, after:$after, sortKey:UPDATED_AT, query:$q){ pageInfo{hasNextPage endCursor}
 nodes{ id updatedAt totalPriceSet{shopMoney{amount currencyCode}} lineItems(first:2){nodes{id quantity} pageInfo{hasNextPage}} } } }"""


@pytest.fixture
def shop(tmp_path):
    write_store(tmp_path / "shop.sqlite", [ORDERS, LINES])
    emulator = Shopify(Store(tmp_path / "shop.sqlite"), {"access_token": "shpat_1"})
    with serving(emulator):
        yield emulator


def asked(shop: Shopify, query: str, token: str = "shpat_1", **variables: Any) -> requests.Response:
    return requests.post(
        f"{shop.address}/admin/api/2026-01/graphql.json",
        json={"query": query, "variables": variables},
        headers={"X-Shopify-Access-Token": token},
        timeout=5,
    )


def test_pages_by_cursor_in_the_order_asked_for(shop):
    found, after = [], None
    while True:
        orders = asked(shop, QUERY, q="updated_at:>='2026-01-05T00:00:00Z'", after=after).json()["data"][
            "orders"
        ]
        found += [node["id"].rpartition("/")[2] for node in orders["nodes"]]
        after = orders["pageInfo"]["endCursor"]
        if not orders["pageInfo"]["hasNextPage"]:
            break
    assert found == ["4", "3", "2", "1"]


def test_what_a_row_looks_like(shop):
    said = asked(shop, QUERY).json()
    assert said["extensions"]["cost"] == {
        "requestedQueryCost": 2 * (1 + 2), "actualQueryCost": 6,
        "throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 2000, "restoreRate": 100},
    }  # fmt: skip
    node = said["data"]["orders"]["nodes"][0]
    assert node["totalPriceSet"] == {"shopMoney": {"amount": "5.10", "currencyCode": "EUR"}}
    after = said["data"]["orders"]["pageInfo"]["endCursor"]
    second = asked(shop, QUERY, after=after).json()["data"]["orders"]["nodes"][1]
    assert [item["quantity"] for item in second["lineItems"]["nodes"]] == [1, 2]
    assert second["lineItems"]["pageInfo"] == {"hasNextPage": True}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ orders(first: 2) { nodes { nothing } } }", "undefinedField"),
        ("{ nothing { id } }", "undefinedField"),
        ("{ orders(first: 251) { nodes { id } } }", "argumentLiteralsIncompatible"),
        ("{ orders(first: 100) { nodes { lineItems(first: 100) { nodes { id } } } } }", "MAX_COST_EXCEEDED"),
        ("{ orders(first: 2) { nodes { __order } } }", "undefinedField"),
        ("{ orders(first: 2 { nodes { id } } }", "parseError"),
    ],
)
def test_errors_come_with_http_200(shop, query, code):
    answer = asked(shop, query)
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["extensions"]["code"] == code


def test_throttled_scope_and_token(shop):
    shop.faults = Faults(throttle_every=1)
    said = asked(shop, QUERY).json()
    assert said["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert said["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 0
    shop.faults = Faults(revoked=["orders"])
    assert asked(shop, QUERY).json()["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    shop.faults = Faults()
    assert asked(shop, QUERY, token="shpat_2").status_code == 401


def test_counts_and_introspection(shop):
    said = asked(
        shop, '{ ordersCount(query: "updated_at:>=2026-01-07T00:00:00Z", limit: null) { count } }'
    ).json()
    assert said["data"]["ordersCount"]["count"] == 2
    said = asked(shop, '{ __type(name: "Order") { name fields { name type { kind name } } } }').json()[
        "data"
    ]["__type"]
    assert [item["name"] for item in said["fields"]] == ["id", "updatedAt", "totalPriceSet", "lineItems"]
