"""Databases as sources: read in one snapshot, compared with what they count themselves, and named when they fail."""

from __future__ import annotations

import sqlite3
from decimal import Decimal

import pytest

from sources.contract import Source
from tests.conftest import SmallSource
from tieout.ingest.landing import Landing
from tieout.strict import from_yaml

SHOP = """
source: shop
title: {zh: 商城, en: Shop}
module: sales
owner: sales
connector: sqlite
connection: {path: FILE}
class: L2
schedule: {cron: "0 2 * * *"}
streams:
  order_line:
    title: {zh: 订单行, en: Order lines}
    grain: one row per order line
    from: order-line
    key: [id]
    columns:
      id: {type: bigint, required: true}
      amount: {type: "decimal(18, 2)"}
    control: {kind: query, sums: [amount]}
  customer:
    title: {zh: 客户, en: Customers}
    grain: one row per customer
    from: customer
    key: [code]
    columns:
      code: {type: text, required: true}
"""


@pytest.fixture
def shop(tmp_path):
    file = tmp_path / "shop.db"
    with sqlite3.connect(file) as db:
        db.executescript(
            'create table "order-line" (id integer, amount numeric); create table customer (code text);'
            "insert into \"order-line\" values (1, 10.05), (2, 20.10); insert into customer values ('C1');"
        )
    document = from_yaml(SHOP)
    document["connection"]["path"] = str(file)
    return SmallSource(
        Source.model_validate(document), file, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb"
    )


def run(shop, sql):
    with sqlite3.connect(shop.drop) as db:
        db.executescript(sql)


def test_tables_arrive_with_their_control_totals(shop):
    shop.pull()

    assert shop.rows("select id, amount from raw_shop.order_line order by 1") == [
        (1, Decimal("10.05")),
        (2, Decimal("20.10")),
    ]
    assert shop.rows("select measure, loaded, agrees from ops.control_total order by 1") == [
        ("rows", "2", True),
        ("sum_amount", "30.15", True),
    ]


def test_an_unchanged_table_lands_nothing_and_a_vanished_row_is_deleted(shop):
    shop.pull()
    assert shop.pull() == []

    run(shop, 'delete from "order-line" where id = 1; insert into "order-line" values (3, 1)')
    (loaded,) = shop.pull()
    assert (loaded.loaded, loaded.unchanged, loaded.deleted) == (1, 1, 1)
    assert shop.rows("select id from raw_shop.order_line where not _is_deleted order by 1") == [(2,), (3,)]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("drop table customer", "the table customer cannot be read"),
        ("alter table customer rename column code to kundennr", "customer no longer has the column code"),
        ("delete from customer", "customer is empty. Nothing was deleted"),
    ],
)
def test_a_table_that_is_gone_empty_or_changed_is_named_and_the_others_go_on(shop, sql, words):
    shop.pull()
    run(shop, sql + '; insert into "order-line" values (4, 2)')

    outcomes = {outcome.stream: outcome for outcome in shop.extract()}
    assert words in str(outcomes["customer"].error)
    assert outcomes["order_line"].error is None
    shop.load()
    assert shop.rows("select code, _is_deleted from raw_shop.customer") == [("C1", False)]
    assert shop.rows("select count(*) from raw_shop.order_line") == [(3,)]


def test_a_missing_database_is_named_for_every_stream(shop):
    shop.drop.unlink()

    outcomes = shop.extract()
    assert [outcome.stream for outcome in outcomes] == ["order_line", "customer"]
    assert all("shop.db does not exist" in str(outcome.error) for outcome in outcomes)


def test_a_contract_that_promises_more_columns_rebuilds_the_stream_from_landing(shop):
    run(shop, "alter table customer add column city text; update customer set city = '武汉'")
    shop.pull()
    document = shop.source.model_dump(by_alias=True)
    document["streams"]["customer"]["columns"]["city"] = {"type": "text"}
    shop.source = Source.model_validate(document)

    shop.pull()
    assert shop.rows("select code, city from raw_shop.customer") == [("C1", "武汉")]
    assert shop.rows("select count(*) from ops.batch where stream = 'customer'") == [(2,)]
