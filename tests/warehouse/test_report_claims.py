"""Claimed figures against a company of some 170 order lines: what was planted is what is named, to the cent.

Every expected figure is added up in Python from the rows below; the platform sees the same rows in a mart.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tieout.claimed.check import Checked, Report, check_file
from tieout.claimed.errors import ClaimedFileError
from tieout.claimed.kept import compare_kept, keep, kept, kept_one
from tieout.engine import connect, literal
from tieout.ingest.ledger import ensure_ledger
from tieout.metrics.definitions import read_yaml
from tieout.metrics.layer import build_layer
from tieout.settings import Settings

D = Decimal
SALES = "agreed_by: [sales], unit: CNY, currency: CNY, tax: excluded, additivity: additive"
DEFINITIONS = f"""
semantic_models:
  - name: customers
    label: 客户
    model: ref('dim_customer')
    entities: [{{name: customer, type: primary, expr: customer_key}}]
    dimensions:
      - {{name: customer_code, type: categorical, label: 客户编码}}
      - {{name: customer_name, type: categorical, label: 客户名称}}
  - name: companies
    label: 公司
    model: ref('dim_company')
    entities: [{{name: company, type: primary, expr: company_key}}]
    dimensions: [{{name: company_code, type: categorical, label: 公司代码}}]
  - name: orders
    label: 订单
    model: ref('fct_order_line')
    primary_entity: order_line
    defaults: {{agg_time_dimension: order_date}}
    entities:
      - {{name: customer, type: foreign, expr: customer_key}}
      - {{name: company, type: foreign, expr: company_key}}
    dimensions:
      - {{name: order_date, type: time, type_params: {{time_granularity: day}}}}
    measures: [{{name: booked, agg: sum, expr: case when is_booked then order_amount_net_cny end}}]
  - name: deliveries
    label: 发货
    model: ref('fct_delivery')
    primary_entity: delivery
    defaults: {{agg_time_dimension: ship_date}}
    entities:
      - {{name: customer, type: foreign, expr: customer_key}}
      - {{name: company, type: foreign, expr: company_key}}
    dimensions:
      - {{name: ship_date, type: time, type_params: {{time_granularity: day}}}}
    measures: [{{name: shipped, agg: sum, expr: shipped_amount_net_cny}}]
metrics:
  - name: order_amount_net
    label: 订单额（不含税）
    description: 订单额 / Orders.
    type: simple
    type_params: {{measure: booked}}
    config: {{meta: {{{SALES}, owner: sales, time_role: ordered, replaces: [销售额（销售部）], by: [company_code]}}}}
  - name: shipped_amount_net
    label: 发货额（不含税）
    description: 发货额 / Shipments.
    type: simple
    type_params: {{measure: shipped}}
    config: {{meta: {{{SALES}, owner: warehouse, time_role: shipped, replaces: [销售额（仓库）], by: [company_code]}}}}
saved_queries: []
"""
TABLES = """
create schema marts;
create table marts.dim_date as
    select cast(d as date) as date_day from generate_series(date '2025-01-01', date '2026-12-31', interval 1 day) t(d);
create table marts.dim_customer(customer_key text, customer_code text, customer_name text);
insert into marts.dim_customer values
    ('k1', 'C1', '甲机械'), ('k2', 'C2', '乙仪器'), ('k3', 'C3', '丙贸易'), ('k4', 'C4', '丙贸易（上海）');
create table marts.dim_company(company_key text, company_code text);
insert into marts.dim_company values ('a', 'AA'), ('b', 'BB');
create table marts.fct_order_line(
    order_line_key text, order_no text, order_date date, customer_key text, company_key text, is_booked boolean,
    is_return boolean, currency_code text, tax_rate decimal(9, 4), order_amount_net_txn decimal(18, 2),
    order_amount_gross_txn decimal(18, 2), order_amount_net_cny decimal(18, 2),
    source_system text, source_stream text, source_record text);
create table marts.fct_delivery(
    delivery_key text, shipment_no text, order_line_key text, ship_date date, customer_key text, company_key text,
    shipped_amount_net_cny decimal(18, 2), source_system text, source_stream text, source_record text);
