"""The fault kit: what differs in the stores after planting is what the key says, and the stake is what it should be.

The stores are compared by SQL, before against after; the fault's own record is only ever on one side of a comparison.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.emulators.faults import read_faults
from sandbox.huachen.__main__ import main
from sandbox.huachen.build import build
from sandbox.huachen.faults import MIX, PlantError, kinds, plant, planted
from sandbox.huachen.world import world
from sandbox.store import Store

D = Decimal
ZERO = D(0)
Row = dict


@dataclass(frozen=True)
class Difference:
    """A row that is not as it was; `old` or `new` is None if it came or went."""

    system: str
    table: str
    key: tuple
    old: Row | None
    new: Row | None

    @property
    def fields(self) -> dict[str, tuple]:
        assert self.old and self.new
        return {name: (was, self.new[name]) for name, was in self.old.items() if was != self.new[name]}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A built company, which no test changes. Its history is kept, so that building it again is cheap."""
    history = world(11)
    folder = tmp_path_factory.mktemp("faults") / "huachen"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sandbox.huachen.world.world", lambda *_: history)
        build(folder, 11)
        yield folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "huachen"))


def stores(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.rglob("*.sqlite"))}


def ask(folder: Path, system: str, sql: str, *values: object) -> list[Row]:
    con = sqlite3.connect(stores(folder)[system])
    con.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in con.execute(sql, values)]
    finally:
        con.close()


def differences(before: Path, after: Path) -> list[Difference]:
    """Every row of every store that is not the same."""
    found = []
    for system, path in stores(after).items():
        if path.read_bytes() == stores(before)[system].read_bytes():
            continue
        con = sqlite3.connect(path)
        con.row_factory = sqlite3.Row
        con.execute("attach ? as old", (str(stores(before)[system]),))
        for name, said in con.execute("select name, said from _table").fetchall():
            key = json.loads(said)["key"]
            gone, came = (
                {tuple(row[k] for k in key): dict(row) for row in con.execute(f'select * from {a}."{name}" except select * from {b}."{name}"')}
                for a, b in (("old", "main"), ("main", "old"))
            )  # fmt: skip
            found += [
                Difference(system, name, k, gone.get(k), came.get(k)) for k in sorted({*gone, *came}, key=str)
            ]
        con.close()
    return found


def as_changes(found: list[Difference]) -> set[str]:
    """The differences in the words of a key."""
    said = []
    for item in found:
        if item.old is None or item.new is None:
            said.append([item.system, item.table, item.key, None, item.old, item.new])
        else:
            said += [[item.system, item.table, item.key, field, *both] for field, both in item.fields.items()]
    return {json.dumps(item, ensure_ascii=False, sort_keys=True) for item in said}


def recorded(faults: list[Row]) -> set[str]:
    names = ("system", "table", "key", "field", "true", "shown")
    return {
        json.dumps([change[name] for name in names], ensure_ascii=False, sort_keys=True)
        for fault in faults
        for change in fault["changes"]
        if change["field"] != "drift"
    }


# --- what each kind should have done: from the differences alone, the period and the amount at stake ---

Found = list[Difference]
Expected = tuple[str | None, Decimal]


def total(rows: list[Row | None], field: str) -> Decimal:
    return sum((D(row[field]) for row in rows if row), ZERO)


def olds(found: Found, table: str = "") -> list[Row]:
    return [item.old for item in found if item.old and table in item.table]


def changed_only(found: Found, table: str, *fields: str) -> None:
    assert {item.table for item in found} == {table}
    assert {name for item in found for name in item.fields} == set(fields)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text)


def local_month(text: str) -> str:
    return f"{utc(text) + timedelta(hours=8):%Y-%m}"


def lost_row(found: Found, after: Path) -> Expected:
    [item] = found
    assert item.new is None and item.table == "SAL_SaleOrder"
    assert ask(after, "kingdee", "select 1 from SAL_SaleOrder where FBillNo = ?", item.old["FBillNo"])
    return item.old["FDate"][:7], D(item.old["FAllAmount"])


