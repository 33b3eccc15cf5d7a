"""Totals of a whole system: asked in the snapshot its rows come from, kept in landing, compared after loading."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta
from decimal import Decimal

import pytest
import yaml
from typer.testing import CliRunner

from sources.contract import Source
from tests.conftest import NOON, SmallSource
from tieout.cli import app
from tieout.engine import connect
from tieout.fingerprint import raw_version
from tieout.ingest.controls import (
    ControlError,
    backfill,
    compare_controls,
    figure,
    keep_answers,
    latest_answers,
    not_allowed,
    remedy,
    totals,
    unproved,
)
from tieout.ingest.landing import Landing
from tieout.ingest.ledger import ensure_ledger
from tieout.ingest.load import load_pending
from tieout.ingest.tables import ensure_raw_tables
from tieout.settings import Settings
from tieout.strict import from_yaml

LEDGER = """
source: books
title: {zh: 账务, en: Books}
module: finance
owner: finance
connector: sqlite
connection: {path: FILE}
class: L2
schedule: {cron: "0 2 * * *"}
controls:
  balance:
    title: {zh: 试算平衡, en: Trial balance}
    ask: "select sum(debit) - sum(credit) from entry;"
    hold: "select sum(debit) - sum(credit) from raw_books.entry where not _is_deleted"
    tolerance: 0.01
  turnover:
    title: {zh: 发生额, en: Turnover}
    ask: "with e as (select * from entry) select sum(debit) from e"
    hold: "with e as (select * from raw_books.entry where not _is_deleted) select sum(debit) from e"
streams:
  entry:
    title: {zh: 分录, en: Entries}
    grain: one row per entry
    from: entry
    key: [id]
    load: incremental
    cursor: changed_at
    columns:
      id: {type: bigint, required: true}
      debit: {type: "decimal(18, 2)", min: 0, unit: CNY}
      credit: {type: "decimal(18, 2)", min: 0, unit: CNY}
      changed_at: {type: timestamp, required: true}
    control: {kind: query, sums: [debit, credit], by: changed_at}
  note:
    title: {zh: 备注, en: Notes}
    grain: one row per note
    from: note
    key: [id]
    columns:
      id: {type: bigint, required: true}
