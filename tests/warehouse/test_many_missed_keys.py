"""Rows that come later than promised, more of them than memory holds one by one."""

from __future__ import annotations

import sqlite3

from sources.contract import Source
from tests.conftest import SmallSource
from tieout.ingest.landing import Landing
from tieout.strict import from_yaml

DOCUMENT = """
source: plant
title: {zh: 工厂, en: Plant}
module: production
owner: production
connector: sqlite
connection: {path: DB}
class: L2
schedule: {cron: "0 2 * * *", lateness: 2h}
streams:
  box:
    title: {zh: 箱, en: Boxes}
    grain: one row per box
    from: box
    key: [box_no, line_no]
    load: incremental
    cursor: updated_at
    deletes: keys
    columns:
      box_no: {type: text, required: true}
      line_no: {type: integer, required: true}
      updated_at: {type: timestamp, required: true}
"""


def test_a_table_that_was_corrected_backdated_is_read_again(tmp_path):
    path = tmp_path / "plant.db"
    with sqlite3.connect(path) as db:
        db.execute("create table box (box_no text, line_no integer, updated_at text)")
        db.execute("insert into box values ('first', 1, '2026-06-01 00:00:00')")
    document = from_yaml(DOCUMENT)
    document["connection"]["path"] = str(path)
    small = SmallSource(
        Source.model_validate(document), path, Landing(tmp_path / "landing"), tmp_path / "w.duckdb"
    )
    small.pull()
    with sqlite3.connect(path) as db:
        db.execute("""insert into box with recursive n(i) as (select 1 union all select i + 1 from n where i < 12000)
            select 'CK2024' || i, i, '2026-01-01 00:00:00' from n""")
    small.pull()
    assert small.rows("select count(*), count(distinct box_no) from raw_plant.box") == [(12001, 12001)]