def sent_twice(found: Found, after: Path) -> Expected:
    assert not olds(found)
    number, entry = found[0].new["FBillNo"], "FEntityDetail_FEntryID"
    rows = ask(
        after,
        "kingdee",
        "select * from AR_receivable where FBillNo = ? order by FID, FEntityDetail_FSEQ",
        number,
    )
    true, again = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    assert [{**row, "FID": 0, entry: 0} for row in true] == [{**row, "FID": 0, entry: 0} for row in again]
    return true[0]["FDATE"][:7], total(again, "FALLAMOUNTFOR_D")


def late_row(found: Found, after: Path) -> Expected:
    for item in found:
        assert (
            {"FCreateDate", "FApproveDate"}
            <= set(item.fields)
            <= {"FCreateDate", "FApproveDate", "FModifyDate"}
        )
        assert item.new["FDATE"][:7] < local_month(item.new["FCreateDate"])
    return found[0].old["FDATE"][:7], total(olds(found), "FALLAMOUNTFOR_D")


def wrong_amount(found: Found, after: Path) -> Expected:
    rows = ask(after, "kingdee", "select * from AR_receivable where FID = ?", found[0].old["FID"])
    assert len(rows) == len(found)
    assert {D(row["FALLAMOUNTFOR"]) for row in rows} == {total(rows, "FALLAMOUNTFOR_D")}
    [line] = [item for item in found if "FNoTaxAmountFor_D" in item.fields]
    was, now = line.fields["FNoTaxAmountFor_D"]
    assert sorted(was) == sorted(now) or D(now) == 10 * D(was)
    assert D(line.new["FALLAMOUNTFOR_D"]) == D(now) + D(line.new["FTAXAMOUNTFOR_D"])
    return line.old["FDATE"][:7], abs(D(line.new["FALLAMOUNTFOR_D"]) - D(line.old["FALLAMOUNTFOR_D"]))


def wrong_tax_rate(found: Found, after: Path) -> Expected:
    [item] = found
    assert set(item.fields) == {"FEntryTaxRate", "FEntryTaxAmount", "FAllAmount", "FTaxPrice"}
    assert abs(
        D(item.new["FAmount"]) * D(item.new["FEntryTaxRate"]) / 100 - D(item.new["FEntryTaxAmount"])
    ) <= D("0.005")
    return item.old["FDate"][:7], D(item.old["FAllAmount"]) - D(item.new["FAllAmount"])


def gross_as_net(found: Found, after: Path) -> Expected:
    [item] = found
    assert item.fields == {"FNoTaxAmountFor_D": (item.old["FNoTaxAmountFor_D"], item.old["FALLAMOUNTFOR_D"])}
    return item.old["FDATE"][:7], D(item.new["FNoTaxAmountFor_D"]) - D(item.old["FNoTaxAmountFor_D"])


def orders_changed(field: str) -> Callable[[Found, Path], Expected]:
    def check(found: Found, after: Path) -> Expected:
        changed_only(found, "SAL_SaleOrder", field)
        rows = ask(after, "kingdee", "select * from SAL_SaleOrder where FBillNo = ?", found[0].old["FBillNo"])
        assert len({row[field] for row in rows}) == 1  # the whole order
        return found[0].old["FDate"][:7], total(olds(found), "FAllAmount")

    return check


def customers_merged(found: Found, after: Path) -> Expected:
    changed_only(found, "SAL_SaleOrder", "FCustId.FNumber")
    [code] = {row["FCustId.FNumber"] for row in olds(found)}
    assert not ask(after, "kingdee", 'select 1 from SAL_SaleOrder where "FCustId.FNumber" = ?', code)
    return found[0].old["FDate"][:7], total(olds(found), "FAllAmount")


def customer_split(found: Found, after: Path) -> Expected:
    [record] = [item.new for item in found if item.table == "BD_Customer"]
    orders = [item for item in found if item.table == "SAL_SaleOrder"]
    assert {item.new["FCustId.FNumber"] for item in orders} == {record["FNumber"]}
    [code] = {item.old["FCustId.FNumber"] for item in orders}
    assert ask(after, "kingdee", 'select 1 from SAL_SaleOrder where "FCustId.FNumber" = ?', code)
    assert len(ask(after, "kingdee", "select 1 from BD_Customer where FNumber = ?", record["FNumber"])) == 1
    return orders[0].old["FDate"][:7], total(olds(orders), "FAllAmount")


