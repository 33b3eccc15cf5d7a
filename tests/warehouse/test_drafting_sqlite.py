"""A SQLite file drafted, read back, landed and loaded: what the draft proposes holds for the rows there are."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sources.contract import ContractError, Source, read_source
from tests.conftest import SmallSource
from tieout.cli import app
from tieout.cli.errors import CommandError
from tieout.ingest.drafting import Wanted, draft
from tieout.ingest.errors import SourceError
from tieout.ingest.landing import Landing
from tieout.strict import from_yaml

TABLES = """
create table "销售-订单" ("订单号" text primary key not null, "客户名称" text, "金额" decimal(12, 2) not null, "下单日期" date,
    "修改时间" datetime, "手机" integer, is_open boolean, note text);
create table line (order_no text not null, seq integer not null, qty real, price numeric, memo, unique (order_no, seq));
create table rate (code text, day text, value real);
create table mixed (id integer primary key, number integer, day date, flag boolean, code text);
create table empty_one (id integer primary key, amount numeric, at datetime);
create table account (login text not null unique, pw text, partial text);
create unique index some_open on account (partial) where partial is not null;
create view open_order as select "订单号" as order_no, "金额" as amount from "销售-订单" where is_open;
insert into "销售-订单" values ('SO1', '武汉华信', 10.05, '2026-10-01', '2026-10-01 08:00:00', 13800000001, 1, 'a "b" #c'),
    ('SO2', '上海', 20.10, null, null, null, 0, '');
