"""A ledger of another shape is made good, also by a process that has just seen one that was well."""

from __future__ import annotations

import pytest

from tieout.engine import connect
from tieout.ingest.ledger import TABLES, VIEWS, ensure_ledger


@pytest.fixture
def con():
    with connect() as con:
        ensure_ledger(con)
        assert not ensure_ledger(con)  # from here on this process knows what a good one looks like
        con.execute("insert into ops.run values ('R1', now(), null, 'running', null, 'told')")
        con.execute("insert into ops.watermark values ('tms', 'waybill', now(), 'B1', null)")
        yield con


def columns(con, table: str) -> list[str]:
    return [row[0] for row in con.execute(f"describe ops.{table}").fetchall()]


def rows(con, table: str) -> int:
    return con.execute(f"select count(*) from ops.{table}").fetchone()[0]


def test_a_table_of_runs_gets_the_columns_it_lacks_and_keeps_its_rows(con):
    con.execute("alter table ops.run drop column message")

    assert not ensure_ledger(con)
    assert columns(con, "run")[-1] == "message"
    assert (rows(con, "run"), rows(con, "watermark")) == (1, 1)


def test_a_table_of_the_loader_with_another_column_is_emptied_with_the_others(con):
    con.execute("alter table ops.quarantine drop column decided_by")

    assert ensure_ledger(con)
    assert columns(con, "quarantine")[-1] == "decided_by"
    assert (rows(con, "run"), rows(con, "watermark")) == (1, 0)


def test_rows_hashed_by_another_engine_are_loaded_again(con):
    con.execute("update ops.engine set version = 'v0.9.0'")

    assert ensure_ledger(con)
    assert rows(con, "watermark") == 0
    assert not ensure_ledger(con)


@pytest.mark.parametrize("name", [*TABLES, *VIEWS])
def test_what_is_gone_is_there_again(con, name):
    con.execute(f"drop {'view' if name in VIEWS else 'table'} ops.{name}")

    ensure_ledger(con)
    con.execute(f"from ops.{name}")


def test_a_view_that_says_something_else_says_again_what_it_should(con):
    con.execute("create or replace view ops.quarantine_open as select * from ops.quarantine")

    ensure_ledger(con)
    con.execute(
        "insert into ops.quarantine by name select 's' as source, 't' as stream, 'B1' as batch_id, 'f' as origin,"
        " 'key' as rule, '' as reason, '{}' as record, 'o' as owner, now() as quarantined_at, '' as record_hash,"
        " 'B2' as closed_by"
    )
    assert rows(con, "quarantine_open") == 0
