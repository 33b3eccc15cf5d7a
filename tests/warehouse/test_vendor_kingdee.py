"""金蝶云星空 from the emulator to the warehouse: what is loaded is what the system holds, also when things go wrong."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from sandbox.emulators.faults import Faults
from sandbox.emulators.kingdee import Kingdee as Emulator
from sandbox.emulators.server import serving
from sandbox.huachen.systems.kingdee import OPTIONS, tables
from sandbox.huachen.world import Spelling
from sandbox.store import Store, write_store
from sources.connectors.kingdee import Kingdee
from tests.vendor_rows import Pulls, contract, drafted, four_months, held, shortened
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.ask import Window

WHO = {name: OPTIONS[name] for name in ("acct_id", "user", "app_id", "app_secret")}
SOURCE = "hc_kingdee"
BLANK = (" ", "")


@pytest.fixture(scope="session")
def forms():
    """What the sandbox company's 金蝶 holds after four months."""
    made = four_months()
    return made, tables(made, Spelling(made))


@pytest.fixture
def system(forms, tmp_path):
    """A few rows of every form, and some that are hard to read; pages are small."""
    few = shortened(forms[1], 11)
    orders = next(table for table in few if table.name == "SAL_SaleOrder")
    names = [field.name for field in orders.fields]
    hard = dict(zip(names, orders.rows[-1], strict=True)) | {
        "FSaleOrderEntry_FEntryID": 9_007_199_254_740_993,
        "FQty": "12345678901234.5678901234",
        "FAllAmount": "-0.10",
        "F_HC_SourceNo": "O'Neil, 询价 “3”\\n",
        "FApproveDate": None,
        "FCreateDate": "2025-12-31T15:59:59Z",
        "FModifyDate": "2025-12-31T16:00:00Z",
    }
    few[few.index(orders)] = replace(orders, rows=[*orders.rows, tuple(hard[name] for name in names)])
    write_store(tmp_path / "kingdee.sqlite", few)
    emulator = Emulator(Store(tmp_path / "kingdee.sqlite"), OPTIONS | {"limit_max": "5"})
    with serving(emulator):
        yield emulator


def pulls(
    system: Emulator, tmp_path, streams: tuple[str, ...] = ("sales_order_line",), **options: str
) -> Pulls:
    limits = {"limits": {"retries": 3, "longest_wait": "1s"}}
    source = contract(SOURCE, system.address, WHO | {"page": "4"} | options, streams, **limits)
    return Pulls(source, tmp_path)


def assert_equal(system: Emulator, small: Pulls) -> None:
    """Every stream holds what the store holds, by key and value."""
    for name, stream in small.source.streams.items():
        assert small.loaded(name) == held(system.store, str(stream.object), small.source, name, BLANK), name


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("tieout.ingest.manners.FIRST_BACKOFF", 0.01)


# --- all is well ---


def test_every_form_is_loaded_as_the_system_holds_it(system, tmp_path):
    small = pulls(system, tmp_path, ())
    small.refresh()
    assert len(small.source.streams) == 11
    assert_equal(system, small)
    hard = small.loaded("sales_order_line")[(9_007_199_254_740_993,)]
    assert hard["quantity"] == Decimal("12345678901234.5678901234") and hard["amount_gross"] == Decimal(
        "-0.1"
    )
    assert str(hard["modified_at"]) == "2026-01-01 00:00:00"  # the wall clock of Shanghai
    logins = [call for call in system.calls if "LoginBySign" in call.path]
    assert len(logins) == 1


@pytest.mark.parametrize(
    "options", [{"auth": "signature"}, {"query": "ExecuteBillQuery"}], ids=["signature", "lists"]
)
def test_the_other_way_to_say_who_we_are_and_the_other_way_to_ask(system, tmp_path, options):
    small = pulls(system, tmp_path, **options)
    small.refresh()
    assert_equal(system, small)
    signed_in = any("LoginBySign" in call.path for call in system.calls)
    assert signed_in == (options.get("auth") != "signature")