def cut_off(found: Found, after: Path) -> Expected:
    changed_only(found, "AR_receivable", "FDATE")
    was, now = (date.fromisoformat(text) for text in found[0].fields["FDATE"])
    assert (now.year * 12 + now.month) - (was.year * 12 + was.month) == 1
    return f"{was:%Y-%m}", total(olds(found), "FALLAMOUNTFOR_D")


def rounding(found: Found, after: Path) -> Expected:
    changed_only(found, "AR_receivable", "FTAXAMOUNTFOR_D", "FALLAMOUNTFOR_D", "FALLAMOUNTFOR")
    assert {D(new) - D(old) for item in found for old, new in item.fields.values()} == {D("0.01")}
    [month] = {item.old["FDATE"][:7] for item in found}
    return month, total([i.new for i in found], "FALLAMOUNTFOR_D") - total(olds(found), "FALLAMOUNTFOR_D")


def unbalanced_voucher(found: Found, after: Path) -> Expected:
    changed_only(found, "GL_VOUCHER", "FDEBIT", "FAMOUNTFOR")
    rows = ask(after, "kingdee", "select * from GL_VOUCHER where FVOUCHERID = ?", found[0].old["FVOUCHERID"])
    return rows[0]["FDate"][:7], abs(total(rows, "FDEBIT") - total(rows, "FCREDIT"))


def voucher_missing(found: Found, after: Path) -> Expected:
    [number] = {row["F_HC_SourceNo"] for row in olds(found)}
    bill = ask(after, "kingdee", "select * from AR_receivable where FBillNo = ?", number)
    return bill[0]["FDATE"][:7], total(bill, "FALLAMOUNTFOR_D")


def paid_twice(found: Found, after: Path) -> Expected:
    assert not olds(found)
    new = found[0].new
    rows = ask(
        after, "kingdee", "select * from AP_PAYBILL where FSRCBILLNO = ? order by FDATE", new["FSRCBILLNO"]
    )
    assert (
        len({row["FBillNo"] for row in rows}) == 2
        and rows[0]["FREALPAYAMOUNT_S"] == rows[1]["FREALPAYAMOUNT_S"]
    )
    assert (
        len(ask(after, "kingdee", "select distinct FID from AP_PAYBILL where FBillNo = ?", new["FBillNo"]))
        == 1
    )
    return new["FDATE"][:7], total([item.new for item in found], "FREALPAYAMOUNT_S")


def receipt_wrong_customer(found: Found, after: Path) -> Expected:
    changed_only(found, "AR_RECEIVEBILL", "FCONTACTUNIT.FNumber")
    return found[0].old["FDATE"][:7], total(olds(found), "FREALRECAMOUNT_S")


def delivery_without_invoice(found: Found, after: Path) -> Expected:
    bills, books = olds(found, "AR_receivable"), olds(found, "GL_VOUCHER")
    assert {row["F_HC_SourceNo"] for row in books} == {row["FBillNo"] for row in bills}
    assert ask(after, "u8", "select 1 from RdRecord32 where cCode = ?", bills[0]["FSourceBillNo"])
    lines = [item for item in found if item.table == "SAL_SaleOrder"]
    assert {item.old["FBillNo"] for item in lines} == {row["FORDERNUMBER"] for row in bills}
    less = sum((D(old) - D(new) for item in lines for old, new in item.fields.values()), ZERO)
    assert less == total(bills, "FPriceQty") and {name for item in lines for name in item.fields} == {
        "FInvoiceQty"
    }
    owed = [row for row in books if row["FACCOUNTID.FNumber"] == "1122"]
    assert total(owed, "FDEBIT") == total(bills, "FALLAMOUNTFOR_D")
    return bills[0]["FDATE"][:7], total(owed, "FDEBIT")


def invoice_before_delivery(found: Found, after: Path) -> Expected:
    changed_only(found, "AR_receivable", "FDATE", "FCreateDate", "FApproveDate")
    [sent] = ask(after, "u8", "select dDate from RdRecord32 where cCode = ?", found[0].old["FSourceBillNo"])
    assert all(item.new["FDATE"] < sent["dDate"] <= item.old["FDATE"] for item in found)
    return found[0].old["FDATE"][:7], total(olds(found), "FALLAMOUNTFOR_D")


