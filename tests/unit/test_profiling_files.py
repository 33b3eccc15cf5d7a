"""CSV in any encoding, Excel, Parquet, JSON lines and XML: read as they are, drafted as a drop, and loaded."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from typer.testing import CliRunner

from sources.contract import Source, read_source
from tieout.cli import app
from tieout.ingest.errors import SourceError
from tieout.ingest.profiling import profile
from tieout.ingest.profiling.contract import draft_profile
from tieout.ingest.profiling.encodings import encoding_of
from tieout.strict import from_yaml

ZH = "单号,客户编号,数量(件),含税金额,签收日期,备注\r\n"
ROWS = [
    f"YD{i:04},C{i % 9:02},{i + 1},{i * 3}.50,2026/1/{i % 28 + 1},货物已经送到仓库\r\n" for i in range(60)
]


def columns(item) -> dict:
    return {column.name: column for column in item.columns.values()}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_csv_in_every_usual_encoding(tmp_path, encoding):
    path = tmp_path / "签收-202601.csv"
    path.write_bytes((ZH + "".join(ROWS)).encode(encoding))
    (item,) = profile([path]).objects
    found = columns(item)
    assert (item.one.label, item.one.rows) == ("签收", 60)
    assert item.keys[0].columns == (("单号",),)
    assert (found["数量(件)"].unit, found["含税金额"].tax, found["签收日期"].type) == (
        "件",
        "included",
        "date",
    )
    assert found["客户编号"].type == "text" and len(found["客户编号"].codes) == 9
    stream = Source.model_validate(from_yaml(draft_profile(profile([path]), "tms").text)).streams["qs"]
    assert stream.format.encoding == {"utf-8-sig": "utf-8"}.get(encoding, encoding)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("訂單編號,客戶名稱,數量\n客戶已經收到貨物,臺灣電子公司,三\n", "big5"),
        ("商品コード,おなまえ,すうりょう\nりんごとみかん,とうきょう,いち\n", "cp932"),
        ("Numéro,Désignation,Quantité,Größe\nÉtagère à clé,déjà vu,une pièce,groß\n", "cp1252"),
    ],
)
def test_other_encodings_by_the_characters_that_come_out(text, encoding):
    assert encoding_of((text * 5).encode(encoding))[0] == encoding


def test_title_rows_delimiter_total_row_and_several_files(tmp_path):
    for month in ("01", "02"):
        text = f"发货清单;;\n期间 2026-{month};;\n单号;重量(kg);状态\n" + "".join(
            f"F{month}{i:03};{i},5;{'在途' if i % 2 else '签收'}\n" for i in range(30)
        )
        (tmp_path / f"发货 2026-{month}.csv").write_text(text + "合计;435;\n", encoding="utf-8")
    said = profile([tmp_path])
    (item,) = said.objects
    assert (item.one.rows, list(item.one.files)) == (60, ["发货 2026-01.csv", "发货 2026-02.csv"])
    assert item.one.form == {"kind": "csv", "delimiter": ";", "header_row": 3, "footer": "合计"}
    assert dict(columns(item)["状态"].codes) == {"在途": 30, "签收": 30}
    stream = Source.model_validate(from_yaml(draft_profile(said, "tms").text)).streams["fh"]
    assert (stream.origin, stream.load) == ("发货 2026-0*.csv", "slice")
    assert columns(item)["重量(kg)"].type == "text"  # a comma for the decimals is no number of the loader's


def test_codes_with_zeros_and_long_digits_stay_text(tmp_path):
    lines = "".join(f"{i:06},{6222020000000000000 + i},{i},{i},1:30\n" for i in range(30))
    (tmp_path / "a.csv").write_text("物料,卡,数,客户编码,时刻\n" + lines, encoding="utf-8")
    (item,) = profile([tmp_path / "a.csv"]).objects
    types = {name: column.type for name, column in columns(item).items()}
    assert types == {"物料": "text", "卡": "text", "数": "decimal(18, 4)", "客户编码": "text", "时刻": "time"}


def test_excel_sheets_dates_and_headers(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "入库"
    sheet.append(["入库单", None, None])
    sheet.append(["单号", "日期", "数量"])
    for i in range(30):
        sheet.append([f"RK{i:03}", date(2026, 1, i % 28 + 1), i + 0.5])
    other = book.create_sheet("物料")
    other.append(["物料编码", "名称"])
    for i in range(10):
        other.append([f"M{i:02}", f"物料{i}"])
    book.save(tmp_path / "仓库.xlsx")
    said = profile([tmp_path / "仓库.xlsx"])
    stock, parts = said.objects
    assert (stock.one.form["header_row"], stock.one.form["sheet"], parts.one.form["sheet"]) == (
        2,
        "入库",
        "物料",
    )
    assert columns(stock)["日期"].type == "date" and stock.keys[0].columns == (("单号",),)
    source = Source.model_validate(from_yaml(draft_profile(said, "wms").text))
    assert {stream.format.sheet for stream in source.streams.values()} == {"入库", "物料"}


def test_parquet_keeps_the_types_it_declares(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "id": pa.array(range(30), pa.int64()), "day": pa.array([date(2026, 1, 5)] * 30), "tags": pa.array([["a"]] * 30),
            "at": pa.array([datetime(2026, 1, 5, tzinfo=UTC)] * 30, pa.timestamp("us", "UTC")),
            "amount": pa.array([None] * 30, pa.decimal128(12, 2)),
        }
    )  # fmt: skip
    pq.write_table(table, tmp_path / "x.parquet")
    (item,) = profile([tmp_path / "x.parquet"]).objects
    types = {name: column.type for name, column in columns(item).items()}
    assert types == {
        "id": "bigint",
        "day": "date",
        "tags": "text",
        "at": "timestamptz",
        "amount": "decimal(12, 2)",
    }


def test_json_lines_are_rows_or_whole_answers(tmp_path):
    rows = [{"id": i, "who": {"name": "x"}} for i in range(12)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pages = [{"code": 0, "total": 12, "data": rows[n : n + 6]} for n in (0, 6)]
    (tmp_path / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages))
    lines, answers = sorted(profile([tmp_path]).objects, key=lambda item: item.one.kind, reverse=True)
    assert (lines.one.kind, lines.one.rows, lines.one.records) == ("jsonl", 12, ())
    assert (answers.one.kind, answers.one.rows, answers.one.records) == ("json", 12, ("data",))
    stream = Source.model_validate(from_yaml(draft_profile(profile([tmp_path]), "a", "files").text)).streams
    assert set(stream["rows"].columns) == {"id", "who"}  # a file's stream does not look into objects


def test_xml_by_both_doors(tmp_path):
    rows = "".join(
        f'<order no="SO{i}"><cust>C{i}</cust><qty unit="kg">{i}</qty>'
        + "<line><sku>A</sku></line>" * (i % 2 + 1)
        + "</order>"
        for i in range(20)
    )
    text = f'<?xml version="1.0" encoding="GBK"?><answer><客户>华信</客户><orders>{rows}</orders></answer>'
    (tmp_path / "orders.xml").write_bytes(text.encode("gb18030"))
    said = profile([tmp_path / "orders.xml"])
    head, lines = said.objects
    assert (head.one.records, head.one.rows, lines.one.rows) == (("orders", "order"), 20, 30)
    http = Source.model_validate(from_yaml(draft_profile(said, "a").text))
    assert http.http.format == "xml" and http.streams["orders"].request.records == "orders.order"
    drop = Source.model_validate(from_yaml(draft_profile(said, "a", "files").text)).streams["orders"]
    assert drop.format.records == "order"
    assert {drop.source_column(name) for name in drop.columns} == {"@no", "cust", "qty", "qty/@unit"}


def test_what_is_no_file_of_a_known_kind_is_refused(tmp_path):
    (tmp_path / "a.pdf").write_text("x")
    (tmp_path / "b.json").write_text('{"a": ')
    (tmp_path / "c.xml").write_text('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>')
    (tmp_path / "d.xlsx").write_text("x")
    for name in ("a.pdf", "b.json", "c.xml", "d.xlsx", "none.csv"):
        with pytest.raises(SourceError, match="Nothing"):
            profile([tmp_path / name])


def test_a_drafted_drop_loads(tms, tmp_path):
    """The draft of the small source's own files, without a hand edit, loads every row."""
    tms.csv("waybills-01.csv", *(f"YD{i:03},{i + 1},CNY,2026-01-05" for i in range(20)))
    text = draft_profile(profile([tms.drop / "waybills-01.csv"]), "tms").text
    document = from_yaml(text.replace("env:TMS_DROP", str(tms.drop)))
    tms.source = Source.model_validate(document)
    tms.pull()
    assert tms.rows("select count(*), sum(js), min(qsrq)::varchar from raw_tms.waybills") == [
        (20, 210, "2026-01-05")
    ]


def test_the_command_reports_and_writes_but_overwrites_nothing(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text("order_no,amount\n" + "".join(f"SO{i},{i}.5\n" for i in range(30)))
    target = tmp_path / "shop" / "source.yaml"
    run = CliRunner().invoke(app, ["profile", str(path), "--name", "shop", "--out", str(target)])
    assert run.exit_code == 0 and "order_no (0.9" in run.output
    assert read_source(target).streams["orders"].key == ("order_no",)
    again = CliRunner().invoke(app, ["profile", str(path), "--name", "shop", "--out", str(target)])
    assert "exists" in str(again.exception)
    printed = CliRunner().invoke(app, ["profile", str(path), "--out", "-"])
    assert from_yaml(printed.stdout)["source"] == "profiled"


def test_headings_without_a_name_or_with_the_same_one_are_told(tmp_path):
    (tmp_path / "a.csv").write_text("no,no,,x\nA,B,C,D\n")
    said = profile([tmp_path / "a.csv"])
    (item,) = said.objects
    assert set(columns(item)) == {"no", "x"} and len(item.one.notes) == 2
    # YAML takes a bare `no` for false.
    assert set(from_yaml(draft_profile(said, "on").text)["streams"]["a"]["columns"]) == {"no", "x"}
