"""Excel: what a person sees in the cells is what lands, or the file is refused with the cell named."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime, time, timedelta

import openpyxl
import pytest

from tests.deliveries import delivered, read
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.files import packages

HEADER = ["单号", "日期", "数量"]
COLUMNS = {
    "no": "单号",
    "day": {"from": "日期", "type": "date"},
    "qty": {"from": "数量", "type": "decimal(18, 2)"},
}


def book(*sheets: tuple[str, list[list]], change=None) -> bytes:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for title, rows in sheets:
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    if change:
        change(made)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def rewritten(content: bytes, part: str, change) -> bytes:
    """The workbook with one part of its package changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        assert part in old.namelist()
        for item in old.infolist():
            data = old.read(item)
            new.writestr(item.filename, change(data) if item.filename == part else data)
    return out.getvalue()


def excel(tmp_path, content: bytes, form: dict | None = None, columns=None, **more):
    return read(
        delivered(
            tmp_path, "工时.xlsx", content, {"kind": "xlsx", **(form or {})}, columns or COLUMNS, **more
        )
    )


def refused(tmp_path, content: bytes, words: str, form: dict | None = None, columns=None) -> None:
    with pytest.raises(SourceError, match=words) as error:
        excel(tmp_path, content, form, columns)
    assert "what was loaded before stays" in str(error.value)


def test_values_keep_their_meaning(tmp_path):
    cells = [
        12.5, 3.0, 0.1, 10**15, True, date(2026, 10, 1), datetime.fromisoformat("2026-10-01 08:30:15"), time(8, 30),
        timedelta(hours=26, minutes=3), "00123", " x ", "=1+1"[1:],
    ]  # fmt: skip

    def formats(made):
        made["S"].cell(2, 2).number_format = "0.0%"

    content = book(("S", [["no", "v"], *([f"r{n}", value] for n, value in enumerate(cells))]), change=formats)
    _, rows = excel(tmp_path, content, columns={"no": "no", "v": "v"})
    assert [row[2] for row in rows] == [
        "12.5", "3", "0.1", "1000000000000000", "true", "2026-10-01 00:00:00", "2026-10-01 08:30:15", "08:30:00",
        "26:03:00", "00123", " x ", "1+1",
    ]  # fmt: skip
    assert [row[0] for row in rows] == list(range(2, len(cells) + 2))


def test_the_header_is_found_and_hidden_rows_are_data(tmp_path):
    def hide(made):
        made["S"].row_dimensions[6].hidden = True
        made["S"].column_dimensions["C"].hidden = True

    rows_ = [["华辰精工工时"], [], ["部门：一车间", None, None], [" 单号", "日期", "数量"], ["A", date(2026, 1, 2), 1],
             ["B", date(2026, 1, 3), 2], [None, None, None], ["C", None, 3], ["合计", None, 6], ["制表：王"]]  # fmt: skip
    parsed, rows = excel(tmp_path, book(("S", rows_), change=hide), {"header_row": "find", "footer": "合计"})
    assert rows == [
        (5, "A", "2026-01-02 00:00:00", "1"),
        (6, "B", "2026-01-03 00:00:00", "2"),
        (8, "C", None, "3"),
    ]
    assert parsed.footer == {"单号": "合计", "日期": None, "数量": "6"}
    refused(
        tmp_path,
        book(("S", rows_[:8])),
        "has no row 合计: it was cut short",
        {"header_row": 4, "footer": "合计"},
        {"no": " 单号"},
    )
    refused(
        tmp_path,
        book(("S", [["x"], ["单号", "数量"], ["A", 1]])),
        "no longer has the column 日期",
        {"header_row": "find"},
    )


def test_several_sheets_are_one_batch_whose_rows_know_their_sheet(tmp_path):
    content = book(
        ("2026-01", [HEADER, ["A", None, 1], ["合计", None, 1]]),
        ("说明", [["不是数据"]]),
        ("2026-02", [["标题"], HEADER, ["A", None, 2], ["B", None, 3], ["合计", None, "5"]]),
    )
    form = {"sheet": "2026-*", "header_row": "find", "footer": "合计"}
    parsed, rows = excel(tmp_path, content, form)
    assert rows == [
        (2, "工时.xlsx#2026-01", "A", None, "1"),
        (3, "工时.xlsx#2026-02", "A", None, "2"),
        (4, "工时.xlsx#2026-02", "B", None, "3"),
    ]
    assert (parsed.origin, parsed.footer["数量"]) == ("工时.xlsx", "6")
    one, _ = excel(tmp_path, content, {**form, "sheet": "2026-01"})
    assert one.origin == "工时.xlsx#2026-01"
    refused(
        tmp_path, content, r"has no sheet 2025-\*, only \['2026-01', '说明', '2026-02'\]", {"sheet": "2025-*"}
    )


def merged(*ranges: str):
    def change(made):
        for item in ranges:
            made.active.merge_cells(item)

    return change


def test_a_merged_value_belongs_to_every_cell(tmp_path):
    """Title over the header, header over two rows, key over three rows; the blank row below has nothing to say."""
    rows_ = [["一月", None, None], ["单号", "内容", None], [None, "日期", "数量"], ["A", date(2026, 1, 1), 1],
             [None, None, 2], [None, date(2026, 1, 3), 3], ["B", None, 4], [None, None, None]]  # fmt: skip
    content = book(("S", rows_), change=merged("A1:C1", "A2:A3", "B2:C2", "A4:A6", "B4:B5", "A7:A8"))
    _, rows = excel(tmp_path, content, {"header_row": 3})
    assert rows == [
        (4, "A", "2026-01-01 00:00:00", "1"),
        (5, "A", "2026-01-01 00:00:00", "2"),
        (6, "A", "2026-01-03 00:00:00", "3"),
        (7, "B", None, "4"),
    ]


