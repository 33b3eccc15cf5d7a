"""Random files, each the complete content of itself, against a model in plain dictionaries.

A row belongs to the file that named its key last; it is gone when that file is read again without it. Whatever the
order of loading, and after compaction, the tables are the same.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from unittest.mock import patch

import pytest

from sources.contract import Source
from tests.conftest import NOON, WAYBILLS, SmallSource
from tieout.engine import connect
from tieout.ingest import batch as batches
from tieout.ingest.drift.evidence import Compared
from tieout.ingest.landing import Landing
from tieout.ingest.ledger import ensure_ledger
from tieout.ingest.load import load_batch, loadable
from tieout.ingest.retention import compact
from tieout.ingest.tables import ensure_raw_tables
from tieout.strict import from_yaml

pytestmark = pytest.mark.slow

Files = dict[str, list[tuple[str, int]]]


class Model:
    """`held`: key → (quantity, deleted, file that named it last); `aside`: file → keys set aside in it."""

    def __init__(self) -> None:
        self.files: Files = {}
        self.held: dict[str, tuple[int, bool, str]] = {}
        self.aside: dict[str, list[str]] = {}

    def read(self, files: Files) -> None:
        """Files are read in the order of their names; one that has not changed is not read again."""
        for name in sorted(files):
            if self.files.get(name) != files[name]:
                self._read_one(name, files[name])
        self.files = {name: list(rows) for name, rows in files.items()}

    def _read_one(self, name: str, rows: list[tuple[str, int]]) -> None:
        self.aside[name] = []
        for key in dict.fromkeys(key for key, _ in rows):
            said = [quantity for other, quantity in rows if other == key]
            good = [quantity for quantity in said if quantity >= 0]
            self.aside[name] += [key] * (len(said) - len(good))
            if len(set(good)) == 1:
                self.held[key] = (good[0], False, name)
                self.aside[name] += [key] * (len(good) - 1)
            else:
                self.aside[name] += [key] * len(good)
        there = {key for key, _ in rows}
        for key, (quantity, _, owner) in list(self.held.items()):
            if owner == name and key not in there:
                self.held[key] = (quantity, True, owner)


def changed(files: Files, chance: random.Random) -> Files:
    """The drop a while later: rows come, change, go, move to another file, are sent twice, or are wrong."""
    after = {name: list(rows) for name, rows in files.items()}
    for _ in range(chance.randint(1, 4)):
        rows = after.setdefault(f"运单_{chance.randint(1, 3)}.csv", [])
        what = chance.choice(["put", "put", "drop", "move", "twice", "wrong"])
        if what == "put" or not rows:
            key = f"WB{chance.randint(1, 6)}"
            rows[:] = [row for row in rows if row[0] != key] + [(key, chance.randint(0, 2))]
        elif what == "drop":
            rows.pop(chance.randrange(len(rows)))
        elif what == "move":
            after.setdefault(f"运单_{chance.randint(1, 3)}.csv", []).append(rows.pop())
        else:
            rows.append((rows[0][0], -1 if what == "wrong" else chance.randint(0, 1)))
    return {name: rows for name, rows in after.items() if rows}


def content(source: Source, landing: Landing, order: list) -> list:
    with connect() as con:
        ensure_ledger(con)
        ensure_raw_tables(con, {"tms": source})
        for manifest in order:
            load_batch(con, source, landing, manifest, NOON)
        tables = (
            "raw_tms.waybill__history",
            "ops.quarantine",
            "(select * exclude (loaded_at) from ops.batch)",
        )
        return [con.execute(f"select * from {table} order by all").fetchall() for table in tables]


@pytest.mark.parametrize("seed", range(3))
def test_any_files_hold_what_the_model_holds_in_any_order(seed):
    chance = random.Random(seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(batches, "SMALL", 0 if seed % 2 else 50_000),
        patch.object(Compared, "emptied", lambda *_: []),
    ):
        drop = Path(folder) / "drop"
        drop.mkdir()
        document = from_yaml(WAYBILLS)
        document["connection"]["path"] = str(drop)
        source = Source.model_validate(document)
        tms = SmallSource(source, drop, Landing(Path(folder) / "landing"), Path(folder) / "warehouse.duckdb")
        model, files = Model(), {"运单_1.csv": [("WB1", 1), ("WB2", 2)]}
        for _ in range(5):
            for name, rows in files.items():
                tms.csv(name, *(f"{key},{quantity},CNY," for key, quantity in rows))
            tms.pull()
            model.read(files)
            found = tms.rows("select waybill_no, quantity::int, _is_deleted, _origin from raw_tms.waybill")
            assert {row[0]: row[1:] for row in found} == model.held
            aside = tms.rows("select record_key from ops.quarantine_open order by 1")
            assert [row[0] for row in aside] == sorted(key for keys in model.aside.values() for key in keys)
            # A file that is not sent again stays what it was: only files that are there are read.
            files = {**files, **changed(files, chance)}
        in_order = loadable(tms.landing, "tms", "waybill")
        expected = content(source, tms.landing, in_order)
        shuffled = in_order + chance.sample(in_order, 2)
        chance.shuffle(shuffled)
        assert content(source, tms.landing, shuffled) == expected
        compact({"tms": source}, tms.landing, NOON.replace(year=2030), NOON, lambda _: None)
        again = Landing(tms.landing.root)
        assert content(source, again, loadable(again, "tms", "waybill")) == expected


def test_a_row_that_moves_to_a_file_read_before_the_one_it_leaves_stays(tms):
    tms.csv("运单_2.csv", "WB1,1,CNY,", "WB2,1,CNY,")
    tms.pull()
    tms.csv("运单_1.csv", "WB1,1,CNY,")
    tms.csv("运单_2.csv", "WB2,1,CNY,")
    tms.pull()
    assert tms.rows("select waybill_no, _is_deleted, _origin from raw_tms.waybill order by 1") == [
        ("WB1", False, "运单_1.csv"),
        ("WB2", False, "运单_2.csv"),
    ]


def test_a_row_that_stands_in_two_files_stays_when_the_one_read_first_drops_it(tms):
    tms.csv("运单_1.csv", "WB1,1,CNY,")
    tms.csv("运单_2.csv", "WB1,1,CNY,", "WB2,1,CNY,")
    tms.pull()
    tms.csv("运单_1.csv", "WB3,1,CNY,")
    tms.pull()
    assert tms.rows("select waybill_no from raw_tms.waybill where not _is_deleted order by 1") == [
        ("WB1",),
        ("WB2",),
        ("WB3",),
    ]
