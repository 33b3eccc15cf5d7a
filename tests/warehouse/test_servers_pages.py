"""MariaDB in its own SQL: tables with wide decimals are read page by page of their primary key, and no row is lost."""

from __future__ import annotations

import random

import pytest

from sources.contract import Source
from tests.servers import maria_database
from tieout.ingest.intake import mysql
from tieout.ingest.intake.readers import open_reader

pytestmark = pytest.mark.slow

ROWS = 2_503
# Values that a key of each type may have, as SQL.
KEYS = {
    "bigint": lambda n: str(9007199254740900 + n),
    "decimal(20,2)": lambda n: f"{n}.05",
    "varchar(30) collate utf8mb4_general_ci": lambda n: f"'K{n % 7}''\\\\{n}\"汉'",
    "varchar(30) collate utf8mb4_bin": lambda n: f"'{'aAbB'[n % 4]}{n}'",
    "datetime(6)": lambda n: f"'2026-01-01 00:00:00.{n:06}'",
    "varbinary(8)": lambda n: f"x'{n:06x}00'",
}


@pytest.fixture
def source(request, monkeypatch):
    database = maria_database(request.config)
    monkeypatch.setenv("PAGES_DSN", database.dsn)
    monkeypatch.setattr(mysql, "PAGE_ROWS", 1_000)
    column = {"type": "text", "required": True}
    stream = {
        "title": {"zh": "a", "en": "a"},
        "grain": "a",
        "from": "t",
        "key": ["k"],
        "columns": {"k": column},
    }
    made = Source.model_validate(
        {
            "source": "pages",
            "title": {"zh": "a", "en": "a"},
            "module": "sales",
            "owner": "sales",
            "connector": "mysql",
            "connection": {"dsn": "env:PAGES_DSN"},
            "class": "L2",
            "schedule": {"cron": "0 2 * * *"},
            "streams": {"t": stream},
        }
    )
    return database, made


def numbers(source, tmp_path, monkeypatch, where=None) -> tuple[list[int], int]:
    """The column n of all rows read, sorted; and in how many pages they were read."""
    with open_reader(source) as reader:
        asked, native = [], mysql.MysqlReader._native_select
        monkeypatch.setattr(
            mysql.MysqlReader, "_native_select", lambda *said: asked.append(said[1]) or native(*said)
        )
        reader.copy("t", reader.columns("t"), where, tmp_path / "rows.parquet")
        found = reader.con.execute(
            f"select n, wide from read_parquet('{tmp_path}/rows.parquet') order by n"
        ).fetchall()
    assert all(wide == f"{n}.0001" for n, wide in found)
    assert not list(tmp_path.glob("*.part"))
    monkeypatch.setattr(mysql.MysqlReader, "_native_select", native)
    return [n for n, _ in found], sum("cast(`wide`" in sql for sql in asked)


@pytest.mark.parametrize("kind", KEYS)
def test_every_row_is_read_once_whatever_the_type_of_the_key(kind, source, tmp_path, monkeypatch):
    database, made = source
    order = list(range(ROWS))
    random.Random(3).shuffle(order)
    values = ", ".join(f"({n % 3}, {KEYS[kind](n)}, {n}, {n}.0001)" for n in order)
    database.run(
        f"create table t (part int, k {kind}, n int, wide decimal(30,4), primary key (part, k))",
        f"insert into t values {values}",
    )

    assert numbers(made, tmp_path, monkeypatch) == (list(range(ROWS)), 3)
    # Alternatives, as a cursor asks for them.
    wanted = [n for n in range(ROWS) if n >= 2000 or n < 10]
    assert numbers(made, tmp_path, monkeypatch, ['"n" >= 2000', "\"n\" < 10 and 'a\"b\\' <> ''''"]) == (
        wanted,
        1,
    )


def test_a_table_without_a_key_is_read_at_once(source, tmp_path, monkeypatch):
    database, made = source
    database.run(
        "create table t (k int, n int, wide decimal(30,4))",
        f"insert into t select seq, seq, seq + 0.0001 from seq_0_to_{ROWS - 1}",
    )

    assert numbers(made, tmp_path, monkeypatch) == (list(range(ROWS)), 1)