def test_a_server_that_gives_smaller_pages_than_asked_for_is_followed(system, tmp_path):
    small = pulls(system, tmp_path, page="10000")
    small.refresh()
    assert_equal(system, small)


def test_changes_deletions_and_late_rows_follow_and_only_they_are_asked_for(system, tmp_path):
    small = pulls(system, tmp_path)
    late = [str(next(iter(system.rows("SAL_SaleOrder")))["FSaleOrderEntry_FEntryID"])]
    system.faults = Faults(late_rows={"SAL_SaleOrder": late})
    small.refresh()
    assert len(small.loaded("sales_order_line")) == 11
    before = len(system.calls)
    system.store.change(
        'update "SAL_SaleOrder" set "FQty" = \'7.5\', "FModifyDate" = \'2026-01-01T01:00:00Z\''
        ' where "FSaleOrderEntry_FEntryID" = 100005'
    )
    small.refresh()
    first = next(
        call for call in list(system.calls)[before:] if b'"FQty' in call.body or b"FQty" in call.body
    )
    assert (
        b"FModifyDate >= '2025-12-31 23:50:00' or FCreateDate >= " in first.body
    )  # ten minutes before the highest
    assert small.loaded("sales_order_line")[(100_005,)]["quantity"] == Decimal("7.5")
    system.store.change('delete from "SAL_SaleOrder" where "FSaleOrderEntry_FEntryID" = 100004')
    system.faults = Faults()  # the late row shows now, with its old time
    small.refresh()
    assert_equal(system, small)
    assert small.rows("select line_id from raw_hc_kingdee.sales_order_line where _is_deleted") == [(100_004,)]


def test_a_window_on_a_business_day_is_not_cut_by_the_day_of_the_last_change(system, tmp_path):
    small = pulls(system, tmp_path)
    system.store.change(
        'update "SAL_SaleOrder" set "FDeliveryDate" = \'2026-06-05\' where "FSaleOrderEntry_FEntryID" in (100002, 100007)'
    )
    small.refresh(window=Window("2026-06-01", "2026-07-01", on="delivery_date"))
    assert set(small.loaded("sales_order_line")) == {(100_002,), (100_007,)}


# --- things that go wrong and pass ---


@pytest.mark.parametrize(
    "faults",
    [
        {"truncate_page": 2, "error_at": 4},
        {"cut_body_at": 2, "throttle_every": 5},
        {"expire_session_after": 2},
        {"expire_session_every": 5, "slow": 0.01, "add_field": "F_NEW"},
    ],
    ids=lambda faults: next(iter(faults)),
)
def test_what_passes_leaves_no_trace(system, tmp_path, faults):
    small = pulls(system, tmp_path, ("customer", "sales_order_line"))
    system.faults = Faults(**faults)
    small.refresh()
    assert_equal(system, small)


def test_old_servers_lists_survive_a_broken_answer_and_an_ended_session(system, tmp_path):
    small = pulls(system, tmp_path, query="ExecuteBillQuery")
    system.faults = Faults(expire_session_after=2, throttle_every=3, truncate_page=1)
    small.refresh()
    assert_equal(system, small)


# --- things that do not pass ---


def test_a_page_that_comes_again_is_refused_and_the_next_pull_is_whole(system, tmp_path):
    small = pulls(system, tmp_path)
    system.faults = Faults(repeat_page=2)
    assert "holds the same rows as a page before" in small.refused("sales_order_line")
    small.refresh()
    assert_equal(system, small)


def test_a_wrong_secret_says_what_to_check_and_is_sent_once(system, tmp_path):
    small = pulls(system, tmp_path, (), app_secret="another-secret")
    outcomes = small.outcomes()
    said = {str(outcome.error) for outcome in outcomes.values()}
    assert len(outcomes) == 11 and len(said) == 1
    words = said.pop()
    assert "签名验证失败" in words and "app_secret" in words and "what was loaded before stays" in words
    assert "another-secret" not in words
    assert len(system.calls) == 1  # an account is locked by trying again and again


