"""Identities on toy books, with answers worked out by hand: what a break must say, and that bridges are exact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.ingest.ledger import ensure_ledger
from tieout.tie import generate, results
from tieout.tie.claims import Claim

SHIPPED_IS_INVOICED = {
    "claim": "shipped_is_invoiced",
    "title": {"zh": "发货等于开票", "en": "Shipped is invoiced"},
    "description": {"zh": "玩具", "en": "Toy"},
    "owner": "logistics",
    "with": "finance",
    "process": "sales",
    "severity": "critical",
    "unit": "CNY",
    "by": ["month"],
    "left": {
        "label": {"zh": "发货", "en": "Shipped"},
        "model": "fct_shipped",
        "measure": "amount",
        "keys": {"month": "cast(date_trunc('month', ship_date) as date)"},
        "document": "order_no",
    },
    "right": {
        "label": {"zh": "开票", "en": "Invoiced"},
        "model": "fct_invoiced",
        "measure": "amount",
        "where": "is_posted",
        "keys": {"month": "cast(date_trunc('month', invoice_date) as date)"},
        "document": "order_no",
    },
    "causes": [
        {
            "cause": "open",
            "title": {"zh": "已发货未开票", "en": "Shipped, invoice is a draft"},
            "model": "fct_invoiced",
            "measure": "-amount",
            "where": "not is_posted",
            "keys": {"month": "cast(date_trunc('month', invoice_date) as date)"},
            "document": "order_no",
        }
    ],
}


@dataclass
class Toy:
    """A company of two tables; `tie` builds the identity as dbt would."""

    con: duckdb.DuckDBPyConnection
    claim: Claim

    def ship(self, order_no: str, amount: str, day: str = "2025-11-05") -> None:
        self.con.execute(
            """insert into marts.fct_shipped
            select 'wms', 'move', cast(count(*) + 1 as text), ?, cast(? as decimal(18, 4)), cast(? as date)
            from marts.fct_shipped""",
            [order_no, amount, day],
        )

    def invoice(self, order_no: str, amount: str, day: str = "2025-11-07", posted: bool = True) -> None:
        self.con.execute(
            """insert into marts.fct_invoiced
            select 'books', 'line', cast(count(*) + 1 as text), ?, cast(? as decimal(18, 4)), cast(? as date), ?
            from marts.fct_invoiced""",
            [order_no, amount, day, posted],
        )

    def tie(self) -> results.IdentityResult:
        build(self.con, self.claim)
        return results.identity_results(self.con)[0]


def build(con: duckdb.DuckDBPyConnection, claim: Claim) -> None:
    """What `dbt build` does with the generated models."""

    def relation(name: str) -> str:
        return f"tie.{name}" if name.startswith("identity_") else f"marts.{name}"

    for name, sql in [
        (claim.model, generate.identity_sql(claim)),
        ("identity_break", generate.break_sql((claim,))),
        ("identity_result", generate.result_sql((claim,))),
    ]:
        con.execute(f"create or replace table tie.{name} as {generate.resolved(sql, relation)}")


def toy(**changes: object) -> Toy:
    con = duckdb.connect()
    con.execute("create schema marts; create schema tie")
    con.execute(
        """create table marts.fct_shipped (source_system text, source_stream text, source_record text,
            order_no text, amount decimal(18, 4), ship_date date);
        create table marts.fct_invoiced (source_system text, source_stream text, source_record text,
            order_no text, amount decimal(18, 4), invoice_date date, is_posted boolean);
        create table marts.fct_ledger_entry_line (company_code text)"""
    )
    return Toy(con, Claim.model_validate(SHIPPED_IS_INVOICED | changes))


@pytest.fixture
def company() -> Toy:
    """November ties out: orders A and B shipped and invoiced, C shipped and its invoice a draft."""
    company = toy()
    for order_no, amount in [("A", "100.10"), ("B", "50.05"), ("C", "7.00")]:
        company.ship(order_no, amount)
    company.invoice("A", "100.10")
    company.invoice("B", "50.05")
    company.invoice("C", "7.00", posted=False)
    return company


def test_a_difference_with_a_cause_is_explained_and_names_its_rows(company):
    result = company.tie()

    assert (result.status, result.left_total, result.right_total) == (
        "explained",
        Decimal("157.15"),
        Decimal("150.15"),
    )
    assert (result.explained, result.unexplained, result.groups_off) == (Decimal("-7"), 0, 1)
    [found] = results.breaks(company.con)
    assert (found.cause, found.cause_amount, found.group_key) == ("open", Decimal("-7"), "2025-11-01")
    assert found.evidence == ("books/line/3",)
    assert found.documents == ("C",)


def test_a_deleted_invoice_line_breaks_and_names_the_shipment_without_it(company):
    company.con.execute("delete from marts.fct_invoiced where order_no = 'B'")

    result = company.tie()

    assert (result.status, result.unexplained, result.blocks) == ("broken", Decimal("-50.05"), True)
    worst = results.breaks(company.con)[0]
    assert (worst.cause, worst.suspect, worst.documents) == ("unexplained", "missing_right", ("B",))
    assert worst.evidence == ("wms/move/2",)


def test_a_delivery_booked_twice_looks_like_a_duplicate(company):
    company.con.execute("insert into marts.fct_shipped select * from marts.fct_shipped where order_no = 'A'")

    company.tie()

    worst = results.breaks(company.con)[0]
    assert (worst.cause_amount, worst.suspect, worst.documents) == (Decimal("-100.10"), "duplicate", ("A",))


def test_a_wrong_amount_is_neither_missing_nor_double(company):
    company.con.execute("update marts.fct_invoiced set amount = 100.00 where order_no = 'A'")

    company.tie()

    worst = results.breaks(company.con)[0]
    assert (worst.cause_amount, worst.suspect) == (Decimal("-0.10"), "amount")


def test_a_wrong_month_breaks_both_months_although_the_total_is_right(company):
    company.con.execute("update marts.fct_invoiced set invoice_date = date '2025-12-07' where order_no = 'A'")

    result = company.tie()

    assert (result.status, result.unexplained, result.groups_broken) == ("broken", 0, 2)
    broken = {b.group_key: b.cause_amount for b in results.breaks(company.con) if b.cause == "unexplained"}
    assert broken == {"2025-11-01": Decimal("-100.10"), "2025-12-01": Decimal("100.10")}


def test_a_row_without_a_group_is_compared_and_not_lost(company):
    company.con.execute("update marts.fct_invoiced set invoice_date = null where order_no = 'A'")

    result = company.tie()

    assert result.right_total == Decimal("150.15")
    assert {b.group_key for b in results.breaks(company.con)} == {"2025-11-01", "-"}


def test_a_fault_that_hides_behind_a_cause_of_equal_size_is_still_broken(company):
    # without C's shipment both sides are equal, yet the draft of C says that 7.00 must stand between them
    company.con.execute("delete from marts.fct_shipped where order_no = 'C'")

    result = company.tie()

    assert (result.difference, result.unexplained) == (0, Decimal("7"))
    assert result.status == "broken"


def test_a_tolerance_forgives_so_much_and_no_more(company):
    company.con.execute("update marts.fct_invoiced set amount = amount + 0.01 where order_no = 'A'")
    assert company.tie().status == "broken"

    company.claim = Claim.model_validate(SHIPPED_IS_INVOICED | {"tolerance": "0.01"})
    assert company.tie().status == "explained"

    company.con.execute("update marts.fct_invoiced set amount = amount + 0.0001 where order_no = 'A'")
    assert company.tie().status == "broken"


def test_an_identity_that_compared_nothing_has_proved_nothing():
    assert toy().tie().status == "broken"
    assert toy(allow_empty=True).tie().status == "holds"


def test_an_identity_without_groups_compares_the_totals(company):
    def without_keys(rows: dict) -> dict:
        return rows | {"keys": {}}

    company.claim = Claim.model_validate(
        SHIPPED_IS_INVOICED
        | {"by": [], "causes": [without_keys(cause) for cause in SHIPPED_IS_INVOICED["causes"]]}
        | {side: without_keys(SHIPPED_IS_INVOICED[side]) for side in ("left", "right")}
    )

    assert company.tie().status == "explained"
    assert results.breaks(company.con)[0].group_key == "all"
    company.con.execute("delete from marts.fct_shipped; delete from marts.fct_invoiced")
    assert company.tie().status == "broken"  # nothing compared


def test_the_bridge_leads_from_left_to_right(company):
    company.con.execute("delete from marts.fct_invoiced where order_no = 'B'")
    company.tie()

    steps = results.bridge(company.con, "shipped_is_invoiced")

    assert [(s.name, s.amount) for s in steps] == [
        ("left", Decimal("157.15")),
        ("open", Decimal("-7")),
        ("unexplained", Decimal("-50.05")),
        ("right", Decimal("100.10")),
    ]
    assert results.bridge(company.con, "shipped_is_invoiced", "2025-11-01") == steps
    with pytest.raises(results.TieError, match="has no group"):
        results.bridge(company.con, "shipped_is_invoiced", "2024-01-01")
    with pytest.raises(results.TieError, match="no identity and no process 'nope'"):
        results.bridge(company.con, "nope")


def test_all_rows_behind_a_part_can_be_listed(company):
    company.tie()

    rows = results.contributions(company.con, company.claim, "left")

    assert [(r.evidence, r.document, r.amount) for r in rows] == [
        ("wms/move/1", "A", Decimal("100.10")),
        ("wms/move/2", "B", Decimal("50.05")),
        ("wms/move/3", "C", Decimal("7")),
    ]
    assert len(results.contributions(company.con, company.claim)) == 6
    assert len(results.contributions(company.con, company.claim, "left", limit=2)) == 2


def test_evidence_is_a_sample_largest_first():
    company = toy()
    for n in range(30):
        company.ship(f"S{n:02}", str(n + 1))

    company.tie()

    [found] = results.breaks(company.con)
    assert len(found.evidence) == generate.SAMPLE
    assert found.evidence[0] == "wms/move/30"
    assert found.documents[:2] == ("S29", "S28")


def test_group_names_come_from_a_dimension_and_never_multiply_rows():
    company = toy()
    company.con.execute(
        """create table marts.dim_month (month date, name text);
        insert into marts.dim_month values ('2025-11-01', '十一月'), ('2025-11-01', '十一月')"""
    )
    company.claim = Claim.model_validate(
        SHIPPED_IS_INVOICED | {"names": {"month": {"model": "dim_month", "key": "month", "name": "name"}}}
    )
    company.ship("A", "5")

    assert company.tie().left_total == 5
    assert results.breaks(company.con)[0].group_name == "十一月"


def test_history_keeps_every_run_and_knows_since_when_a_break_stands(company):
    ensure_ledger(company.con)
    invoice_b = "insert into marts.fct_invoiced values ('books', 'line', '2', 'B', 50.05, '2025-11-07', true)"
    for run, missing in [("r1", True), ("r2", False), ("r3", True), ("r4", True)]:
        company.con.execute("delete from marts.fct_invoiced where order_no = 'B'")
        if not missing:
            company.con.execute(invoice_b)
        company.tie()
        results.record(company.con, run, datetime(2026, 1, int(run[1]), tzinfo=UTC))
        results.record(
            company.con, run, datetime(2026, 1, int(run[1]), tzinfo=UTC)
        )  # a repeat changes nothing

    assert company.con.execute("select count(*) from ops.identity_result").fetchone() == (4,)
    age = {b.cause: (b.first_run_id, b.runs) for b in results.open_breaks(company.con)}
    assert age == {"open": ("r1", 4), "unexplained": ("r3", 2)}


def test_groups_in_different_units_are_never_added_up(company):
    company.claim = Claim.model_validate(SHIPPED_IS_INVOICED | {"mixed_units": True})
    company.invoice("D", "5", "2025-12-07")

    result = company.tie()

    assert (result.status, result.groups_broken) == ("broken", 1)
    assert (result.left_total, result.right_total, result.unexplained) == (None, None, None)
    assert {step.amount for step in results.bridge(company.con, "shipped_is_invoiced")} == {None}
    assert results.bridge(company.con, "shipped_is_invoiced", "2025-12-01")[-1].amount == 5


def test_results_before_any_build_say_what_to_do():
    with pytest.raises(results.TieError, match="Run `tieout refresh`"):
        results.identity_results(duckdb.connect())


cents = st.integers(-10_000, 10_000).map(lambda n: str(Decimal(n) / 100))
days = st.dates(date(2025, 11, 1), date(2026, 1, 31)).map(str)
orders = st.sampled_from("ABCD")


@settings(max_examples=25, deadline=None)
@given(
    shipped=st.lists(st.tuples(orders, cents, days), max_size=8),
    invoiced=st.lists(st.tuples(orders, cents, days, st.booleans()), max_size=8),
)
def test_left_and_causes_and_unexplained_always_make_right(shipped, invoiced):
    company = toy(allow_empty=True)
    for row in shipped:
        company.ship(*row)
    for row in invoiced:
        company.invoice(*row)

    result = company.tie()

    assert result.left_total == sum((Decimal(row[1]) for row in shipped), Decimal(0))
    assert result.right_total == sum((Decimal(row[1]) for row in invoiced if row[3]), Decimal(0))
    steps = results.bridge(company.con, "shipped_is_invoiced")
    assert sum(step.amount for step in steps[:-1]) == steps[-1].amount
    off = company.con.execute(
        """select count(*) from tie.identity_shipped_is_invoiced
        where left_value + open_amount + unexplained <> right_value
        or (status = 'broken') <> (unexplained <> 0)
        or (status = 'holds') <> (unexplained = 0 and difference = 0)"""
    ).fetchone()
    assert off == (0,)
    assert all(found.evidence for found in results.breaks(company.con))


def test_rows_of_a_company_it_is_not_claimed_for_do_not_count():
    """A's 100.00 is invoiced in full; B ships 70.00 and invoices nothing, and its draft is no cause for A."""
    by_query = {
        "label": {"zh": "开票", "en": "Invoiced"},
        "sql": "select date '2025-11-01' as month, amount, order_no as document, company_code, source_system, source_stream,"
        ' source_record from {{ ref("fct_invoiced") }} where is_posted or order_no is null',
    }
    for right in (SHIPPED_IS_INVOICED["right"] | {"where": "is_posted or order_no is null"}, by_query):
        found = toy(companies=["A"], right=right)
        for table in ("fct_shipped", "fct_invoiced"):
            found.con.execute(f"alter table marts.{table} add column company_code text")
        insert = "insert into marts.{} by name select 's' as source_system, 't' as source_stream, ? as source_record, ? as company_code"
        insert += (
            ", ? as order_no, cast(? as decimal(18, 4)) as amount, date '2025-11-05' as {}, true as is_posted"
        )
        for company, order, amount in (("A", "O1", "100.00"), ("B", "O2", "70.00")):
            found.con.execute(
                insert.format("fct_shipped", "ship_date").replace(", true as is_posted", ""),
                [order, company, order, amount],
            )
        found.con.execute(insert.format("fct_invoiced", "invoice_date"), ["O1", "A", "O1", "100.00"])
        # without brackets around the claim's own condition, this row of B would slip in after its `or`
        found.con.execute(insert.format("fct_invoiced", "invoice_date"), ["O3", "B", None, "5.00"])

        result = found.tie()

        assert (result.status, result.left_total, result.right_total) == ("holds", 100, 100)
        assert result.companies == "A"
