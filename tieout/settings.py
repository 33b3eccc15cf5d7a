"""Where Tieout keeps its things: the only module that reads the environment for the platform itself.

Connections of sources are references in `sources/<source>/source.yaml` and are resolved, while a run
needs them, by `sources.contract`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """Paths of one installation; everything under ``home`` can be rebuilt from ``landing`` alone."""

    home: Path
    project: Path = PROJECT
    postgres_dsn: str | None = None  # an external PostgreSQL for the SQL door; None: the embedded one
    sql_port: int = 5439  # the TLS port BI tools connect to (embedded door)

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def master(self) -> Path:
        """Keys of master data and stewards' decisions: kept with the batches, nothing else can say them again."""
        return self.landing / "_master"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def snapshots(self) -> Path:
        return self.home / "snapshots"

    @property
    def pages(self) -> Path:
        return self.home / "pages"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def postgres(self) -> Path:
        return self.home / "postgres"

    @property
    def sources(self) -> Path:
        return self.project / "sources"

    @property
    def processes(self) -> Path:
        return self.sources / "processes"

    @property
    def dbt_project(self) -> Path:
        return self.project / "dbt_project"

    @property
    def expectations(self) -> Path:
        return self.project / "expectations"


@cache
def settings() -> Settings:
    """Settings of this process, from ``TIEOUT_HOME``, ``TIEOUT_POSTGRES_DSN`` and ``TIEOUT_SQL_PORT``."""
    return Settings(
        home=Path(os.environ.get("TIEOUT_HOME") or PROJECT / "var").resolve(),
        postgres_dsn=os.environ.get("TIEOUT_POSTGRES_DSN") or None,
        sql_port=int(os.environ.get("TIEOUT_SQL_PORT") or 5439),
    )
