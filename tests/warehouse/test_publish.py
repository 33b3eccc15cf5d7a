"""The publish into PostgreSQL: whole or not at all, for everybody exactly what they may see."""

from __future__ import annotations

import datetime as dt
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Generator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from tieout.doors import publish as publishing
from tieout.doors.access import Access
from tieout.doors.publish import (
    Published,
    PublishError,
    PublishMeta,
    PublishPostponedError,
    current_publish,
    publish_postgres,
    sync_access,
)
from tieout.doors.server import PostgresServer
from tieout.doors.warehouse import UnpublishableError
from tieout.strict import from_yaml

pytestmark = pytest.mark.slow

META = PublishMeta(
    dt.datetime(2026, 11, 22, 8, tzinfo=dt.UTC),
    dt.date(2026, 2, 28),
    certified=True,
    loaded_to=dt.datetime(2026, 11, 22, 7, tzinfo=dt.UTC),
    definition_version="d1",
    policy_version="p1",
)
KEYS = {"marts.fct_sales_order_line": "order_line_key", "marts.dim_customer": ("customer_key",)}
CLASSES = {"marts.dim_employee": {"employee_name": "L3"}, "marts.dim_customer": {"phone": "L3"}}
COMMENTS = {
    "marts.fct_sales_order_line": "销售订单行 / Sales order lines",
    "marts.fct_sales_order_line.amount_cny": "金额 / The amount, in CNY",
}
ROLES = """
sessions: {timezone: Asia/Shanghai, statement_timeout: 30s}
roles:
  analyst: {title: {zh: 分析, en: Analysts}, reads: ["marts.*", "metrics.*"], clearance: L2}
  sales_reader:
    title: {zh: 销售, en: Sales}
    reads: [marts.dim_date, marts.dim_customer, "marts.fct_sales_*", "metrics.*"]
    clearance: L2
  sales_east:
    title: {zh: 华东销售, en: Sales East}
    reads: ["marts.*"]
    rows: {region_code: [EAST]}
    unfiltered: [marts.dim_date]
    clearance: L3
  hr_reader: {title: {zh: 人力, en: People}, reads: [marts.dim_employee], clearance: L3}
logins: {ana: analyst, sam: sales_reader, eve: sales_east, hua: hr_reader}
"""
PASSWORDS = {"ana": "pw-ana", "sam": "pw-sam", "eve": "pw-eve", "hua": "pw-hua"}


def access(**changes: Any) -> Access:

    return Access.model_validate(from_yaml(ROLES) | changes)


def write_company(file: Path, batch: int = 1, lines: int = 200) -> Path:
    """A small warehouse; ``batch`` is in every row, so a mixture of two publishes would show."""
    file.unlink(missing_ok=True)
    with duckdb.connect(str(file)) as con:
        con.execute(
            f"""
            create schema marts;
            create schema metrics;
            create schema ops;
            create table ops.secret as select 1 as x;
            create table marts.dim_date as select d::date as date_day from range(date '2026-01-01', date '2026-01-11', interval 1 day) t(d);
            create table marts.dim_customer as
            select 'C' || i as customer_key, '客户' || i as customer_name, '1380000' || i as phone,
                case when i % 2 = 0 then 'EAST' else 'WEST' end as region_code
            from range(10) t(i);
            create table marts.dim_employee as select 'E' || i as employee_key, '员工' || i as employee_name from range(3) t(i);
            create table marts.fct_sales_order_line as
            select 'L' || i as order_line_key, 'C' || i % 10 as customer_key,
                case when i % 2 = 0 then 'EAST' else 'WEST' end as region_code,
                (i * 1.25)::decimal(18, 4) as order_qty, (i * 3.33)::decimal(18, 2) as amount_cny,
                date '2026-01-01' + i::integer % 10 as order_date,
                timestamp '2026-01-01 08:00:00' + interval (i) minute as ordered_at,
                timestamptz '2026-01-01 00:00:00+00' as loaded_at,
                i % 3 = 0 as is_closed, i as line_no, case when i > 0 then i::double / 7 end as a_ratio,
                {batch} as batch
            from range({lines}) t(i);
            create table marts.fct_ledger_entry_line as select i as entry_key, (i * 10)::decimal(18, 2) as debit from range(5) t(i);
            create view metrics.sales_by_region as
            select region_code, sum(line_no) as line_no_sum, sum(amount_cny) as amount_cny, count(*) as line_count
            from marts.fct_sales_order_line group by region_code;
            comment on table marts.dim_date is '日期 / Dates';
            """
        )
    return file