def payment_before_approval(found: Found, after: Path) -> Expected:
    changed_only(found, "AP_PAYBILL", "FDATE", "FCreateDate", "FModifyDate", "FApproveDate")
    [approval] = ask(after, "feishu", "select * from instance where reference = ?", found[0].old["FBillNo"])
    assert found[0].new["FCreateDate"] < approval["start_time"] < found[0].old["FCreateDate"]
    return found[0].old["FDATE"][:7], total(olds(found), "FREALPAYAMOUNT_S")


def stock_day(after: Path, voucher: str, row: Row) -> str:
    return ask(after, "u8", f"select dDate from RdRecord{voucher} where ID = ?", row["ID"])[0]["dDate"][:7]


def wrong_quantity(found: Found, after: Path) -> Expected:
    [item] = found
    assert D(item.new["iQuantity"]) == 10 * D(item.old["iQuantity"])
    assert set(item.fields) <= {"iQuantity", "iPrice", "iNum"}
    return stock_day(after, "32", item.old), D(item.new["iPrice"]) - D(item.old["iPrice"])


def wrong_unit(found: Found, after: Path) -> Expected:
    [item] = found
    [thing] = ask(after, "u8", "select iChangRate from Inventory where cInvCode = ?", item.old["cInvCode"])
    assert set(item.fields) == {"iQuantity"}
    assert D(item.new["iQuantity"]) * D(thing["iChangRate"]) == D(item.old["iQuantity"])
    return stock_day(after, "01", item.old), D(item.old["iPrice"])


def wrong_product(found: Found, after: Path) -> Expected:
    [item] = found
    assert set(item.fields) == {"cInvCode"}
    assert ask(after, "u8", "select 1 from Inventory where cInvCode = ?", item.new["cInvCode"])
    return stock_day(after, "32", item.old), D(item.old["iPrice"])


def move_missing(found: Found, after: Path) -> Expected:
    [head], lines = olds(found, "RdRecord10"), olds(found, "rdrecords10")
    assert {row["ID"] for row in lines} == {head["ID"]}
    assert not any(item.new for item in found)
    return head["dDate"][:7], total(lines, "iPrice")


def wrong_zone(found: Found, after: Path) -> Expected:
    changed_only(found, "RdRecord09", "dnmaketime")
    assert {utc(a) - utc(b) for item in found for a, b in item.fields.values()} == {timedelta(hours=8)}
    day = found[0].old["dDate"]
    everything = ask(after, "u8", "select ID, iPrice from RdRecord09 join rdrecords09 using (ID) where dDate = ? and cBusType = '电商出库'", day)  # fmt: skip
    assert {item.key[0] for item in found} == {row["ID"] for row in everything}
    return day[:7], total(everything, "iPrice")


def wrong_rate(found: Found, after: Path) -> Expected:
    amount = "AmountInCompanyCodeCurrency"
    assert {name for item in found for name in item.fields} == {amount}
    assert total([item.new for item in found], amount) == 0
    [debit] = [item for item in found if D(item.old[amount]) > 0]
    off = abs(D(debit.new[amount]) - D(debit.old[amount]))
    assert D("0.049") < off / D(debit.old[amount]) < D("0.121")
    return debit.old["PostingDate"][:7], off


def shop_order_missing(found: Found, after: Path) -> Expected:
    old, new = olds(found), [item.new for item in found]
    assert {name for item in found for name in item.fields} <= {"FDEBIT", "FCREDIT", "FAMOUNTFOR"}
    less = total(old, "FDEBIT") - total(new, "FDEBIT")
    assert less == total(old, "FCREDIT") - total(new, "FCREDIT")
    day = old[0]["FDate"]
    sent = ask(after, "shop", "select pay_amount from orders where date(send_date, '+8 hours') = ?", day)
    assert less in {D(row["pay_amount"]) for row in sent}
    return day[:7], less


def refund_lost(found: Found, after: Path) -> Expected:
    [refund], items = (
        [row for row in olds(found) if "refund" in row],
        [row for row in olds(found) if "asi_id" in row],
    )
    assert {row["as_id"] for row in items} == {refund["as_id"]} and not any(item.new for item in found)
    assert total(items, "amount") == D(refund["refund"])
    return local_month(refund["modified"]), total(items, "amount")


