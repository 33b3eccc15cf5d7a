"""Streams that are pulled by what is new: nothing is lost at the border, late, undated, deleted or renamed by key."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from sources.contract import Source
from tests.conftest import NOON, SmallSource
from tieout.ingest.extract import extract_source
from tieout.ingest.intake.ask import Ask, Window
from tieout.ingest.intake.readers import Reader
from tieout.ingest.landing import Landing
from tieout.strict import from_yaml

ORDERS = """
source: shop
title: {zh: 商城, en: Shop}
module: sales
owner: sales
connector: sqlite
connection: {path: FILE}
timezone: Asia/Shanghai
class: L2
schedule: {cron: "0 2 * * *", lateness: 1h}
streams:
  orders:
    title: {zh: 订单, en: Orders}
    grain: one row per order
    from: orders
    key: [id]
    load: incremental
    cursor: [changed_at, created_at]
    deletes: none
    columns:
      id: {type: bigint, required: true}
      amount: {type: "decimal(18, 2)", min: 0}
      is_void: {type: bigint}
      created_at: {type: timestamp}
      changed_at: {type: timestamp}
    control: {kind: query, rows: true, sums: [amount]}
"""
HELD = "select id, amount from raw_shop.orders where not _is_deleted order by 1"


@pytest.fixture
def shop(tmp_path):
    """A shop with two orders; call it with changes to its stream's contract, and to its table before the first pull."""

    def made(first: str = "", **changes) -> SmallSource:
        file = tmp_path / "shop.db"
        with sqlite3.connect(file) as db:
            db.execute(
                "create table orders (id integer, amount numeric, is_void integer, created_at text, changed_at text)"
            )
        document = from_yaml(ORDERS)
        document["connection"]["path"] = str(file)
        document["streams"]["orders"].update(changes)
        small = SmallSource(
            Source.model_validate(document),
            file,
            Landing(tmp_path / "landing"),
            tmp_path / "warehouse.duckdb",
        )
        order(small, 1, 10, "2026-10-30 10:00:00")
        order(small, 2, 20, "2026-10-30 11:00:00")
        run(small, first)
        small.pull()
        return small

    return made


def run(shop, sql, *values):
    with sqlite3.connect(shop.drop) as db:
        db.execute(sql, values)


def order(shop, number, amount, created, changed=None, void=0):
    run(shop, "insert into orders values (?, ?, ?, ?, ?)", number, amount, void, created, changed)


def held(shop):
    return [(number, int(amount)) for number, amount in shop.rows(HELD)]


def window(shop, start, end, on=None):
    shop.pulls += 1
    ask = Ask(NOON + timedelta(minutes=shop.pulls), window=Window(start, end, on))
    (outcome,) = extract_source(shop.source, shop.landing, ask, lambda _: None)
    assert outcome.error is None
    return outcome.rows, shop.load()


def test_nothing_new_lands_nothing(shop):
    small = shop()

    assert small.pull() == []
    assert len(small.landing.batches("shop", "orders")) == 1


def test_only_what_is_new_is_landed(shop):
    small = shop()
    order(small, 3, 30, "2026-10-30 12:00:00")

    (loaded,) = small.pull()
    assert (loaded.rows_in, loaded.loaded, loaded.unchanged) == (1, 1, 0)
    assert held(small) == [(1, 10), (2, 20), (3, 30)]


def test_a_row_with_the_very_instant_of_the_last_one_is_found(shop):
    small = shop(lateness="0s")
    order(small, 3, 30, "2026-10-30 11:00:00")
    small.pull()

    assert held(small) == [(1, 10), (2, 20), (3, 30)]


def test_a_row_that_comes_late_within_the_lateness_is_found(shop):
    small = shop()
    order(small, 3, 30, "2026-10-30 10:00:01")
    small.pull()

    assert held(small) == [(1, 10), (2, 20), (3, 30)]


