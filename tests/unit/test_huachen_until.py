"""华辰精工 on an earlier day: what its systems hold is the beginning of what they hold later, and knows nothing of it."""

from __future__ import annotations

import csv
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.huachen.__main__ import main
from sandbox.huachen.answers import identities, stock, totals, trial_balance
from sandbox.huachen.systems import systems
from sandbox.huachen.world import Spelling, World, world
from sandbox.huachen.world.calendar import local_day
from sandbox.huachen.world.history import LAST
from sandbox.store import Row, Table

pytestmark = pytest.mark.slow

SEED, DAYS = 2026, (date(2024, 5, 15), date(2025, 6, 30))
ZERO = Decimal(0)
Name = tuple[str, str]  # system, table

# What later events change in a row that is there, and the time of change that says so.
CHANGES: dict[Name, tuple[str | None, set[str]]] = {
    ("crm", "customer"): ("updateTime", set()),
    ("crm", "opportunity"): ("updateTime", {"_widget_1690000002004", "_widget_1690000002005", "_widget_1690000002007"}),
    ("crm", "purchase_request"): ("updateTime", {"flowState", "_widget_1690000003004", "_widget_1690000003005"}),
    ("crm", "users"): (None, {"status", "departments"}),
    ("crm", "departments"): (None, {"parent_no"}),
    ("dingtalk", "department"): (None, {"parent_id"}),
    ("dingtalk", "user"): (None, {"active", "dept_id_list"}),
    ("dingtalk", "instance"): (None, {"status", "result", "finishTime"}),
    ("dingtalk", "task"): (None, {"status", "result", "finishTime"}),
    ("feishu", "department"): (None, {"member_count", "parent_department_id"}),
    ("feishu", "user"): (None, {"department_ids"}),
    ("feishu", "instance"): (None, {"status", "end_time"}),
    ("feishu", "task"): (None, {"status", "end_time"}),
    ("feishu", "tblSpareParts0001"): ("fldModifi2", {"last_modified_time", "fldStatus6", "fldClosed0"}),
    ("hr", "部门"): (None, {"失效日期"}),
    ("hr", "花名册"): (None, {"离职日期"}),
    ("jira", "issue"): ("updated", {"status", "resolutiondate"}),
    ("kingdee", "BD_Customer"): ("FModifyDate", set()),
    ("kingdee", "SAL_SaleOrder"): ("FModifyDate", {"FCloseStatus", "FStockOutQty", "FDocumentStatus", "FApproveDate"}),
    ("kingdee", "AR_receivable"): ("FModifyDate", {"FRELATEHADPAYAMOUNT", "FWRITTENOFFSTATUS"}),
    ("kingdee", "AP_Payable"): ("FModifyDate", {"FRELATEHADPAYAMOUNT", "FWRITTENOFFSTATUS"}),
    ("mes", "mes_work_order"): ("updated_at", {"good_qty", "scrap_qty", "status", "plan_end", "finished_at"}),
    ("salesforce", "Opportunity"): ("SystemModstamp", {"StageName", "Probability", "IsClosed", "Amount", "IsWon", "ERP_Order__c"}),
    ("sap", "API_SALES_ORDER_SRV/A_SalesOrder"): ("LastChangeDateTime", {"OverallDeliveryStatus"}),
    ("sap", "API_SALES_ORDER_SRV/A_SalesOrderItem"): (None, {"DeliveryStatus"}),  # its head says when
    ("shop", "orders"): ("modified", {"status", "send_date"}),
    ("shop", "order_items"): (None, {"refund_status"}),  # its order says when
    ("shopify", "orders"): ("updatedAt", {"displayFulfillmentStatus"}),
    ("u8", "Customer"): ("dModifyDate", set()),
    ("u8", "Vendor"): (None, {"dEndDate"}),
    ("u8", "PO_Pomain"): ("ufts", {"cState", "cCloser"}),
    ("u8", "PO_Podetails"): (None, {"iInvQTY", "freceivedqty", "iReceivedQTY"}),
    ("u8", "CurrentStock"): (None, {"iQuantity", "iNum"}),
    ("wecom", "approval"): (None, {"sp_status"}),
    ("wecom", "record"): (None, {"sp_status", "sptime", "speech"}),
    ("yonbip", "scm/purchaseorder"): (None, {"status", "auditTime", "pubts", "totalRecieveQty"}),
    ("yonbip", "digitalModel/staff"): ("pubts", {"enable", "dept_id"}),
}  # fmt: skip
# Written back by a later document; no time of change says so, unless the company was looked at before.
SILENT = {
    ("kingdee", "SAL_SaleOrder"): {"FInvoiceQty"},
    ("sap", "API_SALES_ORDER_SRV/A_SalesOrder"): {"OverallOrdReltdBillgStatus", "OverallSDProcessStatus"},
}
# What is meant to happen: these days may lie ahead.
AHEAD = {
    ("crm", "opportunity", "_widget_1690000002006"), ("crm", "_widget_1690000003010", "_widget_1690000003014"),
    ("dingtalk", "instance", "leave_begin"), ("kingdee", "SAL_SaleOrder", "FDeliveryDate"), ("kingdee", "AR_receivable", "FENDDATE_H"),
    ("kingdee", "AP_Payable", "FENDDATE_H"), ("mes", "mes_work_order", "plan_end"), ("salesforce", "Opportunity", "CloseDate"),
    ("sap", "API_SALES_ORDER_SRV/A_SalesOrder", "RequestedDeliveryDate"), ("u8", "PO_Podetails", "dArriveDate"),
    ("yonbip", "scm/purchaseorder", "recieveDate"),
}  # fmt: skip