def wrong_clock(found: Found, after: Path) -> Expected:
    changed_only(found, "orders", "send_date")
    crossed = [i.old for i in found if local_month(i.new["send_date"]) != local_month(i.old["send_date"])]
    assert {utc(b) - utc(a) for item in found for a, b in item.fields.values()} == {timedelta(hours=9)}
    return local_month(found[0].old["send_date"]), total(crossed, "pay_amount")


def approval_missing(found: Found, after: Path) -> Expected:
    [gone] = olds(found, "instance")
    assert {row["instance_code"] for row in olds(found, "task")} == {gone["instance_code"]} and len(
        found
    ) == 3
    paid = ask(after, "kingdee", "select * from AP_PAYBILL where FBillNo = ?", gone["reference"])
    return local_month(gone["end_time"]), total(paid, "FREALPAYAMOUNT_S")


def schema_drift(found: Found, after: Path) -> Expected:
    assert found == []
    [path] = (after / "systems").glob("*.faults.json")
    [(old, new)] = read_faults(path).drift.items()
    store = Store(path.with_name(path.name.replace(".faults.json", ".sqlite")))
    names = [field.name for table in store.tables.values() for field in table.fields]
    assert names.count(old) == 1 and new not in names
    return None, ZERO


EXPECTED: dict[str, Callable[[Found, Path], Expected]] = {
    "wrong-currency": orders_changed("FSettleCurrId.FNumber"),
    "wrong-customer": orders_changed("FCustId.FNumber"),
    **{
        check.__name__.replace("_", "-"): check
        for check in (
            lost_row, sent_twice, late_row, wrong_amount, wrong_tax_rate, gross_as_net, customers_merged, customer_split,
            cut_off, rounding, unbalanced_voucher, voucher_missing, paid_twice, receipt_wrong_customer,
            delivery_without_invoice, invoice_before_delivery, payment_before_approval, wrong_quantity, wrong_unit,
            wrong_product, move_missing, wrong_zone, wrong_rate, shop_order_missing, refund_lost, wrong_clock,
            approval_missing, schema_drift,
        )
    },
}  # fmt: skip


def test_every_kind_is_expected_here() -> None:
    assert {kind.name for kind in kinds()} == set(EXPECTED)
    assert all(kind.zh and kind.en for kind in kinds())


@pytest.mark.parametrize("kind", sorted(EXPECTED))
def test_a_fault_changes_what_its_key_says_and_nothing_else(made: Path, copy: Path, kind: str) -> None:
    [fault] = plant(copy, kind, seed=3)
    found = differences(made, copy)
    assert recorded([fault]) == as_changes(found)
    assert kind == "schema-drift" or found
    period, amount = EXPECTED[kind](found, copy)
    assert (fault["period"], D(fault["amount"])) == (period, amount)
    assert kind == "schema-drift" or amount > 0
    assert planted(copy) == [fault] and fault["id"] == "F0001" and fault["kind"] == kind
    for name in ("totals", "trial_balance", "stock", "identities"):
        assert (copy / "answers" / f"{name}.csv").read_bytes() == (
            made / "answers" / f"{name}.csv"
        ).read_bytes()


def test_a_mix_is_the_same_twice_and_no_row_is_taken_twice(made: Path, copy: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(made, tmp_path / "other"))
    faults = plant(copy, MIX, seed=1)
    assert plant(other, MIX, seed=1) == faults
    assert differences(copy, other) == []
    found = differences(made, copy)
    assert recorded(faults) == as_changes(found)
    assert {fault["kind"] for fault in faults} == set(EXPECTED)
    taken = [{json.dumps([c["system"], c["table"], c["key"]]) for c in fault["changes"]} for fault in faults]
    assert sum(map(len, taken)) == len(set().union(*taken))
    assert plant(Path(shutil.copytree(made, tmp_path / "third")), MIX, seed=2) != faults


