"""Retention: whatever leaves the landing, a replay gives the same tables."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from sources.contract import Source
from tests.conftest import NOON, SmallSource
from tieout.engine import connect
from tieout.ingest import retention
from tieout.ingest.fold import FoldError
from tieout.ingest.landing import Landing
from tieout.ingest.ledger import ensure_ledger
from tieout.ingest.load import load_pending, pending
from tieout.ingest.retention import RetentionError, compact, evidence, expirable, expire, foldable
from tieout.ingest.tables import ensure_raw_tables
from tieout.strict import from_yaml

LATER = NOON + timedelta(days=100)
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
  item:
    title: {zh: 商品, en: Items}
    grain: one row per item
    from: item
    key: [code]
    columns:
      code: {type: text, required: true}
      price: {type: "decimal(18, 2)", min: 0}
      seen_at: {type: timestamptz}
    control: {kind: query, sums: [price]}
"""


def at(place: Path) -> SmallSource:
    document = from_yaml(SHOP)
    document["connection"]["path"] = str(place / "shop.db")
    source = Source.model_validate(document)
    return SmallSource(source, place / "shop.db", Landing(place / "landing"), place / "warehouse.duckdb", 6)


@pytest.fixture(scope="module")
def pulled(tmp_path_factory) -> Path:
    """Six pulls of a whole table: 500 rows, of which one changes, one goes and comes back, one is wrong for a time."""
    made = at(tmp_path_factory.mktemp("shop"))
    made.pulls = 0
    with sqlite3.connect(made.drop) as db:
        db.execute("create table item (code text, price numeric, seen_at text)")
        rows = [(f"I{number}", number, "2026-10-01 00:00:00+00") for number in range(1, 501)]
        db.executemany("insert into item values (?, ?, ?)", rows)
    for sql in (
        "select 1",
        "update item set price = 7.25 where code = 'I1'",
        "delete from item where code = 'I2'; update item set price = -1 where code = 'I3'",
        "insert into item values ('I2', 2, null); update item set price = 3.5 where code = 'I3'",
        "update item set price = 8 where code = 'I1'",
        "update item set price = 9 where code = 'I1'",
    ):
        run(made, sql)
        made.pull()
    return made.drop.parent


@pytest.fixture
def shop(pulled, tmp_path) -> SmallSource:
    shutil.copytree(pulled, tmp_path / "shop")
    return at(tmp_path / "shop")


def run(shop: SmallSource, sql: str) -> None:
    with sqlite3.connect(shop.drop) as db:
        db.executescript(sql)


def replayed(shop: SmallSource) -> dict:
    """Content of a new warehouse from landing."""
    with connect() as con:
        ensure_ledger(con)
        ensure_raw_tables(con, {shop.source.name: shop.source})
        load_pending(con, {shop.source.name: shop.source}, Landing(shop.landing.root), NOON, lambda _: None)
        tables = [f"raw_{shop.source.name}.{name}__history" for name in shop.source.streams]
        held = [con.execute(f"select * from {table} order by all").fetchall() for table in tables]
        ledger = [
            con.execute(f"select * {left_out} from ops.{table} order by all").fetchall()
            for table, left_out in (
                ("batch", "exclude (loaded_at)"),
                ("quarantine", ""),
                ("control_total", ""),
            )
        ]
        return {"rows": held, "ledger": ledger}


def folded(shop: SmallSource, **how) -> list:
    return compact({shop.source.name: shop.source}, shop.landing, LATER, NOON, lambda _: None, **how)


def batches(shop: SmallSource, stream: str = "item") -> list[str]:
    return [item.batch_id for item in Landing(shop.landing.root).batches(shop.source.name, stream)]


def test_five_batches_become_one_and_nothing_else_changes(shop):
    before, files = replayed(shop), batches(shop)
    assert len(files) == 6
    assert len(before["rows"][0]) > 505, "versions, not only rows"

    (done,) = folded(shop)

    assert done.batches == 5
    assert done.bytes_after < done.bytes_before
    assert batches(shop) == [files[4] + "-folded", files[5]]
    assert replayed(shop) == before
    with connect(shop.warehouse) as con:
        assert pending(con, {"shop": shop.source}, Landing(shop.landing.root)) == [], (
            "what is loaded stays loaded"
        )
    run(shop, "update item set price = 10 where code = 'I1'")
    (loaded,) = shop.pull()
    assert (loaded.loaded, loaded.unchanged) == (1, 499), "and the next pull goes on"


