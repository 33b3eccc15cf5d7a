"""Random sources, pulls, orders, repeats and crashes against a model in plain dictionaries (`batch_model`).

One invented table of documents evolves: rows come, change (also without saying so), vanish, come back, change
their key, arrive late, break their promises. Streams of every load kind read it through the real door. After any
pulls the raw tables must be what the model says, and after any order of loading they must be the same again.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sources.contract import Source, duration
from tests.conftest import NOON
from tests.warehouse.batch_model import Kind, Model, Row
from tieout.engine import connect, load_extension
from tieout.ingest import batch as batches
from tieout.ingest.drift.evidence import Compared
from tieout.ingest.extract import extract_source
from tieout.ingest.intake import databases, readers
from tieout.ingest.intake.ask import Ask, Window
from tieout.ingest.landing import Landing
from tieout.ingest.ledger import ensure_ledger
from tieout.ingest.load import load_batch, loadable, pending
from tieout.ingest.retention import compact
from tieout.ingest.tables import ensure_raw_tables
from tieout.strict import from_yaml

pytestmark = pytest.mark.slow

KINDS = {
    "whole": Kind(),
    "twins": Kind(twins=True),
    "plain": Kind("incremental", ("changed",), lateness="1h"),
    "keyed": Kind("incremental", ("changed", "created"), "keys", "1h"),
    "marked": Kind("incremental", ("changed", "created"), "soft", "30m"),
    "change": Kind("changes", ("version",), ceiling=True),
    "change_keyed": Kind("changes", ("version",), "keys", ceiling=True),
    "log": Kind("append", ("version",)),
}
COLUMNS = ", ".join(Row._fields)
TYPES = "company bigint, number text, quantity bigint, status text, created timestamp, changed timestamp, version bigint"


def contract(file: Path, wanted: list[str]) -> Source:
    columns = {
        "company": {"type": "bigint", "required": True},
        "number": {"type": "text", "required": True},
        "quantity": {"type": "bigint", "min": 0},
        "status": {"type": "text"},
        "created": {"type": "timestamp"},
        "changed": {"type": "timestamp"},
        "version": {"type": "bigint"},
    }
    streams = {}
    for name in wanted:
        kind = KINDS[name]
        streams[name] = {
            "title": {"zh": name, "en": name},
            "grain": "one row per document",
            "from": "twins" if kind.twins else "doc",
            "key": ["company", "number"],
            "load": kind.load,
            "allow_empty": True,
            "columns": columns,
            "lateness": kind.lateness,
            "deletes": {"column": "status", "values": ["gone"]} if kind.deletes == "soft" else kind.deletes,
        }
        if kind.cursor:
            streams[name]["cursor"] = list(kind.cursor)
        if kind.ceiling:
            streams[name]["ceiling"] = "select highest from ended"
    head = from_yaml(
        "{source: shop, title: {zh: 商城, en: Shop}, module: sales, owner: sales, connector: sqlite,"
        " class: L2, schedule: {cron: '0 2 * * *'}}"
    )
    return Source.model_validate(head | {"connection": {"path": str(file)}, "streams": streams})


@dataclass
class World:
    """The source, what was pulled from it, and the model of every stream."""

    folder: Path
    wanted: list[str]
    slots: dict[int, Row] = field(default_factory=dict)
    twins: list[Row] = field(default_factory=list)
    reserved: list[int] = field(default_factory=list)
    version: int = 0
    now: datetime = NOON

    def __post_init__(self) -> None:
        self.file = self.folder / "shop.db"
        with sqlite3.connect(self.file) as db:
            db.execute("pragma synchronous = off")
            db.executescript(
                f"create table doc ({TYPES}); create table twins ({TYPES}); create table ended (highest bigint)"
            )
        self.source = contract(self.file, self.wanted)
        self.landing = Landing(self.folder / "landing")
        self.models = {name: Model(KINDS[name]) for name in self.wanted}

    # --- the source lives ---

    def happen(self, what: str, slot: int, minutes: int, quantity: int) -> None:
        old = self.slots.get(slot)
        if what == "reserve":
            self.version += 1
            self.reserved.append(self.version)
        elif what == "twin":
            if old:
                self.twins.append(old._replace(quantity=quantity))
        elif what == "delete":
            self.slots.pop(slot, None)
        elif what == "touch":  # a change that its system does not stamp
            if old:
                self.slots[slot] = old._replace(quantity=quantity)
        elif what == "late":  # a transaction that ends long after it took its version
            version = self.reserved.pop(0) if self.reserved else self._next()
            self.slots[slot] = self._row(slot, minutes, quantity)._replace(version=version)
        else:
            row = self._row(slot, minutes, quantity)
            if old:
                row = row._replace(number=old.number, created=old.created)
            if what == "rekey" or row.number is None:
                row = row._replace(number=f"D{slot}-{minutes}")
            elif what == "no_key":
                row = row._replace(number=None)
            elif what == "mark":
                row = row._replace(status="gone")
            elif what == "no_cursor":
                row = row._replace(changed=None, created=None if quantity % 2 else row.created)
            elif what == "future":
                row = row._replace(changed="2099-01-01 00:00:00")
            self.slots[slot] = row

    def _next(self) -> int:
        self.version += 1
        return self.version

    def _row(self, slot: int, minutes: int, quantity: int) -> Row:
        moment = f"{self.now - timedelta(minutes=minutes):%Y-%m-%d %H:%M:%S}"
        return Row(slot, f"D{slot}", quantity, "open", moment, moment, self._next())

    # --- pulls ---

    def write(self) -> None:
        rows = list(self.slots.values())
        with sqlite3.connect(self.file) as db:
            db.execute("pragma synchronous = off")
            marks = ", ".join("?" for _ in Row._fields)
            for table, content in (("doc", rows), ("twins", rows + self.twins)):
                db.execute(f"delete from {table}")
                db.executemany(f"insert into {table} values ({marks})", content)
            db.execute("delete from ended")
            db.execute("insert into ended values (?)", [self.ceiling])

    @property
    def ceiling(self) -> int:
        return min(self.reserved) - 1 if self.reserved else self.version

    def pull(self, how: str, minutes: int) -> None:
        """One pull of every stream, and what the model makes of it."""
        self.now += timedelta(minutes=10)
        self.write()
        if how == "window":
            self._pull_window(minutes)
            return
        outcomes = extract_source(
            self.source, self.landing, Ask(self.now, full=how == "beginning"), lambda _: None
        )
        for outcome in outcomes:
            assert outcome.error is None, outcome.error
            model = self.models[outcome.stream]
            batch = outcome.landed[0].batch_id if outcome.landed else None
            rows = list(self.slots.values())
            if model.kind.load == "full":
                model.whole(rows + self.twins if model.kind.twins else rows, batch)
            else:
                beginning = how == "beginning"
                low = None if beginning else self._low(model)
                ceiling = self.ceiling if model.kind.ceiling else None
                seen = model.increment(rows, low, ceiling, batch, beginning=beginning)
                if batch:
                    model.advance(seen, self.now)
            assert batch or not model.changed, f"{outcome.stream}: something changed, nothing landed"

    def _low(self, model: Model) -> str | int | None:
        if not isinstance(model.mark, str):
            return model.mark
        return str(datetime.fromisoformat(model.mark) - duration(model.kind.lateness))

    def _pull_window(self, minutes: int) -> None:
        start, end = (
            f"{self.now - timedelta(minutes=ago):%Y-%m-%d %H:%M:%S}" for ago in (minutes + 60, minutes)
        )
        for name, model in self.models.items():
            on, low, high = None, start, end
            if model.kind.load == "full":
                on = "created"
            elif model.kind.cursor == ("version",):
                low, high = str(max(self.version - 6, 0)), str(max(self.version - 1, 0))
            ask = Ask(self.now, frozenset([name]), Window(low, high, on))
            (outcome,) = extract_source(self.source, self.landing, ask, lambda _: None)
            assert outcome.error is None, outcome.error
            rows = list(self.slots.values()) + (self.twins if model.kind.twins else [])
            number = model.kind.cursor == ("version",)
            bounds = (int(low), int(high)) if number else (low, high)
            value = (lambda row: row.created) if on else model.cursor
            inside = [row for row in rows if (v := value(row)) is not None and bounds[0] <= v < bounds[1]]
            model.window(inside, outcome.landed[0].batch_id)

    # --- loads ---

    def warehouse(self):
        con = connect()
        ensure_ledger(con)
        ensure_raw_tables(con, {"shop": self.source})
        return con

    @contextmanager
    def here(self):
        with self.warehouse() as con:
            yield self, con

    def load(self, con) -> None:
        for manifest in pending(con, {"shop": self.source}, self.landing):
            load_batch(con, self.source, self.landing, manifest, self.now)

    def check(self, con) -> None:
        for name, model in self.models.items():
            table = f"raw_shop.{name}"
            held = {
                row.key: (row, deleted) for row, deleted in rows_of(con, f"{COLUMNS}, _is_deleted", table)
            }
            code, said = set(held.items()), set(model.held.items())
            assert code == said, f"{name} holds {code - said}, should hold {said - code}"
            found = rows_of(con, f"{COLUMNS}, _batch_id, _is_deleted", table + "__history")
            history = sorted(((b, row.key, row, deleted) for row, b, deleted in found), key=str)
            versions = sorted(model.versions, key=str)
            assert history == versions, f"{name} held {history}, should have held {versions}"
            aside: dict[str, list[str]] = {}
            for record_key, rule in con.execute(
                "select record_key, rule from ops.quarantine_open where stream = ? order by all", [name]
            ).fetchall():
                aside.setdefault(record_key, []).append(rule)
            expected = {key: sorted(rule for rule, _ in said) for key, said in model.aside.items()}
            assert aside == expected, f"{name} has aside {aside}, should have {expected}"
        for manifest in (item for name in self.wanted for item in self.landing.batches("shop", name)):
            counts = con.execute(
                "select rows_in, rows_loaded + rows_unchanged + rows_quarantined from ops.batch"
                " where stream = ? and batch_id = ?",
                [manifest.stream, manifest.batch_id],
            ).fetchall()
            assert counts == [(manifest.rows, manifest.rows)]


def rows_of(con, columns: str, table: str) -> list[Any]:
    """(Row, further columns …) of a raw table."""
    width = len(Row._fields)
    said: list[tuple[Any, ...]] = con.execute(f"select {columns} from {table}").fetchall()
    return [(Row(*map(_as_text, item[:width])), *item[width:]) for item in said]


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, datetime) else value


def content(con) -> dict[str, list[tuple]]:
    """Everything that comes from landing, except when it was loaded."""
    tables = [
        f"raw_shop.{row[0]}"
        for row in con.execute(
            "select table_name from duckdb_tables() where schema_name = 'raw_shop'"
        ).fetchall()
    ]
    columns = {"ops.batch": "* exclude loaded_at"}
    return {
        table: con.execute(f"select {columns.get(table, '*')} from {table} order by all").fetchall()
        for table in sorted([*tables, "ops.batch", "ops.quarantine", "ops.control_total", "ops.watermark"])
    }


# Shrinking takes minutes: a failure prints its story whole, and one line changed here makes it short.
PHASES = (Phase.explicit, Phase.generate)


class Killed(BaseException):
    """The process dies here."""


@contextmanager
def one_connection():
    """Every pull through one connection: to load the extension for SQLite costs 0.13 s a time."""
    with connect() as con:
        load_extension(con, "sqlite_scanner")

        @contextmanager
        def borrowed(**_: object):
            cursor = con.cursor()
            try:
                yield cursor
            finally:
                with suppress(duckdb.Error):  # no transaction is open where the attach itself has failed
                    cursor.execute("rollback")
                cursor.execute("detach database if exists src")

        with patch.object(readers, "connect", borrowed), patch.object(readers, "load_extension", nothing):
            yield


def nothing(*_: object) -> None: ...


class Mortal:
    """A connection on which the n-th statement is the last one."""

    def __init__(self, con, statements: int) -> None:
        self._con, self._left = con, statements

    def execute(self, *arguments):
        self._left -= 1
        if self._left <= 0:
            raise Killed
        return self._con.execute(*arguments)

    def __getattr__(self, name):
        return getattr(self._con, name)


def happenings():
    kinds = ("put", "put", "put", "touch", "delete", "late", "reserve", "rekey", "no_key", "mark", "no_cursor",
             "future", "twin")  # fmt: skip
    return st.tuples(
        st.sampled_from(kinds),
        st.integers(0, 3),
        st.sampled_from([0, 0, 5, 30, 59, 90, 200]),
        st.sampled_from([1, 2, 3, -1]),
    )


rounds = st.lists(
    st.tuples(
        st.lists(happenings(), max_size=5),
        st.sampled_from(["new", "new", "new", "new", "window", "beginning"]),
        st.sampled_from([0, 30, 120]),
        st.booleans(),
    ),
    min_size=2,
    max_size=6,
)


@settings(max_examples=12, deadline=None, derandomize=True, database=None,
          suppress_health_check=list(HealthCheck), phases=PHASES)  # fmt: skip
@given(
    rounds,
    st.lists(st.sampled_from(sorted(KINDS)), min_size=2, max_size=3, unique=True),
    st.integers(0, 2**32),
)
def test_any_pulls_in_any_order_hold_what_the_model_holds(story, wanted, seed):
    live(story, wanted, seed)


# Stories that once went wrong: what each of them is about, its rounds, and the streams it concerns.
ONCE_WRONG = {
    "a row without a cursor moved the mark to the clock, and rows before it were lost": (
        [
            ([("no_cursor", 2, 30, 1), ("put", 3, 200, 3)], "new", 0, True),
            ([("put", 2, 59, 3)], "new", 0, True),
        ],
        ["marked", "keyed"],
    ),
    "a row without a key that came late was never seen": (
        [
            ([("put", 1, 0, 1)], "new", 0, True),
            ([("reserve", 3, 0, 1), ("no_key", 3, 59, 3)], "new", 0, True),
        ],
        ["change_keyed"],
    ),
    "what a window had brought stayed after it changed back": (
        [
            ([("put", 0, 30, 1)], "new", 0, True),
            ([("touch", 0, 0, 2)], "window", 0, True),
            ([("touch", 0, 0, 1)], "new", 0, True),
        ],
        ["plain", "whole"],
    ),
    "a row that only a window saw stayed after it was deleted": (
        [
            ([("put", 1, 0, 1), ("put", 0, 30, 1)], "new", 0, True),
            ([("delete", 0, 0, 1)], "new", 0, True),
            ([("put", 0, 30, 1)], "window", 0, True),
            ([("delete", 0, 0, 1)], "new", 0, True),
        ],
        ["keyed"],
    ),
}


@pytest.mark.parametrize("name", ONCE_WRONG)
def test_what_once_went_wrong(name):
    story, wanted = ONCE_WRONG[name]
    live(story, wanted, 4)


def test_after_everything_was_read_again_the_increments_are_the_source():
    """Late, unstamped and vanished rows: what a cursor cannot see is repaired by one pull from the beginning."""
    with (
        tempfile.TemporaryDirectory() as folder,
        one_connection(),
        World(Path(folder), ["keyed", "whole"]).here() as (
            world,
            con,
        ),
    ):
        for events in (
            [("put", slot, 0, 1) for slot in range(4)],
            [("touch", 0, 0, 2), ("delete", 1, 0, 1), ("late", 2, 200, 3), ("put", 3, 0, 2)],
            [("put", 1, 200, 3), ("touch", 0, 0, 5)],
        ):
            for event in events:
                world.happen(*event)
            world.now += timedelta(hours=3)
            world.pull("new", 0)
        world.load(con)
        both = [con.execute(f"select {COLUMNS} from raw_shop.{name} where not _is_deleted order by all").fetchall()
                for name in ("keyed", "whole")]  # fmt: skip
        assert both[0] != both[1], "a change without a stamp, hours old, cannot be seen by a cursor"

        world.pull("beginning", 0)
        world.load(con)
        keyed, whole = (
            con.execute(
                f"select {COLUMNS} from raw_shop.{name} where not _is_deleted order by all"
            ).fetchall()
            for name in ("keyed", "whole")
        )
        assert keyed == whole
        assert len(whole) == 4


def live(story, wanted: list[str], seed: int) -> None:
    small, by_key = (0, 1) if seed % 2 else (50_000, 1_000)
    with (
        tempfile.TemporaryDirectory() as folder,
        one_connection(),
        patch.object(batches, "SMALL", small),
        # A single row without its key would be a column without a value: that is judged elsewhere (test_drift).
        patch.object(Compared, "emptied", lambda *_: []),
        patch.object(databases, "MISSED_BY_KEY", by_key),
    ):
        world = World(Path(folder), wanted)
        with world.warehouse() as con:
            for events, how, minutes, at_once in story:
                for event in events:
                    world.happen(*event)
                world.pull(how, minutes)
                if at_once:
                    world.load(con)
                    world.check(con)
            world.load(con)
            world.check(con)
            expected = content(con)
        assert loaded_badly(world, random.Random(seed)) == expected
        if seed % 4 == 0:
            compact({"shop": world.source}, world.landing, world.now, world.now, lambda _: None)
            assert loaded_badly(world, random.Random(seed)) == expected, "after compaction"


def loaded_badly(world: World, chance: random.Random) -> dict[str, list[tuple]]:
    """Every batch in a random order, some twice, with kills between and inside loads."""
    every = [item for name in world.wanted for item in loadable(world.landing, "shop", name)]
    order = every + chance.sample(every, min(2, len(every)))
    chance.shuffle(order)
    with world.warehouse() as con:
        for manifest in order:
            if chance.random() < 0.4:
                mortal: Any = Mortal(con, chance.randint(3, 25))
                try:
                    load_batch(mortal, world.source, world.landing, manifest, world.now)
                except Killed:
                    con.execute("rollback")
            load_batch(con, world.source, world.landing, manifest, world.now)
        return content(con)
