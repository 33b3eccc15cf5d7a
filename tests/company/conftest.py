"""The whole sample company, and the whole group, pulled, built, verified and published once per test session."""

from __future__ import annotations

import csv
import hashlib
import os
import pprint
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from tieout.engine import connect
from tieout.settings import Settings
from tieout.transform.dbt import PARSED


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

    def columns_named_twice(self) -> list[tuple]:
        """Columns of models that a select list names twice: DuckDB calls the second one `<name>_1`, and nobody is told."""
        return self.rows(
            """with columns as (
                select schema_name, table_name, column_name, regexp_replace(column_name, '_[1-9]$', '') as first_name
                from duckdb_columns() where schema_name not like 'raw%' and schema_name <> 'ops'
            )
            select twice.schema_name, twice.table_name, twice.column_name
            from columns as twice
            join columns as once
                on twice.schema_name = once.schema_name and twice.table_name = once.table_name
                and twice.first_name = once.column_name and twice.column_name <> once.column_name"""
        )

    def copied(self, home: Path) -> Company:
        """The same installation in another place; owners of files are kept, PostgreSQL insists on its own."""
        subprocess.run(["cp", "-a", str(self.home), str(home)], check=True)
        parsed_there(self.home, home)
        return Company(home)


def parsed_there(old: Path, new: Path) -> None:
    """Let dbt take a copied project as parsed: it is, but for the folder it speaks of.

    dbt would parse all of it again (15 CPU seconds a copy) because the places of the warehouse and of master data
    are other ones. If what it keeps has another form than expected, nothing is changed and it does so.
    """
    import msgpack

    file = new / "dbt" / PARSED
    if not file.is_file():
        return
    parsed = msgpack.unpackb(file.read_bytes(), strict_map_key=False)
    state = parsed["state_check"]
    before, after = _places(old), _places(new)
    if any(state[name]["checksum"] != checksum for name, checksum in before.items()):
        return
    for name, checksum in after.items():
        state[name]["checksum"] = checksum
    for node in parsed["nodes"].values():
        if "registry" in node["config"]:
            node["config"]["registry"] = str(Settings(home=new).master)
    text = msgpack.packb(parsed)
    if str(old).encode() + b"/" not in text:
        file.write_bytes(text)


def _places(home: Path) -> dict[str, str]:
    """Checksums by which dbt knows where the project's warehouse and master data are."""
    settings = Settings(home=home)
    connection = {
        "attach": None, "config_options": None, "database": "warehouse", "disable_transactions": False,
        "extensions": None, "external_root": ".", "filesystems": None, "path": str(settings.warehouse), "plugins": None,
        "remote": None, "schema": "main",
        "settings": {"autoinstall_known_extensions": False},
        "use_credential_provider": None,
    }  # fmt: skip
    said = {
        "profile_hash": pprint.pformat(sorted(connection.items())),
        "project_env_vars_hash": f"TIEOUT_MASTER:{settings.master}|TIEOUT_TEST_SEVERITY:DBT_DEFAULT_PLACEHOLDER|",
    }
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in said.items()}


@dataclass(frozen=True)
class Group(Company):
    """Both companies; `said` is what the first `tieout demo` printed."""

    said: str

    def answers(self, name: str) -> list[dict[str, str]]:
        """A table of the answer key of 华辰精工, which the platform never reads."""
        file = self.home / "huachen" / "answers" / f"{name}.csv"
        with file.open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))

    def totals(self, module: str, measure: str) -> dict[tuple[str, str], Decimal]:
        """What the answer key says of a measure, by month and currency."""
        return {
            (row["period"], row["currency"]): Decimal(row["value"])
            for row in self.answers("totals")
            if (row["module"], row["measure"]) == (module, measure)
        }

    def truly(self, system: str, kind: str) -> dict[str, str]:
        """Code in a system → what it truly is."""
        return {
            row["code"]: row["true_number"]
            for row in self.answers("identities")
            if (row["system"], row["kind"]) == (system, kind)
        }


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder that an unprivileged server can reach (pytest's own is closed to others), so copies stay whole."""
    with tempfile.TemporaryDirectory(prefix="tieout-company-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def company(place: Path) -> Company:
    made = Company(place / "company")
    made.run("source", "off", "hc_*", "--unused", "--reason", "one company is enough here")
    made.run("demo")
    return made


@pytest.fixture(scope="session")
def group(place: Path) -> Group:
    """Both companies; TIEOUT_TEST_GROUP names an installation that is there already, for example of scale 10."""
    if there := os.environ.get("TIEOUT_TEST_GROUP"):
        return Group(Path(there), "")
    home = place / "group"
    return Group(home, Company(home).run("demo", "--scale", "1").stdout)