def test_what_was_compacted_is_compacted_again(shop):
    folded(shop)
    for price in (11, 12, 13):
        run(shop, f"update item set price = {price} where code = 'I5'")
        shop.pull()
    before = replayed(shop)

    (done,) = folded(shop)
    assert done.batches == 4
    assert len(batches(shop)) == 2
    assert replayed(shop) == before
    (manifest, _) = Landing(shop.landing.root).batches("shop", "item")
    assert len(manifest.folds) == 8


@pytest.mark.parametrize("place", ["proved", "committed", "deleted"])
def test_a_kill_anywhere_leaves_the_old_batches_or_the_new_one(shop, place):
    before = replayed(shop)

    def crash(here: str) -> None:
        if here == place:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folded(shop, crash=crash)
    assert len(batches(shop)) == (6 if place == "proved" else 2)
    assert replayed(shop) == before

    folded(shop)
    assert len(batches(shop)) == 2
    assert replayed(shop) == before
    left = [path.name for path in (shop.landing.root / "shop" / "item").iterdir()]
    assert sorted(left) == batches(shop), "nothing is left behind"


def test_batches_with_rows_in_quarantine_stay_and_those_after_them(shop):
    run(shop, "update item set price = -5 where code = 'I9'")
    shop.pull()
    for price in (1, 2):
        run(shop, f"update item set price = {price} where code = 'I8'")
        shop.pull()
    before = replayed(shop)
    waiting = [row for row in before["ledger"][1] if row[12] is None]
    assert len(waiting) == 1, "each whole table closes what was wrong before and says it again"

    folded(shop)
    assert waiting[0][2] in batches(shop)
    assert replayed(shop) == before


def test_only_what_is_old_enough_is_folded_and_never_the_newest(shop):
    assert foldable(shop.landing, "shop", "item", NOON) is None
    some = foldable(shop.landing, "shop", "item", NOON + timedelta(minutes=4))
    assert some is not None
    assert len(some.batches) == 3
    every = foldable(shop.landing, "shop", "item", LATER)
    assert every is not None
    assert len(every.batches) == 5


def test_a_fold_that_would_change_something_is_not_made(shop, monkeypatch):
    before, files = replayed(shop), batches(shop)
    made = retention.fold

    def wrong(con, source, batches, draft):
        con.execute("delete from raw_shop.item__history where not _is_current")
        return made(con, source, batches, draft)

    monkeypatch.setattr(retention, "fold", wrong)
    with pytest.raises(RetentionError, match=r"shop\.item: .*item__history.* Nothing of it was deleted"):
        folded(shop)
    assert batches(shop) == files
    assert replayed(shop) == before


def test_a_contract_that_changed_reads_what_was_promised_then_or_says_why_not(shop):
    folded(shop)
    document = shop.source.model_dump(by_alias=True)
    document["streams"]["item"]["columns"]["colour"] = {"type": "text"}
    document["streams"]["item"]["columns"]["price"]["type"] = "decimal(18, 3)"
    first = shop.source
    shop.source = Source.model_validate(document)
    rows = replayed(shop)["rows"][0]
    assert len(rows) > 505
    assert all(row[3] is None for row in rows), "promised since: missing"

    document["streams"]["item"]["columns"]["code"]["type"] = "bigint"
    shop.source = Source.model_validate(document)
    with pytest.raises(FoldError, match=r"values of code that are no bigint"):
        replayed(shop)
    shop.source = first.model_copy(
        update={"streams": {"item": first.streams["item"].model_copy(update={"key": ("code", "price")})}}
    )
    with pytest.raises(FoldError, match="the key is now code, price"):
        replayed(shop)


def test_evidence_goes_by_age_and_is_said_to_have_gone(tms):
    for quantity in (1, 2, 3):
        tms.csv("运单_1.csv", f"WB1,{quantity},CNY,")
        tms.csv("运单_2.csv", "WB2,1,CNY,")
        tms.pull()
    before = replayed(tms)
    found = expirable(tms.landing, "tms", "waybill", LATER)
    assert [item.kind for item in found] == ["evidence", "evidence"], "the newest of each file stays"

    expire(tms.landing, found, NOON)

    landing = Landing(tms.landing.root)
    kept = [bool(evidence(landing, item)) for item in landing.batches("tms", "waybill")]
    assert kept.count(False) == 2
    assert [bool(item.expired) for item in landing.batches("tms", "waybill")] == [not item for item in kept]
    assert expirable(landing, "tms", "waybill", LATER) == []
    assert replayed(tms) == before
    assert tms.pull() == [], "the files are still known"
