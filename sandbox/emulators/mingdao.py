"""明道云's API v3 as one application answers it: static headers, numbers as text, selects as lists, groups in filters.

A table of the store is a worksheet, its name the worksheet's id; field names are field ids (and `rowid`, `_createdAt`,
`_updatedAt`, `_owner`). A text that refers to `user` is a member; `user` holds `accountId` and `fullname`.

Options: `app_key`, `sign`, `app_name`, `aliases` (JSON: worksheet → field id → alias). What the sheet leaves open:
`row_key` (`id` or `rowid`), `at_least` (`ge` or `gte`: how that operator is spelt; `le`/`lte` like it), `page_max`
(1000), `over_page` (`cap` or `refuse`).
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.emulators.server import Call, Emulator, Refusal, Reply
from sandbox.emulators.values import CHINA, canonical, local
from sandbox.store import Field, Table

PREFIX = "/v3/app"
_TYPES = {"text": "Text", "integer": "Number", "decimal": "Number", "date": "Date", "instant": "DateTime", "flag": "Checkbox", "choice": "SingleSelect", "list": "MultipleSelect"}  # fmt: skip
_SQL = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
MISSING, WRONG, NO_RIGHT, NOT_THERE, LIMIT = 10001, 10002, 10005, 10007, 10030


class Mingdao(Emulator):
    def answer(self, call: Call) -> Reply:
        given = (call.headers.get("hap-appkey"), call.headers.get("hap-sign"))
        if given != (self.options["app_key"], self.options["sign"]):
            raise Refusal(_error(MISSING, "Http Headers verification failed", 401))
        if not call.path.startswith(PREFIX):
            return _error(NOT_THERE, "接口不存在", 404)
        parts = call.path.removeprefix(PREFIX).strip("/").split("/")
        if parts == [""] and call.method == "GET":
            return _ok(self._structure())
        if parts[0] != "worksheets" or len(parts) < 2:
            return _error(NOT_THERE, "接口不存在", 404)
        table = self._worksheet(parts[1])
        if len(parts) == 2 and call.method == "GET":
            return _ok(self._described(table))
        if parts[2:] == ["rows", "list"] and call.method == "POST":
            return _ok(self._rows(table, call.json or {}))
        return _error(NOT_THERE, "接口不存在", 404)

    def rate_error(self, call: Call) -> Reply:
        """One throttled call is answered with a status, the next with words."""
        if len(self.calls) % 2:
            return Reply("Service Unavailable", 503)
        return _error(LIMIT, "请求过于频繁，请稍后再试")

    def quota_error(self, call: Call) -> Reply:
        return _error(LIMIT + 1, "本月API调用次数已用完")

    # --- metadata ----------------------------------------------------------------------------------

    def _structure(self) -> dict[str, Any]:
        sheets = [
            {"id": table.name, "name": table.title, "type": "worksheet"}
            for table in self.tables.values()
            if table.name != "user" and not self.is_revoked(table.name)
        ]
        name = self.options.get("app_name", "应用")
        return {"id": "app", "name": name, "sections": [{"id": "s1", "name": "默认分组", "items": sheets}]}

    def _worksheet(self, name: str) -> Table:
        if name not in self.tables or name == "user":
            raise Refusal(_error(NOT_THERE, "工作表不存在"))
        if self.is_revoked(name):
            raise Refusal(_error(NO_RIGHT, "数据操作无权限"))
        return self.tables[name]

    def _described(self, table: Table) -> dict[str, Any]:
        aliases = self._aliases(table)
        fields = []
        for field in _own(table):
            said: dict[str, Any] = {
                "id": field.name,
                "alias": aliases.get(field.name, ""),
                "name": field.title,
            }
            said |= {
                "type": "Collaborator" if field.refers == "user" else _TYPES[field.kind],
                "required": field.required,
            }
            said["options"] = [{"key": key, "value": words} for key, words in field.options]
            said["precision"] = 0 if field.kind == "integer" else 2
            fields.append(said)
        return {"id": table.name, "name": table.title, "fields": fields}

    def _aliases(self, table: Table) -> dict[str, str]:
        return json.loads(self.options.get("aliases", "{}")).get(table.name, {})

    # --- rows --------------------------------------------------------------------------------------

    def _rows(self, table: Table, asked: dict[str, Any]) -> dict[str, Any]:
        size, most = int(asked.get("pageSize") or 50), int(self.options.get("page_max", "1000"))
        if size > most and self.options.get("over_page") == "refuse":
            raise Refusal(_error(WRONG, f"pageSize不能大于{most}"))
        size, page = min(size, most), int(asked.get("pageIndex") or 1)
        where, values = self._filter(table, asked.get("filter"), top=True)
        rows = self.rows(
            table.name, where, values, self._order(table, asked.get("sorts")), size, (page - 1) * size
        )
        shown = [self._dressed(table, row, asked) for row in rows]
        data: dict[str, Any] = {"rows": self.page(shown, table.name)}
        if asked.get("includeTotalCount"):
            data["total"] = self.count(table.name, where, values)
        return data

    def _order(self, table: Table, sorts: list[dict[str, Any]] | None) -> str:
        parts = [
            f"{self._column(table, item['field'])} {'asc' if item.get('isAsc') else 'desc'}"
            for item in sorts or ()
        ]
        return ", ".join([*(parts or ['"_createdAt" desc']), '"rowid"'])

    def _column(self, table: Table, name: str) -> str:
        named = {alias: key for key, alias in self._aliases(table).items()}
        try:
            return self.column(table.name, named.get(name, name))
        except KeyError:
            raise Refusal(_error(WRONG, f"字段{name}不存在")) from None

    def _filter(self, table: Table, node: Any, top: bool = False, depth: int = 1) -> tuple[str, list[Any]]:
        if not node:
            return "true", []
        if node.get("type") != "group":
            if top:
                raise Refusal(_error(WRONG, "filter的根节点必须是group"))
            return self._condition(table, node)
        children = node.get("children") or []
        kinds = {child.get("type") for child in children}
        if len(kinds) > 1 or depth > 2:
            raise Refusal(_error(WRONG, "group的子节点必须全部为group或全部为condition，且最多两层"))
        parts, values = [], []
        for child in children:
            part, more = (
                self._filter(table, child, depth=depth + 1)
                if child.get("type") == "group"
                else self._condition(table, child)
            )
            parts.append(f"({part})")
            values += more
        word = " or " if str(node.get("logic")).upper() == "OR" else " and "
        return word.join(parts) or "true", values

    def _condition(self, table: Table, node: dict[str, Any]) -> tuple[str, list[Any]]:
        name, operator = str(node.get("field")), str(node.get("operator"))
        column, value = self._column(table, name), node.get("value")
        given = value if isinstance(value, list) else [value]
        at_least = self.options.get("at_least", "ge")
        spelt = {at_least: "ge", at_least.replace("g", "l"): "le"} | {
            item: item for item in ("eq", "ne", "gt", "lt")
        }
        values = [self._wanted(table, name, item) for item in given]
        if operator in spelt:
            return f"{column} {_SQL[spelt[operator]]} ?", values[:1]
        if operator == "in":
            return f"{column} in ({', '.join('?' * len(values))})", values
        if operator == "between":
            return f"{column} between ? and ?", values[:2]
        if operator == "contains":
            return f"instr({column}, ?) > 0", values[:1]
        if operator in {"isempty", "isnotempty"}:
            return f"{column} is {'not ' if operator == 'isnotempty' else ''}null", []
        raise Refusal(_error(WRONG, f"运算符{operator}不支持"))

    def _wanted(self, table: Table, name: str, value: Any) -> Any:
        field = next((item for item in table.fields if item.name == name), None)
        if field is None or field.kind != "instant":
            return value
        try:
            form = "%Y-%m-%d %H:%M:%S" if " " in str(value) else "%Y-%m-%d"
            return canonical(datetime.strptime(str(value), form).replace(tzinfo=CHINA))
        except ValueError:
            raise Refusal(_error(WRONG, f"日期{value}格式不正确")) from None

    def _dressed(self, table: Table, row: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
        aliases = {} if asked.get("useFieldIdAsKey") else self._aliases(table)
        named = {alias: key for key, alias in self._aliases(table).items()}
        wanted = {named.get(item, item) for item in asked.get("fields") or ()}
        sent: dict[str, Any] = {self.options.get("row_key", "id"): row["rowid"]}
        for field in _own(table):
            if not wanted or field.name in wanted:
                sent[aliases.get(field.name) or field.name] = self._value(field, row[field.name])
        if asked.get("includeSystemFields"):
            sent |= {name: local(row[name]) for name in ("_createdAt", "_updatedAt")}
            sent["_owner"] = self._member(row["_owner"], "id")
        return sent

    def _value(self, field: Field, value: Any) -> Any:
        if value is None:
            return [] if field.kind == "choice" or field.refers == "user" else ""
        if field.refers == "user":
            return [self._member(value, "accountId")]
        if field.kind == "choice":
            return [{"key": value, "value": dict(field.options)[value]}]
        if field.kind == "instant":
            return local(value)
        if field.kind in {"decimal", "integer"}:
            return str(Decimal(str(value)))
        return value

    def _member(self, account: str | None, key: str) -> dict[str, Any] | None:
        found = self.rows("user", '"accountId" = ?', [account]) if account else []
        return {
            key: account,
            "fullname": found[0]["fullname"] if found else "",
            "isPortal": False,
            "status": 1,
        }


def _own(table: Table) -> list[Field]:
    return [field for field in table.fields if field.name != "rowid" and not field.name.startswith("_")]


def _ok(data: dict[str, Any]) -> Reply:
    return Reply({"success": True, "error_code": 1, "error_msg": "", "data": data})


def _error(code: int, words: str, status: int = 200) -> Reply:
    return Reply({"success": False, "error_code": code, "error_msg": words, "data": None}, status)
