"""Tables that change while they are read: in the end every one equals its source, and no pull ever saw half a document.

Writers insert, update (some rows several times in one transaction), delete and rename keys; transactions commit late
and out of order. What is held is compared, key by key and value by value, with what a client of the server prints.
"""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest

from sources.contract import Source
from tests.conftest import SmallSource
from tests.servers import MariaWriter, maria_database, postgres_database
from tieout.ingest.extract import extract_source
from tieout.ingest.intake.ask import Ask
from tieout.ingest.landing import Landing

pytestmark = pytest.mark.slow

PULLS = 5  # while the writers write

BIGINT = {"type": "bigint", "required": True}
MONEY = {"type": "decimal(18, 2)"}
MOMENT = {"type": "timestamptz"}
# A transaction commits up to 0.2 s late; a loaded machine may make that a minute.
LATE = "2m"
STREAMS = {
    "head": {"key": ["id"], "load": "full", "columns": {"id": BIGINT, "total": MONEY}},
    # No lateness at all: what was committed late is found by the key scan.
    "item": {
        "key": ["code"],
        "load": "incremental",
        "cursor": ["updated_at", "created_at"],
        "deletes": "keys",
        "lateness": "0s",
        "columns": {
            "code": {"type": "text", "required": True},
            "price": {"type": "decimal(22, 4)"},
            "updated_at": MOMENT,
            "created_at": MOMENT,
        },
    },
    "note": {
        "key": ["id"],
        "load": "incremental",
        "cursor": "updated_at",
        "lateness": LATE,
        "columns": {"id": BIGINT, "words": {"type": "text"}, "updated_at": MOMENT},
    },
    "log": {
        "key": ["id"],
        "load": "append",
        "cursor": "at",
        "lateness": LATE,
        "columns": {"id": BIGINT, "at": MOMENT, "words": {"type": "text"}},
    },
    # Last, so that much has changed since the heads were read.
    "line": {"key": ["id"], "load": "full", "columns": {"id": BIGINT, "head_id": BIGINT, "amount": MONEY}},
}
# A transaction's number is known while it runs, so rows of older ones may still come: only what lies below the oldest
# transaction that runs is settled. No lateness, no clock.
CHANGES = {
    "key": ["id"],
    "load": "changes",
    "cursor": "version",
    "ceiling": "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1",
    "deletes": "keys",
    "columns": {"id": BIGINT, "words": {"type": "text"}, "version": BIGINT},
}
TABLES = [
    "create table head (id bigint primary key, total decimal(18,2))",
    "create table line (id bigint primary key, head_id bigint, amount decimal(18,2))",
    "create table item (code varchar(40) primary key, price decimal(22,4), updated_at MOMENT null, created_at MOMENT null)",
    "create table note (id bigint primary key, words varchar(100), updated_at MOMENT null)",
    "create table log (id bigint primary key, at MOMENT null, words varchar(100))",
]
POSTGRES_ONLY = [
    "create table doc (id bigint primary key, words text, version bigint)",
    """create function stamp() returns trigger language plpgsql as
    $$ begin new.version := pg_current_xact_id()::text::bigint; return new; end $$""",
    "create trigger stamp before insert or update on doc for each row execute function stamp()",
]


