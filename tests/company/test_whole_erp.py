"""A whole ERP, 307 tables nobody wrote a contract for: drafted, landed, loaded, and equal to the source.

The dump is a company made by the ERP itself; its README states the totals. It may not be shipped, so the tests
look for it beside the project or below TIEOUT_DATA.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from sources.contract import Source, read_source
from tests.servers import Postgres, postgres_database
from tests.source_text import differences, raw_rows, source_rows
from tieout.doors.server import binaries
from tieout.engine import connect
from tieout.ingest.controls import Compared, compare_controls
from tieout.ingest.drafting import Draft, Wanted, draft
from tieout.ingest.extract import extract_source
from tieout.ingest.intake.ask import Ask, Extracted
from tieout.ingest.landing import Landing
from tieout.ingest.ledger import ensure_ledger
from tieout.ingest.load import Loaded, load_pending
from tieout.ingest.tables import ensure_raw_tables
from tieout.settings import PROJECT

pytestmark = pytest.mark.slow

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

# What the ERP's own books say, in its own SQL, and the same of what we hold. The totals: README of the data.
# Stock of a place is what moved in less what moved out, in the product's own unit.
_LINES = "account_move_line l join {raw}account_move m on m.id = l.move"
_KIND = "join {raw}account_account a on a.id = l.account join {raw}account_account_type t on t.id = a.type"
_STOCK = (
    "select cast(round(cast(sum(case when lt.type = 'storage' then m.internal_quantity else 0 end"
    " - case when lf.type = 'storage' then m.internal_quantity else 0 end) as numeric(18, 6)), 2) as numeric(18, 2))"
    " from {raw}stock_move m join {raw}stock_location lf on lf.id = m.from_location"
    " join {raw}stock_location lt on lt.id = m.to_location where m.state = 'done'"
)
CONTROLS = {
    "debits": (f"select sum(l.debit) from {{raw}}{_LINES} where m.state = 'posted'", "18237702.31"),
    "credits": (f"select sum(l.credit) from {{raw}}{_LINES} where m.state = 'posted'", "18237702.31"),
    "receivable": (
        f"select sum(l.debit - l.credit) from {{raw}}{_LINES} {_KIND} where t.receivable and m.state = 'posted'",
        "1033156.88",
    ),
    "payable": (
        f"select sum(l.credit - l.debit) from {{raw}}{_LINES} {_KIND}"
        " where t.payable and a.code = '2202' and m.state = 'posted'",
        "555629.17",
    ),
    "stock_value": (
        f"select sum(l.debit - l.credit) from {{raw}}{_LINES} {_KIND}"
        " where t.stock and t.statement = 'balance' and m.state = 'posted'",
        "994301.46",
    ),
    # 18,957.91 in Shanghai and 704.00 in Chengdu.
    "stock_on_hand": (_STOCK, "19661.91"),
}


def dump() -> Path:
    """The recorded database; the tests are skipped where it is not."""
    data = Path(os.environ.get("TIEOUT_DATA") or PROJECT.parent / "shared" / "data")
    file = data / "tryton" / "huaxin.dump"
    if not file.is_file():
        pytest.skip(f"{file} is not there (set TIEOUT_DATA)")
    return file


def restore(database: Postgres, file: Path) -> None:
    own = binaries() / "pg_restore"
    program = str(own) if own.is_file() else shutil.which("pg_restore")
    if program is None:
        pytest.skip("pg_restore is not installed (Debian: postgresql-client)")
    if not database.run("select 1 from pg_roles where rolname = 'tryton'"):
        database.run("create role tryton")
    database.run("grant all on schema public to tryton")
    database.run(f"grant connect, create on database {database.name} to tryton")
    done = subprocess.run(
        [program, "--no-owner", "--role=tryton", f"--dbname={database.admin}", str(file)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    database.grant()


@dataclass
class Erp:
    """The ERP and what became of it; `seconds` tells where the time went."""

    database: Postgres
    folder: Path
    drafted: Draft
    source: Source
    landing: Landing
    seconds: dict[str, float] = field(default_factory=dict)
    landed: list[Extracted] = field(default_factory=list)
    loaded: list[Loaded] = field(default_factory=list)
    compared: dict[str, Compared] = field(default_factory=dict)

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse.duckdb"


def with_controls(text: str) -> str:
    """The draft with the ERP's own totals as control totals, as a person would add them."""
    lines = ["controls:"]
    for name, (sql, _) in CONTROLS.items():
        lines += [
            f"  {name}:",
            f"    title: {{zh: {name}, en: {name}}}",
            f"    ask: {json.dumps(sql.format(raw=''))}",
            f"    hold: {json.dumps(sql.format(raw='raw_erp.'))}",
        ]
    return text + "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def erp(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Erp:
    file = dump()
    seconds: dict[str, float] = {}
    began = time.perf_counter()

    def clock(phase: str) -> None:
        nonlocal began
        seconds[phase], began = round(time.perf_counter() - began, 2), time.perf_counter()

    database = postgres_database(request.config)
    restore(database, file)
    clock("restore")

    os.environ["TIEOUT_TEST_ERP"] = database.dsn
    request.addfinalizer(lambda: os.environ.pop("TIEOUT_TEST_ERP", None))
    drafted = draft(Wanted("erp", "postgres", "env:TIEOUT_TEST_ERP", owner="finance", module="finance"))
    clock("draft")

    folder = tmp_path_factory.mktemp("erp")
    path = folder / "sources" / "erp" / "source.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(with_controls(drafted.text), encoding="utf-8")
    made = Erp(database, folder, drafted, read_source(path), Landing(folder / "landing"), seconds)
    clock("read the contract")

    made.landed = extract_source(made.source, made.landing, Ask(NOON), lambda _: None)
    clock("land")

    with connect(made.warehouse) as con:
        ensure_ledger(con)
        ensure_raw_tables(con, {"erp": made.source})
        clock("make tables")
        made.loaded = load_pending(con, {"erp": made.source}, made.landing, NOON, lambda _: None)
        clock("load")
        compared = compare_controls(con, {"erp": made.source}, made.landing)
        made.compared = {item.name: item for item in compared}
        clock("control totals")
    return made


