"""`tieout inbox` says what it does, and what to do when it cannot."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import pytest
import yaml
from typer.testing import CliRunner

from tests.conftest import WAYBILLS
from tieout.cli import app
from tieout.cli.errors import CommandError
from tieout.ingest.intake.inbox import receive
from tieout.settings import Settings
from tieout.strict import from_yaml


@pytest.fixture
def project(tmp_path, monkeypatch):
    made = Settings(home=tmp_path / "var", project=tmp_path)
    monkeypatch.setattr("tieout.settings.settings", lambda: made)
    folder = tmp_path / "sources" / "tms"
    folder.mkdir(parents=True)

    def write(**more: object) -> Settings:
        text = yaml.safe_dump(from_yaml(WAYBILLS) | more, allow_unicode=True)
        (folder / "source.yaml").write_text(text, encoding="utf-8")
        return made

    return write


def test_without_an_inbox_in_any_contract_nothing_is_started(project):
    project()
    refused = CliRunner().invoke(app, ["inbox"])
    assert isinstance(refused.exception, CommandError)
    assert "Nothing was started" in str(refused.exception)


def test_a_port_that_is_taken_is_named(project, monkeypatch):
    monkeypatch.setenv("TMS_HOOK", "x")
    project(inbox={"secret": "env:TMS_HOOK", "signature": {"header": "X-Sig"}})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = CliRunner().invoke(app, ["inbox", "--port", str(port)])
    assert isinstance(refused.exception, CommandError)
    assert f"cannot listen on 127.0.0.1:{port}" in str(refused.exception)


def test_open_hints_are_shown(project):
    home = project().home
    assert CliRunner().invoke(app, ["inbox", "--show"]).output == "no open hints\n"
    for name in ("d1", "d2"):
        receive(home, "tms", "waybill", name, "hash", datetime(2026, 11, 1, 12, tzinfo=UTC))
    shown = CliRunner().invoke(app, ["inbox", "--show"]).output.splitlines()
    assert shown[-1].split()[:3] == ["tms", "waybill", "2"]