class Business:
    """Invents transactions of one writer, whose keys nobody else touches."""

    def __init__(self, number: int, now: str, sleep: str, docs: bool) -> None:
        self.random = random.Random(number)
        self.now, self.sleep, self.docs = now, sleep, docs
        self.number, self.next = number, number * 1_000_000
        self.heads: dict[int, dict[int, Decimal]] = {}
        self.items: list[str] = []
        self.notes: list[int] = []
        self.papers: list[int] = []

    def transaction(self) -> list[str]:
        made = [sql for _ in range(self.random.randint(1, 4)) for sql in self._step()]
        return [*made, self.sleep] if self.random.random() < 0.3 else made

    def _id(self) -> int:
        self.next += 1
        return self.next

    def _money(self) -> Decimal:
        return Decimal(self.random.randint(-10_000, 100_000)) / 100

    def _step(self) -> list[str]:
        step = self.random.choice(
            [self._head, self._head, self._item, self._item, self._note, self._log, self._doc]
        )
        return step()

    def _head(self) -> list[str]:
        if len(self.heads) > 5 and self.random.random() < 0.6:
            head = self.random.choice(list(self.heads))
            lines = self.heads[head]
            if self.random.random() < 0.3:
                del self.heads[head]
                gone = ", ".join(map(str, lines))
                return [f"delete from line where id in ({gone})", f"delete from head where id = {head}"]
            line = self.random.choice(list(lines))
            lines[line] = self._money()
            return [
                f"update line set amount = {lines[line]} where id = {line}",
                f"update head set total = {sum(lines.values())} where id = {head}",
            ]
        head, lines = self._id(), {self._id(): self._money() for _ in range(self.random.randint(1, 4))}
        self.heads[head] = lines
        values = ", ".join(f"({line}, {head}, {amount})" for line, amount in lines.items())
        return [
            f"insert into head values ({head}, {sum(lines.values())})",
            f"insert into line values {values}",
        ]

    def _item(self) -> list[str]:
        luck = self.random.random()
        if len(self.items) < 6 or luck < 0.3:
            code = f"件'{self._id()}\"x"
            self.items.append(code)
            return [f"insert into item values ({_text(code)}, {self._money()}, null, {self.now})"]
        code = self.random.choice(self.items)
        if luck < 0.45:
            self.items.remove(code)
            return [f"delete from item where code = {_text(code)}"]
        if luck < 0.6:
            new = f"改{self._id()}"
            self.items[self.items.index(code)] = new
            return [f"update item set code = {_text(new)} where code = {_text(code)}"]
        change = f"update item set price = price + 0.0001, updated_at = {self.now} where code = {_text(code)}"
        return [change] * self.random.randint(1, 3)

    def _note(self) -> list[str]:
        if len(self.notes) > 5 and self.random.random() < 0.7:
            number = self.random.choice(self.notes)
            words = f"第 {self._id()} 次 ☺"
            return [f"update note set words = '{words}', updated_at = {self.now} where id = {number}"]
        self.notes.append(self._id())
        return [f"insert into note values ({self.notes[-1]}, '', {self.now})"]

    def _log(self) -> list[str]:
        return [f"insert into log values ({self._id()}, {self.now}, 'line')"]

    def _doc(self) -> list[str]:
        if not self.docs:
            return []
        luck = self.random.random()
        if len(self.papers) > 5 and luck < 0.6:
            return [f"update doc set words = 'v{self._id()}' where id = {self.random.choice(self.papers)}"]
        if len(self.papers) > 5 and luck < 0.7:
            return [f"delete from doc where id = {self.papers.pop()}"]
        self.papers.append(self._id())
        return [f"insert into doc values ({self.papers[-1]}, 'new')"]


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def contract(connector: str, streams: dict) -> Source:
    named = {
        name: {
            "title": {"zh": name, "en": name},
            "grain": "one row per key",
            "from": name,
            "allow_empty": True,
        }
        | stream
        for name, stream in streams.items()
    }
    return Source.model_validate(
        {
            "source": "live",
            "title": {"zh": "业务", "en": "Live"},
            "module": "sales",
            "owner": "sales",
            "connector": connector,
            "connection": {"dsn": "env:LIVE_DSN"},
            "class": "L2",
            "schedule": {"cron": "0 2 * * *"},
            "streams": named,
        }
    )


def pull(small: SmallSource) -> None:
    for outcome in extract_source(small.source, small.landing, Ask(datetime.now(UTC)), lambda _: None):
        assert outcome.error is None, str(outcome.error)
    small.load()


def write_and_pull(small: SmallSource, writers: list, between=lambda: None) -> int:
    """Pull while the writers write, and once more when they have ended; returns how many transactions they made."""
    enough, done, failures = threading.Event(), [0] * len(writers), []

    def work(place: int, business: Business, run) -> None:
        try:
            while not enough.is_set():
                run(business.transaction())
                done[place] += 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n, *writer)) for n, writer in enumerate(writers)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(PULLS):
            pull(small)
            documents_are_whole(small)
            between()
    finally:
        enough.set()
        for thread in threads:
            thread.join(30)
    assert not failures, failures
    pull(small)
    documents_are_whole(small)
    return sum(done)


def documents_are_whole(small: SmallSource) -> None:
    """Every line has its head, and every head is the sum of its lines: both came out of one snapshot."""
    broken = small.rows(
        """
        with head as (from raw_live.head where not _is_deleted),
        line as (
            select head_id, sum(amount) as amount from raw_live.line where not _is_deleted group by all
        )
        select * from head full join line on head.id = line.head_id
        where head.id is null or line.head_id is null or head.total <> line.amount
        """
    )
    assert broken == []


