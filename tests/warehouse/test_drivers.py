"""SQL Server and Oracle through their drivers. Neither server is here: the reader is run through Python's DB-API
against PostgreSQL and SQLite with a dialect of the tests, the two real dialects against a driver that only listens."""

from __future__ import annotations

import sqlite3
import sys
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from sources.contract import Source
from tests.conftest import SmallSource
from tests.servers import PASSWORD, postgres_database
from tieout.engine import connect
from tieout.ingest.errors import SourceError
from tieout.ingest.extract import extract_source
from tieout.ingest.intake import dialects, drivers
from tieout.ingest.intake.ask import Ask
from tieout.ingest.intake.dialects import Dialect, Oracle, SqlServer
from tieout.ingest.intake.drivers import DriverReader
from tieout.ingest.landing import Landing


class StandIn(Dialect):
    """PostgreSQL through psycopg."""

    title, extra, packages, schema_sql = "PostgreSQL", "none", ("psycopg",), "'public'"

    def connect(self, package, place):
        return package.connect(place)

    def begin(self, run, rows):
        run("set transaction isolation level repeatable read, read only")
        run("set local timezone = 'UTC'")

    def catalogue(self, schema_sql, table):
        return (
            "select column_name, data_type, numeric_precision, numeric_scale from information_schema.columns"
            f" where table_schema = {schema_sql} and table_name = {self.text(table)} order by ordinal_position"
        )

    def declared(self, kind, precision, scale):
        return f"decimal({precision},{scale})" if kind == "numeric" and precision else kind

    def exact(self, name, declared):
        if declared.startswith("decimal"):
            return name, declared
        kinds = {"bigint": "int64", "integer": "int64", "boolean": "bool", "double precision": "float64"}
        return (name, kinds[declared]) if declared in kinds else (f"{name}::text", "string")

    def instant(self, text, zoned):
        return f"cast('{text}{'+00' if zoned else ''}' as {'timestamptz' if zoned else 'timestamp'})"

    def month(self, name):
        return f"to_char({name}, 'YYYY-MM')"


def contract(connector="sqlserver", **streams):
    base = {"title": {"zh": "单", "en": "Orders"}, "grain": "one row per id", "from": "orders", "key": ["id"]}
    return Source.model_validate(
        {
            "source": "erp",
            "title": {"zh": "账", "en": "ERP"},
            "module": "sales",
            "owner": "sales",
            "connector": connector,
            "connection": {"dsn": "env:ERP_DSN"},
            "class": "L2",
            "schedule": {"cron": "0 2 * * *"},
            "streams": {name: base | stream for name, stream in streams.items()},
        }
    )


ORDERS = {
    "columns": {
        "id": {"type": "bigint", "required": True},
        "amount": {"type": "decimal(38, 10)"},
        "rate": {"type": "double"},
        "paid": {"type": "boolean"},
        "words": {"type": "text"},
        "on_day": {"from": "下单日", "type": "date"},
        "changed_at": {"type": "timestamptz"},
    },
    "control": {"kind": "query", "sums": ["amount"], "by": "on_day"},
}
INCREMENTAL = ORDERS | {"load": "incremental", "cursor": "changed_at", "deletes": "keys", "lateness": "0s"}


@pytest.fixture
def database(request, monkeypatch):
    made = postgres_database(request.config)
    made.run(
        "create table orders (id bigint primary key, amount numeric(38,10), rate double precision, paid boolean, words text,"
        ' "下单日" date, changed_at timestamptz)',
        """insert into orders values
        (1, 9999999999999999999999999999.0000000001, 0.1, true, '汉''"字', '2026-10-31', '2026-10-31 10:00:00.000001+08'),
        (9007199254740993, -0.0000000001, null, false, '', '2026-11-01', '2026-11-01 00:00+00'),
        (3, null, 1e300, null, null, null, null)""",
    )
    made.grant()
    monkeypatch.setenv("ERP_DSN", made.dsn)
    monkeypatch.setitem(dialects.DIALECTS, "sqlserver", StandIn)
    return made