def test_every_table_of_the_catalogue_has_a_stream_that_loads_whole(erp):
    tables = {
        row[0]
        for row in erp.database.run("select tablename::text from pg_tables where schemaname = 'public'")
    }

    assert len(tables) == 307
    assert {stream.origin for stream in erp.source.streams.values()} == tables
    assert [str(outcome.error) for outcome in erp.landed if outcome.error] == []
    assert len(erp.loaded) == 307
    assert [item for item in erp.loaded if item.quarantined or item.unchanged or item.deleted] == []


def test_names_are_ascii_and_nothing_collides_with_the_loaders_own_tables(erp):
    # The ERP has a table sale_opportunity__history, which is what the loader calls the history of sale_opportunity.
    names = {stream.origin: name for name, stream in erp.source.streams.items()}

    assert names["sale_opportunity__history"] == "sale_opportunity_history"
    assert names["account_invoice_line-stock_move"] == "account_invoice_line_stock_move"
    hyphens = erp.database.run(
        "select count(*) from pg_tables where schemaname = 'public' and tablename like '%-%'"
    )
    assert len([origin for origin in names if "-" in origin]) == hyphens[0][0] == 42
    assert all(name.isascii() and "__" not in name for name in names.values())


def test_every_table_equals_the_source_value_by_value(erp):
    began = time.perf_counter()
    wrong: dict[str, list[str]] = {}
    rows = values = 0
    with psycopg.connect(erp.database.dsn) as there, connect(erp.warehouse, read_only=True) as here:
        for name, stream in erp.source.streams.items():
            said = source_rows(there, erp.source, name)
            if found := differences(said, raw_rows(here, erp.source, name)):
                wrong[name] = found[:3]
            rows += len(said)
            values += len(said) * len(stream.columns)
    erp.seconds["compare"] = round(time.perf_counter() - began, 2)
    print(f"\n{rows:,} rows, {values:,} values; seconds: {erp.seconds}")

    assert wrong == {}
    assert rows > 50_000 and values > 500_000, "the comparison saw the data"