insert into line values ('SO1', 1, 0.5, 1.25, 'x'), ('SO1', 2, 3, 100.125, x'00ff');
insert into rate values ('USD', '2026-10-01', 7.1), ('EUR', '2026-10-01', 7.9);
insert into mixed values (1, 1, '2026-10-01', 1, '001'), (2, 'two', 'yesterday', 7, '002');
insert into account values ('zhang@example.com', '$2b$12$abcdefghijklmnopqrstuv', null);
"""


@pytest.fixture
def file(tmp_path) -> Path:
    made = tmp_path / "shop.db"
    with sqlite3.connect(made) as db:
        db.executescript(TABLES)
    return made


@pytest.fixture
def wanted(file, monkeypatch) -> Wanted:
    monkeypatch.setenv("SHOP_DB", str(file))
    return Wanted("shop", "sqlite", "env:SHOP_DB")


def read(text: str, tmp_path: Path) -> Source:
    path = tmp_path / "sources" / "shop" / "source.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return read_source(path)


def types(source: Source, stream: str) -> dict[str, str]:
    return {name: column.type for name, column in source.streams[stream].columns.items()}


def test_names_keys_types_and_controls_of_the_draft(wanted, tmp_path):
    source = read(draft(wanted).text, tmp_path)

    assert list(source.streams) == ["account", "empty_one", "line", "mixed", "rate", "xs_dd"]
    order = source.streams["xs_dd"]
    assert (order.origin, order.key, order.title.zh, order.load) == (
        "销售-订单",
        ("ddh",),
        "销售 订单",
        "full",
    )
    assert types(source, "xs_dd") == {
        "ddh": "text", "khmc": "text", "je": "decimal(12, 2)", "xdrq": "date", "xgsj": "timestamp", "sj": "bigint",
        "is_open": "boolean", "note": "text",
    }  # fmt: skip
    assert order.columns["khmc"].source_names == ("客户名称",) and order.columns["je"].required
    assert order.control and (order.control.kind, order.control.rows, order.control.sums) == (
        "query",
        True,
        ("je",),
    )
    assert source.streams["line"].key == ("order_no", "seq")
    assert types(source, "line") == {
        "order_no": "text", "seq": "bigint", "qty": "double", "price": "decimal(18, 8)", "memo": "text",
    }  # fmt: skip
    assert source.streams["empty_one"].allow_empty and not order.allow_empty
    assert types(source, "mixed") == {
        "id": "bigint", "number": "text", "day": "text", "flag": "bigint", "code": "text",
    }  # fmt: skip


def test_a_table_without_a_key_takes_what_is_never_null_and_says_so(wanted, tmp_path):
    made = draft(wanted)
    source = read(made.text, tmp_path)

    assert source.streams["rate"].key == ("code", "day", "value")
    assert any(note.startswith("rate: no primary key and no unique one") for note in made.notes)
    assert source.streams["account"].key == ("login",), "a partial unique index names no row"
    (line,) = [item for item in made.text.splitlines() if "key: [code, day, value]" in item]
    assert "# no primary key" in line


def test_persons_and_secrets_are_told_by_name_and_by_value(wanted, tmp_path):
    source = read(draft(wanted).text, tmp_path)

    assert source.class_of("xs_dd", "sj") == "L3", "a phone number kept as a number"
    assert source.class_of("account", "login") == "L3", "the values are mail addresses"
    assert source.class_of("account", "pw") == "L4", "the values are password hashes"
    assert source.class_of("xs_dd", "je") == "L2"


def test_what_was_drafted_lands_and_loads_as_it_is(wanted, file, tmp_path):
    source = read(draft(wanted).text, tmp_path)
    shop = SmallSource(source, file, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb")

    loaded = {outcome.stream: outcome for outcome in shop.pull()}

    assert {name: (o.rows_in, o.quarantined) for name, o in loaded.items()} == {
        "account": (1, 0), "line": (2, 0), "mixed": (2, 0), "empty_one": (0, 0), "rate": (2, 0), "xs_dd": (2, 0),
    }  # fmt: skip
    assert shop.rows("select ddh, je, is_open, note from raw_shop.xs_dd order by 1") == [
        ("SO1", Decimal("10.05"), True, 'a "b" #c'),
        ("SO2", Decimal("20.10"), False, ""),
    ]
    assert shop.rows("select number, day, flag, code from raw_shop.mixed order by id") == [
        ("1", "2026-10-01", 1, "001"),
        ("two", "yesterday", 7, "002"),
    ]
    assert shop.rows("select seq, qty, price from raw_shop.line order by seq") == [
        (1, 0.5, Decimal("1.25")),
        (2, 3.0, Decimal("100.125")),
    ]
    assert shop.rows("select count(*) from ops.control_total where not agrees") == [(0,)]


def test_the_text_is_the_same_every_time_and_reads_back_as_itself(wanted, tmp_path):
    made = draft(wanted)

    assert draft(wanted).text == made.text
    assert read(made.text, tmp_path) == Source.model_validate(from_yaml(made.text))


def test_tables_are_chosen_by_pattern_and_a_view_by_its_full_name(wanted, tmp_path):
    def streams(*tables: str) -> list[str]:
        return list(read(draft(replace(wanted, tables=tables)).text, tmp_path).streams)

    assert streams("l%", "mixed") == ["line", "mixed"]
    assert streams("%te", "l%e") == ["line", "rate"]
    assert streams("open_order") == ["open_order"]
    with pytest.raises(
        SourceError, match=r"has no table Line, open%z\. Nothing was drafted\. It has 7: account"
    ):
        streams("Line", "open%z", "rate")


def test_what_cannot_be_drafted_is_said_without_the_secret(wanted, monkeypatch):
    with pytest.raises(SourceError, match="does not exist"):
        draft(replace(wanted, place="/nowhere/x.db"))
    with pytest.raises(ContractError, match=r"Shop: source: .*not a lower-case ASCII identifier"):
        draft(replace(wanted, name="Shop"))
    with pytest.raises(ContractError, match="a password or token is written here") as refused:
        draft(replace(wanted, connector="postgres", place="postgresql://a:gehe1m@h/x"))
    assert "gehe1m" not in str(refused.value)
    monkeypatch.delenv("SHOP_DB")
    with pytest.raises(ContractError, match="SHOP_DB is not set"):
        draft(wanted)


def test_the_command_writes_once_and_never_over_what_people_wrote(wanted, tmp_path):
    target = tmp_path / "sources" / "shop" / "source.yaml"
    arguments = [
        "source",
        "draft",
        "shop",
        "--connector",
        "sqlite",
        "--path",
        "env:SHOP_DB",
        "--title",
        "商城/Shop",
    ]
    run = CliRunner().invoke

    done = run(app, [*arguments, "--out", str(target)])
    assert done.exit_code == 0, done.output
    assert f"{target}: 6 streams, 27 columns" in done.output and "note: rate: no primary key" in done.output
    assert (read_source(target).title.zh, read_source(target).title.en) == ("商城", "Shop")

    target.write_text("edited", encoding="utf-8")
    again = run(app, [*arguments, "--out", str(target)])
    assert isinstance(again.exception, CommandError) and "Nothing was drafted" in str(again.exception)
    assert target.read_text(encoding="utf-8") == "edited"
    shown = run(app, [*arguments, "--out", "-", "--tables", "line"])
    assert shown.exit_code == 0 and from_yaml(shown.stdout)["streams"].keys() == {"line"}


def test_a_folder_of_the_wrong_kind_is_refused(wanted):
    refused = CliRunner().invoke(app, ["source", "draft", "x", "--connector", "oracle", "--dsn", "env:X"])
    assert isinstance(refused.exception, CommandError) and "use one of postgres, mysql, sqlite" in str(
        refused.exception
    )


def test_names_that_yaml_would_take_for_yes_or_no_stay_names(tmp_path, monkeypatch):
    made = tmp_path / "odd.db"
    with sqlite3.connect(made) as db:
        db.executescript('create table "on" ("no" text primary key, "yes" real, "null" text)')
    monkeypatch.setenv("ODD_DB", str(made))

    source = read(draft(Wanted("shop", "sqlite", "env:ODD_DB")).text, tmp_path)

    assert list(source.streams) == ["on"]
    assert source.streams["on"].key == ("no",)
    assert list(source.streams["on"].columns) == ["no", "yes", "null"]