class Shown:
    """The company on a day, and every table of its systems with its rows by key."""

    def __init__(self, made: World) -> None:
        self.world, self.spelling = made, Spelling(made)
        self.tables: dict[Name, Table] = {
            (name, table.name): table
            for name, system in systems().items()
            for table in system.tables(made, self.spelling)
        }
        self._rows: dict[Name, dict[tuple, dict[str, object]]] = {}

    def rows(self, name: Name) -> dict[tuple, dict[str, object]]:
        if name not in self._rows:
            table = self.tables[name]
            fields = [field.name for field in table.fields]
            named = [dict(zip(fields, row, strict=True)) for row in table.rows]
            self._rows[name] = {tuple(row[part] for part in table.key): row for row in named}
        return self._rows[name]


@pytest.fixture(scope="module")
def shown() -> list[Shown]:
    """On both days, and at the end."""
    return [Shown(world(SEED, 1, day)) for day in (*DAYS, None)]


def pairs(shown: list[Shown]) -> Iterator[tuple[Shown, Shown]]:
    yield shown[0], shown[1]
    yield shown[1], shown[2]


def day_of(value: object) -> date:
    """The local day of a date or an instant, in the words of a store."""
    text = str(value)
    if text.endswith("Z"):
        return local_day(datetime.fromisoformat(text))
    return date.fromisoformat(text[:10])


def test_every_row_is_there_later_and_differs_only_in_what_later_events_change(shown: list[Shown]) -> None:
    wrong = []
    for early, late in pairs(shown):
        for name in early.tables:
            stamp, changing = CHANGES.get(name, (None, set()))
            later = late.rows(name)
            for key, row in early.rows(name).items():
                if key not in later:
                    if name != ("feishu", "user"):  # who leaves is taken out of the directory
                        wrong.append((name, key, "gone"))
                    continue
                off = {field for field, value in row.items() if value != later[key][field]}
                if off - changing - SILENT.get(name, set()) - {stamp}:
                    wrong.append((name, key, off))
    assert wrong == []


