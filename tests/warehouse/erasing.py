"""A small installation with one person in two systems and two namesakes, for tests of erasing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sources.contract import read_sources
from tests.conftest import NOON
from tieout.engine import connect
from tieout.ingest.drift import effective_sources
from tieout.ingest.extract import extract_source
from tieout.ingest.intake.ask import Ask
from tieout.ingest.landing import Landing
from tieout.ingest.ledger import ensure_ledger
from tieout.ingest.load import load_pending
from tieout.ingest.replay import replay
from tieout.ingest.tables import ensure_raw_tables
from tieout.privacy.erase import Done, erase_person
from tieout.progress import Progress, Silent
from tieout.settings import Settings

# In hr a personnel number is a key of class L2; in app the user's id is personal and a key all the same.
HR = """
source: hr
title: {zh: 人事, en: HR}
module: hr
owner: hr
connector: files
connection: {path: DROP}
class: L2
schedule: {cron: "0 2 * * *"}
streams:
  employee:
    title: {zh: 员工, en: Employees}
    grain: one row per employee
    from: "employee.csv"
    format: {kind: csv, encoding: gb18030}
    key: [employee_no]
    load: full
    columns:
      employee_no: {type: text, required: true}
      name: {type: text, required: true, class: L3}
      phone: {type: text, class: L3}
      born_on: {type: date, class: L3}
      city: {type: text}
  trip:
    title: {zh: 出车, en: Trips}
    grain: one row per trip
    from: "trip_*.csv"
    format: {kind: csv, encoding: gb18030}
    key: [trip_no]
    load: slice
    columns:
      trip_no: {type: text, required: true}
      driver: {type: text, class: L3}
      other_driver: {type: text, class: L3}
      note: {type: text, class: L3}
      fee: {type: "decimal(18, 2)", min: 0, class: L3}
"""
APP = """
source: app
title: {zh: 考勤, en: Attendance}
module: hr
owner: it
connector: sqlite
connection: {path: FILE}
class: L2
schedule: {cron: "0 2 * * *"}
streams:
  user:
    title: {zh: 用户, en: Users}
    grain: one row per user
    from: user
    key: [user_id]
    columns:
      user_id: {type: text, required: true, class: L3}
      name: {type: text, class: L3}
      mobile: {type: text, class: L3}
      card: {type: text, class: L3}
  presence:
    title: {zh: 出勤, en: Presence}
    grain: one row per user and day
    from: presence
    key: [user_id, day]
    columns:
      user_id: {type: text, required: true, class: L3}
      day: {type: date, required: true}
      hours: {type: "decimal(9, 2)", class: L3}
"""
EMPLOYEES = [
    "E1,欧阳丽,13800001111,1990-05-01,上海",
    "E2,王芳,13800002222,1991-06-02,上海",
    "E3,王芳,13800003333,1992-07-03,北京",
]
TRIPS = [
    "T1,欧阳丽,王芳,欧阳丽代王芳出车,10.50",
    "T2,王芳,赵六,电话13800001111,20",
    "T3,赵六,欧阳丽,,-1",
]
VALUES = ("欧阳丽", "13800001111", "+86 138-0000-1111", "ux9aouyangli77", "1990-05-01", "6222020001112223")
MADE = """
create schema if not exists master; create schema if not exists marts; create schema if not exists tie;
create or replace table master.employee_record as
    select 'hr:' || employee_no as record_id, 'hr' as source_system, name, phone as mobile, null::text as email
    from raw_hr.employee where not _is_deleted
    union all
    select 'app:' || user_id, 'app', name, mobile, null from raw_app."user" where not _is_deleted;
create or replace table master.crosswalk as
    select 'employee' as entity, record_id, source_system, split_part(record_id, ':', 2) as source_key,
        'K' || coalesce((select min(substr(record_id, 4)) from master.employee_record as r
            where r.source_system = 'hr' and r.name = e.name), '?') as master_key
    from master.employee_record as e;
update master.crosswalk set master_key = 'KE3' where record_id = 'hr:E3';
create or replace table master.golden_attribute (entity text, master_key text, attribute text, value text);
create or replace table marts.fct_trip as
    select trip_no as trip_key, driver as driver_key, fee as fee_cny from raw_hr.trip where not _is_deleted;