def test_a_wrong_signature_is_not_taken_for_an_ended_session(system, tmp_path):
    small = pulls(system, tmp_path, auth="signature", app_secret="another-secret")
    words = small.refused("sales_order_line")
    assert "signature is not accepted" in words and "clock" in words
    assert len(system.calls) == 1


def test_a_clock_that_is_off_is_said(system, tmp_path):
    system.faults = Faults(clock_skew=3600)
    small = pulls(system, tmp_path)
    words = small.refused("sales_order_line")
    assert "时间戳" in words and "clock" in words


def test_another_data_centre_is_not_found(system, tmp_path):
    small = pulls(system, tmp_path, acct_id="0000000000")
    assert "LoginBySign" in small.refused("sales_order_line")


def test_a_right_that_was_taken_away_stops_one_form_only(system, tmp_path):
    small = pulls(system, tmp_path, ("customer", "sales_order_line"))
    system.faults = Faults(revoked=["SAL_SaleOrder"])
    outcomes = small.outcomes()
    words = str(outcomes["sales_order_line"].error)
    assert "not granted" in words and "查看" in words and "查询业务对象授权" in words
    assert outcomes["customer"].error is None


def test_a_licence_that_does_not_cover_us_stops_everything(system, tmp_path):
    small = pulls(system, tmp_path, ("customer", "sales_order_line"))
    system.faults = Faults(quota=1)
    outcomes = small.outcomes()
    assert all("licence" in str(outcome.error) for outcome in outcomes.values())


def test_a_field_that_was_renamed_is_named_in_the_refusal(system, tmp_path):
    small = pulls(system, tmp_path)
    small.refresh()
    system.faults = Faults(drift={"FQty": "FBaseQty"})
    words = small.refused("sales_order_line")
    assert "字段FQty不存在" in words and "renamed" in words
    system.faults = Faults()
    small.refresh()
    assert_equal(system, small)


def test_a_form_that_is_not_there(system, tmp_path):
    small = pulls(system, tmp_path)
    request = small.source.streams["sales_order_line"].request
    assert request is not None and isinstance(request.body, dict)
    request.body["data"]["FormId"] = "SAL_Nothing"
    words = small.refused("sales_order_line")
    assert "SAL_Nothing" in words and "object" in words


def test_a_failure_without_a_code_is_a_failure(system, tmp_path, monkeypatch):
    """`MsgCode 0` with `IsSuccess: false`: read as a row it would delete all others."""
    small = pulls(system, tmp_path)
    small.refresh()
    monkeypatch.setattr(
        Emulator,
        "_objects",
        lambda *_: _reply({"IsSuccess": False, "MsgCode": 0, "Errors": [{"Message": "内部错误"}]}),
    )
    assert "内部错误" in small.refused("sales_order_line")
    monkeypatch.undo()
    assert_equal(system, small)


def _reply(status: dict):
    from sandbox.emulators.server import Reply

    return Reply({"Result": {"ResponseStatus": status}})


# --- discovery ---


def asking(system: Emulator, tmp_path):
    """The door's own way of asking, for metadata."""
    from tests.vendor_rows import PULLED_AT
    from tieout.ingest.intake.ask import Ask
    from tieout.ingest.intake.http.client import Call
    from tieout.ingest.intake.http.pull import opened

    small = pulls(system, tmp_path)
    client = opened(small.source, small.landing, Ask(PULLED_AT), lambda _: None)()

    def ask(method, path, *, params=None, body=None, form=None, headers=None):
        return client.ask(Call("discovery", method, client.url(path), params, headers, body, form)).document

    return ask


