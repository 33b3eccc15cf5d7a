"""Decisions that contradict each other, on 华信: the latest holds, and every one that gave way is a case with an owner."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.company.conftest import Company

pytestmark = [pytest.mark.company, pytest.mark.slow, pytest.mark.nightly]

COPY, ORIGINAL = "hx_sales:C0702", "hx_sales:C0018"  # one customer, keyed in twice: the rules join them
A, B, C = "hx_sales:C0001", "hx_sales:C0002", "hx_sales:C0003"  # three


@pytest.fixture(scope="module")
def contradicted(company: Company, place: Path) -> tuple[Company, dict[str, str]]:
    """The company after a decision that was reversed twice, and three decisions that run in a circle."""
    mine = company.copied(place / "contradicted")
    ids = {}
    for name, kind, one, other in (
        ("first", "different", COPY, ORIGINAL), ("second", "same", COPY, ORIGINAL), ("third", "different", COPY, ORIGINAL),
        ("ab", "same", A, B), ("bc", "same", B, C), ("ac", "different", A, C),
    ):  # fmt: skip
        said = mine.run("master", kind, one, other, "--by", "李静", "--reason", name).stdout
        found = re.search(r"Decided \[(\S+)\]", said)
        assert found
        ids[name] = found[1]
    mine.run("refresh")
    return mine, ids


def test_the_latest_decision_holds_and_of_a_circle_the_oldest_gives_way(
    contradicted: tuple[Company, dict[str, str]],
) -> None:
    keys = dict(contradicted[0].rows("select record_id, master_key from master.crosswalk"))
    assert keys[COPY] != keys[ORIGINAL]
    assert keys[A] != keys[B] == keys[C]


def test_every_decision_that_gave_way_is_a_case_with_owner_and_safe_default(
    contradicted: tuple[Company, dict[str, str]],
) -> None:
    mine, ids = contradicted
    found = mine.rows(
        "select source_record, owner, safe_default, subject, detail from marts.fct_data_case"
        " where case_kind = 'decisions_contradict' order by source_record"
    )
    assert [row[0] for row in found] == [ids["second"], ids["ab"]]
    assert {row[1:3] for row in found} == {
        ("sales", "the later decision holds; of a circle the oldest gives way (tieout master undo)")
    }
    assert found[0][3] == f"customer {ORIGINAL} = {COPY}" and ids["third"] in found[0][4]
    assert found[1][3] == f"customer {A} = {B}" and all(ids[name] in found[1][4] for name in ("bc", "ac"))
    # The pair looks alike and is kept apart: a case of its own, beside that of the decision that gave way.
    kinds = mine.rows("select case_kind from marts.fct_data_case where subject = ? order by 1", found[0][3])
    assert kinds == [("decided_different_but_alike",), ("decisions_contradict",)]
    assert mine.value("select count(*) - count(distinct data_case_key) from marts.fct_data_case") == 0


def test_the_list_of_decisions_says_what_overrules_what(contradicted: tuple[Company, dict[str, str]]) -> None:
    mine, ids = contradicted
    lines = mine.run("master", "decisions").stdout.splitlines()

    def line(name: str) -> str:
        (found,) = [item for item in lines if f" {ids[name]}  " in item]
        return found

    assert line("second").rstrip().endswith(f"overruled by {ids['third']}")
    assert line("ab").rstrip().endswith(f"overruled by {ids['ac']}")
    assert all(line(name).rstrip().endswith("holds") for name in ("third", "bc", "ac"))


def test_taken_back_they_leave_nothing_behind(
    contradicted: tuple[Company, dict[str, str]], company: Company
) -> None:
    mine, ids = contradicted
    for decision in ids.values():
        mine.run("master", "undo", decision, "--by", "李静", "--reason", "all of it was a test")
    mine.run("refresh")
    crosswalk = "select record_id, master_key from master.crosswalk order by all"
    cases = "from marts.fct_data_case order by all"
    assert mine.rows(crosswalk) == company.rows(crosswalk)
    assert mine.rows(cases) == company.rows(cases)
