"""Who is who: the keys that came out, against the answer key and the list of customers keyed in twice."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from decimal import Decimal
from itertools import combinations
from pathlib import Path

import pytest

import tests.company.truth as truth
from tests.company.conftest import Company, Group

pytestmark = [pytest.mark.company, pytest.mark.slow]

Pairs = set[tuple[str, str]]
FLOORS = {"customer": (0.99, 0.98), "supplier": (0.99, 0.98), "product": (0.99, 0.95)}


def pairs(number: dict[str, str]) -> Pairs:
    """Pairs of records that have the same value."""
    groups = defaultdict(list)
    for record, value in number.items():
        groups[value].append(record)
    return {pair for group in groups.values() for pair in combinations(sorted(group), 2)}


def keys(company: Company, entity: str) -> dict[str, str]:
    return dict(company.rows("select record_id, master_key from master.crosswalk where entity = ?", entity))


def identities(group: Group, kind: str) -> dict[str, str]:
    """Record id → true number, by the generator's own answer key."""
    with (group.home / "huachen" / "answers" / "identities.csv").open(encoding="utf-8", newline="") as file:
        return {
            # The MES database holds the warehouse's codes as well.
            f"hc_{'mes' if row['system'] == 'wms' else row['system']}:{row['code']}": row["true_number"]
            for row in csv.DictReader(file)
            if row["kind"] == kind
        }


# --- the group, against the answer key ---


@pytest.mark.parametrize("entity", FLOORS)
def test_records_are_joined_as_the_answer_key_joins_them(group: Group, entity: str) -> None:
    found, said = keys(group, entity), identities(group, entity)
    known = {record: said[record] for record in found if record in said}
    # Systems without a list of their own show only what documents name; nothing else may be missing.
    listed = {
        record
        for record in said
        if record.split(":")[0] in ("hc_kingdee", "hc_u8", "hc_crm", "hc_sap", "hc_yonbip")
    }
    assert entity == "product" or listed <= set(found)
    ours, theirs = pairs({record: found[record] for record in known}), pairs(known)
    precision, recall = len(ours & theirs) / len(ours), len(ours & theirs) / len(theirs)
    print(f"{entity}: {len(known)} records, precision {precision:.4f}, recall {recall:.4f}")

    least = FLOORS[entity]
    assert len(theirs) > 40 and precision >= least[0], sorted(ours - theirs)[:10]
    assert recall >= least[1], sorted(theirs - ours)[:10]


def test_people_are_never_joined_wrongly_and_found_wherever_they_have_a_name(group: Group) -> None:
    found, said = keys(group, "employee"), identities(group, "employee")
    named = {
        row[0] for row in group.rows("select record_id from master.employee_record where name is not null")
    }
    known = {record: said[record] for record in found if record in said}
    ours, theirs = pairs({record: found[record] for record in known}), pairs(known)
    assert len(known) > 100 and ours <= theirs, sorted(ours - theirs)[:10]
    with_name = pairs({record: number for record, number in known.items() if record in named})
    print(f"employee: recall {len(ours & with_name) / len(with_name):.4f} of those with a name")
    assert len(ours & with_name) / len(with_name) >= 0.95, sorted(with_name - ours)[:10]


def test_no_record_is_lost_and_every_fact_names_a_member(group: Group) -> None:
    for entity in ("customer", "supplier", "product", "employee"):
        records, distinct = group.rows(
            f"select count(*), count(distinct record_id) from master.{entity}_record"
        )[0]
        assert (
            records
            == distinct
            == group.value("select count(*) from master.crosswalk where entity = ?", entity)
        )
        dimension = {row[0] for row in group.rows(f"select {entity}_key from marts.dim_{entity}")}
        assert {*keys(group, entity).values(), "unmatched"} <= dimension
        for (fact,) in group.rows(
            "select table_name from duckdb_columns() where schema_name = 'marts' and starts_with(table_name, 'fct_')"
            " and column_name = ?",
            f"{entity}_key",
        ):
            named = {row[0] for row in group.rows(f"select distinct {entity}_key from marts.{fact}")}
            assert named <= dimension, f"{fact}: {sorted(named - dimension)[:5]}"


# --- 华信: nine customers keyed in twice ---


def test_the_nine_customers_keyed_in_twice_are_found_and_nobody_else_is_joined(group: Group) -> None:
    file = Path(truth.FILE).with_name("duplicate_parties_truth.csv")
    with file.open(encoding="utf-8", newline="") as lines:
        expected = {
            (f"hx_sales:{row['original_code']}", f"hx_sales:{row['copy_code']}")
            for row in csv.DictReader(lines)
        }
    joined = {pair for pair in pairs(keys(group, "customer")) if any(one.startswith("hx_") for one in pair)}
    assert joined == expected and len(expected) == 9
    codes = {original.split(":")[1] for original, _ in expected}
    twice = group.rows(
        "select customer_code from marts.dim_customer"
        " where source_system = 'hx_sales' and duplicate_record_count > 0"
    )
    assert {row[0] for row in twice} == codes, "the older record, with the credit code, gives the code"


# --- a steward changes his mind ---


@pytest.mark.nightly
def test_a_decision_moves_facts_to_the_cent_and_undone_they_are_back(company: Company, place: Path) -> None:
    mine = company.copied(place / "stewarded")
    copy, original = "hx_sales:C0702", "hx_sales:C0018"
    sales = "select cast(sum(order_amount_net_cny) as decimal(18, 2)) from marts.fct_sales_order_line"
    by_code = """
        select sum(l.order_amount_net_cny) from raw_hx_sales.party_party as p
        join raw_hx_sales.sale_sale as o on o.party = p.id join raw_hx_sales.sale_line as s on s.sale = o.id
        join marts.fct_sales_order_line as l on l.line_id = cast(s.id as text) where p.code = 'C0702'"""
    ties = "select identity, status, left_total, right_total, unexplained from tie.identity_result order by 1"
    before, total, tied = keys(mine, "customer"), mine.value(sales), mine.rows(ties)
    moves = mine.value(by_code)
    assert before[copy] == before[original]

    said = mine.run("master", "different", copy, original, "--by", "李静", "--reason", "two licences").stdout
    decision = re.search(r"Decided \[(\S+)\]", said)
    assert decision
    mine.run("refresh")
    apart = keys(mine, "customer")
    assert apart[copy] != apart[original] and apart[original] == before[original]
    assert {r: k for r, k in apart.items() if r != copy} == {r: k for r, k in before.items() if r != copy}
    told = mine.run("master", "moved").stdout
    assert mine.value(sales) == total and "totals are as they were" in told
    line = next(
        item
        for item in told.splitlines()
        if "fct_sales_order_line" in item and "order_amount_net_cny" in item
    )
    assert Decimal(line.split()[-1].replace(",", "")) == moves != 0
    assert mine.rows(ties) == tied, "every identity is as it was, to the cent"

    mine.run("master", "undo", decision[1], "--by", "李静", "--reason", "one licence after all")
    mine.run("refresh")
    assert keys(mine, "customer") == before
    assert mine.value(sales) == total
