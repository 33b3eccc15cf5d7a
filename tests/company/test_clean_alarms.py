"""Every alarm on the clean sample group is true: shown row by row from the systems' own files or the answer keys.

`TRUE_OF_THE_SAMPLE` and `PROVED_BY` name the rules that may speak on clean data; here is the proof of each.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from tests.company import truth
from tests.company.conftest import Group
from tests.company.test_master_data import identities
from tieout.detection.clean import PROVED_BY
from tieout.detection.expected import TRUE_OF_THE_SAMPLE

pytestmark = [pytest.mark.company]


def test_no_other_rule_speaks_on_clean_data(group: Group):
    cases = {kind for (kind,) in group.rows("select distinct case_kind from marts.fct_data_case")}
    broken = {name for (name,) in group.rows(
        "select distinct identity from tie.identity_break where status = 'broken' and cause = 'unexplained'"
    )}  # fmt: skip
    checks = {f"{table}.{check}" for table, check in group.rows(
        """select table_name, check_id from ops.check_result
        where run_id = (select run_id from ops.certificate order by issued_at desc limit 1) and status <> 'passed'"""
    )}  # fmt: skip
    named = {name for name in checks if name.partition(".")[2] not in broken}
    assert cases | broken | named == {*TRUE_OF_THE_SAMPLE, *PROVED_BY}


def test_customers_said_to_be_entered_twice_are_and_nobody_else_was(group: Group):
    said = group.rows(
        "select source_system || ':' || customer_code from marts.dim_customer where duplicate_record_count > 0"
    )
    number, codes = identities(group, "customer"), defaultdict(set)
    for record, true in number.items():
        codes[record.partition(":")[0], true].add(record)
    twice = {true for (_, true), records in codes.items() if len(records) > 1}
    with truth.FILE.with_name("duplicate_parties_truth.csv").open(encoding="utf-8", newline="") as file:
        twice |= {f"hx_sales:{row['original_code']}" for row in csv.DictReader(file)}
    assert {number.get(record, record) for (record,) in said} == twice and len(twice) == len(said) > 9


def test_pairs_said_to_be_two_legal_entities_are_two(group: Group):
    number = identities(group, "customer")
    cards = [(name.strip(), number[f"hc_kingdee:{code}"]) for code, name in group.rows(
        "select customer_code, customer_name from raw_hc_kingdee.customer where not _is_deleted"
    )]  # fmt: skip

    def true(record: str) -> str:
        """By code; who is known by name only, by the one card whose name ends so: people leave the town out."""
        if record in number:
            return number[record]
        (found,) = {card for name, card in cards if name.endswith(record.partition(":")[2])}
        return found

    pairs = [
        subject.removeprefix("customer ").split(" = ")
        for (subject,) in group.rows(
            "select subject from marts.fct_data_case where case_kind = 'would_join_two_legal_entities'"
        )
    ]
    assert len(pairs) > 10 and not [pair for pair in pairs if true(pair[0]) == true(pair[1])]


def test_pairs_the_platform_asks_about_were_not_to_be_joined_by_itself(group: Group):
    """A question is no claim. Each of these is between the two companies, whose masters share nobody: joining would be wrong."""
    pairs = [
        subject.split(" ", 1)[1].split(" = ")
        for (subject,) in group.rows(
            "select subject from marts.fct_data_case where case_kind = 'doubtful_pair'"
        )
    ]
    assert pairs
    for one, other in pairs:
        assert {one.partition("_")[0], other.partition("_")[0]} == {"hc", "hx"}


def test_the_unit_without_a_conversion_is_on_no_card(group: Group):
    ((subject, record),) = group.rows(
        "select subject, source_record from marts.fct_data_case where case_kind = 'unit_not_convertible'"
    )
    product, _, unit = record.partition("|")
    assert subject == f"{product} in {unit}"
    cards = {record.split(":", 1)[1] for record in identities(group, "product")}
    assert cards and product not in cards


def test_hours_present_are_longer_than_hours_written_down_by_what_is_said(group: Group):
    """From the spreadsheets: first to last passing of the door, rounded as it is read, on days that have a timesheet."""
    passed: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    written: Counter[tuple[str, str]] = Counter()
    for path in sorted((group.home / "company" / "hx_people").glob("*.xlsx")):
        book = load_workbook(path, read_only=True, data_only=True)
        if path.name.startswith("考勤"):
            for row in list(book["考勤"].iter_rows(values_only=True))[1:]:
                passed[f"{row[2]:%Y-%m-%d}", str(row[3])].append(datetime.fromisoformat(str(row[1])))
        elif path.name.startswith("工时"):
            for row in list(book["工时"].iter_rows(values_only=True))[3:]:
                if isinstance(row[0], int):
                    written[f"{row[1]:%Y-%m-%d}", str(row[2])] += Decimal(str(row[5]))
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for (day, number), times in passed.items():
        seconds = int((max(times) - min(times)).total_seconds())
        expected[day[:7]] += written[day, number] - (Decimal(seconds) / 3600).quantize(Decimal("0.01"))
    said = {
        f"{key[:7]}": amount
        for key, amount in group.rows(
            """select group_key, cause_amount from tie.identity_break
            where identity = 'attendance_equals_timesheet' and cause = 'unexplained'"""
        )
    }
    assert len(said) == 5 and said == dict(expected)


def test_vouchers_outside_operations_are_those_the_erp_dated_on_the_day_a_program_ran(group: Group):
    lines, debit, days = group.rows(
        """select count(*), sum(debit_amount_cny), count(distinct entry_date) from marts.fct_ledger_entry_line
        where is_outside_operations"""
    )[0]
    assert (lines, debit, days) == (truth.PROSE["wrong_day_lines"], truth.PROSE["wrong_day_debit"], 1)
