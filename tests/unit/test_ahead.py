"""Work done ahead: used if it is there, done anew if not, and gone with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tieout import ahead as module
from tieout.ahead import Ahead
from tieout.metrics.layer import COMPILED
from tieout.settings import PROJECT, Settings
from tieout.transform import dbt

PROFILE = """
small: {target: file, outputs: {file: {type: duckdb, path: "{{ env_var('TIEOUT_WAREHOUSE') }}"}}}
"""


@pytest.fixture
def small(tmp_path, monkeypatch) -> Settings:
    """An installation whose dbt project has one model, and no metric."""
    for name in dbt.environment(Settings(tmp_path)):
        monkeypatch.setenv(name, "")  # dbt is told by our environment; give it back afterwards
    project = tmp_path / "project" / "dbt_project"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text("{name: small, profile: small, model-paths: [models]}")
    (project / "profiles.yml").write_text(PROFILE)
    (project / "models" / "one.sql").write_text("select 1 as n")
    return Settings(tmp_path / "home", project.parent)


def stands_in(monkeypatch, tmp_path: Path, script: str) -> None:
    """Another program instead of the side process."""
    program = tmp_path / "stands_in"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(module.sys, "executable", str(program))


def built(settings: Settings) -> list[str]:
    return [node.unique_id for node in dbt.build(settings, lambda node: None)]


def parsed_anew(settings: Settings) -> bool:
    return "Starting full parse" in (settings.logs / "dbt" / "dbt.log").read_text()


@pytest.mark.slow
def test_dbt_builds_on_what_was_parsed_ahead(small):
    with Ahead(small) as ahead:
        ahead.wait()
    (small.logs / "dbt" / "dbt.log").unlink()

    assert (dbt.target(small) / COMPILED).is_file()
    assert not small.warehouse.exists()
    assert built(small) == ["model.small.one"]
    assert not parsed_anew(small)


@pytest.mark.slow
def test_a_model_changed_after_parsing_ahead_is_built_as_it_is_now(small):
    with Ahead(small) as ahead:
        ahead.wait_parsed()
    (small.dbt_project / "models" / "one.sql").write_text("select 2 as n")

    built(small)

    from tieout.engine import connect

    with connect(small.warehouse, read_only=True) as con:
        assert con.execute("select n from main.one").fetchall() == [(2,)]


@pytest.mark.slow
@pytest.mark.parametrize("script", ["exit 1", "kill -9 $$"])
def test_where_the_side_process_fails_the_step_does_the_work(small, tmp_path, monkeypatch, script):
    stands_in(monkeypatch, tmp_path, script)

    with Ahead(small) as ahead:
        ahead.wait_parsed()
        assert built(small) == ["model.small.one"]
        ahead.wait()

    assert parsed_anew(small)


def test_a_side_process_that_cannot_be_started_is_done_without(small, tmp_path, monkeypatch):
    monkeypatch.setattr(module.sys, "executable", str(tmp_path / "nothing"))

    with Ahead(small) as ahead:
        ahead.wait_parsed()
        ahead.wait()


def test_a_side_process_that_hangs_is_given_up(small, tmp_path, monkeypatch):
    stands_in(monkeypatch, tmp_path, f"echo $$ > {tmp_path / 'pid'}; exec sleep 600")
    monkeypatch.setattr(module, "_PATIENCE", 1.0)

    with Ahead(small) as ahead:
        ahead.wait_parsed()

        assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_run_that_ends_early_ends_the_side_process(small, tmp_path, monkeypatch):
    stands_in(monkeypatch, tmp_path, f"echo $$ > {tmp_path / 'pid'}; exec sleep 600")

    with pytest.raises(RuntimeError), Ahead(small):
        _until((tmp_path / "pid").is_file)
        time.sleep(0.1)
        raise RuntimeError

    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(("there", "starts"), [(False, True), (True, False)])
def test_it_starts_only_where_nothing_was_parsed_before(small, tmp_path, monkeypatch, there, starts):
    stands_in(monkeypatch, tmp_path, f"touch {tmp_path / 'started'}")
    dbt.target(small).mkdir(parents=True)
    if there:
        (dbt.target(small) / dbt.PARSED).touch()

    with Ahead(small) as ahead:
        ahead.wait()

    assert (tmp_path / "started").exists() is starts


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 3.0])
def test_a_killed_parent_leaves_no_process_and_nothing_made(tmp_path, seconds):
    settings = Settings(tmp_path / "home")
    script = (
        "import sys, time; from pathlib import Path; from tieout.ahead import Ahead; from tieout.settings import Settings\n"
        "with Ahead(Settings(Path(sys.argv[1]))) as ahead: print(ahead._process.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(settings.home)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert parent.stdout
    side = psutil.Process(int(parent.stdout.readline()))
    _until((dbt.target(settings) / "ahead.lock").is_file)
    time.sleep(seconds)
    assert side.is_running()

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    _until(lambda: not side.is_running() or side.status() == psutil.STATUS_ZOMBIE)
    assert not settings.warehouse.exists()
    assert not (dbt.target(settings) / dbt.PARSED).exists()
    assert not (dbt.target(settings) / COMPILED).exists()


def _until(true, seconds: float = 20.0) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)
