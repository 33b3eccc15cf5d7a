"""用友 U8 database: what the account set holds is what the warehouse holds; changes are found by rowversion."""

from __future__ import annotations

import shutil
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.huachen.systems import u8
from sandbox.huachen.world import Spelling
from sandbox.store import Store, read_table, write_store
from sources.contract import Source, read_source
from tests.conftest import SmallSource
from tests.small_world import small_world
from tests.vendor_rows import differences, held_rows, store_rows
from tieout.engine import connect
from tieout.ingest.controls import compare_controls
from tieout.ingest.drafting import Wanted, draft
from tieout.ingest.landing import Landing
from tieout.settings import settings
from tieout.strict import from_yaml

CONTRACT = settings().sources / "hc_u8" / "source.yaml"
D = Decimal


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the account set, and a landing and a warehouse that have pulled it once."""
    folder = tmp_path_factory.mktemp("u8")
    world = small_world()
    write_store(folder / "ufdata.db", u8.tables(world, Spelling(world)))
    with pytest.MonkeyPatch.context() as patch:
        in_folder(folder, patch).pull()
    return folder


@pytest.fixture
def account(pulled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallSource:
    """What `pulled` holds, to be changed."""
    shutil.copytree(pulled, tmp_path / "u8")
    return in_folder(tmp_path / "u8", monkeypatch)


def in_folder(folder: Path, patch: pytest.MonkeyPatch) -> SmallSource:
    file = folder / "ufdata.db"
    patch.setenv("HC_U8_DB", str(file))
    return SmallSource(read_source(CONTRACT), file, Landing(folder / "landing"), folder / "warehouse.duckdb")


def unlike(account: SmallSource) -> dict[str, list[str]]:
    """Streams whose table is not the system's own, and how."""
    found = {}
    with connect(account.warehouse) as con:
        for name, stream in account.source.streams.items():
            there = store_rows(account.source, name, read_table(account.drop, stream.origin))
            if wrong := differences(there, held_rows(con, account.source, name)):
                found[name] = wrong
    return found


def test_every_table_is_loaded_as_the_system_holds_it(account):
    assert unlike(account) == {}
    assert account.rows("select count(*) from ops.quarantine") == [(0,)]
    assert account.rows("select bool_and(agrees), count(*) from ops.control_total") == [(True, 36)]


def test_every_table_of_the_account_set_is_promised(account):
    assert {stream.origin for stream in account.source.streams.values()} == set(Store(account.drop).tables)


def test_a_pull_without_changes_lands_nothing(account):
    assert account.pull() == []


def test_stock_is_what_the_documents_add_up_to(account):
    code = {item.product: item.code for item in Spelling(small_world()).products("u8")}
    assert set(account.rows("select warehouse_code, item_code, quantity from raw_hc_u8.current_stock")) == {
        ("W01", code["RM-003"], D(410)), ("W02", code["FG-001"], D(12)), ("W02", code["FG-010"], D(53)),
        ("W03", code["FG-001"], D(4)),
    }  # fmt: skip
    with connect(account.warehouse) as con:
        (total,) = compare_controls(con, {"hc_u8": account.source}, account.landing)
    assert (total.name, total.source_says, total.agrees) == ("stock_rolls_forward", "479", True)


def test_a_return_is_a_red_delivery_and_counts_in_local_time(account):
    assert account.rows(
        "select h.document_no, sum(l.quantity), sum(l.cost) from raw_hc_u8.delivery h"
        " join raw_hc_u8.delivery_line l using (document_id) group by 1 order by 1"
    ) == [("CK0001", D(54), D(3105)), ("CK0002", D(2), D(18)), ("TH0001", D(-1), D(-300))]
    ((made_at, reference),) = account.rows("select made_at, work_order_no from raw_hc_u8.product_receipt")
    assert (str(made_at), reference) == ("2025-03-13 00:30:00", "MO0001")