def test_a_merged_amount_is_not_guessed(tmp_path):
    rows_ = [HEADER, ["A", None, 90], ["B", None, None], ["C", None, None]]
    content = book(("S", rows_), change=merged("C2:C4"))
    refused(tmp_path, content, "sheet S: the cells C2:C4 are merged over a number")
    assert [row[3] for row in excel(tmp_path, content, {"merged": "repeat"})[1]] == ["90", "90", "90"]
    assert [row[3] for row in excel(tmp_path, content, {"merged": "first"})[1]] == ["90", None, None]


def test_formulas_give_their_last_value_or_are_named(tmp_path):
    content = book(("S", [HEADER, ["A", None, "=1+1"], ["B", None, 3]]))
    refused(tmp_path, content, r"sheet S: the formula in cell C2 \(数量\) was never calculated")
    calculated = rewritten(
        content, "xl/worksheets/sheet1.xml",
        lambda xml: xml.replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>").replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>"),
    )  # fmt: skip
    assert excel(tmp_path, calculated)[1][0] == (2, "A", None, "2")
    empty = rewritten(
        calculated, "xl/worksheets/sheet1.xml",
        lambda xml: xml.replace(b'<c r="C2">', b'<c r="C2" t="str">').replace(b"<v>2</v>", b"<v></v>"),
    )  # fmt: skip
    assert excel(tmp_path, empty)[1][0] == (2, "A", None, None)
    beside = book(("S", [[*HEADER, "x"], ["A", None, 1, "=C2"]]))
    assert len(excel(tmp_path, beside)[1]) == 1  # a column nobody promised


def test_error_values_are_text_for_the_types_to_judge(tmp_path):
    content = book(("S", [HEADER, ["A", None, "#REF!"], ["B", None, "#N/A"]]))
    assert b't="e"' in zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml")
    assert [row[3] for row in excel(tmp_path, content)[1]] == ["#REF!", "#N/A"]


def test_a_dimension_that_lies_hides_nothing(tmp_path):
    content = rewritten(
        book(("S", [HEADER, ["A", None, 1], ["B", None, 2]])),
        "xl/worksheets/sheet1.xml",
        lambda xml: xml.replace(b'ref="A1:C3"', b'ref="A1"'),
    )
    assert [row[3] for row in excel(tmp_path, content)[1]] == ["1", "2"]


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        (
            "xl/worksheets/sheet1.xml",
            lambda x: x.replace(b'<row r="3"', b'<row r="2"'),
            "row 2 comes after row 2",
        ),
        ("xl/worksheets/sheet1.xml", lambda x: x[:-200], "not a readable Excel workbook"),
        (
            "xl/worksheets/sheet1.xml",
            lambda x: b'<!DOCTYPE a [<!ENTITY e "eeee">]>' + x.replace(b"<v>1</v>", b"<v>&e;</v>"),
            "inside it declares a document type or entities",
        ),
        (
            "xl/workbook.xml",
            lambda x: (
                b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
                + x.replace(b'name="S"', b'name="&e;"')
            ),
            "inside it declares a document type or entities",
        ),
    ],
)
def test_a_damaged_package_is_refused(tmp_path, part, change, words):
    def unprefixed(xml: bytes) -> bytes:
        return change(xml.removeprefix(b"<?xml version='1.0' encoding='UTF-8'?>\n"))

    content = book(("S", [HEADER, ["A", None, 1], ["B", None, 2]]))
    refused(tmp_path, rewritten(content, part, unprefixed), words)


def test_entities_beside_formulas_are_refused_too(tmp_path):
    content = rewritten(
        book(("S", [HEADER, ["A", None, "=1"]])),
        "xl/worksheets/sheet1.xml",
        lambda xml: b'<!DOCTYPE a [<!ENTITY e "eeee">]>' + xml,
    )
    refused(tmp_path, content, "declares a document type or entities")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
            r"is a workbook of Excel 97 \(.xls\).*saved as .xlsx",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"),
            "is encrypted: it needs a password",
        ),
        (b"<html><table><tr><td>1</td></tr></table></html>", "a web page or XML under an Excel name"),
        (b"PK\x03\x04 this is not a workbook", "not a readable Excel workbook"),
        (b"", "not a readable Excel workbook"),
    ],
)
def test_what_is_no_workbook_says_what_it_is(tmp_path, content, words):
    refused(tmp_path, content, words)


def test_a_zip_bomb_is_not_opened(tmp_path, monkeypatch):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (80 * 2**20))
    monkeypatch.setattr(openpyxl, "load_workbook", lambda *_, **__: pytest.fail("was opened"))
    refused(tmp_path, bomb.getvalue(), "would unpack from 0.1 MB to 80 MB in 1 parts: a zip bomb")


def test_a_directory_that_lies_about_sizes_is_refused(tmp_path):
    content = bytearray(book(("S", [HEADER, ["A", None, 1]])))
    place = content.rindex(b"xl/worksheets/sheet1.xml") - 46
    assert content[place : place + 4] == b"PK\x01\x02"
    content[place + 24 : place + 28] = (50).to_bytes(4, "little")
    refused(tmp_path, bytes(content), "not a readable Excel workbook")


def test_more_merges_than_any_sheet_has_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "MOST_MERGES", 2)
    content = book(("S", [HEADER, ["A", None, 1]]), change=merged("E1:F1", "E2:F2", "E3:F3"))
    refused(tmp_path, content, "more than 2 merged ranges")
