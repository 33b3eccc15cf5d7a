"""Adventure Works joins the group (examples/adventureworks): every total of its README comes out of the same marts and
metrics, computed a second time here, straight from its files; 华信's figures stay as they were.

The data may not be shipped: it is looked for beside the project or below TIEOUT_DATA.
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pytest

from tests.company.test_renamed_column import Elsewhere
from tieout.engine import connect
from tieout.metrics.answer import answer
from tieout.settings import PROJECT

pytestmark = [pytest.mark.company, pytest.mark.slow, pytest.mark.nightly]

EXAMPLE = PROJECT / "examples" / "adventureworks"
SHIFT = timedelta(days=4170)  # what the sales warehouse's calendar is behind by
FACTS = ("internet_sales", "reseller_sales")
D = Decimal


@pytest.fixture(scope="module")
def data() -> Path:
    """The folder with `adventureworks` in it; the tests are skipped where it is not."""
    folder = Path(os.environ.get("TIEOUT_DATA") or PROJECT.parent / "shared" / "data")
    if not (folder / "adventureworks").is_dir():
        pytest.skip(f"{folder / 'adventureworks'} is not there (set TIEOUT_DATA)")
    return folder


@pytest.fixture(scope="module")
def files(data) -> Callable[[str], list[tuple]]:
    """Ask the files themselves: `{oltp}` and `{dw}` stand for their folders."""
    folder, con = data / "adventureworks", duckdb.connect()

    def ask(sql: str) -> list[tuple]:
        sales = (
            "(select 'internet_sales' as channel, * from '{dw}/FactInternetSales.parquet'"
            " union all by name select 'reseller_sales' as channel, * from '{dw}/FactResellerSales.parquet')"
        )
        return con.sql(
            sql.replace("{sales}", sales)
            .replace("{oltp}", str(folder / "oltp"))
            .replace("{dw}", str(folder / "sales_dw"))
        ).fetchall()

    return ask


@dataclass(frozen=True)
class Acquired(Elsewhere):
    """The group with Adventure Works in it; `said` is what the refresh printed."""

    said: str

    def metric(self, name: str, **question):
        with connect(self.home / "snapshots" / "current.duckdb", read_only=True) as con:
            return answer(con, name, **question).rows


@pytest.fixture(scope="module")
def group(data, company, place) -> Acquired:
    project = place / "with_adventureworks"
    subprocess.run([sys.executable, str(EXAMPLE / "join.py"), str(project)], check=True, capture_output=True)
    home = company.copied(place / "acquired").home
    said = Elsewhere(home, project).run("refresh", TIEOUT_DATA=str(data)).stdout
    return Acquired(home, project, said)


@pytest.fixture(scope="module")
def in_cny(files) -> Callable[[date, Decimal], Decimal]:
    """A dollar amount at the rate of a day of the group's calendar, in cents; before the first rate, the first one."""
    rates = files(
        "select CurrencyRateDate::date, AverageRate from '{oltp}/Sales_CurrencyRate.parquet'"
        " where FromCurrencyCode = 'USD' and ToCurrencyCode = 'CNY' order by 1"
    )
    days = [day for day, _ in rates]

    def convert(day: date, amount: Decimal) -> Decimal:
        rate = rates[max(bisect_right(days, day) - 1, 0)][1]
        return (D(amount) * rate).quantize(D("0.01"), ROUND_HALF_UP)

    return convert


# --- sales: from the warehouse's own keys, versions and calendar ---


def test_sales_by_channel_are_the_published_figures(group, files):
    found = group.rows(
        "select source_stream, count(*), count(distinct order_no), sum(order_amount_net_txn), sum(order_amount_tax_txn)"
        " from marts.fct_sales_order_line where company_code = 'AW' and is_booked group by 1 order by 1"
    )
    assert found == files(
        "select channel, count(*), count(distinct SalesOrderNumber), sum(SalesAmount), sum(TaxAmt)"
        " from {sales} group by 1 order by 1"
    )
    assert [row[:4] for row in found] == [
        ("internet_sales", 60398, 27659, D("29358677.2207")),
        ("reseller_sales", 60855, 3796, D("80450596.9823")),
    ]
    assert sum(row[4] for row in found) == D("8784741.8367")
    assert group.rows("select distinct currency_code from marts.fct_sales_order_line where company_code = 'AW'") == [("USD",)]  # fmt: skip


