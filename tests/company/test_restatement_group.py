"""The restatement ledger on the whole group: purchasing hands in edited files, and each moved cent has its cause.

What should have moved is worked out from the files themselves, in Python.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from tests.company.conftest import Company

pytestmark = [pytest.mark.company, pytest.mark.slow, pytest.mark.nightly]

MONTH, EARLIER = "2026-02", "2026-01-30"
LINES, ORDERS = f"采购订单明细_{MONTH}.csv", f"采购订单_{MONTH}.csv"
HOURS = f"工时_{MONTH}.xlsx"
ONLY = ("--only", "hx_purchasing", "--only", "hx_people")
METRIC = "purchase_order_amount_net"


@dataclass(frozen=True)
class Edited:
    """The installation after the second publish, and what each cause should amount to."""

    company: Company
    expected: dict[str, Decimal]
    hours: Decimal


def doors(company: Company) -> dict[str, str]:
    """Where the two offices of this copy drop their files."""
    drop = company.home / "company"
    return {"HX_PURCHASING_DROP": str(drop / "hx_purchasing"), "HX_PEOPLE_DROP": str(drop / "hx_people")}


def work_written_down_late(file: Path) -> Decimal:
    """One line more in a timesheet of a closed month, and its total; returns its hours."""
    from openpyxl import load_workbook

    book = load_workbook(file)
    sheet = book["工时"]
    rows = list(sheet.iter_rows())
    header = [cell.value for cell in rows[2]]
    number, hours = header.index("记录号"), header.index("工时")
    footer = next(row for row in rows if any(cell.value == "合计" for cell in row))
    line = [cell.value for cell in rows[3]]
    total = [cell.value for cell in footer]
    line[number] = 990001
    total[hours] += line[hours]
    for column, (above, below) in enumerate(zip(line, total, strict=True), start=1):
        sheet.cell(footer[0].row, column, above)
        sheet.cell(footer[0].row + 1, column, below)
    book.save(file)
    return Decimal(str(line[hours]))


def read(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_bytes().decode("gb18030"))))


def write(file: Path, rows: list[dict[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    file.write_bytes(text.getvalue().encode("gb18030"))


def net(line: dict[str, str]) -> Decimal:
    return (Decimal(line["数量"]) * Decimal(line["单价"])).quantize(Decimal("0.01"), ROUND_HALF_UP)


def state_totals(drop: Path, lines: list[dict[str, str]]) -> None:
    """The office sends the totals of what it sends."""
    totals = read(drop / "控制总数.csv")
    for row in totals:
        if row["文件名"] == LINES:
            row["行数"] = str(len(lines))
            row["合计"] = str(sum(Decimal(line[row["合计列"]]) for line in lines))
    write(drop / "控制总数.csv", totals)


@pytest.fixture(scope="module")
def edited(group, place) -> Edited:
    company = group.copied(place / "restated")
    drop = company.home / "company" / "hx_purchasing"
    lines, orders = read(drop / LINES), read(drop / ORDERS)
    by_order = defaultdict(list)
    for line in lines:
        by_order[line["采购订单号"]].append(line)
    received = [row for row in orders if row["收货状态"] == "received"]
    assert {row["币种"] for row in orders} == {"CNY"}
    assert {row["状态"] for row in orders} == {"processing"}
    expected: dict[str, Decimal] = defaultdict(Decimal)
    # A price is corrected in a line of one order; another order is dated back, whose lines stay as they are.
    dear = by_order[received[0]["采购订单号"]][0]
    before = net(dear)
    dear["单价"] = str(Decimal(dear["单价"]) + Decimal("1.25"))
    expected["source_edit"] += net(dear) - before
    received[1]["订单日期"] = EARLIER
    expected["source_edit"] -= sum(map(net, by_order[received[1]["采购订单号"]]))
    write(drop / LINES, lines)
    write(drop / ORDERS, orders)
    state_totals(drop, lines)
    hours = work_written_down_late(company.home / "company" / "hx_people" / HOURS)
    done = company.run("refresh", *ONLY, code=None, **doors(company))
    assert done.returncode in {0, 4}, done.stderr
    assert "published numbers moved" in done.stderr
    return Edited(company, dict(expected), hours)


def test_each_cause_amounts_to_what_the_files_say(edited):
    found = dict(
        edited.company.rows(
            "select cause, sum(amount) from ops.restatement where metric_name = ? and dim_set = 'all'"
            " and period_start = ? group by cause",
            METRIC,
            f"{MONTH}-01",
        )
    )
    assert found == edited.expected


def test_hours_written_down_after_their_month_are_late(edited):
    found = edited.company.rows(
        "select cause, amount, evidence from ops.restatement where metric_name = 'worked_hours' and dim_set = 'all'"
        " and period_start = ?",
        f"{MONTH}-01",
    )
    assert found == [("late_row", edited.hours, "hx_people.timesheet:990001")]


def test_no_number_of_any_metric_has_an_amount_without_a_cause(edited):
    assert (
        edited.company.rows("select distinct metric_name from ops.restatement where cause = 'unexplained'")
        == []
    )
    off = edited.company.value(
        "select count(*) from (select 1 from ops.restatement group by publish_id, metric_name, time_grain, dim_set,"
        " period_start, dims, value_before, value_after"
        " having sum(amount) <> coalesce(value_after, 0) - coalesce(value_before, 0))"
    )
    assert off == 0


def test_the_ledger_holds_what_is_published_now_and_nothing_twice(edited):
    company = edited.company
    company.run("refresh", *ONLY, code=None, **doors(company))
    assert company.value("select count(*) from ops.number_publish") == 2
    differing = company.value(
        "select count(*) from (from ops.published_number where publish_to is null and time_grain = 'month') as kept"
        " full join (from metrics.metric_values where time_grain = 'month') as now"
        " on kept.metric_name = now.metric_name and kept.dim_set = now.dim_set and kept.dims = now.dims"
        # a draft has no date
        " and kept.period_start is not distinct from now.period_start"
        " where kept.value is distinct from now.value"
    )
    assert differing == 0


def test_the_command_names_the_rows(edited):
    said = edited.company.run("metrics", "restated", METRIC, "--period", MONTH).stdout
    assert "hx_purchasing.purchase_order_line:" in said
    for cause, amount in edited.expected.items():
        assert cause in said
        assert f"{amount:,.2f}" in said
