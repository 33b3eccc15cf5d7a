"""From one cell of one metric to the rows of the source; their sum is the cell."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest

from tests.company.truth import monthly, section

pytestmark = [pytest.mark.company]


def traced(company, *question: str) -> list[dict[str, str]]:
    done = company.run("trace", *question, "--csv", "--rows", "0")
    return list(csv.DictReader(io.StringIO(done.stdout)))


@pytest.mark.parametrize(
    ("name", "number"),
    [("sales_order_amount_net", 6), ("sales_shipped_amount_net", 7), ("revenue_amount_net", 4)],
)
def test_rows_add_up_to_the_independent_total(company, name, number):
    for month, amount in monthly(number).items():
        rows = traced(company, name, "--period", month)
        assert sum(Decimal(row["amount"]) for row in rows) == amount
        assert all(row["table or file"] and row["row"] and row["batch"] for row in rows)


def test_the_named_row_of_the_named_batch_is_that_record(company):
    import duckdb

    rows = traced(company, "revenue_amount_net", "--period", "2026-01")
    for row in rows[:5]:
        folder: Path = company.home / "landing" / row["system"] / "ledger_line" / row["batch"]
        landed = duckdb.sql(
            f"select id, credit - debit from read_parquet('{folder / row['table or file']}', file_row_number=true)"
            f" where file_row_number = {int(row['row']) - 1}"
        ).fetchone()
        assert str(landed[0]) == row["record"]
        assert Decimal(str(landed[1])) == Decimal(row["amount"])


def test_a_line_of_an_excel_sheet_is_named(company):
    import openpyxl

    rows = traced(company, "worked_hours", "--period", "2025-10")
    assert round(sum(Decimal(row["amount"]) for row in rows), 1) == Decimal(section(17)[0][2])
    first = rows[0]
    name, sheet = first["table or file"].split("#")
    book = openpyxl.load_workbook(company.home / "company" / "hx_people" / name, data_only=True)
    cells = [cell.value for cell in book[sheet][int(first["row"])]]
    assert str(cells[0]) == first["record"]


def test_a_balance_and_a_formula_are_traced(company):
    said = company.run("trace", "receivable_balance", "--period", "2025-11")
    assert "= the cell" in said.stdout
    said = company.run("trace", "goods_received_not_invoiced_amount_net", "--period", "2025-12")
    assert "= the cell" in said.stdout