def test_sales_by_order_year_and_month(group, files):
    for part in ("year", "month"):
        assert group.rows(
            f"select source_stream, date_trunc('{part}', order_date - 4170)::date, sum(order_amount_net_txn)"
            " from marts.fct_sales_order_line where company_code = 'AW' group by all order by all"
        ) == files(
            f"select channel, date_trunc('{part}', OrderDate)::date, sum(SalesAmount) from {{sales}} group by all order by all"
        )


def test_sales_by_ship_year(group, files):
    found = group.rows(
        "select year(ship_date - 4170), sum(shipped_amount_net_txn) from marts.fct_delivery_line"
        " where company_code = 'AW' and is_shipped group by 1 order by 1"
    )
    assert found == files("select year(ShipDate), sum(SalesAmount) from {sales} group by 1 order by 1")
    assert dict(found)[2013] == D("52522104.8347")


def test_sales_by_category_and_by_product_number(group, files):
    dims = "marts.fct_sales_order_line join marts.dim_product using (product_key) where company_code = 'AW'"
    versions = "{sales} join '{dw}/DimProduct.parquet' using (ProductKey)"
    assert group.rows(f"select category_name, sum(order_amount_net_txn) from {dims} group by 1 order by 1") == files(
        f"select EnglishProductCategoryName, sum(SalesAmount) from {versions}"
        " join '{dw}/DimProductSubcategory.parquet' using (ProductSubcategoryKey)"
        " join '{dw}/DimProductCategory.parquet' using (ProductCategoryKey) group by 1 order by 1"
    )  # fmt: skip
    assert group.rows(
        f"select product_code, sum(order_qty), sum(order_amount_net_txn) from {dims} group by 1 order by 1"
    ) == files(
        f"select ProductAlternateKey, sum(OrderQuantity), sum(SalesAmount) from {versions} group by 1 order by 1"
    )


def test_the_metric_says_the_same_in_cny(group, files, in_cny):
    lines = files(
        "select OrderDate::date, EnglishProductCategoryName, SalesAmount from {sales}"
        " join '{dw}/DimProduct.parquet' using (ProductKey)"
        " join '{dw}/DimProductSubcategory.parquet' using (ProductSubcategoryKey)"
        " join '{dw}/DimProductCategory.parquet' using (ProductCategoryKey)"
    )
    months, categories = defaultdict(D), defaultdict(D)
    for day, category, amount in lines:
        value = in_cny(day + SHIFT, amount)
        months[(day + SHIFT).replace(day=1)] += value
        categories[category] += value
    name, us = "sales_order_amount_net", {"company_code": "AW"}
    assert {row[0]: row[-1] for row in group.metric(name, grain="month", where=us)} == dict(months)
    assert {row[0]: row[-1] for row in group.metric(name, by=["category_name"], where=us)} == dict(categories)
    assert dict(group.metric(name, by=["company_code"]))["AW"] == sum(months.values())
    # … and on the command line, beside the company that was there before
    said = group.run("metric", name, "--by", "company_code", "--csv").stdout
    told = {row["company_code"]: D(row["value"]) for row in csv.DictReader(io.StringIO(said))}
    assert told == {"AW": sum(months.values()), "HX": D("4122448.56")}


def test_shipped_and_gross_margin_in_cny(group, files, in_cny):
    shipped = cost = D(0)
    for day, amount, spent in files("select ShipDate::date, SalesAmount, TotalProductCost from {sales}"):
        shipped += in_cny(day + SHIFT, amount)
        cost += in_cny(day + SHIFT, spent)
    assert dict(group.metric("sales_shipped_amount_net", by=["company_code"]))["AW"] == shipped
    assert group.rows(
        "select sum(shipped_amount_net_cny), sum(cost_amount_cny) from marts.fct_delivery_line where company_code = 'AW'"
    ) == [(shipped, cost)]


def test_what_no_mart_has_a_place_for_is_whole_in_staging(group, files):
    """Freight of sales, costs in dollars, and the tax and freight of purchase orders end at staging."""
    assert group.rows(
        " union all ".join(
            f"select sum(freight_amount_txn), sum(order_amount_net_txn - cost_amount_txn) from staging.stg_aw_sales_dw__{fact}"
            for fact in FACTS
        )
        + " order by 1"
    ) == files(
        "select sum(Freight), sum(SalesAmount - TotalProductCost) from {sales} group by channel order by 1"
    )
    ((freight, margin),) = files("select sum(Freight), sum(SalesAmount - TotalProductCost) from {sales}")
    assert (freight, margin) == (D("2745235.5249"), D("12551366.2483"))
    assert group.rows(
        "select sum(order_amount_net_txn), sum(order_amount_tax_txn), sum(freight_amount_txn), sum(order_amount_due_txn)"
        " from staging.stg_aw_oltp__purchase_orders"
    ) == files(
        "select sum(SubTotal), sum(TaxAmt), sum(Freight), sum(TotalDue) from '{oltp}/Purchasing_PurchaseOrderHeader.parquet'"
    )
    assert group.value("select sum(order_amount_due_txn) from staging.stg_aw_oltp__purchase_orders") == D(
        "70479332.6383"
    )


