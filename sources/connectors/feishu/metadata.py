"""What 飞书 says of its fields, and where it says nothing, what its sheet says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sources.connectors.connector import FieldMeta, ObjectMeta

_PERSONAL = ("手机", "电话", "姓名", "联系人", "身份证", "邮箱", "住址", "负责人")
# Bitable's numbers of types: the path below the field, and the type to promise.
_KINDS = {
    1: (".0.text", "text"), 2: ("", "decimal(28, 8)"), 3: ("", "text"), 4: ("", "text"), 5: ("", "timestamptz"), 7: ("", "boolean"),
    11: (".0.id", "text"), 13: ("", "text"), 15: (".link", "text"), 1001: ("", "timestamptz"), 1002: ("", "timestamptz"),
    1003: (".0.id", "text"), 1004: (".0.id", "text"), 1005: ("", "text"),
}  # fmt: skip


def field_meta(said: Mapping[str, Any]) -> FieldMeta:
    title, number = said["field_name"], said["type"]
    below, kind = _KINDS.get(number, ("", "text"))
    options = tuple(
        (item["name"], item["name"]) for item in (said.get("property") or {}).get("options") or ()
    )
    doubt = None if number in _KINDS else f"a field of type {number} comes as JSON text"
    if number == 1:
        doubt = "only the first piece of the text; name the field alone for all pieces, as JSON"
    elif number == 4:
        doubt = "several values, as JSON text"
    elif number == 11:
        doubt = "only the first person; name the field alone for all, as JSON"
    return FieldMeta(
        said["field_id"],
        f"fields.{title}{below}",
        title,
        said.get("ui_type") or str(number),
        kind,
        required=False,
        options=options if number == 3 else (),
        personal=number in {11, 13} or any(word in title for word in _PERSONAL),
        doubt=doubt,
    )


def approval_meta(code: str) -> list[ObjectMeta]:
    """An approval and its steps, as the sheet describes them; what the form asks is in `form`."""

    def text(name: str, title: str, kind: str = "text", **more: Any) -> FieldMeta:
        return FieldMeta(name.replace("parent.", "").lower(), name, title, "documented", kind, **more)

    form = "the widgets and their values as JSON text: take them out by widget id"
    head = (
        text("instance_code", "审批实例", required=True), text("serial_number", "审批编号"), text("status", "状态"),
        text("start_time", "发起时间", "timestamptz"), text("end_time", "完成时间", "timestamptz"),
        text("user_id", "发起人", personal=True), text("department_id", "发起部门"), text("form", "表单", doubt=form),
    )  # fmt: skip
    steps = (
        text("parent.instance_code", "审批实例", required=True), text("id", "任务 ID", required=True), text("node_name", "节点"),
        text("user_id", "审批人", personal=True), text("status", "状态"),
        text("start_time", "开始时间", "timestamptz"), text("end_time", "完成时间", "timestamptz"),
    )  # fmt: skip
    name = f"approval/{code}"
    stream = {"load": "incremental"}
    lines = {
        **stream,
        "lateness": "60d",
        "request": {"records": "task_list", "times": {"numbers": "ms"}, "sparse": True},
    }
    return [
        ObjectMeta(name, "审批实例", head, ("instance_code",), ("start_time",), stream=stream),
        ObjectMeta(
            f"{name}#task_list",
            "审批任务",
            steps,
            ("instance_code", "id"),
            ("start_time",),
            parent=name,
            stream=lines,
        ),
    ]


def _documented(*said: tuple[str, str, str]) -> tuple[FieldMeta, ...]:
    personal = {"name", "mobile", "email"}
    return tuple(
        FieldMeta(
            name.partition(".")[2] or name,
            name,
            title,
            "documented",
            kind,
            required=not place,
            personal=name in personal,
        )
        for place, (name, title, kind) in enumerate(said)
    )


DEPARTMENT = ObjectMeta(
    "department",
    "部门",
    _documented(
        ("open_department_id", "部门 ID", "text"), ("department_id", "自定义部门 ID", "text"), ("name", "部门名称", "text"),
        ("parent_department_id", "上级部门", "text"), ("leader_user_id", "负责人", "text"), ("member_count", "人数", "integer"),
    ),
    ("open_department_id",),
    stream={"load": "full"},
)  # fmt: skip
USER = ObjectMeta(
    "user",
    "用户",
    _documented(
        ("open_id", "用户 ID", "text"), ("user_id", "租户内用户 ID", "text"), ("union_id", "开发者内用户 ID", "text"), ("name", "姓名", "text"),
        ("employee_no", "工号", "text"), ("mobile", "手机号", "text"), ("email", "邮箱", "text"), ("job_title", "职务", "text"),
        ("department_ids", "部门", "text"), ("leader_user_id", "直属主管", "text"), ("join_time", "入职时间", "timestamptz"),
        ("employee_type", "人员类型", "integer"), ("status.is_frozen", "已暂停", "boolean"), ("status.is_resigned", "已离职", "boolean"),
        ("status.is_activated", "已激活", "boolean"),
    ),
    ("open_id",),
    stream={"load": "full"},
)  # fmt: skip
