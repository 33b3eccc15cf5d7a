"""The bus matrix: a hole needs a reason, a reason needs a hole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tieout.settings import settings
from tieout.transform.bus_matrix import DIMENSIONS, BusMatrixError, bus_matrix, facts

FACT = """
models:
  - name: fct_toy
    description: 玩具 / Toys.
    config: {{meta: {{owner: sales, class: L2, without: [{without}]}}}}
    columns:
      - {{name: toy_key}}
      - {{name: sold_date}}
      - {{name: company_key}}
      - {{name: bank_account_key}}
      - {{name: employee_key}}
"""
OTHERS = "{reason: toys have none, dimensions: [customer, supplier, product, organisation, warehouse, currency, unit]}"


def models(folder: Path, without: str) -> Path:
    (folder / "toys").mkdir(parents=True)
    (folder / "toys" / "_toys__models.yml").write_text(FACT.format(without=without), encoding="utf-8")
    return folder


def test_what_is_carried_and_what_is_explained(tmp_path):
    (fact,) = facts(models(tmp_path, OTHERS + ", {reason: a toy is a toy, dimensions: [status]}"))

    assert fact.module == "toys" and fact.title == "玩具"
    assert fact.carried == {
        "date": ("sold_date",),
        "company": ("company_key",),
        "account": ("bank_account_key",),
        "employee": ("employee_key",),
    }
    assert fact.without["status"] == "a toy is a toy"
    page = bus_matrix(tmp_path)
    assert "| toys · fct_toy | ✓ | ✓ | · | · | · | · | ✓ | · | ✓ | · | · | · |" in page
    assert "status: a toy is a toy" in page


def test_a_hole_without_a_reason_is_named(tmp_path):
    with pytest.raises(BusMatrixError, match=r"_toys__models\.yml: fct_toy carries no status"):
        facts(models(tmp_path, OTHERS))


def test_a_reason_for_what_is_there_is_named(tmp_path):
    said = OTHERS + ", {reason: a toy is a toy, dimensions: [status, employee]}"
    with pytest.raises(BusMatrixError, match="fct_toy says why it is without employee, but has employee_key"):
        facts(models(tmp_path, said))


def test_a_dimension_nobody_knows_is_named(tmp_path):
    said = OTHERS + ", {reason: a toy is a toy, dimensions: [status, colour]}"
    with pytest.raises(BusMatrixError, match="fct_toy: colour is no dimension"):
        facts(models(tmp_path, said))


def test_every_fact_of_the_project_is_in_the_matrix():
    marts = settings().dbt_project / "models" / "marts"
    built = {path.stem for path in marts.rglob("fct_*.sql")}
    listed = facts(marts)
    assert {fact.name for fact in listed} == built
    assert all(fact.carried.keys() | fact.without.keys() == DIMENSIONS.keys() for fact in listed)


def test_the_test_of_keys_asks_for_every_key_of_every_fact():
    """`assert_every_key_names_a_member` lists facts and keys by hand: none may be forgotten."""
    project = settings().dbt_project
    text = (project / "tests" / "assert_every_key_names_a_member.sql").read_text(encoding="utf-8")
    for fact in facts(project / "models" / "marts"):
        for name, columns in fact.carried.items():
            if DIMENSIONS[name].endswith("_key"):
                listed = re.search(rf'"{fact.name}",\s*\[(.*?)\]', text, re.DOTALL)
                assert listed and all(f'"{column}"' in listed[1] for column in columns), (fact.name, columns)