# --- purchasing ---

PURCHASES = "'{oltp}/Purchasing_PurchaseOrderHeader.parquet' h join '{oltp}/Purchasing_PurchaseOrderDetail.parquet' d using (PurchaseOrderID)"


def test_purchase_orders_by_status(group, files):
    found = group.rows(
        "select order_status_code, count(distinct order_no), count(*), sum(order_amount_net_txn), sum(order_qty)"
        " from marts.fct_purchase_order_line where company_code = 'AW' group by 1"
    )
    assert {row[0]: row[1:] for row in found} == {
        {1: "submitted", 2: "confirmed", 3: "cancelled", 4: "done"}[row[0]]: row[1:]
        for row in files(
            f"select Status, count(distinct PurchaseOrderID), count(*), sum(LineTotal), sum(OrderQty) from {PURCHASES} group by 1"
        )
    }
    assert {row[0]: row[3] for row in found} == {
        "submitted": D("3505773.4680"),
        "confirmed": D("2164338.9150"),
        "cancelled": D("1301825.9205"),
        "done": D("56820056.5345"),
    }
    assert sum(row[3] for row in found) == D("63791994.8380")


def test_purchase_order_years(group, files):
    assert group.rows(
        "select year(order_date), sum(order_amount_net_txn) from marts.fct_purchase_order_line"
        " where company_code = 'AW' group by 1 order by 1"
    ) == files(f"select year(OrderDate), sum(LineTotal) from {PURCHASES} group by 1 order by 1")


def test_received_refused_stocked(group, files):
    received, refused = group.rows(
        "select sum(receipt_qty) from marts.fct_goods_receipt_line where company_code = 'AW' group by receipt_kind order by receipt_kind"
    )
    assert (*received, -refused[0], received[0] + refused[0]) == (2327299, 72700, 2254599)
    assert [(*received, -refused[0], received[0] + refused[0])] == files(
        f"select sum(ReceivedQty), sum(RejectedQty), sum(StockedQty) from {PURCHASES}"
    )


def test_purchasing_metrics_in_cny(group, files, in_cny):
    ordered = defaultdict(D)
    received = D(0)
    for status, vendor, day, ship, amount, price, came, went in files(
        "select Status, v.AccountNumber, OrderDate::date, ShipDate::date, LineTotal, UnitPrice, ReceivedQty, RejectedQty"
        f" from {PURCHASES} join '{{oltp}}/Purchasing_Vendor.parquet' v on v.BusinessEntityID = h.VendorID"
    ):
        if status in (2, 4):
            ordered[vendor] += in_cny(day, amount)
        received += in_cny(ship, came * price) - in_cny(ship, went * price)
    us = {"company_code": "AW"}
    rows = group.metric("purchase_order_amount_net", by=["supplier_code"], where=us)
    assert {row[0]: row[-1] for row in rows} == dict(ordered)
    assert dict(group.metric("goods_received_amount_net", by=["company_code"]))["AW"] == received


# --- stock, people, places ---


def test_stock_on_hand(group, files):
    ((bins, units, products),) = files(
        "select count(*), sum(Quantity), count(distinct ProductID) from '{oltp}/Production_ProductInventory.parquet'"
    )
    assert (bins, units, products) == (1069, 335974, 432)
    assert group.rows(
        "select count(*), sum(closing_qty), count(distinct product_key) from marts.fct_stock_balance_day"
        " where company_code = 'AW' group by balance_date order by balance_date desc limit 1"
    ) == [(bins, units, products)]
    on_hand = group.metric("stock_on_hand_qty", by=["company_code", "base_uom_code"])
    assert {row[1]: row[-1] for row in on_hand if row[0] == "AW"} == {"piece": units}
    assert group.rows(
        "select product_code, warehouse_name, sum(closing_qty) from marts.fct_stock_balance_day"
        " join marts.dim_product using (product_key) join marts.dim_warehouse using (warehouse_key)"
        " where fct_stock_balance_day.company_code = 'AW' and balance_date = (select max(balance_date) from marts.fct_stock_balance_day)"
        " group by all order by all"
    ) == files(
        "select ProductNumber, l.Name, sum(Quantity) from '{oltp}/Production_ProductInventory.parquet'"
        " join '{oltp}/Production_Product.parquet' using (ProductID)"
        " join '{oltp}/Production_Location.parquet' l using (LocationID) group by all order by all"
    )
    assert group.value(
        "select sum(move_qty * unit_price_txn) from marts.fct_stock_move where company_code = 'AW' and move_kind = 'opening'"
    ) == D("20092679.1712")