def test_what_is_new_or_changed_has_a_later_time_of_change(shown: list[Shown]) -> None:
    wrong, seen = [], 0
    for early, late in pairs(shown):
        for name, (stamp, changing) in CHANGES.items():
            if stamp is None:
                continue
            before = early.rows(name)
            highest = max((str(row[stamp]) for row in before.values()), default="")
            for key, row in late.rows(name).items():
                was = before.get(key)
                if was and all(row[field] == was[field] for field in changing):
                    continue
                seen += 1
                after = (
                    str(row[stamp]) > highest if stamp == "ufts" else day_of(row[stamp]) > early.world.last
                )
                if not after:
                    wrong.append((name, key, row[stamp]))
    assert (wrong, seen > 5000) == ([], True)


def test_new_stock_documents_have_higher_versions_than_all_before(shown: list[Shown]) -> None:
    for early, late in pairs(shown):
        for voucher in ("01", "08", "09", "10", "11", "32"):
            name = ("u8", f"RdRecord{voucher}")
            before = early.rows(name)
            highest = max(row["ufts"] for row in before.values())  # ty: ignore[invalid-argument-type]
            new = [row["ufts"] for key, row in late.rows(name).items() if key not in before]
            assert new and all(version > highest for version in new)  # ty: ignore[unsupported-operator]


def test_nothing_has_a_day_that_is_still_to_come_but_what_is_meant_to_happen(shown: list[Shown]) -> None:
    ahead = set()
    for item in shown[:2]:
        for (system, name), table in item.tables.items():
            for place, field in enumerate(table.fields):
                if field.kind in ("date", "instant"):
                    days = (day_of(row[place]) for row in table.rows if row[place])
                    if max(days, default=item.world.last) > item.world.last:
                        ahead.add((system, name, field.name))
    assert ahead <= AHEAD, ahead - AHEAD


def test_lines_stand_below_heads_that_are_there(shown: list[Shown]) -> None:
    for item in shown[:2]:
        for (system, _), table in item.tables.items():
            if table.parent:
                heads = {key[0] for key in item.rows((system, table.parent))}
                place = [field.name for field in table.fields].index(str(table.link))
                assert {row[place] for row in table.rows} <= heads, table.name


def test_the_answer_key_ends_with_the_day(shown: list[Shown]) -> None:
    whole = {key[:4]: key[4] for key in totals(shown[2].world)}
    for item in shown[:2]:
        known = {key[:4]: key[4] for key in totals(item.world)}
        last = f"{item.world.last:%Y-%m}"
        assert known and max(key[2] for key in known) == last
        # On the last day of a month its totals are what they will always be, but for what is finished later.
        finished = item.world.last == DAYS[1]
        for key, value in known.items():
            if key[2] < last or finished:
                assert value == whole[key], key
        assert {key for key in whole if key[2] < last} <= set(known)


def test_the_books_balance_and_the_stock_rolls_forward(shown: list[Shown]) -> None:
    for item in shown[:2]:
        made = item.world
        sums: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
        closing: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
        for entity, period, _, debit, credit, balance in trial_balance(made):
            sums[entity, period] += debit - credit
            closing[entity, period] += balance
        assert set(sums.values()) == set(closing.values()) == {ZERO}
        assert max(period for _, period in sums) == made.last.year * 100 + made.last.month
        numbers = defaultdict(list)
        for voucher in made.vouchers:
            numbers[voucher.entity, voucher.period].append(voucher.number)
        assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())

        held = {
            (warehouse, product): quantity
            for month, warehouse, product, quantity, _ in stock(made)
            if month == f"{made.last:%Y-%m}"
        }
        codes = {product.code: product.product for product in item.spelling.products("u8")}
        current = {
            (row["cWhCode"], codes[str(row["cInvCode"])]): Decimal(str(row["iQuantity"]))
            for row in item.rows(("u8", "CurrentStock")).values()
        }
        assert current == held and min(held.values()) >= 0
        # What is owed by the books is what the open invoices say.
        owed = sum((bill.gross - bill.paid for bill in made.invoices if bill.entity == "HC"), ZERO)
        account = [row for row in trial_balance(made) if row[0] == "HC" and row[2] == "1122"]
        assert account[-1][-1] == owed


