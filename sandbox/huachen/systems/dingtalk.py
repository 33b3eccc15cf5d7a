"""Attendance, requests for leave and the directory in 钉钉."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, time, timedelta

from sandbox.huachen.world import Spelling, World
from sandbox.huachen.world.records import Approval
from sandbox.store import Field, Row, Table

VENDOR = "dingtalk"
OPTIONS: dict[str, str] = {
    "app_key": "dinghc7r2v0k5wq1xz",
    "app_secret": "hc-dt-Vb3Nc8Zw1Ye6Rj0Uo5",
    # 钉钉 itself shows the approvals of 365 days; the invented years must still be comparable when they are longer ago.
    "history_days": "36500",
    "calls_per_month": "0",
}
CODE = "PROC-8F2C41D0-6B7A-4E11-9A53-2C9D70E1B6AA"
NAME = "请假"

_RESULTS = {"通过": "AGREE", "驳回": "REFUSE", "待审": "NONE"}
_BEGIN, _END = time(1, 0), time(9, 30)  # UTC: 09:00 and 17:30 in Shanghai


def tables(world: World, spelling: Spelling) -> list[Table]:
    approvals = [item for item in world.approvals if item.system == "dingtalk"]
    return [
        _departments(world),
        _users(world, spelling),
        _attendance(world, spelling),
        _instances(world, spelling, approvals),
        _tasks(world, spelling, approvals),
    ]


def _departments(world: World) -> Table:
    fields = (
        Field("dept_id", "integer", "部门ID", required=True),
        Field("name", "text", "部门名称"),
        Field("parent_id", "integer", "上级部门"),
    )
    today = [item for item in world.departments if item.valid_to is None]
    rows = [
        (_department(item.code), item.name, _department(item.parent) if item.parent else 1) for item in today
    ]
    return Table("department", "部门", ("dept_id",), fields, rows)


def _users(world: World, spelling: Spelling) -> Table:
    """Who has left is still in the directory: nobody takes them out."""
    fields = (
        Field("userid", "text", "用户ID", required=True),
        Field("unionid", "text", "开发者内用户ID"),
        Field("name", "text", "姓名", personal=True),
        Field("job_number", "text", "工号"),
        Field("title", "text", "职位"),
        Field("mobile", "text", "手机号", personal=True),
        Field("dept_id_list", "list", "部门"),
        Field("hired_date", "instant", "入职时间"),
        Field("active", "flag", "已激活"),
    )
    rows = []
    for person in world.employees:
        userid = spelling.employee_id("dingtalk", person.number)
        hired = datetime.combine(person.hired, time(0, 0), UTC) - timedelta(hours=8)
        department = json.dumps([_department(person.department(world.last))])
        rows.append(
            (userid, f"u{hashlib.sha256(userid.encode()).hexdigest()[:20]}iE", person.name, person.number, person.title,
             person.mobile, department, _instant(hired), int(person.works(world.last)))
        )  # fmt: skip
    return Table("user", "用户", ("userid",), fields, rows)


def _attendance(world: World, spelling: Spelling) -> Table:
    fields = (
        Field("id", "integer", "记录ID", required=True),
        Field("userId", "text", "用户ID", required=True),
        Field("workDate", "date", "工作日"),
        Field("baseCheckTime", "instant", "应打卡时间"),
        Field("userCheckTime", "instant", "打卡时间"),
        Field("checkType", "choice", "考勤类型", options=(("OnDuty", "上班"), ("OffDuty", "下班"))),
        Field("timeResult", "text", "打卡结果"),
        Field("locationResult", "text", "位置结果"),
    )
    ids = {person.number: spelling.employee_id("dingtalk", person.number) for person in world.employees}
    rows: list[Row] = []
    for item in world.attendance:
        userid = ids[item.employee]
        for kind, planned, real in (("OnDuty", _BEGIN, item.came_at), ("OffDuty", _END, item.left_at)):
            base = datetime.combine(item.day, planned, UTC)
            if real is None:
                result = "NotSigned"
            elif kind == "OnDuty":
                result = "Late" if real > base else "Normal"
            else:
                result = "Early" if real < base else "Normal"
            rows.append(
                (930_000_000 + len(rows), userid, item.day.isoformat(), _instant(base), _instant(real) if real else None, kind,
                 result, "Normal" if real else "NotSigned")
            )  # fmt: skip
    return Table("attendance", "打卡结果", ("workDate", "id"), fields, rows)


def _instances(world: World, spelling: Spelling, approvals: list[Approval]) -> Table:
    fields = (
        Field("id", "text", "审批实例", required=True),
        Field("processCode", "text", "审批模板"),
        Field("title", "text", "标题", personal=True),
        Field("businessId", "text", "审批编号"),
        Field(
            "status",
            "choice",
            "状态",
            options=tuple((code, code) for code in ("RUNNING", "COMPLETED", "TERMINATED")),
        ),
        Field("result", "text", "结果"),
        Field("createTime", "instant", "发起时间"),
        Field("finishTime", "instant", "完成时间"),
        Field("originatorUserId", "text", "发起人"),
        Field("originatorDeptId", "text", "发起部门"),
        Field("originatorDeptName", "text", "发起部门名称"),
        Field("leave_begin", "date", "开始日期"),
        Field("leave_days", "decimal", "天数"),
    )
    people = {person.number: person for person in world.employees}
    names = {item.code: item.name for item in world.departments}
    rows = []
    for item in approvals:
        department = people[item.person].department(item.created_at.date())
        begin, _, length = (item.reference or "/").partition("/")
        rows.append(
            (_instance(item), CODE, item.title, _business_id(item), "COMPLETED" if item.finished_at else "RUNNING",
             {"APPROVED": "agree", "REJECTED": "refuse"}.get(item.status, ""), _minute(item.created_at),
             _minute(item.finished_at) if item.finished_at else None, spelling.employee_id("dingtalk", item.person),
             str(_department(department)), names[department], begin or None, length or None)
        )  # fmt: skip
    return Table("instance", "审批实例", ("id",), fields, rows)


def _tasks(world: World, spelling: Spelling, approvals: list[Approval]) -> Table:
    fields = (
        Field("instance", "text", "审批实例", refers="instance", required=True),
        Field("taskId", "integer", "任务ID", required=True),
        Field("userId", "text", "审批人"),
        Field("status", "choice", "状态", options=(("RUNNING", "处理中"), ("COMPLETED", "已完成"))),
        Field("result", "text", "结果"),
        Field("createTime", "instant", "开始时间"),
        Field("finishTime", "instant", "完成时间"),
        Field("activityId", "text", "节点ID"),
        Field("showName", "text", "节点"),
    )
    rows: list[Row] = []
    before = world.steps_before("dingtalk")
    for item in approvals:
        begins = item.created_at
        for place, (person, at, result, node) in enumerate(item.steps, start=1):
            rows.append(
                (_instance(item), 80_000_000_000 + before[item.number] + place - 1, spelling.employee_id("dingtalk", person),
                 "COMPLETED" if at else "RUNNING", _RESULTS[result], _minute(begins), _minute(at) if at else None, f"a{place}", node)
            )  # fmt: skip
            begins = at or begins
    return Table("task", "审批任务", ("instance", "taskId"), fields, rows, "instance", "instance")


def _department(code: str) -> int:
    return 1 if code == "1" else 500_000 + int(code)


def _instance(item: Approval) -> str:
    return f"{hashlib.sha256(f'dingtalk:{item.number}'.encode()).hexdigest()[:22]}"


def _business_id(item: Approval) -> str:
    return f"{item.created_at + timedelta(hours=8):%Y%m%d%H%M}{int(item.person[2:]):09d}"


def _minute(moment: datetime) -> str:
    """Approvals are kept to the minute."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:00Z")


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
