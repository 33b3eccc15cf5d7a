"""用友 YonBIP from the emulator to the warehouse: what is loaded is what the system holds, also when things go wrong."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from sandbox.emulators.faults import Faults
from sandbox.emulators.server import serving
from sandbox.emulators.yonbip import YonBip as Emulator
from sandbox.huachen.systems.yonbip import OPTIONS, tables
from sandbox.huachen.world import Spelling
from sandbox.store import Store, write_store
from sources.connectors.yonbip import YonBip
from sources.contract.http import Request
from tests.vendor_rows import PULLED_AT, Pulls, contract, drafted, four_months, held, shortened
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.ask import Ask
from tieout.ingest.intake.http.client import Call
from tieout.ingest.intake.http.pull import opened

WHO = {name: OPTIONS[name] for name in ("app_key", "app_secret")}
TABLES = {
    "purchaseorder": "scm/purchaseorder",
    "vendor": "digitalModel/vendor",
    "staff": "digitalModel/staff",
}


@pytest.fixture(scope="session")
def lists():
    made = four_months()
    return made, tables(made, Spelling(made))


@pytest.fixture
def system(lists, tmp_path):
    """A few rows of every list, and a line that is hard to read."""
    few = shortened(lists[1], 11)
    orders = few[0]
    names = [field.name for field in orders.fields]
    hard = dict(zip(names, orders.rows[-1], strict=True)) | {
        "purchaseOrders_id": "9007199254740993001",
        "qty": "12345678901234567.12345678",
        "listOriSum": "-0.10",
        "auditTime": None,
        "product_cName": "O'Neil “刀具”\\n",
    }
    few[0] = replace(orders, rows=[*orders.rows, tuple(hard[name] for name in names)])
    write_store(tmp_path / "yonbip.sqlite", few)
    emulator = Emulator(Store(tmp_path / "yonbip.sqlite"), OPTIONS)
    with serving(emulator):
        yield emulator


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("tieout.ingest.manners.FIRST_BACKOFF", 0.01)


def pulls(
    system: Emulator, tmp_path, streams: tuple[str, ...] = ("purchase_order_line",), **options: str
) -> Pulls:
    limits = {"limits": {"retries": 3, "longest_wait": "1s", "requests_per_second": 1000}}
    return Pulls(
        contract("hc_yonbip", system.address, WHO | {"page": "4"} | options, streams, **limits), tmp_path
    )


def assert_equal(system: Emulator, small: Pulls) -> None:
    for name in small.source.streams:
        table = TABLES[small.source.streams[name].object or ""]
        assert small.loaded(name) == held(system.store, table, small.source, name), name


def test_every_list_is_loaded_as_the_system_holds_it(system, tmp_path):
    small = pulls(system, tmp_path, ())
    small.refresh()
    assert_equal(system, small)
    hard = small.loaded("purchase_order_line")[("9007199254740993001",)]
    assert hard["quantity"] == Decimal("12345678901234567.12345678") and hard["approved_at"] is None
    assert len([call for call in system.calls if call.path.endswith("getAccessToken")]) == 1


def test_changes_and_deletions_follow(system, tmp_path):
    small = pulls(system, tmp_path, ("purchase_order_line", "staff"))
    small.refresh()
    system.store.change('update "scm/purchaseorder" set "qty" = \'3.5\' where "lineno" = 20')
    system.store.change('delete from "scm/purchaseorder" where "purchaseOrders_id" = \'1810000000000000002\'')
    leaver = system.rows("digitalModel/staff")[3]["id"]
    change = "update \"digitalModel/staff\" set dr = 1, pubts = '2026-10-30T00:00:00Z' where id = ?"
    system.store.change(change, [leaver])
    before = len(system.calls)
    small.refresh()
    assert ("1810000000000000002",) not in small.loaded("purchase_order_line")
    assert str(leaver) not in {key[0] for key in small.loaded("staff")} and len(small.loaded("staff")) == 10
    asked = [call.json for call in list(system.calls)[before:] if "staff" in call.path]
    assert all(body["pubts"] > "2000-01-01 00:00:00" for body in asked)


def test_orders_may_be_read_by_what_changed(system, tmp_path):
    """Not the sandbox company's way, but that of one with many orders."""
    small = pulls(system, tmp_path)
    stream = small.source.streams["purchase_order_line"]
    written = {"object": "purchaseorder", "key": ["line_id"], "load": "incremental", "cursor": "changed_at"}
    columns = {"changed_at": {"from": "pubts"}, "line_id": {"from": "purchaseOrders_id"}}
    document = {"connection": {"options": WHO | {"page": "4"}}}
    made = YonBip().request("purchase_order_line", {**written, "columns": columns}, document)["request"]
    request = Request.model_validate(made)
    changed = stream.model_copy(update={"load": "incremental", "cursor": ("changed_at",), "request": request})
    small.source = small.source.model_copy(update={"streams": {"purchase_order_line": changed}})
    small.refresh()
    assert_equal(system, small)
    change = "update \"scm/purchaseorder\" set qty = '9', pubts = '2026-10-31T16:00:00Z' where lineno = 20"
    assert system.store.change(change) > 0
    before = len(system.calls)
    small.refresh()
    assert_equal(system, small)
    asked = next(call.json for call in list(system.calls)[before:] if call.method == "POST")
    assert asked["simpleVOs"][0]["op"] == "between" and asked["simpleVOs"][0]["value1"] > "2024-"


