"""SAP ECC tables by the template in docs: `00000000` for no date, leading zeros, amounts of JPY, LOEKZ, reversals.

The fixture holds the tables as SAP writes them, in CHAR, and the views the template asks for. What is expected of a row
is worked out by hand below, or by Python from the fixture's own texts.
"""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.store import Field, Kind, Store, Table, write_store
from sources.contract import Source
from tests.conftest import SmallSource
from tests.vendor_rows import differences, held_rows, store_rows
from tieout.engine import connect
from tieout.ingest.intake.drivers import DriverReader
from tieout.ingest.landing import Landing
from tieout.settings import settings
from tieout.strict import from_yaml

TEMPLATE = settings().project / "docs" / "templates" / "sap_ecc.yaml"
NO_DAY = "00000000"
JANUARY, MARCH = "20260105", "20260302"
BOLT, NUT = "000000000000012345", "000000000000000777"
D = Decimal
# View → its table, and what it adds: each added column with the CHAR(8) field it is read from.
VIEWS: dict[str, tuple[str, dict[str, str]]] = {
    **{
        f"TIEOUT_{name}": (name, {"CHANGED_ON": "AEDAT", "CREATED_ON": "ERDAT"})
        for name in ("VBAK", "VBAP", "LIKP", "LIPS", "VBRK")
    },
    "TIEOUT_VBRP": ("VBRP", {"CREATED_ON": "ERDAT"}),
    "TIEOUT_EKBE": ("EKBE", {"ENTERED_ON": "CPUDT"}),
    "TIEOUT_BKPF": ("BKPF", {"CHANGED_ON": "AEDAT", "ENTERED_ON": "CPUDT"}),
    "TIEOUT_ACDOCA": ("ACDOCA", {"ENTERED_ON": "TIMESTAMP"}),
}


def table(name: str, keys: int, fields: str, *rows: tuple) -> Table:
    """A table whose first fields are its key; `n:` is a decimal and `i:` a whole number."""
    kinds: dict[str, Kind] = {"n": "decimal", "i": "integer", "": "text"}
    made = tuple(
        Field(word.rpartition(":")[2], kinds[word.rpartition(":")[0]], word) for word in fields.split()
    )
    return Table(name, name, tuple(item.name for item in made[:keys]), made, rows)