def test_a_row_later_than_promised_shows_in_the_control_totals_and_a_backfill_brings_it(shop):
    small = shop()
    order(small, 3, 30, "2026-10-30 09:59:59")
    order(small, 4, 40, "2026-10-30 12:00:00")
    small.pull()
    assert held(small) == [(1, 10), (2, 20), (4, 40)]
    assert small.rows(
        "select measure, source_says, loaded, agrees from ops.control_now order by 1"
    ) == [("rows", "4", "3", False), ("sum_amount", "100.000000", "70.00", False)]  # fmt: skip

    rows, (loaded,) = window(small, "2026-10-30 09:00:00", "2026-10-30 10:00:00")
    assert (rows, loaded.rows_in, loaded.loaded) == (1, 1, 1)
    assert held(small) == [(1, 10), (2, 20), (3, 30), (4, 40)]


def test_a_key_scan_finds_the_row_that_is_later_than_promised(shop):
    small = shop(deletes="keys")
    order(small, 3, 30, "2026-10-30 09:59:59")
    small.pull()

    assert held(small) == [(1, 10), (2, 20), (3, 30)]


def test_a_key_scan_finds_the_update_that_was_committed_later_than_promised(shop):
    small = shop(deletes="keys")
    run(small, "update orders set amount = 11, changed_at = '2026-10-30 09:30:00' where id = 1")
    small.pull()

    assert held(small) == [(1, 11), (2, 20)]


def test_a_row_that_was_listed_but_not_read_is_fetched_at_once(shop, monkeypatch):
    """A system without one snapshot for all questions: a row is committed, late, after the rows were read."""
    unread = leave_out(monkeypatch, 1, times=1)
    small = shop(deletes="keys")
    assert unread == [] and held(small) == [(1, 10), (2, 20)]


def test_a_key_whose_row_does_not_come_is_asked_for_again_by_the_next_pull(shop, monkeypatch):
    unread = leave_out(monkeypatch, 1, times=2)
    small = shop(deletes="keys")
    assert unread == [] and held(small) == [(2, 20)]
    small.pull()
    assert held(small) == [(1, 10), (2, 20)]


def test_what_was_not_read_before_keys_were_scanned_is_found_when_they_are(shop, monkeypatch):
    leave_out(monkeypatch, 1, times=1)
    small = shop(lateness="10m")
    assert held(small) == [(2, 20)]
    document = small.source.model_dump(by_alias=True)
    document["streams"]["orders"]["deletes"] = "keys"
    small.source = Source.model_validate(document)
    small.pull()
    assert held(small) == [(1, 10), (2, 20)]


def leave_out(monkeypatch, number, times):
    """So many readings of rows miss one; what is left of them is returned."""
    left, copy = [None] * times, Reader.copy

    def without(self, origin, columns, where, target):
        copy(self, origin, columns, where, target)
        if left and "amount" in columns:
            left.pop()
            self.con.execute(
                f"copy (from read_parquet('{target}') where id <> {number}) to '{target}x' (format parquet)"
            )
            Path(f"{target}x").replace(target)

    monkeypatch.setattr(Reader, "copy", without)
    return left


def test_a_row_dated_in_the_far_future_hides_none_that_follow(shop):
    small = shop()
    order(small, 3, 30, "2099-01-01 00:00:00")
    small.pull()
    order(small, 4, 40, "2026-11-01 11:30:00")
    small.pull()

    assert held(small) == [(1, 10), (2, 20), (3, 30), (4, 40)]


def test_a_row_without_any_date_is_always_asked_for(shop):
    small = shop()
    order(small, 3, 30, None)
    small.pull()
    assert held(small) == [(1, 10), (2, 20), (3, 30)]

    run(small, "update orders set amount = 33 where id = 3")
    small.pull()
    assert held(small) == [(1, 10), (2, 20), (3, 33)]


def test_an_update_counts_by_the_first_date_that_is_filled(shop):
    small = shop()
    run(small, "update orders set amount = 15, changed_at = '2026-10-31 08:00:00' where id = 1")
    small.pull()

    assert held(small) == [(1, 15), (2, 20)]
    assert small.rows("select id, amount::int from raw_shop.orders__history order by _loaded_at, id") == [
        (1, 10),
        (2, 20),
        (1, 15),
    ]


