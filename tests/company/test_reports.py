"""Figures three departments hand in for the sample group: what agrees, and why the rest does not, by documents.

What is claimed here is added up in Python from rows of the marts, or is known from the ERP itself (tests/company/truth.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.company.conftest import Group
from tieout.claimed.check import check_file
from tieout.claimed.said import as_json
from tieout.cli.open import published

D = Decimal
PROJECT = Path(__file__).resolve().parents[2]
# Known from the ERP's own books: what 华信 booked, shipped and recognised from November 2025 to February 2026.
THREE = {"销售部": D("3974044.86"), "仓库": D("2694046.92"), "财务部": D("1838036.04")}
METRICS = {
    "销售部": "sales_order_amount_net",
    "仓库": "sales_shipped_amount_net",
    "财务部": "revenue_amount_net",
}
LABEL = "销售订单额（不含税）"


@pytest.fixture(scope="module")
def lines(group: Group) -> list[tuple]:
    """company, order, day, booked, net CNY, gross in the document's currency, currency"""
    return group.rows(
        "select company_code, order_no, order_date, is_booked, order_amount_net_cny, order_amount_gross_txn, currency_code"
        " from marts.fct_sales_order_line where order_date is not null and order_amount_net_cny is not null"
    )


def total(
    lines: list[tuple],
    first: date,
    last: date,
    keep: Callable[[tuple], bool] = lambda _: True,
    place: int = 4,
) -> Decimal:
    return sum((line[place] for line in lines if line[3] and first <= line[2] <= last and keep(line)), D(0))


def november(lines: list[tuple], keep: Callable[[tuple], bool] = lambda _: True, place: int = 4) -> Decimal:
    return total(lines, date(2025, 11, 1), date(2025, 11, 30), keep, place)


def of_hc(line: tuple) -> bool:
    return line[0] == "HC"


@pytest.fixture(scope="module")
def con(group: Group):
    with published(group.settings) as con:
        yield con