"""
ROWS = "(1, 100.10, 0, '2026-09-05 10:00:00'), (2, 0, 100.10, '2026-09-05 10:00:00')"


@pytest.fixture
def books(tmp_path):
    file = tmp_path / "books.db"
    with sqlite3.connect(file) as db:
        db.executescript(
            "create table entry (id integer, debit decimal(18,2), credit decimal(18,2), changed_at timestamp);"
            f"create table note (id integer); insert into note values (1); insert into entry values {ROWS};"
        )
    return SmallSource(contract(file), file, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb")


def contract(file, **controls):
    document = from_yaml(LEDGER)
    document["connection"]["path"] = str(file)
    for name, change in controls.items():
        document["controls"][name] |= change
    return Source.model_validate(document)


def run(books, sql):
    with sqlite3.connect(books.drop) as db:
        db.executescript(sql)


def pulled(books):
    """One refresh up to the comparison; totals by measure: source says, we hold, agrees."""
    books.pull()
    return compared(books)


def compared(books):
    with connect(books.warehouse) as con:
        compare_controls(con, {"books": books.source}, books.landing)
        found = totals(con, {"books": books.source})
    return {item.measure: item for item in found}


def plain(item):
    return (Decimal(item.source_says), Decimal(item.we_hold), item.difference, item.agrees)


def test_totals_of_the_system_are_compared_with_what_is_held(books):
    found = pulled(books)

    assert plain(found["balance"]) == (0, 0, 0, True)
    assert plain(found["turnover"]) == (Decimal("100.1"), Decimal("100.10"), 0, True)
    assert found["balance"].stream == ""
    assert found["balance"].at == NOON + timedelta(minutes=1)
    assert plain(found["sum_debit[2026-09]"])[3]
    with connect(books.warehouse) as con:
        assert unproved(con, {"books": books.source}) == [("books", "note", "declares no control")]


def test_an_answer_is_kept_once_until_it_is_another_one_and_survives_a_rebuild(books):
    pulled(books)
    pulled(books)
    folder = books.landing.root / "books" / "_controls"
    assert len(list(folder.iterdir())) == 1
    run(books, "insert into entry values (3, 50, 50, '2026-10-01 00:00:00')")
    before = pulled(books)
    assert len(list(folder.iterdir())) == 2
    assert before["turnover"].source_says == "150.1"

    books.warehouse = books.warehouse.with_name("again.duckdb")
    books.load()
    assert compared(books) == before


def test_a_row_the_system_lost_in_silence_is_seen_by_the_total_of_the_whole(books):
    pulled(books)
    run(books, "delete from entry where id = 1")  # no cursor moves: the stream itself has nothing new
    found = pulled(books)

    assert found["turnover"].agrees is False
    assert found["turnover"].difference == Decimal("100.10")
    assert "`tieout refresh --only books --full`" in found["turnover"].next


def test_the_tolerance_of_the_contract_is_kept_to_the_cent(books):
    pulled(books)
    for debit, agrees in (("100.11", True), ("100.12", False)):
        said = {"balance": figure(Decimal("100.10") - Decimal(debit))}
        keep_answers(books.landing, books.source, said, NOON + timedelta(hours=1))
        assert compared(books)["balance"].agrees is agrees


def test_rows_in_quarantine_explain_the_difference_of_an_increment(books):
    pulled(books)
    run(books, "insert into entry values (3, -7.5, 0, '2026-09-06 10:00:00')")
    found = pulled(books)

    # the source counts three rows and 92.60; two and 100.10 are held, the rest waits in quarantine
    assert plain(found["rows"]) == (3, 3, 0, True)
    assert found["rows"].quarantined == "1"
    assert plain(found["sum_debit"]) == (Decimal("92.6"), Decimal("92.60"), 0, True)
    assert Decimal(found["sum_debit"].quarantined) == Decimal("-7.5")
    assert plain(found["turnover"])[2:] == (Decimal("7.5"), False)

    from tieout.ingest.quarantine import Filter, drop
    from tieout.ingest.quarantine import found as rows

    with connect(books.warehouse) as con:
        left_out = rows(con, Filter())
        drop(con, {"books": books.source}, books.landing, left_out, by="z", reason="test", now=NOON)
    assert plain(compared(books)["rows"]) == (3, 3, 0, True)


def test_rows_the_source_marks_as_deleted_still_count_in_its_own_total(books):
    document = from_yaml(LEDGER)
    document["connection"]["path"] = str(books.drop)
    entry = document["streams"]["entry"]
    entry["columns"]["gone"] = {"type": "bigint"}
    entry["deletes"] = {"column": "gone", "values": [1]}
    books.source = Source.model_validate(document)
    run(books, "alter table entry add column gone integer")
    pulled(books)
    run(books, "update entry set gone = 1, changed_at = '2026-10-02 00:00:00' where id = 1")
    found = pulled(books)

    assert books.rows("select id, _is_deleted from raw_books.entry order by 1") == [(1, True), (2, False)]
    assert plain(found["rows"]) == (2, 2, 0, True)


@pytest.mark.parametrize(
    ("change", "says", "holds"),
    [
        ({"ask": "select sum(debit) from nowhere"}, "no answer: ", "100.10"),
        ({"ask": "select debit from entry"}, "no answer: ", "100.10"),
        ({"ask": "select 'Zhang San'"}, "no answer: the query gave text that is no number", "100.10"),
        (
            {"ask": "select sum(debit) from entry where id > 9"},
            "no answer: the query gave no value",
            "100.10",
        ),
        (
            {"hold": "select sum(nothing) from raw_books.entry"},
            "100.1",
            "no answer: `hold` cannot be computed",
        ),
        ({"hold": "select debit from raw_books.entry"}, "100.1", "no answer: `hold` should give one value"),
        (
            {"hold": "delete from raw_books.entry returning 1"},
            "100.1",
            "no answer: `hold` must be one SELECT",
        ),
    ],
)
def test_a_control_that_cannot_be_answered_stops_nothing_and_does_not_agree(books, change, says, holds):
    books.source = contract(books.drop, turnover=change)
    found = pulled(books)

    assert found["turnover"].source_says.startswith(says)
    assert found["turnover"].we_hold.startswith(holds)
    assert found["turnover"].agrees is False
    assert found["turnover"].difference is None
    assert "mend controls.turnover in sources/books/source.yaml" in found["turnover"].next
    assert found["balance"].agrees  # the others go on
    assert books.rows("select count(*) from raw_books.entry") == [(2,)]


@pytest.mark.parametrize(
    "sql",
    [
        "select 1; select 2",
        "drop table raw_books.entry",
        "insert into raw_books.entry select * from raw_books.entry",
        "with x as (delete from raw_books.entry returning 1) select * from x",
        "select count(*) from raw_pay.salary",
        "select count(*) from ops.batch",
        "select count(*) from entry",
        "select count(*) from other.raw_books.entry",
        "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select (select count(*) from read_text('/etc/passwd')) from raw_books.entry",
        "select * from query('drop table raw_books.entry')",
        "copy raw_books.entry to '/tmp/x.csv'",
        "attach '/tmp/x.db'",
        "select from where",
    ],
)
def test_what_is_held_may_only_be_read_and_only_there(sql):
    assert not_allowed(sql, "raw_books")


@pytest.mark.parametrize(
    "sql",
    [
        "select sum(debit) from raw_books.entry",
        'select sum(debit) from "raw_books"."entry" as e join raw_books.note using (id)',
        "with e as (from raw_books.entry) select (select count(*) from e) - count(*) from raw_books.entry__history",
        "select sum(x) from (values (1), (2)) as v(x)",
        "select max(n) from (select count(*) as n from raw_books.note union all select 0)",
    ],
)
def test_ordinary_queries_may_be_run(sql):
    assert not_allowed(sql, "raw_books") is None


def test_answers_that_cannot_be_read_are_not_passed_over(books):
    pulled(books)
    (file,) = (books.landing.root / "books" / "_controls").iterdir()
    file.write_text(json.dumps({"source": "books"}))
    with pytest.raises(ControlError, match="Restore the file in the landing"):
        compared(books)


def test_a_clock_that_has_gone_back_does_not_bring_an_old_answer_back(books):
    keep_answers(books.landing, books.source, {"balance": "1"}, NOON)
    keep_answers(books.landing, books.source, {"balance": "2"}, NOON - timedelta(days=1))
    said = latest_answers(books.landing, "books")
    assert said is not None
    assert said.answers == {"balance": "2"}


def test_a_pull_of_some_streams_does_not_ask_for_the_total_of_all(books):
    from tieout.ingest.extract import extract_source
    from tieout.ingest.intake.ask import Ask

    extract_source(books.source, books.landing, Ask(NOON, frozenset({"note"})), lambda _: None)
    assert latest_answers(books.landing, "books") is None


def test_a_total_that_comes_to_disagree_makes_another_result(books):
    pulled(books)
    with connect(books.warehouse) as con:
        before = raw_version(con)
        keep_answers(books.landing, books.source, {"balance": "5"}, NOON + timedelta(hours=1))
        compare_controls(con, {"books": books.source}, books.landing)
        assert raw_version(con) != before


def test_a_total_that_does_not_agree_is_a_reservation_of_the_certificate(books):
    pulled(books)
    keep_answers(books.landing, books.source, {"balance": "5"}, NOON + timedelta(hours=1))
    run(books, "insert into entry values (3, -7.5, 0, '2026-09-06 10:00:00')")
    books.extract()  # the door asks again; this test wants the wrong answer back
    keep_answers(books.landing, books.source, {"balance": "5"}, NOON + timedelta(hours=2))
    books.load()
    certificate = issued(books)

    assert certificate.certified is False
    assert certificate.reasons[:2] == (
        "1 rows are in quarantine: totals are without them (books.entry: 1 row, debit -7.5 CNY, credit 0 CNY)",
        f"control total balance of books does not agree: {remedy('books', '', 'balance')}",
    )


def issued(books):
    from tieout.tie.certificate import issue
    from tieout.tie.verdict import Verdict

    with connect(books.warehouse) as con:
        compare_controls(con, {"books": books.source}, books.landing)
        con.execute("create schema marts; create table marts.fct_stock_balance_day (balance_date date)")
        return issue(con, "P1", "R1", Verdict(()), "v", NOON, {"books": books.source})


def test_the_month_that_is_off_is_read_again_by_one_command():
    assert (
        backfill("books.entry", "2026-12") == "tieout backfill books.entry --from 2026-12-01 --to 2027-01-01"
    )
    assert "--from 2026-09-01 --to 2026-10-01" in remedy("books", "entry", "sum_debit[2026-09]")
    assert remedy("books", "entry", "rows") == "read it again: `tieout refresh --only books.entry --full`"


def test_the_command_prints_totals_and_fails_if_one_is_off(books, tmp_path, monkeypatch):
    project = tmp_path / "project"
    (project / "sources" / "books").mkdir(parents=True)
    text = yaml.safe_dump(books.source.model_dump(by_alias=True, mode="json"), allow_unicode=True)
    (project / "sources" / "books" / "source.yaml").write_text(text)
    monkeypatch.setattr("tieout.settings.settings", lambda: Settings(home=tmp_path, project=project))
    pulled(books)
    good = CliRunner().invoke(app, ["controls"])
    assert (good.exit_code, good.exception) == (0, None)
    assert "8 of 8 agree" in good.output
    assert "declares no control" in good.output

    run(books, "delete from entry where id = 1")
    pulled(books)
    bad = CliRunner().invoke(app, ["controls", "--off"])
    assert bad.exit_code == 1
    assert "100.1" in bad.output
    assert "tieout refresh --only books --full" in bad.output


def test_an_empty_warehouse_states_no_totals(books):
    with connect(books.warehouse) as con:
        ensure_ledger(con)
        ensure_raw_tables(con, {"books": books.source})
        load_pending(con, {"books": books.source}, books.landing, NOON, lambda _: None)
        assert compare_controls(con, {"books": books.source}, books.landing) == []
        assert ("books", "control balance", "not asked yet") in unproved(con, {"books": books.source})
