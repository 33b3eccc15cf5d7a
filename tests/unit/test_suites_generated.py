"""Checks that follow from the names of columns: generated once, merged into the suite, never twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from expectations.generate import flags, generated_suites, never_empty, orphans
from expectations.suite import SuiteError, read_suites

PROJECT = Path(__file__).parents[2]
BY_HAND = {
    "owner": "sales",
    "expectations": [
        {
            "type": "expect_column_values_to_be_unique",
            "kwargs": {"column": "line_key"},
            "severity": "critical",
            "description": {"zh": "唯一", "en": "Unique"},
            "meta": {"id": "unique"},
        },
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "currency_code", "value_set": ["CNY"]},
            "severity": "critical",
            "description": {"zh": "币种", "en": "Currency"},
            "meta": {"id": "currency"},
        },
    ],
}
COLUMNS = ["line_key", "customer_key", "is_booked", "currency_code", "uom_code", "amount", "source_system"]


@pytest.fixture
def project(tmp_path) -> tuple[Path, Path]:
    """One mart with a suite, one without."""
    models, suites = tmp_path / "models", tmp_path / "suites" / "marts"
    (models / "sales").mkdir(parents=True)
    suites.mkdir(parents=True)
    described = [
        {"name": name, "columns": [{"name": column} for column in COLUMNS]}
        for name in ("fct_line", "fct_bare")
    ]
    (models / "sales" / "_sales__models.yml").write_text(yaml.safe_dump({"models": described}), "utf-8")
    (suites / "fct_line.yaml").write_text(yaml.safe_dump(BY_HAND, allow_unicode=True), "utf-8")
    return models, suites


def written(models: Path, suites: Path) -> Path:
    (made,) = generated_suites(models, suites).items()
    path, text = made
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_names_say_what_is_never_empty():
    assert never_empty(COLUMNS) == ["line_key", "customer_key", "source_system"]
    assert flags(COLUMNS) == ["is_booked"]


def test_what_follows_from_names_runs_after_what_was_written_by_hand(project):
    models, suites = project
    path = written(models, suites)

    (suite,) = read_suites(suites.parent)

    assert path == suites / "generated" / "fct_line.yaml"
    assert [item.meta.id for item in suite.expectations] == [
        "unique",
        "currency",
        "keys_and_origin_are_there",
        "flags_are_true_or_false",
        "uom_code_is_standard",  # the currency is on a list by hand already
    ]
    assert suite.owner == "sales"


def test_a_generated_check_with_the_id_of_another_is_refused(project):
    models, suites = project
    path = written(models, suites)
    path.write_text(path.read_text("utf-8").replace("flags_are_true_or_false", "unique"), "utf-8")

    with pytest.raises(SuiteError, match="more than once"):
        read_suites(suites.parent)


def test_a_generated_file_that_is_no_suite_is_refused_by_name(project):
    models, suites = project
    written(models, suites).write_text("expectations: [{type: nonsense}]", "utf-8")

    with pytest.raises(SuiteError, match=r"marts/generated/fct_line\.yaml is not a valid suite"):
        read_suites(suites.parent)


def test_a_generated_file_nothing_asks_for_is_an_orphan(project):
    models, suites = project
    path = written(models, suites)

    assert orphans(suites, generated_suites(models, suites)) == []
    assert orphans(suites, {}) == [path]


def test_what_is_on_disk_is_what_the_marts_generate():
    suites = PROJECT / "expectations" / "suites" / "marts"
    wanted = generated_suites(PROJECT / "dbt_project" / "models" / "marts", suites)

    assert [path.name for path, text in wanted.items() if path.read_text("utf-8") != text] == []
    assert orphans(suites, wanted) == []
