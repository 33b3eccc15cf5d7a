"""The whole platform is one graph in Dagster, and a broken strong rule stops its publish."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from sources.contract import read_sources
from tests.company.test_bad_input import damaged_copy, one_cent_more
from tests.company.test_refresh import published
from tieout.settings import settings

pytestmark = [pytest.mark.company]

GRAPH = """
import json
from pipelines.definitions import defs
graph = defs.resolve_asset_graph()
nodes = {key: graph.get(key) for key in graph.get_all_asset_keys()}
print(json.dumps({
    "assets": {
        "/".join(key.path): [node.group_name, bool(node.owners), bool(node.kinds), bool(node.description)]
        for key, node in nodes.items()
    },
    "checks": ["/".join(key.asset_key.path) + ":" + key.name for key in graph.asset_check_keys],
    "jobs": [job.name for job in defs.jobs],
    "schedules": [schedule.name for schedule in defs.schedules],
}))
"""


@pytest.fixture(scope="module")
def graph(company) -> dict:
    env = {**os.environ, "TIEOUT_HOME": str(company.home)}
    done = subprocess.run([sys.executable, "-c", GRAPH], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_stream_model_metric_and_publish_is_an_asset(company, graph):
    sources = read_sources(settings().sources)
    streams = {
        f"{kind}/{stream}"
        for source in sources.values()
        for stream in source.streams
        for kind in (f"landing/{source.name}", source.raw_schema)
    }
    manifest = json.loads((company.home / "dbt" / "manifest.json").read_text(encoding="utf-8"))
    models = {
        f"{node['schema']}/{node['name']}"
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "seed")
    }
    metrics = {f"metrics/{metric['name']}" for metric in manifest["metrics"].values()}
    publish = {"publish/certificate", "publish/postgres", "publish/snapshot"}
    assert len(streams) == 296  # of 23 systems, each landed and loaded
    assert len(metrics) >= 12
    assert set(graph["assets"]) == streams | models | metrics | publish


def test_every_asset_says_its_group_owner_kind_and_meaning(graph):
    silent = {name: said for name, said in graph["assets"].items() if not all(said) or said[0] == "default"}
    assert silent == {}


def test_every_expectation_and_identity_is_an_asset_check(company, graph):
    run = company.value("select run_id from ops.check_result order by checked_at desc limit 1")
    checks = company.value("select count(*) from ops.check_result where run_id = ?", run)
    identities = company.value("select count(*) from ops.identity_result where run_id = ?", run)
    assert len(graph["checks"]) == checks + identities > 100


def test_there_is_one_job_and_one_schedule(graph):
    assert graph["jobs"] == ["refresh_all"]
    assert graph["schedules"] == ["nightly"]


def test_the_workspace_loads(company):
    env = {**os.environ, "TIEOUT_HOME": str(company.home)}
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"]
    done = subprocess.run(command, cwd=settings().project, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_job_stops_before_the_publish_when_a_strong_rule_breaks(company, place, tmp_path):
    copy = company.copied(place / "dagster")
    before = published(copy)
    drop = one_cent_more(damaged_copy(copy, tmp_path, "HX_FINANCE_DROP"))

    done = copy.run(
        "dev", "--", "job", "execute", "-m", "pipelines.definitions", "-j", "refresh_all",
        code=None, HX_FINANCE_DROP=str(drop),
    )  # fmt: skip
    assert done.returncode != 0
    assert "ledger_debit_equals_credit" in done.stdout + done.stderr
    assert published(copy) == before
    assert copy.value("select count(*) from ops.publish") == company.value("select count(*) from ops.publish")
