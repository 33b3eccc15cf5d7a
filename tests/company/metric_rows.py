"""Random rows for every mart the metrics read, as nasty as rows get.

Unknown amounts, days and keys; keys of 'unmatched', of 'not_applicable' and of no member at all (which the marts' own
tests forbid: a metric must not lose money even so); amounts of full scale, near the limit of their type, that cancel
out; whole rows twice; the ends of months, quarters, years and ISO years, a leap day, months without anything; facts
without a row and with one; companies that end on different days. Left out: unknown truth values, which no column of
the marts may hold that a metric reads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from types import SimpleNamespace
from typing import Any

import duckdb

from tests.company.metric_truth import FACTS, KEYS, hours, less, profit_and_loss
from tieout.engine import literal

Types = dict[str, dict[str, str]]  # table → column → type
Values = dict[str, Any]

CALENDAR = (date(2023, 1, 1), date(2025, 12, 31))
# A company's rows end with its last day.
LAST = {"HC": date(2025, 1, 31), "HX": date(2025, 2, 14), "HCE": date(2024, 11, 30)}
FIRST = date(2023, 11, 29)
EDGES = [
    date(2023, 12, 31), date(2024, 1, 1), date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 28), date(2024, 2, 29),
    date(2024, 3, 1), date(2024, 3, 31), date(2024, 4, 1), date(2024, 6, 30), date(2024, 9, 29), date(2024, 9, 30),
    date(2024, 12, 29), date(2024, 12, 30), date(2024, 12, 31), date(2025, 1, 1), date(2025, 1, 5), date(2025, 1, 6),
]  # fmt: skip
# Nothing ever happens in these; July and August 2024 are missing too.
QUIET = (date(2024, 7, 1), date(2024, 8, 31))
# Before the calendar begins and after it ends.
OUTSIDE = [date(2022, 12, 31), date(2026, 1, 1), date(2026, 2, 28)]

SPECIAL = ("unmatched", "not_applicable")
NOBODY = "k9"  # a key that is in no dimension
PEOPLE = [(f"e{n}", f"{n:03}", name) for n, name in enumerate(("张三", "李四", "张三"), 1)]
MEMBERS: dict[str, tuple[str, list[tuple]]] = {
    "dim_customer": (
        "customer_key customer_code customer_name city",
        [("c1", "C1", "甲", "上海"), ("c2", "C,2", "乙's \"二\"", "上海"), ("c3", "", "甲", None), ("c4", "C4", None, "")],
    ),
    "dim_supplier": (
        "supplier_key supplier_code supplier_name",
        [("s1", "S1", "丙"), ("s2", "S2", "丙"), ("s3", "null", None)],
    ),
    "dim_product": (
        "product_key product_code product_name product_kind product_line_name category_name base_uom_code",
        [
            ("p1", "P1", "电机", "goods", "伺服", "产成品", "piece"), ("p2", "P2", "电机", "goods", None, "原材料", "kg"),
            ("p3", "P3", "铜线", "goods", "材料", None, "kg"), ("p4", "P4", "安装", "service", "", "", None),
        ],
    ),
    "dim_warehouse": ("warehouse_key warehouse_code warehouse_name", [("w1", "W1", "东"), ("w2", "W2", "西"), ("w3", "W3", "东")]),
    "dim_account": (
        "account_key account_code account_name account_group",
        [
            ("a1", "1122", "应收账款", "receivable"), ("a2", "2202", "应付账款", "payable"), ("a3", "220201", "暂估", "payable"),
            ("a4", "2221", "增值税", "other"), ("a5", "1002", "银行存款", "cash"), ("a6", "1403", "原材料", "stock"),
            ("a7", "1404", "材料差异", "stock"), ("a8", "6001", "收入", "revenue"), ("a9", "6602", "费用", "expense"),
            ("a10", "800100", "Sales", "revenue"), ("a11", "800200", "Costs", "expense"), ("a12", "2211", "薪酬", None),
            ("a13", "1122", "应收账款", "receivable"), ("a14", "8", "8", "other"), ("a15", "80020000", "other", "other"),
        ],
    ),
    "dim_employee": ("employee_key employee_no employee_name", PEOPLE),
    "dim_organisation": (
        "organisation_key organisation_code organisation_name",
        [("HC", "HC", "华辰"), ("HX", "HX", "华信"), ("HCE", "HCE", "Huachen"), ("d1", "D1", "车间"), ("d2", "D2", "车间")],
    ),
}  # fmt: skip
ACCOUNTS = {row[0]: row[1] for row in MEMBERS["dim_account"][1]} | {name: name for name in SPECIAL}
WORDS = ["装配", "a,b", "O'Brien", '"quoted"', '{"k": 1}', "", " ", "null", None]
TEXTS: dict[str, list[str | None]] = {
    "currency_code": ["CNY", "CNY", "EUR", "USD", None],
    "move_kind": [
        "delivery", "return", "delivery", "return", "opening", "receipt", "production_output", "inventory_gain",
        "production_issue", "inventory_loss", "supplier_return", "internal", "", None,
    ],
    "payment_kind": ["customer_receipt", "supplier_payment", "other", None],
    "delivery_kind": ["delivery", "return", None],
    "status_code": ["confirmed", "confirmed", "draft", None],
    "source_system": ["hc_shop", "hc_shopify"],
}  # fmt: skip
# What the marts hold beside the columns that are read by the second computation, by its meaning.
DERIVED: dict[str, dict[str, Callable[[Any], Any]]] = {
    "fct_platform_order": {"is_priced_gross": lambda r: r.source_system == "hc_shop"},
    "fct_ledger_entry_line": {
        "balance_amount_cny": lambda r: less(r.debit_amount_cny, r.credit_amount_cny),
        "revenue_amount_cny": lambda r: 0 if r.is_closing else less(r.credit_amount_cny, r.debit_amount_cny),
        "is_profit_and_loss": profit_and_loss,
    },
    "fct_stock_count_line": {"difference_qty": lambda r: less(r.counted_qty, r.expected_qty)},
    "fct_shipment": {
        "is_signed": lambda r: r.signed_at is not None,
        "transit_hours": lambda r: hours(r.shipped_at, r.signed_at),
    },
    "fct_approval": {
        "is_decided": lambda r: r.decided_at is not None,
        "cycle_hours": lambda r: hours(r.started_at, r.decided_at),
    },
    "fct_service_ticket": {"is_resolved": lambda r: r.resolve_date is not None},
}
BALANCES = "fct_stock_balance_day"
# The two sides of an entry: one of them is zero, none unknown.
SURE = {"debit_amount_cny", "credit_amount_cny"}
# Spread over many accounts.
MORE = {"fct_ledger_entry_line": 3}
# Sums of it are stored as balances, in its own type.
SMALL = {"stated_qty_base"}


def marts_of(con: duckdb.DuckDBPyConnection) -> tuple[Types, list[str]]:
    """Columns of every table of schema marts, and the statements that make its views."""
    types: Types = defaultdict(dict)
    for table, column, kind in con.execute(
        "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'marts' order by all"
    ).fetchall():
        types[table][column] = kind
    views = con.execute("select view_name, sql from duckdb_views() where schema_name = 'marts'").fetchall()
    for name, _ in views:
        del types[name]
    return dict(types), [sql for _, sql in views]


def create(con: duckdb.DuckDBPyConnection, types: Types, views: Iterable[str]) -> None:
    """The same tables and views, empty but for the calendar and the members."""
    con.execute("create schema marts")
    for table, columns in types.items():
        listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        con.execute(f"create table marts.{table} ({listed})")
    for sql in views:
        con.execute(sql)
    first, last = CALENDAR
    con.execute(
        "insert into marts.dim_date (date_day) select cast(day as date)"
        f" from generate_series(date '{first}', date '{last}', interval 1 day) as days(day)"
    )
    for table, (names, members) in MEMBERS.items():
        width = len(names.split())
        special = [(name, name, *["未知"] * (width - 2)) for name in SPECIAL]
        insert(con, table, names.split(), [*members, *special])


def fill(con: duckdb.DuckDBPyConnection, types: Types, seed: int, *, sparse: bool = False) -> None:
    """Exchange the rows of every fact; the same seed gives the same rows.

    Args:
        sparse: No row, one or a few in each fact, instead of dozens.
    """
    for fact in FACTS:
        con.execute(f"delete from marts.{fact}")
        if fact != BALANCES:
            random = Random(f"{seed} {fact}")
            count = random.choice([0, 0, 1, 1, 2, 5]) if sparse else random.randint(40, 80)
            names, rows = random_rows(fact, types[fact], random, count * MORE.get(fact, 1))
            insert(con, fact, names, rows)
    moves = con.execute(
        "select product_key, warehouse_key, company_key, move_date, leg_qty_base from marts.fct_stock_move_leg"
        " where move_date is not null and leg_qty_base is not null"
    ).fetchall()
    names = ["product_key", "warehouse_key", "company_key", "balance_date", "closing_qty"]
    insert(con, BALANCES, names, list(balance_days(moves)))


def random_rows(
    fact: str, types: dict[str, str], random: Random, count: int
) -> tuple[list[str], list[tuple]]:
    """Column names and rows of one fact."""
    derived = DERIVED.get(fact, {})
    names = [*FACTS[fact].split(), *sorted((KEYS & types.keys()) - set(FACTS[fact].split()))]
    outside = random.random() < 0.1
    rows: list[Values] = []
    for _ in range(count):
        row = one_row(fact, {name: types[name] for name in names}, random, outside)
        rows.append(row)
        if random.random() < 0.05:
            rows.append(dict(row))  # the same row twice
        if random.random() < 0.1:  # and one that takes it back
            signs = {name: -item for name, item in row.items() if isinstance(item, Decimal)}
            rows.append(row | signs)
    for row in rows:
        seen = SimpleNamespace(**row)
        row |= {name: made(seen) for name, made in derived.items()}
    names += derived
    return names, [tuple(row[name] for name in names) for row in rows]


def one_row(fact: str, types: dict[str, str], random: Random, outside: bool) -> Values:
    company = random.choice([*LAST, *LAST, *LAST, *SPECIAL, NOBODY, None])
    until = LAST.get(str(company), max(LAST.values()))
    row: Values = {}
    for name, kind in types.items():
        if name == "company_key":
            row[name] = company
        elif name.endswith("_key"):
            row[name] = random.choice(keys(name))
        elif kind == "DATE":
            row[name] = day(random, until, outside)
        elif kind == "BOOLEAN":
            row[name] = random.random() < 0.7
        elif kind.startswith("TIMESTAMP"):
            row[name] = instant(random)
        elif kind.startswith("DECIMAL"):
            width, scale = (int(part) for part in kind[8:-1].split(","))
            found = amount(random, 10 if name in SMALL else width, scale)
            row[name] = found or Decimal(0) if name in SURE else found
        elif name != "account_code":
            row[name] = random.choice(TEXTS.get(name, WORDS))
    if "account_code" in types:
        code = ACCOUNTS.get(row["account_key"]) or random.choice([*ACCOUNTS.values(), None])
        row["account_code"] = code
        row["is_revenue"] = code in {"6001", "800100"}
        row["is_receivable"] = code == "1122"
        row["is_cash"] = code == "1002"
        row["is_stock_balance"] = code == "1403"
        row["is_closing"] = random.random() < 0.1
    for one, other in (("expected_qty", "counted_qty"), ("planned_date", "effective_date")):
        if {one, other} <= row.keys() and random.random() < 0.4:
            row[other] = row[one]
    for start, end in (("shipped_at", "signed_at"), ("started_at", "decided_at")):
        if row.get(start) and row.get(end):
            row[end] = row[start] + timedelta(
                seconds=random.choice([0, 59, 60, 1800, 90061, random.randint(0, 10**6)])
            )
    return row


def keys(column: str) -> list[str | None]:
    kind = column.removesuffix("_key").rpartition("_")[2]
    known = [row[0] for row in MEMBERS[f"dim_{kind}"][1]]
    return [*known, *known, *SPECIAL, NOBODY, None]


def day(random: Random, until: date, outside: bool) -> date | None:
    chance = random.random()
    if chance < 0.08:
        return None
    if outside and chance < 0.12:
        return random.choice(OUTSIDE)
    if chance < 0.5:
        return random.choice([edge for edge in EDGES if edge <= until])
    found = FIRST + timedelta(days=random.randrange((until - FIRST).days + 1))
    return QUIET[0] - timedelta(days=1) if QUIET[0] <= found <= QUIET[1] else found


def instant(random: Random) -> datetime | None:
    if random.random() < 0.15:
        return None
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=random.randrange(400 * 86400))


def amount(random: Random, width: int, scale: int) -> Decimal | None:
    """Small and round ones often, so that sums of zero happen; two of the largest still fit in the type."""
    chance, unit = random.random(), Decimal(1).scaleb(-scale)
    if chance < 0.08:
        return None
    if chance < 0.4:
        return random.choice([0, 0, 1, -1, 10, 20, -10, 3333, -3333]) * unit
    largest = 4 * 10 ** (width - 1)
    if chance < 0.45:
        return random.choice([-1, 1]) * (largest - random.randrange(1000)) * unit
    usual = min(largest, 10 ** (7 + scale))
    return random.randint(-usual, usual) * unit


def balance_days(moves: Iterable[tuple]) -> Iterable[tuple]:
    """What the marts promise of stock: every place on every day from the first move to the last of any."""
    places: dict[tuple, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for *place, on, qty in moves:
        places[tuple(place)][on] += qty
    days = [on for place in places.values() for on in place]
    for place, moved in places.items():
        closing = Decimal(0)
        for number in range((max(days) - min(days)).days + 1):
            on = min(days) + timedelta(days=number)
            closing += moved.get(on, Decimal(0))
            yield (*place, on, closing)


def insert(con: duckdb.DuckDBPyConnection, table: str, names: list[str], rows: list[tuple]) -> None:
    if rows:
        values = ", ".join(f"({', '.join(written(item) for item in row)})" for row in rows)
        con.execute(f"insert into marts.{table} ({', '.join(names)}) values {values}")


def written(value: object) -> str:
    return "null" if value is None else str(value) if isinstance(value, bool) else literal(str(value))
