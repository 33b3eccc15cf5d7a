"""Servers that die, refuse, or must not be written to: what failed is named, nothing of it lands, no password is told."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import duckdb
import pytest

from sources.contract import Source
from tests.conftest import SmallSource
from tests.servers import PASSWORD, maria_database, postgres_database
from tieout.ingest.extract import extract_source
from tieout.ingest.intake.ask import Ask
from tieout.ingest.intake.readers import open_reader
from tieout.ingest.landing import Landing

pytestmark = pytest.mark.slow

BIGINT = {"type": "bigint", "required": True}
SLOW = {
    # 20 s, if nobody breaks it off
    "postgres": "create view slow as select i::bigint as id, pg_sleep(0.1)::text as v from generate_series(1, 200) i",
    "mysql": "create view slow as select seq as id, sleep(0.1) as v from seq_1_to_200",
}


def contract(connector, tables):
    return Source.model_validate(
        {
            "source": "shop",
            "title": {"zh": "商城", "en": "Shop"},
            "module": "sales",
            "owner": "sales",
            "connector": connector,
            "connection": {"dsn": "env:SHOP_DSN"},
            "class": "L2",
            "schedule": {"cron": "0 2 * * *"},
            "streams": {
                name: {
                    "title": {"zh": name, "en": name},
                    "grain": "one row per id",
                    "from": table,
                    "key": ["id"],
                    "columns": {"id": BIGINT, "v": {"type": "text"}},
                }
                for name, table in tables.items()
            },
        }
    )


@pytest.fixture(params=["postgres", "mysql"])
def database(request, monkeypatch):
    made = {"postgres": postgres_database, "mysql": maria_database}[request.param](request.config)
    made.run(
        "create table a (id bigint primary key, v varchar(20))",
        "create table b (id bigint primary key, v varchar(20))",
        "insert into a values (1, 'one')",
        "insert into b values (1, 'one')",
    )
    made.grant()
    monkeypatch.setenv("SHOP_DSN", made.dsn)
    return made


@pytest.fixture
def small(tmp_path, database):
    return lambda **tables: SmallSource(
        contract(database.connector, tables),
        tmp_path,
        Landing(tmp_path / "landing"),
        tmp_path / "warehouse.duckdb",
    )


def extract(shop):
    outcomes = extract_source(shop.source, shop.landing, Ask(datetime.now(UTC)), lambda _: None)
    return {outcome.stream: outcome for outcome in outcomes}


def connections(database) -> int:
    """Of the reading login, busy or not."""
    if database.connector == "postgres":
        return database.run(f"select count(*) from pg_stat_activity where usename = '{database.reader}'")[0][
            0
        ]
    return int(
        database.run(f"select count(*) from information_schema.processlist where user = '{database.reader}'")
    )


def is_reading_slow(database) -> bool:
    mine, what = {
        "postgres": ("pg_stat_activity where usename", "query"),
        "mysql": ("information_schema.processlist where user", "info"),
    }[database.connector]
    state = "state = 'active'" if database.connector == "postgres" else "command in ('Query', 'Execute')"
    rows = database.run(
        f"select count(*) from {mine} = '{database.reader}' and {state} and {what} like '%slow%'"
    )
    return int(rows[0][0] if isinstance(rows, list) else rows) > 0


def break_off(database) -> None:
    if database.connector == "postgres":
        database.server.stop()
    else:
        database.server.kill()


def test_a_server_that_dies_in_mid_pull_loses_nothing(database, small):
    database.run(SLOW[database.connector])
    database.grant()
    shop = small(first="a", slow="slow", last="b")
    found = {}
    pulling = threading.Thread(target=lambda: found.update(extract(shop)))
    pulling.start()
    until = time.monotonic() + 20
    while not is_reading_slow(database) and time.monotonic() < until:
        time.sleep(0.05)
    break_off(database)
    try:
        pulling.join(30)
    finally:
        database.server.start()

    assert found["first"].error is None
    assert "shop.slow: slow could not be read to its end" in str(found["slow"].error)
    assert "Nothing of it was loaded; what was loaded before stays" in str(found["slow"].error)
    assert "b" in str(found["last"].error)
    assert PASSWORD not in "".join(str(outcome.error) for outcome in found.values())
    assert shop.landing.batches("shop", "slow") == []
    assert [path.name for path in shop.landing.root.glob("*/*/.draft*")] == []

    database.run("drop view slow", "create table slow as select * from a")
    database.grant()
    assert {name: outcome.error for name, outcome in extract(shop).items()} == dict.fromkeys(found)
    shop.load()
    assert (
        shop.rows("select id, v from raw_shop.slow union all select id, v from raw_shop.last")
        == [(1, "one")] * 2
    )


def test_a_table_without_the_right_to_select_is_named_and_the_others_land(database, small):
    if database.connector == "postgres":
        database.run(f"revoke select on a from {database.reader}")
    else:
        everything = f"{database.name}.*"
        database.run(
            f"revoke select on {everything} from {database.reader}@'%'",
            f"grant select on {database.name}.b to {database.reader}@'%'",
        )
    outcomes = extract(small(first="a", last="b"))

    assert "shop: the table a cannot be read" in str(outcomes["first"].error)
    assert outcomes["last"].error is None
    assert outcomes["last"].rows == 1


@pytest.mark.parametrize("change", ["password", "port"])
def test_what_cannot_be_reached_is_named_without_its_password(database, small, monkeypatch, change):
    wrong = "Fa1sch-gehe1m"
    dsn = database.dsn.replace(PASSWORD, wrong)
    if change == "port":
        dsn = dsn.replace(str(database.server.port), "1")
    monkeypatch.setenv("SHOP_DSN", dsn)
    (error,) = {str(outcome.error) for outcome in extract(small(first="a", last="b")).values()}

    assert "shop: cannot connect" in error
    assert "env:SHOP_DSN" in error
    assert wrong not in error and PASSWORD not in error


def test_the_door_cannot_write(database, small, monkeypatch):
    # Even with a login that may: the transaction is read-only for the server too.
    if database.connector == "postgres":
        monkeypatch.setenv("SHOP_DSN", database.admin)
    else:
        database.run(f"grant all on {database.name}.* to {database.reader}@'%'")
    source = small(first="a").source
    for write in ("insert into src.a values (2, 'two')", "delete from src.a", "drop table src.a"):
        with open_reader(source) as reader, pytest.raises(duckdb.Error, match=r"read-only|read only"):
            reader.con.execute(write)
    if database.connector == "postgres":
        database.run("create sequence counter")
    writing = {"postgres": "select nextval('counter')", "mysql": "insert into a values (2, 'two')"}
    with open_reader(source) as reader, pytest.raises(duckdb.Error, match=r"(?i)read.only transaction"):
        reader.ask(writing[database.connector])

    rows = database.run("select count(*) from a")
    assert int(rows[0][0]) == 1


@pytest.fixture
def of_statements(database):
    """A MariaDB set, as some are, to show every statement the newest state."""
    if database.connector == "mysql":
        database.run("set global tx_isolation = 'READ-COMMITTED'")
    yield
    if database.connector == "mysql":
        database.run("set global tx_isolation = 'REPEATABLE-READ'")


@pytest.mark.usefixtures("of_statements")
def test_everything_is_read_in_one_snapshot_and_no_connection_stays(database, small, tmp_path):
    source = small(first="a").source
    with open_reader(source) as reader:
        columns = reader.columns("a")
        reader.copy("a", columns, None, tmp_path / "a.parquet")
        database.run("insert into a values (2, 'two')", "insert into b values (2, 'two')")
        reader.copy("b", columns, None, tmp_path / "b.parquet")
        reader.copy("b", columns, ['"id" >= 0'], tmp_path / "again.parquet")
        for file in ("a", "b", "again"):
            assert reader.con.execute(f"select id from '{tmp_path}/{file}.parquet'").fetchall() == [(1,)]
        assert reader.ask("select count(*) from b") == 1
        assert reader.totals("b", {}, None) == {"rows": "1"}
        assert connections(database) > 0
    until = time.monotonic() + 5
    while connections(database) and time.monotonic() < until:
        time.sleep(0.05)
    assert connections(database) == 0


def test_names_of_any_kind_are_read(database, small):
    tick = '"' if database.connector == "postgres" else "`"
    name = f"{tick}Órder-表 1{tick}"
    database.run(
        f"create table {name} (id bigint primary key, v varchar(20))", f"insert into {name} values (1, '汉')"
    )
    database.run("create view Seen as select id, v from a")
    parted = (
        "partition by range (id)"
        if database.connector == "postgres"
        else "partition by hash (id) partitions 3"
    )
    database.run(f"create table parted (id bigint primary key, v varchar(20)) {parted}")
    if database.connector == "postgres":
        for number in (1, 2, 3):
            bounds = f"from ({number}) to ({number + 1})"
            database.run(f"create table parted{number} partition of parted for values {bounds}")
        database.grant()
    database.run("insert into parted values (1, 'a'), (2, ''), (3, null)")
    shop = small(
        odd="Órder-表 1", seen="seen" if database.connector == "postgres" else "Seen", parted="parted"
    )
    shop.pull()

    assert shop.rows("select id, v from raw_shop.odd") == [(1, "汉")]
    assert shop.rows("select id, v from raw_shop.seen") == [(1, "one")]
    assert shop.rows("select id, v from raw_shop.parted order by 1") == [(1, "a"), (2, ""), (3, None)]