def test_an_order_line_says_what_was_received_in_two_columns(account):
    assert account.rows(
        "select line_no, quantity, unit_price_gross, amount_net, tax_amount, l.tax_percent,"
        " received_straight + received_after_arrival, invoiced_quantity from raw_hc_u8.purchase_order_line l"
        " join raw_hc_u8.purchase_order using (order_id) where order_no = 'CG0001' order by 1"
    ) == [
        (1, D(200), D("9.605"), D(1700), D(221), D(13), D(150), D(100)),
        (2, D(1000), D("0.3051"), D(270), D("35.1"), D(13), D(0), D(0)),
    ]
    assert account.rows("select order_no, state_code, currency_name, exchange_rate > 7 from raw_hc_u8.purchase_order") == [
        ("CG0001", "1", "人民币", False), ("CG0002", "2", "欧元", True)
    ]  # fmt: skip


def test_only_headers_that_changed_are_landed_and_what_was_deleted_is_found(account):
    store = Store(account.drop)
    (top,) = next(iter(sqlite3.connect(account.drop).execute("select max(ufts) from RdRecord32")))
    store.change(
        "update PO_Pomain set cState = '2', cCloser = '张三', ufts = ? where cPOID = 'CG0001'", [top + 100]
    )
    store.change("delete from rdrecords32 where ID = (select ID from RdRecord32 where cCode = 'CK0002')")
    store.change("delete from RdRecord32 where cCode = 'CK0002'")
    store.change(
        "update rdrecords01 set iQuantity = '99.5' where irowno = 1"
    )  # lines have no rowversion: read whole

    loaded = {item.stream: (item.loaded, item.deleted) for item in account.pull()}
    assert (loaded["purchase_order"], loaded["delivery"], loaded["delivery_line"]) == ((1, 0), (0, 1), (0, 1))
    assert loaded.keys() == {"purchase_order", "delivery", "delivery_line", "goods_receipt_line"}
    assert unlike(account) == {}


def test_a_row_that_breaks_a_promise_is_set_aside_and_what_was_held_stays(account):
    Store(account.drop).change("update PO_Pomain set cState = '7', ufts = ufts + 100 where cPOID = 'CG0002'")
    account.pull()

    assert account.rows("select stream, rule from ops.quarantine") == [("purchase_order", "values")]
    assert account.rows("select order_no, state_code from raw_hc_u8.purchase_order order by 1") == [
        ("CG0001", "1"), ("CG0002", "2")
    ]  # fmt: skip


def test_a_table_that_is_gone_empty_or_changed_is_named_and_nothing_of_it_changes(account):
    streams = ("current_stock", "warehouse", "material_issue")
    before = [account.rows(f"select * from raw_hc_u8.{name} order by 1") for name in streams]
    store = Store(account.drop)
    store.change('alter table "CurrentStock" rename column "iQuantity" to "fQuantity"')
    store.change('drop table "Warehouse"')
    store.change('delete from "RdRecord11"')

    failed = {outcome.stream: str(outcome.error) for outcome in account.extract() if outcome.error}
    assert set(failed) == set(streams)
    assert "CurrentStock no longer has the column iQuantity" in failed["current_stock"]
    assert "the table Warehouse cannot be read" in failed["warehouse"]
    assert "RdRecord11 is empty. Nothing was deleted" in failed["material_issue"]
    account.load()
    assert [account.rows(f"select * from raw_hc_u8.{name} order by 1") for name in streams] == before


def test_a_database_that_is_not_there_is_named_without_its_place(account):
    account.drop.unlink()
    (error,) = {str(outcome.error) for outcome in account.extract()}
    assert "hc_u8" in error
    assert "does not exist" in error
    assert str(account.drop.parent) not in error


def test_a_contract_drafted_from_the_catalogue_loads_without_a_hand_edit(account):
    drafted = draft(Wanted("u8_draft", "sqlite", "env:HC_U8_DB", tables=("PO_%", "CurrentStock")))
    account.source = Source.model_validate(from_yaml(drafted.text))
    account.pull()

    assert {(s.origin, s.key) for s in account.source.streams.values()} == {
        ("PO_Pomain", ("poid",)), ("PO_Podetails", ("id",)), ("CurrentStock", ("c_wh_code", "c_inv_code")),
    }  # fmt: skip
    assert account.rows("select count(*) from raw_u8_draft.po_podetails") == [(3,)]
    assert account.rows("select count(*) from ops.quarantine") == [(0,)]
