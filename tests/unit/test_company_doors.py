"""The file doors of the sample company: the same bytes every time, and nothing lost on the way out.

What is expected comes from `sandbox/huaxin/truth`, which was taken from the ERP by SQL before its tables
were recorded. No server is started; of the sales database only the tables it is filled with are looked at.
"""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import stat
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import duckdb
import pytest
from openpyxl import load_workbook

from sandbox.huaxin.build import FILE_DOORS, build
from sandbox.huaxin.erp import Table, open_erp
from sandbox.huaxin.sales_database import sales_tables
from sources.contract import Stream, read_sources

ROOT = Path(__file__).parents[2]
TRUTH = ROOT / "sandbox" / "huaxin" / "truth" / "truth_output.txt"


def truth(section: int) -> list[list[str]]:
    """The rows of one numbered section of the ERP's own answers."""
    parts = TRUTH.read_text(encoding="utf-8").split("## ")
    text = next(part for part in parts if part.startswith(f"{section} "))
    return [line.split("|") for line in text.splitlines()[1:]]


COUNTS = {name: int(count) for name, count in truth(1)}


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doors")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def sales() -> dict[str, Table]:
    with open_erp() as erp:
        return {table.name: table for table in sales_tables(erp)}


def files(doors: Path) -> dict[str, bytes]:
    return {
        f"{door}/{path.name}": path.read_bytes() for door in FILE_DOORS for path in (doors / door).iterdir()
    }


def csv_rows(doors: Path, pattern: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for path in sorted((doors / "hx_purchasing").glob(pattern)):
        rows += csv.DictReader(path.read_bytes().decode("gb18030").splitlines())
    return rows


def finance(doors: Path, query: str, file: str) -> tuple[Any, ...]:
    path = doors / "hx_finance" / file
    reader = "read_parquet" if path.suffix == ".parquet" else "read_json"
    row = duckdb.connect().execute(f"select {query} from {reader}(?)", [str(path)]).fetchone()
    assert row is not None
    return row


def sheets(doors: Path, pattern: str, sheet: str) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    for path in sorted((doors / "hx_people").glob(pattern)):
        book = load_workbook(path, read_only=True)
        yield path.stem, list(book[sheet].iter_rows(values_only=True))
        book.close()


def test_two_builds_make_the_same_bytes(doors, tmp_path):
    build(tmp_path)

    assert files(tmp_path) == files(doors)


def test_a_second_build_writes_nothing_and_a_changed_door_is_written_anew(doors, tmp_path):
    shutil.copytree(doors, tmp_path, dirs_exist_ok=True)
    second = build(tmp_path)
    with (tmp_path / "hx_purchasing" / "供应商.csv").open("ab") as file:
        file.write(b"S9999\r\n")
    third = build(tmp_path)

    assert second.written == ()
    assert third.written == ("hx_purchasing",)
    assert len(csv_rows(tmp_path, "供应商.csv")) == 24


def test_only_the_owner_may_read_the_addresses(doors):
    env = doors / "doors.env"

    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    named = dict(line.split("=", 1) for line in env.read_text(encoding="utf-8").splitlines())
    assert set(named) == {"HX_STOCK_DB", "HX_PURCHASING_DROP", "HX_FINANCE_DROP", "HX_PEOPLE_DROP"}
    assert all(Path(place).exists() for place in named.values())


def test_csv_files_are_as_a_chinese_windows_program_writes_them(doors):
    content = (doors / "hx_purchasing" / "采购订单明细_2025-10.csv").read_bytes()

    lines = content.decode("gb18030").split("\r\n")
    assert lines[0] == "行号,采购订单号,产品编码,产品名称,数量,单位,单价,税率"
    assert lines[-1] == ""
    assert b"\n" not in content.replace(b"\r\n", b"")
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")


def test_purchasing_exports_every_order_and_line(doors):
    orders = csv_rows(doors, "采购订单_*.csv")

    assert len(orders) == COUNTS["purchase"]
    assert len(csv_rows(doors, "采购订单明细_*.csv")) == COUNTS["purchase_line"] == 78
    by_state = {state: int(count) for kind, state, count in truth(2) if kind == "purchase"}
    assert Counter(order["状态"] for order in orders) == by_state


def test_the_purchasing_control_file_counts_what_is_in_the_files(doors):
    control = csv_rows(doors, "控制总数.csv")

    assert {row["文件名"] for row in control} == {
        path.name for path in (doors / "hx_purchasing").iterdir() if path.name != "控制总数.csv"
    }
    for row in control:
        rows = csv_rows(doors, row["文件名"])
        assert len(rows) == int(row["行数"])
        if row["合计列"]:
            assert sum(Decimal(line[row["合计列"]]) for line in rows) == Decimal(row["合计"])


def test_the_books_balance_to_the_erps_own_total(doors):
    ((lines, debit, credit, _), _) = truth(3)

    rows = finance(doors, "count(*), sum(debit), sum(credit)", "凭证分录.parquet")

    assert rows == (int(lines), Decimal(debit), Decimal(credit))
    assert rows == (2483, Decimal("18237702.31"), Decimal("18237702.31"))
    control = json.loads((doors / "hx_finance" / "控制总数.json").read_text(encoding="utf-8"))
    (said,) = (entry for entry in control if entry["file"] == "凭证分录.parquet")
    assert (said["rows"], Decimal(said["sums"]["debit"]), Decimal(said["sums"]["credit"])) == rows


@pytest.mark.parametrize(
    ("file", "name"),
    [("凭证.parquet", "account_move"), ("发票.parquet", "invoice"), ("发票明细.parquet", "invoice_line")],
)
def test_finance_exports_every_document(doors, file, name):
    assert finance(doors, "count(*)", file) == (COUNTS[name],)


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("stock_move", "stock_move"),
        ("stock_shipment_in", "shipment_in"),
        ("stock_shipment_out", "shipment_out"),
        ("stock_shipment_out_return", "shipment_out_return"),
        ("stock_shipment_internal", "shipment_internal"),
        ("stock_inventory", "inventory"),
        ("production", "production"),
        ("production_work_cycle", "production_work_cycle"),
        ("product_product", "product"),
    ],
)
def test_the_warehouse_holds_every_document(doors, table, name):
    con = sqlite3.connect(doors / "hx_stock" / "wms_mes.db")

    (count,) = con.execute(f'select count(*) from "{table}"').fetchone()
    con.close()

    assert count == COUNTS[name]


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("sale_sale", "sale"),
        ("sale_line", "sale_line"),
        ("sale_opportunity", "opportunity"),
        ("product_product", "product"),
    ],
)
def test_the_sales_database_is_filled_with_every_document(sales, table, name):
    assert len(sales[table].rows) == COUNTS[name]


