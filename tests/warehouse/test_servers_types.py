"""Every type of PostgreSQL and MariaDB arrives exactly, or the row lies in quarantine; never another value, never null.

What must arrive is written down by hand in the tables below, one line a type.
"""

from __future__ import annotations

import pytest

from sources.contract import Source
from tests.conftest import SmallSource
from tests.servers import maria_database, postgres_database
from tieout.ingest.intake.readers import open_reader
from tieout.ingest.landing import Landing

pytestmark = pytest.mark.slow

SET_ASIDE = object()  # the value has no exact form in the promised type: its row must be in quarantine

# name: (declared type, promised type, [(SQL of the value, what must be held, as text)])
POSTGRES = {
    "numeric_unbounded": (
        "numeric",
        "decimal(38, 10)",
        [
            ("0.1", "0.1000000000"),
            ("12345678901234567890.0123456789", "12345678901234567890.0123456789"),
            ("-0.0000000001", "-0.0000000001"),
            ("'NaN'", SET_ASIDE),
            ("'Infinity'", SET_ASIDE),
            ("1e40", SET_ASIDE),
            ("0.12345678901", SET_ASIDE),
        ],
    ),
    "numeric_as_text": (
        "numeric",
        "text",
        [("1e40", "1" + "0" * 40), ("'NaN'", "NaN"), ("1.50", "1.50"), ("0.1", "0.1")],
    ),
    "numeric_18_2": (
        "numeric(18,2)",
        "decimal(18, 2)",
        [("9999999999999999.99", "9999999999999999.99"), ("-0.01", "-0.01"), ("'NaN'", SET_ASIDE)],
    ),
    "numeric_38_0": ("numeric(38,0)", "decimal(38, 0)", [("9" * 38, "9" * 38), ("-" + "9" * 38, "-" + "9" * 38)]),
    "numeric_negative_scale": ("numeric(5,-2)", "decimal(18, 0)", [("123456", "123500")]),
    "numeric_small_scale": ("numeric(3,5)", "decimal(18, 5)", [("0.00123", "0.00123")]),
    "bigint": (
        "bigint",
        "bigint",
        [("9007199254740993", "9007199254740993"), ("9223372036854775807", "9223372036854775807")],
    ),
    "integer_from_bigint": ("bigint", "integer", [("5", "5"), ("2147483648", SET_ASIDE)]),
    "double": (
        "double precision",
        "double",
        [("0.1", "0.1"), ("5e-324", "5e-324"), ("1.7976931348623157e308", "1.7976931348623157e+308")],
    ),
    "double_nan": ("double precision", "double", [("1", "1.0"), ("'NaN'", "nan"), ("'-Infinity'", "-inf")]),
    "real_as_text": ("real", "text", [("0.1", "0.1"), ("3.4e38", "3.4e+38")]),
    "timestamptz": (
        "timestamptz",
        "timestamptz",
        [
            ("'2026-03-29 03:00:00.000001+02'", "2026-03-29 01:00:00.000001+00"),
            ("'0001-01-01 00:00:00+00'", "0001-01-01 00:00:00+00"),
            ("'infinity'", "infinity"),
        ],
    ),
    "timestamp": ("timestamp", "timestamp", [("'2026-03-29 02:30:00.123456'", "2026-03-29 02:30:00.123456")]),
    "timestamp_bc": ("timestamp", "timestamp", [("'0044-03-15 12:00 BC'", "0044-03-15 (BC) 12:00:00"), ("'2026-01-01'", "2026-01-01 00:00:00")]),
    "timestamp_3": ("timestamp(3)", "timestamp", [("'2026-03-29 02:30:00.1239'", "2026-03-29 02:30:00.124")]),
    "date": (
        "date",
        "date",
        [("'2024-02-29'", "2024-02-29"), ("'infinity'", "infinity"), ("'5874897-12-31'", "5874897-12-31")],
    ),
    "time": ("time", "time", [("'23:59:59.999999'", "23:59:59.999999"), ("'00:00'", "00:00:00")]),
    "time_24": ("time", "text", [("'24:00:00'", "24:00:00"), ("'01:02:03'", "01:02:03")]),
    "timetz": ("timetz", "text", [("'12:00:00+08'", "12:00:00+08")]),
    "interval": ("interval", "text", [("'1 year 2 mons 3 days 04:05:06.7'", "1 year 2 mons 3 days 04:05:06.7")]),
    "bytea": ("bytea", "text", [(r"'\x00ff5c27'", "00ff5c27"), ("''", "")]),
    "array": ("integer[]", "text", [("'{1,2,NULL}'", "{1,2,NULL}"), ("'{{1},{2}}'", "{{1},{2}}")]),
    "text_array": ("text[]", "text", [("""'{"a,b","NULL",NULL,""}'""", '{"a,b","NULL",NULL,""}')]),
    "json": ("json", "text", [("'{\"b\":1, \"a\":0.10}'", '{"b":1, "a":0.10}')]),
    "jsonb": ("jsonb", "text", [("'{\"b\":1, \"a\":12345678901234567890.10}'", '{"a": 12345678901234567890.10, "b": 1}')]),
    "uuid": ("uuid", "text", [("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]),
    "enum": ("mood", "text", [("'sad'", "sad"), ("'快乐'", "快乐")]),
    "domain": ("positive", "bigint", [("3", "3")]),
    "domain_numeric": ("money_amount", "decimal(18, 2)", [("3.10", "3.10"), ("9999999999999999.99", "9999999999999999.99")]),
    "char": ("char(5)", "text", [("'ab'", "ab"), ("''", "")]),
    "varchar": ("varchar(9)", "text", [("''", ""), ("null", None), ("' x '", " x "), ("E'a\\nb\\t\\\\'", "a\nb\t\\")]),
    "text": ("text", "text", [("'😀 汉字 é'", "😀 汉字 é"), ("''", ""), ("null", None), ("'NULL'", "NULL")]),
    "boolean": ("boolean", "boolean", [("true", "true"), ("false", "false"), ("null", None)]),
    "money": ("money", "text", [("'12.34'", "$12.34")]),
    "inet": ("inet", "text", [("'10.0.0.1/8'", "10.0.0.1/8")]),
    "bit": ("bit varying(9)", "text", [("B'00101'", "00101")]),
    "range": ("int4range", "text", [("'[1,5)'", "[1,5)")]),
    "composite": ("pair", "text", [("row(1, 'x,y')", '(1,"x,y")')]),
    "oid": ("oid", "bigint", [("4294967295", "4294967295")]),
    "smallint": ("smallint", "integer", [("-32768", "-32768")]),
}  # fmt: skip

MARIADB = {
    "tinyint1": ("tinyint(1)", "integer", [("0", "0"), ("1", "1"), ("2", "2"), ("-128", "-128")]),
    "tinyint_unsigned": ("tinyint unsigned", "integer", [("255", "255")]),
    "bigint_unsigned": (
        "bigint unsigned",
        "decimal(20, 0)",
        [("18446744073709551615", "18446744073709551615"), ("9007199254740993", "9007199254740993")],
    ),
    "bigint_unsigned_too_large": ("bigint unsigned", "bigint", [("5", "5"), ("18446744073709551615", SET_ASIDE)]),
    "bigint": ("bigint", "bigint", [("-9223372036854775808", "-9223372036854775808")]),
    "decimal_18_2": ("decimal(18,2)", "decimal(18, 2)", [("9999999999999999.99", "9999999999999999.99"), ("-0.01", "-0.01")]),
    "decimal_22_4": ("decimal(22,4)", "decimal(22, 4)", [("123456789012345678.1234", "123456789012345678.1234"), ("0.1", "0.1000")]),
    "decimal_38_10": ("decimal(38,10)", "decimal(38, 10)", [("1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789")]),
    "decimal_65_30": (
        "decimal(65,30)",
        "decimal(38, 10)",
        [("12.5", "12.5000000000"), ("0.00000000001", SET_ASIDE), ("99999999999999999999999999999999999", SET_ASIDE)],
    ),
    "decimal_65_as_text": ("decimal(65,30)", "text", [("0.000000000000000000000000000001", "0.000000000000000000000000000001")]),
    "date": ("date", "date", [("'2024-02-29'", "2024-02-29"), ("'0000-00-00'", SET_ASIDE), ("null", None), ("'9999-12-31'", "9999-12-31")]),
    "date_incomplete": ("date", "date", [("'2024-02-29'", "2024-02-29"), ("'2024-00-00'", SET_ASIDE), ("'2024-05-00'", SET_ASIDE)]),
    "date_impossible": ("date", "date", [("'2024-02-29'", "2024-02-29"), ("'2024-02-31'", SET_ASIDE)]),
    "datetime": ("datetime(6)", "timestamp", [("'2026-03-29 02:30:00.123456'", "2026-03-29 02:30:00.123456"), ("'0000-00-00 00:00:00'", SET_ASIDE)]),
    "datetime_0": ("datetime", "timestamp", [("'2026-03-29 02:30:00'", "2026-03-29 02:30:00")]),
    "timestamp": ("timestamp(6) null", "timestamptz", [("'2026-03-29 08:00:00.5'", "2026-03-29 00:00:00.5+00"), ("'0000-00-00 00:00:00'", SET_ASIDE), ("null", None)]),
    "time": ("time(6)", "text", [("'-838:59:59'", "-838:59:59"), ("'12:34:56.789'", "12:34:56.789")]),
    "time_as_time": ("time", "time", [("'23:59:59'", "23:59:59"), ("'100:00:00'", SET_ASIDE), ("'-01:00:00'", SET_ASIDE)]),
    "year": ("year", "integer", [("2026", "2026"), ("0", "0")]),
    "utf8mb4": ("varchar(20)", "text", [("'😀 汉字 é'", "😀 汉字 é"), ("''", ""), ("null", None), (r"'a\nb\t\\'", "a\nb\t\\")]),
    "latin1": ("varchar(20) character set latin1", "text", [("'é€'", "é€")]),
    "gbk": ("varchar(20) character set gbk", "text", [("'汉字'", "汉字")]),
    "char": ("char(5)", "text", [("'ab '", "ab")]),
    "text": ("longtext", "text", [("repeat('汉', 70000)", "汉" * 70000)]),
    "json": ("json", "text", [("'{\"b\":1, \"a\":0.10}'", '{"b":1, "a":0.10}')]),
    "bit1": ("bit(1)", "boolean", [("b'1'", "true"), ("b'0'", "false")]),
    "bit": ("bit(16)", "bigint", [("b'10000'", "16"), ("65535", "65535"), ("0", "0")]),
    "bit64": ("bit(64)", "decimal(20, 0)", [("18446744073709551615", "18446744073709551615")]),
    "blob": ("blob", "text", [("x'00ff5c27'", "00ff5c27"), ("''", ""), ("null", None)]),
    "binary": ("binary(4)", "text", [("x'01'", "01000000")]),
    "varbinary": ("varbinary(4)", "text", [("'abc'", "616263")]),
    "enum": ("enum('sad','快乐')", "text", [("'快乐'", "快乐")]),
    "set": ("set('a','b','c')", "text", [("'a,c'", "a,c"), ("''", "")]),
    "float": ("float", "text", [("0.1", "0.1")]),
    "double": ("double", "double", [("0.1", "0.1"), ("5e-324", "5e-324")]),
    "uuid": ("uuid", "text", [("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]),
    "inet6": ("inet6", "text", [("'::1'", "::1")]),
    "generated": ("decimal(10,2) as (id * 1.5) stored", "decimal(18, 2)", [("default", "1.50"), ("default", "3.00")]),
}  # fmt: skip


def contract(name, connector, dsn, cases, tables):
    streams = {
        case: {
            "title": {"zh": case, "en": case},
            "grain": "one row per id",
            "from": tables[case],
            "key": ["id"],
            "columns": {"id": {"type": "bigint", "required": True}, "v": {"type": promised}},
        }
        for case, (_, promised, _) in cases.items()
    }
    return {
        "source": name,
        "title": {"zh": name, "en": name},
        "module": "sales",
        "owner": "sales",
        "connector": connector,
        "connection": {"dsn": "env:TYPES_DSN"},
        "class": "L2",
        "schedule": {"cron": "0 2 * * *"},
        "streams": streams,
    }


def pulled(tmp_path_factory, name, connector, dsn, cases):
    """Pull every table once; returns what is held and what was set aside, by table and id, and the errors."""
    folder = tmp_path_factory.mktemp(name)
    source = Source.model_validate(
        contract(name, connector, dsn, cases, {case: f"t_{case}" for case in cases})
    )
    small = SmallSource(source, folder, Landing(folder / "landing"), folder / "warehouse.duckdb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TYPES_DSN", dsn)
        errors = {outcome.stream: outcome.error for outcome in small.extract() if outcome.error}
        small.load()
        with open_reader(source) as reader:
            otherwise = {
                case: read_twice(reader, f"t_{case}", folder) for case in cases if case not in errors
            }
    held = {
        case: dict(small.rows(f"select id, cast(v as text) from raw_{name}.{case}"))
        for case in cases
        if case not in errors
    }
    aside = set(small.rows("select stream, record_key from ops.quarantine"))
    return held, aside, errors, otherwise


def read_twice(reader, table, folder):
    """Rows that are not the same when the table is read whole and when it is read by a condition."""
    whole, part = folder / "whole.parquet", folder / "part.parquet"
    for file, where in ((whole, None), (part, ['"id" < 2', '"id" >= 2'])):
        file.unlink(missing_ok=True)
        reader.copy(table, reader.columns(table), where, file)
    text = [f"select id, cast(v as text) from read_parquet('{file}')" for file in (whole, part)]
    return reader.con.execute(
        f"({text[0]} except {text[1]}) union all ({text[1]} except {text[0]})"
    ).fetchall()


def expect(case, cases, result):
    held, aside, errors, otherwise = result
    assert case not in errors, str(errors.get(case))
    assert otherwise[case] == []
    for place, (said, wanted) in enumerate(cases[case][2], start=1):
        if wanted is SET_ASIDE:
            assert (case, str(place)) in aside, f"{said} is held as {held[case].get(place)!r}"
            assert place not in held[case]
        else:
            assert (case, str(place)) not in aside, f"{said} was set aside"
            assert held[case][place] == wanted


@pytest.fixture(scope="module")
def postgres(tmp_path_factory, request):
    database = postgres_database(request.config)
    script = [
        "set synchronous_commit = off",
        "create type mood as enum ('sad', '快乐')",
        "create domain positive as bigint check (value > 0)",
        "create domain money_amount as numeric(18,2)",
        "create type pair as (a int, b text)",
    ]
    for case, (declared, _, values) in POSTGRES.items():
        rows = ", ".join(f"({place}, {said})" for place, (said, _) in enumerate(values, start=1))
        script += [
            f"create table t_{case} (id int primary key, v {declared})",
            f"insert into t_{case} values {rows}",
        ]
    database.run(*script)
    database.grant()
    return pulled(tmp_path_factory, "pgtypes", "postgres", database.dsn, POSTGRES)


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory, request):
    database = maria_database(request.config)
    script = ["set sql_mode = 'ALLOW_INVALID_DATES'"]
    for case, (declared, _, values) in MARIADB.items():
        rows = ", ".join(f"({place}, {said})" for place, (said, _) in enumerate(values, start=1))
        script += [
            f"create table t_{case} (id int primary key, v {declared})",
            f"insert into t_{case} values {rows}",
        ]
    database.run(*script)
    return pulled(tmp_path_factory, "mytypes", "mysql", database.dsn, MARIADB)


@pytest.mark.parametrize("case", POSTGRES)
def test_postgres_type(case, postgres):
    expect(case, POSTGRES, postgres)


@pytest.mark.parametrize("case", MARIADB)
def test_mariadb_type(case, mariadb):
    expect(case, MARIADB, mariadb)