def test_without_a_key_scan_a_deleted_row_stays_and_the_control_total_says_so(shop):
    small = shop()
    run(small, "delete from orders where id = 1")
    order(small, 3, 30, "2026-10-30 12:00:00")
    small.pull()

    assert held(small) == [(1, 10), (2, 20), (3, 30)]
    assert small.rows("select agrees from ops.control_now where measure = 'rows'") == [(False,)]


def test_a_row_that_was_deleted_unseen_shows_in_the_totals_even_when_nothing_is_new(shop):
    small = shop()
    run(small, "delete from orders where id = 1")

    (loaded,) = small.pull()
    assert (loaded.rows_in, loaded.deleted) == (0, 0)
    assert small.rows("select measure, source_says, loaded, agrees from ops.control_now order by 1") == [
        ("rows", "1", "2", False),
        ("sum_amount", "20.000000", "30.00", False),
    ]
    assert small.pull() == []


def test_a_key_scan_finds_what_was_deleted_even_when_nothing_is_new(shop):
    small = shop(deletes="keys")
    run(small, "delete from orders where id = 1")

    (loaded,) = small.pull()
    assert (loaded.rows_in, loaded.deleted) == (0, 1)
    assert held(small) == [(2, 20)]
    assert small.pull() == []


def test_an_emptied_table_is_refused_and_deletes_nothing(shop):
    small = shop(deletes="keys")
    run(small, "delete from orders")
    (outcome,) = small.extract()

    assert "orders is empty. Nothing was deleted" in str(outcome.error)
    assert small.load() == []
    assert held(small) == [(1, 10), (2, 20)]


def test_a_table_that_may_be_empty_is_emptied(shop):
    small = shop(deletes="keys", allow_empty=True)
    run(small, "delete from orders")
    small.pull()

    assert held(small) == []


@pytest.mark.parametrize("load", [{"deletes": "keys"}, {"load": "full", "cursor": None}])
def test_a_table_may_be_empty_at_first_and_never_again(shop, load):
    small = shop(allow_empty="at_first", first="delete from orders", **load)
    assert held(small) == []

    order(small, 5, 50, "2026-10-31 08:00:00")
    small.pull()
    run(small, "delete from orders")
    (outcome,) = small.extract()

    assert "orders is empty. Nothing was deleted" in str(outcome.error)
    assert held(small) == [(5, 50)]


def test_a_changed_primary_key_is_one_row_gone_and_one_come(shop):
    small = shop(deletes="keys")
    run(small, "update orders set id = 7 where id = 1")
    small.pull()

    assert held(small) == [(2, 20), (7, 10)]
    assert small.rows("select id from raw_shop.orders where _is_deleted") == [(1,)]


def test_a_row_the_source_marks_as_deleted_is_deleted_and_may_come_back(shop):
    small = shop(deletes={"column": "is_void", "values": [1]})
    run(small, "update orders set is_void = 1, changed_at = '2026-10-31 08:00:00' where id = 1")
    small.pull()
    assert held(small) == [(2, 20)]

    run(small, "update orders set is_void = 0, changed_at = '2026-10-31 09:00:00' where id = 1")
    small.pull()
    assert held(small) == [(1, 10), (2, 20)]


def test_one_window_is_read_again_and_nothing_else_is_touched(shop):
    small = shop()
    # Repaired behind the cursor's back: no date moved.
    run(small, "update orders set amount = 99")

    rows, (loaded,) = window(small, "2026-10-30 10:00:00", "2026-10-30 11:00:00", on="created_at")
    assert (rows, loaded.loaded) == (1, 1)
    assert held(small) == [(1, 99), (2, 20)]
    assert small.pull() == [] or held(small) == [(1, 99), (2, 99)]


