"""Shopify: how an object becomes a GraphQL query."""

from __future__ import annotations

import pytest

from sandbox.emulators.shopify.language import Malformed, Node, parsed
from sources.connectors.shopify import Shopify, ascii_id, selection

OPTIONS = {"access_token": "env:T"}


def document(streams: dict, **options: str) -> dict:
    return {"connection": {"options": OPTIONS | options}, "streams": streams}


ORDERS = {
    "object": "orders",
    "key": ["id"],
    "cursor": "updated_at",
    "load": "incremental",
    "deletes": "keys",
    "columns": {
        "id": {"type": "text"},
        "updated_at": {"from": "updatedAt", "type": "timestamptz"},
        "total": {"from": "totalPriceSet.shopMoney.amount", "type": "decimal(18, 2)"},
        "currency": {"from": "totalPriceSet.shopMoney.currencyCode", "type": "text"},
    },
}
LINES = {
    "object": "orders/lineItems",
    "key": ["order_id", "id"],
    "load": "full",
    "columns": {
        "order_id": {"from": "parent.id", "type": "text"},
        "id": {"type": "text"},
        "sku": {"type": "text"},
    },
}


def below(node: Node, name: str) -> list[str]:
    found = node.child(name)
    return [item.name for item in found.below] if found else []


def test_fields_are_nested_as_graphql_nests_them():
    assert selection(["id", "a.b", "c", "a.d.e"]) == "id a { b d { e } } c"
    assert "{id}" not in selection(["x.id"]), "that would be a placeholder of the contract"


def test_an_order_is_asked_for_with_its_lines():
    streams = {"o": ORDERS, "l": LINES}
    made = Shopify().request("o", ORDERS, document(streams, page="5", lines="7", version="2026-04"))
    assert made["from"] == "/admin/api/2026-04/graphql.json"
    request = made["request"]
    assert request["body"]["variables"] == {
        "size": "{size}",
        "after": "{cursor}",
        "q": "updated_at:>='{since}'",
    }
    # read by a parser that is not the connector's
    orders, count = parsed(request["body"]["query"], {"size": 5, "after": None, "q": "x"})
    assert (orders.name, orders.arguments) == (
        "orders",
        {"first": 5, "after": None, "sortKey": "UPDATED_AT", "query": "x"},
    )
    nodes = orders.child("nodes")
    assert nodes is not None
    assert [item.name for item in nodes.below] == ["id", "updatedAt", "totalPriceSet", "lineItems"]
    money = nodes.below[2].below[0]
    assert (money.name, [item.name for item in money.below]) == ("shopMoney", ["amount", "currencyCode"])
    lines = nodes.below[3]
    assert lines.arguments == {"first": 7}
    assert below(lines, "nodes") == ["id", "sku"]
    assert (count.name, [item.name for item in count.below]) == ("ordersCount", ["count"])
    assert request["total"] == "data.ordersCount.count" and request["paging"]["size"] == 5
    assert made["columns"]["more_lines"]["pattern"] == "^false$"
    keys, _ = parsed(request["keys"]["body"]["query"], {"size": 250})
    assert below(keys, "nodes") == ["id"] and keys.arguments["sortKey"] == "ID"
    line = Shopify().request("l", LINES, document(streams))
    assert line["request"] == {"parent": "o", "records": "lineItems.nodes"}


def test_what_is_left_out():
    alone = {name: item for name, item in ORDERS.items() if name not in {"cursor", "deletes"}} | {
        "load": "full"
    }
    made = Shopify().request("o", alone, document({"o": alone}, count="no"))
    assert "total" not in made["request"] and "columns" not in made and "keys" not in made["request"]
    assert (
        "ordersCount" not in made["request"]["body"]["query"]
        and "q" not in made["request"]["body"]["variables"]
    )


@pytest.mark.parametrize("page", ["0", "many", "251"])
def test_a_page_that_is_none_is_refused(page):
    with pytest.raises(ValueError, match=r"options\.page"):
        Shopify().request("o", ORDERS, document({"o": ORDERS}, page=page))


def test_lines_need_their_orders_and_everybody_a_token():
    with pytest.raises(ValueError, match="object: orders"):
        Shopify().request("l", LINES, document({"l": LINES}))
    with pytest.raises(ValueError, match="access_token"):
        Shopify().http({"connection": {"options": {}}})


def test_ids_are_ascii():
    assert [ascii_id(name) for name in ("totalPriceSet", "displayFulfillmentStatus", "id")] == [
        "total_price", "display_fulfillment_status", "id",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["{ orders", "orders { id }", "{ orders(first: ) { id } }", "{ a } }"])
def test_what_is_no_query_is_refused(text):
    with pytest.raises(Malformed):
        parsed(text, {})