def test_a_record_is_who_it_will_be(shown: list[Shown]) -> None:
    for early, late in pairs(shown):
        before, after = (
            {row[:3]: row[3] for row in identities(item.world, item.spelling)} for item in (early, late)
        )
        assert before.items() <= after.items()
    assert len(shown[0].world.customers) < len(shown[2].world.customers)


def test_the_last_day_is_the_whole_history() -> None:
    assert repr(world(3, 1, LAST)) == repr(world(3))


def test_what_is_written_back_after_the_company_was_looked_at_is_a_change(shown: list[Shown]) -> None:
    early, late = shown[1], shown[2]
    since = Shown(world(SEED, 1, None, early.world.last))
    for name in late.tables:
        stamp = CHANGES.get(name, (None, set()))[0]
        silent, before, plain, seen = SILENT.get(name), early.rows(name), late.rows(name), since.rows(name)
        assert {key: {**row, stamp: None} for key, row in seen.items()} == {
            key: {**row, stamp: None} for key, row in plain.items()
        }
        off = [key for key, row in seen.items() if row != plain[key]]
        if off:
            assert name in {*SILENT, ("shopify", "orders")}
            assert all(day_of(seen[key][stamp]) > early.world.last for key in off)
        for key, row in before.items():
            if silent and any(row[field] != seen[key][field] for field in silent):
                assert day_of(seen[key][stamp]) > early.world.last, (name, key)


@pytest.mark.parametrize("seed", [41])
def test_of_another_seed_too_the_early_rows_are_the_first_of_the_late(seed: int) -> None:
    early, late = Shown(world(seed, 1, date(2025, 2, 11))), Shown(world(seed))
    test_every_row_is_there_later_and_differs_only_in_what_later_events_change([early, late, late])
    test_what_is_new_or_changed_has_a_later_time_of_change([early, late, late])
    test_nothing_has_a_day_that_is_still_to_come_but_what_is_meant_to_happen([early, early, late])


def test_built_until_a_day_and_then_on_it_is_the_company_built_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grown, whole = tmp_path / "grown", tmp_path / "whole"

    def build(folder: Path, *more: str) -> str:
        assert main(["build", "--doors", str(folder), "--seed", "3", *more]) == 0
        return capsys.readouterr().out

    assert "history until 2025-06-30" in build(grown, "--until", "2025-06-30")
    assert "already there" in build(grown, "--until", "2025-06-30")
    assert orders(grown) == sorted(orders(grown)) and max(orders(grown)) <= "2025-06-30"
    with (grown / "answers" / "totals.csv").open(encoding="utf-8") as file:
        assert max(row["period"] for row in csv.DictReader(file)) == "2025-06"
    assert main(["mend", "--doors", str(grown)]) == 0
    assert max(orders(grown)) <= "2025-06-30"
    assert "two years of history" in build(grown)
    assert "already there" in build(grown), "and still knows since when it was looked at"
    build(whole)
    files = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()} - {Path("doors.env")}
    off = {path.as_posix() for path in files if (grown / path).read_bytes() != (whole / path).read_bytes()}
    assert off == {".built.json", "systems/kingdee.sqlite", "systems/sap.sqlite", "systems/shopify.sqlite"}


def test_a_day_outside_the_history_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--doors", str(tmp_path), "--until", "2026-01-01"]) == 2
    assert "from 2024-01-01 to 2025-12-31. Nothing was built" in capsys.readouterr().err


def orders(folder: Path) -> list[str]:
    con = sqlite3.connect(f"file:{folder / 'systems' / 'kingdee.sqlite'}?mode=ro", uri=True)
    try:
        return [row[0] for row in con.execute("select FDate from SAL_SaleOrder order by rowid")]
    finally:
        con.close()


def test_who_signs_is_in_the_directory(shown: list[Shown]) -> None:
    for item in shown[:2]:
        known = {person.number for person in item.world.employees}
        assert {step[0] for approval in item.world.approvals for step in approval.steps} <= known
        rows: list[Row] = [*item.tables["jira", "issue"].rows]
        assert len(rows) == len(item.world.tickets)