@pytest.fixture
def small(tmp_path):
    return lambda source: SmallSource(
        source, tmp_path, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb"
    )


def extract(shop):
    outcomes = extract_source(shop.source, shop.landing, Ask(datetime.now(UTC)), lambda _: None)
    return {outcome.stream: outcome for outcome in outcomes}


def test_rows_arrive_exactly_with_their_control_totals(database, small):
    shop = small(contract(orders=ORDERS))
    assert extract(shop)["orders"].error is None
    shop.load()

    assert shop.rows("select * exclude (_batch_id, _loaded_at, _hash, _origin, _row, _is_deleted) from raw_erp.orders order by id") == [
        (1, Decimal("9999999999999999999999999999.0000000001"), 0.1, True, "汉'\"字", date(2026, 10, 31), datetime(2026, 10, 31, 2, 0, 0, 1, tzinfo=UTC)),
        (3, None, 1e300, None, None, None, None),
        (9007199254740993, Decimal("-0.0000000001"), None, False, "", date(2026, 11, 1), datetime(2026, 11, 1, tzinfo=UTC)),
    ]  # fmt: skip
    assert dict(shop.rows("select measure, source_says from ops.control_total")) == {
        "rows": "3",
        "rows[2026-10]": "1",
        "rows[2026-11]": "1",
        "rows[none]": "1",
        "sum_amount": "9999999999999999999999999999.0000000000",
        "sum_amount[2026-10]": "9999999999999999999999999999.0000000001",
        "sum_amount[2026-11]": "-0.0000000001",
        "sum_amount[none]": "0",
    }


def test_what_is_new_is_read_by_cursor_and_what_is_gone_by_key(database, small):
    shop = small(contract(orders=INCREMENTAL | {"control": None}))
    assert extract(shop)["orders"].rows == 3
    database.run(
        "update orders set words = 'new', changed_at = '2026-11-02 00:00+00' where id = 1",
        "delete from orders where id = 3",
    )
    (outcome,) = extract(shop).values()
    shop.load()

    assert outcome.error is None
    # Row 1, and the one at the border of the last pull.
    assert outcome.rows == 2
    assert shop.rows("select id, words, _is_deleted from raw_erp.orders order by id") == [
        (1, "new", False),
        (3, None, True),
        (9007199254740993, "", False),
    ]


def test_one_snapshot_that_cannot_be_written_to(database, tmp_path):
    with connect() as con:
        reader = DriverReader(con, contract(orders=ORDERS), database.dsn)
        reader.attach()
        columns = reader.columns("orders")
        database.run("insert into orders (id) values (4)")
        reader.copy("orders", columns, ['"id" < 4', '"id" >= 4'], tmp_path / "rows.parquet")
        assert sorted(pq.read_table(tmp_path / "rows.parquet")["id"].to_pylist()) == [1, 3, 9007199254740993]
        assert reader.ask("select count(*) from orders") == 3
        with pytest.raises(SourceError, match="read-only"):
            reader.ask("delete from orders returning 1")
        reader.recover()
        assert reader.ask("select count(*) from orders") == 4
        reader.close()
    assert database.run(f"select count(*) from pg_stat_activity where usename = '{database.reader}'") == [
        (0,)
    ]


def test_a_stream_that_fails_is_named_and_the_others_land(database, small):
    database.run("create view broken as select id, 1 / (id - 3) as amount from orders")
    database.grant()
    broken = {
        "from": "broken",
        "columns": {"id": {"type": "bigint", "required": True}, "amount": {"type": "bigint"}},
    }
    shop = small(contract(broken=broken, gone=broken | {"from": "gone"}, orders=ORDERS))
    outcomes = extract(shop)

    assert "erp: broken could not be read to its end: division by zero" in str(outcomes["broken"].error)
    assert "the table gone cannot be read" in str(outcomes["gone"].error)
    assert outcomes["orders"].rows == 3
    assert shop.landing.batches("erp", "broken") == []


