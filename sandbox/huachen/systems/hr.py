"""HR in Excel: one workbook with departments, people and their posts by date; one workbook of pay a month.

As an office keeps them: the title merged over row 1, the header in row 3, the department written once for all its
people in a merged cell, a 合计 row below the pay. `tables` is what the files say, in canonical values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.huachen.workbooks import fill, save
from sandbox.huachen.world import Spelling, World
from sandbox.store import Field, Row, Table

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

VENDOR = "files"
OPTIONS: dict[str, str] = {}
SYSTEM = "hr"
ROSTER_FILE = "员工花名册.xlsx"

_COMPANY = "华辰精工股份有限公司"
_HEADER_ROWS = 3


def tables(world: World, spelling: Spelling) -> list[Table]:
    """Sheets 部门, 花名册, 任职 of the roster, and 工资: the pay of every month."""
    names = {item.code: item.name for item in world.departments}
    return [
        _departments(world),
        _people(world, spelling),
        _posts(world, spelling, names),
        _pay(world, spelling, names),
    ]


def write(folder: Path, world: World, spelling: Spelling) -> None:
    """Write the workbooks into a folder that exists; equal histories give equal bytes."""
    *roster, pay = tables(world, spelling)
    _write_roster(folder / ROSTER_FILE, roster)
    for month, rows in groupby(pay.rows, key=lambda row: row[0][:7]):
        _write_pay(folder / f"工资_{month}.xlsx", month, pay, list(rows))


def _departments(world: World) -> Table:
    fields = (
        Field("部门编码", "text", "部门编码", required=True),
        Field("部门名称", "text", "部门名称", required=True),
        Field("上级部门编码", "text", "上级部门编码"),
        Field("生效日期", "date", "生效日期", required=True),
        Field("失效日期", "date", "失效日期"),
    )
    rows = [
        (
            item.code,
            item.name,
            item.parent,
            item.valid_from.isoformat(),
            item.valid_to and item.valid_to.isoformat(),
        )
        for item in sorted(world.departments, key=lambda item: (item.code, item.valid_from))
    ]
    return Table("部门", "部门", ("部门编码", "生效日期"), fields, rows)


def _people(world: World, spelling: Spelling) -> Table:
    fields = (
        Field("工号", "text", "工号", required=True),
        Field("姓名", "text", "姓名", required=True, personal=True),
        Field("岗位", "text", "岗位"),
        Field("手机", "text", "手机", personal=True),
        Field("入职日期", "date", "入职日期", required=True),
        Field("离职日期", "date", "离职日期"),
    )
    rows = [
        (spelling.employee_id(SYSTEM, item.number), item.name, item.title, item.mobile, item.hired.isoformat(),
         item.left and item.left.isoformat())
        for item in world.employees
    ]  # fmt: skip
    return Table("花名册", "员工花名册", ("工号",), fields, rows)


def _posts(world: World, spelling: Spelling, names: dict[str, str]) -> Table:
    fields = (
        Field("工号", "text", "工号", refers="花名册", required=True),
        Field("到岗日期", "date", "到岗日期", required=True),
        Field("部门编码", "text", "部门编码", refers="部门", required=True),
        Field("部门名称", "text", "部门名称"),
    )
    rows = [
        (spelling.employee_id(SYSTEM, item.number), since.isoformat(), code, names[code])
        for item in world.employees
        for since, code in item.posts
    ]
    return Table("任职", "任职记录", ("工号", "到岗日期"), fields, rows)


def _pay(world: World, spelling: Spelling, names: dict[str, str]) -> Table:
    fields = (
        Field("发薪月末", "date", "发薪月末", required=True),
        Field("部门", "text", "部门", required=True),
        Field("工号", "text", "工号", refers="花名册", required=True),
        Field("姓名", "text", "姓名", required=True, personal=True),
        Field("应发工资", "decimal", "应发工资（元）", required=True, personal=True),
    )
    people = {item.number: item for item in world.employees}
    rows = sorted(
        (day.isoformat(), names[people[number].department(day)], spelling.employee_id(SYSTEM, number), people[number].name, f"{gross:f}")
        for day, number, gross in world.payroll
    )  # fmt: skip
    return Table("工资", "工资表", ("发薪月末", "工号"), fields, rows)


def _write_roster(path: Path, sheets: list[Table]) -> None:
    from openpyxl import Workbook

    book = Workbook()
    notes = book.active
    assert notes is not None
    notes.title = "填表说明"
    notes.append(["人事部每月初更新；工号入职后不再变更，调岗在“任职”加一行，不改旧行。"])
    for table in sheets:
        header = [item.name for item in table.fields]
        fill(book.create_sheet(table.name), f"{_COMPANY} {table.title}", header, _cells(table, table.rows))
    save(book, path)


def _write_pay(path: Path, month: str, table: Table, rows: list[Row]) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "工资"
    header = [item.name for item in table.fields]
    fill(sheet, f"{_COMPANY} 工资表 {month}", header, _cells(table, rows))
    total = sum((Decimal(row[-1]) for row in rows), Decimal(0))
    sheet.append(["合计", *[None] * (len(header) - 2), float(total)])
    _merge_same(sheet, header.index("部门"), [row[1] for row in rows])
    save(book, path)


def _merge_same(sheet: Worksheet, place: int, values: list[str]) -> None:
    """Write a value that several rows share once, in one merged cell."""
    first = _HEADER_ROWS + 1
    for _, same in groupby(values):
        last = first + len(list(same)) - 1
        if last > first:
            sheet.merge_cells(start_row=first, start_column=place + 1, end_row=last, end_column=place + 1)
        first = last + 1


def _cells(table: Table, rows: Iterable[Row]) -> Iterator[list[object]]:
    """Values as people type them: dates are dates, amounts are numbers, and numbers of people stay text."""
    read = {"date": date.fromisoformat, "decimal": float}
    for row in rows:
        yield [
            read[field.kind](value) if value is not None and field.kind in read else value
            for field, value in zip(table.fields, row, strict=True)
        ]
