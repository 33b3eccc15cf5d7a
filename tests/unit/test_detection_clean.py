"""An alarm on clean data is true only if a key holds it: keys and alarms made by hand."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tieout.detection.clean import ENTERED_ONCE, TWO_ENTITIES, WITHIN_OPERATIONS, Keys
from tieout.detection.finding import Finding


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    huachen, truth = tmp_path / "huachen", tmp_path / "truth"
    (huachen / "answers").mkdir(parents=True)
    (huachen / "systems").mkdir()
    truth.mkdir()
    (huachen / "answers" / "identities.csv").write_text(
        "system,kind,code,true_number\n"
        "kingdee,customer,CUST1,C1\nkingdee,customer,CUST2,C1\nkingdee,customer,CUST3,C3\ncrm,customer,KH1,C1\n"
        "crm,customer,KH3,C3\nkingdee,supplier,CUST9,C9\n",
        "utf-8",
    )
    with sqlite3.connect(huachen / "systems" / "kingdee.sqlite") as con:
        con.execute('create table "BD_Customer" ("FNumber", "FName")')
        con.executemany(
            'insert into "BD_Customer" values (?, ?)',
            [("CUST1", "杭州甲有限公司"), ("CUST3", "杭州甲集团有限公司")],
        )
    con.close()
    (truth / "duplicate_parties_truth.csv").write_text(
        "copy_code,copy_name,original_code,original_name\nC0701,a,C0049,b\n", "utf-8"
    )
    (truth / "README.md").write_text("- 2 ledger lines (1.00 debit) are dated 2026-11-21, the day", "utf-8")
    return Keys(huachen, truth)


def alarm(rule: str, *records: tuple[str, str], title: str = "") -> Finding:
    rows = frozenset((system, "customer_record", code) for system, code in records)
    return Finding("check", rule, rule, "", title, rows=rows)


@pytest.mark.parametrize(
    ("records", "true"),
    [
        ([("hc_kingdee", "CUST1"), ("hx_sales", "C0049")], True),
        ([("hc_crm", "KH1")], True),  # once in this system, but its customer is twice in another
        ([("hc_kingdee", "CUST1"), ("hc_kingdee", "CUST3")], False),  # one that is there once spoils all
        ([("hx_sales", "C0050")], False),
        ([("hc_kingdee", "CUST9")], False),  # a supplier's code
        ([], False),
    ],
)
def test_a_customer_is_entered_twice_if_the_keys_say_so_of_every_row(keys, records, true):
    assert keys.holds(alarm(ENTERED_ONCE, *records)) is true


@pytest.mark.parametrize(
    ("pair", "true"),
    [
        ("hc_kingdee:CUST1 = hc_crm:KH3", True),
        ("hc_kingdee:CUST1 = hc_crm:KH1", False),  # one customer: to keep them apart would be wrong
        ("hc_tms:甲集团有限公司 = hc_crm:KH1", True),  # by its name, without the city
        ("hc_tms:有限公司 = hc_crm:KH1", False),  # a name of two
        ("hc_kingdee:CUST8 = hc_crm:KH1", False),  # not in the key
    ],
)
def test_two_legal_entities_are_two_customers_of_the_key(keys, pair, true):
    assert keys.holds(alarm(TWO_ENTITIES, title=f"customer {pair}: other_form")) is true


def test_lines_of_the_wrong_day_are_as_many_as_the_truth_says(keys):
    assert keys.holds(alarm(WITHIN_OPERATIONS, ("hx_finance", "1"), ("hx_finance", "2"))) is True
    assert keys.holds(alarm(WITHIN_OPERATIONS, ("hx_finance", "1"))) is False


def test_of_what_no_key_speaks_nothing_is_said(keys):
    assert keys.holds(alarm("doubtful_pair")) is None
