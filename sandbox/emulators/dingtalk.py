"""钉钉: the old interface (directory, attendance) and the new one (approvals) of one tenant, on one port.

The old one answers HTTP 200 with `errcode` and takes its token in the query; the new one answers 4xx with `code` and
takes it in a header. Tables: `department`, `user`, `attendance`, `instance` with its lines `task`.

Options: app_key, app_secret, process_code and process_name come with the rows. What may differ: `history_days` (365:
how long ago an approval may have begun), `calls_per_month` (5000 counted calls; 0: any; the directory and tokens do
not count), `last_token` (how the last list of ids ends: `absent`, `null` or `zero`), `zone` (`utc`, or `local`: times
of approvals are company time in spite of their Z), `banned` (1: the address is shut out and gets a page).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sandbox.emulators.server import Call, Emulator, Refusal, Reply, json_text
from sandbox.emulators.values import canonical, epoch, local, midnight, moment

SECONDS = 7200
DAY = 86_400
COLUMNS = ("leave_begin", "leave_days", "processCode", "id")


class DingTalk(Emulator):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._counted = 0

    def is_counted(self, call: Call) -> bool:
        return call.path not in {"/gettoken", "/v1.0/oauth2/accessToken"}

    def rate_error(self, call: Call) -> Reply:
        if _is_new(call):
            code = "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"
            return Reply({"code": code, "message": "您的调用频率超过限制", "requestid": "R-1"}, 403)
        return _old(90018, "您的服务器调用钉钉开放平台的当前接口的QPS超过限制")

    def quota_error(self, call: Call) -> Reply:
        if _is_new(call):
            code = "Forbidden.AccessDenied.ApiCountLimitForOrg"
            return Reply({"code": code, "message": "企业本月接口调用次数已用完", "requestid": "R-2"}, 403)
        return _old(90020, "企业本月接口调用次数已用完")

    def answer(self, call: Call) -> Reply:
        if self.options.get("banned") == "1":
            return Reply("<html><body>访问被拒绝</body></html>", 200, {"Content-Type": "text/html"})
        if call.path == "/gettoken" and call.method == "GET":
            return self._old_token(call)
        if call.path == "/v1.0/oauth2/accessToken" and call.method == "POST":
            return self._new_token(call)
        answers: dict[tuple[str, str], Callable[[Call], Reply]] = {
            ("POST", "/topapi/v2/department/listsub"): self._departments,
            ("POST", "/topapi/v2/user/list"): self._users,
            ("POST", "/attendance/list"): self._attendance,
            ("POST", "/v1.0/workflow/processes/instanceIds/query"): self._ids,
            ("GET", "/v1.0/workflow/processInstances"): self._instance,
        }
        found = answers.get((call.method, call.path))
        if found is None:
            return Reply("404 page not found", 404)
        self._check_token(call)
        self._count(call)
        return found(call)

    # --- who asks ----------------------------------------------------------------------------------

    def _old_token(self, call: Call) -> Reply:
        if self._who(call.query.get("appkey"), call.query.get("appsecret")):
            return Reply(
                {"errcode": 0, "errmsg": "ok", "access_token": self.issue(SECONDS), "expires_in": SECONDS}
            )
        return _old(40089, "不合法的corpid或corpsecret")

    def _new_token(self, call: Call) -> Reply:
        asked = call.json or {}
        if self._who(asked.get("appKey"), asked.get("appSecret")):
            return Reply({"accessToken": self.issue(SECONDS), "expireIn": SECONDS})
        return _new("invalidClientIdOrSecret", "无效的clientId或者clientSecret", 400)

    def _who(self, key: object, secret: object) -> bool:
        return key == self.options["app_key"] and secret == self.options["app_secret"]

    def _check_token(self, call: Call) -> None:
        name = "x-acs-dingtalk-access-token"
        token = call.headers.get(name, "") if _is_new(call) else call.query.get("access_token", "")
        if not self.alive(token):
            new = _new("InvalidAuthentication", "不合法的access_token", 400)
            raise Refusal(new if _is_new(call) else _old(40014, "不合法的access_token"))

    def _count(self, call: Call) -> None:
        most = int(self.options.get("calls_per_month", "5000"))
        if "department" in call.path or "user/list" in call.path:
            return
        self._counted += 1
        if most and self._counted > most:
            raise Refusal(self.quota_error(call))

    # --- directory ---------------------------------------------------------------------------------

    def _departments(self, call: Call) -> Reply:
        if self.is_revoked("department"):
            raise Refusal(_old(60011, "没有调用该接口的权限"))
        asked = call.json or {}
        rows = self.rows("department", "parent_id = ?", (asked.get("dept_id", 1),))
        return Reply(
            {"errcode": 0, "errmsg": "ok", "result": self.page(rows, "department"), "request_id": "r"}
        )

    def _users(self, call: Call) -> Reply:
        if self.is_revoked("user"):
            raise Refusal(_old(60011, "没有调用该接口的权限"))
        asked = call.json or {}
        department, cursor = asked.get("dept_id"), asked.get("cursor")
        size: Any = asked.get("size")
        if type(department) is not int or type(cursor) is not int or not 1 <= (size or 0) <= 100:
            raise Refusal(_old(40035, "不合法的参数"))
        where = 'exists (select 1 from json_each("dept_id_list") where value = ?)'
        rows = self.rows("user", where, (department,), "", size, cursor)
        more = self.count("user", where, (department,)) > cursor + size
        shown = [
            row | {"dept_id_list": json.loads(row["dept_id_list"]), "active": bool(row["active"])}
            | {"hired_date": 1000 * epoch(row["hired_date"])}
            for row in rows
        ]  # fmt: skip
        result: dict[str, Any] = {"has_more": more, "list": self.page(shown, "user")}
        if more:
            result["next_cursor"] = cursor + size
        return Reply({"errcode": 0, "errmsg": "ok", "result": result, "request_id": "r"})

    def _attendance(self, call: Call) -> Reply:
        if self.is_revoked("attendance"):
            raise Refusal(_old(88, "ding talk error[subcode=60011,submsg=没有调用该接口的权限]"))
        asked = call.json or {}
        people, offset, limit = asked.get("userIdList"), asked.get("offset"), asked.get("limit")
        if not isinstance(people, list) or not 1 <= len(people) <= 50:
            raise Refusal(_old(40035, "userIdList: 1 到 50 人"))
        if type(offset) is not int or type(limit) is not int or not 1 <= limit <= 50:
            raise Refusal(_old(40035, "limit 不能超过 50"))
        start, end = str(asked.get("workDateFrom"))[:10], str(asked.get("workDateTo"))[:10]
        if (midnight(end) - midnight(start)).days > 6:
            raise Refusal(_old(40035, "查询时间跨度不能超过 7 天"))
        marks = ", ".join("?" * len(people))
        where = f'"userId" in ({marks}) and "workDate" between ? and ?'
        rows = self.rows("attendance", where, (*people, start, end), '"workDate", "id"', limit + 1, offset)
        shown = [
            row | {"workDate": int(midnight(row["workDate"]).timestamp() * 1000)}
            | {name: 1000 * epoch(row[name]) for name in ("baseCheckTime", "userCheckTime") if row[name]}
            for row in rows[:limit]
        ]  # fmt: skip
        records = self.page(shown, "attendance")
        return Reply({"errcode": 0, "errmsg": "ok", "recordresult": records, "hasMore": len(rows) > limit})

    # --- approvals ---------------------------------------------------------------------------------

    def _ids(self, call: Call) -> Reply:
        self._check_scope()
        asked = call.json or {}
        code, start = asked.get("processCode"), asked.get("startTime")
        end = asked.get("endTime", int(self.now() * 1000))
        token: Any = asked.get("nextToken")
        most: Any = asked.get("maxResults")
        if (
            type(start) is not int
            or type(end) is not int
            or not str(token).isdigit()
            or not 1 <= (most or 0) <= 20
        ):
            raise Refusal(_new("InvalidParameter", "startTime, nextToken, maxResults", 400))
        if not self.count("instance", '"processCode" = ?', (code,)):
            raise Refusal(_new("processCodeError", "流程模板不存在", 400))
        if end - start > 120 * DAY * 1000:
            raise Refusal(_new("InvalidParameter", "时间范围不能超过 120 天", 400))
        if start < (self.now() - int(self.options.get("history_days", "365")) * DAY) * 1000:
            raise Refusal(_new("InvalidParameter", "只能查询最近 365 天的数据", 400))
        found = [
            {"id": row["id"]}
            for row in self.rows("instance", '"processCode" = ?', (code,), '"createTime", "id"')
            if start <= 1000 * epoch(row["createTime"]) <= end
        ][:10_000]
        place = int(token)
        page = self.page(found[place : place + most], "instance")
        result: dict[str, Any] = {"list": [item["id"] for item in page]}
        last = {"absent": {}, "null": {"nextToken": None}, "zero": {"nextToken": 0}}
        more = place + most < len(found)
        result |= {"nextToken": str(place + most)} if more else last[self.options.get("last_token", "absent")]
        return Reply({"success": True, "result": result})

    def _instance(self, call: Call) -> Reply:
        self._check_scope()
        found = self.rows("instance", '"id" = ?', (call.query.get("processInstanceId"),))
        if not found:
            raise Refusal(_new("instanceIdError", "审批实例不存在", 400))
        row = found[0]
        tasks = self.rows("task", '"instance" = ?', (row["id"],))
        begin, length = (self.today("instance", name) for name in ("leave_begin", "leave_days"))
        days = Decimal(row[length.name]) if row[length.name] is not None else None
        form = [
            {
                "id": "DDHolidayField-A",
                "name": "请假类型",
                "componentType": "DDHolidayField",
                "value": "年假",
            },
            {
                "id": "DDDateRange-B" + begin.name.removeprefix("leave_begin"),
                "name": begin.title,
                "componentType": "DDDateField",
                "value": row[begin.name],
            },
            {
                "id": "NumberField-C" + length.name.removeprefix("leave_days"),
                "name": length.title,
                "componentType": "NumberField",
                "value": json_text(days),
            },
        ]
        operations = [
            {"userId": task["userId"], "date": self._time(task["finishTime"]), "type": "EXECUTE_TASK_NORMAL", "result": task["result"],
             "remark": "", "showName": task["showName"], "activityId": task["activityId"]}
            for task in tasks if task["finishTime"]
        ]  # fmt: skip
        shown = {key: value for key, value in row.items() if key not in {*COLUMNS, begin.name, length.name}}
        shown |= {
            **{name: self._time(row[name]) for name in ("createTime", "finishTime") if row[name]},
            "approverUserIds": [task["userId"] for task in tasks],
            "ccUserIds": [],
            "formComponentValues": form,
            "operationRecords": operations,
            "tasks": [
                {key: self._time(value) if key.endswith("Time") else value for key, value in task.items()
                 if key not in {"instance", "showName"} and value is not None}
                for task in tasks
            ],
        }  # fmt: skip
        shown = {key: value for key, value in shown.items() if value is not None}
        return Reply({"success": True, "result": shown | self._new_field("instance")})

    def _check_scope(self) -> None:
        if self.is_revoked("instance"):
            code = "Forbidden.AccessDenied.AccessTokenPermissionDenied"
            raise Refusal(_new(code, "应用尚未开通所需的权限：[Workflow.Instance.Read]", 403))

    def _time(self, instant: str) -> str:
        if self.options.get("zone") == "local":
            return local(instant, "%Y-%m-%dT%H:%MZ")
        return canonical(moment(instant))[:16] + "Z"

    def _new_field(self, table: str) -> dict[str, str]:
        faults = self.faults
        return {faults.add_field: "new"} if faults.add_field and faults.reach(table) else {}


def _is_new(call: Call) -> bool:
    return call.path.startswith("/v1.0/")


def _old(code: int, message: str) -> Reply:
    return Reply({"errcode": code, "errmsg": message, "request_id": "r"})


def _new(code: str, message: str, status: int) -> Reply:
    return Reply({"code": code, "message": message, "requestid": "R-0"}, status)
