"""PostgreSQL and MariaDB drafted by a login that may only read: every odd type lands, and equals the source."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from sources.contract import Source, read_source
from tests.conftest import SmallSource
from tests.servers import PASSWORD, maria_database, postgres_database
from tests.source_text import differences, raw_rows, source_rows
from tieout.engine import connect
from tieout.ingest.drafting import Draft, Wanted, draft
from tieout.ingest.landing import Landing

pytestmark = pytest.mark.slow

POSTGRES = (
    "create type mood as enum ('good', 'bad')",
    "create domain plate as varchar(10) not null",
    'create table "订单" ("订单号" text primary key, "客户名称" varchar(40), "状态" mood, plate plate, tags text[],'
    " amounts numeric(5,2)[], payload jsonb, photo bytea, ip inet, uid uuid, moment timestamptz, wall timestamp(0),"
    " days date, clock time, span interval, search tsvector, bits bit(3), period daterange, cash money, small smallint,"
    ' big bigint, half real, whole double precision, exact numeric(20,6), huge numeric(60,20), ok boolean, letter "char")',
    "comment on table \"订单\" is '销售订单：\n每张一行 # 重要'",
    'comment on column "订单"."客户名称" is \'客户"全称": 含税号\'',
    'insert into "订单" values'
    " ('A1', '武汉华信', 'good', '鄂A12345', '{a,\"b,c\"}', '{1.10,2.20}', '{\"b\": 1, \"a\": [1, null]}', '\\x00ff',"
    " '10.0.0.1/8', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2026-10-01 08:00:00.123456+08', '2026-10-01 08:00:00',"
    " '2026-10-01', '23:59:59.5', '1 year 2 mons 3 days 04:05:06.7', 'fat cat', B'101', '[2026-01-01,2026-02-01)', 12.34,"
    " 1, 9007199254740993, 0.1, 0.1, 12345678901234.123456, 1234567890123456789012345678.12345678, true, 'x'),"
    " ('A2', null, null, 'x', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,"
    " null, null, null, null, null, null, null, null)",
    "create table rate (code text not null, day date not null, value numeric, tiny numeric, odd numeric,"
    " primary key (code, day))",
    "insert into rate values ('USD', '2026-10-01', 7.1234567, 0.000000000000001, 'NaN'), ('EUR', '2026-10-01', 7.9, 2, 1)",
    "create table pair (b text not null, a text not null, c text, unique (c), unique (b, a))",
    "insert into pair values ('x', 'y', null), ('x', 'z', 'q')",
    "create unique index only_some on pair (c) where c is not null",
    "create unique index by_sum on pair ((b || a))",
    "create table loose (a text, b integer not null)",
    "create table parted (id bigint not null, at timestamptz not null, primary key (id)) partition by hash (id)",
    "create table parted_0 partition of parted for values with (modulus 1, remainder 0)",
    "insert into parted values (1, now()), (2, now())",
    'create table "a.b" (id integer primary key)',
    "create table hidden (id integer primary key)",
    "create view shown as select code, value from rate",
    "create schema other",
    "create table other.thing (id integer primary key, updated_at timestamp, created_at timestamp not null)",
    "insert into other.thing values (1, null, now()), (2, now(), now())",
)

MARIA = (
    "create table `订单` (`订单号` varchar(20) primary key comment '单号', flag tinyint(1), level tinyint(1), none_yet tinyint(1),"
    " total decimal(12,2) not null, huge decimal(60,20), big bigint unsigned, small int unsigned, yr year, bits bit(1), mood"
    " enum('good','bad'), at datetime(6), stamp timestamp(3) null, day date, clock time, long_clock time, doc json, raw blob,"
    " half float, full_ double, body longtext) comment '销售订单'",
    "insert into `订单` values ('A1', 1, 2, null, 10.05, 1234567890123456789012345678.12345678, 18446744073709551615, 4294967295,"
    " 2026, b'1', 'good', '2026-10-01 08:00:00.123456', '2026-10-01 08:00:00.5', '2026-10-01', '23:59:59', '120:00:00',"
    " '{\"a\": \"文\"}', x'00ff', 0.5, 0.1, '文'), ('A2', 0, 1, null, 0, null, null, null, null, b'0', null, null, null, null, null,"
    " null, null, null, null, null, null)",
    "create table pair (a int not null, b varchar(9) not null, c int, unique k2 (a, b), unique k3 (c))",
    "insert into pair values (1, 'x', null), (1, 'y', 2)",
    "create table loose (a int, b varchar(9))",
    "create view shown as select a from pair",
)


def written(made: Draft, tmp_path: Path, name: str) -> Source:
    path = tmp_path / name / "source.yaml"
    path.parent.mkdir()
    path.write_text(made.text, encoding="utf-8")
    return read_source(path)


def types(source: Source, stream: str) -> dict[str, str]:
    return {name: column.type for name, column in source.streams[stream].columns.items()}


def pulled(source: Source, tmp_path: Path) -> SmallSource:
    small = SmallSource(source, tmp_path, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb")
    small.pull()
    return small


@pytest.fixture(scope="module")
def postgres(request):
    made = postgres_database(request.config)
    made.run(*POSTGRES)
    made.grant()
    made.run(
        f"revoke all on hidden from {made.reader}",
        f"grant usage on schema other to {made.reader}",
        f"grant select on all tables in schema other to {made.reader}",
    )
    return made


@pytest.fixture
def erp(postgres, monkeypatch) -> Wanted:
    monkeypatch.setenv("ERP_DSN", postgres.dsn)
    return Wanted("erp", "postgres", "env:ERP_DSN")


def test_postgres_types_keys_titles_and_what_is_left_out(erp, tmp_path):
    made = draft(erp)
    source = written(made, tmp_path, "erp")

    assert list(source.streams) == ["loose", "pair", "parted", "rate", "dd"]
    order = source.streams["dd"]
    assert (order.origin, order.key, order.title.zh) == ("订单", ("ddh",), "销售订单： 每张一行 # 重要")
    assert order.columns["khmc"].title and order.columns["khmc"].title.zh == '客户"全称": 含税号'
    assert types(source, "dd") == {
        "ddh": "text", "khmc": "text", "zt": "text", "plate": "text", "tags": "text", "amounts": "text",
        "payload": "text", "photo": "text", "ip": "text", "uid": "text", "moment": "timestamptz", "wall": "timestamp",
        "days": "date", "clock": "time", "span": "interval", "search": "text", "bits": "text", "period": "text",
        "cash": "text", "small": "bigint", "big": "bigint", "half": "double", "whole": "double",
        "exact": "decimal(20, 6)", "huge": "decimal(38, 10)", "ok": "boolean", "letter": "text",
    }  # fmt: skip
    assert order.columns["plate"].required and not order.columns["khmc"].required
    assert types(source, "rate") == {
        "code": "text", "day": "date", "value": "decimal(18, 12)", "tiny": "decimal(38, 18)", "odd": "decimal(18, 4)",
    }  # fmt: skip
    assert "1 values are NaN or infinite and go to quarantine" in made.text
    assert source.streams["rate"].key == ("code", "day")
    assert source.streams["pair"].key == ("b", "a"), "not c, which may be null"
    assert source.streams["loose"].allow_empty and source.streams["loose"].key == ("a", "b")
    assert [note for note in made.notes if note.startswith("left out")] == [
        "left out: a.b: a dot in its name",
        "left out: hidden: this login may not read it",
    ]
    assert PASSWORD not in made.text + str(made.notes)


def test_postgres_rows_arrive_as_they_are(erp, postgres, tmp_path):
    source = written(draft(erp), tmp_path, "erp")
    small = pulled(source, tmp_path)

    with psycopg.connect(postgres.dsn) as there, connect(small.warehouse, read_only=True) as here:
        for name in ("dd", "pair", "parted"):
            said, held = source_rows(there, source, name), raw_rows(here, source, name)
            assert differences(said, held) == [] and len(said) == 2
    # A number that is none is set aside with its reason, never a null.
    assert small.rows("select code, odd from raw_erp.rate") == [("EUR", Decimal(1))]
    assert small.rows("select record_key, rule from ops.quarantine") == [("USD|2026-10-01", "type")]
    assert small.rows("select huge from raw_erp.dd where ddh = 'A1'") == [
        (Decimal("1234567890123456789012345678.12345678"),)
    ]


def test_a_schema_and_a_view_by_name_and_a_cursor_as_a_remark(erp, tmp_path):
    from dataclasses import replace

    made = draft(replace(erp, schema="other"))
    source = written(made, tmp_path, "erp")
    assert [stream.origin for stream in source.streams.values()] == ["other.thing"]
    assert "cursor [updated_at, created_at] (updated_at null in 1 of 2 rows), deletes: keys" in made.text
    assert [
        o.loaded for o in SmallSource(source, tmp_path, Landing(tmp_path / "l"), tmp_path / "w.duckdb").pull()
    ] == [2]

    view = draft(replace(erp, tables=("shown",)))
    assert "a view has no key" in view.notes[0]


def test_the_draft_is_the_same_every_time(erp, postgres):
    first = draft(erp).text
    postgres.run("vacuum full", "analyze")
    assert draft(erp).text == first


@pytest.fixture(scope="module")
def maria(request):
    made = maria_database(request.config)
    made.run(*MARIA)
    return made


def test_maria_types_keys_and_rows(maria, tmp_path, monkeypatch):
    monkeypatch.setenv("WMS_DSN", maria.dsn)
    wanted = Wanted("wms", "mysql", "env:WMS_DSN")
    made = draft(wanted)
    source = written(made, tmp_path, "wms")

    assert list(source.streams) == ["loose", "pair", "dd"]
    order = source.streams["dd"]
    assert (order.title.zh, order.key, order.columns["ddh"].title and order.columns["ddh"].title.zh) == (
        "销售订单",
        ("ddh",),
        "单号",
    )
    assert types(source, "dd") == {
        "ddh": "text", "flag": "boolean", "level": "bigint", "none_yet": "bigint", "total": "decimal(12, 2)",
        "huge": "decimal(38, 10)", "big": "decimal(20, 0)", "small": "bigint", "yr": "bigint", "bits": "boolean",
        "mood": "text", "at": "timestamp", "stamp": "timestamptz", "day": "date", "clock": "time", "long_clock": "text",
        "doc": "text", "raw": "text", "half": "double", "full": "double", "body": "text",
    }  # fmt: skip
    assert source.streams["pair"].key == ("a", "b")
    assert source.streams["dd"].control and source.streams["dd"].control.sums == ("total",)
    assert draft(wanted).text == made.text and PASSWORD not in made.text

    small = pulled(source, tmp_path)
    assert small.rows("select count(*) from ops.quarantine") == [(0,)]
    expressions = ["`订单号`", "flag", "level", "total", "cast(huge as char)", "cast(big as char)", "small", "yr", "mood",
        "cast(at as char)", "cast(day as char)", "cast(clock as char)", "cast(long_clock as char)", "body"]  # fmt: skip
    there = sorted(maria.texts("订单", [f"cast({item} as char)" for item in expressions]))
    here = small.rows(
        "select ddh, flag::bigint::text, level::text, total::text, huge::text, big::text, small::text, yr::text, mood,"
        ' "at"::text, day::text, clock::text, long_clock, body from raw_wms.dd order by 1'
    )
    assert [[plain(value) for value in row] for row in here] == [
        [plain(value) for value in row] for row in there
    ]
    assert small.rows(
        "select stamp::text, bits, half, \"full\", json(doc) from raw_wms.dd where ddh = 'A1'"
    ) == [
        (
            "2026-10-01 00:00:00.5+00",
            True,
            0.5,
            0.1,
            json.dumps({"a": "文"}, separators=(",", ":"), ensure_ascii=False),
        )
    ]


def plain(text: str | None) -> object:
    """A number without the zeros at its end, anything else as it is."""
    try:
        return Decimal(str(text)).normalize()
    except ArithmeticError:
        return text