def sap_tables() -> list[Table]:
    return [
        table("TCURX", 1, "CURRKEY i:CURRDEC", ("JPY", 0), ("KWD", 3)),
        table(
            "VBAK", 2, "MANDT VBELN AUART VKORG KUNNR WAERK n:NETWR VDATU ERDAT AEDAT",
            ("800", "0000000101", "TA", "1310", "0000100001", "CNY", "1000.00", "20260120", JANUARY, NO_DAY),
            ("800", "0000000102", "TA", "1310", "0000100001", "JPY", "12345.67", NO_DAY, JANUARY, MARCH),
            ("810", "0000000101", "TA", "1310", "0000100001", "CNY", "9.00", NO_DAY, JANUARY, NO_DAY),
        ),
        table(
            "VBAP", 3, "MANDT VBELN POSNR MATNR n:KWMENG VRKME WAERK n:NETWR WERKS ABGRU ERDAT AEDAT",
            ("800", "0000000101", "000010", BOLT, "10.000", "ST", "CNY", "600.00", "1310", " ", JANUARY, NO_DAY),
            ("800", "0000000101", "000020", NUT, "0.500", "KG", "CNY", "400.00", "1310", "Z1", JANUARY, MARCH),
            ("800", "0000000102", "000010", BOLT, "3.000", "ST", "JPY", "12345.67", "1310", "", JANUARY, NO_DAY),
            ("810", "0000000101", "000010", "A-1", "1.000", "ST", "CNY", "9.00", "1310", "", MARCH, NO_DAY),
        ),
        table(
            "LIKP", 2, "MANDT VBELN LFART KUNNR WADAT_IST ERDAT AEDAT",
            ("800", "0080000001", "LF", "0000100001", "20260110", JANUARY, "20260110"),
            ("800", "0080000002", "LF", "0000100001", NO_DAY, JANUARY, NO_DAY),
        ),
        table(
            "LIPS", 3, "MANDT VBELN POSNR MATNR WERKS LGORT n:LFIMG VRKME VGBEL VGPOS ERDAT AEDAT",
            ("800", "0080000001", "000010", BOLT, "1310", "0001", "4.000", "ST", "0000000101", "000010", JANUARY, NO_DAY),
        ),
        table(
            "VBRK", 2, "MANDT VBELN FKART FKDAT BUKRS KUNRG WAERK n:NETWR n:MWSBK FKSTO SFAKN ERDAT AEDAT",
            ("800", "0090000001", "F2", "20260112", "1310", "0000100001", "CNY", "240.00", "31.20", "X", " ", JANUARY, MARCH),
            ("800", "0090000002", "S1", MARCH, "1310", "0000100001", "CNY", "240.00", "31.20", " ", "0090000001", MARCH, NO_DAY),
        ),
        table(
            "VBRP", 3, "MANDT VBELN POSNR MATNR n:FKIMG VRKME n:NETWR AUBEL AUPOS ERDAT",
            ("800", "0090000001", "000010", BOLT, "4.000", "ST", "240.00", "0000000101", "000010", JANUARY),
        ),
        table(
            "EKKO", 2, "MANDT EBELN BSART BUKRS EKORG LIFNR BEDAT WAERS LOEKZ AEDAT",
            ("800", "4500000001", "NB", "1310", "1310", "0000200001", JANUARY, "CNY", " ", JANUARY),
            ("800", "4500000002", "NB", "1310", "1310", "0000200001", JANUARY, "JPY", "L", JANUARY),
        ),
        table(
            "EKPO", 3,
            "MANDT EBELN EBELP MATNR WERKS n:MENGE MEINS n:NETPR i:PEINH n:NETWR ELIKZ EREKZ RETPO LOEKZ AEDAT",
            ("800", "4500000001", "00010", BOLT, "1310", "500.000", "ST", "12.50", 100, "62.50", " ", " ", " ", " ", JANUARY),
            ("800", "4500000001", "00020", NUT, "1310", "1.000", "KG", "8.00", 1, "8.00", " ", " ", " ", "L", MARCH),
            ("800", "4500000001", "00030", NUT, "1310", "2.000", "KG", "8.00", 1, "16.00", "X", "X", " ", "S", MARCH),
        ),
        table(
            "EKBE", 8,
            "MANDT EBELN EBELP ZEKKN VGABE GJAHR BELNR BUZEI BEWTP BWART BUDAT SHKZG n:MENGE HSWAE n:DMBTR WAERS n:WRBTR CPUDT",
            ("800", "4500000001", "00010", "00", "1", "2026", "5000000001", "0001", "E", "101", JANUARY, "S", "300.000", "CNY", "37.50", "CNY", "37.50", JANUARY),
            ("800", "4500000001", "00010", "00", "1", "2026", "5000000002", "0001", "E", "102", JANUARY, "H", "100.000", "CNY", "12.50", "CNY", "12.50", JANUARY),
            ("800", "4500000001", "00010", "00", "2", "2026", "5100000001", "0001", "Q", " ", JANUARY, "S", "200.000", "CNY", "25.00", "CNY", "25.00", JANUARY),
        ),
        table(
            "MARA", 2, "MANDT MATNR MTART MATKL MEINS LVORM ERSDA LAEDA",
            ("800", BOLT, "ROH", "001", "ST", " ", "20190401", NO_DAY),
            ("800", NUT, "ROH", "001", "KG", "X", "20190401", MARCH),
        ),
        table(
            "MAKT", 3, "MANDT MATNR SPRAS MAKTX",
            ("800", BOLT, "1", "六角螺栓"), ("800", BOLT, "E", "Hexagon bolt"),
        ),
        table(
            "MARD", 4, "MANDT MATNR WERKS LGORT n:LABST n:INSME n:SPEME",
            ("800", BOLT, "1310", "0001", "200.000", "0.000", "0.000"),
        ),
        table(
            "MKPF", 3, "MANDT MBLNR MJAHR BUDAT CPUDT",
            ("800", "5000000001", "2026", JANUARY, JANUARY), ("800", "5000000002", "2026", JANUARY, "20260106"),
        ),
        table(
            "MSEG", 4,
            "MANDT MBLNR MJAHR ZEILE BWART MATNR WERKS LGORT SHKZG n:MENGE MEINS WAERS n:DMBTR EBELN EBELP SJAHR SMBLN SMBLP",
            ("800", "5000000001", "2026", "0001", "101", BOLT, "1310", "0001", "S", "300.000", "ST", "CNY", "37.50", "4500000001", "00010", "0000", " ", "0000"),
            ("800", "5000000002", "2026", "0001", "102", BOLT, "1310", "0001", "H", "100.000", "ST", "CNY", "12.50", "4500000001", "00010", "2026", "5000000001", "0001"),
        ),
        table(
            "KNA1", 2, "MANDT KUNNR NAME1 LAND1 ORT01 KTOKD STCD5 LOEVM ERDAT",
            ("800", "0000100001", "华东机电", "CN", "上海", "KUNA", " ", "X", "20190401"),
        ),
        table(
            "LFA1", 2, "MANDT LIFNR NAME1 LAND1 ORT01 KTOKK STCD5 LOEVM ERDAT",
            ("800", "0000200001", "东京ねじ", "JP", "東京", "KRED", "", "", NO_DAY),
        ),
        table(
            "BKPF", 4, "MANDT BUKRS BELNR GJAHR BLART BLDAT BUDAT MONAT WAERS STBLG STJAH CPUDT AEDAT",
            ("800", "1310", "0100000001", "2026", "SA", JANUARY, JANUARY, "01", "CNY", " ", "0000", JANUARY, NO_DAY),
            ("800", "1310", "0100000002", "2026", "SA", NO_DAY, JANUARY, "01", "CNY", " ", "0000", JANUARY, NO_DAY),
            ("800", "1310", "0100000003", "2026", "SA", NO_DAY, MARCH, "03", "CNY", " ", "0000", MARCH, NO_DAY),
        ),
        table(
            "ACDOCA", 6,
            "RCLNT RLDNR RBUKRS GJAHR BELNR DOCLN BUDAT POPER RACCT RCNTR KUNNR LIFNR DRCRK RHCUR n:HSL RWCUR n:WSL TIMESTAMP",
            ("800", "0L", "1310", "2026", "0100000001", "000001", JANUARY, "001", "0011220100", " ", "0000100001", " ", "S", "CNY", "500.00", "JPY", "10000.00", "20260105021109"),
            ("800", "0L", "1310", "2026", "0100000001", "000002", JANUARY, "001", "0060010100", "C1", " ", " ", "H", "CNY", "-500.00", "JPY", "-10000.00", "20260105021109"),
        ),
    ]  # fmt: skip


