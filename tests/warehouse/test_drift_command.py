"""`tieout drift` on a SQLite source that changes its shape: what it prints, what it edits, how the source goes on."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from sources.contract import ContractError, read_source
from tieout.cli.drift import app
from tieout.cli.errors import CommandError
from tieout.engine import connect, quoted
from tieout.ingest.decisions import decisions
from tieout.ingest.drift import DriftError, Holds, baseline, effective, grown, judge, reading
from tieout.ingest.drift.refusals import remember
from tieout.ingest.intake.ask import Extracted
from tieout.ingest.landing import Landing, Manifest, batch_id
from tieout.settings import Settings

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CONTRACT = """\
source: wms
title: {zh: 仓库, en: Warehouse}
module: inventory
owner: warehouse
connector: sqlite
connection: {path: env:WMS_DB}
class: L2
schedule: {cron: "0 2 * * *"}
streams:
  move:
    title: {zh: 移动, en: Moves}
    grain: one row per move
    from: stock_move
    key: [id]
    drift: POLICY
    columns:
      id: {type: bigint, required: true}  # never reused
      quantity: {type: "decimal(18, 4)"}
"""
WHO = ["--by", "李娜", "--reason", "upgrade to 7.4"]


class Wms:
    """One SQLite file, its contract in a project of its own, and a door that reads one table of it."""

    def __init__(self, folder, policy: str) -> None:
        self.settings = Settings(home=folder / "var", project=folder)
        self.path = folder / "sources" / "wms" / "source.yaml"
        self.path.parent.mkdir(parents=True)
        self.path.write_text(CONTRACT.replace("POLICY", policy), encoding="utf-8")
        self.landing = Landing(self.settings.landing)
        self.file = folder / "wms.db"
        self.pulls = 0
        self.sql("create table stock_move (id integer primary key, quantity real)")
        self.sql("insert into stock_move with recursive r(i) as (select 1 union all select i + 1 from r where i < 500) "
                 "select i, i * 1.25 from r")  # fmt: skip

    def sql(self, statement: str) -> None:
        with sqlite3.connect(self.file) as con:
            con.execute(statement)
        con.close()

    def pull(self) -> Extracted:
        """What the door of databases does, in a few lines; refusals are remembered as `tieout refresh` does."""
        self.pulls += 1
        now = NOON - timedelta(days=1) + timedelta(minutes=self.pulls)
        try:
            outcome = Extracted("wms", "move", landed=(self._land(now),))
        except DriftError as error:
            outcome = Extracted("wms", "move", error=error)
        remember(self.landing.root, [outcome], now)
        return outcome

    def _land(self, now: datetime) -> Manifest:
        with sqlite3.connect(self.file) as db:
            declared = {row[1]: row[2] for row in db.execute("pragma table_info(stock_move)")}
            source = effective(read_source(self.path), self.landing)
            last = baseline(self.landing, "wms", "move")
            stream = grown(source.streams["move"], declared, last)
            wanted = reading(stream, declared, last)
            rows = db.execute(f"select {', '.join(map(quoted, wanted))} from stock_move").fetchall()
        db.close()
        with self.landing.draft("wms", "move") as draft, connect() as con:
            kinds = {"integer": pa.int64(), "real": pa.float64()}
            cells = list(zip(*rows, strict=True))
            columns = {
                name: pa.array(cells[place], kinds.get(kind.lower(), pa.string()))
                for place, (name, kind) in enumerate(wanted.items())
            }
            pq.write_table(pa.table(columns), draft / "rows.parquet")
            before = self.landing.data_file(last) if last else None
            verdict = judge(con, source, "move", stream, declared, last, draft / "rows.parquet", before)
            manifest = Manifest(
                "wms", "move", batch_id(now, "*", str(self.pulls)), now.isoformat(), "*", "stock_move", "rows.parquet",
                len(rows), 0, str(self.pulls), "1", columns=wanted, declared=declared,
                evolved=verdict.evolved, held=verdict.held,
            )  # fmt: skip
            return self.landing.commit(draft, manifest)


@pytest.fixture
def wms(tmp_path, monkeypatch):
    def make(policy: str = "note") -> Wms:
        made = Wms(tmp_path, policy)
        monkeypatch.setattr("tieout.settings.settings", lambda: made.settings)
        return made

    return make


def run(*arguments: str):
    """The command's exit code and output; a refusal is the exception `tieout` turns into exit code 3."""
    result = CliRunner().invoke(app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_nothing_has_changed(wms):
    wms().pull()
    assert run() == (0, "no stream has changed its shape\n")


def test_a_rename_is_shown_with_its_evidence_and_mended_by_one_command(wms):
    made = wms()
    made.pull()
    made.sql("alter table stock_move rename column quantity to qty")
    assert made.pull().error is not None
    code, said = run()
    assert code == 1
    assert "wms.move  refused" in said
    assert (
        "no longer has the column quantity; it is qty now: 100 % of 500 rows with the same key hold the same value"
        in said
    )
    assert "tieout drift accept wms.move --rename quantity=qty --by NAME --reason TEXT" in said
    assert "after the first build" in said

    code, said = run("accept", "wms.move", "--rename", "quantity=qty", *WHO)
    assert code == 0
    assert '+ quantity: {from: [qty, quantity], type: "decimal(18, 4)"}' in said
    assert "# never reused" in made.path.read_text()
    (decision,) = decisions(made.landing.root)
    assert (decision.kind, decision.by, decision.about) == (
        "rename-accept", "李娜", {"column": "quantity", "new": "qty"},
    )  # fmt: skip
    assert run()[0] == 0
    assert made.pull().error is None


def test_a_held_rename_loads_once_the_contract_knows_the_name(wms):
    made = wms("quarantine")
    made.pull()
    made.sql("alter table stock_move rename column quantity to qty")
    made.pull()
    code, said = run()
    held = made.landing.latest("wms", "move")
    assert held is not None
    assert code == 1
    assert f"--hold {held.batch_id}" in said
    with pytest.raises(CommandError, match="no column for quantity; loading it would empty what is held"):
        run("accept", "wms.move", "--hold", held.batch_id, *WHO)
    assert run("accept", "wms.move", "--rename", "quantity=qty", *WHO)[0] == 0
    assert run("accept", "wms.move", "--hold", held.batch_id, *WHO)[0] == 0
    assert Holds(made.landing).may_load(held)
    assert run()[0] == 0


def test_a_held_batch_may_be_declined(wms):
    made = wms("quarantine")
    made.pull()
    made.sql("update stock_move set quantity = null")
    made.pull()
    held = made.landing.latest("wms", "move")
    assert held is not None
    assert run("decline", "wms.move", "--hold", held.batch_id, *WHO)[0] == 0
    assert Holds(made.landing).state(held) == "declined"
    assert run() == (0, "no stream has changed its shape\n")


def test_an_added_column_is_promised_by_its_own_type(wms):
    made = wms()
    made.pull()
    made.sql('alter table stock_move add column "批号" text')
    assert made.pull().error is None
    code, said = run()
    assert code == 0
    assert "tieout drift accept wms.move --add '批号' --by NAME --reason TEXT" in said
    assert run("accept", "wms.move", "--add", "批号", "--as", "lot_no", *WHO)[0] == 0
    assert "      lot_no: {from: 批号, type: text}\n" in made.path.read_text()
    assert made.pull().error is None
    assert "批号" in made.landing.batches("wms", "move")[-1].columns


def test_what_was_taken_in_keeps_its_name_when_it_is_promised(wms):
    made = wms("evolve")
    made.pull()
    made.sql('alter table stock_move add column "批号" text')
    made.pull()
    (column,) = made.landing.batches("wms", "move")[-1].evolved
    assert "taken in" in run()[1]
    assert run("accept", "wms.move", "--add", "批号", *WHO)[0] == 0
    assert list(read_source(made.path).streams["move"].columns)[-1] == column
    assert run()[1] == "no stream has changed its shape\n"


def test_a_column_that_is_gone_for_good_is_dropped(wms):
    made = wms()
    made.pull()
    made.sql("alter table stock_move drop column quantity")
    assert made.pull().error is not None
    assert run("accept", "wms.move", "--drop", "quantity", *WHO)[0] == 0
    assert made.pull().error is None


def test_a_new_type_is_promised_or_the_shape_accepted(wms):
    made = wms()
    made.pull()
    made.sql("alter table stock_move drop column quantity")
    made.sql("alter table stock_move add column quantity text")
    made.sql("update stock_move set quantity = 'about ' || id")
    assert "retyped" in json.dumps([item.what for item in getattr(made.pull().error, "changes", ())])
    assert run("accept", "wms.move", "--retype", "quantity=text", *WHO)[0] == 0
    assert made.pull().error is None


def test_an_emptied_column_is_accepted_as_a_shape(wms):
    made = wms()
    made.pull()
    made.sql("update stock_move set quantity = null")
    assert "without a single value" in str(made.pull().error)
    assert run("accept", "wms.move", "--shape", *WHO)[0] == 0
    assert made.pull().error is None
    assert made.pull().error is None


def test_what_cannot_be_done_changes_nothing(wms):
    made = wms()
    made.pull()
    text = made.path.read_text()
    with pytest.raises(CommandError, match="the sources are wms"):
        run("accept", "oms.move", "--rename", "a=b", *WHO)
    with pytest.raises(CommandError, match="it has move"):
        run("accept", "wms.moves", "--rename", "a=b", *WHO)
    with pytest.raises(ContractError, match="promises no column"):
        run("accept", "wms.move", "--rename", "a=b", *WHO)
    with pytest.raises(CommandError, match="who decides"):
        run("accept", "wms.move", "--rename", "quantity=qty", "--by", " ", "--reason", "x")
    with pytest.raises(CommandError, match="say its type"):
        run("accept", "wms.move", "--add", "nowhere", *WHO)
    with pytest.raises(CommandError, match="no held batch"):
        run("accept", "wms.move", "--hold", "x", *WHO)
    made.sql("alter table stock_move drop column quantity")
    made.pull()
    with pytest.raises(CommandError, match="not in that shape"):
        run("accept", "wms.move", "--shape", *WHO)
    assert run("accept", "wms.move", *WHO)[0] == 2
    assert run("accept", "wms.move", "--rename", "quantity", *WHO)[0] == 2
    assert run("accept", "wms.move", "--rename", "a=b", "--drop", "c", *WHO)[0] == 2
    assert run("accept", "wms.move", "--rename", "a=b")[0] == 2
    assert made.path.read_text() == text
    assert decisions(made.landing.root) == []


def test_the_help_teaches():
    code, said = run("accept", "--help")
    assert code == 0
    assert "--rename quantity=qty" in said
    assert "Exit code" in said


def test_what_it_touches_is_listed(wms):
    made = wms()
    made.pull()
    target = made.settings.home / "dbt"
    target.mkdir(parents=True)
    stg = {
        "unique_id": "model.p.stg", "resource_type": "model", "name": "stg_moves", "alias": "stg_moves",
        "schema": "staging", "depends_on": {"nodes": ["source.p.wms.move"]}, "config": {"meta": {"owner": "inventory"}},
        "compiled_code": "select id, quantity as qty from raw_wms.move",
    }  # fmt: skip
    manifest = {
        "nodes": {"model.p.stg": stg},
        "sources": {
            "source.p.wms.move": {
                "source_name": "wms",
                "name": "move",
                "schema": "raw_wms",
                "identifier": "move",
            }
        },
        "child_map": {"source.p.wms.move": ["model.p.stg"]},
        "semantic_models": {},
        "metrics": {},
        "saved_queries": {},
    }
    (target / "manifest.json").write_text(json.dumps(manifest))
    made.sql("alter table stock_move rename column quantity to qty")
    made.pull()
    _, said = run()
    assert "staging.stg_moves" in said
    assert "inventory" in said
