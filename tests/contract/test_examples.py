"""The worked examples still fit the product: what they change is still there, and once."""

from __future__ import annotations

import re
import subprocess
import sys

from sources.contract import read_sources
from tieout.settings import PROJECT

ADVENTUREWORKS = PROJECT / "examples" / "adventureworks"


def test_adventureworks_still_joins(tmp_path):
    project = tmp_path / "group"
    done = subprocess.run(
        [sys.executable, str(ADVENTUREWORKS / "join.py"), str(project)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert {"aw_oltp", "aw_sales_dw", "hx_sales"} <= set(read_sources(project / "sources"))
    assert (project / "dbt_project/models/tie/identity_aw_orders_equal_their_lines.sql").is_file()
    # its README counts what was touched
    said = re.search(r"(\d+) files added, (\d+) lines of (\d+) files changed", done.stdout)
    assert said
    readme = (ADVENTUREWORKS / "README.md").read_text(encoding="utf-8")
    assert f"Added: {said[1]} files" in readme
    assert f"Changed: {said[2]} places in {said[3]} files" in readme