def held(small: SmallSource, stream: str) -> dict[str, tuple]:
    """What is held, as text, by key."""
    columns = ", ".join(f'cast("{name}" as text)' for name in small.source.streams[stream].columns)
    rows = small.rows(f"select {columns} from raw_live.{stream} where not _is_deleted")
    return by_key(small, stream, rows)


def by_key(small: SmallSource, stream: str, rows) -> dict[str, tuple]:
    promised = small.source.streams[stream]
    place = list(promised.columns).index(promised.key[0])
    kinds = [column.type for column in promised.columns.values()]
    found = {row[place]: tuple(map(canonical, row, kinds)) for row in rows}
    assert len(found) == len(rows)
    return found


def canonical(text: str | None, kind: str) -> object:
    """Two ways to print one instant are one value; everything else must be the same to the letter."""
    if text is None or kind != "timestamptz":
        return text
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@pytest.fixture
def small(tmp_path):
    return lambda source: SmallSource(
        source, tmp_path, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb"
    )


def test_postgres_that_changes_is_held_as_it_is(small, request, monkeypatch):
    database = postgres_database(request.config)
    database.run(*(sql.replace("MOMENT", "timestamptz") for sql in TABLES), *POSTGRES_ONLY)
    database.grant()
    monkeypatch.setenv("LIVE_DSN", database.dsn)
    shop = small(contract("postgres", STREAMS | {"doc": CHANGES}))
    cons = [psycopg.connect(database.admin) for _ in range(2)]

    def run(con):
        def act(statements):
            with con.transaction():
                for sql in statements:
                    con.execute(sql)

        return act

    businesses = [Business(n, "clock_timestamp()", "select pg_sleep(0.15)", True) for n in (1, 2)]
    try:
        made = write_and_pull(shop, [(b, run(con)) for b, con in zip(businesses, cons, strict=True)])
    finally:
        for con in cons:
            con.close()

    assert made > PULLS
    with psycopg.connect(database.admin) as con:
        con.execute("set timezone = 'UTC'")
        for stream, promised in shop.source.streams.items():
            columns = ", ".join(f"{name}::text" for name in promised.columns)
            there = by_key(shop, stream, con.execute(f"select {columns} from {stream}".encode()).fetchall())
            assert there
            assert held(shop, stream) == there, stream
    assert shop.rows("select stream, rule, reason from ops.quarantine") == []


def test_mariadb_that_changes_is_held_as_it_is(small, request, monkeypatch):
    database = maria_database(request.config)
    database.run(*(sql.replace("MOMENT", "timestamp(6)") for sql in TABLES))
    monkeypatch.setenv("LIVE_DSN", database.dsn)
    shop = small(contract("mysql", STREAMS))
    # As some servers are set up: then every statement would see another state.
    database.run("set global tx_isolation = 'READ-COMMITTED'")
    clients = [MariaWriter(database) for _ in range(2)]
    businesses = [Business(n, "now(6)", "select sleep(0.15)", False) for n in (1, 2)]
    writers = [
        (business, lambda statements, client=client: client.run("; ".join(["begin", *statements, "commit"])))
        for business, client in zip(businesses, clients, strict=True)
    ]
    try:
        made = write_and_pull(shop, writers)
    finally:
        database.run("set global tx_isolation = 'REPEATABLE-READ'")
        for client in clients:
            client.close()

    assert made > PULLS
    database.run("set global time_zone = '+00:00'")
    try:
        for stream, promised in shop.source.streams.items():
            rows = database.texts(stream, [f"cast({name} as char)" for name in promised.columns])
            there = by_key(shop, stream, rows)
            assert there
            assert held(shop, stream) == there, stream
    finally:
        database.run("set global time_zone = '+08:00'")
    assert shop.rows("select stream, rule, reason from ops.quarantine") == []


def test_a_version_that_was_given_but_not_committed_is_not_passed_over(small, request, monkeypatch):
    database = postgres_database(request.config)
    database.run(*POSTGRES_ONLY, "insert into doc values (1, 'first')")
    database.grant()
    monkeypatch.setenv("LIVE_DSN", database.dsn)
    shop = small(contract("postgres", {"doc": CHANGES | {"deletes": "none"}}))
    pull(shop)
    with psycopg.connect(database.admin) as slow:
        slow.execute("insert into doc values (2, 'slow')")  # gets its version now
        database.run("insert into doc values (3, 'quick')")
        pull(shop)
        assert shop.rows("select id from raw_live.doc order by 1") == [(1,)]
        slow.commit()
    pull(shop)

    assert shop.rows("select id, words from raw_live.doc order by 1") == [
        (1, "first"),
        (2, "slow"),
        (3, "quick"),
    ]
