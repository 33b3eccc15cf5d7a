"""Shapes that change behind the real doors, SQLite and CSV: kind by policy, from the source to the raw table."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest

from sources.contract import Source
from tests.conftest import NOON
from tieout.engine import connect, quoted
from tieout.ingest.drift import DriftError, effective, open_holds
from tieout.ingest.drift.held import accept_batch
from tieout.ingest.extract import extract_source
from tieout.ingest.intake.ask import Ask
from tieout.ingest.landing import Landing
from tieout.ingest.ledger import ensure_ledger
from tieout.ingest.load import load_pending
from tieout.ingest.tables import ensure_raw_tables
from tieout.strict import from_yaml

POLICIES = ("note", "evolve", "quarantine", "freeze")
ROWS = 60
COLUMNS = {"id": "integer", "quantity": "real", "state": "text"}
VALUES = {"id": "{i}", "quantity": "{i}.25", "state": "s{i}"}
CONTRACT = """
source: wms
title: {zh: 仓库, en: Warehouse}
module: inventory
owner: warehouse
connector: CONNECTOR
connection: {path: PLACE}
class: L2
schedule: {cron: "0 2 * * *"}
streams:
  move:
    title: {zh: 移动, en: Moves}
    grain: one row per move
    from: ORIGIN
    key: [id]
    columns:
      id: {type: bigint, required: true}
      quantity: {type: "decimal(18, 2)"}
      state: {type: text}
