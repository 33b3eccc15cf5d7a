"""Conformance, over a small table whose every fault was planted by hand and counted by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest
import yaml
from typer.testing import CliRunner

from sources.contract import Source
from tieout.cli import app
from tieout.cli.errors import CommandError
from tieout.engine import connect
from tieout.ingest.tables import ensure_raw_tables
from tieout.settings import Settings
from tieout.standards.conformance import Conformance, Lists, conformance, credit_code_sql
from tieout.standards.dictionary import read_dictionary
from tieout.strict import from_yaml

CONTRACT = """
source: tms
title: {zh: 运输, en: Transport}
module: logistics
owner: logistics
connector: sqlite
connection: {path: env:TMS_DB}
timezone: Asia/Shanghai
class: L2
schedule: {cron: "0 2 * * *"}
streams:
  waybill:
    title: {zh: 运单, en: Waybills}
    grain: one row per waybill
    owner: dispatch
    from: waybill
    key: [waybill_no]
    columns:
      waybill_no: {type: text, required: true}
      line_no: {type: text}
      ship_date: {type: timestamptz}
      weight: {type: "decimal(18, 6)", unit: uom}
      parcels: {type: integer}
      cube: {type: "decimal(18, 6)", unit: barrel}
      uom: {type: text}
      fee: {type: "decimal(18, 4)", currency: CNY}
      tax_rate: {type: double}
      phone: {type: text, class: L3}
      email: {type: text}
      remark: {type: text}
      licence: {type: text}
      status: {type: text}
