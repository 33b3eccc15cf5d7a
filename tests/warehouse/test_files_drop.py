"""A drop folder from end to end: what lands, what is left for later, and what the tables hold afterwards."""

from __future__ import annotations

import io
import shutil

import openpyxl
import pytest

from tests.conftest import NOON
from tests.deliveries import source_of
from tieout.ingest.intake.ask import Ask
from tieout.ingest.intake.files import folders, pull_files

GOOD = ["WB1,10,CNY,2026-10-01", "WB2,20,USD,2026-10-02"]
HELD = "select waybill_no, quantity::int from raw_tms.waybill where not _is_deleted order by 1"


def test_a_file_that_grows_while_it_is_read_is_for_the_next_pull(tms, monkeypatch):
    tms.csv("运单_1.csv", *GOOD)
    tms.csv("运单_2.csv", "WB3,30,CNY,2026-10-03")
    copy = shutil.copyfile

    def copied_while_written(source, target):
        copy(source, target)
        if source.name == "运单_2.csv":
            with source.open("ab") as file:
                file.write(b"WB4,40,CNY,2026-10-04\r\n")

    with monkeypatch.context() as patch:
        patch.setattr(folders.shutil, "copyfile", copied_while_written)
        (outcome,) = tms.extract()
    assert outcome.error is None
    assert outcome.notes == ("运单_2.csv is still being written: left for the next pull",)
    assert [batch.origin for batch in outcome.landed] == ["运单_1.csv"]

    tms.pull()
    assert [row[0] for row in tms.rows(HELD)] == ["WB1", "WB2", "WB3", "WB4"]


@pytest.mark.parametrize("suffix", [".part", ".tmp", ".filepart", ".crdownload", "~"])
def test_a_name_that_says_unfinished_is_believed(tms, suffix):
    stream = tms.source.streams["waybill"].model_copy(update={"origin": "运单_*"})
    tms.source = tms.source.model_copy(update={"streams": {"waybill": stream}})
    tms.csv(f"运单_1.csv{suffix}", *GOOD)
    (outcome,) = tms.extract()
    assert "no file 运单_* is complete yet" in str(outcome.error)

    (tms.drop / f"运单_1.csv{suffix}").rename(tms.drop / "运单_1.csv")
    tms.csv(f"运单_2.csv{suffix}", "WB9,1,CNY,2026-10-01")
    (outcome,) = tms.extract()
    assert (outcome.error, outcome.rows) == (None, 2)
    assert outcome.notes == (f"运单_2.csv{suffix} is still being written: left for the next pull",)


def test_only_the_streams_asked_for_are_pulled(tms):
    tms.csv("运单_1.csv", *GOOD)
    seen = []
    pull_files(tms.source, tms.landing, Ask(NOON, streams=frozenset({"other"})), seen.append)
    assert seen == []


def test_a_renamed_column_lands_and_loads(tms):
    stream = tms.source.streams["waybill"]
    number = stream.columns["waybill_no"].model_copy(update={"source_names": ("单号", "运单号")})
    stream = stream.model_copy(update={"columns": {**stream.columns, "waybill_no": number}})
    tms.csv("运单_1.csv", *GOOD)
    tms.pull()
    tms.source = tms.source.model_copy(update={"streams": {"waybill": stream}})
    text = "单号,件数,币种,签收日期\r\nWB1,11,CNY,2026-10-01\r\n"
    (tms.drop / "运单_1.csv").write_bytes(text.encode("gb18030"))
    tms.pull()
    assert tms.rows(HELD) == [("WB1", 11)]


def test_sheets_of_one_workbook_are_one_slice(tms):
    """A sheet that is gone takes its rows with it; the rows of other workbooks stay."""
    columns = {"waybill_no": "运单号", "quantity": {"from": "件数", "type": "decimal(18, 2)"}}
    form = {"kind": "xlsx", "sheet": "2026-*", "header_row": "find"}
    source = source_of(str(tms.drop), form, columns, key=["waybill_no"])
    tms.source = source

    def send(name: str, **sheets: list[tuple]) -> None:
        made = openpyxl.Workbook()
        made.remove(made.active)
        for title, rows in sheets.items():
            sheet = made.create_sheet(title.replace("m", "2026-"))
            for row in [("一车间",), ("运单号", "件数"), *rows]:
                sheet.append(row)
        file = io.BytesIO()
        made.save(file)
        (tms.drop / name).write_bytes(file.getvalue())

    send("a.xlsx", m01=[("A", 1), ("B", 2)], m02=[("C", 3)])
    send("b.xlsx", m01=[("D", 4)])
    tms.pull()
    assert tms.rows("select waybill_no, _origin, _row from raw_tms.waybill order by 1") == [
        ("A", "a.xlsx#2026-01", 3),
        ("B", "a.xlsx#2026-01", 4),
        ("C", "a.xlsx#2026-02", 3),
        ("D", "b.xlsx#2026-01", 3),
    ]
    send("a.xlsx", m01=[("A", 1), ("B", "x")])
    tms.pull()
    assert tms.rows(HELD) == [("A", 1), ("B", 2), ("D", 4)]
    assert tms.rows("select origin, row_number from ops.quarantine") == [("a.xlsx#2026-01", 4)]


def test_the_same_name_in_two_folders_is_not_guessed(tms):
    stream = tms.source.streams["waybill"].model_copy(update={"origin": "*/运单_*.csv"})
    tms.source = tms.source.model_copy(update={"streams": {"waybill": stream}})
    for folder in ("a", "b"):
        (tms.drop / folder).mkdir()
        tms.csv(f"{folder}/运单_1.csv", *GOOD)
    (outcome,) = tms.extract()
    assert "运单_1.csv lies in more than one folder" in str(outcome.error)


@pytest.mark.parametrize("control", [b"not a control file\r\n", b"\xff\xff", b""])
def test_a_control_file_that_cannot_be_read_is_an_error_of_the_stream(tms, control):
    said = {"kind": "file", "file": "控制总数.csv"}
    document = tms.source.model_dump(by_alias=True, exclude_none=True)
    document["streams"]["waybill"]["control"] = said
    tms.source = type(tms.source).model_validate(document)
    tms.csv("运单_1.csv", *GOOD)
    (tms.drop / "控制总数.csv").write_bytes(control)
    (outcome,) = tms.extract()
    assert outcome.error is not None
    assert "控制总数.csv" in str(outcome.error)
    assert tms.landing.batches("tms", "waybill") == []
