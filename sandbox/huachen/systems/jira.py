"""After-sales tickets in Jira Cloud, with every change of status; customers are named by the codes of the service desk."""

from __future__ import annotations

from datetime import UTC, datetime

from sandbox.huachen.world.records import World
from sandbox.huachen.world.spelling import Spelling
from sandbox.store import Field, Table

VENDOR = "jira"
SYSTEM = "jira"
OPTIONS = {
    "kind": "cloud",
    "user": "dataplatform@huachen.example",
    "token": "sandbox-jira-51c7e0b2f94d",
    "projects": "AS",
    "zone": "Asia/Shanghai",
}

PROJECT = "AS"
STATES = (("10000", "待处理"), ("3", "处理中"), ("10001", "已解决"), ("10002", "已关闭"))
PRIORITIES = (("2", "High"), ("3", "Medium"), ("4", "Low"))
_STATE = {words: code for code, words in STATES}
_PRIORITY = {words: code for code, words in PRIORITIES}

_ISSUE = (
    Field("id", "text", "编号", required=True),
    Field("key", "text", "键", required=True, indexed=True),
    Field("project", "text", "项目", refers="project", required=True),
    Field("issuetype", "choice", "事务类型", (("10004", "售后问题"),), required=True),
    Field("summary", "text", "概要", required=True),
    Field("status", "choice", "状态", STATES, required=True),
    Field("priority", "choice", "优先级", PRIORITIES),
    Field("assignee", "text", "经办人", refers="user", personal=True),
    Field("created", "instant", "创建时间", required=True),
    Field("updated", "instant", "更新时间", required=True, indexed=True),
    Field("resolutiondate", "instant", "解决时间"),
    Field("customfield_10041", "text", "客户编码"),
    Field("customfield_10042", "text", "产品编码"),
    Field("customfield_10043", "text", "发货单号"),
)
_USER = (
    Field("accountId", "text", "账号", required=True),
    Field("displayName", "text", "姓名", personal=True),
)
_PROJECT = (
    Field("id", "text", "编号", required=True),
    Field("key", "text", "键", required=True),
    Field("name", "text", "名称"),
)
_HISTORY = (
    Field("id", "text", "变更编号", required=True),
    Field("issue", "text", "事务编号", refers="issue", required=True),
    Field("author", "text", "操作人", refers="user", personal=True),
    Field("created", "instant", "变更时间", required=True),
)
_CHANGE = (
    Field("changelog", "text", "变更编号", refers="changelog", required=True),
    Field("field", "text", "字段", required=True),
    Field("fieldtype", "text", "字段类别"),
    Field("fromString", "text", "原值"),
    Field("toString", "text", "新值"),
)


def tables(world: World, spelling: Spelling) -> list[Table]:
    """Every table of the site."""
    who = {item.number: spelling.employee_id(SYSTEM, item.number) for item in world.employees}
    issues, histories, changes = [], [], []
    steps = 0
    for place, (ticket, lived) in enumerate(
        zip(world.tickets, world.history.tickets, strict=False), start=10001
    ):
        issues.append(
            (str(place), ticket.key, PROJECT, "10004", ticket.title, _STATE[ticket.status], _PRIORITY[ticket.priority], who[ticket.person],
             _utc(ticket.created_at), _utc(ticket.updated_at), _utc(ticket.resolved_at),
             spelling.customer_code(SYSTEM, ticket.customer, ticket.key), ticket.product, ticket.delivery)
        )  # fmt: skip
        for step, (at, person, before, after) in enumerate(ticket.history, start=20001 + steps):
            number = str(step)
            histories.append((number, str(place), who[person], _utc(at)))
            changes.append((number, "status", "jira", before, after))
            if after == "已解决":
                changes.append((number, "resolution", "jira", None, "Done"))
        steps += len(lived.history)
    users = [(who[item.number], item.name) for item in world.employees]
    return [
        Table("issue", "事务", ("id",), _ISSUE, issues),
        Table("user", "用户", ("accountId",), _USER, users),
        Table("project", "项目", ("id",), _PROJECT, [("10000", PROJECT, "售后服务")]),
        Table("changelog", "变更记录", ("id",), _HISTORY, histories, "issue", "issue"),
        Table(
            "changelog_item", "变更明细", ("changelog", "field"), _CHANGE, changes, "changelog", "changelog"
        ),
    ]


def _utc(when: datetime | None) -> str | None:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if when else None