def test_sales_knows_customers_only(sales):
    parties = sales["party_party"]
    codes = {row[parties.columns.index("code")] for row in parties.rows}

    assert len(codes) == 72
    assert all(code.startswith("C") for code in codes)
    assert {code for (code, _) in truth(18)} <= codes


def test_timesheets_add_up_to_their_footer_and_to_the_erp(doors):
    lines = 0
    for (month, count, hours), (name, rows) in zip(
        truth(17), sheets(doors, "工时_*.xlsx", "工时"), strict=True
    ):
        title, empty, header, *data, footer = rows
        assert name == f"工时_{month}"
        assert title[0].startswith("华信精密装备有限公司 工时登记表")
        assert not any(empty)
        assert header == ("记录号", "日期", "工号", "姓名", "工作内容", "工时")
        assert footer[0] == "合计"
        assert len(data) == int(count)
        total = sum(Decimal(str(row[5])) for row in data)
        assert total == Decimal(str(footer[5]))
        # the ERP's answer is rounded to a tenth
        assert round(total, 1) == Decimal(hours)
        assert all(row[1].strftime("%Y-%m") == month for row in data)
        lines += len(data)
    assert lines == COUNTS["timesheet_line"] == 1912


def test_the_roster_is_on_its_own_sheet(doors):
    ((_, rows),) = sheets(doors, "员工花名册.xlsx", "花名册")

    assert rows[2] == ("工号", "姓名", "入职日期", "手机", "记录号")
    assert len(rows) - 3 == COUNTS["employee"]


def test_the_clock_at_the_door_shows_shanghai_time(doors):
    rows = [row for _, sheet in sheets(doors, "考勤_*.xlsx", "考勤") for row in sheet[1:]]

    # the ERP's own date column is the company's day; an instant left in UTC would still agree by day,
    # so the hour is looked at too: nobody comes before seven
    assert len(rows) == 1126
    assert all(row[1][:10] == row[2].strftime("%Y-%m-%d") for row in rows)
    assert all("07" <= row[1][11:13] <= "09" for row in rows if row[4] == "上班")


def door_columns(doors: Path, sales: dict[str, Table], source: str, stream: Stream) -> set[str]:
    if source == "hx_sales":
        return set(sales[stream.origin.removeprefix("public.")].columns)
    if source == "hx_stock":
        con = sqlite3.connect(doors / "hx_stock" / "wms_mes.db")
        columns = {row[1] for row in con.execute(f'pragma table_info("{stream.origin}")')}
        con.close()
        return columns
    assert stream.format is not None
    path = next(path for path in sorted((doors / source).iterdir()) if fnmatch(path.name, stream.origin))
    if stream.format.kind == "csv":
        return set(path.read_bytes().decode(stream.format.encoding).split("\r\n")[0].split(","))
    if stream.format.kind == "xlsx":
        assert stream.format.sheet is not None
        book = load_workbook(path, read_only=True)
        rows = list(book[stream.format.sheet].iter_rows(values_only=True, max_row=stream.format.header_row))
        book.close()
        return set(rows[-1])
    reader = "read_parquet" if stream.format.kind == "parquet" else "read_json"
    return {row[0] for row in duckdb.connect().execute(f"describe from {reader}('{path}')").fetchall()}


def test_the_contracts_promise_exactly_what_stands_behind_the_doors(doors, sales):
    different = {}
    for name, source in read_sources(ROOT / "sources").items():
        if not name.startswith("hx_"):
            continue
        for stream_name, stream in source.streams.items():
            promised = {stream.source_column(column) for column in stream.columns}
            odd = promised ^ door_columns(doors, sales, name, stream)
            if odd:
                different[f"{name}.{stream_name}"] = odd

    assert different == {}
