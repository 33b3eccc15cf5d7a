"""What the sheet says of the objects of 钉钉, which describes none of them itself."""

from __future__ import annotations

from dataclasses import replace

from sources.connectors.connector import FieldMeta, ObjectMeta


def _said(*said: tuple[str, str, str, str]) -> tuple[FieldMeta, ...]:
    """Fields as the sheet names them: id, path, title, type; the first one is the key and always there."""
    personal = {"name", "mobile", "title"}
    return tuple(
        FieldMeta(
            id_,
            path,
            title,
            "documented",
            kind,
            required=not place,
            personal=id_ in personal,
        )
        for place, (id_, path, title, kind) in enumerate(said)
    )


DEPARTMENT = ObjectMeta(
    "department",
    "部门",
    _said(("dept_id", "dept_id", "部门 ID", "bigint"), ("name", "name", "部门名称", "text"), ("parent_id", "parent_id", "上级部门", "bigint")),
    ("dept_id",),
    stream={"load": "full"},
)  # fmt: skip
USER = ObjectMeta(
    "user",
    "用户",
    _said(
        ("user_id", "userid", "用户 ID", "text"), ("union_id", "unionid", "开发者内用户 ID", "text"), ("name", "name", "姓名", "text"),
        ("job_number", "job_number", "工号", "text"), ("title", "title", "职位", "text"), ("mobile", "mobile", "手机号", "text"),
        ("dept_ids", "dept_id_list", "部门", "text"), ("hired_at", "hired_date", "入职时间", "timestamptz"),
    ),
    ("user_id",),
    stream={"load": "full"},
)  # fmt: skip
CLOCK = ObjectMeta(
    "attendance",
    "打卡结果",
    _said(
        ("user_id", "userId", "用户 ID", "text"), ("check_type", "checkType", "考勤类型", "text"),
        ("planned_at", "baseCheckTime", "应打卡时间", "timestamptz"), ("checked_at", "userCheckTime", "打卡时间", "timestamptz"),
        ("work_date", "workDate", "工作日", "date"), ("time_result", "timeResult", "打卡结果", "text"),
        ("location_result", "locationResult", "位置结果", "text"),
    ),
    ("user_id", "check_type", "planned_at"),
    ("work_date",),
    stream={"load": "incremental"},
    doubt="the vendor's key is not documented; this one names a planned check of a person",
)  # fmt: skip


def approval_meta(name: str) -> list[ObjectMeta]:
    zone = "whether the Z is meant is unverified: compare one known instance; if 8 hours off, promise `timestamp`"

    def timed(fields: tuple[FieldMeta, ...]) -> tuple[FieldMeta, ...]:
        return tuple(replace(item, doubt=zone) if item.type == "timestamptz" else item for item in fields)

    head = timed(_said(
        ("instance_id", "_each", "审批实例", "text"), ("business_id", "businessId", "审批编号", "text"), ("title", "title", "标题", "text"),
        ("status", "status", "状态", "text"), ("result", "result", "结果", "text"), ("created_at", "createTime", "发起时间", "timestamptz"),
        ("finished_at", "finishTime", "完成时间", "timestamptz"), ("originator", "originatorUserId", "发起人", "text"),
        ("department", "originatorDeptId", "发起部门", "text"), ("operations", "operationRecords", "操作记录", "text"),
    ))  # fmt: skip
    created = ("created_at", "parent.createTime", "发起时间", "timestamptz")
    values = timed(_said(
        ("instance_id", "parent._each", "审批实例", "text"), ("field_id", "id", "控件 ID", "text"), ("field_name", "name", "控件名称", "text"),
        ("kind", "componentType", "控件类型", "text"), ("value", "value", "值", "text"), created,
    ))  # fmt: skip
    tasks = timed(_said(
        ("instance_id", "parent._each", "审批实例", "text"), ("task_id", "taskId", "任务 ID", "bigint"), ("approver", "userId", "审批人", "text"),
        ("status", "status", "状态", "text"), ("result", "result", "结果", "text"), ("finished_at", "finishTime", "完成时间", "timestamptz"),
        ("activity_id", "activityId", "节点 ID", "text"), created,
    ))  # fmt: skip

    def inside(records: str, title: str, fields: tuple[FieldMeta, ...]) -> ObjectMeta:
        stream = {
            "load": "incremental",
            "lateness": "60d",
            "request": {"records": records, "times": {"minutes": True}, "sparse": True},
        }
        required = tuple(replace(item, required=place < 2) for place, item in enumerate(fields))
        key = (fields[0].id, fields[1].id)
        return ObjectMeta(
            f"{name}#{records}", title, required, key, ("created_at",), parent=name, stream=stream
        )

    stream = {"load": "incremental"}
    return [
        ObjectMeta(name, "审批实例", head, ("instance_id",), ("created_at",), stream=stream),
        inside("formComponentValues", "审批表单值", values),
        inside("tasks", "审批任务", tasks),
    ]