def test_a_row_set_aside_is_put_right_by_its_next_version(shop):
    small = shop()
    order(small, 3, -5, "2026-10-30 12:00:00")
    small.pull()
    assert small.rows("select record_key, rule from ops.quarantine_open") == [("3", "min")]
    # The source's own sum is explained by what waits in quarantine.
    assert small.rows(
        "select measure, source_says, loaded, quarantined, agrees from ops.control_now order by 1"
    ) == [
        ("rows", "3", "2", "1", True),
        ("sum_amount", "25.000000", "30.00", "-5.00", True),
    ]

    run(small, "update orders set amount = 5, changed_at = '2026-10-30 13:00:00' where id = 3")
    small.pull()
    assert small.rows("select * from ops.quarantine_open") == []
    assert held(small) == [(1, 10), (2, 20), (3, 5)]


LOG = {"load": "append", "cursor": ["id"], "key": ["id"]}


def test_a_log_grows_and_a_line_that_was_rewritten_is_set_aside(shop):
    small = shop(**LOG)
    order(small, 3, 30, None)
    small.pull()
    assert held(small) == [(1, 10), (2, 20), (3, 30)]

    run(small, "update orders set amount = 31 where id = 3")
    small.pull()
    assert held(small) == [(1, 10), (2, 20), (3, 30)]
    assert small.rows("select record_key, rule from ops.quarantine_open") == [("3", "append_only")]


def test_changes_are_read_up_to_the_ceiling_and_the_rest_next_time(shop):
    small = shop(load="changes", cursor=["is_void"], key=["id"], ceiling="select 5")
    run(small, "update orders set is_void = 4, amount = 44 where id = 1")
    run(small, "update orders set is_void = 6, amount = 66 where id = 2")
    small.pull()
    assert held(small) == [(1, 44), (2, 20)]

    document = small.source.model_dump(by_alias=True)
    document["streams"]["orders"]["ceiling"] = "select 9"
    small.source = Source.model_validate(document)
    small.pull()
    assert held(small) == [(1, 44), (2, 66)]


def test_a_stream_read_from_the_beginning_again_changes_nothing(shop):
    small = shop(deletes="keys")
    small.pulls += 1
    ask = Ask(NOON + timedelta(minutes=small.pulls), full=True)
    (outcome,) = extract_source(small.source, small.landing, ask, lambda _: None)
    assert (outcome.rows, len(outcome.landed)) == (2, 1)

    (loaded,) = small.load()
    assert (loaded.rows_in, loaded.loaded, loaded.unchanged, loaded.deleted) == (2, 0, 2, 0)


def test_a_system_is_left_alone_outside_its_hours(shop):
    small = shop()
    document = small.source.model_dump(by_alias=True)
    document["limits"]["hours"] = "02:00-04:00"  # in company time; the pull comes at 20:03 there
    small.source = Source.model_validate(document)
    (outcome,) = small.extract()

    assert "may be asked only 02:00-04:00 (Asia/Shanghai); it opens 2026-11-02 02:00" in str(outcome.error)


def test_columns_named_like_the_loader_s_own_are_columns_like_others(tmp_path):
    """A source may call its columns _row and _origin; neither the position nor the origin of a row is taken from them."""
    file = tmp_path / "odd.db"
    with sqlite3.connect(file) as db:
        db.executescript(
            "create table t (id integer, _row text, _origin text); insert into t values (1, 'a', 'b')"
        )
    document = from_yaml(ORDERS)
    document["connection"]["path"] = str(file)
    document["streams"] = {
        "t": {
            "title": {"zh": "表", "en": "Table"},
            "grain": "one row per id",
            "from": "t",
            "key": ["id"],
            "columns": {
                "id": {"type": "bigint", "required": True},
                "line": {"from": "_row", "type": "text"},
                "place": {"from": "_origin", "type": "text"},
            },
        }
    }
    small = SmallSource(
        Source.model_validate(document), file, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb"
    )
    small.pull()

    assert small.rows("select id, line, place, _origin, _row from raw_shop.t") == [(1, "a", "b", "t", 1)]
