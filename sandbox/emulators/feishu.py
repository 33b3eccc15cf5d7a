"""飞书: token, contacts (departments, users), Bitable, approvals v4, as the sheet describes them.

Tables of the store: `department`, `user`, `instance` with its lines `task` (approvals), and one `tbl…` for each table of
the Bitable in `options.app_token`; a Bitable table's key is `record_id`, its other fields are called by their field id
and shown under their titles. An instant field that refers to `last_modified_time` is of type 1002.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

from sandbox.emulators.server import Call, Emulator, Refusal, Reply, json_text
from sandbox.emulators.values import CHINA, canonical, epoch, midnight, moment
from sandbox.store import Field

SECONDS = 7200
EARLY = 1800  # seconds before its end from which a token is no longer given again
KINDS = {"text": 1, "integer": 2, "decimal": 2, "choice": 3, "list": 4, "date": 5, "instant": 5, "flag": 7}
OWN = {"record_id", "created_time", "last_modified_time"}
OPERATORS = {"is": "=", "isGreater": ">", "isLess": "<"}


class Feishu(Emulator):
    """Options: app_id, app_secret, app_token (of the Bitable), `rate_reset` (seconds a rate error says to wait)."""

    def is_counted(self, call: Call) -> bool:
        return "/auth/" not in call.path

    def rate_error(self, call: Call) -> Reply:
        headers = {
            "x-ogw-ratelimit-limit": "20",
            "x-ogw-ratelimit-reset": self.options.get("rate_reset", "1"),
        }
        return Reply({"code": 99991400, "msg": "request trigger frequency limit"}, 400, headers)

    def quota_error(self, call: Call) -> Reply:
        return Reply({"code": 99991403, "msg": "This month's API call quota has been exceeded"}, 429)

    def answer(self, call: Call) -> Reply:
        parts = call.path.removeprefix("/open-apis/").split("/")
        if parts[:2] == ["auth", "v3"]:
            return self._token(call)
        self._check_token(call)
        match [call.method, *parts]:
            case ["GET", "contact", "v3", "departments", parent, "children"]:
                return self._departments(call, parent)
            case ["GET", "contact", "v3", "users", "find_by_department"]:
                return self._users(call)
            case ["GET", "approval", "v4", "instances"]:
                return self._instances(call)
            case ["GET", "approval", "v4", "instances", code]:
                return self._instance(code)
            case ["GET", "bitable", "v1", "apps", app, "tables"]:
                return self._bitable_tables(call, app)
            case ["GET", "bitable", "v1", "apps", app, "tables", table, "fields"]:
                return self._bitable_fields(call, self._bitable(app, table))
            case ["POST", "bitable", "v1", "apps", app, "tables", table, "records", "search"]:
                return self._search(call, self._bitable(app, table))
        return Reply("404 page not found", 404)

    # --- who asks ----------------------------------------------------------------------------------

    def _token(self, call: Call) -> Reply:
        asked = call.json or {}
        if not str(asked.get("app_id", "")).startswith("cli_"):
            return Reply({"code": 10003, "msg": "invalid param"})
        if asked["app_id"] != self.options["app_id"] or asked.get("app_secret") != self.options["app_secret"]:
            return Reply({"code": 10014, "msg": "app secret invalid"})
        now = self.now()
        token = next((item for item, ends in self.tokens.items() if ends - now > EARLY), None)
        token = token or self.issue(SECONDS)
        return Reply(
            {"code": 0, "msg": "ok", "tenant_access_token": token, "expire": int(self.tokens[token] - now)}
        )

    def _check_token(self, call: Call) -> None:
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise Refusal(Reply({"code": 99991661, "msg": "Missing access token for authorization."}, 400))
        if not self.alive(token):
            raise Refusal(Reply({"code": 99991663, "msg": "Invalid access token for authorization."}, 400))

    # --- pages by token ----------------------------------------------------------------------------

    def _paged(self, call: Call, rows: list[Any], table: str, most: int, name: str = "items") -> Reply:
        """A page of all rows there are; its token holds for the same question only."""
        size = _size(call, most)
        said = json.dumps(
            [call.path, {k: v for k, v in sorted(call.query.items()) if k != "page_token"}, call.json]
        )
        stamp = hashlib.sha256(said.encode()).hexdigest()[:12]
        token, start = call.query.get("page_token", ""), 0
        if token:
            mark, _, at = token.partition(".")
            if mark != stamp or not at.isdigit():
                raise Refusal(Reply({"code": 99992402, "msg": "field validation failed: page_token"}, 400))
            start = int(at)
        part = rows[start : start + size]
        more = start + size < len(rows)
        if table:
            part = self.page(part, table)
        part = [row["_code"] for row in part] if name != "items" else part
        data = {"has_more": more, "page_token": f"{stamp}.{start + size}" if more else "", name: part}
        return Reply(
            {"code": 0, "msg": "success", "data": data | ({"total": len(rows)} if most == 500 else {})}
        )

    # --- contacts ----------------------------------------------------------------------------------

    def _departments(self, call: Call, parent: str) -> Reply:
        rows = [] if self.is_revoked("department") else self.rows("department")
        if call.query.get("fetch_child", "").lower() != "true":
            rows = [row for row in rows if row["parent_department_id"] == parent]
        shown = [
            row | {"status": {"is_deleted": False}, "member_count": row["member_count"] or 0} for row in rows
        ]
        return self._paged(call, shown, "department", 50)

    def _users(self, call: Call) -> Reply:
        department = call.query.get("department_id")
        if not department:
            raise Refusal(
                Reply({"code": 99992402, "msg": "field validation failed: department_id is required"}, 400)
            )
        rows = [] if self.is_revoked("user") else self.rows("user")
        shown = []
        for row in rows:
            listed = json.loads(row["department_ids"])
            if department in listed:
                status = {name: bool(row[name]) for name in ("is_frozen", "is_resigned", "is_activated")}
                user = {key: value for key, value in row.items() if key not in status}
                joined = epoch(row["join_time"]) if row["join_time"] else 0
                shown.append(user | {"department_ids": listed, "join_time": joined, "status": status})
        return self._paged(call, shown, "user", 50)

    # --- approvals ---------------------------------------------------------------------------------

    def _instances(self, call: Call) -> Reply:
        code, start, end = (call.query.get(name, "") for name in ("approval_code", "start_time", "end_time"))
        if not (start.isdigit() and end.isdigit()):
            raise Refusal(Reply({"code": 1390001, "msg": "param is invalid: start_time, end_time"}, 400))
        if not self.count("instance", "approval_code = ?", (code,)):
            raise Refusal(Reply({"code": 1390002, "msg": "approval code not found"}, 400))
        if self.is_revoked("instance"):
            raise Refusal(_scope("approval:approval:readonly"))
        rows = [
            {"_code": row["instance_code"]}
            for row in self.rows("instance", "approval_code = ?", (code,), order="start_time, instance_code")
            if int(start) <= 1000 * epoch(row["start_time"]) <= int(end)
        ]
        return self._paged(call, rows, "instance", 100, "instance_code_list")

    def _instance(self, code: str) -> Reply:
        found = self.rows("instance", f"{self.column('instance', 'instance_code')} = ?", (code,))
        if not found:
            raise Refusal(Reply({"code": 1390003, "msg": "instance code not found"}, 400))
        row = found[0]
        tasks = self.rows("task", "instance_code = ?", (code,), order="place")
        # Whoever edits a form puts a new widget into the place of the old one.
        title, amount, reference = (self.today("instance", name) for name in ("title", "amount", "reference"))
        form = [
            {"id": f"widget_{title.name}", "name": "事由", "type": "textarea", "value": row.pop(title.name)},
            {
                "id": f"widget_{amount.name}",
                "name": "金额",
                "type": "amount",
                "value": _number(row.pop(amount.name)),
                "ext": "CNY",
            },
            {
                "id": f"widget_{reference.name}",
                "name": "关联单号",
                "type": "input",
                "value": row.pop(reference.name) or "",
            },
        ]
        timeline = [{"type": "START", "create_time": _ms(row["start_time"]), "user_id": row["user_id"]}]
        timeline += [
            {"type": "PASS" if task["status"] == "APPROVED" else "REJECT", "create_time": _ms(task["end_time"]), "user_id": task["user_id"], "task_id": task["id"]}
            for task in tasks if task["end_time"]
        ]  # fmt: skip
        shown = row | {
            "start_time": _ms(row["start_time"]),
            "end_time": _ms(row["end_time"]),
            "reverted": bool(row["reverted"]),
            "form": json_text(form),
            "task_list": [
                {key: value for key, value in task.items() if key not in {"instance_code", "place"}}
                | {"start_time": _ms(task["start_time"]), "end_time": _ms(task["end_time"])}
                for task in tasks
            ],
            "timeline": timeline,
            "comment_list": [],
        }
        if self.faults.add_field and self.faults.reach("instance"):
            shown[self.faults.add_field] = "new"
        return Reply({"code": 0, "msg": "", "data": shown})

    # --- Bitable -----------------------------------------------------------------------------------

    def _bitable(self, app: str, table: str) -> str:
        if app != self.options["app_token"]:
            raise Refusal(Reply({"code": 1254040, "msg": "BaseTokenNotFound"}))
        if table not in self.tables or not table.startswith("tbl"):
            raise Refusal(Reply({"code": 1254041, "msg": "TableIdNotFound"}))
        return table

    def _bitable_tables(self, call: Call, app: str) -> Reply:
        if app != self.options["app_token"]:
            raise Refusal(Reply({"code": 1254040, "msg": "BaseTokenNotFound"}))
        rows = [
            {"table_id": name, "name": table.title, "revision": 1}
            for name, table in self.tables.items() if name.startswith("tbl") and not self.is_revoked(name)
        ]  # fmt: skip
        return self._paged(call, rows, "", 100)

    def _bitable_fields(self, call: Call, table: str) -> Reply:
        rows = []
        for place, field in enumerate(item for item in self.tables[table].fields if item.name not in OWN):
            options = [{"id": code, "name": words} for code, words in field.options]
            rows.append(
                {"field_id": field.name, "field_name": field.title, "type": _kind(field), "is_primary": place == 0,
                 "property": {"options": options} if options else None, "ui_type": _ui_type(field)}
            )  # fmt: skip
        return self._paged(call, rows, "", 100)

    def _search(self, call: Call, table: str) -> Reply:
        asked = call.json or {}
        said = self.tables[table]
        by_title = {field.title: field for field in said.fields if field.name not in OWN}
        wanted = asked.get("field_names") or list(by_title)
        for name in [*wanted, *(item["field_name"] for item in asked.get("sort") or ())]:
            if name not in by_title:
                raise Refusal(Reply({"code": 1254045, "msg": f"FieldNameNotFound: {name}"}))
        rows = [] if self.is_revoked(table) else self.rows(table)
        for condition in (asked.get("filter") or {}).get("conditions", ()):
            rows = [row for row in rows if _meets(row, condition, by_title)]
        for item in reversed(asked.get("sort") or ()):
            name = by_title[item["field_name"]].name
            rows.sort(key=lambda row, name=name: row[name] or "", reverse=bool(item.get("desc")))
        shown = []
        for row in rows:
            # what is empty is left out, as the vendor does
            fields = {n: v for n in wanted if (v := _shown(row[by_title[n].name], by_title[n])) is not None}
            record: dict[str, Any] = {"record_id": row["record_id"], "fields": fields}
            if asked.get("automatic_fields"):
                record |= {name: 1000 * epoch(row[name]) for name in ("created_time", "last_modified_time")}
            shown.append(record)
        return self._paged(call, shown, table, 500)


def _size(call: Call, most: int) -> int:
    size = call.query.get("page_size", "20")
    if not size.isdigit() or not 1 <= int(size) <= most:
        raise Refusal(
            Reply({"code": 99992402, "msg": f"field validation failed: page_size must be 1 to {most}"}, 400)
        )
    return int(size)


def _scope(name: str) -> Reply:
    return Reply(
        {"code": 99991672, "msg": f"Access denied. One of the following scopes is required: [{name}]"}, 400
    )


def _ms(instant: str | None) -> str:
    return str(1000 * epoch(instant)) if instant else "0"


def _number(text: str | None) -> Decimal | None:
    return Decimal(text) if text is not None else None


def _kind(field: Field) -> int:
    if field.refers == "last_modified_time":
        return 1002
    return 11 if field.refers == "user" else KINDS[field.kind]


def _ui_type(field: Field) -> str:
    return {1: "Text", 2: "Number", 3: "SingleSelect", 4: "MultiSelect", 5: "DateTime", 7: "Checkbox", 11: "User", 1002: "ModifiedTime"}[_kind(field)]  # fmt: skip


def _shown(value: Any, field: Field) -> Any:
    """A field's value as the vendor writes it; None: it is empty."""
    if value is None:
        return None
    kind = _kind(field)
    if kind == 1:
        head, mark, link = str(value).partition("https://")
        pieces = [{"text": head, "type": "text"}] if head else []
        return pieces + ([{"text": mark + link, "link": mark + link, "type": "url"}] if mark else [])
    if kind == 2:
        return Decimal(str(value))
    if kind == 3:
        return dict(field.options).get(value, value)
    if kind == 4:
        return json.loads(value)
    if kind == 7:
        return bool(value)
    if kind == 11:
        return [{"id": item["id"], "name": item["name"]} for item in json.loads(value)]
    return int(midnight(value).timestamp() * 1000) if field.kind == "date" else 1000 * epoch(value)


def _meets(row: dict[str, Any], condition: dict[str, Any], by_title: dict[str, Field]) -> bool:
    """One condition on a date field: days count, not hours."""
    field, operator = by_title.get(condition["field_name"]), condition["operator"]
    value = condition.get("value") or []
    if field is None or field.kind not in {"date", "instant"} or operator not in OPERATORS:
        raise Refusal(Reply({"code": 1254018, "msg": "InvalidFilter"}))
    if len(value) != 2 or value[0] != "ExactDate" or not (isinstance(value[1], str) and value[1].isdigit()):
        raise Refusal(
            Reply({"code": 1254018, "msg": "InvalidFilter: the value is not [ExactDate, text of ms]"})
        )
    if row[field.name] is None:
        return False
    from datetime import UTC, datetime

    limit = datetime.fromtimestamp(int(value[1]) / 1000, UTC).astimezone(CHINA).date()
    held = moment(row[field.name] if field.kind == "instant" else canonical(midnight(row[field.name])))
    day = held.astimezone(CHINA).date()
    return {"is": day == limit, "isGreater": day > limit, "isLess": day < limit}[operator]