def test_the_comparison_would_see_a_hundredth_of_a_cent_a_lost_row_and_a_row_too_many(erp):
    name = "account_move_line"
    spoilt = erp.source.model_copy(update={"name": "spoilt"})
    with psycopg.connect(erp.database.dsn) as there, connect(erp.warehouse) as here:
        said = source_rows(there, erp.source, name)
        one, two, three = sorted(int(str(key[0])) for key in said)[:3]
        here.execute("begin")
        here.execute("create schema raw_spoilt")
        here.execute(f"create table raw_spoilt.{name} as from raw_erp.{name}")
        assert differences(said, raw_rows(here, spoilt, name)) == []
        here.execute(f"update raw_spoilt.{name} set debit = debit + 0.0001 where id = ?", [one])
        here.execute(f"delete from raw_spoilt.{name} where id = ?", [two])
        here.execute(f"update raw_spoilt.{name} set id = 999999 where id = ?", [three])
        found = differences(said, raw_rows(here, spoilt, name))
        here.execute("rollback")

    assert sorted(found[:3]) == sorted(
        [f"missing ('{two}',)", f"missing ('{three}',)", "not in the source ('999999',)"]
    )
    assert len(found) == 4 and found[3].startswith(f"('{one}',): ")


def test_every_column_of_the_source_is_promised(erp):
    said = dict(
        erp.database.run(
            "select table_name::text, count(*) from information_schema.columns where table_schema = 'public' group by 1"
        )
    )

    assert {stream.origin: len(stream.columns) for stream in erp.source.streams.values()} == said
    assert sum(said.values()) == erp.drafted.columns


def test_the_control_totals_the_database_gave_are_all_held(erp):
    with connect(erp.warehouse, read_only=True) as con:
        ((streams, measures, off),) = con.execute(
            "select count(distinct stream), count(*), count(*) filter (where not agrees) from ops.control_total"
            " where stream <> ''"
        ).fetchall()

    assert (streams, off) == (307, 0)
    assert measures > 307 + 40, "sums over money too"


@pytest.mark.parametrize("name", CONTROLS)
def test_the_books_say_the_same_here_and_there_and_in_the_readme(erp, name):
    total = erp.compared[name]

    assert total.agrees
    assert Decimal(total.source_says) == Decimal(total.we_hold) == Decimal(CONTROLS[name][1])


def test_a_second_pull_finds_nothing_new(erp):
    later = extract_source(erp.source, erp.landing, Ask(NOON.replace(hour=13)), lambda _: None)

    assert [outcome.stream for outcome in later if outcome.landed or outcome.error] == []
    assert sum(outcome.rows for outcome in later) == sum(item.rows_in for item in erp.loaded)


def test_secrets_and_people_are_classed_as_such(erp):
    user, contact = (
        erp.source.streams["res_user"].columns,
        erp.source.streams["party_contact_mechanism"].columns,
    )

    assert user["password_hash"].sensitivity == "L4"
    assert (user["email"].sensitivity, user["name"].sensitivity) == ("L3", "L3")
    assert contact["value"].sensitivity == "L3", "phone numbers under a name that says nothing"
    assert erp.source.class_of("product_template", "name") == "L2"


def test_the_same_catalogue_gives_the_same_contract(erp):
    again = draft(Wanted("erp", "postgres", "env:TIEOUT_TEST_ERP", owner="finance", module="finance"))

    assert again.text == erp.drafted.text