def test_daily_inventory_is_held_and_rolls_forward(group, files):
    assert group.rows(
        "select count(*), sum(in_qty), sum(out_qty), min(movement_date) - 4170, max(movement_date) - 4170"
        " from staging.stg_aw_sales_dw__product_inventory_days"
    ) == files(
        "select count(*), sum(UnitsIn), sum(UnitsOut), min(MovementDate), max(MovementDate) from '{dw}/FactProductInventory.parquet'"
    )
    assert not group.rows(
        "select * from (select *, lag(balance_qty) over (partition by source_product order by movement_date) as before_qty"
        " from staging.stg_aw_sales_dw__product_inventory_days) where before_qty + in_qty - out_qty <> balance_qty"
    )


def test_people_departments_vendors(group):
    assert group.rows(
        "select count(*), count(*) filter (valid_to is null) from staging.stg_aw_oltp__employee_departments"
    ) == [(296, 290)]
    assert group.value("select count(*) from marts.dim_employee where source_system = 'aw_oltp' and is_active") == 290  # fmt: skip
    assert group.rows(
        "select organisation_kind, count(*) from marts.dim_organisation"
        " where organisation_code = 'AW' or organisation_code like 'AW-%' group by 1 order by 1"
    ) == [("company", 1), ("department", 16)]
    assert group.rows(
        "select count(*), count(*) filter (is_active) from marts.dim_supplier where source_system = 'aw_oltp'"
    ) == [(104, 100)]


# --- who is who, and when ---


def test_keys_of_two_systems_are_one_and_nobody_is_merged_with_another(group, files):
    """606 versions are 504 products; every customer of the warehouse is one account; nothing is shared with 华信."""
    assert group.rows(
        "select entity, count(*), count(distinct master_key) from master.crosswalk where source_system like 'aw_%' group by 1 order by 1"
    ) == [("customer", 39005, 19820), ("employee", 290, 290), ("product", 1110, 504), ("supplier", 104, 104)]
    assert not group.rows(
        "select master_key from master.crosswalk group by entity, master_key having count(distinct source_system like 'aw_%') > 1"
    )
    joined = dict(
        group.rows(
            "select dw.source_key, oltp.source_key from master.crosswalk as dw join master.crosswalk as oltp using (entity, master_key)"
            " where entity = 'customer' and dw.source_system = 'aw_sales_dw' and oltp.source_system = 'aw_oltp'"
        )
    )
    assert joined == dict(
        files(
            "select 'C' || CustomerKey, CustomerAlternateKey from '{dw}/DimCustomer.parquet'"
            " union all select 'R' || ResellerKey, ResellerAlternateKey from '{dw}/DimReseller.parquet'"
        )
    )


def test_no_fact_row_is_unmatched(group):
    for fact, keys in {
        "fct_sales_order_line": ("customer", "product", "company"),
        "fct_delivery_line": ("customer", "product", "sales_order_line"),
        "fct_purchase_order_line": ("supplier", "product", "employee", "organisation", "company"),
        "fct_goods_receipt_line": ("supplier", "product", "purchase_order_line"),
        "fct_stock_move": ("product", "to_warehouse"),
        "fct_stock_balance_day": ("product", "warehouse"),
    }.items():
        lost = " or ".join(f"{key}_key = 'unmatched'" for key in keys)
        assert group.value(f"select count(*) from marts.{fact} where company_code = 'AW' and ({lost})") == 0
        assert group.value(f"select count(*) from marts.{fact} where company_code = 'AW'") > 0
    # the one list that did not come: salespeople, whom only reseller orders name
    assert group.rows(
        "select source_stream, employee_key, count(*) from marts.fct_sales_order_line where company_code = 'AW' group by all order by 1"
    ) == [("internet_sales", "not_applicable", 60398), ("reseller_sales", "unmatched", 60855)]


