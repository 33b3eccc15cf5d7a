"""What changed hands between two publishes: by fact, measure and month, also where nothing adds up."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tieout.master_data.moved import Move, compare
from tieout.master_data.types import MasterDataError

JUNE, JULY = date(2026, 6, 1), date(2026, 7, 1)


def publish(folder: Path, name: str, keys: dict[int, str], amount: str = "10.00") -> None:
    """Three order lines of June and July, and where each of them stands; `keys`: line → customer."""
    path = folder / f"tieout-{name}.duckdb"
    with duckdb.connect(path) as con:
        con.execute("create schema marts")
        con.execute(
            "create table marts.fct_sales_order_line (sales_order_line_key text, customer_key text, planned_date date,"
            " order_date date, order_amount_net_cny decimal(18, 2), order_qty decimal(18, 4))"
        )
        con.execute(
            "create table marts.fct_order_to_cash (sales_order_line_key text, customer_key text, order_date date)"
        )
        con.execute("create table marts.fct_leg (move_key text, customer_key text, order_date date)")
        for line, key in keys.items():
            day = date(2026, 6 + line // 3, 15)
            values = [f"L{line}", key, date(2030, 1, 1), day, Decimal(amount), Decimal(7)]
            con.execute("insert into marts.fct_sales_order_line values (?, ?, ?, ?, ?, ?)", values)
            con.execute("insert into marts.fct_order_to_cash values (?, ?, ?)", [f"L{line}", key, day])
            con.execute("insert into marts.fct_leg values ('M1', ?, ?)", [key, day])
    link = folder / "current.duckdb"
    link.unlink(missing_ok=True)
    link.symlink_to(path.name)


def test_every_move_is_listed_with_its_rows_also_where_nothing_adds_up(tmp_path: Path) -> None:
    publish(tmp_path, "P1", {1: "C-a", 2: "C-a", 3: "C-a", 4: "C-b"})
    publish(tmp_path, "P2", {1: "C-a", 2: "C-b", 3: "C-b", 4: "C-b"})

    found = compare(tmp_path)

    assert found.moves == (
        Move("fct_order_to_cash", "customer", "C-a", "C-b", None, 2, None, None),
        Move(
            "fct_sales_order_line",
            "customer",
            "C-a",
            "C-b",
            None,
            2,
            "order_amount_net_cny",
            Decimal("20.00"),
        ),
    )
    assert (found.before, found.after, found.rows, found.facts) == ("P1", "P2", 4, 2)
    assert (found.totals, found.kept, found.other) == (1, 1, ())


def test_months_are_those_of_the_day_on_which_it_happened(tmp_path: Path) -> None:
    publish(tmp_path, "P1", {1: "C-a", 2: "C-a", 3: "C-a", 4: "C-b"})
    publish(tmp_path, "P2", {1: "C-a", 2: "C-b", 3: "C-b", 4: "C-b"}, amount="11.00")

    found = compare(tmp_path, monthly=True)

    assert [(move.fact, move.month, move.rows, move.amount) for move in found.moves] == [
        ("fct_order_to_cash", JUNE, 1, None), ("fct_order_to_cash", JULY, 1, None),
        ("fct_sales_order_line", JUNE, 1, Decimal("11.00")), ("fct_sales_order_line", JULY, 1, Decimal("11.00")),
    ]  # fmt: skip
    assert found.other == ("fct_sales_order_line.order_amount_net_cny: 40.00 was, 44.00 is",)


def test_without_an_earlier_publish_nothing_is_compared(tmp_path: Path) -> None:
    publish(tmp_path, "P1", {1: "C-a"})
    with pytest.raises(MasterDataError, match="no earlier publish"):
        compare(tmp_path)
