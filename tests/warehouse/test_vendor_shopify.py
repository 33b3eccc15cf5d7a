"""Huachen Europe's web shop pulled through the real connector: what is loaded is what the shop holds."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sandbox.emulators.faults import Faults
from sandbox.emulators.server import serving
from sandbox.emulators.shopify import Shopify
from sandbox.huachen.systems import shopify
from sandbox.store import Store, write_store
from sources.connectors.shopify import Shopify as Connector
from sources.contract import Source
from tests.vendor_rows import CONTRACTS, Pulls, quick
from tests.warehouse.drafted import asking, drafted, table_of
from tests.warehouse.hce_world import hce_world
from tieout.strict import from_yaml

LINES = "orders/lineItems"


@pytest.fixture
def system(tmp_path):
    """The shop, with more orders than a page of two holds."""
    world, spelling = hce_world()
    web = [order for order in world.orders if order.entity == "HCE"]
    for number, order in enumerate(web):
        order.source = f"web:EU{number:04d}"
    write_store(tmp_path / "hc_shopify.sqlite", shopify.tables(world, spelling))
    emulator = Shopify(Store(tmp_path / "hc_shopify.sqlite"), shopify.OPTIONS | {"shuffle": "1"})
    with serving(emulator):
        yield emulator


def shop(system: Shopify, root, monkeypatch, **options: str) -> Pulls:
    """The contract as it is written, with these options more; pages of two."""
    monkeypatch.setenv("HC_SHOPIFY_URL", system.address)
    monkeypatch.setenv("HC_SHOPIFY_ACCESS_TOKEN", shopify.OPTIONS["access_token"])
    monkeypatch.setattr("tieout.ingest.manners.FIRST_BACKOFF", 0.001)
    document = from_yaml((CONTRACTS / "hc_shopify" / "source.yaml").read_text())
    document["connection"]["options"] |= {"page": "2"} | options
    made = quick(Source.model_validate(document))
    return Pulls(made, root)


@pytest.fixture
def source(system, tmp_path, monkeypatch) -> Pulls:
    return shop(system, tmp_path, monkeypatch)


def truth(source: Pulls, system: Shopify, stream: str) -> dict:
    rows = [row | {"lineItems.pageInfo.hasNextPage": "false"} for row in system.store.rows("orders")]
    if stream == "web_order_line":
        heads = {row["id"]: row for row in rows}
        rows = [
            row | {"parent.id": row["__order"], "parent.updatedAt": heads[row["__order"]]["updatedAt"]}
            for row in system.store.rows(LINES)
        ]
    spec = source.source.streams[stream]
    return source.truth(stream, [{c: row[spec.source_column(c)] for c in spec.columns} for row in rows])


def assert_all_equal(source: Pulls, system: Shopify) -> None:
    for stream in ("web_order", "web_order_line"):
        held = source.loaded(stream)
        assert len(held) > 4, stream
        assert held == truth(source, system, stream), stream


def test_every_order_is_loaded_as_the_shop_holds_it(source, system):
    source.refresh()
    assert_all_equal(source, system)
    pages = [call.json["variables"] for call in system.calls if "lineItems" in call.json["query"]]
    assert len(pages) == 5 and "after" not in pages[0] and all("q" not in item for item in pages)


def test_changes_and_deletions_come_with_the_next_pull(source, system):
    source.refresh()
    change = system.store.change
    first, second = (row["id"] for row in system.store.rows("orders", limit=2))
    change(
        "update orders set \"totalPriceSet.shopMoney.amount\" = '7.07', \"updatedAt\" = '2026-10-31T08:00:00Z' where id = ?",
        (first,),
    )
    change(f'delete from "{LINES}" where "__order" = ? and rowid = 2', (first,))
    change(f'delete from "{LINES}" where "__order" = ?', (second,))
    change("delete from orders where id = ?", (second,))
    calls = len(system.calls)
    source.refresh()
    assert_all_equal(source, system)
    asked = [call.json.get("variables", {}).get("q") for call in list(system.calls)[calls:]]
    assert any(text and text.startswith("updated_at:>='2026-10-") for text in asked)


@pytest.mark.parametrize(
    "faults",
    [
        Faults(error_at=3),
        Faults(cut_body_at=2),
        Faults(throttle_every=3),
        Faults(slow=0.005),
        Faults(add_field="newField"),
        Faults(truncate_page=2),
    ],
    ids=lambda item: "-".join(sorted(item.model_fields_set)),
)
def test_what_may_pass_is_asked_again(source, system, faults):
    system.faults = faults
    source.refresh()
    assert_all_equal(source, system)


def test_a_page_that_comes_twice_is_noticed_and_nothing_is_landed(source, system):
    system.faults = Faults(repeat_page=1)
    assert "the same rows as a page before" in source.refused("web_order")
    system.faults = Faults()
    source.refresh()
    assert_all_equal(source, system)


def test_an_order_with_more_lines_than_were_asked_for_is_set_aside(system, tmp_path, monkeypatch):
    short = shop(system, tmp_path, monkeypatch, lines="1")
    two = {row["__order"] for row in system.store.rows(LINES)}
    many = {o for o in two if system.store.count(LINES, '"__order" = ?', (o,)) > 1}
    assert many and many < two
    short.refresh()
    assert {key[0] for key in short.loaded("web_order")} == two - many
    assert {row[0] for row in short.rows("select distinct rule from ops.quarantine_open")} == {"pattern"}


def test_a_query_that_costs_too_much_says_what_to_lower(system, tmp_path, monkeypatch):
    dear = shop(system, tmp_path, monkeypatch, page="100", lines="100")
    assert "lower the options `page` or `lines`" in dear.refused("web_order")


def test_a_wrong_token_is_tried_once(system, tmp_path, monkeypatch, source):
    monkeypatch.setenv("HC_SHOPIFY_ACCESS_TOKEN", "shpat_of_somebody_else")
    error = source.refused("web_order")
    assert "access token is wrong" in error and "somebody" not in error
    assert len(system.calls) == 1


def test_a_missing_scope_is_named(source, system):
    system.faults = Faults(revoked=["orders"])
    error = source.refused("web_order")
    assert "`read_orders` access scope" in error and "install the app again" in error


def test_a_field_that_is_gone_is_named(source, system):
    system.faults = Faults(drift={"email": "contactEmail"}, tables=["orders"])
    assert "Field 'email' doesn't exist on type 'Order'" in source.refused("web_order")


def test_old_orders_do_not_come_without_their_scope(source, system):
    """Nobody says so: what the shop does not show cannot be missed. Its documentation is the only warning."""
    system.options["read_all_orders"] = "0"
    system._clock = lambda: 1_800_000_000.0  # January 2027: every order is older than 60 days
    source.refresh()
    assert source.loaded("web_order") == {}


def test_what_introspection_says_loads_without_a_hand_edit(source, system, tmp_path):
    found = Connector().discover(asking(source))
    assert [item.id for item in found] == ["orders", LINES]
    fields = {item.id: item for item in found[0].fields}
    assert fields["total_price"].path == "totalPriceSet.shopMoney.amount"
    assert fields["total_price"].currency == "total_price_currency" and fields["email"].personal
    made = drafted(source, tmp_path)
    made.refresh()
    rows = list(system.store.rows("orders"))
    assert made.rows(f"select count(*), sum(total_price) from {table_of(made, 'orders')}") == [
        (len(rows), sum(Decimal(row["totalPriceSet.shopMoney.amount"]) for row in rows))
    ]
    assert made.rows(f"select count(*) from {table_of(made, LINES)}") == [(system.store.count(LINES),)]