def test_the_calendars_are_4170_days_apart_on_every_order_both_date(group, files):
    assert files(
        "select date_diff('day', o.day, r.ModifiedDate), count(*) from '{oltp}/Sales_SalesOrderHeaderSalesReason.parquet' r"
        " join (select replace(SalesOrderNumber, 'SO', '')::int as id, min(OrderDate) as day from '{dw}/FactInternetSales.parquet' group by 1) o"
        " on o.id = r.SalesOrderID group by 1"
    ) == [(4170, 27647)]
    assert group.rows(
        "select reason_date - order_date, count(*) from staging.stg_aw_oltp__sales_order_reasons"
        " join (select distinct order_no, order_date from staging.stg_aw_sales_dw__internet_sales) using (order_no) group by 1"
    ) == [(0, 27647)]


# --- the rest of the group, and what departments claim ---


def test_nothing_changes_for_the_company_that_was_there(group, company):
    assert group.columns_named_twice() == []
    con = duckdb.connect()
    con.execute(f"attach '{company.home / 'warehouse.duckdb'}' as before (read_only)")
    con.execute(f"attach '{group.home / 'warehouse.duckdb'}' as after (read_only)")
    facts = [
        row[0]
        for row in con.execute(
            "select distinct table_name from duckdb_columns() where database_name = 'before' and schema_name = 'marts'"
            " and column_name = 'company_code' and table_name like 'fct_%'"
        ).fetchall()
    ]
    assert len(facts) >= 16
    for fact in facts:
        for ours, theirs in (("before", "after"), ("after", "before")):
            ((lost,),) = con.execute(
                f"select count(*) from (select * from {ours}.marts.{fact} where company_code = 'HX'"
                f" except all select * from {theirs}.marts.{fact} where company_code = 'HX')"
            ).fetchall()
            assert lost == 0, f"{fact}: {lost} rows only {ours}"
    # every governed value of that company, or of a thing of its own, at every grain
    own = "|".join(
        ("company_code", "customer_code", "supplier_code", "product_code", "warehouse_code", "account_code")
    )
    changed = con.execute(
        "select metric_name, time_grain, dim_set, period_start, dims, value from before.metrics.metric_values"
        f" where regexp_matches(dim_set, '{own}')"
        " except select metric_name, time_grain, dim_set, period_start, dims, value from after.metrics.metric_values"
    ).fetchall()
    assert changed == []
    assert con.execute("select count(*) > 10000 from before.metrics.metric_values").fetchall() == [(True,)]


def test_what_holds_and_what_breaks(group):
    said = {
        row[0]: row[1:]
        for row in group.rows(
            "select identity, status, left_total, right_total, unexplained from tie.identity_result"
        )
    }
    assert said["aw_orders_equal_their_lines"][0] == "holds"
    assert said["stock_rolls_forward"][0] == "holds"
    assert said["stock_balance_equals_moves"][0] == "holds"
    # orders of a month to deliveries of a month: other months and other rates account for every cent
    assert (said["booked_to_shipped"][0], said["booked_to_shipped"][3]) == ("explained", 0)
    # complete orders that received less than they asked for, 355 lines; the system gives no reason
    assert (said["aw_purchased_is_received"][0], abs(said["aw_purchased_is_received"][3])) == (
        "broken",
        19783,
    )
    # two systems, two stocks: not one of 504 products agrees
    assert said["aw_stock_of_two_systems"][:3] == ("broken", 335974, 258981)


