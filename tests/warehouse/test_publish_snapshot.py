"""Snapshot files: masked for good, whole at every moment, and never in the way of a refresh."""

from __future__ import annotations

import datetime as dt
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tieout.doors.publish import PublishError, PublishMeta
from tieout.doors.snapshot import LINK, current_snapshot, write_snapshot

META = PublishMeta(dt.datetime(2026, 11, 22, 8, tzinfo=dt.UTC), dt.date(2026, 2, 28), certified=True)
CLASSES = {"marts.dim_employee": {"employee_name": "L3", "bonus_cny": "L4"}}


def write_company(file: Path, name: str = "王小明") -> Path:
    file.unlink(missing_ok=True)
    with duckdb.connect(str(file)) as con:
        con.execute(
            f"""
            create schema marts;
            create schema metrics;
            create schema raw_hr;
            create table raw_hr.employee as select '{name}' as employee_name;
            create table marts.dim_employee as
            select 'E1' as employee_key, '{name}' as employee_name, 1000.50::decimal(18, 2) as bonus_cny;
            create table marts.fct_timesheet_line as select i as line_key, i::hugeint as big, 'E1' as employee_key from range(100) t(i);
            create view metrics.hours as select sum(line_key) as line_key_sum from marts.fct_timesheet_line;
            comment on table marts.dim_employee is '员工 / Employees';
            """
        )
    return file


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    return write_company(tmp_path / "warehouse.duckdb")


def write(
    warehouse: Path | duckdb.DuckDBPyConnection, folder: Path, publish_id: str = "P1", **arguments
) -> Path:
    return write_snapshot(warehouse, folder, publish_id, meta=META, classes=CLASSES, **arguments)


def ask(folder: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(folder / LINK), read_only=True) as con:
        return con.execute(query).fetchall()


def test_the_link_leads_to_the_published_tables(warehouse, tmp_path):
    file = write(warehouse, tmp_path / "L2")

    assert file == current_snapshot(tmp_path / "L2")
    assert file.name == "tieout-P1.duckdb"
    assert ask(tmp_path / "L2", "select count(*), sum(big) from marts.fct_timesheet_line") == [(100, 4950)]
    assert ask(tmp_path / "L2", "select * from metrics.hours") == [(4950,)], "a view arrives as rows"
    for name in ("publish", "marts.publish", "metrics.publish"):
        assert ask(tmp_path / "L2", f"select publish_id, certified, clearance from {name}") == [
            ("P1", True, "L2")
        ]
    assert ask(tmp_path / "L2", "select distinct schema_name from duckdb_tables() order by 1") == [
        ("main",),
        ("marts",),
        ("metrics",),
    ]


def test_comments_are_the_given_ones_else_the_warehouses(warehouse, tmp_path):
    write(warehouse, tmp_path, comments={"marts.fct_timesheet_line.line_key": "行 / Line"})

    said = "select comment from duckdb_{0}() where comment is not null and {1} = '{2}'"
    ((comment,),) = ask(tmp_path, said.format("tables", "table_name", "dim_employee"))
    title, ids = comment.split("\n")
    assert title == "员工 / Employees"
    assert ids.startswith("publish P1 · data ") and ids.endswith(" · cut-off 2026-02-28")
    assert ask(tmp_path, said.format("columns", "column_name", "line_key")) == [("行 / Line",)]


@pytest.mark.parametrize(
    ("clearance", "name", "bonus"), [("L2", None, None), ("L3", "王小明", None), ("L4", "王小明", 1000.50)]
)
def test_a_column_above_the_clearance_is_null_and_keeps_its_type(warehouse, tmp_path, clearance, name, bonus):
    file = write(warehouse, tmp_path, clearance=clearance)

    assert ask(tmp_path, "select employee_name, bonus_cny::double from marts.dim_employee") == [(name, bonus)]
    assert ask(tmp_path, "select typeof(bonus_cny) from marts.dim_employee") == [("DECIMAL(18,2)",)]
    assert ("王小明".encode() in file.read_bytes()) == (name is not None), "not in the file anywhere"


def test_a_column_nobody_classified_is_masked_below_its_default(warehouse, tmp_path):
    write(warehouse, tmp_path, clearance="L1", unclassified="L2")

    assert ask(tmp_path, "select count(employee_key), count(*) from marts.dim_employee") == [(0, 1)]


