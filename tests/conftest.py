"""What several tests share: a small invented source whose files a test writes by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sources.contract import Source
from tieout.engine import OFFLINE, connect
from tieout.ingest.extract import extract_source
from tieout.ingest.intake.ask import Ask, Extracted
from tieout.ingest.landing import Landing
from tieout.ingest.ledger import ensure_ledger
from tieout.ingest.load import Loaded, load_pending
from tieout.ingest.tables import ensure_raw_tables
from tieout.strict import from_yaml

# Checking the signature of an extension costs 0.2 CPU seconds whenever a database is read, and the tests read hundreds.
# That the product refuses one whose signature is wrong is tested in unit/test_engine.py.
OFFLINE["allow_unsigned_extensions"] = "true"

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)

WAYBILLS = """
source: tms
title: {zh: 运输管理, en: Transport}
module: logistics
owner: logistics
connector: files
connection: {path: DROP}
class: L2
schedule: {cron: "0 2 * * *"}
streams:
  waybill:
    title: {zh: 运单, en: Waybills}
    grain: one row per waybill
    from: "运单_*.csv"
    format: {kind: csv, encoding: gb18030}
    key: [waybill_no]
    load: slice
    columns:
      waybill_no: {from: 运单号, type: text, required: true}
      quantity:   {from: 件数, type: "decimal(18, 2)", min: 0}
      currency:   {from: 币种, type: text, values: [CNY, USD]}
      signed_on:  {from: 签收日期, type: date, not_future: true}
"""


@dataclass
class SmallSource:
    """A source with one drop folder and its own warehouse; `pull` is one refresh up to raw."""

    source: Source
    drop: Path
    landing: Landing
    warehouse: Path
    pulls: int = 0

    def csv(self, name: str, *lines: str, ending: str = "\r\n") -> None:
        text = "\r\n".join(["运单号,件数,币种,签收日期", *lines]) + ending
        (self.drop / name).write_bytes(text.encode("gb18030"))

    def extract(self) -> list[Extracted]:
        self.pulls += 1
        return extract_source(
            self.source, self.landing, Ask(NOON + timedelta(minutes=self.pulls)), lambda _: None
        )

    def load(self) -> list[Loaded]:
        with connect(self.warehouse) as con:
            ensure_ledger(con)
            ensure_raw_tables(con, {self.source.name: self.source})
            return load_pending(con, {self.source.name: self.source}, self.landing, NOON, lambda _: None)

    def pull(self) -> list[Loaded]:
        for outcome in self.extract():
            if outcome.error:
                raise outcome.error
        return self.load()

    def rows(self, sql: str) -> list[tuple]:
        with connect(self.warehouse) as con:
            return con.execute(sql).fetchall()


@pytest.fixture
def tms(tmp_path: Path) -> SmallSource:
    drop = tmp_path / "drop"
    drop.mkdir()
    document = from_yaml(WAYBILLS)
    document["connection"]["path"] = str(drop)
    return SmallSource(
        Source.model_validate(document), drop, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb"
    )


# --- which tests share a worker ---------------------------------------------------------------------

# Files whose tests use one installation: built once, in one process. The marks of pytest-xdist 3.8 for this do nothing
# under pytest 9 (an id can no longer be changed), silently: both companies were built in every worker.
TOGETHER = {
    "test_erase_group.py": "group",
    "test_clean_alarms.py": "group",
    "test_detection.py": "group",
    "test_group.py": "group",
    "test_group_facts.py": "group",
    "test_reports.py": "group",
    "test_group_ties.py": "group",
    "test_master_data.py": "group",
    "test_metric_doors.py": "group",
    "test_metric_facts.py": "group",
    "test_metric_numbers.py": "group",
    "test_metric_random.py": "group",
    "test_receipts_group.py": "group",
    "test_metric_tampering.py": "group",
    "test_restatement_group.py": "group",
    "test_bad_input.py": "company",
    "test_door.py": "company",
    "test_known_totals.py": "company",
    "test_three_sales.py": "company",
    "test_trace.py": "company",
    "test_dagster.py": "company",
    "test_prove_replay.py": "company",
    "test_refresh.py": "company",
    "test_renamed_column.py": "company",
    "test_whole_erp.py": "whole_erp",
    "test_words.py": "group",
}


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Tests of one group, or of one file, go to one worker: what they share is imported and built once.

    They are dealt out in the order of collection, as workers fall idle: the two companies, which take longest, first,
    the small files of vendors last, so that both workers end at about the same time.
    """
    from xdist.scheduler import LoadScopeScheduling

    config.option.loadscopereorder = (
        False  # xdist would begin with the files of the most tests, however short they are
    )

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return TOGETHER.get(file.rpartition("/")[2], file)

    return Together(config, log)
