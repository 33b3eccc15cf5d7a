"""氚云's open API as one engine answers it: one endpoint, a filter that is JSON in a text, no order, errors as words.

A table of the store is a form, its name the SchemaCode. Child forms (`parent`) are not in a list of their parent's rows,
only in `LoadBizObject`; asked for by their own code, their rows carry `ParentObjectId`.

Options: `engine_code`, `engine_secret`. What the sheet leaves open: `operators` (`known`: 0, 1, 2, 8 and the others are
ignored; `all`), `rows_max` (500), `count_at` (`ReturnData` or `root`: where TotalCount is), `shuffle` (1: every call in
another order).
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.emulators.server import Call, Emulator, Refusal, Reply
from sandbox.emulators.values import CHINA, canonical, local, moment
from sandbox.store import Field, Table

_KNOWN = {0: ">", 1: ">=", 2: "="}
_OTHERS = {3: "<=", 4: "<", 5: "<>"}
CONTAINS = 8


class H3yun(Emulator):
    def answer(self, call: Call) -> Reply:
        if call.method != "POST" or call.path != "/OpenApi/Invoke":
            return Reply("404", 404)
        if call.headers.get("enginecode") != self.options["engine_code"]:
            return _error("EngineCode不存在")
        if call.headers.get("enginesecret") != self.options["engine_secret"]:
            return _error("EngineSecret错误")
        asked = call.json or {}
        name = asked.get("SchemaCode")
        if name not in self.tables or self.is_revoked(str(name)):
            return _error(f"表单{name}不存在" if name not in self.tables else f"没有表单{name}的访问权限")
        table = self.tables[name]
        if asked.get("ActionName") == "LoadBizObjects":
            return self._list(table, asked)
        if asked.get("ActionName") == "LoadBizObject":
            return self._one(table, str(asked.get("BizObjectId")))
        return _error(f"不支持的操作{asked.get('ActionName')}")

    def rate_error(self, call: Call) -> Reply:
        return _error("接口调用过于频繁，请稍后再试")

    def quota_error(self, call: Call) -> Reply:
        return _error("今日接口调用次数已达上限")

    def _list(self, table: Table, asked: dict[str, Any]) -> Reply:
        if not isinstance(asked.get("Filter"), str):
            raise Refusal(_error("Filter必须是字符串"))
        try:
            said = json.loads(asked["Filter"])
        except ValueError:
            raise Refusal(_error("Filter不是有效的JSON")) from None
        if said.get("SortByCollection"):
            raise Refusal(_error("SortByCollection暂不支持，请传空"))
        where, values = self._matched(table, said.get("Matcher"))
        start = int(said.get("FromRowNum") or 0)
        size = min(int(said.get("ToRowNum") or 0) - start, int(self.options.get("rows_max", "500")))
        rows = self.rows(table.name, where, values, self._order(), max(size, 0), start)
        shown = [self._dressed(table, row) for row in rows]
        data: dict[str, Any] = {"BizObjectArray": self.page(shown, table.name)}
        answer = _ok(data)
        if said.get("RequireCount"):
            place = data if self.options.get("count_at", "ReturnData") == "ReturnData" else answer.body
            place["TotalCount"] = self.count(table.name, where, values)
        return answer

    def _order(self) -> str:
        """No order that means anything; where it is shuffled, another one for every call."""
        if self.options.get("shuffle") == "1" and len(self.calls) % 2:
            return "rowid desc"
        return "rowid"

    def _one(self, table: Table, name: str) -> Reply:
        found = self.rows(table.name, '"ObjectId" = ?', [name])
        if not found:
            return _error("数据不存在")
        row = self._dressed(table, found[0])
        for child in self.tables.values():
            if child.parent == table.name:
                lines = self.rows(child.name, '"ParentObjectId" = ?', [name])
                row[child.name] = [self._dressed(child, line) for line in lines]
        return _ok({"BizObject": row})

    def _matched(self, table: Table, node: Any) -> tuple[str, list[Any]]:
        if not node:
            return "true", []
        if node.get("Type") in {"And", "Or"}:
            parts = [self._matched(table, item) for item in node.get("Matchers") or ()]
            word = f" {node['Type'].lower()} "
            return word.join(f"({part})" for part, _ in parts) or "true", [
                v for _, values in parts for v in values
            ]
        if node.get("Type") != "Item":
            raise Refusal(_error("Matcher的Type不正确"))
        try:
            column = self.column(table.name, str(node.get("Name")))
        except KeyError:
            raise Refusal(_error(f"字段{node.get('Name')}不存在")) from None
        field = next((item for item in table.fields if item.name == node.get("Name")), None)
        value = node.get("Value")
        if field is not None and field.kind == "instant":
            value = canonical(_read(str(value)))
        operator = node.get("Operator")
        if operator == CONTAINS:
            return f"instr({column}, ?) > 0", [value]
        known = _KNOWN | (_OTHERS if self.options.get("operators") == "all" else {})
        return (f"{column} {known[operator]} ?", [value]) if operator in known else ("true", [])

    def _dressed(self, table: Table, row: dict[str, Any]) -> dict[str, Any]:
        odd = sum(map(ord, str(row["ObjectId"]))) % 2 == 1
        known = {field.name: _value(field, row[field.name], odd) for field in table.fields}
        return known | {name: value for name, value in row.items() if name not in known}


def _value(field: Field, value: Any, odd: bool) -> Any:
    """Two formats of time, by row; numbers are text in some fields: as forms of different age have them."""
    if value is None:
        return "" if field.kind in {"text", "instant", "date"} else None
    if field.kind == "instant":
        if not odd:
            return local(value)
        at = moment(value).astimezone(CHINA)
        return f"{at.year}/{at.month}/{at.day} {at.hour}:{at:%M:%S}"
    if field.kind == "decimal":
        return value if field.name[-1:] in "13579" else Decimal(value)
    return value


def _read(text: str) -> datetime:
    for form in ("%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d", "%Y/%m/%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=CHINA)
        except ValueError:
            continue
    raise Refusal(_error(f"日期{text}格式不正确"))


def _ok(data: dict[str, Any]) -> Reply:
    return Reply(
        {"Successful": True, "ErrorMessage": None, "Logined": False, "ReturnData": data, "DataType": 0}
    )


def _error(words: str) -> Reply:
    return Reply(
        {"Successful": False, "ErrorMessage": words, "Logined": False, "ReturnData": None, "DataType": 0}
    )