def test_forms_are_described_by_the_system_itself(system, tmp_path):
    ask = asking(system, tmp_path)
    Kingdee().check(ask)
    system.faults = Faults(revoked=["GL_VOUCHER"])
    found = {item.id: item for item in Kingdee().discover(ask)}
    assert set(found) == set(system.tables) - {"GL_VOUCHER"}
    order = found["SAL_SaleOrder"]
    assert order.title == "销售订单" and order.key == ("fsaleorderentry_fentryid",)
    assert order.cursor == ("fmodifydate", "fcreatedate")
    # Every field that was proposed may be asked for as it was proposed.
    assert {field.path for field in order.fields} >= {"FCustId.FNumber", "FQty", "FSaleOrderEntry_FEntryID"}
    assert {field.id: field.type for field in order.fields}["fqty"] == "decimal(28, 10)"
    with pytest.raises(SourceError, match="查询业务对象授权"):
        Kingdee().discover(ask, ["GL_VOUCHER"])
    with pytest.raises(SourceError, match="SAL_Nothing"):
        Kingdee().discover(ask, ["SAL_Nothing"])


def test_a_drafted_contract_loads_as_it_is(system, tmp_path, monkeypatch):
    monkeypatch.setenv("KD_SECRET", OPTIONS["app_secret"])
    options = WHO | {"app_secret": "env:KD_SECRET", "page": "5"}
    small = Pulls(drafted("kingdee", system.address, options, tmp_path), tmp_path / "warehouse")
    small.refresh()
    assert {stream.object for stream in small.source.streams.values()} == set(system.tables)
    assert small.source.streams["sal_sale_order"].deletes == "keys"
    assert_equal(system, small)


# --- what the sandbox company's system holds ---


def test_the_forms_agree_with_what_truly_happened(forms):
    made, held_tables = forms
    found = {
        table.name: [dict(zip([f.name for f in table.fields], row, strict=True)) for row in table.rows]
        for table in held_tables
    }
    own = [order for order in made.orders if order.entity == "HC"]
    assert len(found["SAL_SaleOrder"]) == sum(len(order.lines) for order in own)
    assert total(found["SAL_SaleOrder"], "FAllAmount") == sum(
        line.gross for order in own for line in order.lines
    )
    bills = [bill for bill in made.invoices if bill.entity == "HC"]
    assert total(found["AR_receivable"], "FALLAMOUNTFOR_D") == sum(bill.gross for bill in bills)
    assert total(found["AP_Payable"], "FALLAMOUNTFOR_D") == sum(bill.gross for bill in made.supplier_invoices)
    received = sum(paid.amount for paid in made.receipts if paid.entity == "HC")
    assert total(found["AR_RECEIVEBILL"], "FREALRECAMOUNT_S") == received
    assert total(found["AP_PAYBILL"], "FREALPAYAMOUNT_S") == sum(paid.amount for paid in made.payments)
    # The books balance, and receivables by customer are what is not settled yet.
    assert total(found["GL_VOUCHER"], "FDEBIT") == total(found["GL_VOUCHER"], "FCREDIT") > 0
    for form in ("AR_receivable", "SAL_SaleOrder"):
        codes = {row["FNumber"] for row in found["BD_Customer"]}
        name = "FCUSTOMERID.FNumber" if form == "AR_receivable" else "FCustId.FNumber"
        assert {row[name] for row in found[form]} <= codes
    of_order = {row["FBillNo"]: row["FCustId.FNumber"] for row in found["SAL_SaleOrder"]}
    assert all(of_order[row["FORDERNUMBER"]] == row["FCUSTOMERID.FNumber"] for row in found["AR_receivable"])
    numbers = {party.number for party in [*made.customers, *made.suppliers]}
    told = {value for rows in found.values() for row in rows for value in row.values()}
    assert not numbers & told, "a true identity is in the store"


def total(rows: list[dict], field: str) -> Decimal:
    return sum((Decimal(row[field]) for row in rows), Decimal(0))