def written(folder: Path, rows: list[list]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append([str(cell) if isinstance(cell, Decimal) else cell for cell in row])
    book.save(folder / "handed.xlsx")
    return folder / "handed.xlsx"


def check(con, folder: Path, rows: list[list]) -> dict[str, Any]:
    return as_json(check_file(con, written(folder, rows)))


def causes(figure: dict[str, Any]) -> list[tuple[str, Decimal]]:
    """Of the likeliest explanation, which is exact."""
    first = figure["explanations"][0]
    found = [(cause["cause"], D(cause["amount"])) for cause in first["causes"]]
    assert D(first["residual"]) == 0
    assert sum(amount for _, amount in found) == D(figure["difference"])
    return sorted(found)


def test_three_departments_hand_in_three_sales_figures_and_each_agrees_with_its_metric(group, tmp_path):
    header = ["部门", "指标", "期间", "公司", "金额"]
    rows = [[name, "销售额", "2025-11 至 2026-02", "HX", float(amount)] for name, amount in THREE.items()]
    # Nobody says whose figure this is: it is refused, and shown against all three.
    rows.append(["", "销售额", "2025-11 至 2026-02", "HX", float(THREE["财务部"])])

    file = written(tmp_path, [["华信：三个部门的销售额"], header, *rows])
    done = group.run("report", "check", str(file), "--json", "--html", str(tmp_path / "three.html"), code=2)
    said = json.loads(done.stdout)

    assert {item["department"]: (item["metric"], item["state"]) for item in said["figures"]} == {
        name: (metric, "agrees") for name, metric in METRICS.items()
    }
    (unread,) = said["not_compared"]
    assert {one["metric"]: D(one["difference"]) for one in unread["if_it_means"]} == {
        METRICS[name]: THREE["财务部"] - amount for name, amount in THREE.items()
    }
    page = (tmp_path / "three.html").read_text(encoding="utf-8")
    assert "3,974,044.86" in page and "http" not in page.replace("http-equiv", "")


def test_one_of_the_three_handed_in_as_another_is_named(con, tmp_path):
    rows = [["指标", "期间", "公司", "金额"], [LABEL, "2025-11 至 2026-02", "HX", THREE["仓库"]]]

    (figure,) = check(con, tmp_path, rows)["figures"]

    assert causes(figure) == [("definition", THREE["仓库"] - THREE["销售部"])]
    assert "sales_shipped_amount_net" in figure["explanations"][0]["causes"][0]["title_en"]


def test_what_departments_do_differently_is_named_with_its_documents(con, lines, tmp_path):
    shifted = total(lines, date(2025, 10, 26), date(2025, 11, 25), of_hc)
    gross = november(lines, of_hc, place=5)
    assert {line[6] for line in lines if of_hc(line)} == {"CNY"}  # so gross needs no rate
    orders: dict[str, Decimal] = {}
    for line in lines:
        if of_hc(line) and line[3] and line[2].isoformat()[:7] == "2025-11":
            orders[line[1]] = orders.get(line[1], D(0)) + line[4]
    order, once = max(orders.items(), key=lambda item: item[1])  # the largest, so no other has its amount
    mine = november(lines, of_hc)
    wan = (mine / 10_000).quantize(D("0.01"))

    said = check(
        con, tmp_path,
        [
            ["指标", "期间", "公司", "数值"],
            [LABEL, "2025-11", "HC", shifted],
            [LABEL, "2025-11", "HC", gross],
            [LABEL, "2025-11", "HC", mine + once],
            [LABEL, "2025-11", "", november(lines) - mine],
            [LABEL, "2025-11", "HC", f"{wan}万"],
            [LABEL, "2025-11", "HC", total(lines, date(2025, 10, 26), date(2025, 11, 25), of_hc, place=5)],
            [LABEL, "2025-10-26 至 2025-11-25", "HC", shifted],
        ],
    )["figures"]  # fmt: skip

    assert [causes(figure) for figure in said[:5]] == [
        [("timing", shifted - mine)],
        [("tax", gross - mine)],
        [("duplicate", once)],
        [("scope", -mine)],
        [("rounding", wan * 10_000 - mine)],
    ]
    assert said[2]["explanations"][0]["causes"][0]["documents"] == [{"document": order, "amount": str(once)}]
    between = {
        line[1]
        for line in lines
        if of_hc(line) and line[3] and date(2025, 10, 26) <= line[2] <= date(2025, 10, 31)
    }
    between |= {
        line[1]
        for line in lines
        if of_hc(line) and line[3] and date(2025, 11, 26) <= line[2] <= date(2025, 11, 30)
    }
    assert {one["document"] for one in said[0]["explanations"][0]["causes"][0]["documents"]} == between
    assert [cause for cause, _ in causes(said[5])] == ["tax", "timing"]
    assert said[6]["state"] == "agrees"


def test_an_invented_figure_is_left_unexplained(con, lines, tmp_path):
    claimed = november(lines, of_hc) * 3 + D("1234567.89")

    (figure,) = check(con, tmp_path, [["指标", "期间", "公司", "数值"], [LABEL, "2025-11", "HC", claimed]])[
        "figures"
    ]

    assert figure["state"] == "unexplained"
    assert all(D(one["residual"]) != 0 for one in figure["explanations"])


def test_a_balance_and_stock_are_compared_at_the_end_of_the_period(group, con, tmp_path):
    ((receivable,),) = group.rows(
        "select sum(balance_amount_cny) from marts.fct_ledger_entry_line"
        " where is_posted and is_receivable and company_code = 'HX' and entry_date < date '2026-01-01'"
    )
    ((early,),) = group.rows(
        "select sum(balance_amount_cny) from marts.fct_ledger_entry_line"
        " where is_posted and is_receivable and company_code = 'HX' and entry_date < date '2025-12-01'"
    )
    rows = [
        ["指标", "期间", "公司", "数值"],
        ["应收", "2025-12", "HX", receivable],
        ["应收", "2025-12", "HX", early],
    ]

    first, second = check(con, tmp_path, rows)["figures"]

    assert first["state"] == "agrees"
    assert [cause for cause, _ in causes(second)] == ["timing"]


def test_the_example_in_the_documentation_says_what_its_remarks_say(con, lines):
    said = as_json(check_file(con, PROJECT / "examples" / "reports" / "huaxin_sales.csv"))["figures"]

    def hx(line: tuple) -> bool:
        return line[0] == "HX"

    december = total(lines, date(2025, 12, 1), date(2025, 12, 31), hx)
    order = total(lines, date(2026, 1, 1), date(2026, 1, 31), lambda line: hx(line) and line[1] == "89")
    assert [item["state"] for item in said] == ["agrees"] * 3 + ["explained"] * 4
    assert causes(said[3]) == [
        ("timing", total(lines, date(2025, 11, 26), date(2025, 12, 25), hx) - december)
    ]
    assert causes(said[4]) == [("duplicate", order)]
    assert said[4]["explanations"][0]["causes"][0]["documents"] == [{"document": "89", "amount": str(order)}]
    assert [kind for kind, _ in causes(said[5])] == ["timing"]
    assert [kind for kind, _ in causes(said[6])] == ["rounding"]


def test_fifty_figures_in_one_file(con, lines, tmp_path):
    rows: list[list] = [["指标", "期间", "公司", "数值"]]
    states = []
    for month, last in ((date(2025, 10, 1), date(2025, 10, 31)), (date(2025, 11, 1), date(2025, 11, 30))):
        for company in ("HX", "HC", "HCE"):

            def mine(line: tuple, company: str = company) -> bool:
                return line[0] == company

            true = total(lines, month, last, mine)
            late = total(lines, month, last - timedelta(days=2), mine)
            rows += [[LABEL, f"{month:%Y-%m}", company, figure] for figure in (
                true, late, true * 10, (true * D("1.13")).quantize(D("0.01")), f"{(true / 10_000).quantize(D('0.01'))}万",
                total(lines, month, last, mine, place=5), true + D("0.37"), true,
            )]  # fmt: skip
            states += ["agrees", None, "explained", "explained", "explained", None, None, "agrees"]
    rows += [[LABEL, "2025-11", "", november(lines)]] * 2

    said = check(con, tmp_path, rows)["figures"]

    assert len(said) == 50
    assert all(state in (None, item["state"]) for state, item in zip(states, said[:48], strict=True))
