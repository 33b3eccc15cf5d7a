"""What dbt makes of the metric YAML is what we read in it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from tieout.metrics.definitions import Definitions, read, read_yaml
from tieout.metrics.rules import violations
from tieout.settings import PROJECT


@pytest.fixture(scope="module")
def parsed(tmp_path_factory) -> Definitions:
    folder = tmp_path_factory.mktemp("dbt")
    project = PROJECT / "dbt_project"
    done = subprocess.run(
        [
            sys.executable, "-m", "dbt.cli.main", "parse", "--project-dir", project, "--profiles-dir", project,
            "--target-path", folder / "target", "--log-path", folder / "logs", "--no-partial-parse",
        ],
        env={
            **os.environ, "TIEOUT_WAREHOUSE": str(folder / "warehouse.duckdb"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return read(folder / "target" / "semantic_manifest.json")


@pytest.mark.slow
def test_dbt_and_our_reader_find_the_same_definitions(parsed):
    ours = read_yaml(PROJECT / "dbt_project" / "models" / "metrics")

    assert violations(parsed) == []
    assert set(parsed.metrics) == set(ours.metrics)
    for name, metric in parsed.metrics.items():
        own = ours.metrics[name]
        # dbt keeps the line break at the end of a folded text
        assert replace(metric, description=metric.description.strip(), expr=str(metric.expr)) == replace(
            own, description=own.description.strip(), expr=str(own.expr)
        )
        assert metric.meta == own.meta
        assert parsed.version(name) == ours.version(name)
        assert parsed.dimensions(name) == ours.dimensions(name)
    assert parsed.models == ours.models
    assert parsed.spines == ours.spines
    assert {export.name: export for export in parsed.exports} == {
        export.name: export for export in ours.exports
    }
