"""From a page to a row of the warehouse: an HTTP system pulled, loaded, changed, pulled and loaded again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.conftest import SmallSource
from tests.http_server import http_source, running
from tieout.engine import connect
from tieout.ingest.controls import compare_controls
from tieout.ingest.drift.held import decline_batch
from tieout.ingest.extract import extract_source
from tieout.ingest.intake.ask import Ask, Window
from tieout.ingest.landing import Landing

STREAMS = {
    "order": {
        "from": "/orders",
        "key": ["no"],
        "load": "incremental",
        "cursor": "updated_at",
        "lateness": "1h",
        "deletes": "keys",
        "columns": {
            "no": "bigint",
            "updated_at": "timestamp",
            "amount": {"type": "decimal(30, 2)", "min": 0},
            "customer": {"from": "customer.name", "type": "text"},
        },
        "control": {"kind": "query", "rows": True},
        "request": {
            "params": {"page": "{page}", "since": "{since}"},
            "paging": {"kind": "page", "size": 3},
            "records": "rows",
            "total": "total",
            "times": {"format": "%Y-%m-%d %H:%M:%S", "timezone": "Asia/Shanghai"},
            "keys": {"path": "/order-ids", "records": "", "params": {}, "paging": {"kind": "none"}},
        },
    },
}


class Shop:
    """The system: orders it can list since an instant, and a report of its own."""

    def __init__(self, system) -> None:
        self.orders: dict[int, dict] = {}
        system.on("/api/orders", self.pages)
        system.on("/api/order-ids", lambda asked: [{"no": number} for number in self.orders])
        system.on(
            "/api/report",
            lambda asked: {"data": {"total": str(sum(row["amount"] for row in self.orders.values()))}},
        )

    def put(self, number: int, moment: str, amount: int, name: str = "客户") -> None:
        self.orders[number] = {
            "no": number,
            "updated_at": moment,
            "amount": amount,
            "customer": {"name": name},
        }

    def pages(self, asked):
        rows = [row for row in self.orders.values() if row["updated_at"] >= asked.params.get("since", "")]
        rows.sort(key=lambda row: (row["updated_at"], row["no"]))
        start = (int(asked.params["page"]) - 1) * 3
        return {"rows": rows[start : start + 3], "total": len(rows)}


@pytest.fixture
def world(tmp_path):
    with running() as system:
        shop = Shop(system)
        for number in range(1, 8):
            shop.put(number, f"2026-03-10 10:0{number}:00", number * 10)
        total = {
            "title": {"zh": "订单额", "en": "Order value"},
            "ask": "/report#data.total",
            "hold": 'select sum(amount) from raw_shop."order" where not _is_deleted',
        }
        source = http_source(system.url, STREAMS, controls={"order_value": total})
        small = SmallSource(source, tmp_path, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb")
        yield shop, small


def pulled(small: SmallSource) -> list:
    small.pulls += 1
    moment = datetime(2026, 3, 10, 12, tzinfo=UTC) + timedelta(minutes=small.pulls)
    for outcome in extract_source(small.source, small.landing, Ask(moment), lambda _: None):
        assert outcome.error is None, outcome.error
    loaded = small.load()
    with connect(small.warehouse) as con:
        totals = compare_controls(con, {"shop": small.source}, small.landing)
    assert [total.agrees for total in totals] == [True], totals
    return loaded


def test_rows_of_pages_are_loaded_with_their_page_and_their_digits(world):
    shop, small = world
    shop.put(8, "2026-03-10 10:09:00", 12345678901234567890)
    (loaded,) = pulled(small)

    assert (loaded.rows_in, loaded.loaded) == (8, 8)
    rows = small.rows('select no, amount, customer, updated_at::text from raw_shop."order" order by no')
    assert rows[0] == (1, Decimal("10.00"), "客户", "2026-03-10 10:01:00")
    assert rows[-1][1] == Decimal("12345678901234567890.00")
    assert [row[0] for row in rows] == list(range(1, 9))


def test_changes_and_deletions_follow(world):
    shop, small = world
    pulled(small)
    shop.put(3, "2026-03-10 11:30:00", 33)
    del shop.orders[5]
    pulled(small)

    assert small.rows("select no, amount::int from raw_shop.\"order\" where not _is_deleted order by 1") == [
        (1, 10), (2, 20), (3, 33), (4, 40), (6, 60), (7, 70),
    ]  # fmt: skip
    assert small.rows('select no from raw_shop."order" where _is_deleted') == [(5,)]
    assert pulled(small) == []


def test_a_row_that_breaks_a_rule_is_set_aside_with_its_content(world):
    shop, small = world
    pulled(small)
    shop.put(9, "2026-03-10 11:30:00", 0)
    shop.orders[9]["amount"] = -1
    small.pulls += 1
    ask = Ask(datetime(2026, 3, 10, 13, tzinfo=UTC))
    extract_source(small.source, small.landing, ask, lambda _: None)
    small.load()

    assert small.rows("select record_key, rule, record ->> '$.amount' from ops.quarantine_open") == [
        ("9", "min", "-1")
    ]


def test_a_row_that_goes_back_after_a_window_was_read_is_followed(world):
    """The pull after a window looks like the one before it, and is news all the same."""
    shop, small = world
    pulled(small)
    shop.orders[7]["amount"] = 77
    small.pulls += 1
    window = Window("2026-03-10 10:00:00", "2026-03-10 11:00:00")
    ask = Ask(datetime(2026, 3, 10, 12, 30, tzinfo=UTC), window=window)
    for outcome in extract_source(small.source, small.landing, ask, lambda _: None):
        assert outcome.error is None, outcome.error
    small.load()
    assert small.rows('select amount::int from raw_shop."order" where no = 7') == [(77,)]

    shop.orders[7]["amount"] = 70
    pulled(small)
    assert small.rows('select amount::int from raw_shop."order" where no = 7') == [(70,)]


def test_what_a_held_batch_brought_is_asked_for_again_when_it_is_declined(world):
    """Its cursor must not count: otherwise its rows would be behind the next pull and never come."""
    shop, small = world
    document = small.source.model_dump(by_alias=True)
    document["streams"]["order"]["drift"] = "quarantine"
    small.source = type(small.source).model_validate(document)
    pulled(small)
    shop.put(8, "2026-03-10 10:30:00", 80)
    shop.put(9, "2026-03-10 18:00:00", 90)
    right = {number: row["amount"] for number, row in shop.orders.items()}
    for row in shop.orders.values():  # words instead of numbers, for an hour
        row["amount"] = f"about {row['amount']}"
    small.pulls += 1
    asked = Ask(datetime(2026, 3, 10, 13, tzinfo=UTC))
    (outcome,) = extract_source(small.source, small.landing, asked, lambda _: None)
    assert outcome.error is None, outcome.error
    (batch,) = outcome.landed
    assert batch.held
    (again,) = extract_source(small.source, small.landing, asked, lambda _: None)
    assert again.landed == (), "what waits already is not landed once more"
    assert small.load() == []

    decline_batch(small.landing, batch, by="sales", reason="a slip of theirs", now=asked.now)
    for number, row in shop.orders.items():
        row["amount"] = right[number]
    pulled(small)
    assert small.rows('select no from raw_shop."order" where not _is_deleted order by 1') == [
        (number,) for number in range(1, 10)
    ]
