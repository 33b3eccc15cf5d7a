"""Expense claims as approvals in 企业微信."""

from __future__ import annotations

from datetime import UTC, datetime

from sandbox.huachen.world import Spelling, World
from sandbox.store import Field, Row, Table

VENDOR = "wecom"
OPTIONS: dict[str, str] = {
    "corpid": "wwhc0f3a9d6b1c7e28",
    "secret": "hc-wc-Kp7Yt3Wm9Bs5Hn1Gd6",
}
TEMPLATE, NAME = "3WK7Zp4mQh8cVn2sXyRtBdLg6JfUeA", "费用报销"

_STATES = {"PENDING": 1, "APPROVED": 2, "REJECTED": 3}
_RESULTS = {"待审": 1, "通过": 2, "驳回": 3}


def tables(world: World, spelling: Spelling) -> list[Table]:
    fields = (
        Field("sp_no", "text", "审批编号", required=True),
        Field("sp_name", "text", "审批名称"),
        Field("sp_status", "integer", "状态", options=(("1", "审批中"), ("2", "已通过"), ("3", "已驳回"))),
        Field("template_id", "text", "模板"),
        Field("apply_time", "instant", "提交时间"),
        Field("applyer_userid", "text", "申请人"),
        Field("partyid", "text", "申请部门"),
        Field("reason", "text", "报销事由"),
        Field("amount", "decimal", "报销金额"),
    )
    steps = (
        Field("sp_no", "text", "审批编号", refers="approval", required=True),
        Field("place", "integer", "次序", required=True),
        Field("sp_status", "integer", "状态"),
        Field("approver_userid", "text", "审批人"),
        Field("sptime", "instant", "审批时间"),
        Field("speech", "text", "审批意见"),
    )
    people = {person.number: person for person in world.employees}
    rows: list[Row] = []
    records: list[Row] = []
    for item in (item for item in world.approvals if item.system == "wecom"):
        number = f"{item.created_at:%Y%m%d}{int(item.number[2:]):04d}"
        rows.append(
            (number, NAME, _STATES[item.status], TEMPLATE, _instant(item.created_at), spelling.employee_id("wecom", item.person),
             people[item.person].department(item.created_at.date()), item.title,
             str(item.amount) if item.amount is not None else None)
        )  # fmt: skip
        for place, (person, at, result, node) in enumerate(item.steps, start=1):
            approver = spelling.employee_id("wecom", person)
            records.append(
                (number, place, _RESULTS[result], approver, _instant(at) if at else None, node if at else "")
            )
    return [
        Table("approval", "审批单", ("sp_no",), fields, rows),
        Table("record", "审批节点", ("sp_no", "place"), steps, records, "approval", "sp_no"),
    ]


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