create or replace table marts.fct_presence as
    select user_id || day as presence_key, c.master_key as employee_key, hours
    from raw_app.presence as p join master.crosswalk as c on c.record_id = 'app:' || p.user_id where not p._is_deleted;
create or replace table tie.identity_result as
    select 'hours' as identity, 'ties' as status, sum(hours) as left_total, sum(hours) as right_total, 0 as unexplained
    from marts.fct_presence;
"""


@dataclass
class Office:
    """An installation below `place`; `pull` is one refresh up to marts."""

    place: Path
    pulls: int = 0

    @property
    def settings(self) -> Settings:
        return Settings(home=self.place / "home", project=self.place / "project")

    @property
    def landing(self) -> Landing:
        return Landing(self.settings.landing)

    @property
    def drop(self) -> Path:
        return self.place / "drop"

    def make(self) -> None:
        self.drop.mkdir(parents=True)
        for name, text in (("hr", HR), ("app", APP)):
            folder = self.settings.sources / name
            folder.mkdir(parents=True)
            place = {"hr": self.drop, "app": self.place / "app.db"}[name]
            text = text.replace("DROP", str(place)).replace("FILE", str(place))
            (folder / "source.yaml").write_text(text, encoding="utf-8")
        self.csv("employee.csv", "employee_no,name,phone,born_on,city", *EMPLOYEES)
        self.csv("trip_1.csv", "trip_no,driver,other_driver,note,fee", *TRIPS)
        self.sql(
            "create table user (user_id text, name text, mobile text, card integer)",
            "create table presence (user_id text, day text, hours numeric)",
            "insert into user values ('ux9aouyangli77', '欧阳丽', '+86 138-0000-1111', 6222020001112223), ('ux8bwangfang66', '王芳', null, 6222020001112224)",
            "insert into presence values ('ux9aouyangli77', '2026-10-01', 8), ('ux9aouyangli77', '2026-10-02', 7.5),"
            " ('ux8bwangfang66', '2026-10-01', 6)",
        )

    def csv(self, name: str, *lines: str) -> None:
        (self.drop / name).write_bytes(("\r\n".join(lines) + "\r\n").encode("gb18030"))

    def sql(self, *statements: str) -> None:
        with sqlite3.connect(self.place / "app.db") as db:
            for statement in statements:
                db.execute(statement)

    def pull(self) -> int:
        """One refresh; returns how many batches landed."""
        self.pulls += 1
        now, landed = NOON + timedelta(minutes=self.pulls), 0
        sources = read_sources(self.settings.sources)
        for source in sources.values():
            for outcome in extract_source(source, self.landing, Ask(now), lambda _: None):
                if outcome.error:
                    raise outcome.error
                landed += len(outcome.landed)
        sources = effective_sources(sources, self.landing)
        with connect(self.settings.warehouse) as con:
            ensure_ledger(con)
            ensure_raw_tables(con, sources)
            load_pending(con, sources, self.landing, now, lambda _: None)
            con.execute(MADE)
        return landed

    def erase(self, asked: str = "E1", crash: Callable[[str], None] = lambda _: None) -> Done:
        return erase_person(
            self.settings, Silent(), asked, by="李静", reason="asked", now=NOON + timedelta(hours=1), crash=crash,
            rebuild=rebuild,
        )  # fmt: skip

    def killed(self, at: str) -> None:
        """The same, in a process that dies at a place."""
        pid = os.fork()
        if pid == 0:
            try:
                self.erase(crash=lambda place: os._exit(9) if place == at else None)
            finally:
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 9, f"it never came to {at}"

    def rows(self, sql: str) -> list[tuple]:
        with connect(self.settings.warehouse, read_only=True) as con:
            return con.execute(sql).fetchall()


def rebuild(settings: Settings, _progress: Progress, now: datetime) -> str:
    """Warehouse and marts from landing; the small installation has no SQL door."""

    def build(aside: Settings) -> None:
        with connect(aside.warehouse) as con:
            con.execute(MADE)

    replay(settings, read_sources(settings.sources), Silent(), now, build=build, check=False)
    return "nothing"
