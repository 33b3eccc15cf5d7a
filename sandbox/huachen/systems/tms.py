"""The carriers' portal (TMS): waybills as monthly CSV files, signed delivery notes as monthly XML files.

A Chinese Windows program writes them: GB18030, CRLF, local wall clock without a zone. 控制总数.csv says for every file
how many records it has and what its columns add up to. `tables` is what the files say, in canonical values.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr
from zoneinfo import ZoneInfo

from sandbox.huachen.boxes import boxes
from sandbox.huachen.world import Spelling, World
from sandbox.store import Field, Row, Table

VENDOR = "files"
OPTIONS: dict[str, str] = {}
SYSTEM = "tms"
CONTROL_FILE = "控制总数.csv"

_SHANGHAI = ZoneInfo("Asia/Shanghai")
# Columns whose totals the control file states.
_TOTALS = {"运单": ("件数", "运费"), "签收": ("签收件数",)}


def tables(world: World, spelling: Spelling) -> list[Table]:
    """运单: one row per waybill. 签收: one row per waybill that was signed for."""
    waybill = (
        Field("运单号", "text", "运单号", required=True),
        Field("出库单号", "text", "出库单号", required=True),
        Field("承运商", "text", "承运商", required=True),
        Field("收货方", "text", "收货方"),
        Field("收货地址", "text", "收货地址"),
        Field("收货电话", "text", "收货电话", personal=True),
        Field("件数", "integer", "件数", required=True),
        Field("运费", "decimal", "运费（元，含税）", required=True),
        Field("发货时间", "instant", "发货时间", required=True),
    )
    signed = (
        Field("运单号", "text", "运单号", refers="运单", required=True),
        Field("签收时间", "instant", "签收时间", required=True),
        Field("签收人", "text", "签收人", personal=True),
        Field("签收件数", "integer", "签收件数", required=True),
    )
    moves = {move.number: move for move in world.moves if move.kind == "delivery"}
    known = {item.code: item for item in spelling.customers(SYSTEM)}
    products = world.products_by_code
    waybills: list[Row] = []
    notes: list[Row] = []
    for item in sorted(world.shipments, key=lambda item: (item.shipped_at, item.number)):
        move = moves[item.delivery]
        party = known[spelling.customer_code(SYSTEM, move.party, move.number)] if move.party else None
        count = len(list(boxes(move, products)))
        waybills.append(
            (item.number, item.delivery, item.carrier, party and party.name, party and party.address, party and party.phone,
             count, f"{item.freight:f}", _instant(item.shipped_at))
        )  # fmt: skip
        if item.signed_at:
            notes.append((item.number, _instant(item.signed_at), party and party.contact, count))
    notes.sort(key=lambda row: (row[1], row[0]))
    return [
        Table("运单", "运单", ("运单号",), waybill, waybills),
        Table("签收", "签收回单", ("运单号",), signed, notes),
    ]


def write(folder: Path, world: World, spelling: Spelling) -> None:
    """Write every file and the control file into a folder that exists; equal histories give equal bytes."""
    waybill, signed = tables(world, spelling)
    control: list[tuple[str, int, str | None, str | None]] = []
    for table, time, ending in ((waybill, "发货时间", "csv"), (signed, "签收时间", "xml")):
        for month, rows in _months(table, time):
            name = f"{table.name}_{month}.{ending}"
            (_write_csv if ending == "csv" else _write_xml)(
                folder / name, [item.name for item in table.fields], rows
            )
            for column in _TOTALS[table.name]:
                place = [item.name for item in table.fields].index(column)
                total = sum((Decimal(row[place]) for row in rows), Decimal(0))
                control.append((name, len(rows), column, f"{total:f}"))
    _write_csv(folder / CONTROL_FILE, ["文件名", "行数", "合计列", "合计"], control)


def _months(table: Table, time: str) -> list[tuple[str, list[Row]]]:
    """Rows by local month, their instants as the program writes them."""
    places = [place for place, item in enumerate(table.fields) if item.kind == "instant"]
    local = [
        tuple(_local(value) if place in places else value for place, value in enumerate(row))
        for row in table.rows
    ]
    when = [item.name for item in table.fields].index(time)
    return [(month, list(rows)) for month, rows in groupby(local, key=lambda row: row[when][:7])]


def _write_csv(path: Path, header: list[str], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="gb18030", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(header)
        writer.writerows(["" if value is None else value for value in row] for row in rows)


def _write_xml(path: Path, names: list[str], rows: Iterable[Row]) -> None:
    """The first column is an attribute of each record, the others are elements; what is empty is left out."""
    lines = ['<?xml version="1.0" encoding="GB18030"?>', "<签收回单 版本='2.0'>", "  <回单列表>"]
    for first, *others in rows:
        lines.append(f"    <回单 {names[0]}={quoteattr(str(first))}>")
        lines += [
            f"      <{name}>{escape(str(value))}</{name}>"
            for name, value in zip(names[1:], others, strict=True)
            if value is not None
        ]
        lines.append("    </回单>")
    lines += ["  </回单列表>", "</签收回单>", ""]
    path.write_bytes("\r\n".join(lines).encode("gb18030"))


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _local(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(_SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