def test_what_two_systems_say_of_the_same_thing(group, files):
    """Both sides and every cause of the claims about two systems, from the files; sales at cost, price, reason, quota."""
    said = {
        row[0]: row[1:]
        for row in group.rows(
            "select identity, status, left_total, right_total, unexplained from tie.identity_result"
        )
    }
    causes = {
        (identity, cause): amount
        for identity, cause, amount in group.rows(
            "select identity, cause_name, sum(cause_amount) from tie.identity_break group by all"
        )
    }
    ((orders, lines, at_most),) = files(
        """
        select count(distinct (SalesOrderNumber, SalesReasonKey)), count(*),
            count(*) - count(distinct (SalesOrderNumber, SalesReasonKey))
        from '{dw}/FactInternetSalesReason.parquet'
        """
    )
    assert files("select count(*) from '{oltp}/Sales_SalesOrderHeaderSalesReason.parquet'") == [(orders,)]
    assert said["aw_sales_reasons_of_two_systems"] == ("explained", orders, lines, 0)
    assert causes["aw_sales_reasons_of_two_systems", "duplicate"] == at_most == 36868

    ((quota,),) = files("select sum(SalesQuota) from '{oltp}/Sales_SalesPersonQuotaHistory.parquet'")
    assert files("select sum(SalesAmountQuota) from '{dw}/FactSalesQuota.parquet'") == [(quota,)]
    assert said["aw_sales_quotas_of_two_systems"] == ("holds", quota, quota, 0)

    ((cost, shop, both),) = files(
        "select sum(TotalProductCost), sum(SalesAmount) filter (where channel = 'internet_sales'), sum(SalesAmount)"
        " from {sales}"
    )
    assert said["aw_cost_of_sales_of_two_systems"] == ("holds", cost, cost, 0)
    assert said["aw_shop_price_is_list_price"] == ("holds", shop, shop, 0)
    assert both - said["aw_sales_are_price_less_discount"][1] == D("0.0378")
    assert causes["aw_sales_are_price_less_discount", "rounding"] == D("0.0378")

    ((due,),) = files(
        "select sum(SubTotal + TaxAmt + Freight) from '{oltp}/Purchasing_PurchaseOrderHeader.parquet'"
    )
    assert said["aw_purchase_orders_due"] == ("holds", due, due, 0)
    assert said["aw_posts_equal_employees"] == ("holds", 290, 290, 0)
    balances = "select sum(UnitsBalance) from '{dw}/FactProductInventory.parquet' where DateKey > 20101228"
    ((rolled,),) = files(balances)
    assert said["aw_daily_inventory_rolls_forward"] == ("holds", rolled, rolled, 0)


def test_orders_and_the_books_differ_and_it_is_shown(group, files):
    """The finance extract has no figures for five months of orders; in the others it differs, and says no reason."""
    ordered = dict(files("select strftime(OrderDate, '%Y-%m'), sum(SalesAmount) from {sales} group by 1"))
    booked = dict(
        files(
            """
            select strftime(f.Date, '%Y-%m'), sum(cast(round(f.Amount, 2) as decimal(18, 2)))
            from '{dw}/FactFinance.parquet' f join '{dw}/DimAccount.parquet' a using (AccountKey)
            where f.ScenarioKey = 1 and a.AccountDescription = 'Trade Sales' group by 1
            """
        )
    )
    found = group.rows(
        "select strftime(month_start_date, '%Y-%m'), left_value, right_value, scope_amount, unexplained"
        " from tie.identity_aw_orders_to_trade_sales order by 1"
    )
    assert found == [
        (
            month,
            amount,
            booked.get(month, 0),
            0 if month in booked else -amount,
            booked[month] - amount if month in booked else 0,
        )
        for month, amount in sorted(ordered.items())
    ]
    assert sum(month not in booked for month in ordered) == 5
    assert sum(row[4] for row in found) == D("-2401552.4328")
    # every organisation's books balance in every month and scenario; no department's do
    assert group.rows(
        "select status, group_count, groups_off from tie.identity_result where identity = 'aw_books_balance'"
    ) == [("holds", 261, 0)]


def test_rates_of_two_systems_differ_by_the_days_one_of_them_lacks(group, files):
    both = files(
        """
        select c.CurrencyAlternateKey, sum(cast(1 / r.AverageRate as decimal(19, 4))) filter (where o.day is null)
        from '{dw}/FactCurrencyRate.parquet' r
        join '{dw}/DimCurrency.parquet' c using (CurrencyKey)
        left join (
            select distinct CurrencyRateDate::date as day from '{oltp}/Sales_CurrencyRate.parquet'
        ) o on r.Date::date + 4170 = o.day
        group by 1
        """
    )
    assert dict(
        group.rows(
            "select currency_code, scope_amount from tie.identity_aw_exchange_rates_of_two_systems where scope_amount <> 0"
        )
    ) == {code: amount for code, amount in both if amount}


def test_a_cell_leads_to_the_row_of_the_file(group):
    said = group.run(
        "trace", "sales_order_amount_net", "--period", "2024-03-30", "--where", "company_code=AW"
    ).stdout
    assert "FactInternetSales.parquet" in said and "181,015.82" in said
    said = group.run(
        "trace", "stock_on_hand_qty", "--period", "2026-02", "--where", "company_code=AW", "--where", "base_uom_code=piece"
    ).stdout  # fmt: skip
    assert "Production_ProductInventory.parquet" in said and "335,974" in said
