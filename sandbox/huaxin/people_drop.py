"""Door 5, people: Excel workbooks as an office keeps them.

The timesheet is the awkward one, on purpose: a title merged over row 1, an empty row 2, the header in
row 3 and a 合计 row at the end. The roster's workbook opens on a page of notes, so the sheet must be
named. Attendance is a plain export of the clock at the door: header in row 1, Shanghai wall clock.
"""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.huaxin.erp import Table, read

if TYPE_CHECKING:
    import duckdb
    from openpyxl.workbook import Workbook

ROSTER_FILE = "员工花名册.xlsx"
_ROSTER = """
    select
        party.code as 工号,
        party.name as 姓名,
        employee.start_date as 入职日期,
        phone.value as 手机,
        employee.id as 记录号
    from company_employee as employee
    left join party_party as party on party.id = employee.party
    left join party_contact_mechanism as phone on phone.party = party.id
    order by employee.id
"""
_TIMESHEET = """
    select
        strftime(line.date, '%Y-%m') as month,
        line.id as 记录号,
        line.date as 日期,
        party.code as 工号,
        party.name as 姓名,
        work.name as 工作内容,
        cast(date_part('hour', line.duration) + date_part('minute', line.duration) / 60 as decimal(9, 4)) as 工时
    from timesheet_line as line
    left join company_employee as employee on employee.id = line.employee
    left join party_party as party on party.id = employee.party
    left join timesheet_work as work on work.id = line.work
    order by month, line.id
"""
# The ERP keeps the instant in UTC; the clock at the door shows Shanghai time, always eight hours ahead.
_ATTENDANCE = """
    select
        strftime(line.date, '%Y-%m') as month,
        line.id as 记录号,
        strftime(line.at + interval 8 hour, '%Y-%m-%d %H:%M:%S') as 时间,
        line.date as 日期,
        party.code as 工号,
        if(line.type = 'in', '上班', '下班') as 类型
    from attendance_line as line
    left join company_employee as employee on employee.id = line.employee
    left join party_party as party on party.id = employee.party
    order by month, line.id
"""
_SAVED = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)


def write_people_drop(folder: Path, erp: duckdb.DuckDBPyConnection) -> None:
    """Write every workbook into `folder`, which is empty; equal rows give equal bytes."""
    _save(folder / ROSTER_FILE, _roster(read(erp, "花名册", _ROSTER)))
    for month, table in _months(read(erp, "工时", _TIMESHEET)):
        _save(folder / f"工时_{month}.xlsx", _timesheet(month, table))
    for month, table in _months(read(erp, "考勤", _ATTENDANCE)):
        _save(folder / f"考勤_{month}.xlsx", _attendance(table))


def _months(table: Table) -> list[tuple[str, Table]]:
    months = sorted({row[0] for row in table.rows})
    return [
        (
            month,
            Table(
                table.name,
                table.columns[1:],
                table.types[1:],
                [row[1:] for row in table.rows if row[0] == month],
            ),
        )
        for month in months
    ]


def _roster(table: Table) -> Workbook:
    from openpyxl import Workbook

    book = Workbook()
    notes = book.active
    assert notes is not None
    notes.title = "填表说明"
    notes.append(["工号由人事统一编制，入职后不再变更。"])
    notes.append(["名单见“花名册”工作表。"])
    sheet = book.create_sheet(table.name)
    _titled(sheet, "华信精密装备有限公司 员工花名册", table)
    return book


def _timesheet(month: str, table: Table) -> Workbook:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = table.name
    _titled(sheet, f"华信精密装备有限公司 工时登记表 {month}", table)
    total = sum((row[-1] for row in table.rows), Decimal(0))
    sheet.append(["合计", *[None] * (len(table.columns) - 2), float(total)])
    return book


def _attendance(table: Table) -> Workbook:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = table.name
    _append(sheet, table)
    return book


def _titled(sheet: Any, title: str, table: Table) -> None:
    sheet.append([title])
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(table.columns))
    sheet.append([])
    _append(sheet, table)


def _append(sheet: Any, table: Table) -> None:
    sheet.append(table.columns)
    for row in table.rows:
        # openpyxl gives a date the format yyyy-mm-dd
        sheet.append([float(value) if isinstance(value, Decimal) else value for value in row])


def _save(path: Path, book: Workbook) -> None:
    """A workbook whose bytes depend on its cells only: no time of saving, inside or in the zip."""
    book.properties.created = _SAVED.replace(tzinfo=None)
    packed = io.BytesIO()
    book.save(packed)
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                saved = _SAVED.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + saved, content)
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, content)