"""
# What dbt's manifest says of the columns.
_NET = {"unit": "CNY", "currency": "CNY", "tax": "excluded"}
_COLUMNS = {
    "fct_order_line": {
        "order_date": {"time_role": "ordered"}, "is_booked": {}, "order_amount_net_cny": _NET,
        "order_amount_net_txn": {"unit": "currency_code", "currency": "document", "tax": "excluded"}, "currency_code": {},
    },
    "fct_delivery": {"ship_date": {"time_role": "shipped"}, "shipped_amount_net_cny": _NET},
}  # fmt: skip
MANIFEST = {
    "nodes": {
        f"model.{mart}": {
            "resource_type": "model",
            "name": mart,
            "columns": {name: {"name": name, "config": {"meta": meta}} for name, meta in columns.items()},
        }
        for mart, columns in _COLUMNS.items()
    },
    "semantic_models": {},
}
NOON = datetime(2025, 12, 3, 12, tzinfo=UTC)
NOVEMBER = (date(2025, 11, 1), date(2025, 12, 1))


@dataclass(frozen=True)
class Line:
    """One order line; `shipped` is the day it left, if it did."""

    key: str
    order: str
    day: date
    customer: str
    company: str
    booked: bool
    currency: str
    net_txn: Decimal
    gross_txn: Decimal
    net: Decimal
    shipped: date | None

    @property
    def gross(self) -> Decimal:
        """In CNY: foreign amounts carry no tax here, so that no rounding rule is needed."""
        return self.gross_txn if self.currency == "CNY" else self.net


def company(seed: int, orders: int = 45) -> list[Line]:
    """Orders from September 2025 to January 2026, of one or two lines; some are returns, some drafts, some in dollars."""
    chance = random.Random(seed)
    lines: list[Line] = []
    for number in range(orders):
        day = date(2025, 9, 15) + timedelta(days=chance.randrange(125))
        customer, owner = chance.choice("1234"), chance.choice("aab")
        booked = chance.random() > 0.12
        sign = -1 if chance.random() < 0.12 else 1
        currency = "USD" if chance.random() < 0.15 else "CNY"
        shipped = day + timedelta(days=chance.randrange(1, 40)) if booked and chance.random() < 0.8 else None
        for place in range(chance.choice((1, 1, 2))):
            net_txn = sign * D(chance.randrange(50_000, 9_000_000)) / 100
            taxed = (net_txn * D("1.13")).quantize(D("0.01")) if currency == "CNY" else net_txn
            net = net_txn if currency == "CNY" else (net_txn * D("7.1234")).quantize(D("0.01"))
            lines.append(
                Line(f"{number}-{place}", f"SO{number:04}", day, f"k{customer}", owner, booked, currency, net_txn, taxed, net, shipped)
            )  # fmt: skip
    return lines


def fill(con, lines: Iterable[Line]) -> None:
    """The marts of these lines and nothing else."""

    def insert(table: str, rows: list[list[object]]) -> None:
        values = ", ".join(
            f"({', '.join('null' if one is None else literal(str(one)) for one in row)})" for row in rows
        )
        con.execute(f"delete from marts.{table}")
        if rows:
            con.execute(f"insert into marts.{table} values {values}")

    lines = list(lines)
    insert("fct_order_line", [
        [line.key, line.order, line.day, line.customer, line.company, line.booked, line.net < 0, line.currency,
         "0.13" if line.currency == "CNY" else "0", line.net_txn, line.gross_txn, line.net, "shop", "order", line.key]
        for line in lines
    ])  # fmt: skip
    insert("fct_delivery", [
        ["d" + line.key, "D" + line.order, line.key, line.shipped, line.customer, line.company, line.net, "shop", "move", line.key]
        for line in lines if line.shipped
    ])  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("claims")
    (folder / "yaml").mkdir()
    (folder / "yaml" / "company.yml").write_text(DEFINITIONS, encoding="utf-8")
    (folder / "semantic_manifest.json").write_text(read_yaml(folder / "yaml").text, encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(MANIFEST), encoding="utf-8")
    with connect(folder / "warehouse.duckdb") as con:
        con.execute(TABLES)
        fill(con, LINES)
        build_layer(con, folder / "semantic_manifest.json", folder / "manifest.json")
    return folder / "warehouse.duckdb"


LINES = company(20251122, orders=130)


@pytest.fixture(scope="module")
def con(warehouse):
    with connect(warehouse, read_only=True) as con:
        yield con


def added(
    lines: Iterable[Line], keep: Callable[[Line], bool] = lambda _: True, of: Callable[[Line], Decimal] = lambda line: line.net
) -> Decimal:  # fmt: skip
    return sum((of(line) for line in lines if keep(line)), D(0))


def inside(line: Line, first: date = NOVEMBER[0], end: date = NOVEMBER[1]) -> bool:
    return line.booked and first <= line.day < end


def in_26_to_25(line: Line) -> bool:
    return inside(line, date(2025, 10, 26), date(2025, 11, 26))


def ask(
    con, folder: Path, figure: object, word: str = "订单额（不含税）", period: str = "2025-11", **columns: str
) -> Checked:
    file = folder / "claim.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(
            [["指标", "期间", "数值", *columns], [word, period, str(figure), *columns.values()]]
        )
    report = check_file(con, file)
    assert not report.unread, report.unread[0].unread.reason
    (checked,) = report.checked
    return checked


def causes(checked: Checked) -> list[tuple[str, Decimal]]:
    """Kinds and amounts of the likeliest explanation, which must be exact and add up."""
    assert checked.state == "explained", checked
    first = checked.explanations[0]
    assert first.residual == 0
    assert sum((cause.amount for cause in first.causes), D(0)) == checked.difference
    return sorted((cause.kind, cause.amount) for cause in first.causes)


def documents(checked: Checked, place: int = 0) -> list[tuple[str, Decimal]]:
    """What the first cause of an explanation names; the likeliest explanation, if no other is asked for."""
    return [(one.number, one.amount) for one in checked.explanations[place].causes[0].documents]


BOOKED = added(LINES, inside)
ORDER = next(line.order for line in LINES if inside(line) and line.currency == "CNY" and line.net > 0)
OTHER = [line.order for line in LINES if inside(line) and line.order != ORDER and line.net > 0][-1]


def of_order(number: str, amount: Callable[[Line], Decimal] = lambda line: line.net) -> Decimal:
    return added(LINES, lambda line: line.order == number, amount)


# --- one cause ------------------------------------------------------------------------------------


def test_the_small_company_has_what_the_tests_plant():
    november = [line for line in LINES if inside(line)]
    assert {line.currency for line in november} == {"CNY", "USD"}
    assert any(line.net < 0 for line in november) and {line.company for line in november} == {"a", "b"}
    assert any(not line.booked for line in LINES if NOVEMBER[0] <= line.day < NOVEMBER[1])


def test_the_governed_figure_agrees(con, tmp_path):
    checked = ask(con, tmp_path, BOOKED)
    assert (checked.governed, checked.state, checked.explanations) == (BOOKED, "agrees", ())


SINGLE = {
    "tax: gross": ("tax", added(LINES, inside, lambda line: line.gross)),
    "tax: 13 % on the total": ("tax", (BOOKED * D("1.13")).quantize(D("0.01"))),
    "month from the 26th to the 25th": ("timing", added(LINES, in_26_to_25)),
    "by the day it was shipped": (
        "timing", added(LINES, lambda line: line.booked and line.shipped is not None and NOVEMBER[0] <= line.shipped < NOVEMBER[1]),
    ),
    "the last nine days missing": ("timing", added(LINES, lambda line: inside(line, end=date(2025, 11, 22)))),
    "first week of December included": ("timing", added(LINES, lambda line: inside(line, end=date(2025, 12, 8)))),
    "October instead": ("timing", added(LINES, lambda line: inside(line, date(2025, 10, 1), date(2025, 11, 1)))),
    "returns left out": ("returns", added(LINES, lambda line: inside(line) and line.net > 0)),
    "returns added": ("returns", added(LINES, inside, lambda line: abs(line.net))),
    "drafts included": ("status", added(LINES, lambda line: NOVEMBER[0] <= line.day < NOVEMBER[1])),
    "foreign orders at face value": ("currency", added(LINES, inside, lambda line: line.net_txn)),
    "one company left out": ("scope", added(LINES, lambda line: inside(line) and line.company != "b")),
    "one customer left out": ("scope", added(LINES, lambda line: inside(line) and line.customer != "k2")),
    "what was shipped": (
        "definition", added(LINES, lambda line: line.shipped is not None and NOVEMBER[0] <= line.shipped < NOVEMBER[1]),
    ),
    "an order twice": ("duplicate", BOOKED + of_order(ORDER)),
    "an order missing": ("missing", BOOKED - of_order(ORDER)),
    "ten times too much": ("keying", BOOKED * 10),
}  # fmt: skip


@pytest.mark.parametrize("planted", SINGLE)
def test_one_cause_is_named(con, tmp_path, planted):
    kind, figure = SINGLE[planted]
    # Ordered and shipped amounts are one and the same for an order: by the ship date it is the other metric too.
    kinds = {"timing", "definition"} if "shipped" in planted else {kind}

    checked = ask(con, tmp_path, figure)

    (found,) = causes(checked)
    assert found[0] in kinds and found[1] == figure - BOOKED


def test_the_documents_of_a_shifted_month_are_those_that_lie_between(con, tmp_path):
    checked = ask(con, tmp_path, added(LINES, in_26_to_25))

    between = {line.order: D(0) for line in LINES if inside(line) != in_26_to_25(line)}
    for line in LINES:
        if inside(line) != in_26_to_25(line):
            between[line.order] += line.net if in_26_to_25(line) else -line.net
    assert dict(documents(checked)) == {number: amount for number, amount in between.items() if amount}


def test_the_order_counted_twice_or_left_out_is_named(con, tmp_path):
    twice = ask(con, tmp_path, BOOKED + of_order(ORDER))
    missing = ask(con, tmp_path, BOOKED - of_order(ORDER))

    assert documents(twice) == [(ORDER, of_order(ORDER))]
    assert documents(missing) == [(ORDER, -of_order(ORDER))]


def test_two_digits_exchanged_at_one_order(con, tmp_path):
    cents = str(int(of_order(ORDER) * 100))
    at = next(place for place in range(len(cents) - 1) if cents[place] != cents[place + 1])
    typed = D(int(cents[:at] + cents[at + 1] + cents[at] + cents[at + 2 :])) / 100

    checked = ask(con, tmp_path, BOOKED - of_order(ORDER) + typed)

    assert causes(checked) == [("keying", typed - of_order(ORDER))]
    assert ORDER in documents(checked)[0][0].split(" | ")


def test_ten_thousands_are_rounding_and_nothing_else(con, tmp_path):
    wan = (BOOKED / 10_000).quantize(D("0.01"))

    checked = ask(con, tmp_path, f"{wan}万元")

    assert causes(checked) == [("rounding", wan * 10_000 - BOOKED)]


def test_a_filter_that_was_not_applied(con, tmp_path):
    mine = added(LINES, lambda line: inside(line) and line.company == "a")

    checked = ask(con, tmp_path, BOOKED, 公司="AA")

    assert checked.governed == mine
    assert causes(checked) == [("scope", BOOKED - mine)]


# --- two causes -----------------------------------------------------------------------------------

PAIRS = {
    ("tax", "timing"): added(LINES, in_26_to_25, lambda line: line.gross),
    ("duplicate", "tax"): added(LINES, inside, lambda line: line.gross) + of_order(ORDER, lambda line: line.gross),
    ("scope", "tax"): added(LINES, lambda line: inside(line) and line.company == "a", lambda line: line.gross),
    ("missing", "timing"): added(LINES, in_26_to_25) - of_order(
        next(line.order for line in LINES if in_26_to_25(line) and inside(line) and line.net > 0)
    ),
    ("scope", "status"): added(LINES, lambda line: NOVEMBER[0] <= line.day < NOVEMBER[1] and line.company == "a"),
    ("duplicate", "missing"): BOOKED + of_order(ORDER) - of_order(OTHER),
    ("returns", "tax"): added(LINES, lambda line: inside(line) and line.net > 0, lambda line: line.gross),
}  # fmt: skip


@pytest.mark.parametrize("planted", PAIRS, ids="+".join)
def test_two_causes_together_are_both_named(con, tmp_path, planted):
    found = causes(ask(con, tmp_path, PAIRS[planted]))

    assert tuple(sorted(kind for kind, _ in found)) == planted


def test_a_shifted_month_in_ten_thousands(con, tmp_path):
    true = added(LINES, in_26_to_25)
    wan = (true / 10_000).quantize(D("0.01"))

    found = causes(ask(con, tmp_path, f"{wan}万"))

    assert found == [("rounding", wan * 10_000 - true), ("timing", true - BOOKED)]


def test_three_causes(con, tmp_path):
    figure = added(LINES, lambda line: in_26_to_25(line) and line.company == "a", lambda line: line.gross)

    found = causes(ask(con, tmp_path, figure))

    assert [kind for kind, _ in found] == ["scope", "tax", "timing"]


def test_a_figure_of_zero_counts_nothing_and_names_what_it_leaves_out(con, tmp_path):
    checked = ask(con, tmp_path, 0)

    assert causes(checked)[0] == ("scope", -BOOKED)
    [cause] = checked.explanations[0].causes
    assert cause.title.en == "no row counted at all"
    booked = {
        line.order: added(LINES, lambda it, of=line: inside(it) and it.order == of.order)
        for line in LINES
        if inside(line)
    }
    assert {item.number: -item.amount for item in cause.documents} == {k: v for k, v in booked.items() if v}


# --- what cannot be explained ---------------------------------------------------------------------


def test_an_invented_figure_stays_unexplained_and_the_rest_is_never_a_cause(con, tmp_path):
    checked = ask(con, tmp_path, BOOKED + D("123456789.01"))

    assert checked.state == "unexplained"
    assert checked.explanations == ()


def test_part_of_a_difference_says_what_is_left(con, tmp_path):
    figure = added(LINES, lambda line: inside(line) and line.company == "a") + D("7.77")

    checked = ask(con, tmp_path, figure)

    if checked.state == "unexplained":
        assert all(one.residual != 0 for one in checked.explanations)
        assert min(abs(one.residual) for one in checked.explanations) <= D("7.77")
    for one in checked.explanations:
        assert sum((cause.amount for cause in one.causes), one.residual) == checked.difference


# --- random companies -----------------------------------------------------------------------------


def _planted(lines: list[Line], chance: random.Random) -> tuple[str, dict[str, Decimal]]:
    """One cause, and what each order adds to the figure then."""
    order = chance.choice(sorted({line.order for line in lines if inside(line)}))

    def by_order(
        keep: Callable[[Line], object], of: Callable[[Line], Decimal] = lambda line: line.net
    ) -> dict[str, Decimal]:
        found = dict.fromkeys((line.order for line in lines), D(0))
        for line in lines:
            found[line.order] += of(line) if keep(line) else 0
        return found

    return chance.choice(
        [
            ("duplicate", by_order(inside, lambda line: line.net * (2 if line.order == order else 1))),
            ("missing", by_order(lambda line: inside(line) and line.order != order)),
            ("tax", by_order(inside, lambda line: line.gross)),
            ("timing", by_order(in_26_to_25)),
            ("scope", by_order(lambda line: inside(line) and line.company == "a")),
            ("status", by_order(lambda line: NOVEMBER[0] <= line.day < NOVEMBER[1])),
            ("returns", by_order(lambda line: inside(line) and line.net > 0)),
        ]
    )


@pytest.fixture(scope="module")
def other(warehouse):
    """A copy in memory whose facts a test may exchange."""
    with connect() as con:
        con.execute(f"attach {literal(str(warehouse))} as kept (read_only)")
        con.execute("copy from database kept to memory; detach kept")
        yield con


@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
@example(seed=2008)  # only a company that had nothing then: zero
@example(seed=17701)  # what was sent of it is the same figure
def test_any_company_any_cause_is_explained_to_the_cent(other, tmp_path, seed):
    lines = company(seed, orders=24)
    chance = random.Random(seed)
    if not any(inside(line) for line in lines):
        return
    kind, orders = _planted(lines, chance)
    figure, governed = sum(orders.values(), D(0)), added(lines, inside)
    fill(other, lines)
    checked = ask(other, tmp_path, figure)

    assert (checked.governed or D(0)) == governed
    if figure == governed:
        assert checked.state == "agrees"
        return
    causes(checked)
    assert len(checked.explanations[0].causes) == 1
    # The planted cause; or one that changes the very same orders by the very same amounts, and assumes less: it may stand
    # behind another metric that says the figure, too.
    changed = dict(orders)
    for line in lines:
        changed[line.order] -= line.net if inside(line) else 0
    same = {order: amount for order, amount in changed.items() if amount}
    named = [
        {part: amount for number, amount in documents(checked, place) for part in number.split(" | ")}
        for place in range(len(checked.explanations))
    ]
    assert kind in {cause.kind for one in checked.explanations for cause in one.causes} or any(
        one.items() >= same.items() for one in named
    )


# --- documents listed -----------------------------------------------------------------------------


def test_listed_documents_are_matched_one_by_one(con, tmp_path):
    here = sorted({line.order for line in LINES if inside(line)})
    left_out, twice, typed, gross = here[0], here[1], here[2], next(
        order for order in here[3:] if of_order(order) != of_order(order, lambda line: line.gross)
    )  # fmt: skip
    december = next(line.order for line in LINES if line.booked and line.day >= date(2025, 12, 1))
    listed = [(order, of_order(order)) for order in here if order not in (left_out, typed, gross)]
    listed += [
        (twice, of_order(twice)),
        (typed, of_order(typed) * 10),
        (gross, of_order(gross, lambda line: line.gross)),
    ]
    listed += [(december, of_order(december)), ("SO9999", D("5.00"))]
    file = tmp_path / "orders.csv"
    with file.open("w", encoding="gb18030", newline="") as out:
        csv.writer(out).writerows(
            [
                ["指标", "期间", "单据号", "金额"],
                *(["订单额（不含税）", "2025年11月", *pair] for pair in listed),
            ]
        )

    (checked,) = check_file(con, file).checked

    assert checked.claim.figure.value == sum(amount for _, amount in listed)
    found = {
        cause.kind: {(doc.number, doc.amount) for doc in cause.documents}
        for cause in checked.explanations[0].causes
    }
    left = {("returns" if of_order(left_out) < 0 else "missing"): {(left_out, -of_order(left_out))}}
    assert found == left | {
        "duplicate": {(twice, of_order(twice))},
        "keying": {(typed, of_order(typed) * 9)},
        "tax": {(gross, of_order(gross, lambda line: line.gross) - of_order(gross))},
        "timing": {(december, of_order(december))},
        "unknown_document": {("SO9999", D("5.00"))},
    }
    causes(checked)


# --- how a file is read ---------------------------------------------------------------------------


def handed(con, file: Path, *rows: Iterable[object], **more: object) -> Report:
    if file.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in rows:
            book.worksheets[0].append(list(row))
        book.save(file)
    else:
        with file.open("w", encoding=str(more.pop("encoding", "utf-8")), newline="") as out:
            csv.writer(out).writerows(rows)
    return check_file(con, file, **more)


def test_one_word_of_two_departments_is_two_metrics(con, tmp_path):
    shipped = SINGLE["what was shipped"][1]

    report = handed(
        con, tmp_path / "三个部门.xlsx",
        ["华信集团 2025 年 11 月"], ["部门", "指标", "月份", "金额"],
        ["销售部", "销售额", "11月", float(BOOKED)], ["仓库", "销售额", "11月", float(shipped)], ["", "销售额", "11月", float(shipped)],
    )  # fmt: skip

    assert [(item.claim.metric.name, item.state) for item in report.checked] == [
        ("order_amount_net", "agrees"), ("shipped_amount_net", "agrees"),
    ]  # fmt: skip
    (unread,) = report.unread
    assert "means 2 metrics" in unread.unread.reason
    assert {known.name: difference for known, _, difference in unread.candidates} == {
        "order_amount_net": shipped - BOOKED, "shipped_amount_net": D("0.00"),
    }  # fmt: skip


def test_months_may_stand_across(con, tmp_path):
    october = SINGLE["October instead"][1]

    report = handed(
        con, tmp_path / "wide.csv", ["指标", "公司", "2025年10月", "2025-11"], ["order_amount_net", "全部", october, BOOKED],
        ["合计", "", 1, 2], encoding="gb18030",
    )  # fmt: skip

    assert [(item.claim.span.text, item.state) for item in report.checked] == [
        ("2025-10", "agrees"),
        ("2025-11", "agrees"),
    ]
    assert "total of the file itself" in report.notes[0]


def test_metrics_may_stand_across(con, tmp_path):
    report = handed(
        con, tmp_path / "metrics.csv", ["期间", "订单额（不含税）", "发货额（不含税）"], ["2025-11", BOOKED, SINGLE["what was shipped"][1]]
    )  # fmt: skip

    assert [item.state for item in report.checked] == ["agrees", "agrees"]


def test_days_from_and_to_are_compared_as_they_are(con, tmp_path):
    figure = added(LINES, in_26_to_25)

    report = handed(
        con, tmp_path / "days.xlsx", ["指标", "开始日期", "截止日期", "数值"],
        ["订单额（不含税）", date(2025, 10, 26), date(2025, 11, 25), float(figure)],
    )  # fmt: skip

    assert report.checked[0].state == "agrees"
    assert "no calendar month" in report.checked[0].notes[-1]


def test_a_part_of_a_name_is_taken_if_only_one_has_it(con, tmp_path):
    mine = added(LINES, lambda line: inside(line) and line.customer == "k1")

    report = handed(
        con, tmp_path / "names.csv", ["指标", "期间", "客户", "数值"], ["订单额（不含税）", "2025-11", "甲机", mine],
        ["订单额（不含税）", "2025-11", "贸易", mine], ["订单额（不含税）", "2025-11", "丁", mine],
    )  # fmt: skip

    assert report.checked[0].state == "agrees"
    assert report.checked[0].claim.by == {"customer_code": "C1"}
    assert "甲机 读作 甲机械 / was read as 甲机械" in report.checked[0].notes
    assert [one.unread.reason.split(".")[0] for one in report.unread] == [
        "'贸易' may mean 丙贸易 or 丙贸易（上海）",
        "nothing is called '丁' among customer_code or customer_name",
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [["指标", "期间", "数值", "区域"], ["订单额", "2025-11", "1", "华东"]],
            "nobody knows what the column '区域' limits",
        ),
        ([["指标", "数值"], ["订单额", "1"]], "no column 期间/period"),
        ([["你好"], ["世界"]], "has no header"),
        ([["指标", "期间", "数值"]], "no line has a figure"),
    ],
)
def test_what_is_no_report_is_refused_whole(con, tmp_path, rows, message):
    with pytest.raises(ClaimedFileError, match=message):
        handed(con, tmp_path / "x.csv", *rows)


def test_a_word_nobody_knows_is_refused_with_near_ones(con, tmp_path):
    report = handed(
        con,
        tmp_path / "x.csv",
        ["指标", "期间", "数值"],
        ["发货金额", "2025-11", "1"],
        ["订单额（不含税）", "去年", "1"],
    )

    assert [one.unread.reason.partition(".")[0] for one in report.unread] == [
        "'去年' is no period", "nobody knows the word '发货金额'",
    ]  # fmt: skip
    assert "发货额" in report.unread[1].unread.reason


def test_a_formula_without_a_value_is_not_an_empty_cell(con, tmp_path):
    with pytest.raises(ClaimedFileError, match="never calculated"):
        handed(con, tmp_path / "f.xlsx", ["指标", "期间", "数值"], ["订单额（不含税）", "2025-11", "=1+1"])


def test_another_currency_is_not_compared(con, tmp_path):
    report = handed(
        con,
        tmp_path / "usd.csv",
        ["指标", "期间", "数值", "币种"],
        ["订单额（不含税）", "2025-11", "1", "USD"],
    )

    assert "unlike amounts are not compared" in report.unread[0].unread.reason


# --- kept reports ---------------------------------------------------------------------------------


@pytest.fixture
def home(warehouse, tmp_path) -> Settings:
    """An installation whose publish is the small company."""
    home = Settings(home=tmp_path / "home")
    home.snapshots.mkdir(parents=True)
    shutil.copy(warehouse, home.snapshots / "current.duckdb")
    with connect(home.warehouse) as con:
        ensure_ledger(con)
    return home


def kept_state(home: Settings, publish: str) -> list[tuple]:
    with connect(home.warehouse, read_only=True) as con:
        return con.execute(
            "select metric_name, difference, state, causes from ops.claimed_figure where publish_id = ?",
            [publish],
        ).fetchall()


def test_a_kept_figure_that_moves_later_says_why(home, tmp_path):
    file = tmp_path / "monthly.csv"
    file.write_text(f"指标,期间,数值\n订单额（不含税）,2025-11,{BOOKED}\n", encoding="utf-8")
    one = keep(home.landing, file, by="王芳", now=NOON)
    again = keep(home.landing, file, by="李强", now=NOON + timedelta(days=1))
    file.unlink()  # what is kept is a copy

    first = compare_kept(home, "P1", NOON)
    late = Line(
        "late-0",
        "SO-LATE",
        date(2025, 11, 7),
        "k1",
        "a",
        True,
        "CNY",
        D("4321.09"),
        D("4882.83"),
        D("4321.09"),
        None,
    )
    with connect(home.snapshots / "current.duckdb") as con:
        fill(con, [*LINES, late])
    second = compare_kept(home, "P2", NOON + timedelta(days=1))

    assert again == one  # handed in twice, kept once
    assert (first, second) == (0, 0)
    assert kept_state(home, "P1") == [("order_amount_net", D(0), "agrees", "[]")]
    ((name, difference, state, said),) = kept_state(home, "P2")
    assert (name, difference, state) == ("order_amount_net", D("-4321.09"), "explained")
    assert "SO-LATE" in json.loads(said)[0][2]


def test_a_kept_file_that_was_changed_is_never_compared_and_stops_nothing(home, tmp_path):
    file = tmp_path / "monthly.csv"
    file.write_text(f"指标,期间,数值\n订单额（不含税）,2025-11,{BOOKED}\n", encoding="utf-8")
    one = keep(home.landing, file, by="王芳", now=NOON)
    kept_file = home.landing / "_reports" / one.report_id / "handed.csv"
    assert kept_file.stat().st_mode & 0o077 == 0
    kept_file.write_text("指标,期间,数值\n订单额（不含税）,2025-11,1\n", encoding="utf-8")

    assert compare_kept(home, "P1", NOON) == 1
    ((name, difference, state, said),) = kept_state(home, "P1")
    assert (name, difference, state) == (None, None, "unread")
    assert "is not the file that was handed in" in said


def test_nobody_hands_in_a_report(home, tmp_path):
    file = tmp_path / "monthly.csv"
    file.write_text("x", encoding="utf-8")
    with pytest.raises(ClaimedFileError, match="nobody is named"):
        keep(home.landing, file, by=" ", now=NOON)
    assert kept(home.landing) == []
    with pytest.raises(ClaimedFileError, match="no report 'R1' was kept"):
        kept_one(home.landing, "R1")
