"""The shipped suites and claims: complete, bilingual, owned; and a suite with a typo is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from expectations.suite import Expectation, SuiteError, read_suites, violation_condition
from tieout.tie import generate
from tieout.tie.claims import read_claims

PROJECT = Path(__file__).parents[2]
SUITES = read_suites(PROJECT / "expectations" / "suites")
CLAIMS = read_claims(PROJECT / "expectations" / "reconciliation")


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)


def test_every_mart_has_a_suite_that_begins_with_its_key():
    marts = {path.stem for path in (PROJECT / "dbt_project" / "models" / "marts").rglob("*.sql")}
    without_suite = {"dim_currency", "dim_organisation"}  # three and a handful of rows, keyed by dbt tests
    assert marts - without_suite <= {suite.table for suite in SUITES}
    for suite in SUITES:
        assert suite.expectations[0].type == "expect_column_values_to_be_unique", suite.name


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_every_check_says_in_two_languages_what_it_promises(suite):
    for expectation in suite.expectations:
        assert is_chinese(expectation.description.zh)
        assert not is_chinese(expectation.description.en)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.claim)
def test_every_claim_says_in_two_languages_what_must_be_equal(claim):
    titles = [
        claim.title,
        claim.description,
        claim.left.label,
        claim.right.label,
        *(c.title for c in claim.causes),
    ]
    for title in titles:
        assert is_chinese(title.zh)
        assert not is_chinese(title.en)


def test_no_claim_knows_its_answer():
    """A difference that is expected by number would be forgiven for ever."""
    for claim in CLAIMS:
        assert claim.tolerance == 0
        for cause in claim.causes:
            assert cause.sql or not (cause.measure or "").replace("-", "").replace(".", "").isdigit()


def test_what_is_on_disk_is_what_the_claims_generate():
    wanted = generate.sync(PROJECT)
    stale = [
        path.name for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text
    ]
    assert stale == [], "run `make sync`"
    assert generate.orphans(PROJECT) == []


GOOD = {
    "owner": "sales",
    "expectations": [
        {
            "type": "expect_column_values_to_be_unique",
            "kwargs": {"column": "a"},
            "severity": "critical",
            "description": {"zh": "唯一", "en": "Unique"},
            "meta": {"id": "unique"},
        }
    ],
}


def refused(folder: Path, suite: object) -> str:
    file = folder / "marts" / "fct_a.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(suite, allow_unicode=True), "utf-8")
    with pytest.raises(SuiteError) as error:
        read_suites(folder)
    assert "marts/fct_a.yaml" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"expectation": []}, "expectation"),
        ({"owner": ""}, "owner"),
        ({"expectations": []}, "expectations"),
        ({"table": "fct_b"}, "say that already"),
        ({"expectations": GOOD["expectations"] * 2}, "more than once"),
        ({"expectations": [GOOD["expectations"][0] | {"severity": "info"}]}, "severity"),
        ({"expectations": [GOOD["expectations"][0] | {"mostly": 0.9}]}, "mostly"),
        ({"expectations": [GOOD["expectations"][0] | {"meta": {"id": "a b"}}]}, "meta.id"),
        ({"expectations": [GOOD["expectations"][0] | {"type": "unique"}]}, "type"),
    ],
)
def test_a_suite_that_is_not_quite_right_is_refused_by_name(tmp_path, change, says):
    assert says in refused(tmp_path, GOOD | change)


def test_an_empty_file_is_refused(tmp_path):
    refused(tmp_path, None)


@pytest.mark.parametrize(
    ("kind", "arguments", "condition"),
    [
        ("expect_column_values_to_be_in_set", {"column": "a", "value_set": ["x", "o'clock"]}, "\"a\" not in ('x', 'o''clock')"),
        ("expect_column_values_to_be_in_set", {"column": "a", "value_set": [True]}, '"a" not in (true)'),
        ("expect_column_values_to_be_between", {"column": "a", "min_value": 0}, '"a" < 0'),
        ("expect_column_values_to_be_between", {"column": "a", "max_value": 1, "strict_max": True}, '"a" >= 1'),
        ("expect_column_values_to_not_be_null", {"column": "数量"}, '"数量" is null'),
        ("expect_column_sum_to_be_between", {"column": "a", "min_value": 0}, None),
        ("expect_column_values_to_not_be_null", {"column": "a", "row_condition": "b > 1"}, None),
    ],
)  # fmt: skip
def test_the_rows_a_check_is_about_are_named_in_sql(kind, arguments, condition):
    expectation = Expectation.model_validate(GOOD["expectations"][0] | {"type": kind, "kwargs": arguments})
    assert violation_condition(expectation) == condition