class Room:
    """A database of its own on the shared server, with a warehouse to publish from."""

    def __init__(self, dsn: str, warehouse: Path) -> None:
        self.dsn = dsn
        self.warehouse = warehouse

    def publish(self, publish_id: str = "P1", **arguments: Any) -> Published:
        given: dict[str, Any] = {
            "access": access(),
            "meta": META,
            "keys": KEYS,
            "classes": CLASSES,
            "comments": COMMENTS,
            "passwords": PASSWORDS,
        }
        return publish_postgres(
            arguments.pop("source", self.warehouse),
            arguments.pop("dsn", self.dsn),
            publish_id,
            **given | arguments,
        )

    def rewrite(self, batch: int, lines: int = 200) -> None:
        write_company(self.warehouse, batch, lines)

    def login(self, name: str, **options: Any) -> psycopg.Connection:
        return psycopg.connect(self.dsn, user=name, password=PASSWORDS[name], autocommit=True, **options)

    def ask(self, name: str, query: str) -> list[tuple]:
        with self.login(name) as con:
            return con.execute(query.encode()).fetchall()

    def schemas(self) -> set[str]:
        with psycopg.connect(self.dsn) as con:
            rows = con.execute(
                "select nspname from pg_namespace where nspname !~ '^(pg_|information)'"
            ).fetchall()
        return {name for (name,) in rows}

    def tables(self) -> int:
        with psycopg.connect(self.dsn) as con:
            return len(con.execute("select 1 from pg_tables where schemaname = 'tieout_data'").fetchall())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[PostgresServer]:
    made = PostgresServer(tmp_path_factory.mktemp("sql") / "postgres")
    try:
        with made.running():
            yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def published(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Room:
    """One publish, P1, that tests only read."""
    folder = tmp_path_factory.mktemp("published")
    room = Room(server.create_database("published"), write_company(folder / "warehouse.duckdb"))
    room.publish()
    return room


@pytest.fixture
def empty_room(server: PostgresServer, tmp_path: Path) -> Iterator[Room]:
    """A database nothing was published to."""
    yield Room(server.create_database("empty"), write_company(tmp_path / "warehouse.duckdb"))
    drop(server, "empty")


@pytest.fixture
def room(server: PostgresServer, published: Room, tmp_path: Path) -> Iterator[Room]:
    """A database of the test's own in which P1 is published already."""
    with psycopg.connect(server.superuser_dsn(), autocommit=True) as con:
        con.execute("create database room template published")
    yield Room(
        server.superuser_dsn("room"), Path(shutil.copy(published.warehouse, tmp_path / "warehouse.duckdb"))
    )
    drop(server, "room")


def drop(server: PostgresServer, database: str) -> None:
    with psycopg.connect(server.superuser_dsn(), autocommit=True) as con:
        con.execute(f"drop database {database} with (force)".encode())


# -- what arrives -----------------------------------------------------------------------------------


def test_rows_and_types_arrive_as_they_are(published):
    with published.login("ana") as con:
        line = con.execute("select * from marts.fct_sales_order_line where order_line_key = 'L7'").fetchone()
        types = dict(
            con.execute(
                "select attname, format_type(atttypid, atttypmod) from pg_attribute"
                " where attrelid = 'marts.fct_sales_order_line'::regclass and attnum > 0"
            ).fetchall()
        )

    shanghai = dt.timezone(dt.timedelta(hours=8))
    assert line == (
        *(
            "L7",
            "C7",
            "WEST",
            Decimal("8.7500"),
            Decimal("23.31"),
            dt.date(2026, 1, 8),
            dt.datetime.fromisoformat("2026-01-01T08:07"),
        ),
        *(dt.datetime(2026, 1, 1, 8, tzinfo=shanghai), False, 7, 1.0, 1),
    )
    assert types == {
        "order_line_key": "text",
        "customer_key": "text",
        "region_code": "text",
        "order_qty": "numeric(18,4)",
        "amount_cny": "numeric(18,2)",
        "order_date": "date",
        "ordered_at": "timestamp without time zone",
        "loaded_at": "timestamp with time zone",
        "is_closed": "boolean",
        "line_no": "bigint",
        "a_ratio": "double precision",
        "batch": "integer",
    }


def test_a_view_of_the_warehouse_arrives_as_rows(published):
    with duckdb.connect(str(published.warehouse), read_only=True) as con:
        wanted = con.execute("select * from metrics.sales_by_region order by 1").fetchall()

    assert published.ask("ana", "select * from metrics.sales_by_region order by 1") == wanted


def test_comments_in_both_languages_reach_the_reader(published):
    said = published.ask(
        "sam",
        "select obj_description('marts.fct_sales_order_line'::regclass), obj_description('marts.dim_date'::regclass),"
        " col_description('marts.fct_sales_order_line'::regclass, 5)",
    )

    ((first, second, column),) = said
    assert [text.split("\n")[0] for text in (first, second)] == [
        "销售订单行 / Sales order lines",
        "日期 / Dates",
    ]
    assert column == "金额 / The amount, in CNY"
    for text in (first, second):
        ids = text.split("\n")[1]
        assert ids.startswith("publish P1 · data ")
        assert ids.endswith(" · definitions d1 · policy p1 · cut-off 2026-02-28")


def test_every_schema_says_which_publish_it_is(published):
    for schema in ("marts", "metrics"):
        ((publish_id, cut_off, certified, at, _, tables, rows, definitions, policy, loaded_to),) = (
            published.ask("sam", f"select * from {schema}.publish")
        )

        assert (publish_id, cut_off, certified, at) == ("P1", "2026-02-28", True, META.published_at)
        assert (tables, rows) == (6, 10 + 10 + 3 + 200 + 5 + 2)
        assert (definitions, policy, loaded_to) == ("d1", "p1", META.published_at - dt.timedelta(hours=1))


def test_the_session_is_set_up_for_a_person(published):
    with published.login("ana") as con:
        assert con.execute("select count(*) from dim_date").fetchone() == (10,), "no schema has to be typed"
        assert con.execute("show timezone").fetchone() == ("Asia/Shanghai",)
        assert con.execute("show statement_timeout").fetchone() == ("30s",)


def test_no_other_schema_of_the_warehouse_is_published(published):
    assert published.schemas() == {"marts", "metrics", "tieout_access", "tieout_data", "public"}


# -- who sees what ----------------------------------------------------------------------------------


def test_a_column_above_the_clearance_is_null_and_select_star_works_for_everyone(published):
    everything = "select * from marts.dim_employee order by 1"

    assert published.ask("ana", everything) == [("E0", None), ("E1", None), ("E2", None)]
    assert published.ask("hua", everything)[0] == ("E0", "员工0")
    assert published.ask("ana", "select count(phone) from marts.dim_customer") == [(0,)]
    assert published.ask("eve", "select count(phone) from marts.dim_customer") == [(5,)]


@pytest.mark.parametrize(
    "query",
    [
        "select * from marts.fct_ledger_entry_line",
        "select * from marts.dim_employee",
        "select * from tieout_access.login",
        "create table marts.x (a int)",
        "create table public.x (a int)",
        "create temp table x (a int)",
        "create schema x",
        "insert into marts.dim_date values (now())",
        "update marts.dim_customer set customer_name = '1'",
        "delete from marts.dim_date",
        "drop view marts.dim_date",
        "set role tieout_owner",
        "set role tieout_role_hr_reader",
        "set role hua",
        "set session authorization hua",
        "select lo_from_bytea(0, 'x')",
        "select pg_read_file('/etc/passwd')",
        "copy (select 1) to program 'cat'",
        "begin; lock table tieout_access.publishing",
        "set session_replication_role = replica",
    ],
)
def test_sales_cannot(published, query):
    with published.login("sam") as con:
        con.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            con.execute(query.encode())


def test_the_private_tables_cannot_be_read_by_any_login(published):
    with psycopg.connect(published.dsn) as con:
        names = [
            name
            for (name,) in con.execute("select tablename from pg_tables where schemaname = 'tieout_data'")
        ]
    for login in PASSWORDS:
        with published.login(login) as con:
            for name in names:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    con.execute(f'select * from tieout_data."{name}"'.encode())


def test_row_rules_hold_in_every_table_and_in_every_way_of_asking(published):
    assert published.ask("eve", "select distinct region_code from marts.fct_sales_order_line") == [("EAST",)]
    assert published.ask(
        "eve", "select count(*) from marts.fct_sales_order_line where region_code = 'WEST'"
    ) == [(0,)]
    assert published.ask("eve", "select count(*) from marts.dim_date") == [(10,)]
    with published.login("eve") as con:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            con.execute("select * from marts.dim_employee")  # no region_code to filter by
        # An error inside a function must not tell about rows that are filtered away.
        rows = con.execute(
            "select count(*) from marts.fct_sales_order_line where (case when region_code = 'WEST' then 1 / (line_no * 0) else 1 end) = 1"
        ).fetchone()
        assert rows == (100,)


def test_the_owner_pretending_by_set_role_sees_no_filtered_rows(published):
    with psycopg.connect(published.dsn) as con:
        con.execute("set role eve")
        assert con.execute("select count(*) from marts.fct_sales_order_line").fetchone() == (0,)


def test_a_login_that_is_removed_is_cut_off_at_once(room):
    with room.login("sam") as con:
        sync_access(room.dsn, access(logins={"ana": "analyst"}), PASSWORDS)
        with pytest.raises(psycopg.OperationalError):
            con.execute("select 1")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        room.login("sam")
    room.publish()  # listed again
    assert room.ask("sam", "select 1") == [(1,)]


def test_a_login_that_changes_roles_sees_the_new_role_only(room):
    room.publish(access=access(logins={"ana": "hr_reader"}))
    with room.login("ana") as con:
        assert con.execute("select max(employee_name) from marts.dim_employee").fetchone() == ("员工2",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            con.execute("select * from marts.dim_date")
    room.publish()


# -- the switch -------------------------------------------------------------------------------------


def test_only_what_changed_is_copied_again(empty_room):
    first = empty_room.publish("P1")
    again = empty_room.publish("P2")
    empty_room.rewrite(batch=2)
    changed = empty_room.publish("P3")

    assert (first.loaded, again.loaded, changed.loaded) == (6, 0, 1)
    assert empty_room.ask("ana", "select publish_id from marts.publish") == [("P3",)]
    assert empty_room.ask("ana", "select distinct batch from marts.fct_sales_order_line") == [(2,)]
    assert empty_room.tables() == 6, "what is no longer seen is gone"
    assert current_publish(empty_room.dsn) == "P3"


def test_an_open_connection_to_the_warehouse_will_do(room):
    with duckdb.connect(str(room.warehouse)) as con:
        assert room.publish(source=con).rows == 230


def test_readers_never_see_a_gap_or_a_mixture(room):
    stop, seen, problems = threading.Event(), set(), []

    def read(prepared: bool) -> None:
        query = "select (select publish_id from marts.publish), min(batch), max(batch), count(*) from marts.fct_sales_order_line"
        with room.login("ana") as con:
            while not stop.is_set():
                try:
                    publish_id, low, high, count = con.execute(
                        query.encode(), prepare=prepared
                    ).fetchone() or ("none", 0, 0, 0)
                    if (publish_id, low, count) != (f"P{high}", high, 200):
                        problems.append((publish_id, low, high, count))
                    seen.add(publish_id)
                    time.sleep(0.005)  # leave some of the two cores to the publisher
                except psycopg.Error as error:
                    problems.append(error)
                    return

    threads = [threading.Thread(target=read, args=(prepared,)) for prepared in (True, False)]
    for thread in threads:
        thread.start()
    while not seen and not problems:
        time.sleep(0.01)
    for batch in (2, 3):
        room.rewrite(batch)
        room.publish(f"P{batch}")
    time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()

    assert not problems
    assert {"P1", "P2", "P3"} >= seen >= {"P1", "P3"}


COUNT = "select count(*), max(batch) from marts.fct_sales_order_line"


@pytest.fixture
def old_snapshot(room: Room) -> Iterator[psycopg.Connection]:
    """A reader whose REPEATABLE READ transaction is older than the rows of the next publish."""
    con = room.login("ana")
    con.execute("begin isolation level repeatable read")
    con.execute("select count(*) from marts.dim_date")
    room.rewrite(batch=2)
    yield con
    con.close()


def test_a_repeatable_read_transaction_is_waited_for_and_reads_what_it_began_with(room, old_snapshot):
    reached: list[str] = []
    thread = threading.Thread(target=lambda: room.publish("P2", patience=30, on_step=reached.append))
    thread.start()
    while "build" not in reached:
        time.sleep(0.05)
    time.sleep(0.3)

    assert old_snapshot.execute(COUNT).fetchone() == (200, 1)
    assert "swap" not in reached
    old_snapshot.execute("commit")
    thread.join(20)
    assert old_snapshot.execute(COUNT).fetchone() == (200, 2)


def test_a_reader_who_outstays_the_limit_gets_an_error_and_not_zero_rows(room, old_snapshot):
    done = room.publish("P2", patience=0.3)

    assert done.waited >= 0.3
    with pytest.raises(psycopg.OperationalError):
        old_snapshot.execute(COUNT)
    assert room.ask("ana", COUNT) == [(200, 2)]


def test_a_publish_can_be_postponed_instead_and_copies_nothing_twice(room, old_snapshot):
    with pytest.raises(PublishPostponedError, match="open transaction of ana"):
        room.publish("P2", patience=0.3, then="postpone")

    assert old_snapshot.execute(COUNT).fetchone() == (200, 1)
    assert room.ask("ana", "select publish_id from marts.publish") == [("P1",)]
    old_snapshot.execute("commit")
    assert room.publish("P2").loaded == 0, "the table copied before is used"
    assert room.ask("ana", COUNT) == [(200, 2)]


def test_an_idle_transaction_blocks_nothing_and_what_it_holds_is_cleared_later(room):
    with room.login("ana") as con:
        con.execute("begin")  # read committed: it reads each statement anew
        con.execute(COUNT)
        room.rewrite(batch=2)
        second = room.publish("P2", patience=5)
        assert second.waited < 5
        assert con.execute(COUNT).fetchone() == (200, 2)
        assert len(second.left_over) == 1
        con.execute("commit")
    room.publish("P3")
    assert room.tables() == 6
    assert room.schemas() == {"marts", "metrics", "tieout_access", "tieout_data", "public"}


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_publish import Room

def die(step):
    if step == {step!r}:
        os.kill(os.getpid(), signal.SIGKILL)

Room({dsn!r}, Path({warehouse!r})).publish("P2", on_step=die)
"""


@pytest.mark.parametrize("step", ["load", "build", "swap"])
def test_a_publish_that_is_killed_leaves_the_old_or_the_new_whole(room, step):
    room.rewrite(batch=2)
    script = KILLED.format(
        tests=str(Path(__file__).parent), step=step, dsn=room.dsn, warehouse=str(room.warehouse)
    )
    with room.login("ana") as con:
        killed = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        seen = con.execute(
            "select (select publish_id from marts.publish), count(*), min(batch), max(batch) from fct_sales_order_line"
        )
        assert seen.fetchone() == (("P2", 200, 2, 2) if step == "swap" else ("P1", 200, 1, 1))

    done = room.publish("P3")

    assert done.loaded == 0, "the one changed table was complete when the publish died"
    assert room.ask("sam", COUNT) == [(200, 2)]
    assert room.tables() == 6
    assert room.schemas() == {"marts", "metrics", "tieout_access", "tieout_data", "public"}


def test_a_half_copied_table_is_not_taken_for_a_whole_one(empty_room, monkeypatch):
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(publishing, "_index", broken)
    with pytest.raises(KeyboardInterrupt):
        empty_room.publish("P1")
    monkeypatch.undo()

    assert empty_room.publish("P1").loaded == 6
    assert empty_room.tables() == 6


# -- refusals: nothing is published, and the message says why ------------------------------------------


def test_a_key_that_is_not_unique_stops_the_publish_and_names_the_row(room):
    with duckdb.connect(str(room.warehouse)) as con:
        con.execute("insert into marts.dim_customer values ('C1', 'twice', null, 'EAST')")

    with pytest.raises(
        PublishError, match=r"marts.dim_customer promises one row per customer_key.*\(C1\) is duplicated"
    ):
        room.publish("P2")

    assert room.ask("ana", "select publish_id, (select count(*) from dim_customer) from publish") == [
        ("P1", 10)
    ]


def test_columns_bi_tools_cannot_read_are_all_named_before_anything_is_done(room):
    with duckdb.connect(str(room.warehouse)) as con:
        con.execute("create table marts.fct_odd as select [1] as a_list, interval 1 day as a_span, 1 as fine")
        con.execute(f"create table metrics.{'x' * 70} as select 1 as a")

    with pytest.raises(UnpublishableError) as refused:
        room.publish()

    assert "marts.fct_odd.a_list: BI tools cannot read INTEGER[]" in str(refused.value)
    assert "marts.fct_odd.a_span" in str(refused.value)
    assert "has 70 bytes" in str(refused.value)


def test_a_sum_too_large_for_bigint_is_an_error_and_not_another_number(room):
    with duckdb.connect(str(room.warehouse)) as con:
        con.execute("create table metrics.huge as select 100000000000000000000::hugeint as a_sum")

    with pytest.raises(PublishError, match="out of range"):
        room.publish()


def test_a_second_publish_at_the_same_time_is_refused(room, monkeypatch):
    monkeypatch.setattr(publishing, "LOCK_SECONDS", 0.3)
    refused: list[str] = []

    def intrude(step: str) -> None:
        if step == "build":
            with pytest.raises(PublishError, match="another publish is running"):
                room.publish("P3")
            refused.append(step)

    room.publish("P2", on_step=intrude)

    assert refused == ["build"]
    assert current_publish(room.dsn) == "P2"


def test_no_error_tells_a_password(room):
    secret = "a-very-secret-word"
    with pytest.raises(PublishError) as refused:
        room.publish(dsn=psycopg.conninfo.make_conninfo(room.dsn, password=secret))

    assert secret not in str(refused.value)
    assert refused.value.__cause__ is None


def test_an_external_postgresql_needs_no_superuser(room, server):
    """What docs/decisions/0004-sql-door.md asks of a database administrator is enough, and is asked for."""
    other = PostgresServer(server.data.parent / "external")
    try:
        with other.running():
            with psycopg.connect(other.create_database("bi"), autocommit=True) as con:
                con.execute("create role publisher login createrole password 'pw'")
                con.execute("alter database bi owner to publisher")
            dsn = psycopg.conninfo.make_conninfo(other.superuser_dsn("bi"), user="publisher", password="pw")
            with pytest.raises(PublishError, match='grant pg_monitor, pg_signal_backend to "publisher"'):
                room.publish(dsn=dsn)
            with psycopg.connect(other.superuser_dsn("bi"), autocommit=True) as con:
                con.execute("grant pg_monitor, pg_signal_backend to publisher")
            assert room.publish("P1", dsn=dsn).loaded == 6
            assert room.publish("P2", dsn=dsn).loaded == 0
            with psycopg.connect(dsn, user="sam", password=PASSWORDS["sam"]) as con:
                assert con.execute(COUNT).fetchone() == (200, 1)
    finally:
        other.remove()
