"""The life of a case over several runs: it opens once, ages, changes its amount, closes itself, and comes back as itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.warehouse.test_identities import SHIPPED_IS_INVOICED
from tieout.ingest.ledger import ensure_ledger
from tieout.settings import Settings
from tieout.tie import cases, generate, results
from tieout.tie.claims import Claim

BEGIN = datetime(2025, 12, 1, 6, tzinfo=UTC)
# The same documents compared twice: month by month in money, and all together without months.
BY_MONTH = Claim.model_validate(SHIPPED_IS_INVOICED)
IN_ALL = Claim.model_validate(
    {key: value for key, value in SHIPPED_IS_INVOICED.items() if key not in {"by", "causes"}}
    | {"claim": "shipped_in_all", "owner": "finance", "severity": "warning"}
    | {
        side: {key: value for key, value in SHIPPED_IS_INVOICED[side].items() if key != "keys"}
        for side in ("left", "right")
    }
)
CLAIMS = (BY_MONTH, IN_ALL)


class Books:
    """Shipments and invoices of a toy company; `run` builds the identities and records them as a refresh does."""

    def __init__(self, path: str = ":memory:") -> None:
        self.con = duckdb.connect(path, config={"threads": 1})
        self.con.execute("create schema marts; create schema tie")
        self.con.execute(
            """create table marts.fct_shipped (source_system text, source_stream text, source_record text,
                order_no text, amount decimal(18, 4), ship_date date);
            create table marts.fct_invoiced (source_system text, source_stream text, source_record text,
                order_no text, amount decimal(18, 4), invoice_date date, is_posted boolean)"""
        )
        ensure_ledger(self.con)
        self.runs = 0

    def keep(self, **invoiced: str | None) -> None:
        """Every order is shipped with 100; what is invoiced of each, None for nothing."""
        self.con.execute("delete from marts.fct_shipped; delete from marts.fct_invoiced")
        for order, amount in invoiced.items():
            self.con.execute(
                "insert into marts.fct_shipped values ('wms', 'move', ?, ?, 100, date '2025-11-05')",
                [order, order],
            )
            if amount is not None:
                self.con.execute(
                    "insert into marts.fct_invoiced values ('books', 'line', ?, ?, ?, date '2025-11-07', true)",
                    [order, order, Decimal(amount)],
                )

    def run(self) -> list[cases.Case]:
        """The open cases after one more run, a day later."""
        for name, sql in [
            *((claim.model, generate.identity_sql(claim)) for claim in CLAIMS),
            ("identity_break", generate.break_sql(CLAIMS)),
            ("identity_result", generate.result_sql(CLAIMS)),
        ]:
            text = generate.resolved(
                sql, lambda it: f"{'tie' if it.startswith('identity_') else 'marts'}.{it}"
            )
            self.con.execute(f"create or replace table tie.{name} as {text}")
        self.record()
        return cases.cases(self.con)

    def record(self, *, again: bool = False) -> None:
        self.runs += not again
        moment = BEGIN + timedelta(days=self.runs)
        results.record(self.con, f"r{self.runs:02}", moment)
        cases.record(self.con, f"r{self.runs:02}", moment)


@pytest.fixture
def books() -> Books:
    return Books()


def test_a_case_lives_from_its_first_run_to_the_first_that_does_not_find_it(books):
    books.keep(A="100", B="100")
    assert books.run() == []

    books.keep(A="100", B="60")
    [opened] = books.run()
    assert (opened.document, opened.suspect, opened.amount, opened.unit) == (
        "B",
        "amount",
        Decimal(-40),
        "CNY",
    )
    assert (opened.state, opened.opened_run, opened.runs, opened.owner) == ("open", "r02", 1, "logistics")
    assert opened.identities == ("shipped_in_all", "shipped_is_invoiced"), (
        "one cause, two identities, one case"
    )
    assert (opened.groups, opened.reopened, opened.closed_run) == (2, 0, None)

    books.keep(A="100", B="75")
    [grown] = books.run()
    assert (grown.case_id, grown.amount, grown.runs) == (opened.case_id, Decimal(-25), 2)
    assert (grown.opened_at, grown.seen_run) == (opened.opened_at, "r03")

    books.keep(A="100", B="100")
    assert books.run() == []
    [closed] = cases.cases(books.con, closed=True)
    assert (closed.case_id, closed.state, closed.seen_run) == (opened.case_id, "closed", "r03")
    assert (closed.closed_run, closed.closed_at) == ("r04", BEGIN + timedelta(days=4))
    assert cases.rows_of(books.con, closed.case_id) == []

    books.keep(A="100", B=None)
    [again] = books.run()
    assert (again.case_id, again.suspect, again.amount) == (opened.case_id, "missing_right", Decimal(-100))
    assert (again.opened_run, again.runs, again.reopened, again.closed_run) == ("r02", 3, 1, None)
    assert [(run, amount) for run, _, amount, _, _ in cases.history(books.con, again.case_id)] == [
        ("r02", Decimal(-40)), ("r03", Decimal(-25)), ("r05", Decimal(-100)),
    ]  # fmt: skip


def contradiction(order: str, amount: str, kind: str = "order_in_another_currency") -> str:
    return f"""create schema if not exists marts; create or replace table marts.fct_data_case as
        select '{kind}' as case_kind, '{order}' as subject, '{order}' as cause_subject, 'sales' as owner,
            'order: USD, its invoice: CNY' as detail, {amount}::decimal(18, 2) as amount_txn, 'CNY' as currency_code,
            'counts as the order says' as safe_default, 'erp' as source_system, 'line' as source_stream,
            '{order}' as source_record"""


def test_a_break_whose_cause_comes_to_be_known_stays_the_same_case_and_gets_its_name(books):
    books.keep(A="100", B="60")
    [unknown] = books.run()
    assert (unknown.suspect, unknown.owner) == ("amount", "logistics")

    # the order that led to shipment B contradicts its invoice, by just what is missing
    books.con.execute(contradiction("XS1", "40.00"))
    books.con.execute(
        "create table marts.fct_document_link as select 'XS1' as from_no, 'B' as to_no union all select 'XS2', 'A'"
    )
    [known] = books.run()
    assert (known.case_id, known.opened_run, known.runs) == (unknown.case_id, "r01", 2)
    assert (known.suspect, known.document, known.owner) == ("order_in_another_currency", "XS1", "sales")
    assert (known.amount, known.unit) == (Decimal("40.00"), "CNY")
    rows = cases.rows_of(books.con, known.case_id)
    assert {row.document for row in rows} == {"XS1", "B"}
    [said] = cases.contradicted(books.con, [row.evidence[0] for row in rows if row.is_contradiction])
    assert said[:2] == ("XS1", "order: USD, its invoice: CNY")

    # both mended: closed; the order alone still wrong: open without any identity
    books.keep(A="100", B="100")
    [alone] = books.run()
    assert (alone.case_id, alone.groups) == (unknown.case_id, 1)
    books.con.execute("delete from marts.fct_data_case")
    assert books.run() == []


def test_two_causes_are_two_cases_and_name_their_own_rows(books):
    books.keep(A=None, B="60", C="100")

    found = {item.document: item for item in books.run()}

    assert {document: item.amount for document, item in found.items()} == {
        "A": Decimal(-100),
        "B": Decimal(-40),
    }
    rows = cases.rows_of(books.con, found["A"].case_id)
    assert {(row.identity, row.document, row.amount) for row in rows} == {
        ("shipped_is_invoiced", "A", Decimal(-100)), ("shipped_in_all", "A", Decimal(-100)),
    }  # fmt: skip
    assert {name for row in rows for name in row.evidence} == {"wms/move/A"}


def test_many_documents_that_look_alike_are_one_broken_rule(books):
    books.keep(**{f"N{place:02}": "99.50" for place in range(12)}, Z=None)

    found = {item.suspect: item for item in books.run()}

    assert (found["amount"].amount, len(cases.rows_of(books.con, found["amount"].case_id))) == (
        Decimal(-6),
        24,
    )
    assert (found["missing_right"].document, found["missing_right"].amount) == ("Z", Decimal(-100))


def test_recording_a_run_again_changes_nothing(books):
    books.keep(A=None)
    before = books.run()
    books.record(again=True)
    assert cases.cases(books.con) == before


def test_a_case_is_asked_for_by_owner_and_by_id(books):
    with pytest.raises(results.TieError, match="No run has been recorded yet"):
        cases.cases(books.con)
    books.keep(A=None)
    [item] = books.run()
    assert cases.cases(books.con, owner="logistics") == [item]
    with pytest.raises(results.TieError, match=r"No case belongs to 'hr'\. Owners of cases: logistics"):
        cases.cases(books.con, owner="hr")
    with pytest.raises(results.TieError, match=f"Did you mean {item.case_id}"):
        cases.case(books.con, item.case_id[:-1])


def test_the_command_shows_the_case_keeps_notes_and_answers_with_its_exit_code(tmp_path, monkeypatch):
    from tieout.cli import app

    monkeypatch.setattr("tieout.settings.settings", lambda: Settings(home=tmp_path))
    books = Books(str(tmp_path / "warehouse.duckdb"))
    books.keep(A=None, B="100")
    [item] = books.run()
    books.con.close()
    said = CliRunner().invoke(app, ["cases"])
    assert said.exit_code == 1 and item.case_id in said.stdout and "-100.00" in said.stdout

    books = Books.__new__(Books)
    books.con, books.runs = duckdb.connect(str(tmp_path / "warehouse.duckdb")), 1
    books.con.execute(contradiction("A", "100.00", "delivery_never_invoiced"))
    [named] = books.run()
    books.con.close()
    assert named.case_id == item.case_id
    said = CliRunner().invoke(app, ["cases"])
    assert "已出库未开票 / delivery never invoiced" in " ".join(said.stdout.split())
    shown = CliRunner().invoke(app, ["cases", item.case_id])
    assert "order: USD, its invoice: CNY" in shown.stdout and "wms/move/A" in shown.stdout

    lacking = CliRunner().invoke(app, ["cases", item.case_id, "--note", "asked the warehouse"])
    assert "Nothing was written" in str(lacking.exception) and not (tmp_path / "landing").exists()
    noted = CliRunner().invoke(app, ["cases", item.case_id, "--note", "asked the warehouse", "--by", "陈静"])
    assert noted.exit_code == 0
    shown = CliRunner().invoke(app, ["cases", item.case_id])
    assert (
        shown.exit_code == 1 and "陈静: asked the warehouse" in shown.stdout and "wms/move/A" in shown.stdout
    )

    books = Books.__new__(Books)
    books.con, books.runs = duckdb.connect(str(tmp_path / "warehouse.duckdb")), 2
    books.con.execute("delete from marts.fct_data_case")
    books.keep(A="100", B="100")
    assert books.run() == []
    books.con.close()
    assert CliRunner().invoke(app, ["cases"]).exit_code == 0
    closed = CliRunner().invoke(app, ["cases", item.case_id])
    assert (
        closed.exit_code == 0 and "closed" in closed.stdout and "陈静: asked the warehouse" in closed.stdout
    )


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    lives=st.lists(
        st.fixed_dictionaries({order: st.sampled_from([None, "60", "100"]) for order in ("A", "B")}),
        min_size=1,
        max_size=6,
    )
)
def test_the_history_of_any_sequence_of_runs_is_what_a_person_would_write_down(lives):
    books = Books()
    for invoiced in lives:
        books.keep(**invoiced)
        books.run()

    said = {item.document: item for item in cases.cases(books.con, closed=True)}

    for order in ("A", "B"):
        off = [place for place, invoiced in enumerate(lives, start=1) if invoiced[order] != "100"]
        if not off:
            assert order not in said
            continue
        item = said[order]
        gaps = sum(later > earlier + 1 for earlier, later in pairwise(off))
        assert (item.opened_run, item.seen_run) == (f"r{off[0]:02}", f"r{off[-1]:02}")
        assert (item.runs, item.reopened) == (len(off), gaps)
        assert item.amount == (Decimal(-100) if lives[off[-1] - 1][order] is None else Decimal(-40))
        assert item.state == ("open" if off[-1] == len(lives) else "closed")
        assert item.closed_run == (None if item.state == "open" else f"r{off[-1] + 1:02}")
    books.con.close()
