"""聚水潭 from its emulator to the warehouse: every row as the store has it, also when things go wrong on the way."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from sandbox.emulators.faults import Faults
from sandbox.emulators.jushuitan import Jushuitan
from sandbox.emulators.server import serving
from sandbox.huachen.systems import shop
from sandbox.huachen.world.records import Product, Refund, Settlement, ShopLine, ShopOrder, World
from sandbox.huachen.world.spelling import Spelling
from sandbox.store import Store, write_store
from sources.connectors import connector_for
from sources.contract import Http
from tests.vendor_rows import PULLED_AT, Pulls, announced

START = datetime(2026, 9, 28, 16, tzinfo=UTC)  # a Tuesday's midnight in Shanghai
STREAMS = ["order", "order_item", "refund", "refund_item", "settlement", "shop", "sku"]


def world() -> World:
    """Twelve orders in three weeks, two of them modified in the same second, one exactly where two weeks meet."""
    made = World(1, 1, date(2026, 10, 1), date(2026, 10, 31))
    made.products = [
        Product("FG-001", "精密滑台", "行程300", "finished", "台", Decimal("1200"), Decimal("1980"), "箱", 1, shop=True),
        Product("FG-009", "维修套件", "推杆用", "finished", "套", Decimal("40"), Decimal("88.00"), "箱", 10, shop=True),
        Product("RM-001", "冷轧钢板", "2.0mm", "material", "公斤", Decimal("6.20"), Decimal(0), "吨", 1000),
    ]  # fmt: skip
    for n in range(12):
        at = START + timedelta(hours=37 * n)
        at = START + timedelta(days=7) if n == 5 else START + timedelta(hours=37 * 2) if n == 3 else at
        lines = (
            ShopLine(1, "FG-001", Decimal(2), Decimal("4475.30")),
            ShopLine(2, "FG-009", Decimal(1), Decimal("0.10")),
        )
        status = ("WaitPay", "Delivering", "Sent", "Cancelled")[n % 4]
        sent = at if status == "Sent" else None
        made.shop_orders.append(
            ShopOrder(f"20000{n:02d}", f"T{n}", f"买家{n:06d}***", at - timedelta(hours=2), at - timedelta(hours=1) if n % 4 else None,
                      sent, at, status, lines[: 1 + n % 2], Decimal(8 * (n % 2)), Decimal("1.00"))
        )  # fmt: skip
    made.refunds = [
        Refund(
            "RF000001",
            "2000002",
            1,
            Decimal(2),
            Decimal("4475.30"),
            START + timedelta(days=9),
            START + timedelta(days=10),
        )
    ]
    made.settlements = [
        Settlement("JS20261011", date(2026, 10, 5), date(2026, 10, 11), Decimal("4483.40"), Decimal("4475.30"), Decimal("224.17"), date(2026, 10, 14))
    ]  # fmt: skip
    return made


@pytest.fixture
def running(tmp_path, monkeypatch):
    history = world()
    path = tmp_path / "shop.sqlite"
    write_store(path, shop.tables(history, Spelling(history)))
    emulator = Jushuitan(Store(path), shop.OPTIONS | {"page_size_max": "3"}, clock=PULLED_AT.timestamp)
    monkeypatch.setattr("sources.connectors.jushuitan.time.time", PULLED_AT.timestamp)
    with serving(emulator) as url:
        yield emulator, announced("hc_shop", url, shop.OPTIONS, tmp_path, monkeypatch)


def truth(store: Store, stream: str) -> list[dict]:
    """The store's rows under the contract's names; lines carry when their order was modified."""
    table = {"order": "orders", "order_item": "order_items", "refund": "refunds", "refund_item": "refund_items",
             "settlement": "settlements", "shop": "shops", "sku": "sku"}[stream]  # fmt: skip
    rows = list(store.rows(table))
    parent = store.tables[table].parent
    if parent is None:
        return rows
    link = store.tables[table].link
    above = {row[link]: row["modified"] for row in store.rows(parent)}
    return [row | {"modified": above[row[link]]} for row in rows]


def assert_same(emulator: Jushuitan, small: Pulls, *streams: str) -> None:
    for stream in streams or STREAMS:
        there = small.truth(stream, truth(emulator.store, stream))
        assert there, stream
        assert small.loaded(stream) == there, stream


def test_every_table_is_as_the_store_has_it(running):
    emulator, small = running
    small.refresh()
    assert_same(emulator, small)
    # only the interfaces of the contract were asked, always signed, no week wider than seven days (or code 120 came)
    assert {call.path for call in emulator.calls} == {
        "/open/orders/single/query", "/open/refund/single/query", "/open/shops/query", "/open/sku/query", "/open/finance/settlement/query",
    }  # fmt: skip


def test_what_changed_is_pulled_again_and_nothing_else(running):
    emulator, small = running
    small.refresh()
    before = len(emulator.calls)
    emulator.store.change(
        "update orders set status = 'Sent', modified = '2026-11-01T11:30:00Z' where o_id = 10000002"
    )
    emulator.store.change("update order_items set qty = 7 where o_id = 10000002")
    small.refresh()
    assert_same(emulator, small)
    # shops whole, and each of the others from the week of its newest row on: 30 September, 8 October, 17 October
    asked = [call.path for call in list(emulator.calls)[before:]]
    paths = ("/open/shops/query", "/open/sku/query", "/open/refund/single/query", "/open/orders/single/query")
    assert [asked.count(path) for path in paths] == [1, 5, 4, 3]


@pytest.mark.parametrize(
    ("faults", "repaired"),
    [
        (Faults(truncate_page=1, tables=["orders"]), "readings"),
        (Faults(error_at=3), "retries"),
        (Faults(cut_body_at=4), "retries"),
        (Faults(throttle_every=3), "retries"),
        (Faults(slow=0.01), "pages"),
    ],
    ids=["page lost rows", "500 in the middle", "body cut", "throttled", "slow"],
)
def test_faults_that_can_be_survived_are(running, faults, repaired):
    emulator, small = running
    emulator.faults = faults
    took = small.refresh("order", "order_item")
    assert took[repaired] > (1 if repaired == "readings" else 0)
    assert_same(emulator, small, "order", "order_item")


def test_a_page_that_comes_again_is_noticed_and_nothing_of_it_lands(running):
    emulator, small = running
    emulator.faults = Faults(repeat_page=2, tables=["orders"])  # the second week has two pages
    said = small.outcomes(streams=frozenset({"order", "order_item"}))
    assert "holds the same rows as a page before" in str(said["order"].error)
    assert not small.landing.batches("hc_shop", "order")
    small.refresh("order", "order_item")
    assert_same(emulator, small, "order", "order_item")


def test_a_token_that_dies_is_fetched_again_where_it_may_be(running):
    emulator, given = running
    emulator.faults = Faults(expire_session_after=2)
    assert "the access token is wrong or has expired" in given.refused("order")

    emulator.faults = Faults(expire_session_after=5)
    fetched = connector_for("jushuitan").http(
        {
            "connection": {
                "options": {"app_key": "env:HC_SHOP_APP_KEY", "app_secret": "env:HC_SHOP_APP_SECRET"}
            }
        }
    )
    given.source = given.source.model_copy(update={"http": Http.model_validate(fetched)})
    given.refresh("order", "order_item")
    assert_same(emulator, given, "order", "order_item")
    logins = [call for call in emulator.calls if "getInitToken" in call.path]
    assert len(logins) == 2


@pytest.mark.parametrize(
    ("faults", "options", "words"),
    [
        (Faults(), {"app_secret": "sandbox-wrong-secret"}, "app_secret does not belong to this app_key"),
        (Faults(), {"access_token": "sandbox-old-token"}, "the access token is wrong or has expired"),
        (Faults(clock_skew=1000), {}, "clock differs by more than 15 minutes"),
        (Faults(revoked=["orders"]), {}, "no right to this interface"),
        (Faults(quota=2), {}, "接口调用次数包已用完"),
        (Faults(throttle_every=1), {}, "调用频次超过限制"),
        (Faults(error_always=True), {}, "HTTP 500"),
    ],
    ids=["secret", "token", "clock", "right", "quota", "rate", "down"],
)
def test_what_cannot_be_survived_says_so(running, monkeypatch, faults, options, words):
    emulator, small = running
    for name, value in options.items():
        monkeypatch.setenv(f"HC_SHOP_{name.upper()}", value)
    emulator.faults = faults
    said = small.refused("order")
    assert words in said and "what was loaded before stays" in said
    assert not any(secret in said for secret in (shop.OPTIONS["app_secret"], "sandbox-wrong-secret"))


def test_a_right_taken_away_refuses_its_stream_alone(running):
    emulator, small = running
    emulator.faults = Faults(revoked=["orders"])
    wrong = {name for name, item in small.outcomes().items() if item.error}
    assert wrong == {"order", "order_item"}