def make_views(file: Path) -> None:
    """The views of the template, in SQLite's words."""

    def day(field: str) -> str:
        parts = f"substr({field}, 1, 4) || '-' || substr({field}, 5, 2) || '-' || substr({field}, 7, 2)"
        return f"cast(case when {field} <> '{NO_DAY}' then {parts} end as text)"

    con = sqlite3.connect(file)
    for view, (base, added) in VIEWS.items():
        listed = ", ".join(f"{day('t.' + field)} as {name}" for name, field in added.items())
        con.execute(f"create view {view} as select t.*, {listed} from {base} t")
    con.execute(
        f"create view TIEOUT_MSEG as select t.*, k.BUDAT, {day('k.CPUDT')} as ENTERED_ON"
        " from MSEG t join MKPF k using (MANDT, MBLNR, MJAHR)"
    )
    con.commit()
    con.close()


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the database, and a landing and a warehouse that have pulled it once."""
    folder = tmp_path_factory.mktemp("ecc")
    write_store(folder / "ecc.db", sap_tables())
    make_views(folder / "ecc.db")
    in_folder(folder).pull()
    return folder


@pytest.fixture
def ecc(pulled: Path, tmp_path: Path) -> SmallSource:
    """What `pulled` holds, to be changed."""
    shutil.copytree(pulled, tmp_path / "ecc")
    return in_folder(tmp_path / "ecc")


def in_folder(folder: Path) -> SmallSource:
    """The template as it stands, but for a SQLite file in the place of Oracle."""
    file = folder / "ecc.db"
    document = from_yaml(TEMPLATE.read_text(encoding="utf-8"))
    document |= {"connector": "sqlite", "connection": {"path": str(file)}, "limits": {}}
    source = Source.model_validate(document)
    return SmallSource(source, file, Landing(folder / "landing"), folder / "warehouse.duckdb")


def only(ecc: SmallSource, *streams: str) -> SmallSource:
    """The same with fewer streams: a pull of all eighteen costs a second."""
    kept = {name: ecc.source.streams[name] for name in streams}
    return replace(ecc, source=ecc.source.model_copy(update={"streams": kept}))


def with_days(given: Table, added: dict[str, str]) -> Table:
    """A table with what its view adds: ISO days of its CHAR(8) fields, None for `00000000`."""
    names = [item.name for item in given.fields]
    fields = (*given.fields, *(Field(name, "date", name) for name in added))
    rows = []
    for row in given.rows:
        said = [str(row[names.index(field)]) for field in added.values()]
        days = (None if text == NO_DAY else f"{text[:4]}-{text[4:6]}-{text[6:8]}" for text in said)
        rows.append((*row, *days))
    return replace(given, fields=fields, rows=rows)


def expected(source: Source, stream: str, tables: dict[str, Table]) -> Table:
    """What the system holds of a stream: without what LOEKZ deletes, None for what SAP says is nothing."""
    origin = source.streams[stream].origin
    base, added = VIEWS.get(origin, (origin, {}))
    found = with_days(tables[base], added)
    names = [item.name for item in found.fields]
    gone = names.index("LOEKZ") if "LOEKZ" in names else None
    live = [row for row in found.rows if gone is None or row[gone] not in {"L", "X"}]
    return replace(
        found, rows=[tuple(None if item in {NO_DAY, " ", ""} else item for item in row) for row in live]
    )


def test_the_template_is_a_contract_whose_keys_name_the_client():
    source = Source.model_validate(from_yaml(TEMPLATE.read_text(encoding="utf-8")))
    first = {name: stream.key[0] for name, stream in source.streams.items()}
    assert first.pop("currency_decimals") == "currkey"  # TCURX is the same for all clients
    assert first.pop("voucher_line") == "rclnt"
    assert set(first.values()) == {"mandt"}
    assert all(NO_DAY in stream.missing for stream in source.streams.values())


def test_every_live_row_is_held_as_sap_means_it(ecc):
    tables = {item.name: item for item in sap_tables()}
    with connect(ecc.warehouse) as con:
        for name in ecc.source.streams.keys() - {"movement"}:
            there = store_rows(ecc.source, name, expected(ecc.source, name, tables))
            assert there
            assert differences(there, held_rows(con, ecc.source, name)) == [], name
        assert con.execute("select count(*) from ops.quarantine").fetchall() == [(0,)]
        unlike = con.execute("select stream, measure from ops.control_now where not agrees").fetchall()
        compared = con.execute("select count(distinct stream) from ops.control_now").fetchall()
    assert unlike == []
    assert compared == [(len(ecc.source.streams),)]


def test_rows_worked_out_by_hand(ecc):
    assert ecc.rows(
        "select vbeln, posnr, matnr, netwr, abgru, changed_on, created_on from raw_sap_ecc.sales_order_line"
        " where mandt = '800' order by all"
    ) == [
        ("0000000101", "000010", "000000000000012345", D("600.00"), None, None, date(2026, 1, 5)),
        ("0000000101", "000020", "000000000000000777", D("400.00"), "Z1", date(2026, 3, 2), date(2026, 1, 5)),
        ("0000000102", "000010", "000000000000012345", D("12345.67"), None, None, date(2026, 1, 5)),
    ]
    assert ecc.rows("select vbeln, wadat_ist from raw_sap_ecc.delivery order by all") == [
        ("0080000001", "20260110"),
        ("0080000002", None),
    ]
    # The posting date is that of MKPF; without the sign of SHKZG the two would be 400 pieces.
    assert ecc.rows(
        "select mblnr, menge * case shkzg when 'H' then -1 else 1 end, smbln, budat, entered_on"
        " from raw_sap_ecc.movement order by all"
    ) == [
        ("5000000001", D(300), None, "20260105", date(2026, 1, 5)),
        ("5000000002", D(-100), "5000000001", "20260105", date(2026, 1, 6)),
    ]


def test_clients_with_the_same_numbers_stay_apart(ecc):
    assert ecc.rows("select mandt, netwr from raw_sap_ecc.sales_order where vbeln = '0000000101' order by 1") == [
        ("800", D(1000)),
        ("810", D(9)),
    ]  # fmt: skip


def test_amounts_without_decimals_are_worth_what_the_template_says(ecc):
    worth = (
        "select waerk, netwr * pow(10, 2 - coalesce(currdec, 2))::decimal(9, 4) from raw_sap_ecc.sales_order"
        " left join raw_sap_ecc.currency_decimals on currkey = waerk where mandt = '800' order by waerk"
    )
    assert ecc.rows(worth) == [("CNY", D(1000)), ("JPY", D(1234567))]


def test_a_text_becomes_a_day_as_the_template_says(ecc):
    said = "select cast(strptime(budat, '%Y%m%d') as date) from raw_sap_ecc.voucher limit 1"
    assert ecc.rows(said) == [(date(2026, 1, 5),)]


def test_the_first_change_of_an_old_row_is_found_and_nothing_else_is_read(ecc):
    Store(ecc.drop).change(
        "update VBAP set KWMENG = '12.000', AEDAT = '20260303' where VBELN = '0000000101' and POSNR = '000010'"
        " and MANDT = '800'"
    )
    assert [(item.stream, item.rows_in) for item in ecc.pull()] == [("sales_order_line", 1)]
    # The same day again, and one that was committed a day late: both lie inside the two days.
    Store(ecc.drop).change("update VBAP set KWMENG = '13.000' where POSNR = '000010' and AEDAT = '20260303'")
    Store(ecc.drop).change(
        "update VBAP set ABGRU = ' ', AEDAT = '20260302' where POSNR = '000020' and MANDT = '800'"
    )
    assert [(item.stream, item.rows_in) for item in only(ecc, "sales_order", "sales_order_line").pull()] == [
        ("sales_order_line", 2)
    ]
    assert ecc.rows(
        "select posnr, kwmeng, abgru from raw_sap_ecc.sales_order_line"
        " where vbeln = '0000000101' and mandt = '800' order by 1"
    ) == [("000010", D(13), None), ("000020", D("0.5"), None)]
    assert only(ecc, "sales_order", "sales_order_line").pull() == []


def test_loekz_deletes_by_l_and_not_by_s_and_can_be_taken_back(ecc):
    lines = "select ebelp from raw_sap_ecc.purchase_order_line where not _is_deleted order by 1"
    assert ecc.rows(lines) == [("00010",), ("00030",)]
    store = Store(ecc.drop)
    store.change(
        "update EKPO set LOEKZ = case EBELP when '00020' then ' ' else 'L' end where EBELP <> '00010'"
    )
    assert [item.stream for item in only(ecc, "purchase_order_line").pull()] == ["purchase_order_line"]
    assert ecc.rows(lines) == [("00010",), ("00020",)]
    # What master data marks for deletion is still named by documents: it stays.
    assert ecc.rows("select loevm, _is_deleted from raw_sap_ecc.customer") == [("X", False)]


def test_what_has_no_date_of_its_change_is_found(ecc):
    """EKKO.AEDAT is the day of creation, so it is read whole; a sales line that is deleted leaves its key missing."""
    Store(ecc.drop).change("update EKKO set LIFNR = '0000200009' where EBELN = '4500000001'")
    Store(ecc.drop).change("delete from VBAP where POSNR = '000020'")
    assert {item.stream for item in only(ecc, "purchase_order", "sales_order_line").pull()} == {
        "purchase_order",
        "sales_order_line",
    }
    assert ecc.rows("select lifnr from raw_sap_ecc.purchase_order where not _is_deleted") == [("0000200009",)]
    assert ecc.rows("select posnr from raw_sap_ecc.sales_order_line where _is_deleted") == [("000020",)]


def test_a_reversed_voucher_is_known_even_if_its_own_row_is_not_read_again(ecc):
    store = Store(ecc.drop)
    store.change("update BKPF set STBLG = '0100000004', STJAH = '2026' where BELNR = '0100000001'")
    store.change(
        "insert into BKPF select MANDT, BUKRS, '0100000004', GJAHR, 'AB', BLDAT, ?, '03', WAERS, '0100000001', '2026', ?, ?"
        " from BKPF where BELNR = '0100000001'",
        (MARCH, MARCH, NO_DAY),
    )
    assert [(item.stream, item.rows_in) for item in only(ecc, "voucher").pull()] == [("voucher", 1)]
    # The first of the pair was entered in January and has no new AEDAT.
    assert ecc.rows("select stblg from raw_sap_ecc.voucher where belnr = '0100000001'") == [(None,)]
    stands = (
        "select belnr from raw_sap_ecc.voucher as v where stblg is null and not exists (from raw_sap_ecc.voucher as r"
        " where (r.mandt, r.bukrs, r.stblg, r.stjah) = (v.mandt, v.bukrs, v.belnr, v.gjahr)) order by 1"
    )
    assert ecc.rows(stands) == [("0100000002",), ("0100000003",)]


def test_a_day_that_is_none_is_quarantined(ecc):
    Store(ecc.drop).change(
        "update BKPF set BUDAT = '20261301', AEDAT = ? where BELNR = '0100000002'", (MARCH,)
    )
    only(ecc, "voucher").pull()
    assert ecc.rows("select rule, record_key from ops.quarantine") == [
        ("pattern", "800|1310|0100000002|2026")
    ]


def test_oracle_is_asked_for_days_and_never_to_compare_a_text_with_one():
    """Comparing CHAR(8) with a date would fail there, or depend on the session's format: cursors are the views' days."""
    source = Source.model_validate(from_yaml(TEMPLATE.read_text(encoding="utf-8")))
    with connect() as con:
        reader = DriverReader(con, source, "oracle://reader@db/P01")
        assert reader.value("2026-03-01", "date").startswith("timestamp '2026-03-01 00:00:00")
        # What Oracle's DATE arrives as is a day of the contract.
        assert con.execute("select try_cast('2026-03-02 00:00:00' as date)").fetchall() == [
            (date(2026, 3, 2),)
        ]
    for stream in source.streams.values():
        if stream.cursor:
            assert stream.origin.startswith("TIEOUT_")
            assert {stream.source_column(name) for name in stream.cursor} <= {
                "CHANGED_ON",
                "CREATED_ON",
                "ENTERED_ON",
            }