"""


def element(kind: str, column: str, **rules: object) -> dict:
    said = {"title": {"zh": column, "en": column}, "meaning": {"zh": column, "en": column}}
    return {
        **said,
        "type": kind,
        "class": "L2",
        "owner": "data",
        "columns": [f"tms.waybill.{column}"],
        **rules,
    }


ELEMENTS = {
    "waybill_no": element("text", "waybill_no", length={"max": 6}, pattern="WB[0-9]+"),
    "line_no": element("integer", "line_no", min=1),
    "ship_date": element("date", "ship_date"),
    "weight": element("decimal", "weight", digits={"whole": 4, "places": 2}, unit="stated"),
    "parcels": element("integer", "parcels", unit="stated"),
    "cube": element("decimal", "cube", unit="stated"),
    "uom": element("text", "uom", codes={"seed": "units.uom_code", "spelled": "uoms.uom_text", "map": "uom"}),
    "fee": element("decimal", "fee", currency="stated"),
    "tax_rate": element("decimal", "tax_rate", codes={"values": [0, 0.06, 0.13]}),
    "phone": element("text", "phone", pattern="1[0-9]{10}"),
    "email": element("text", "email", pattern="[^@]+@[^@]+", **{"class": "L3"}),
    "remark": element("text", "remark", pattern="[a-z ]*"),
    "licence": element("text", "licence", length={"min": 18, "max": 18}, check_digit="credit_code"),
    "status": {
        **element("text", "status", codes={"statuses": ["open", "done"]}),
        "columns": [],
        "lists": {"tms.waybill.status": {"document": "waybill", "dated": "ship_date"}},
    },
}
# The first row is in order everywhere; the faults of the others stand beside them.
ROWS = """
('WB1', '1', timestamptz '2025-03-04 16:00:00+00', 10.25, 2, 1, 'kg', 5, 0.13, '13800000001', 'a@b.cn', 'fine', '91350100M000100Y43', '1', false),
('WB0000002', '1.5', timestamptz '2025-03-04 00:00:00+00', 10.255, 2, 1, '公斤', 5, 0.17, '138-0000', 'a.b.cn', 'ring 13800000001', '91350100M000100Y44', '1', false),
('XX3', 'two', timestamptz '2025-06-30 16:00:00+00', 12345, null, 1, '担', 5, 0.06, null, null, null, null, '1', false),
('WB4', '0', timestamptz '2025-06-29 16:00:00+00', 1, 2, 1, null, 5, 0, '13800000001', 'c@d.cn', null, '123', '9', false),
('ZZ5', 'x', timestamptz '2025-06-29 16:00:00+00', 99999, 2, 1, '担', 5, 9, 'x', 'x', 'X', 'X', 'X', true)
"""  # fmt: skip


@pytest.fixture
def place(tmp_path) -> Path:
    seeds, standards = tmp_path / "dbt_project/seeds/standards", tmp_path / "dbt_project/standards"
    contracts = tmp_path / "sources/tms"
    for folder in (seeds, standards, contracts):
        folder.mkdir(parents=True)
    (contracts / "source.yaml").write_text(CONTRACT, "utf-8")
    (standards / "tms.yaml").write_text(yaml.safe_dump({"elements": ELEMENTS}, allow_unicode=True), "utf-8")
    (seeds / "units.csv").write_text("uom_code\nkg\n", "utf-8")
    (seeds / "uoms.csv").write_text("uom_text,uom_code\nkg,kg\nKG,kg\n", "utf-8")
    (seeds / "currencies.csv").write_text("currency_code\nCNY\n", "utf-8")
    # 公斤 is understood until the end of 2025; status 1 until the end of June 2025
    (seeds / "code_map.csv").write_text(
        "source_system,code_list,source_code,standard_code,valid_from,valid_to,reason\ntms,uom,公斤,kg,,2025-12-31,\n",
        "utf-8",
    )
    (seeds / "source_statuses.csv").write_text(
        "source_system,document_type,source_status,status_code,valid_from,valid_to,meaning\n"
        "tms,waybill,1,open,,2025-06-30,\nwms,waybill,9,done,,,\n",
        "utf-8",
    )
    with (
        connect(tmp_path / "var" / "warehouse.duckdb") if (tmp_path / "var").mkdir() is None else None as con
    ):
        ensure_raw_tables(con, {"tms": source()})
        con.execute(
            "insert into raw_tms.waybill__history select * exclude (gone), 'b', now(), hash(col0), 'f', null, gone, true"
            f" from (values {ROWS}) as rows (col0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, gone)"
        )
    return tmp_path


def source() -> Source:
    return Source.model_validate(from_yaml(CONTRACT))


def measured(place: Path, on: date) -> dict[str, Conformance]:
    dictionary = read_dictionary(place / "dbt_project/standards")
    lists = Lists(place / "dbt_project/seeds/standards", on)
    with connect(place / "var" / "warehouse.duckdb", read_only=True) as con:
        return {line.element: line for line in conformance(con, {"tms": source()}, dictionary, lists)}


def test_every_planted_fault_is_counted_once_under_its_reason(place):
    found = measured(place, date(2025, 12, 31))

    assert {name: (line.rows, line.filled, dict(line.broken)) for name, line in found.items()} == {
        "waybill_no": (4, 4, {"length": 1, "pattern": 1}),  # WB0000002 is too long, XX3 is not WB…
        "line_no": (4, 4, {"type": 2, "range": 1}),  # 1.5 and two are no whole numbers, 0 is below 1
        "ship_date": (4, 4, {"type": 1}),  # 00:00 UTC is 08:00 in Shanghai; 16:00 UTC is midnight there
        "weight": (4, 4, {"length": 2, "unit": 1}),  # 10.255, 12345; the unit of WB4 is empty
        "parcels": (4, 3, {"unit": 3}),  # its contract says no unit
        "cube": (4, 4, {"unit": 4}),  # in barrels, which no list has
        "uom": (4, 3, {"code list": 1}),  # 担
        "fee": (4, 4, {}),
        "tax_rate": (4, 4, {"code list": 1}),  # 0.17
        "phone": (4, 3, {"pattern": 1}),
        "email": (4, 3, {"pattern": 1}),
        "remark": (4, 2, {"pattern": 1}),
        "licence": (4, 3, {"length": 1, "check digit": 1}),
        "status": (4, 4, {"code list": 2}),  # 1 on 1 July in Shanghai, 9 which is another system's
    }
    assert all(line.conforming + sum(line.broken.values()) == line.filled for line in found.values())
    assert {line.owner for line in found.values()} == {"dispatch"}
    assert [name for name, line in found.items() if line.conforms] == ["fee"]


def test_a_code_whose_time_is_over_no_longer_conforms(place):
    found = measured(place, date(2026, 1, 1))
    assert dict(found["uom"].broken) == {"code list": 2}
    assert set(found["uom"].examples) == {"公斤", "担"}
    assert dict(found["weight"].broken) == {
        "length": 2,
        "unit": 1,
    }  # one reason a value: 10.255 is too long first


def test_examples_are_shown_dotted_where_they_are_personal(place):
    found = measured(place, date(2025, 12, 31))
    assert set(found["waybill_no"].examples) == {"WB0000002", "XX3"}
    assert found["phone"].examples == ("•••",)  # the contract's class
    assert found["email"].examples == ("•••",)  # the element's class
    assert found["remark"].examples == ("ring •••",)  # a telephone number where none belongs
    assert found["email"].faults == ("class L2, the standard is L3",)
    assert found["parcels"].examples == ()  # there is no unit to show


@pytest.fixture
def command(place, monkeypatch):
    made = Settings(home=place / "var", project=place)
    monkeypatch.setattr("tieout.settings.settings", lambda: made)
    return lambda *words: CliRunner().invoke(app, ["standards", *words])


def test_the_command_names_column_reason_and_owner_and_says_so_by_its_exit_code(command):
    result = command("check")
    assert result.exit_code == 1
    assert "1 of 14 columns conform" in result.output
    assert "check digit 1" in result.output
    assert "13800000001" not in result.output
    assert "138-0000" not in result.output

    clean = command("check", "--element", "fee", "--all")
    assert clean.exit_code == 0, clean.output
    assert "tms.waybill.fee" in clean.output

    rows = command("check", "--csv", "--element", "licence").output.splitlines()
    assert rows[1] == "tms.waybill.licence,licence,dispatch,4,3,1,length,1,91350100M000100Y44 | 123,"


def test_what_is_not_there_is_said_with_what_is(command):
    for words, told in [
        (("check", "--source", "wms"), "no system 'wms'. There are tms."),
        (("show", "licences"), "Did you mean licence?"),
    ]:
        result = command(*words)
        assert isinstance(result.exception, CommandError)
        assert told in str(result.exception)


def test_one_element_is_shown_with_its_columns_and_what_systems_print(command):
    shown = command("show", "status").output
    assert "tms.waybill.status" in shown
    assert "2025-06-30" in shown
    assert " 9 " not in shown  # another system's
    assert "公斤" in command("show", "uom").output
    assert "14, in 14 columns" in command("list").output


# Codes that companies print on their own pages: nobody here computed them.
PUBLIC = (
    "91330100799655058B",
    "914403001922038216",
    "9144030071526726XG",
    "91110000802100433B",
    "91110000600037341L",
)


@pytest.mark.parametrize("code", PUBLIC)
def test_public_credit_codes_pass_and_any_single_wrong_character_is_found(code):
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    wrong = [
        code[:place] + alphabet[(alphabet.index(code[place]) + 1) % 31] + code[place + 1 :]
        for place in range(18)
    ]
    with duckdb.connect() as con:
        rows = con.execute(
            f"select {credit_code_sql('code')} from (select unnest(?) as code)", [[code, *wrong]]
        ).fetchall()
    assert [fine for (fine,) in rows] == [True, *[False] * 18]
