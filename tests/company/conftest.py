"""The whole sample company, pulled, built, verified and published once per test session."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tieout.engine import connect
from tieout.settings import Settings


@dataclass(frozen=True)
class Company:
    """An installation with the sample company in it; `run` is its command line."""

    home: Path

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home)

    def run(
        self, *arguments: str, code: int | None = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `tieout …`; asserts the exit code unless it is None."""
        env = {**os.environ, "TIEOUT_HOME": str(self.home), "TIEOUT_SQL_PORT": "0", **environment}
        done = subprocess.run(
            [sys.executable, "-m", "tieout.cli", *arguments],
            env=env,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert code is None or done.returncode == code, (
            f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    def rows(self, sql: str, *parameters: object) -> list[tuple]:
        """Rows of the working copy."""
        with connect(self.home / "warehouse.duckdb", read_only=True) as con:
            return con.execute(sql, list(parameters)).fetchall()

    def value(self, sql: str, *parameters: object):
        ((value,),) = self.rows(sql, *parameters)
        return value


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    made = Company(tmp_path_factory.mktemp("company"))
    made.run("demo")
    return made
