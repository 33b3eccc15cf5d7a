"""What was not proved never passes: no checks, no identities, one that was not computed, an answer nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from tests.warehouse.test_report_certificates import REVENUE
from tieout.engine import connect
from tieout.ingest.ledger import ensure_ledger
from tieout.refresh import judged
from tieout.settings import Settings
from tieout.tie.report_issue import check_reports, reports_of
from tieout.tie.reports import ReportError
from tieout.tie.results import TieError
from tieout.tie.results import record as record_identities
from tieout.tie.verdict import verdict

AT = datetime(2026, 11, 22, tzinfo=UTC)
CHECK = (
    "insert into ops.check_result values ('R1', 'marts.a', 'a', 'key', 'K', '{}', '{}', null, 0, 'x', now())"
)
IDENTITY = (
    "insert into ops.identity_result values ('R1', 'a_is_b', 'A', 'x', '{}', {}, 1, 1, 0, 0, 0, 1, 0, now())"
)


@pytest.fixture
def con(tmp_path):
    with connect(tmp_path / "warehouse.duckdb") as con:
        ensure_ledger(con)
        yield con


def blocking(con) -> list[tuple[str, str]]:
    return [(rule.name, rule.state) for rule in verdict(con, "R1").blocking]


def test_a_run_without_a_check_or_an_identity_has_proved_nothing(con):
    assert blocking(con) == [("no check", "error"), ("no identity", "error")]

    con.execute(CHECK.format("critical", "passed"))
    assert blocking(con) == [("no identity", "error")]

    con.execute(IDENTITY.format("warning", "'holds'"))
    assert blocking(con) == []


@pytest.mark.parametrize("state", ["'error'", "'skipped'", "null"])
@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_a_rule_that_gave_no_answer_blocks_whatever_its_severity(con, severity, state):
    con.execute(CHECK.format("critical", "passed"))
    con.execute(IDENTITY.format(severity, state))

    assert [name for name, _ in blocking(con)] == ["a_is_b"]


def test_a_weak_check_that_could_not_be_run_blocks(con):
    con.execute(CHECK.format("warning", "error"))
    con.execute(IDENTITY.format("warning", "'holds'"))

    assert blocking(con) == [("a.key", "error")]


def test_an_identity_that_is_stated_but_was_not_computed_blocks(con, tmp_path):
    con.execute(CHECK.format("critical", "passed"))
    con.execute(IDENTITY.format("warning", "'holds'"))
    claims = tmp_path / "project" / "expectations" / "reconciliation"
    claims.mkdir(parents=True)
    for name in ("a_is_b", "c_is_d"):
        (claims / f"{name}.yaml").write_text("", encoding="utf-8")

    said = judged(Settings(home=tmp_path, project=tmp_path / "project"), con, "R1")

    assert [(rule.name, rule.state, rule.strong) for rule in said.blocking] == [("c_is_d", "error", True)]


def test_identities_that_were_never_built_stop_the_run(con):
    with pytest.raises(TieError, match=r"(?s)tie\.identity_result cannot be read.*tieout refresh"):
        record_identities(con, "R1", AT)


# --- reports ----------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path) -> Settings:
    """The real project, with a folder of reports that a test writes."""
    root = Path(__file__).parents[2]
    made = tmp_path / "project"
    (made / "expectations" / "reports").mkdir(parents=True)
    (made / "expectations" / "reconciliation").symlink_to(root / "expectations" / "reconciliation")
    for name in ("dbt_project", "sources"):
        (made / name).symlink_to(root / name)
    return Settings(home=tmp_path / "home", project=made)


GOOD = REVENUE | {"metrics": ["revenue_amount_net"], "identities": ["ledger_debit_equals_credit"]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"metrics": ["revenue_amount_nett"]}, "no metric 'revenue_amount_nett'. Did you mean revenue_amount_net"),
        ({"identities": ["ledger_debit_equals"]}, "no identity 'ledger_debit_equals'"),
        ({"tables": {"fct_paymnt": "payment_date"}}, "no table 'fct_paymnt'. Did you mean fct_payment"),
        ({"systems": ["oracle_*"]}, "'oracle_*', which fits no source"),
    ],
)  # fmt: skip
def test_a_report_that_names_what_does_not_exist_is_refused_when_the_project_is_checked(
    project, change, says
):
    path = project.expectations / "reports" / "revenue.yaml"
    path.write_text(yaml.safe_dump(GOOD, allow_unicode=True), encoding="utf-8")
    assert [item.report for item in check_reports(project)] == ["revenue"]

    path.write_text(yaml.safe_dump(GOOD | change, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ReportError) as error:
        check_reports(project)

    assert says in str(error.value)


def test_a_report_whose_identity_was_not_built_is_refused_before_anything_is_judged(project):
    path = project.expectations / "reports" / "revenue.yaml"
    path.write_text(yaml.safe_dump(GOOD, allow_unicode=True), encoding="utf-8")
    target = project.home / "dbt"
    target.mkdir(parents=True)
    (target / "manifest.json").write_text('{"nodes": {}, "sources": {}}', encoding="utf-8")
    from tieout.metrics.definitions import read_yaml

    text = read_yaml(project.dbt_project / "models" / "metrics").text
    (target / "semantic_manifest.json").write_text(text, encoding="utf-8")

    with pytest.raises(ReportError, match="no identity 'ledger_debit_equals_credit'"):
        reports_of(project)