@pytest.mark.parametrize(
    "faults",
    [
        {"truncate_page": 2, "error_at": 4},
        {"cut_body_at": 2, "throttle_every": 5},
        {"expire_session_after": 2},
        {"expire_session_every": 5, "slow": 0.01, "add_field": "newKey"},
    ],
    ids=lambda faults: next(iter(faults)),
)
def test_what_passes_leaves_no_trace(system, tmp_path, faults):
    small = pulls(system, tmp_path)
    system.faults = Faults(**faults)
    small.refresh()
    assert_equal(system, small)


def test_a_page_that_comes_again_is_refused_and_the_next_pull_is_whole(system, tmp_path):
    small = pulls(system, tmp_path)
    system.faults = Faults(repeat_page=1)
    assert "same rows as a page before" in small.refused("purchase_order_line")
    small.refresh()
    assert_equal(system, small)


def test_a_count_of_documents_is_refused_in_words_until_the_option_says_so(system, tmp_path):
    system.options["counts"] = "documents"
    words = pulls(system, tmp_path).refused("purchase_order_line")
    assert "rows in all" in words
    small = pulls(system, tmp_path, counts="documents")
    small.refresh()
    assert_equal(system, small)


def test_a_wrong_secret_or_key_or_clock_each_say_so_once(system, tmp_path):
    outcomes = pulls(system, tmp_path, (), app_secret="another-secret").outcomes()
    assert len(outcomes) == 3 and {"签名错误" in str(item.error) for item in outcomes.values()} == {True}
    assert len(system.calls) == 1
    words = pulls(system, tmp_path, app_key="unknown-key").refused("purchase_order_line")
    assert "not accepted" in words and "app_key" in words and "unknown-key" not in words
    system.faults = Faults(clock_skew=3600)
    assert "时间戳" in pulls(system, tmp_path).refused("purchase_order_line")


def test_an_interface_that_is_not_granted_stops_one_list_only(system, tmp_path):
    small = pulls(system, tmp_path, ("purchase_order_line", "vendor"))
    system.faults = Faults(revoked=["scm/purchaseorder"])
    outcomes = small.outcomes()
    words = str(outcomes["purchase_order_line"].error)
    assert "not granted" in words and "API 授权" in words and outcomes["vendor"].error is None


def test_throttling_without_end_says_so_and_keeps_what_came(system, tmp_path):
    small = pulls(system, tmp_path)
    system.faults = Faults(quota=2)
    assert "频率" in small.refused("purchase_order_line")
    system.faults = Faults()
    small.refresh()
    assert_equal(system, small)


def test_fields_are_proposed_from_rows(system, tmp_path):
    small = pulls(system, tmp_path)
    client = opened(small.source, small.landing, Ask(PULLED_AT), lambda _: None)()

    def ask(method, path, *, params=None, body=None, form=None, headers=None):
        return client.ask(Call("discovery", method, client.url(path), params, headers, body, form)).document

    YonBip().check(ask)
    found = {item.id: item for item in YonBip().discover(ask)}
    assert set(found) == {"purchaseorder", "vendor", "staff"}
    order = found["purchaseorder"]
    fields = {item.path: item for item in order.fields}
    assert (
        order.title == "采购订单"
        and fields["purchaseOrders_id"].id in order.key
        and order.cursor == ("pubts",)
    )
    assert fields["pubts"].type == "timestamp" and fields["qty"].doubt
    assert next(item for item in found["staff"].fields if item.path == "mobile").personal
    system.faults = Faults(revoked=["digitalModel/vendor"])
    with pytest.raises(SourceError, match="API 授权"):
        YonBip().discover(ask, ["vendor"])


def test_a_drafted_contract_loads_as_it_is(system, tmp_path, monkeypatch):
    monkeypatch.setenv("YB_SECRET", OPTIONS["app_secret"])
    monkeypatch.setattr(YonBip, "limits", {})
    options = {"app_key": OPTIONS["app_key"], "app_secret": "env:YB_SECRET"}
    small = Pulls(drafted("yonbip", system.address, options, tmp_path), tmp_path / "warehouse")
    small.refresh()
    assert len(small.source.streams) == 3
    assert_equal(system, small)


def test_the_lists_agree_with_what_truly_happened(lists):
    made, found = lists
    orders, vendors, staff = (
        [dict(zip([field.name for field in table.fields], row, strict=True)) for row in table.rows]
        for table in found
    )
    assert sum(Decimal(row["listOriSum"]) for row in orders) == sum(
        line.gross for order in made.spare_purchases for line in order.lines
    )
    assert {row["vendor"] for row in orders} <= {row["id"] for row in vendors}
    assert {int(row["operator"]) for row in orders} <= {row["id"] for row in staff}
    assert not {party.number for party in made.suppliers} & {
        value for row in vendors + orders for value in row.values()
    }