def test_no_password_is_told(database, small, monkeypatch):
    monkeypatch.setenv("ERP_DSN", database.dsn.replace(PASSWORD, "Fa1sch"))
    message = str(extract(small(contract(orders=ORDERS)))["orders"].error)

    assert "erp: cannot connect" in message
    assert "Fa1sch" not in message


@pytest.mark.parametrize(
    ("connector", "extra"), [("sqlserver", "tieout[sqlserver]"), ("oracle", "tieout[oracle]")]
)
def test_a_missing_driver_is_named_with_what_installs_it(small, monkeypatch, connector, extra):
    monkeypatch.setenv("ERP_DSN", "oracle://reader:Gehe1m@host/db")
    for package in ("mssql_python", "pyodbc", "oracledb"):
        monkeypatch.setitem(sys.modules, package, None)
    message = str(extract(small(contract(connector, orders=ORDERS)))["orders"].error)

    assert f"pip install '{extra}'" in message
    assert "Nothing was read" in message


class Lazy:
    """A connection whose rows are made while they are fetched."""

    def __init__(self, rows):
        self.rows, self.largest = iter(rows), 0

    def cursor(self):
        return self

    def execute(self, sql):
        self.sql = sql

    def fetchmany(self, size):
        self.largest = max(self.largest, size)
        return list(islice(self.rows, size))

    def close(self):
        pass


def lazy_reader(con, rows):
    reader = DriverReader(con, contract(orders=ORDERS), "")
    reader._connection = Lazy(rows)
    return reader


