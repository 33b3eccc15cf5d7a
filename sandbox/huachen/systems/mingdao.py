"""The weekly checks of machines in 明道云: one worksheet; ids of fields as the platform makes them, aliases as people did."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime

from sandbox.huachen.world.records import World
from sandbox.huachen.world.spelling import Spelling
from sandbox.store import Field, Table

VENDOR = "mingdao"
SYSTEM = "mingdao"
WORKSHEET = "66c1a05e9d7b3f2c84e05a10"
NUMBER, MACHINE, PERSON, AT, RESULT, CHECKED, ODD, NOTE = (
    f"66c1a0{n:02x}9d7b3f2c84e05b{n:02x}" for n in range(1, 9)
)
OPTIONS = {
    "app_key": "hc7b2d90e5",
    "sign": "sandbox-sign-NDk2YzBhZTg3ZDE1",
    "app_name": "设备管理",
    "aliases": json.dumps(
        {WORKSHEET: {NUMBER: "check_no", MACHINE: "machine", AT: "checked_at", RESULT: "result"}}
    ),
}

RESULTS = (("5f1c0a01-0000-4000-8000-000000000001", "正常"), ("5f1c0a01-0000-4000-8000-000000000002", "异常"))
_RESULT = {words: key for key, words in RESULTS}


def tables(world: World, spelling: Spelling) -> list[Table]:
    """The worksheet and its people."""
    machines = {item.subject: _uuid("machine", item.subject) for item in world.inspections}
    fields = (
        Field("rowid", "text", "记录编号", required=True),
        Field("_createdAt", "instant", "创建时间", required=True, indexed=True),
        Field("_updatedAt", "instant", "更新时间", required=True, indexed=True),
        Field("_owner", "text", "拥有者", refers="user", personal=True),
        Field(NUMBER, "text", "点检单号", required=True),
        Field(MACHINE, "choice", "设备", tuple((key, name) for name, key in machines.items()), required=True),
        Field(PERSON, "text", "点检人", refers="user", personal=True),
        Field(AT, "instant", "点检时间", required=True),
        Field(RESULT, "choice", "点检结果", RESULTS, required=True),
        Field(CHECKED, "integer", "点检项数"),
        Field(ODD, "integer", "异常项数"),
        Field(NOTE, "text", "异常描述"),
    )
    rows = []
    for item in world.inspections:
        who, at = spelling.employee_id(SYSTEM, item.person), _utc(item.at)
        rows.append(
            (_uuid("row", item.number), at, at, who, item.number, machines[item.subject], who, at, _RESULT[item.result], int(item.checked),
             int(item.rejected), item.note or None)
        )  # fmt: skip
    people = [(spelling.employee_id(SYSTEM, item.number), item.name) for item in world.employees]
    user = (
        Field("accountId", "text", "账号", required=True),
        Field("fullname", "text", "姓名", personal=True),
    )
    return [
        Table(WORKSHEET, "设备点检", ("rowid",), fields, rows),
        Table("user", "成员", ("accountId",), user, people),
    ]


def _uuid(*parts: str) -> str:
    text = f"{random.Random(':'.join(parts)).getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _utc(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