def test_more_of_a_kind_are_other_rows_and_add_to_the_key(made: Path, copy: Path) -> None:
    first, again = plant(copy, "paid-twice", 3), plant(copy, "paid-twice", 2)
    assert [fault["id"] for fault in planted(copy)] == [f"F{n:04d}" for n in range(1, 6)]
    assert len({fault["changes"][0]["shown"]["FID"] for fault in [*first, *again]}) == 5
    assert recorded(planted(copy)) == as_changes(differences(made, copy))


def test_when_no_row_is_left_nothing_is_planted_at_all(made: Path, copy: Path) -> None:
    with pytest.raises(PlantError, match="no row is left"):
        plant(copy, "approval-missing", 2000)
    assert differences(made, copy) == [] and not (copy / "answers" / "faults.json").exists()


def test_a_row_is_taken_again_only_when_asked(copy: Path) -> None:
    def orders(faults: list[Row]) -> set[int]:
        return {change["key"][0] for fault in faults for change in fault["changes"]}

    first = orders(plant(copy, "wrong-customer"))
    assert not first & orders(plant(copy, "wrong-customer"))
    assert orders(plant(copy, "wrong-customer", overlap=True)) == first


def test_a_schema_drift_that_fails_halfway_leaves_the_emulators_file(copy: Path) -> None:
    file = copy / "systems" / "kingdee.faults.json"
    file.write_text('{"slow": 0.5}')
    with pytest.raises(PlantError):
        plant(copy, "schema-drift", 500)
    assert file.read_text() == '{"slow": 0.5}'
    assert len(list((copy / "systems").glob("*.faults.json"))) == 1


def test_who_reads_meanwhile_sees_the_fault_and_no_error(copy: Path) -> None:
    store = Store(copy / "systems" / "kingdee.sqlite")
    reading = store.rows("AP_PAYBILL")  # a cursor in the middle of its rows, as an emulator's
    first, before = next(reading), store.count("AP_PAYBILL")
    rest = list(reading)
    plant(copy, "paid-twice")
    assert store.count("AP_PAYBILL") == before + 1 == len([first, *rest]) + 1


def test_mend_gives_back_what_was_built(made: Path, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(copy, MIX)
    assert differences(made, copy) != []
    assert main(["mend", "--doors", str(copy)]) == 0
    assert {s: p.read_bytes() for s, p in stores(copy).items()} == {
        s: p.read_bytes() for s, p in stores(made).items()
    }
    assert planted(copy) == [] and list(copy.rglob("*.faults.json")) == []


def test_mend_of_a_company_with_a_mes_wants_to_know_where(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = json.loads((copy / ".built.json").read_text())
    (copy / ".built.json").write_text(json.dumps({**said, "mes": True}))
    assert main(["mend", "--doors", str(copy)]) == 2
    assert "Nothing was changed. Say with --postgres" in capsys.readouterr().err


def test_the_command_line_names_what_it_did(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plant", "wrong-amount", "--count", "2", "--seed", "5", "--doors", str(copy)]) == 0
    out = capsys.readouterr().out
    assert out.count("kingdee.AR_receivable") == 2 and "F0002" in out and str(copy / "answers") in out
    assert main(["faults", "--doors", str(copy)]) == 0
    out = capsys.readouterr().out
    assert "planted now: 2" in out and "重复付款" in out
    assert main(["plant", "no-such", "--doors", str(copy)]) == 2
    assert (
        "there is no fault 'no-such'. Nothing was planted. There are: mix, approval-missing"
        in capsys.readouterr().err
    )
    assert main(["plant", "mix", "--doors", str(tmp_path / "nowhere")]) == 2
    assert "Build it first" in capsys.readouterr().err


def test_tieout_sandbox_runs_the_same_for_the_installations_company(copy: Path) -> None:
    def tieout(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "TIEOUT_HOME": str(copy.parent)}
        return subprocess.run([sys.executable, "-m", "tieout.cli", "sandbox", *arguments], env=env, capture_output=True, text=True)  # fmt: skip

    done = tieout("plant", "refund-lost")
    assert done.returncode == 0 and "refund-lost" in done.stdout, done.stderr
    assert [fault["kind"] for fault in planted(copy)] == ["refund-lost"]
    assert str(copy / "answers") in tieout("where").stdout
    assert tieout("plant", "no-such").returncode == 2
