"""What the examination reads: findings out of a warehouse, and planted faults out of a company's stores."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from expectations.suite import CheckResult
from sandbox.store import Field, Table, write_store
from tieout.detection import read, trial
from tieout.detection.key import planted
from tieout.engine import connect
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.ask import Extracted
from tieout.ingest.intake.http.client import Unreachable
from tieout.ingest.ledger import ensure_ledger
from tieout.transform.dbt import Node


def warehouse(path: Path):
    con = connect(path)
    ensure_ledger(con)
    con.execute("create schema tie")
    con.execute("create schema marts")
    con.execute(
        """create table tie.identity_break (identity text, group_key text, group_name text, status text, cause text,
        suspect text, cause_amount decimal(38, 4), evidence text, documents text)"""
    )
    con.execute(
        """create table marts.fct_data_case (case_kind text, subject text, detail text, amount_txn decimal(18, 2),
        source_system text, source_stream text, source_record text)"""
    )
    return con


def test_only_what_is_unexplained_of_a_broken_group_is_an_alarm(tmp_path):
    con = warehouse(tmp_path / "w.duckdb")
    con.execute(
        """insert into tie.identity_break values
        ('a_is_b', 'JS20240107', 'x', 'broken', 'unexplained', 'amount', -7.5, '["hc_shop/settlement/JS20240107"]', '["YS1"]'),
        ('a_is_b', 'JS20240107', 'x', 'broken', 'timing', null, 3, '["hc_shop/refund/1"]', '[]'),
        ('a_is_b', '2024-02-01', 'y', 'explained', 'timing', null, 3, '["hc_shop/refund/2"]', '[]')"""
    )

    [found] = read.findings(con, [])

    assert (found.kind, found.rule, found.says, found.amount) == (
        "identity",
        "a_is_b",
        "a_is_b:amount",
        Decimal("-7.5"),
    )
    assert found.rows == {("hc_shop", "settlement", "JS20240107")}
    assert found.documents == {"YS1", "JS20240107"}  # its group is a document too


def test_rows_that_one_rule_set_aside_are_one_finding(tmp_path):
    con = warehouse(tmp_path / "w.duckdb")
    con.execute(
        """create table ops.aside as select * from (values ('hc_feishu', 'approval', 'A1', 'holds', 'no amount', 'f', 1),
        ('hc_feishu', 'approval', 'A2', 'holds', 'no amount', 'f', 2), ('hc_u8', 'delivery_line', null, 'min', 'below 0', 'f', 3)
        ) as t (source, stream, record_key, rule, reason, origin, row_number)"""
    )
    con.execute(
        "create or replace view ops.quarantine_open as from ops.aside"
    )  # how a row gets there is asked elsewhere

    found = read.findings(con, [])

    assert [(item.rule, len(item.rows)) for item in found] == [("holds", 2), ("min", 1)]


def test_cases_checks_and_tests_name_rows_and_documents(tmp_path):
    con = warehouse(tmp_path / "w.duckdb")
    con.execute(
        """insert into marts.fct_data_case values
        ('doubtful_pair', 'customer hc_crm:KH1 = hc_u8:007', 'd', null, 'hc_crm', 'record', 'hc_crm:KH1')"""
    )
    con.execute(
        "create table marts.fct_payment (payment_key text, source_system text, source_stream text, source_record text)"
    )
    con.execute("insert into marts.fct_payment values ('k', 'hc_kingdee', 'payment_line', '9')")
    failed = CheckResult(
        "marts.fct_x", "fct_x", "rule", "", "", "warning", "failed", None, 1, "sales",
        ({"invoice_no": "YS7", "source_system": "hc_kingdee", "source_stream": "receivable_line", "source_record": "5"},),
    )  # fmt: skip
    passed = CheckResult("marts.fct_x", "fct_x", "other", "", "", "warning", "passed", None, 0, "sales")
    (tmp_path / "compiled").mkdir()
    (tmp_path / "compiled" / "assert_it.sql").write_text("select 'fct_payment' as table_name, 'k' as row_key")
    nodes = [
        Node("test.tieout.assert_it", "test", "warn", 0.0, "1 result"),
        Node("test.tieout.assert_more", "test", "pass", 0.0, ""),
        Node("model.tieout.m", "model", "success", 0.0, ""),
    ]

    case, check = sorted(read.findings(con, [failed, passed]), key=lambda item: item.kind)
    [test] = read.tests(con, nodes, tmp_path / "compiled")

    assert {"KH1", "007"} <= case.documents
    assert (check.rule, check.documents) == ("fct_x.rule", frozenset({"YS7"}))
    assert check.rows == {("hc_kingdee", "receivable_line", "5")}
    assert (test.says, test.rows) == ("assert_it", frozenset({("hc_kingdee", "payment_line", "9")}))


def test_findings_come_back_from_their_file_as_they_were(tmp_path):
    con = warehouse(tmp_path / "w.duckdb")
    con.execute(
        "insert into marts.fct_data_case values ('k', 'YS1', 'd', 1.23, 'hc_kingdee', 'receivable_line', '1')"
    )
    found = [*read.findings(con, []), *read.held([("hc_shop", "refund", "refund_V2 is new")])]
    (tmp_path / trial.FINDINGS).write_text(trial.written(found), "utf-8")

    assert trial.findings(tmp_path) == found


def stores(folder: Path) -> None:
    """A delivery with one line, and an invoice of two lines, as the fault kit leaves them."""

    def table(name: str, key: tuple[str, ...], *rows: dict, parent=None, link=None) -> Table:
        fields = tuple(Field(field, "text", field) for field in rows[0])
        return Table(name, name, key, fields, [tuple(row.values()) for row in rows], parent, link)

    line = {"FEntityDetail_FEntryID": "1", "FBillNo": "YS1", "FSourceBillNo": "CK1", "FDATE": "2025-10-02"}
    write_store(
        folder / "systems" / "kingdee.sqlite",
        [table("AR_receivable", ("FEntityDetail_FEntryID",), line, {**line, "FEntityDetail_FEntryID": "2"})],
    )
    write_store(
        folder / "databases" / "u8.sqlite",
        [
            table("RdRecord32", ("ID",), {"ID": "7", "cCode": "CK7", "cSOCode": "XS7"}),
            table(
                "rdrecords32",
                ("AutoID",),
                {"AutoID": "70", "ID": "7", "iQuantity": "30"},
                parent="RdRecord32",
                link="ID",
            ),
        ],
    )


def test_a_fault_is_the_rows_it_changed_and_the_documents_they_name(tmp_path):
    stores(tmp_path)

    def change(system: str, table: str, key: str, field: str | None, true, shown) -> dict:
        return {"system": system, "table": table, "key": [key], "field": field, "true": true, "shown": shown}

    def fault(name: str, kind: str, *changes: dict) -> dict:
        return {
            "id": name,
            "kind": kind,
            "period": "2025-09",
            "amount": "1.00",
            "currency": "CNY",
            "changes": list(changes),
        }

    gone = {"FEntityDetail_FEntryID": "3", "FBillNo": "YS3", "FSourceBillNo": "CK3", "FDATE": "2025-09-01"}
    bills = ("kingdee", "AR_receivable")
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "faults.json").write_text(
        json.dumps({"faults": [
            fault("F1", "cut-off", change(*bills, "1", "FDATE", "2025-09-29", "2025-10-02")),
            fault("F2", "wrong-quantity", change("u8", "rdrecords32", "70", "iQuantity", "3", "30")),
            fault("F3", "delivery-without-invoice", change(*bills, "3", None, gone, None)),
            # a later fault wrote over this one, and took that one's row away
            fault("F4", "wrong-amount", change(*bills, "2", "FDATE", "2025-09-29", "2025-11-01")),
            fault("F5", "sent-twice", change(*bills, "4", None, None, {**gone, "FEntityDetail_FEntryID": "4"})),
            fault("F6", "schema-drift", change("shop", "*", "pay_amount", "drift", "pay_amount", "pay_amount_V2")),
        ]}),
        "utf-8",
    )  # fmt: skip

    cut, quantity, lost, over, away, drift = planted(tmp_path)

    assert cut.rows == {("hc_kingdee", "receivable_line", "1")}
    assert cut.documents == {"YS1", "CK1"}
    assert quantity.rows == {("hc_u8", "delivery_line", "70")}
    assert quantity.documents == {"CK7", "XS7"}  # of its head
    assert lost.documents == {"YS3", "CK3"}  # of the row that is gone
    assert drift.rows == {("hc_shop", "*", "*")}
    assert [item.shows for item in (cut, quantity, lost, over, away, drift)] == [
        True,
        True,
        True,
        False,
        False,
        True,
    ]


def test_a_fault_that_sets_another_one_right_shows_as_little_as_that_one(tmp_path):
    stores(tmp_path)
    there = {"system": "kingdee", "table": "AR_receivable", "key": ["1"], "field": "FDATE"}
    fault = {"kind": "cut-off", "period": "2025-09", "amount": "1.00", "currency": "CNY"}
    undone = [
        {**fault, "id": "F1", "changes": [{**there, "true": "2025-10-02", "shown": "2025-11-01"}]},
        {**fault, "id": "F2", "changes": [{**there, "true": "2025-11-01", "shown": "2025-10-02"}]},
    ]
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "faults.json").write_text(json.dumps({"faults": undone}), "utf-8")

    assert [(item.shows, item.whole) for item in planted(tmp_path)] == [(False, False), (False, False)]


def test_a_system_that_is_down_is_no_finding_and_a_refusal_is_none_of_its_being_down():
    """What such a system holds would be counted as not found."""
    refused = Extracted("hc_kingdee", "voucher", error=SourceError("字段FDEBIT不存在"))
    trial.reached([refused])

    with pytest.raises(Unreachable, match="6 times in a row"):
        trial.reached(
            [refused, Extracted("hc_shop", "order", error=Unreachable("hc_shop: 6 times in a row"))]
        )
