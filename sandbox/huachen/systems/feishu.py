"""Approvals around documents, the directory, and a ledger of spare parts that after-sales keeps, in 飞书."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, time

from sandbox.huachen.world import Spelling, World
from sandbox.huachen.world.records import Approval
from sandbox.store import Field, Row, Table

VENDOR = "feishu"
OPTIONS: dict[str, str] = {
    "app_id": "cli_a5f0c7e1d2b3900c",
    "app_secret": "hc-fs-9Qm2Xv7Lr4Tz8Kd1",
    "app_token": "bascnHcAfterSalesLedger0001",
}
CODES = {
    "payment": "7C468A54-8745-2245-9675-08B7C63E7A85",
    "discount": "7C468A54-8745-2245-9675-08B7C63E7A86",
    "purchase": "7C468A54-8745-2245-9675-08B7C63E7A87",
}
NAMES = {"payment": "付款申请", "discount": "折扣申请", "purchase": "采购审批"}
LEDGER = "tblSpareParts0001"

_NUMBER = re.compile(r"\b[CSF]\d{4}\b")
_RESULTS = {"通过": "APPROVED", "驳回": "REJECTED", "待审": "PENDING"}


def tables(world: World, spelling: Spelling) -> list[Table]:
    approvals = [item for item in world.approvals if item.system == "feishu"]
    return [
        _departments(world),
        _users(world, spelling),
        _instances(world, spelling, approvals),
        _tasks(world, spelling, approvals),
        _ledger(world, spelling),
    ]


def _departments(world: World) -> Table:
    fields = (
        Field("open_department_id", "text", "部门ID", required=True),
        Field("department_id", "text", "自定义部门ID"),
        Field("name", "text", "部门名称"),
        Field("parent_department_id", "text", "上级部门"),
        Field("leader_user_id", "text", "负责人"),
        Field("member_count", "integer", "人数"),
    )
    counts: dict[str, int] = {}
    for person in world.employees:
        if person.works(world.last):
            counts[person.department(world.last)] = counts.get(person.department(world.last), 0) + 1
    rows = [
        (_department(item.code), item.code, item.name, _department(item.parent) if item.parent else "0", None, counts.get(item.code, 0))
        for item in world.departments if item.valid_to is None
    ]  # fmt: skip
    return Table("department", "部门", ("open_department_id",), fields, rows)


def _users(world: World, spelling: Spelling) -> Table:
    fields = (
        Field("open_id", "text", "用户ID", required=True),
        Field("user_id", "text", "租户内用户ID"),
        Field("union_id", "text", "开发者内用户ID"),
        Field("name", "text", "姓名", personal=True),
        Field("employee_no", "text", "工号"),
        Field("mobile", "text", "手机号", personal=True),
        Field("email", "text", "邮箱", personal=True),
        Field("job_title", "text", "职务"),
        Field("department_ids", "list", "部门"),
        Field("leader_user_id", "text", "直属主管"),
        Field("join_time", "instant", "入职时间"),
        Field("employee_type", "integer", "人员类型"),
        Field("is_frozen", "flag", "已暂停"),
        Field("is_resigned", "flag", "已离职"),
        Field("is_activated", "flag", "已激活"),
    )
    rows = []
    for person in world.employees:
        if not person.works(world.last):
            continue  # who has left is removed from the directory
        open_id = spelling.employee_id("feishu", person.number)
        joined = datetime.combine(person.hired, time(1, 0), UTC)
        rows.append(
            (open_id, person.number.lower(), open_id.replace("ou_", "on_"), person.name, person.number, f"+86{person.mobile}",
             f"{person.number.lower()}@huachen.example", person.title, json.dumps([_department(person.department(world.last))]),
             None, _instant(joined), 1, 0, 0, 1)
        )  # fmt: skip
    return Table("user", "用户", ("open_id",), fields, rows)


def _instances(world: World, spelling: Spelling, approvals: list[Approval]) -> Table:
    fields = (
        Field("instance_code", "text", "审批实例", required=True),
        Field("approval_code", "text", "审批定义"),
        Field("approval_name", "text", "审批名称"),
        Field("serial_number", "text", "审批编号"),
        Field(
            "status",
            "choice",
            "状态",
            options=tuple((code, code) for code in ("PENDING", "APPROVED", "REJECTED")),
        ),
        Field("start_time", "instant", "发起时间"),
        Field("end_time", "instant", "完成时间"),
        Field("user_id", "text", "发起人"),
        Field("open_id", "text", "发起人用户ID"),
        Field("department_id", "text", "发起部门"),
        Field("reverted", "flag", "已撤销"),
        Field("title", "text", "事由"),
        Field("amount", "decimal", "金额"),
        Field("reference", "text", "关联单号"),
    )
    people = {person.number: person for person in world.employees}
    said = _names(spelling)
    rows = [
        (_instance(item), CODES[item.kind], NAMES[item.kind], f"{item.created_at:%Y%m%d}{int(item.number[2:]):04d}", item.status,
         _instant(item.created_at), _maybe(item.finished_at), item.person.lower(), spelling.employee_id("feishu", item.person),
         _department(people[item.person].department(item.created_at.date())), 0,
         _NUMBER.sub(lambda match: said(match[0]), item.title),
         str(item.amount) if item.amount is not None else None, item.reference)
        for item in approvals
    ]  # fmt: skip
    return Table("instance", "审批实例", ("instance_code",), fields, rows)


def _tasks(world: World, spelling: Spelling, approvals: list[Approval]) -> Table:
    fields = (
        Field("instance_code", "text", "审批实例", refers="instance", required=True),
        Field("id", "text", "任务ID", required=True),
        Field("place", "integer", "次序"),
        Field("user_id", "text", "审批人"),
        Field("open_id", "text", "审批人用户ID"),
        Field("status", "choice", "状态", options=tuple((code, code) for code in _RESULTS.values())),
        Field("node_id", "text", "节点ID"),
        Field("node_name", "text", "节点"),
        Field("type", "text", "审批方式"),
        Field("start_time", "instant", "开始时间"),
        Field("end_time", "instant", "完成时间"),
    )
    rows: list[Row] = []
    before = world.steps_before("feishu")
    for item in approvals:
        begins = item.created_at
        for place, (person, at, result, node) in enumerate(item.steps, start=1):
            rows.append(
                (_instance(item), f"{7_000_000_000_000_000_000 + before[item.number] + place - 1}", place, person.lower(),
                 spelling.employee_id("feishu", person), _RESULTS[result], f"node{place}", node, "AND", _instant(begins), _maybe(at))
            )  # fmt: skip
            begins = at or begins
    return Table("task", "审批任务", ("instance_code", "id"), fields, rows, "instance", "instance_code")


def _ledger(world: World, spelling: Spelling) -> Table:
    """Which spare part went out for which ticket, as after-sales notes it by hand."""
    states = (("optA", "待寄出"), ("optB", "已寄出"), ("optC", "已更换"))
    fields = (
        Field("record_id", "text", "记录ID", required=True),
        Field("created_time", "instant", "创建时间"),
        Field("last_modified_time", "instant", "修改时间"),
        Field("fldTicket1", "text", "工单号", required=True),
        Field("fldCustom2", "text", "客户"),
        Field("fldPartCd3", "text", "备件编码"),
        Field("fldQuanti4", "decimal", "数量"),
        Field("fldAmount5", "decimal", "金额"),
        Field("fldStatus6", "choice", "状态", options=states),
        Field("fldLabels7", "list", "标签"),
        Field("fldNeeded8", "date", "需求日期"),
        Field("fldPerson9", "list", "负责人", refers="user", personal=True),
        Field("fldClosed0", "flag", "已结案"),
        Field("fldRemark1", "text", "备注"),
        Field("fldModifi2", "instant", "最后更新时间", refers="last_modified_time"),
    )
    people = {person.number: person for person in world.employees}
    products = {item.code: item for item in world.products}
    said = _names(spelling)
    rows = []
    for number, ticket in enumerate(world.tickets, start=1):
        product = products[ticket.product]
        part = product.parts[0][0] if product.parts else product.code
        quantity = 1 + number % 3
        modified = _instant(ticket.updated_at)
        state = "optC" if ticket.resolved_at else "optB" if ticket.updated_at > ticket.created_at else "optA"
        labels = [ticket.priority, *(["加急"] if ticket.priority in {"High", "Highest"} else [])]
        person = {"id": spelling.employee_id("feishu", ticket.person), "name": people[ticket.person].name}
        rows.append(
            (f"rec{hashlib.sha256(ticket.key.encode()).hexdigest()[:10]}", _instant(ticket.created_at), modified, ticket.key,
             said(ticket.customer), part, str(quantity), str(quantity * products[part].cost), state,
             json.dumps(labels, ensure_ascii=False), ticket.created_at.date().isoformat(),
             json.dumps([person], ensure_ascii=False), int(ticket.resolved_at is not None),
             f"见 https://huachen.example/browse/{ticket.key}" if number % 4 == 0 else None, modified)
        )  # fmt: skip
    return Table(LEDGER, "售后备件台账", ("record_id",), fields, rows)


def _names(spelling: Spelling) -> Callable[[str], str]:
    """How people here write the name of a party."""
    parties = [
        *spelling.customers("feishu"),
        *spelling.foreign_customers("feishu"),
        *spelling.suppliers("feishu"),
    ]
    known = {item.number: item.name.strip() for item in reversed(parties)}
    return lambda number: known.get(number, number)


def _department(code: str) -> str:
    return f"od-{hashlib.sha256(f'feishu:{code}'.encode()).hexdigest()[:28]}"


def _instance(item: Approval) -> str:
    text = hashlib.sha256(f"feishu:{item.number}".encode()).hexdigest().upper()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


def _maybe(moment: datetime | None) -> str | None:
    return _instant(moment) if moment else None


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
