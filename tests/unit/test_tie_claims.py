"""Claims are read strictly: a typo must never weaken a comparison."""

from __future__ import annotations

from copy import deepcopy

import pytest
import yaml

from tieout.strict import from_yaml
from tieout.tie.claims import ClaimError, read_claim, read_claims
from tieout.tie.generate import identity_sql, sync

CLAIM = {
    "claim": "a_is_b",
    "title": {"zh": "甲等于乙", "en": "A is B"},
    "description": {"zh": "说明", "en": "Text"},
    "owner": "sales",
    "with": "finance",
    "process": "sales",
    "severity": "critical",
    "unit": "CNY",
    "by": ["month"],
    "left": {"label": {"zh": "甲", "en": "A"}, "model": "fct_a", "measure": "amount"},
    "right": {"label": {"zh": "乙", "en": "B"}, "sql": "select month, amount from {{ ref('fct_b') }}"},
    "causes": [
        {"cause": "timing", "title": {"zh": "时间", "en": "Timing"}, "model": "fct_a", "measure": "0"}
    ],
}


def written(folder, claim, name="a_is_b"):
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(claim, allow_unicode=True), "utf-8")
    return path


def changed(*path_and_value):
    *path, last, value = path_and_value
    claim = deepcopy(CLAIM)
    part = claim
    for step in path:
        part = part[step]
    part[last] = value
    return claim


def test_a_claim_is_read(tmp_path):
    claim = read_claim(written(tmp_path, CLAIM))

    assert (claim.model, claim.with_, claim.causes[0].key) == ("identity_a_is_b", "finance", "timing")


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        (changed("tolerence", 5), "tolerence"),
        (changed("left", "wehre", "x"), "wehre"),
        (changed("severity", "strong"), "severity"),
        (changed("tolerance", "-1"), "tolerance"),
        (changed("left", "measure", None), "say the `measure`"),
        (changed("left", "sql", "select 1"), "either `model`"),
        (changed("right", "where", "x"), "returns its own columns"),
        (changed("causes", CLAIM["causes"] * 2), "more than once"),
        (changed("causes", 0, "cause", "unexplained"), "cause"),
        (changed("causes", 0, "name", "difference"), "columns of the generated model"),
        (changed("by", ["month", "month"]), "twice"),
        (changed("by", ["status"]), "columns of the generated model"),
        (changed("left", "keys", {"year": "x"}), "`by` does not"),
        (changed("names", {"year": {"model": "m", "key": "k", "name": "n"}}), "`by` does not"),
        (changed("claim", "break"), "taken"),
        (changed("claim", "another"), "name the file another.yaml"),
        (changed("claim", "A b"), "not a lower-case"),
    ],
)
def test_a_claim_that_is_not_quite_right_is_refused_by_name(tmp_path, claim, says):
    name = claim["claim"] if claim["claim"] == "break" else "a_is_b"
    with pytest.raises(ClaimError, match=says) as error:
        read_claim(written(tmp_path, claim, name))
    assert f"{name}.yaml" in str(error.value)


def test_no_claims_is_an_error_and_not_a_clean_sheet(tmp_path):
    with pytest.raises(ClaimError, match="No claim"):
        read_claims(tmp_path)


def test_every_claim_becomes_a_model_and_the_unions_know_all(tmp_path):
    folder = tmp_path / "expectations" / "reconciliation"
    folder.mkdir(parents=True)
    written(folder, CLAIM)
    written(folder, changed("claim", "c_is_d"), "c_is_d")

    files = {path.name: text for path, text in sync(tmp_path).items()}

    assert set(files) == {
        "identity_a_is_b.sql", "identity_c_is_d.sql", "identity_break.sql", "identity_result.sql",
        "_tie__identities.yml",
    }  # fmt: skip
    assert all("do not edit" in text.splitlines()[0] for text in files.values())
    for union in ("identity_break.sql", "identity_result.sql"):
        assert 'ref("identity_a_is_b")' in files[union] and 'ref("identity_c_is_d")' in files[union]
    described = {model["name"] for model in from_yaml(files["_tie__identities.yml"])["models"]}
    assert described == {"identity_a_is_b", "identity_c_is_d", "identity_break", "identity_result"}


def test_generated_sql_is_already_formatted_and_generated_twice_the_same(tmp_path):
    from sqlfmt.api import format_string
    from sqlfmt.mode import Mode

    folder = tmp_path / "expectations" / "reconciliation"
    folder.mkdir(parents=True)
    written(folder, CLAIM)

    first, second = sync(tmp_path), sync(tmp_path)

    assert first == second
    for path, text in first.items():
        if path.suffix == ".sql":
            assert format_string(text, Mode(line_length=110)) == text


def test_quotes_in_titles_stay_text(tmp_path):
    claim = read_claim(written(tmp_path, changed("left", "label", "en", 'Sales\' "own" figure')))

    assert "ref(" in identity_sql(claim)
    from tieout.tie.generate import result_sql

    assert "Sales'' \"own\" figure" in result_sql((claim,))