def test_memory_is_bounded_by_the_chunk_and_not_by_the_table(database, tmp_path):
    peaks = []
    with connect() as con:
        for rows in (2 * drivers.CHUNK, 10 * drivers.CHUNK):
            made = ((n, f"row {n} of many, and some words more") for n in range(rows))
            reader = lazy_reader(con, made)
            tracemalloc.start()
            reader.copy("orders", {"id": "bigint", "words": "text"}, None, tmp_path / "rows.parquet")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            written = pq.ParquetFile(tmp_path / "rows.parquet").metadata
            assert (written.num_rows, written.num_row_groups) == (rows, rows // drivers.CHUNK)
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize(
    ("value", "kind"),
    [(0.1, "decimal(18,2)"), (Decimal("1.001"), "decimal(18,2)"), (1.5, "bigint"), ("x", "bigint")],
)
def test_a_driver_that_gives_another_type_than_declared_is_refused(database, tmp_path, value, kind):
    with connect() as con, pytest.raises(SourceError, match="orders could not be read to its end"):
        lazy_reader(con, [(value,)]).copy("orders", {"id": kind}, None, tmp_path / "rows.parquet")


def test_sqlite_as_another_db_api(tmp_path):
    class Sqlite(StandIn):
        def catalogue(self, schema_sql, table):
            return f"select name, lower(type), null, null from pragma_table_info('{table}')"

        def exact(self, name, declared):
            return name, {"integer": "int64", "real": "float64"}.get(declared, "string")

    with sqlite3.connect(":memory:") as db, connect() as con:
        db.execute("create table orders (id integer, words text, rate real)")
        db.executemany("insert into orders values (?, ?, ?)", [(1, "a", 0.5), (2, None, None), (3, "c", 2)])
        reader = DriverReader(con, contract(orders=ORDERS), "", Sqlite())
        reader._connection = db
        reader.copy("orders", reader.columns("orders"), ['"id" >= 2'], tmp_path / "rows.parquet")
        assert pq.read_table(tmp_path / "rows.parquet").to_pylist() == [
            {"id": 2, "words": None, "rate": None},
            {"id": 3, "words": "c", "rate": 2.0},
        ]


class Listener:
    """A driver that writes down what it is asked, and answers the first known part of a statement."""

    def __init__(self, **answers):
        self.said, self.answers, self.given = [], answers, {}
        self.defaults = SimpleNamespace()

    def connect(self, *args, **named):
        self.given = named
        return self

    def cursor(self):
        return self

    def execute(self, sql):
        self.said.append(sql)

    def fetchall(self):
        return next((rows for part, rows in self.answers.items() if part in self.said[-1]), [])

    def rollback(self):
        self.said.append("rollback")

    def close(self):
        pass


def listening(monkeypatch, connector, package, place, **answers):
    listener = Listener(**answers)
    monkeypatch.setitem(sys.modules, package, listener)
    reader = DriverReader(connect(), contract(connector, orders=ORDERS), place)
    reader.attach()
    return listener, reader


@pytest.mark.parametrize(("state", "level", "notes"), [(1, "snapshot", 0), (0, "repeatable read", 1)])
def test_sql_server_reads_in_the_best_snapshot_it_allows(monkeypatch, state, level, notes):
    heard, reader = listening(
        monkeypatch, "sqlserver", "mssql_python", "Server=h;PWD=Gehe1m;", snapshot_isolation_state=[(state,)]
    )
    assert heard.said[-2:] == [f"set transaction isolation level {level}", "begin transaction"]
    assert len(reader.notes) == notes
    assert heard.given == {"autocommit": True}
    assert reader.without_secret(RuntimeError("login failed for Gehe1m")) == "login failed for …"


def test_sql_server_types_and_literals():
    dialect = SqlServer()
    assert dialect.declared("decimal", 18, 2) == "decimal(18,2)"
    assert dialect.exact('"v"', dialect.declared("timestamp", None, None)) == (
        'convert(bigint, "v")',
        "int64",
    )
    assert dialect.exact('"v"', "money") == ('convert(decimal(19, 4), "v")', "decimal(19,4)")
    assert dialect.exact('"v"', "nvarchar") == ('convert(nvarchar(max), "v")', "string")
    assert dialect.text("件'x") == "N'件''x'"
    assert (
        dialect.instant("2026-11-01 12:00:00", False)
        == "convert(datetime2, '2026-11-01T12:00:00.000000', 126)"
    )
    assert (
        dialect.instant("2026-11-01 12:00:00+08:00", True)
        == "convert(datetimeoffset, '2026-11-01T04:00:00.000000+00:00', 127)"
    )


def test_oracle_reads_in_a_read_only_transaction(monkeypatch):
    heard, reader = listening(
        monkeypatch,
        "oracle",
        "oracledb",
        "oracle://reader:Gehe1m%21@db.example:1522/erp",
        all_tab_columns=[
            ("ID", "NUMBER", 10, 0),
            ("AMOUNT", "NUMBER", None, None),
            ("DAY", "DATE", None, None),
        ],
    )
    assert heard.said == ["set transaction read only"]
    assert heard.given == {"user": "reader", "password": "Gehe1m!", "dsn": "db.example:1522/erp"}
    assert heard.defaults.fetch_decimals is True
    assert reader.columns("ORDERS") == {"ID": "decimal(10,0)", "AMOUNT": "number", "DAY": "timestamp(0)"}
    assert "Gehe1m" not in reader.without_secret(RuntimeError("ORA-01017: reader/Gehe1m!@db Gehe1m%21"))


def test_oracle_types_and_literals():
    dialect = Oracle()
    assert dialect.declared("NUMBER", 5, -2) == "number"
    assert dialect.exact('"V"', "number")[1] == "string"
    assert dialect.exact('"V"', "timestamp(6) with time zone")[0].startswith('to_char(sys_extract_utc("V")')
    assert dialect.instant("2026-11-01 12:00:00.5", False) == "timestamp '2026-11-01 12:00:00.500000'"
    assert dialect.instant("2026-11-01 12:00:00", True) == "timestamp '2026-11-01 12:00:00.000000 +00:00'"
