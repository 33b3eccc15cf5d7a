"""Customers, opportunities and purchase requests in 简道云: forms that the company drew itself.

Widgets have the technical ids that 简道云 gives them; what they mean is in their titles. A purchase request is a
workflow form with its lines as a subform. Customers are keyed in by salespeople, some of them twice.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

from sandbox.huachen.world import Spelling, World
from sandbox.store import Field, Table

VENDOR = "jiandaoyun"
OPTIONS: dict[str, str] = {
    "api_key": "hc-jdy-5e1f7a90c2d84b36",
    "app_id": "65a0c1d2e3f4a5b6c7d8e9f0",
    "app_name": "华辰客户与采购",
}
LINES = "_widget_1690000003010"  # the subform of a purchase request

_STAGES = ("初步接触", "方案报价", "商务谈判", "赢单", "输单")
_FLOW = {"审批中": 0, "已通过": 1, "已驳回": 3}
_SYSTEM = (
    Field("_id", "text", "数据ID", required=True),
    Field("createTime", "instant", "提交时间"),
    Field("updateTime", "instant", "更新时间"),
    Field("creator", "text", "提交人", refers="users", personal=True),
)


def tables(world: World, spelling: Spelling) -> list[Table]:
    """The three forms, the lines of one, and the directory."""
    return [
        _customers(world, spelling),
        _opportunities(world, spelling),
        *_requests(world, spelling),
        *_directory(world, spelling),
    ]


def _customers(world: World, spelling: Spelling) -> Table:
    fields = (
        *_SYSTEM,
        Field("_widget_1690000001001", "text", "客户编号", required=True),
        Field("_widget_1690000001002", "text", "客户名称", required=True),
        Field("_widget_1690000001003", "text", "统一社会信用代码"),
        Field("_widget_1690000001004", "text", "联系人", personal=True),
        Field("_widget_1690000001005", "text", "联系电话", personal=True),
        Field("_widget_1690000001006", "text", "所在城市"),
        Field("_widget_1690000001007", "text", "详细地址"),
        Field(
            "_widget_1690000001008",
            "choice",
            "客户状态",
            options=(("合作中", "合作中"), ("已停用", "已停用")),
        ),
    )
    sellers = [person.number for person in world.history.employees if person.posts[0][1] in {"200", "210"}]
    rows = [
        (_id("customer", item.code, item.created_at), _instant(item.created_at), _instant(item.modified_at),
         spelling.employee_id("crm", sellers[(item.place - 1) % len(sellers)]), item.code, item.name, item.credit_code,
         item.contact, item.phone, item.city, item.address, "已停用" if item.disabled else "合作中")
        for item in spelling.customers("crm")
    ]  # fmt: skip
    return Table("customer", "客户档案", ("_id",), fields, rows)


def _opportunities(world: World, spelling: Spelling) -> Table:
    fields = (
        *_SYSTEM,
        Field("_widget_1690000002001", "text", "商机编号", required=True),
        Field("_widget_1690000002002", "text", "客户", refers="customer"),
        Field("_widget_1690000002003", "text", "客户编号"),
        Field("_widget_1690000002004", "choice", "阶段", options=tuple((item, item) for item in _STAGES)),
        Field("_widget_1690000002005", "decimal", "预计金额（元，不含税）"),
        Field("_widget_1690000002006", "date", "预计成交日期"),
        Field("_widget_1690000002007", "text", "销售订单号"),
        Field("_widget_1690000002008", "text", "负责人", refers="users", personal=True),
    )
    known = {item.code: item for item in spelling.customers("crm")}
    rows = []
    for item in world.opportunities:
        if item.entity != "HC":
            continue
        code = spelling.customer_code("crm", item.customer, item.number)
        person = spelling.employee_id("crm", item.person)
        rows.append(
            (_id("opportunity", item.number, item.created_at), _instant(item.created_at), _instant(item.updated_at), person,
             item.number, _id("customer", code, known[code].created_at), code, item.stage, str(item.amount),
             item.expected.isoformat(), item.order, person)
        )  # fmt: skip
    return Table("opportunity", "商机", ("_id",), fields, rows)


def _requests(world: World, spelling: Spelling) -> tuple[Table, Table]:
    fields = (
        *_SYSTEM,
        Field("flowState", "integer", "流程状态"),
        Field("_widget_1690000003001", "text", "申请单号", required=True),
        Field("_widget_1690000003002", "text", "申请人", refers="users", personal=True),
        Field("_widget_1690000003003", "integer", "申请部门", refers="departments"),
        Field("_widget_1690000003004", "instant", "审批完成时间"),
        Field("_widget_1690000003005", "text", "采购订单号"),
    )
    inside = (
        Field("_id", "text", "行ID", required=True),
        Field("request_id", "text", "申请单", refers="purchase_request", required=True),
        Field("_widget_1690000003011", "text", "物料编码", required=True),
        Field("_widget_1690000003012", "decimal", "数量"),
        Field("_widget_1690000003013", "text", "单位"),
        Field("_widget_1690000003014", "date", "需求日期"),
    )
    people = {person.number: person for person in world.employees}
    units = {item.product: item.unit for item in spelling.products("crm")}
    rows, lines = [], []
    for item in world.requests:
        key = _id("purchase_request", item.number, item.created_at)
        person = spelling.employee_id("crm", item.person)
        department = int(people[item.person].department(item.created_at.date()))
        decided = _instant(item.decided_at) if item.decided_at else None
        rows.append(
            (key, _instant(item.created_at), decided or _instant(item.created_at), person, _FLOW[item.state], item.number,
             person, department, decided, item.order)
        )  # fmt: skip
        for place, (product, quantity, needed) in enumerate(item.lines, start=1):
            line = _id("line", f"{item.number}-{place}", item.created_at)
            code = spelling.product_code("crm", product)
            lines.append((line, key, code, str(quantity), units[product], needed.isoformat()))
    head = Table("purchase_request", "采购申请", ("_id",), fields, rows)
    return head, Table(LINES, "申请明细", ("_id",), inside, lines, "purchase_request", "request_id")


def _directory(world: World, spelling: Spelling) -> tuple[Table, Table]:
    people = (
        Field("username", "text", "账号", required=True),
        Field("name", "text", "姓名", personal=True),
        Field("status", "integer", "状态"),
        Field("type", "integer", "类型"),
        Field("departments", "list", "部门"),
        Field("integrate_id", "text", "集成账号"),
    )
    places = (
        Field("dept_no", "integer", "部门编号", required=True),
        Field("name", "text", "部门名称"),
        Field("parent_no", "integer", "上级部门"),
        Field("type", "integer", "类型"),
        Field("status", "integer", "状态"),
    )
    users = [
        (spelling.employee_id("crm", person.number), person.name, 1 if person.works(world.last) else -1, 0,
         json.dumps([int(person.department(world.last))]), person.number.lower())
        for person in world.employees
    ]  # fmt: skip
    today = {item.code: item for item in world.departments if item.valid_to is None}
    departments = [
        (int(item.code), item.name, int(item.parent) if item.parent else 1, 0, 1) for item in today.values()
    ]
    return (
        Table("users", "成员", ("username",), people, users),
        Table("departments", "部门", ("dept_no",), places, departments),
    )


def _id(table: str, key: str, created: datetime) -> str:
    """24 hex digits that begin with the second of creation, as those of the vendor's database do."""
    return f"{int(created.timestamp()):08x}{hashlib.sha256(f'crm:{table}:{key}'.encode()).hexdigest()[:16]}"


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