def test_only_the_owner_and_the_group_may_read_and_nobody_write(warehouse, tmp_path):
    file = write(warehouse, tmp_path)

    assert stat.S_IMODE(file.stat().st_mode) == 0o440
    assert [path.name for path in tmp_path.glob(".tieout*")] == []


def test_an_open_reader_keeps_its_publish_and_blocks_neither_refresh_nor_publish(warehouse, tmp_path):
    folder = tmp_path / "snapshots"
    write(warehouse, folder, "P1")
    with duckdb.connect(str((folder / LINK).resolve()), read_only=True) as reader:
        write_company(warehouse, "李四")  # the warehouse is written while the reader reads
        write(warehouse, folder, "P2", clearance="L3")

        assert reader.execute("select publish_id from publish").fetchall() == [("P1",)]
        with duckdb.connect(str((folder / LINK).resolve()), read_only=True) as second:
            assert second.execute(
                "select publish_id, employee_name from publish, marts.dim_employee"
            ).fetchall() == [("P2", "李四")]


@pytest.mark.parametrize("read_only", [True, False])
def test_an_open_connection_to_the_warehouse_will_do(warehouse, tmp_path, read_only):
    with duckdb.connect(str(warehouse), read_only=read_only) as con:
        write(con, tmp_path)

    assert ask(tmp_path, "select publish_id from publish") == [("P1",)]


def test_the_newest_are_kept_and_the_links_target_always(warehouse, tmp_path):
    folder = tmp_path / "snapshots"
    for number in range(1, 6):
        write(warehouse, folder, f"P{number}", keep=2)
    assert {file.name for file in folder.glob("tieout-*")} == {"tieout-P4.duckdb", "tieout-P5.duckdb"}

    os.utime(folder / "tieout-P5.duckdb", ns=(0, 0))  # the clock was wrong
    write(warehouse, folder, "P6", keep=1)
    os.utime(folder / "tieout-P6.duckdb", ns=(0, 0))
    (folder / "tieout-P7.duckdb").touch()
    write(warehouse, folder, "P6", keep=1)

    assert ask(folder, "select publish_id from publish") == [("P6",)]


KILLED = """
import os, signal
from pathlib import Path
import datetime as dt
from tieout.doors.publish import PublishMeta
from tieout.doors.snapshot import write_snapshot

def die(step, *_):
    if step == {step!r}:
        os.kill(os.getpid(), signal.SIGKILL)

write_snapshot(Path({warehouse!r}), Path({folder!r}), "P2", meta=PublishMeta(dt.datetime.now(dt.UTC)), on_step=die, on_progress=die)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("step", "seen"), [(2, "P1"), ("written", "P1"), ("linked", "P2")])
def test_a_writer_that_is_killed_leaves_a_whole_snapshot(warehouse, tmp_path, step, seen):
    folder = tmp_path / "snapshots"
    write(warehouse, folder, "P1")
    script = KILLED.format(step=step, warehouse=str(warehouse), folder=str(folder))

    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert ask(folder, "select publish_id, (select count(*) from marts.fct_timesheet_line) from publish") == [
        (seen, 100)
    ]
    write(warehouse, folder, "P3")
    assert ask(folder, "select publish_id from publish") == [("P3",)]
    assert not list(folder.glob(".*")), "nothing half-written stays"


def test_a_writer_that_fails_leaves_the_link_and_no_litter(warehouse, tmp_path):
    folder = tmp_path / "snapshots"
    write(warehouse, folder, "P1")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(warehouse, folder, "P2", on_progress=interrupted)

    assert {file.name for file in folder.iterdir()} == {"tieout-P1.duckdb", LINK}


@pytest.mark.parametrize("publish_id", ["", "../P1", "P 1", ".P1", "P1/../../x"])
def test_a_publish_id_cannot_lead_out_of_the_folder(warehouse, tmp_path, publish_id):
    with pytest.raises(PublishError, match="cannot be part of a file name"):
        write(warehouse, tmp_path / "snapshots", publish_id)


def test_a_class_that_does_not_exist_is_refused(warehouse, tmp_path):
    with pytest.raises(ValueError, match="'secret' is no class of sensitivity"):
        write_snapshot(
            warehouse, tmp_path, "P1", meta=META, classes={"marts.dim_employee": {"employee_name": "secret"}}
        )
