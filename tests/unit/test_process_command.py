"""`tieout process`: a drawing becomes a contract, a contract a drawing, and nothing that exists is overwritten."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from sources.processes import ProcessError, read_process
from tests.conftest import WAYBILLS
from tests.unit.test_process_bpmn import TWO_COMPANIES
from tieout.cli import app
from tieout.cli.errors import CommandError
from tieout.settings import Settings


@pytest.fixture
def project(tmp_path, monkeypatch):
    made = Settings(home=tmp_path / "var", project=tmp_path)
    monkeypatch.setattr("tieout.settings.settings", lambda: made)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sources" / "tms").mkdir(parents=True)
    (tmp_path / "sources" / "tms" / "source.yaml").write_text(WAYBILLS, encoding="utf-8")
    (tmp_path / "采购.bpmn").write_text(TWO_COMPANIES, encoding="utf-8")
    return made


def run(*words: str):
    return CliRunner().invoke(app, ["process", *words])


def test_a_drawing_becomes_a_contract_with_owners_and_limits(project):
    result = run("import", "采购.bpmn", "--name", "purchase_to_pay")
    assert result.exit_code == 0, result.output
    assert "11 steps, 4 hand-offs" in result.output
    process = read_process(project.processes / "purchase_to_pay.yaml")
    assert {edge.id: (edge.owner, edge.limit, edge.proposed) for edge in process.hand_offs} == {
        "f2": ("仓库", "2d", True),
        "f_yes": ("财务部", "2d", True),
        "f4": ("财务部", "30m", False),  # said by the flow
        "m1": ("buyers", "2d", True),  # the supplier is not ours: who sends it is accountable
    }
    again = run("import", "采购.bpmn", "--name", "purchase_to_pay")
    assert isinstance(again.exception, CommandError)
    assert "people may have worked on it" in str(again.exception)


def test_check_tells_critical_from_warning_by_its_exit_code(project):
    assert "draft one" in run("check").output
    run("import", "采购.bpmn", "--name", "purchase_to_pay")
    result = run("check")
    assert result.exit_code == 1
    assert "the limit 2d is a proposal nobody agreed to" in result.output
    assert "nothing follows “late”" in result.output
    path = project.processes / "purchase_to_pay.yaml"
    text = path.read_text(encoding="utf-8").replace(
        "flows:\n", "flows:\n  f9: {from: late, to: receive}\n", 1
    )
    path.write_text(text, encoding="utf-8")
    assert run("check", "purchase_to_pay").exit_code == 0
    path.write_text(text.replace(", owner: 仓库, proposed", ", proposed"), encoding="utf-8")
    refused = run("check")
    assert isinstance(refused.exception, ProcessError)
    assert "hand_offs.f2.owner: Field required" in str(refused.exception)


def test_export_writes_what_import_reads_and_does_not_overwrite_an_edited_drawing(project, tmp_path):
    run("import", "采购.bpmn", "--name", "purchase_to_pay")
    assert run("export", "purchase_to_pay").exit_code == 0
    assert run("export", "purchase_to_pay").exit_code == 0, "the same again is no change"
    assert run("import", "purchase_to_pay.bpmn", "--out", "back.yaml").exit_code == 0
    first = read_process(project.processes / "purchase_to_pay.yaml")
    (tmp_path / "purchase_to_pay.yaml").write_bytes((tmp_path / "back.yaml").read_bytes())
    assert read_process(tmp_path / "purchase_to_pay.yaml") == first
    (tmp_path / "purchase_to_pay.bpmn").write_text("<edited/>", encoding="utf-8")
    refused = run("export", "purchase_to_pay")
    assert isinstance(refused.exception, CommandError)
    assert (tmp_path / "purchase_to_pay.bpmn").read_text(encoding="utf-8") == "<edited/>"


def test_show_names_who_does_what(project):
    run("import", "采购.bpmn", "--name", "purchase_to_pay")
    output = run("show", "purchase_to_pay").output
    assert "Hand-offs: 4" in output
    assert any(
        row.split()[:2] == ["place_order", "下采购"] and "buyers" in row for row in output.splitlines()
    )


def test_what_cannot_be_done_is_said(project):
    for words, says in (
        (("show", "nothing"), "there is no process 'nothing'"),
        (("import", "old.vsd"), "save it as .vsdx"),
        (("import", "采购.bpmn", "--name", "采购"), "lower-case ASCII"),
    ):
        refused = run(*words)
        assert isinstance(refused.exception, CommandError)
        assert says in str(refused.exception)
    missing = run("import", "gone.bpmn", "--name", "x")
    assert "cannot be read" in str(missing.exception)
