"""简道云 open API as one tenant answers it: apps, forms, widgets, rows by cursor, the directory; filters it cannot read
are ignored without a word, as the vendor's are.

A table of the store without a parent is a form keyed by `_id` (24 hex digits); a table with a parent is its subform,
and the table's name is the subform's widget. Field names are widget names. System fields a form may have: `createTime`,
`updateTime`, `creator`, `updater` (usernames), `flowState`. Tables `users` (key `username`) and `departments` (key
`dept_no`, with `parent_no`) are the directory. A field that `refers` to them is a member or department, to a form a
linked row.

Options: `api_key`, `app_id`, `app_name`, `entry.<table>` (the form's entry_id; else made from the table's name),
`alias.<table>.<widget>`. What the sheet leaves open: `over_limit` (`cap`, or `refuse` with 17017), `update_time_filter`
(1: updateTime can be filtered), `per_second` (calls a second before 8304; 0: any).
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sandbox.emulators.jiandaoyun.filters import BadFilter, condition
from sandbox.emulators.jiandaoyun.widgets import SYSTEM, widget, widget_type
from sandbox.emulators.server import Call, Emulator, Refusal, Reply
from sandbox.emulators.values import midnight, moment
from sandbox.store import Field, Table

DIRECTORY = ("users", "departments")
NO_KEY, BAD_KEY, NO_RIGHT, APP_NOT_GRANTED = 8301, 17018, 8302, 17053
NO_APP, NO_FORM, NO_ROW, BAD_PARAMETER, BAD_FILTER = 2004, 3000, 4001, 17017, 4815
RATE, QUOTA = 8304, 7103


class Jiandaoyun(Emulator):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._lately: deque[float] = deque()

    def answer(self, call: Call) -> Reply:
        answers: dict[str, Callable[[dict[str, Any]], Any]] = {
            "/api/v5/app/list": self._apps,
            "/api/v5/app/entry/list": self._forms,
            "/api/v5/app/entry/widget/list": self._widgets,
            "/api/v5/app/entry/data/list": self._rows,
            "/api/v5/app/entry/data/get": self._row,
            "/api/v5/corp/department/list": self._departments,
            "/api/v5/corp/department/user/list": self._users,
        }
        if call.method != "POST" or call.path not in answers:
            return Reply({"code": 404, "msg": "Not Found"}, 404)
        kind, _, key = call.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or not key:
            raise _refusal(NO_KEY, "API Key校验失败")
        if key != self.options["api_key"]:
            raise _refusal(BAD_KEY, "无效的API Key")
        self._count()
        try:
            asked = call.json or {}
        except ValueError as error:
            raise _refusal(BAD_PARAMETER, "参数不合法") from error
        if not isinstance(asked, dict):
            raise _refusal(BAD_PARAMETER, "参数不合法")
        return Reply(answers[call.path](asked))

    def rate_error(self, call: Call) -> Reply:
        return _refusal(RATE, "接口请求超频").reply

    def quota_error(self, call: Call) -> Reply:
        return _refusal(QUOTA, "本月API调用次数已用完").reply

    def entry_id(self, table: str) -> str:
        """The form's id, 24 hex digits."""
        return self.options.get(f"entry.{table}") or hashlib.sha256(table.encode()).hexdigest()[:24]

    def _count(self) -> None:
        most, now = int(self.options.get("per_second", "0")), self.now()
        while self._lately and self._lately[0] <= now - 1:
            self._lately.popleft()
        if most and len(self._lately) >= most:
            raise _refusal(RATE, "接口请求超频")
        self._lately.append(now)

    # --- what there is -----------------------------------------------------------------------------

    def _apps(self, asked: dict[str, Any]) -> Any:
        granted = self.options["app_id"] not in self.faults.revoked
        apps = [{"app_id": self.options["app_id"], "name": self.options.get("app_name", "应用")}]
        return {"apps": _slice(apps if granted else [], asked)}

    def _forms(self, asked: dict[str, Any]) -> Any:
        self._check_app(asked)
        forms = [
            {"app_id": self.options["app_id"], "entry_id": self.entry_id(table.name), "name": table.title}
            for table in self._form_tables().values()
        ]
        return {"forms": _slice(forms, asked)}

    def _widgets(self, asked: dict[str, Any]) -> Any:
        table = self._form(asked)
        own = [self._widget(table.name, item) for item in table.fields if item.name not in SYSTEM]
        for child in self._children(table):
            inside = [
                self._widget(child.name, item)
                for item in child.fields
                if item.name not in ("_id", child.link)
            ]
            said = self._widget(table.name, Field(child.name, "text", child.title))
            own.append(said | {"type": "subform", "items": inside})
        present = {item.name for item in table.fields}
        changed = [name for name in ("updateTime", "createTime") if name in present]
        newest = (
            self.rows(table.name, order=f"{self.column(table.name, changed[0])} desc", limit=1)
            if changed
            else []
        )
        return {
            "widgets": own,
            "sysWidgets": [{"name": name} for name in SYSTEM if name in present and name != "_id"],
            "dataModifyTime": _instant(newest[0][changed[0]]) if newest else None,
        }

    def _widget(self, table: str, field: Field) -> dict[str, Any]:
        return widget(field, self._alias(table, field.name))

    def _alias(self, table: str, name: str) -> str:
        return self.options.get(f"alias.{table}.{name}", name)

    def _form_tables(self) -> dict[str, Table]:
        return {
            name: table for name, table in self.tables.items() if not table.parent and name not in DIRECTORY
        }

    def _children(self, table: Table) -> list[Table]:
        return [child for child in self.tables.values() if child.parent == table.name]

    def _check_app(self, asked: dict[str, Any]) -> None:
        app = asked.get("app_id")
        if not isinstance(app, str) or not app:
            raise _refusal(BAD_PARAMETER, "参数不合法：app_id")
        if app in self.faults.revoked:
            raise _refusal(APP_NOT_GRANTED, "API Key未授权该应用")
        if app != self.options["app_id"]:
            raise _refusal(NO_APP, "应用不存在")

    def _form(self, asked: dict[str, Any]) -> Table:
        self._check_app(asked)
        for table in self._form_tables().values():
            if self.entry_id(table.name) == asked.get("entry_id"):
                if self.is_revoked(table.name):
                    raise _refusal(NO_RIGHT, "无权限")
                return table
        raise _refusal(NO_FORM, "表单不存在")

    # --- rows --------------------------------------------------------------------------------------

    def _rows(self, asked: dict[str, Any]) -> Any:
        table = self._form(asked)
        limit = asked.get("limit", 10)
        if (
            not isinstance(limit, int)
            or limit < 1
            or (limit > 100 and self.options.get("over_limit") == "refuse")
        ):
            raise _refusal(BAD_PARAMETER, "参数不合法：limit")
        fields = {self._alias(table.name, item.name): item for item in table.fields}
        fields |= {item.name: item for item in table.fields}
        if self.options.get("update_time_filter") != "1":
            fields.pop("updateTime", None)
        try:
            where, values = condition(asked.get("filter"), fields, lambda name: self.column(table.name, name))
        except BadFilter as error:
            raise _refusal(BAD_FILTER, "过滤条件不合法") from error
        if asked.get("data_id"):
            where, values = f'({where}) and "_id" > ?', [*values, asked["data_id"]]
        rows = self._dressed(table, self.rows(table.name, where, values, '"_id"', min(limit, 100)))
        wanted = asked.get("fields")
        if wanted:
            kept = {"_id", "appId", "entryId", *(self._alias(table.name, name) for name in wanted)}
            rows = [{name: value for name, value in row.items() if name in kept} for row in rows]
        return {"data": self.page(rows, table.name)}

    def _row(self, asked: dict[str, Any]) -> Any:
        table = self._form(asked)
        found = self._dressed(table, self.rows(table.name, '"_id" = ?', [asked.get("data_id")]))
        if not found:
            raise _refusal(NO_ROW, "数据不存在")
        return {"data": found[0]}

    def _dressed(self, table: Table, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows as this vendor writes them, their subforms inside."""
        ids = [row["_id"] for row in rows]
        write = self._writer(table)
        dressed: dict[str, dict[str, Any]] = {
            row["_id"]: {
                "_id": row["_id"],
                "appId": self.options["app_id"],
                "entryId": self.entry_id(table.name),
                **write(row),
                "deleter": None,
                "deleteTime": None,
            }
            for row in rows
        }
        for child in self._children(table):
            assert child.link
            key, link = self._alias(table.name, child.name), child.link
            for said in dressed.values():
                said[key] = []
            inside, marks = self._writer(child), ", ".join("?" * len(ids))
            for line in self.rows(child.name, f"{self.column(child.name, link)} in ({marks})", ids):
                said = inside(line)
                said.pop(link)
                dressed[line[link]][key].append(said)
        return list(dressed.values())

    def _writer(self, table: Table) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """How rows of a table are written: each field by its type, members and departments in full."""
        kinds = {widget_type(item) for item in table.fields}
        found: dict[str, dict[Any, dict[str, Any]]] = {}
        for name, key, kind in (("users", "username", "user"), ("departments", "dept_no", "dept")):
            if kinds & {kind, f"{kind}group"}:
                found[kind] = found[f"{kind}group"] = {row[key]: row for row in self._directory(name)}

        def written(field: Field, value: Any) -> Any:
            kind = widget_type(field)
            if kind in found and value is not None:
                many = json.loads(value) if kind.endswith("group") else [value]
                known = [found[kind].get(one, {"name": one}) for one in many]
                return known if kind.endswith("group") else known[0]
            if value is None:
                return None
            if kind == "linkdata":
                return {"id": value}
            if field.kind == "decimal":
                return Decimal(value)
            if field.kind == "flag":
                return "是" if value else "否"
            if field.kind == "date":
                return midnight(value).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            if field.kind == "instant":
                return _instant(value)
            return json.loads(value) if field.kind == "list" else value

        fields = [(self._alias(table.name, item.name), item) for item in table.fields]
        return lambda row: {name: written(item, row[item.name]) for name, item in fields}

    # --- the directory -----------------------------------------------------------------------------

    def _directory(self, name: str) -> list[dict[str, Any]]:
        """Members or departments as they are written; none if the store has no such table."""
        if name not in self.tables:
            return []
        lists = [item.name for item in self.tables[name].fields if item.kind == "list"]
        return [row | {key: json.loads(row[key] or "[]") for key in lists} for row in self.rows(name)]

    def _departments(self, asked: dict[str, Any]) -> Any:
        below = self._below(asked)
        return {"departments": [item for item in self._directory("departments") if item["dept_no"] in below]}

    def _users(self, asked: dict[str, Any]) -> Any:
        there = self._below(asked) if asked.get("has_child") else set()
        there = {*there, asked.get("dept_no", 1)}
        return {"users": [item for item in self._directory("users") if there & set(item["departments"])]}

    def _below(self, asked: dict[str, Any]) -> set[int]:
        """Departments right below the one named, or all the way down."""
        departments = self._directory("departments")
        below, layer = set(), {asked.get("dept_no", 1)}
        while layer:
            layer = {item["dept_no"] for item in departments if item["parent_no"] in layer} - below
            below |= layer
            if not asked.get("has_child"):
                break
        return below


def _instant(value: str) -> str:
    return moment(value).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _slice(items: list[Any], asked: dict[str, Any]) -> list[Any]:
    skip = asked.get("skip", 0)
    return items[skip : skip + min(asked.get("limit", 100), 100)]


def _refusal(code: int, message: str) -> Refusal:
    return Refusal(Reply({"code": code, "msg": message}, 400))
