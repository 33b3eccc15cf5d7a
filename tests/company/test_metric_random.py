"""Every governed metric over random rows: equal to plain Python for every grain and dimension set, through every door
of the library, with the sums, balances and ends that a number must keep.

The tables are those of the sample group, without its rows; the queries are those it compiled. One seed runs always,
more of them nightly. A failure names its seed: `fill(con, types, seed)` makes the same rows again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import duckdb
import pytest

from tests.company.conftest import Group
from tests.company.metric_rows import Types, create, fill, marts_of
from tests.company.metric_truth import (
    METRICS,
    Cells,
    Difference,
    Evaluator,
    Quotient,
    Rule,
    Share,
    Sum,
    Value,
    fetch,
    start_of,
)
from tests.company.test_metric_facts import differences
from tieout.engine import connect, literal
from tieout.metrics.answer import GRAINS, answer, dim_set, parse_period
from tieout.metrics.definitions import Definitions, read
from tieout.metrics.engine import Engine
from tieout.metrics.layer import build_layer, dimension_sets
from tieout.metrics.trace import trace
from tieout.transform.dbt import target

pytestmark = [pytest.mark.company, pytest.mark.slow]

SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 9))]
By = tuple[str, ...]
Asked = dict[tuple[str, str | None, By], Cells]
ALL_GRAINS = (None, *GRAINS)


@dataclass(frozen=True)
class World:
    """A warehouse of random rows with the metrics layer built on it."""

    con: duckdb.DuckDBPyConnection
    types: Types
    definitions: Definitions
    seed: int
    sets: dict[str, tuple[By, ...]]
    truth: Evaluator
    answers: Asked

    @property
    def additive(self) -> list[str]:
        return [name for name, item in self.definitions.metrics.items() if item.meta.additivity == "additive"]


@pytest.fixture(scope="module", params=SEEDS, ids="seed {}".format)
def world(group: Group, request: pytest.FixtureRequest) -> Iterator[World]:
    seed, dbt = request.param, target(group.settings)
    with connect(group.settings.warehouse, read_only=True) as con:
        types, views = marts_of(con)
    with connect() as con:
        create(con, types, views)
        fill(con, types, seed)
        definitions = read(dbt / "semantic_manifest.json")
        built = build_layer(con, dbt / "semantic_manifest.json", dbt / "manifest.json")
        assert built.values > 10_000
        sets = {name: dimension_sets(metric) for name, metric in definitions.metrics.items()}
        answers = {
            (name, grain, by): cells(con, name, grain, by)
            for name in sets
            for by in sets[name]
            for grain in ALL_GRAINS
        }
        yield World(con, types, definitions, seed, sets, Evaluator(fetch(con), METRICS), answers)


def cells(con: duckdb.DuckDBPyConnection, name: str, grain: str | None, by: By) -> Cells:
    rows = answer(con, name, grain, by).rows
    found = {(row[0] if grain else None, tuple(row[bool(grain) : -1])): row[-1] for row in rows}
    assert len(found) == len(rows), f"{name} {grain} {by}: two rows for one cell"
    return found


def agree(wrong: list[str]) -> None:
    assert not wrong, f"{len(wrong)} cells differ:\n" + "\n".join(wrong[:30])


# --- equal to plain Python --------------------------------------------------------------------------


def test_every_metric_grain_and_dimension_set_is_that_of_plain_python(world):
    assert set(world.sets) == set(METRICS)
    wrong = [
        f"{name} {grain} {by} {text}"
        for (name, grain, by), found in world.answers.items()
        for text in differences(world.truth.cells(name, grain, by), found)
    ]
    agree(wrong)
    assert sum(map(len, world.answers.values())) > 40_000


def test_the_rows_are_as_nasty_as_promised(world):
    """Otherwise the equality above would say little."""
    found = [(grain, cell) for (_, grain, _), cells in world.answers.items() for cell in cells]
    starts = {grain: {start for seen, (start, _) in found if seen == grain} for grain in GRAINS}
    facts = world.truth.marts.rows.values()

    assert {None, "unmatched", "not_applicable", "", "C,2", "a,b"} <= {
        member for _, (_, members) in found for member in members
    }
    assert {None, date(2024, 2, 29), date(2024, 12, 31)} <= starts["day"]
    assert date(2024, 12, 30) in starts["week"]  # the first of ISO year 2025
    assert sum(0 in cells.values() for cells in world.answers.values()) > 100
    assert any(value and abs(value) > 10**15 for cells in world.answers.values() for value in cells.values())
    assert all(len(rows) >= 30 for rows in facts) and any(len(set(rows)) < len(rows) for rows in facts)


# Fault of a compiler → metric and members to see it by, and what it would write instead.
FAULTS = {
    "members nobody knows are lost": ("sales_order_amount_net", ("customer_code",), "LEFT OUTER JOIN", "INNER JOIN"),
    "drafts count": ("sales_order_amount_net", (), "CASE WHEN is_booked THEN", "CASE WHEN TRUE THEN"),
    "equal amounts count once": ("sales_shipped_amount_net", (), "SUM(", "SUM(DISTINCT "),
    "weeks begin on Sunday": ("worked_hours", (), "DATE_TRUNC('WEEK', work_date)", "DATE_TRUNC('WEEK', work_date + 1) - INTERVAL 1 DAY"),
    "one empty side takes the other": ("platform_refund_ratio", ("company_code",), "NULLIF(", "COALESCE("),
    "rows of one fact only are lost": ("goods_received_not_invoiced_amount_net", ("company_code",), "FULL OUTER", "INNER"),
    "a missing side makes nothing": ("ledger_profit_amount", ("company_code",), "COALESCE(revenue, 0)", "revenue"),
    "stock of the first day": ("stock_on_hand_qty", ("product_code",), "MAX(DATE_TRUNC", "MIN(DATE_TRUNC"),
    "the last day is not in the balance": ("receivable_balance", (), " <= subq", " < subq"),
    "a balance goes on for ever": ("receivable_balance", (), "<= (select max(", "<> (select max("),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_compiler_would_be_seen(world, fault):
    name, by, right, wrong = FAULTS[fault]
    planted = seen = 0
    for grain in GRAINS:
        ((sql,),) = world.con.execute(
            f"select sql from metrics.compiled_query where metric_name = '{name}' and time_grain = '{grain}'"
            f" and dim_set = '{dim_set(by)}'"
        ).fetchall()
        if right in sql:
            rows = world.con.execute(sql.replace(right, wrong)).fetchall()
            found = {(row[0], row[1:-1]): row[-1] for row in rows}
            planted += 1
            seen += bool(differences(world.truth.cells(name, grain, by), found))
    assert planted and seen


def test_every_answer_over_a_handful_of_rows_is_that_of_plain_python(world):
    """Facts without a row, with one, with a few: one dimension set of each metric, over all time and by two grains."""
    random, wrong = Random(world.seed), []
    world.con.execute("begin transaction")
    try:
        fill(world.con, world.types, world.seed, sparse=True)
        truth = Evaluator(fetch(world.con), METRICS)
        sizes = {len(rows) for rows in truth.marts.rows.values()}
        for name, sets in world.sets.items():
            by = random.choice(sets)
            for grain in (None, *random.sample(GRAINS, 2)):
                found = cells(world.con, name, grain, by)
                wrong += [
                    f"{name} {grain} {by} {text}" for text in differences(truth.cells(name, grain, by), found)
                ]
    finally:
        world.con.execute("rollback")
    agree(wrong)
    assert {0, 1, 2} <= sizes


def test_every_stored_value_is_that_of_plain_python(world):
    stored: dict[tuple[str, str, str], Cells] = defaultdict(dict)
    for name, grain, names, start, dims, value, unit in world.con.execute(
        "select metric_name, time_grain, dim_set, period_start, dims, value, unit from metrics.metric_values"
    ).fetchall():
        members = json.loads(dims)
        said = world.definitions.metric(name).meta.unit
        assert unit == members.get(said, said), f"{name} {grain} {dims}: {value} is in {unit}"
        key = start, tuple(members[item] for item in sorted(members))
        assert key not in stored[name, grain, names], f"{name} {grain} {names}: {key} is there twice"
        stored[name, grain, names][key] = value
    kept = world.con.execute(
        "select metric_name, time_grain, dim_set from metrics.compiled_query where has_values"
    ).fetchall()
    assert set(stored) <= set(kept) and len(kept) > 1_000
    agree([
        f"{name} {grain} {names} {text}"
        for name, grain, names in kept
        for text in differences(
            world.truth.cells(
                name, None if grain == "all" else grain, () if names == "all" else tuple(names.split(","))
            ),
            stored.get((name, grain, names), {}),
            "1e-8",
        )
    ])  # fmt: skip


def test_every_wide_view_is_that_of_plain_python(world):
    wrong, compared = [], 0
    for export in world.definitions.exports:
        by = tuple(name.rpartition("__")[2] for name in export.dimensions)
        columns = ", ".join(("period_start", *by, *export.metrics))
        rows = world.con.execute(f"select {columns} from metrics.{export.name}").fetchall()
        for place, name in enumerate(export.metrics, start=1 + len(by)):
            found = {(row[0], row[1 : 1 + len(by)]): row[place] for row in rows if row[place] is not None}
            expected = world.truth.cells(name, export.grain, by)
            compared += len(expected)
            wrong += [f"{export.name} {name} {text}" for text in differences(expected, found)]
    agree(wrong)
    assert len(world.definitions.exports) >= 15 and compared > 1_000


def test_a_dimension_set_nobody_declared_is_that_of_plain_python(world):
    """One to three dimensions and a grain of every fourth metric, compiled now, as `answer` would."""
    random, engine = Random(world.seed), Engine(world.definitions)
    wrong, compared = [], 0
    for name in random.sample(sorted(world.sets), 27):
        known = sorted(world.definitions.dimensions(name))
        by = lawful(world, name, random.sample(known, random.randint(1, min(3, len(known)))))
        expected, texts = undeclared(world, engine, name, random.choice(ALL_GRAINS), by)
        compared, wrong = compared + expected, wrong + texts
    agree(wrong)
    assert compared > 300


@pytest.mark.nightly
@pytest.mark.parametrize("world", [1], indirect=True, ids="seed {}".format)
def test_every_single_dimension_a_metric_has_is_that_of_plain_python(world):
    engine, wrong, compared, asked = Engine(world.definitions), [], 0, 0
    for name in world.sets:
        for number, dimension in enumerate(sorted(world.definitions.dimensions(name))):
            grain = ALL_GRAINS[number % len(ALL_GRAINS)]
            expected, texts = undeclared(world, engine, name, grain, lawful(world, name, [dimension]))
            compared, wrong, asked = compared + expected, wrong + texts, asked + 1
    agree(wrong)
    assert asked > 800 and compared > 10_000


def lawful(world: World, name: str, by: list[str]) -> By:
    """The same set; with what fixes the unit or currency, if it does not yet."""
    required = world.definitions.metric(name).meta.requires_by
    return tuple(sorted(by if not required or set(by) & set(required) else [*by, required[-1]]))


def undeclared(world: World, engine: Engine, name: str, grain: str | None, by: By) -> tuple[int, list[str]]:
    """How many cells there should be, and those that differ."""
    if by not in world.sets[name]:
        keep(world.con, name, grain, by, engine.query(name, grain, by))
    expected = world.truth.cells(name, grain, by)
    texts = differences(expected, cells(world.con, name, grain, by))
    return len(expected), [f"{name} {grain} {by} {text}" for text in texts]


def keep(con: duckdb.DuckDBPyConnection, name: str, grain: str | None, by: By, sql: str) -> None:
    """What was compiled, where `answer` looks first: it would load the compiler anew for each."""
    values = ", ".join(literal(item) for item in (name, grain or "all", dim_set(by), sql, "asked", "false"))
    con.execute(f"insert or replace into metrics.compiled_query values ({values})")


PERIODS = {
    "day": ("2023-12-31", "2024-02"), "week": ("2025-W01", "2024-W26"), "month": ("2024-12", "2024-Q1"),
    "quarter": ("2024-Q1", "2024"), "year": ("2024", "2025"),
}  # fmt: skip


def test_a_question_about_one_member_and_one_period_is_that_of_plain_python(world):
    random, wrong, compared = Random(world.seed), [], 0
    questions = [key for key, found in world.answers.items() if key[1] and key[2] and found]
    for name, grain, by in random.sample(questions, 150):
        whole, place = world.truth.cells(name, grain, by), random.randrange(len(by))
        asked, member = by[place], random.choice(sorted({members[place] for _, members in whole}, key=repr))
        period = random.choice(PERIODS[grain])
        span = parse_period(period)
        rows = answer(world.con, name, grain, by, period, {asked: member}).rows
        found = {(row[0], tuple(row[1:-1])): row[-1] for row in rows}
        expected = {
            (start, members): value
            for (start, members), value in whole.items()
            if start and span.start <= start < span.end and members[place] == member
        }
        compared += len(expected)
        wrong += [
            f"{name} {grain} {period} {asked}={member!r} {text}" for text in differences(expected, found)
        ]
    agree(wrong)
    assert compared > 100


def test_the_rows_behind_a_cell_add_up_to_it(world):
    """`trace` finds them without the compiler, and refuses to answer where they do not; after the end there are none."""
    random, traced = Random(world.seed), 0
    for (name, grain, by), found in random.sample(list(world.answers.items()), 90):
        known = sorted((cell for cell in found if not grain or cell[0]), key=repr)
        if not known:
            continue
        start, members = random.choice(known)
        fixed = dict(zip(by, members, strict=True))
        period = written(start, grain) if start and grain else None
        said = trace(world.con, name, period=period, filters=fixed, keys={})
        assert said.cell == found[start, members], f"{name} {period} {fixed}"
        traced += len(said.contributions)
        if grain:
            after = trace(world.con, name, period="2031-02", filters=fixed, keys={})
            assert after.cell is None and not after.contributions, f"{name} {fixed}"
    assert traced > 300


def written(start: date, grain: str) -> str:
    """A period as people write it."""
    year, week, _ = start.isocalendar()
    return {
        "day": f"{start}", "week": f"{year}-W{week:02}", "month": f"{start:%Y-%m}",
        "quarter": f"{start.year}-Q{(start.month + 2) // 3}", "year": f"{start.year}",
    }[grain]  # fmt: skip


# --- what numbers must keep among themselves --------------------------------------------------------


def test_members_add_up_to_the_total_and_to_every_coarser_set(world):
    """Everything but quotients; balances too, at each point of time."""
    wrong, compared = [], 0
    for name, sets in world.sets.items():
        if world.definitions.metric(name).meta.additivity == "non_additive":
            continue
        for fine in sets:
            for coarse in sets:
                if not set(coarse) < set(fine):
                    continue
                places = [fine.index(item) for item in coarse]
                for grain in ALL_GRAINS:
                    added: Cells = defaultdict(Decimal)
                    for (start, members), value in world.answers[name, grain, fine].items():
                        added[start, tuple(members[place] for place in places)] += Decimal(value)
                    compared += len(added)
                    texts = differences(added, world.answers[name, grain, coarse])
                    wrong += [f"{name} {grain} {fine} → {coarse} {text}" for text in texts]
    agree(wrong)
    assert compared > 10_000


def test_periods_add_up_and_a_year_to_date_is_the_sum_of_its_months(world):
    wrong = []
    for name in world.additive:
        for by in world.sets[name]:
            asked = {grain: world.answers[name, grain, by] for grain in ALL_GRAINS}
            for fine, coarse in (("day", "week"), ("day", "month"), ("month", "quarter"), ("month", "year"), ("year", None)):  # fmt: skip
                added: Cells = defaultdict(Decimal)
                for (start, members), value in asked[fine].items():
                    added[start and coarse and start_of(start, coarse), members] += Decimal(value)
                wrong += [
                    f"{name} {fine} → {coarse} {by} {text}" for text in differences(added, asked[coarse])
                ]
            for (start, members), _ in asked["month"].items():
                if start is None:
                    continue
                first, end = date(start.year, 1, 1), (start + timedelta(days=31)).replace(day=1)
                by_day = sum(value for (day, who), value in asked["day"].items() if day and first <= day < end and who == members)  # fmt: skip
                by_month = sum(value for (month, who), value in asked["month"].items() if month and first <= month <= start and who == members)  # fmt: skip
                if by_day != by_month:
                    wrong.append(f"{name} {by} {members} to {start}: {by_month} by month, {by_day} by day")
    agree(wrong)


# Balance → what comes in, what goes out; both are known by the sets they share.
FLOWS = {
    "goods_received_to_date_amount_net": ("goods_received_amount_net", None),
    "stock_on_hand_qty": ("stock_in_qty", "stock_out_qty"),
    "ticket_opened_to_date_count": ("ticket_opened_count", None),
    "ticket_resolved_to_date_count": ("ticket_resolved_count", None),
    "ticket_backlog_count": ("ticket_opened_count", "ticket_resolved_count"),
    "receivable_balance": ("ledger_debit_amount", "ledger_credit_amount"),
    "payable_balance": ("ledger_credit_amount", "ledger_debit_amount"),
    "vat_balance": ("ledger_debit_amount", "ledger_credit_amount"),
    "bank_balance": ("ledger_debit_amount", "ledger_credit_amount"),
    "cash_balance": ("ledger_debit_amount", "ledger_credit_amount"),
    "stock_ledger_balance": ("ledger_debit_amount", "ledger_credit_amount"),
}
# Parts of what other metrics tell in full, or counted anew each month: there is no metric of what went in and out.
WITHOUT_FLOWS = {"supplier_goods_invoiced_to_date_amount_net", "goods_received_not_invoiced_amount_net", "stock_value_balance", "employee_headcount"}  # fmt: skip


def test_every_balance_has_its_flows_or_a_reason(world):
    balances = {
        name for name, item in world.definitions.metrics.items() if item.meta.additivity == "semi_additive"
    }
    assert balances == FLOWS.keys() | WITHOUT_FLOWS


@pytest.mark.parametrize("balance", FLOWS)
def test_closing_is_opening_and_what_went_in_less_what_went_out(world, balance):
    flows = [name for name in FLOWS[balance] if name]
    shared = [by for by in world.sets[balance] if all(by in world.sets[name] for name in flows)]
    if flows[0].startswith("ledger"):
        shared = [("account_code",)]  # of a company other accounts count too
    assert shared
    wrong = []
    for by in shared:
        for grain in GRAINS:
            closing = world.answers[balance, grain, by]
            moved = [world.answers[name, grain, by] for name in flows]
            for who in {members for _, members in closing}:
                if by == ("account_code",) and who == (None,):
                    continue  # entries of no account: each says its own code
                opening: Value = 0
                for start in sorted(start for start, members in closing if start and members == who):
                    signed = zip((1, -1), moved, strict=False)
                    went = sum(sign * flow.get((start, who), 0) for sign, flow in signed)
                    if closing[start, who] != opening + went:
                        wrong.append(
                            f"{grain} {who} {start}: {opening} + {went} is not {closing[start, who]}"
                        )
                    opening = closing[start, who]
    agree(wrong)


def test_nothing_is_said_of_periods_after_the_last_row(world):
    """A balance ends with the last row of its fact, a formula with the last of any input, a sum with its own."""
    for (name, grain, by), found in world.answers.items():
        if grain:
            bases = list(world.truth.bases(name))
            last = max((day for rule in bases if (day := world.truth.last_day(rule))), default=None)
            late = [start for start, _ in found if start and (last is None or start > last)]
            assert not late, f"{name} {grain} {by}: {late[:3]} after {last}"


# --- two facts, one of them empty -------------------------------------------------------------------


def inputs(rule: Rule) -> tuple[str, str] | None:
    match rule:
        case Quotient():
            return rule.top, rule.bottom
        case Difference() | Share():
            return rule.first, rule.second
    return None


def two_facts() -> dict[str, tuple[str, str]]:
    """Formula → fact of its first and of its second input, where they differ."""
    found = {}
    for name, rule in METRICS.items():
        both = [METRICS[item] for item in inputs(rule) or ()]
        facts = [one.fact for one in both if isinstance(one, Sum)]
        if len(set(facts)) == 2:
            found[name] = (facts[0], facts[1])
    return found


@pytest.mark.parametrize("empty", [(0,), (1,), (0, 1)], ids=["first", "second", "both"])
def test_a_formula_over_two_facts_stands_where_one_of_them_is_empty(world, empty):
    wrong, marts = [], world.truth.marts
    for name, facts in two_facts().items():
        gone = {facts[side] for side in empty}
        truth = Evaluator(replace(marts, rows=marts.rows | {fact: [] for fact in gone}), METRICS)
        world.con.execute("begin transaction")
        try:
            for fact in gone:
                world.con.execute(f"delete from marts.{fact}")
            for by in world.sets[name]:
                for grain in ALL_GRAINS:
                    expected, found = truth.cells(name, grain, by), cells(world.con, name, grain, by)
                    wrong += [f"{name} {grain} {by} {text}" for text in differences(expected, found)]
                    if len(empty) == 2 or isinstance(METRICS[name], Quotient):
                        assert not found, f"{name} {grain} {by}"
        finally:
            world.con.execute("rollback")
    agree(wrong)
    assert len(two_facts()) >= 4
