"""Replay: the warehouse from landing alone is the warehouse that is held, and says so if it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import NOON, SmallSource
from tieout.engine import connect
from tieout.ingest import replay as module
from tieout.ingest.drift import effective
from tieout.ingest.replay import ReplayError, replay
from tieout.progress import Silent
from tieout.settings import Settings


@pytest.fixture
def held(tms: SmallSource, tmp_path: Path) -> Settings:
    """An installation after three pulls: new rows, a changed one, a vanished one, one in quarantine, one publish."""
    tms.warehouse = tmp_path / "warehouse.duckdb"
    for lines in (
        ["WB1,1,CNY,2026-10-01", "WB2,2,CNY,"],
        ["WB1,5,CNY,2026-10-01"],
        ["WB1,5,CNY,2026-10-01", "WB3,-1,CNY,"],
    ):
        tms.csv("运单_1.csv", *lines)
        tms.pull()
    with connect(tms.warehouse) as con:
        con.execute("insert into ops.run (run_id, started_at, state) values ('R1', now(), 'published')")
        con.execute("update ops.watermark set complete_to = complete_to + interval 1 hour")
    return Settings(home=tmp_path)


def again(held: Settings, tms: SmallSource, *, check: bool = False, build=lambda _: None):
    return replay(held, {"tms": tms.source}, Silent(), NOON, build=build, check=check)


def state(held: Settings) -> list:
    with connect(held.warehouse, read_only=True) as con:
        return [
            con.execute(f"select * from {table} order by all").fetchall()
            for table in (
                "raw_tms.waybill__history",
                "ops.batch",
                "ops.quarantine",
                "ops.watermark",
                "ops.run",
            )
        ]


def test_a_replay_differs_in_nothing_and_keeps_what_landing_does_not_know(held, tms):
    before, inode = state(held), held.warehouse.stat().st_ino

    done = again(held, tms)

    assert (done.batches, done.rows, done.differences, done.replaced) == (3, 5, (), True)
    assert held.warehouse.stat().st_ino != inode, "it is another file"
    assert state(held) == before, (
        "also when each batch was loaded, up to when the source was seen, and the runs"
    )
    assert tms.load() == [], "nothing is pending"


def test_a_row_changed_by_hand_is_named_and_mended(held, tms):
    with connect(held.warehouse) as con:
        con.execute(
            "update raw_tms.waybill__history set quantity = 7 where waybill_no = 'WB1' and _is_current"
        )

    checked = again(held, tms, check=True)
    assert [item.table for item in checked.differences] == ["raw_tms.waybill", "raw_tms.waybill__history"]
    with connect(held.warehouse, read_only=True) as con:
        assert con.execute("select quantity from raw_tms.waybill where waybill_no = 'WB1'").fetchone() == (7,)

    assert again(held, tms).replaced
    assert again(held, tms, check=True).differences == ()


def test_marts_that_do_not_build_leave_the_old_warehouse(held, tms):
    before = held.warehouse.read_bytes()

    def fails(_aside: Settings) -> None:
        raise RuntimeError("no model")

    with pytest.raises(RuntimeError):
        again(held, tms, build=fails)
    assert held.warehouse.read_bytes() == before
    assert not list(held.home.glob(".replay-*"))


def test_what_is_built_is_compared_too(held, tms):
    def build(aside: Settings) -> None:
        with connect(aside.warehouse) as con:
            con.execute("create schema marts; create table marts.fct as select 1 as one")

    assert [item.table for item in again(held, tms, build=build).differences] == ["marts.fct"]
    assert again(held, tms, build=build).differences == ()


def test_a_log_of_a_killed_writer_is_not_applied_to_the_new_file(held, tms):
    pid = os.fork()
    if pid == 0:  # a process that dies with a change in the log only
        con = connect(held.warehouse)
        con.execute(
            "set checkpoint_threshold = '1TB'; insert into ops.run (run_id, started_at, state) values ('R2', now(), 'x')"
        )
        os._exit(9)
    os.waitpid(pid, 0)
    log = held.warehouse.with_name("warehouse.duckdb.wal")
    assert log.exists()

    assert again(held, tms).differences == ()
    assert not log.exists()
    with connect(held.warehouse, read_only=True) as con:
        assert con.execute("select run_id from ops.run order by 1").fetchall() == [("R1",), ("R2",)]


def test_a_warehouse_that_cannot_be_read_is_put_aside_and_made_anew(held, tms):
    held.warehouse.write_bytes(b"x" * 5_000)

    done = again(held, tms)
    assert "could not be read" in done.notes[0]
    assert len(list(held.home.glob("warehouse.duckdb.unreadable-*"))) == 1
    with connect(held.warehouse, read_only=True) as con:
        assert con.execute("select count(*) from ops.batch").fetchone() == (3,)


def test_a_kill_before_the_rename_leaves_the_old_file(held, tms, monkeypatch):
    before = state(held)
    monkeypatch.setattr(module, "_put_in_place", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        again(held, tms)
    assert state(held) == before


def test_batches_that_were_not_loaded_yet_are_said_to_be_the_reason(held, tms):
    tms.csv("运单_2.csv", "WB9,1,CNY,")
    tms.extract()

    done = again(held, tms, check=True)
    assert done.notes == ("1 batches had landed but were not loaded yet; their tables differ for that",)
    assert "raw_tms.waybill" in {item.table for item in done.differences}


def test_a_warehouse_without_marts_replaces_none(held, tms):
    with pytest.raises(ReplayError, match="Nothing was done"):
        again(held, tms, build=None)


def test_a_column_that_was_taken_in_is_there_after_a_replay_too(tms, tmp_path):
    """Nobody promised the column; the batches say that it was taken in, and replay has nothing else to go by."""
    stream = tms.source.streams["waybill"].model_copy(update={"drift": "evolve"})
    tms.source = tms.source.model_copy(update={"streams": {"waybill": stream}})
    tms.csv("运单_1.csv", "WB1,1,CNY,2026-10-01")
    tms.pull()
    (tms.drop / "运单_1.csv").write_bytes(
        "运单号,件数,币种,签收日期,driver\r\nWB1,1,CNY,2026-10-01,老王\r\n".encode("gb18030")
    )
    tms.extract()
    promised, tms.source = tms.source, effective(tms.source, tms.landing)
    tms.load()
    assert tms.rows("select driver from raw_tms.waybill") == [("老王",)]

    done = replay(
        Settings(home=tmp_path), {"tms": promised}, Silent(), NOON, build=lambda _: None, check=False
    )
    assert done.differences == ()
    assert tms.rows("select driver from raw_tms.waybill") == [("老王",)]
