"""HR in Excel: merged titles, sheets by name, departments in merged cells, a 合计 row that is the control total."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from sandbox.huachen.systems import hr
from sandbox.huachen.world import Spelling
from sources.contract import read_source
from tests.conftest import SmallSource
from tests.small_world import small_world
from tests.vendor_rows import differences, held_rows, store_rows
from tieout.engine import connect
from tieout.ingest.landing import Landing
from tieout.settings import settings

CONTRACT = settings().sources / "hc_hr" / "source.yaml"
STREAMS = {"department": "部门", "employee": "花名册", "post": "任职", "payroll": "工资"}
MARCH = "工资_2025-03.xlsx"


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallSource:
    drop = tmp_path / "drop"
    drop.mkdir()
    world = small_world()
    hr.write(drop, world, Spelling(world))
    monkeypatch.setenv("HC_HR_DROP", str(drop))
    return SmallSource(
        read_source(CONTRACT), drop, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb"
    )


def edit(office: SmallSource, file: str, sheet: str, change) -> None:
    book = openpyxl.load_workbook(office.drop / file)
    change(book[sheet])
    book.save(office.drop / file)


def test_every_row_of_every_sheet_is_loaded(office):
    office.pull()

    world = small_world()
    tables = {table.name: table for table in hr.tables(world, Spelling(world))}
    with connect(office.warehouse) as con:
        for stream, name in STREAMS.items():
            there = store_rows(office.source, stream, tables[name])
            assert len(there) > 10
            assert differences(there, held_rows(con, office.source, stream)) == []
    assert office.rows("select origin, measure, agrees from ops.control_total order by 1") == [
        ("工资_2025-02.xlsx#工资", "sum_gross_pay", True),
        ("工资_2025-03.xlsx#工资", "sum_gross_pay", True),
    ]


def test_a_department_written_once_belongs_to_all_its_people(office):
    sheet = openpyxl.load_workbook(office.drop / MARCH)["工资"]
    written = [cell.value for cell in sheet["B"][3:] if cell.value]
    assert len(written) == len(set(written)) < sheet.max_row - 4  # once each, and fewer than people
    office.pull()

    assert office.rows("select count(*) from raw_hc_hr.payroll where department_name is null") == [(0,)]


def test_who_moved_has_two_posts_and_the_department_two_places(office):
    """电商部 leaves 销售部 in the middle of the first year; one person changes over on 1 October."""
    office.pull()

    moved = office.rows(
        "select valid_from::text, department_name from raw_hc_hr.post where employee_no in"
        " (select employee_no from raw_hc_hr.post where department_code = '210' intersect"
        "  select employee_no from raw_hc_hr.post where department_code = '220') order by valid_from"
    )
    assert [row[1] for row in moved] == ["华东大区", "电商部"]
    assert moved[1][0] == "2025-10-01"
    assert office.rows(
        "select parent_code, valid_to::text from raw_hc_hr.department where department_code = '220' order by valid_from"
    ) == [("200", "2025-06-30"), ("100", None)]


def test_equal_rows_make_equal_workbooks(office):
    before = {path.name: path.read_bytes() for path in office.drop.iterdir()}
    world = small_world()
    hr.write(office.drop, world, Spelling(world))

    assert {path.name: path.read_bytes() for path in office.drop.iterdir()} == before


def test_a_total_that_is_not_the_sum_is_refused(office):
    edit(office, MARCH, "工资", lambda sheet: sheet.cell(4, 5, sheet.cell(4, 5).value + 100))

    (error,) = [str(outcome.error) for outcome in office.extract() if outcome.error]
    assert f"hc_hr.payroll: {MARCH}#工资 should have sum_gross_pay = " in error
    assert "Nothing of it was loaded; what was loaded before stays" in error


def test_a_sheet_without_its_total_row_was_cut_short(office):
    office.pull()
    edit(office, MARCH, "工资", lambda sheet: sheet.delete_rows(sheet.max_row))

    (error,) = [str(outcome.error) for outcome in office.extract() if outcome.error]
    assert f"{MARCH}" in error
    assert "has no row 合计: it was cut short" in error
    assert "what was loaded before stays" in error


def test_pay_is_the_most_protected_class(office):
    assert office.source.class_of("payroll", "gross_pay") == "L4"
    assert office.source.class_of("employee", "phone") == "L3"
