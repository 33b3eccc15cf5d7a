"""A column is renamed in the warehouse system overnight: what is said, what one command mends, how long it takes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.company.conftest import Company
from tests.company.test_bad_input import damaged_copy
from tests.company.test_refresh import published
from tieout.settings import PROJECT

pytestmark = [
    pytest.mark.company,
    pytest.mark.nightly,
]  # two minutes; the parts of it are tested in tests/warehouse/test_drift*.py


@dataclass(frozen=True)
class Elsewhere(Company):
    """The company with a project folder of its own, since a mend edits the contract."""

    project: Path

    def run(self, *arguments, code=0, **environment):
        env = {
            **os.environ, "TIEOUT_HOME": str(self.home), "TIEOUT_SQL_PORT": "0",
            "PYTHONPATH": str(self.project), **environment,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "tieout.cli", *arguments],
            env=env, cwd=self.project, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert code is None or done.returncode == code, (
            f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done


@pytest.fixture
def elsewhere(company, place) -> Elsewhere:
    project = place / "project"
    for folder in ("sources", "dbt_project", "expectations", "tieout", "sandbox", "pipelines"):
        shutil.copytree(
            PROJECT / folder, project / folder, ignore=shutil.ignore_patterns("__pycache__", "target", "logs")
        )
    return Elsewhere(company.copied(place / "renamed").home, project)


def test_a_renamed_column_is_explained_and_mended_by_one_command(elsewhere, tmp_path):
    before = published(elsewhere)
    stock = damaged_copy(elsewhere, tmp_path, "HX_STOCK_DB")
    with sqlite3.connect(stock) as db:
        db.execute("alter table stock_move rename column internal_quantity to base_quantity")
    started = time.perf_counter()

    # What is said: the column, where it went and why we think so, what it touches; nothing is nulled or published.
    said = elsewhere.run("refresh", code=2, HX_STOCK_DB=str(stock))
    assert "hx_stock.stock_move" in said.stderr
    assert "internal_quantity" in said.stderr and "base_quantity" in said.stderr
    assert "nothing was published, the last publish stays" in said.stdout
    assert (
        elsewhere.value("select count(*) from raw_hx_stock.stock_move where internal_quantity is null") == 0
    )
    listed = elsewhere.run("drift", code=1, HX_STOCK_DB=str(stock))
    assert "fct_stock_move" in listed.stdout  # a model it touches
    assert "stock_move" in listed.stdout and "base_quantity" in listed.stdout

    # The mend: one command, which is one line in the contract.
    contract = elsewhere.project / "sources" / "hx_stock" / "source.yaml"
    lines = contract.read_text(encoding="utf-8").splitlines()
    elsewhere.run(
        "drift", "accept", "hx_stock.stock_move", "--rename", "internal_quantity=base_quantity",
        "--by", "warehouse", "--reason", "renamed in release 7", code=None, HX_STOCK_DB=str(stock),
    )  # fmt: skip
    after = contract.read_text(encoding="utf-8").splitlines()
    changed = [(old, new) for old, new in zip(lines, after, strict=True) if old != new]
    assert len(changed) == 1 and "from: [base_quantity, internal_quantity]" in changed[0][1]

    # The control total of the whole system speaks its own SQL, with its own name for the column.
    text = contract.read_text(encoding="utf-8")
    contract.write_text(
        text.replace("ask: select sum(internal_quantity) from", "ask: select sum(base_quantity) from"),
        "utf-8",
    )
    done = elsewhere.run("refresh", HX_STOCK_DB=str(stock))
    assert "Not certified" not in done.stdout
    print(f"\nfrom drift to certified: {time.perf_counter() - started:.0f} s, three commands")

    # Every number is the one before, and no version of a row was made: only a name has changed.
    same = published(elsewhere)
    assert {name: same[name] for name in before if name.startswith("marts.")} == {
        name: value for name, value in before.items() if name.startswith("marts.")
    }
    assert elsewhere.value("select count(*) from raw_hx_stock.stock_move__history where not _is_current") == 0
