"""What every system of 华辰精工 holds, as its contract should show it: worked out from the systems' own rows alone.

A stream shows a table of its system, column by column under the vendor's field names; what differs from that is written
down in `SHOWN`, by hand. Files and PostgreSQL are worked out from the history again, with the seed they were built with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.huachen.systems import crm, feishu, mingdao, systems
from sandbox.huachen.world import Spelling, world
from sandbox.store import Store, Table
from sources.contract import Source

RESOLVED = "resolved"  # of a Jira issue: its column
Row = dict[str, Any]
Rows = dict[tuple[Any, ...], Row]
Read = Callable[[Any], Any]


@dataclass(frozen=True)
class System:
    """The tables of one system with their rows."""

    tables: Mapping[str, Table]
    rows: Callable[[str], Iterator[Row]]

    def by(self, table: str, key: str) -> dict[Any, Row]:
        return {row[key]: row for row in self.rows(table)}

    def words(self, table: str, name: str) -> dict[str, str]:
        return dict(self.tables[table].field(name).options)


@dataclass(frozen=True)
class Shown:
    """How a stream shows its table, where it does not simply show it.

    `fields`: column → field, where the contract's path does not name it. `rows`: the rows with what is worked out, under
    names of fields. `read`: column → how the text that was loaded is read, for lists and forms that come as JSON.
    """

    table: str
    fields: Mapping[str, str] = field(default_factory=dict)
    rows: Callable[[System], Iterator[Row]] | None = None
    read: Mapping[str, Read] = field(default_factory=dict)


def system_of(home: Path, source: str) -> System:
    """The system behind a source: its store or database, or the history for what is neither."""
    name = source.removeprefix("hc_").removesuffix("_flow")
    for folder in ("systems", "databases"):
        if (path := home / "huachen" / folder / f"{name}.sqlite").is_file():
            store = Store(path)
            return System(store.tables, store.rows)
    said = json.loads((home / "huachen" / ".built.json").read_text(encoding="utf-8"))
    made = {table.name: table for table in systems()[name].tables(*_history(said["seed"], said["scale"]))}

    def rows(table: str) -> Iterator[Row]:
        names = [item.name for item in made[table].fields]
        return (dict(zip(names, row, strict=True)) for row in made[table].rows)

    return System(made, rows)


@cache
def _history(seed: int, scale: int):
    made = world(seed, scale)
    return made, Spelling(made)


def truth(system: System, source: Source, stream: str) -> Rows:
    """The rows a stream must hold, by key."""
    promise = source.streams[stream]
    shown = SHOWN.get(f"{source.name}.{stream}") or Shown(
        TABLES[source.name](promise.object or promise.origin)
    )
    table = system.tables[shown.table]
    parents = system.by(table.parent, system.tables[table.parent].key[0]) if table.parent else {}
    zone, blank = ZoneInfo(source.timezone), BLANK.get(source.name, ())
    paths = {
        column: shown.fields.get(column) or promise.source_column(column).lstrip("@")
        for column in promise.columns
    }
    found: Rows = {}
    count = 0
    for row in (shown.rows or (lambda one: one.rows(shown.table)))(system):
        above = parents.get(row.get(table.link or ""), {})
        made: Row = {}
        for column, path in paths.items():
            value = above[path.removeprefix("parent.")] if path.startswith("parent.") else _field(row, path)
            made[column] = _value(
                promise.columns[column].type, None if value in blank else value, zone, column in shown.read
            )
        found[tuple(made[name] for name in promise.key)] = made
        count += 1
    assert len(found) == count, f"{source.name}.{stream}: the key does not name one row of the system"
    return found


def held(con: Any, source: Source, stream: str) -> Rows:
    """The rows that hold now in the warehouse, by key; instants in UTC."""
    promise = source.streams[stream]
    shown = SHOWN.get(f"{source.name}.{stream}")
    read = shown.read if shown else {}
    listed = ", ".join(
        f"timezone('UTC', \"{name}\")" if column.type == "timestamptz" else f'"{name}"'
        for name, column in promise.columns.items()
    )
    rows = con.execute(
        f'select {listed} from {source.raw_schema}."{stream}" where not _is_deleted'
    ).fetchall()
    found: Rows = {}
    for values in rows:
        row = dict(zip(promise.columns, values, strict=True))
        row |= {name: reader(row[name]) for name, reader in read.items() if row[name] is not None}
        found[tuple(row[name] for name in promise.key)] = row
    assert len(found) == len(rows), f"{source.name}.{stream}: a key is held twice"
    return found


def differences(where: str, there: Rows, here: Rows) -> list[str]:
    """Rows that are missing or too much, and every value that is another, with stream, key and column."""
    found = [f"{where} {key}: missing" for key in there.keys() - here.keys()]
    found += [f"{where} {key}: not in the system" for key in here.keys() - there.keys()]
    for key in there.keys() & here.keys():
        found += [
            f"{where} {key} {column}: {value!r} there, {here[key][column]!r} here"
            for column, value in there[key].items()
            if here[key][column] != value or type(here[key][column]) is not type(value)
        ]
    return found


def _field(row: Row, path: str) -> Any:
    """The field a path begins with: `_widget_1.username` is what `_widget_1` holds."""
    return row[path] if path in row else row[path.partition(".")[0]]


def _value(kind: str, value: Any, zone: ZoneInfo, as_it_is: bool) -> Any:
    if value is None or as_it_is:
        return value
    if kind == "timestamptz":
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:  # a day is its midnight where the system stands
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC).replace(tzinfo=None)
    if kind == "timestamp":
        moment = datetime.fromisoformat(value)
        return moment.astimezone(zone).replace(tzinfo=None) if moment.tzinfo else moment
    return _READ[kind.split("(")[0]](value)


_READ: dict[str, Read] = {
    "text": str,
    "integer": int,
    "bigint": int,
    "decimal": Decimal,
    "boolean": bool,
    "date": date.fromisoformat,
}


# --- what a stream shows that its table does not hold as it is ---


def _is_there(table: str, flag: str) -> Callable[[System], Iterator[Row]]:
    return lambda system: (row for row in system.rows(table) if not row[flag])


def _issues(system: System) -> Iterator[Row]:
    people = system.by("user", "accountId")
    for row in system.rows("issue"):
        words = {name: system.words("issue", name)[row[name]] for name in ("status", "priority", "issuetype")}
        yield row | words | {"name": people[row["assignee"]]["displayName"]}


def _checks(system: System) -> Iterator[Row]:
    form = mingdao.WORKSHEET
    named = {item.title: item.name for item in system.tables[form].fields}
    people = system.by("user", "accountId")
    for row in system.rows(form):
        words = {
            named[title]: system.words(form, named[title])[row[named[title]]]
            for title in ("设备", "点检结果")
        }
        yield row | words | {"id": row["rowid"], "name": people[row[named["点检人"]]]["fullname"]}


def _web_orders(system: System) -> Iterator[Row]:
    """No order has more lines than the twenty that come with it."""
    return (row | {"lineItems.pageInfo.hasNextPage": "false"} for row in system.rows("orders"))


def _lists(*names: str, rows: Callable[[System], Iterator[Row]]) -> Callable[[System], Iterator[Row]]:
    return lambda system: (row | {name: json.loads(row[name]) for name in names} for row in rows(system))


def _approvals(kind: str) -> Callable[[System], Iterator[Row]]:
    code = feishu.CODES[kind]
    return lambda system: (
        row | {"form": (row["title"], row["amount"] and Decimal(row["amount"]), row["reference"])}
        for row in system.rows("instance")
        if row["approval_code"] == code
    )


def _approval_tasks(kind: str) -> Callable[[System], Iterator[Row]]:
    def rows(system: System) -> Iterator[Row]:
        ours = {row["instance_code"] for row in _approvals(kind)(system)}
        return (row for row in system.rows("task") if row["instance_code"] in ours)

    return rows


def _spare_parts(system: System) -> Iterator[Row]:
    states = system.words(feishu.LEDGER, "fldStatus6")
    for row in system.rows(feishu.LEDGER):
        yield row | {
            "fldStatus6": states[row["fldStatus6"]],
            "fldLabels7": json.loads(row["fldLabels7"]),
            "fldPerson9": json.loads(row["fldPerson9"])[0]["id"],
        }


def _leave(system: System) -> Iterator[Row]:
    steps: dict[str, list[tuple]] = {}
    for row in system.rows("task"):
        if row["finishTime"]:
            steps.setdefault(row["instance"], []).append(
                (row["userId"], datetime.fromisoformat(row["finishTime"]), row["result"])
            )
    for row in system.rows("instance"):
        yield row | {"result": row["result"] or None, "operations": steps.get(row["id"], [])}


def _leave_values(system: System) -> Iterator[Row]:
    for row in system.rows("instance"):
        said = {"instance": row["id"], "began": row["createTime"]}
        yield said | {"id": "DDHolidayField-A", "name": "请假类型", "componentType": "DDHolidayField", "value": "年假"}  # fmt: skip
        yield said | {"id": "DDDateRange-B", "name": "开始日期", "componentType": "DDDateField", "value": row["leave_begin"]}  # fmt: skip
        days = str(Decimal(row["leave_days"]).normalize())
        yield said | {"id": "NumberField-C", "name": "天数", "componentType": "NumberField", "value": days}


def _claims(system: System) -> Iterator[Row]:
    steps: dict[str, list[tuple]] = {}
    for row in system.rows("record"):
        at = row["sptime"] and int(datetime.fromisoformat(row["sptime"]).timestamp())
        steps.setdefault(row["sp_no"], []).append((row["sp_status"], row["approver_userid"], at))
    for row in system.rows("approval"):
        yield row | {"steps": steps[row["sp_no"]], "form": (row["reason"], Decimal(row["amount"]))}


def _read_form(text: str) -> tuple:
    items = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    values = {item["id"]: item["value"] for item in items}
    return tuple(values[f"widget_{name}"] or None for name in ("title", "amount", "reference"))


def _read_pieces(text: str) -> str:
    return "".join(piece["text"] for piece in json.loads(text))


def _read_operations(text: str) -> list[tuple]:
    return [(one["userId"], datetime.fromisoformat(one["date"]), one["result"]) for one in json.loads(text)]


def _read_steps(text: str) -> list[tuple]:
    return [
        (node["sp_status"], one["approver"]["userid"], one["sptime"] or None)
        for node in json.loads(text) for one in node["details"]
    ]  # fmt: skip


def _read_claim(text: str) -> tuple:
    reason, money = (item["value"] for item in json.loads(text))
    return reason["text"], Decimal(money["new_money"])


_APPROVAL: dict[str, Any] = {"table": "instance", "read": {"form": _read_form}}
_STEPS = {"steps": "steps", "contents": "form"}
_VALUE = {"instance_id": "instance", "created_at": "began"}
_TASK = {"instance_id": "instance"}

# What an empty text means, by source: nothing, where the wire or the file cannot tell them apart.
BLANK = {"hc_kingdee": ("", " "), "hc_u8": ("",), "hc_tms": ("",), "hc_hr": ("",)}

# Table of a stream from its `object` or `from`, by source.
TABLES: dict[str, Callable[[str], str]] = {
    "hc_kingdee": str, "hc_u8": str, "hc_mes": str, "hc_salesforce": str, "hc_shopify": str,
    "hc_h3yun": str, "hc_mingdao": str, "hc_dingtalk": str, "hc_feishu": str, "hc_jira": str,
    "hc_sap": lambda name: name.replace("/to_Item", "Item").replace("/to_Description", "Description"),
    "hc_yonbip": {"purchaseorder": "scm/purchaseorder", "vendor": "digitalModel/vendor", "staff": "digitalModel/staff"}.__getitem__,
    "hc_shop": {"shops": "shops", "sku": "sku", "orders": "orders", "orders.items": "order_items", "refunds": "refunds",
                "refunds.items": "refund_items", "/open/finance/settlement/query": "settlements"}.__getitem__,
    "hc_tms": {"运单_*.csv": "运单", "签收_*.xml": "签收"}.__getitem__,
}  # fmt: skip

SHOWN = {
    "hc_crm.customer": Shown("customer"),
    "hc_crm.opportunity": Shown("opportunity"),
    "hc_crm.purchase_request": Shown("purchase_request"),
    "hc_crm.purchase_request_line": Shown(crm.LINES),
    "hc_hr.department": Shown("部门"),
    "hc_hr.employee": Shown("花名册"),
    "hc_hr.post": Shown("任职"),
    "hc_hr.payroll": Shown("工资"),
    "hc_salesforce.account": Shown("Account", rows=_is_there("Account", "IsDeleted")),
    "hc_salesforce.opportunity": Shown("Opportunity", rows=_is_there("Opportunity", "IsDeleted")),
    "hc_yonbip.staff": Shown("digitalModel/staff", rows=_is_there("digitalModel/staff", "dr")),
    "hc_shopify.web_order": Shown("orders", rows=_web_orders),
    "hc_jira.issue": Shown(
        "issue",
        {"project": "project", "issue_type": "issuetype", "summary": "summary", "status": "status", "priority": "priority",
         "assignee": "assignee", "assignee_name": "name", "created": "created", "updated": "updated", RESOLVED: "resolutiondate",
         "customer_code": "customfield_10041", "product_code": "customfield_10042", "delivery": "customfield_10043"},
        _issues,
    ),
    "hc_jira.changelog": Shown("changelog", {"issue_id": "issue"}),
    "hc_jira.changelog_item": Shown("changelog_item"),
    "hc_mingdao.machine_check": Shown(mingdao.WORKSHEET, {"person_name": "name"}, _checks),
    "hc_dingtalk.user": Shown(
        "user", rows=_lists("dept_id_list", rows=lambda system: system.rows("user")), read={"department_ids": json.loads}
    ),
    "hc_dingtalk_flow.leave": Shown(
        "instance", {"instance_id": "id", "operations": "operations"}, _leave, {"operations": _read_operations}
    ),
    "hc_dingtalk_flow.leave_task": Shown("task", _TASK),
    "hc_dingtalk_flow.leave_value": Shown("instance", _VALUE, _leave_values),
    "hc_feishu.department": Shown("department"),
    "hc_feishu.user": Shown(
        "user",
        {"is_resigned": "is_resigned", "is_activated": "is_activated"},
        _lists("department_ids", rows=lambda system: system.rows("user")),
        {"department_ids": json.loads},
    ),
    "hc_feishu.discount_approval": Shown(**_APPROVAL, rows=_approvals("discount")),
    "hc_feishu.payment_approval": Shown(**_APPROVAL, rows=_approvals("payment")),
    "hc_feishu.discount_approval_task": Shown("task", rows=_approval_tasks("discount")),
    "hc_feishu.payment_approval_task": Shown("task", rows=_approval_tasks("payment")),
    "hc_feishu.spare_part": Shown(
        feishu.LEDGER,
        {"ticket_no": "fldTicket1", "customer_name": "fldCustom2", "part_code": "fldPartCd3", "quantity": "fldQuanti4",
         "amount": "fldAmount5", "status": "fldStatus6", "labels": "fldLabels7", "needed_on": "fldNeeded8", "owner_id": "fldPerson9",
         "is_closed": "fldClosed0", "remark": "fldRemark1"},
        _spare_parts,
        {"labels": json.loads, "remark": _read_pieces},
    ),
    "hc_wecom.expense_claim": Shown(
        "approval", {"applicant_id": "applyer_userid", "department_id": "partyid", **_STEPS}, _claims,
        {"steps": _read_steps, "contents": _read_claim},
    ),
}  # fmt: skip