"""


class Behind:
    """One table behind a door; `shape` writes it anew, `pull` is one refresh up to raw."""

    def __init__(self, folder, door: str, policy: str, **stream: object) -> None:
        self.door, self.folder, self.pulls = door, folder, 0
        self.file = folder / ("wms.db" if door == "sqlite" else "drop/move.csv")
        self.file.parent.mkdir(exist_ok=True)
        document = from_yaml(CONTRACT)
        document |= {"connector": "sqlite" if door == "sqlite" else "files"}
        document["connection"]["path"] = str(self.file if door == "sqlite" else self.file.parent)
        move = document["streams"]["move"] | {
            "from": "move" if door == "sqlite" else "move.csv",
            "drift": policy,
        }
        if door == "csv":
            move["format"] = {"kind": "csv"}
        document["streams"]["move"] = move | stream
        self.source = Source.model_validate(document)
        self.landing = Landing(folder / "landing")
        self.con = connect()  # the warehouse
        ensure_ledger(self.con)

    def shape(self, values: dict[str, str] | None = None, kinds: dict[str, str] | None = None) -> None:
        values, kinds = values or VALUES, COLUMNS | (kinds or {})
        cells = [[text.format(i=i) or None for text in values.values()] for i in range(1, ROWS + 1)]
        if self.door == "csv":
            lines = [",".join(values), *(",".join(cell or "" for cell in row) for row in cells)]
            self.file.write_text("\n".join(lines) + "\n", encoding="utf-8")
            return
        with sqlite3.connect(self.file) as con:
            con.execute("drop table if exists move")
            listed = ", ".join(f"{quoted(name)} {kinds.get(name, 'text')}" for name in values)
            con.execute(f"create table move ({listed})")
            con.executemany(f"insert into move values ({', '.join('?' * len(values))})", cells)
        con.close()

    def pull(self):
        self.pulls += 1
        ask = Ask(NOON + timedelta(minutes=self.pulls))
        (outcome,) = extract_source(self.source, self.landing, ask, lambda _: None)
        source = effective(self.source, self.landing)
        ensure_raw_tables(self.con, {"wms": source})
        load_pending(self.con, {"wms": source}, self.landing, ask.now, lambda _: None)
        return outcome

    def held(self) -> dict[str, tuple[int, int]]:
        """Of every column in raw: how many values, and how many of them differ."""
        found = self.con.execute(
            "select column_name from duckdb_columns() where table_name = 'move'"
        ).fetchall()
        names = [name for (name,) in found if not name.startswith("_")]
        counts = ", ".join(f"count({quoted(name)}), count(distinct {quoted(name)})" for name in names)
        row = self.con.execute(f"select {counts} from raw_wms.move where not _is_deleted").fetchone()
        assert row is not None
        return {name: (row[2 * place], row[2 * place + 1]) for place, name in enumerate(names)}


WHOLE = dict.fromkeys(COLUMNS, (ROWS, ROWS))


@pytest.fixture(params=["sqlite", "csv"])
def behind(request, tmp_path):
    return lambda policy, **stream: Behind(tmp_path, request.param, policy, **stream)


def renamed(old: str, new: str) -> dict[str, str]:
    return {new if name == old else name: text for name, text in VALUES.items()}


CHANGES = {
    "renamed": renamed("quantity", "qty"),
    "removed": {"id": "{i}", "state": "s{i}"},
    "retyped": VALUES | {"quantity": "about {i}"},
    "emptied": VALUES | {"quantity": ""},
}


@pytest.mark.parametrize("policy", ["note", "quarantine"])  # the others refuse like `note`: test_drift.py
@pytest.mark.parametrize("change", CHANGES)
def test_what_is_held_stays_whole_whatever_happens_to_a_promised_column(behind, policy, change):
    wms = behind(policy)
    wms.shape()
    assert wms.pull().error is None
    assert wms.held() == WHOLE
    kinds = {"quantity": "text"} if change == "retyped" else {}
    wms.shape(CHANGES[change], kinds)
    outcome = wms.pull()
    if policy == "quarantine" and change != "retyped":
        assert outcome.error is None
        assert len(open_holds(wms.landing, "wms", "move")) == 1
    elif policy == "quarantine":  # a CSV has no types: that no value fits is found by the promise itself
        assert outcome.error or open_holds(wms.landing, "wms", "move")
    else:
        assert outcome.error is not None
        assert "what was loaded before stays" in str(outcome.error)
    assert wms.held() == WHOLE


def test_another_order_changes_nothing(behind):
    wms = behind("freeze")
    wms.shape()
    wms.pull()
    wms.shape(dict(reversed(VALUES.items())))
    outcome = wms.pull()
    assert outcome.error is None
    assert outcome.notes == ()
    assert wms.held() == WHOLE


@pytest.mark.parametrize("policy", POLICIES)
def test_an_added_column_is_noted_taken_in_or_refused(behind, policy):
    wms = behind(policy)
    wms.shape()
    wms.pull()
    wms.shape(VALUES | {"批号": "L{i}"})
    outcome = wms.pull()
    if policy == "freeze":
        assert isinstance(outcome.error, DriftError)
        assert wms.held() == WHOLE
        return
    assert outcome.error is None
    assert any("批号" in note for note in outcome.notes)
    extra = {name: said for name, said in wms.held().items() if name not in WHOLE}
    assert list(extra.values()) == ([(ROWS, ROWS)] if policy == "evolve" else [])
    again = wms.pull()
    assert (again.error, again.notes, again.landed) == (None, (), ())


def test_a_rename_is_mended_by_one_line_and_nothing_is_lost(behind):
    wms = behind("note")
    wms.shape()
    wms.pull()
    wms.shape(CHANGES["renamed"])
    error = wms.pull().error
    assert isinstance(error, DriftError)
    assert "it is qty now: 100 % of 60 rows with the same key hold the same value" in str(error)
    move = wms.source.streams["move"]
    column = move.columns["quantity"].model_copy(update={"source_names": ("qty", "quantity")})
    streams = {"move": move.model_copy(update={"columns": move.columns | {"quantity": column}})}
    wms.source = wms.source.model_copy(update={"streams": streams})
    assert wms.pull().error is None
    assert wms.held() == WHOLE


def test_a_held_batch_is_landed_once_and_loads_when_it_is_accepted(behind):
    wms = behind("quarantine")
    wms.shape()
    wms.pull()
    wms.shape(VALUES | {"quantity": ""})
    for _ in range(3):
        wms.pull()
    assert len(wms.landing.batches("wms", "move")) == 2
    (batch,) = open_holds(wms.landing, "wms", "move")
    accept_batch(wms.landing, batch, by="李娜", reason="counted anew", now=NOON)
    assert wms.pull().error is None
    assert wms.held() == WHOLE | {"quantity": (0, 0)}
