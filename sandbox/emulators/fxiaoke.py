"""纷享销客's open API as one company answers it: credentials inside the JSON body, errors always in HTTP 200.

A table of the store is an object under its API name (`AccountObj`, custom ones end in `__c` and answer at their own
path), `user` holds the staff: `openUserId`, `name`, `mobile`. A text that refers to `user` is an employee, one that
refers to another table a reference; that table's `name` comes beside it as `<field>__r`. Objects have `_id`, `name`,
`owner`, `create_time` and `last_modified_time`.

Checked: token, company and operator of every call, at most 100 rows, offsets that are multiples of the limit and end at
`offset_max`, operators, that a filter has values, that a field is there.

Options: `app_id`, `app_secret`, `permanent_code`, `corp_id`. What the sheet leaves open: `sees` (JSON: openUserId → the
owners whose rows he sees; who is not named sees all), `offset_max` (10000), `limit_max` (100), `describe_by` (`top` or
`data`: where `apiName` is looked for), `list_at` (`data` or `top`: where the list of objects is), `projection` (`yes`,
or `no`: every field comes), `token_seconds` (7200). Codes but 0 are invented, except those the sheet names.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sandbox.emulators.server import Call, Emulator, Refusal, Reply
from sandbox.emulators.values import canonical, epoch, midnight
from sandbox.store import Field, Table

TOKEN, BY_MOBILE = "/cgi/corpAccessToken/get/V2", "/cgi/user/getByMobile"
LIST, DESCRIBE = "/cgi/crm/v2/object/list", "/cgi/crm/v2/object/describe"
STANDARD, CUSTOM = "/cgi/crm/v2/data/query", "/cgi/crm/custom/v2/data/query"
STAFF = "user"
SECRET, OFFSET, NO_TOKEN, PARAMETER, NO_RIGHT, NO_OBJECT, RATE, QUOTA = 10006, 10013, 20016, 10007, 30005, 30001, 50010, 50011  # fmt: skip
_TYPES = {"text": "text", "integer": "number", "decimal": "currency", "date": "date", "instant": "date_time", "flag": "true_or_false", "choice": "select_one", "list": "select_many"}  # fmt: skip
_SQL = {"EQ": "=", "N": "<>", "GT": ">", "GTE": ">=", "LT": "<", "LTE": "<="}


class Fxiaoke(Emulator):
    def answer(self, call: Call) -> Reply:
        if call.method != "POST" or call.path not in (TOKEN, BY_MOBILE, LIST, DESCRIBE, STANDARD, CUSTOM):
            return Reply("Not Found", 404)
        asked = call.json if isinstance(call.json, dict) else {}
        if call.path == TOKEN:
            return self._login(asked)
        self._check_token(asked)
        if call.path == BY_MOBILE:
            found = self.rows(STAFF, '"mobile" = ?', [asked.get("mobile")])
            staff = [{"openUserId": row["openUserId"], "name": row["name"]} for row in found]
            return _ok({"empList": staff})
        who = str(asked.get("currentOpenUserId"))
        if not self.rows(STAFF, '"openUserId" = ?', [who]):
            raise Refusal(_error(PARAMETER, "currentOpenUserId不存在"))
        if call.path == LIST:
            listed = {
                "objects": [self._named(table) for table in self.tables.values() if table.name != STAFF]
            }
            return _ok(listed if self.options.get("list_at") == "top" else {"data": listed})
        data = asked.get("data") or {}
        if call.path == DESCRIBE:
            at = data if self.options.get("describe_by") == "data" else asked
            return _ok({"data": {"describe": self._described(self._object(at.get("apiName")))}})
        name = data.get("dataObjectApiName")
        if str(name).endswith("__c") != (call.path == CUSTOM):
            raise Refusal(_error(NO_OBJECT, f"对象{name}不存在"))
        return _ok({"data": self._found(self._object(name), who, data, asked)})

    def is_counted(self, call: Call) -> bool:
        return call.path not in (TOKEN, BY_MOBILE)

    def rate_error(self, call: Call) -> Reply:
        return _error(RATE, "接口调用频率超过限制")

    def quota_error(self, call: Call) -> Reply:
        return _error(QUOTA, "今日接口调用次数已用完")

    # --- who asks ----------------------------------------------------------------------------------

    def _login(self, asked: dict[str, Any]) -> Reply:
        given = [asked.get(name) for name in ("appId", "appSecret", "permanentCode")]
        if given != [self.options[name] for name in ("app_id", "app_secret", "permanent_code")]:
            return _error(SECRET, "appSecret错误")
        seconds = int(self.options.get("token_seconds", "7200"))
        token = {"corpAccessToken": self.issue(seconds), "corpId": self.options["corp_id"]}
        return _ok({**token, "expiresIn": seconds})

    def _check_token(self, asked: dict[str, Any]) -> None:
        if asked.get("corpId") != self.options["corp_id"]:
            raise Refusal(_error(PARAMETER, "corpId不存在"))
        if not self.alive(str(asked.get("corpAccessToken"))):
            raise Refusal(_error(NO_TOKEN, "corpAccessToken不存在或已过期"))

    def _object(self, name: Any) -> Table:
        if name not in self.tables or name == STAFF:
            raise Refusal(_error(NO_OBJECT, f"对象{name}不存在"))
        if self.is_revoked(str(name)):
            raise Refusal(_error(NO_RIGHT, f"没有对象{name}的查看权限"))
        return self.tables[str(name)]

    # --- metadata ----------------------------------------------------------------------------------

    def _named(self, table: Table) -> dict[str, Any]:
        kind = "custom" if table.name.endswith("__c") else "package"
        return {"describeApiName": table.name, "describeDisplayName": table.title, "defineType": kind, "isActive": True}  # fmt: skip

    def _described(self, table: Table) -> dict[str, Any]:
        fields: dict[str, Any] = {"lock_rule": {"api_name": "lock_rule", "type": "lock_rule", "label": "锁定规则", "is_active": True}}  # fmt: skip
        for field in table.fields:
            said = {"api_name": field.name, "label": field.title, "type": _type(field), "is_required": field.required, "is_active": True}  # fmt: skip
            if field.kind in {"integer", "decimal"}:
                said["decimal_places"] = 0 if field.kind == "integer" else 2
            if field.options:
                said["options"] = [{"value": key, "label": words} for key, words in field.options]
            if said["type"] == "object_reference":
                said["target_api_name"] = field.refers
            fields[field.name] = said
        return {"api_name": table.name, "display_name": table.title, "fields": fields}

    # --- rows --------------------------------------------------------------------------------------

    def _found(self, table: Table, who: str, data: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
        query = data.get("search_query_info")
        if not isinstance(query, dict) or not isinstance(query.get("filters"), list):
            raise Refusal(_error(PARAMETER, "缺少参数search_query_info"))
        limit, offset = query.get("limit"), query.get("offset")
        if not isinstance(limit, int) or not 0 < limit <= 100:
            raise Refusal(_error(PARAMETER, "limit必须在1到100之间"))
        limit = min(limit, int(self.options.get("limit_max", "100")))
        if not isinstance(offset, int) or offset % limit:
            raise Refusal(_error(PARAMETER, "offset必须为limit的整数倍"))
        if offset > int(self.options.get("offset_max", "10000")):
            raise Refusal(_error(OFFSET, "offset out of range"))
        parts, values = self._seen_by(table, who)
        for item in query["filters"]:
            part, more = self._condition(table, item)
            parts.append(f"({part})")
            values += more
        where = " and ".join(parts) or "true"
        orders = [
            f"{self._column(table, item.get('fieldName'))} {'asc' if item.get('isAsc') else 'desc'}"
            for item in query.get("orders") or ()
        ]
        order = ", ".join(orders or ['"last_modified_time" desc'])
        rows = self.rows(table.name, where, values, order, limit, offset)
        only = query.get("fieldProjection") if self.options.get("projection") != "no" else None
        shown = [self._dressed(table, row, only, bool(asked.get("includeNull"))) for row in rows]
        counted = data.get("find_explicit_total_num", True)
        total = self.count(table.name, where, values) if counted else 0
        return {"dataList": self.page(shown, table.name), "total": total, "offset": offset, "limit": limit}

    def _seen_by(self, table: Table, who: str) -> tuple[list[str], list[Any]]:
        owners = json.loads(self.options.get("sees", "{}")).get(who)
        if owners is None:
            return [], []
        return [f"{self._column(table, 'owner')} in ({', '.join('?' * len(owners))})"], list(owners)

    def _column(self, table: Table, name: Any) -> str:
        try:
            return self.column(table.name, name)
        except KeyError:
            raise Refusal(_error(PARAMETER, f"字段{name}不存在")) from None

    def _condition(self, table: Table, item: dict[str, Any]) -> tuple[str, list[Any]]:
        name, operator, given = item.get("field_name"), item.get("operator"), item.get("field_values")
        column = self._column(table, name)
        if operator in {"IS", "ISN"}:
            return f"{column} is {'not ' if operator == 'ISN' else ''}null", []
        if not isinstance(given, list) or not given:
            raise Refusal(_error(PARAMETER, "field_values不能为空"))
        field = table.field(str(name))
        values = [_wanted(field, value) for value in given]
        column = f"cast({column} as real)" if field.kind in {"integer", "decimal"} else column
        if operator in _SQL:
            return f"{column} {_SQL[operator]} ?", values[:1]
        if operator in {"IN", "NIN"}:
            return (
                f"{column} {'not ' if operator == 'NIN' else ''}in ({', '.join('?' * len(values))})",
                values,
            )
        if operator in {"BETWEEN", "NBETWEEN"} and len(values) == 2:
            return f"{column} {'not ' if operator == 'NBETWEEN' else ''}between ? and ?", values
        if operator in {"LIKE", "NLIKE"}:
            return f"instr({column}, ?) {'= 0' if operator == 'NLIKE' else '> 0'}", values[:1]
        raise Refusal(_error(PARAMETER, f"operator {operator} 不支持"))

    def _dressed(
        self, table: Table, row: dict[str, Any], only: list[str] | None, nulls: bool
    ) -> dict[str, Any]:
        sent: dict[str, Any] = {}
        for field in table.fields:
            value = _value(field, row[field.name])
            if (only and field.name not in only) or (value is None and not nulls):
                continue
            sent[field.name] = value
            if value is not None and field.refers and field.refers != STAFF:
                key = self.tables[field.refers].key[0]
                found = self.rows(field.refers, f'"{key}" = ?', [value])
                sent[f"{field.name}__r"] = found[0]["name"] if found else ""
        return sent


def _type(field: Field) -> str:
    if field.refers:
        return "employee" if field.refers == STAFF else "object_reference"
    return "phone_number" if field.personal else _TYPES[field.kind]


def _value(field: Field, value: Any) -> Any:
    if value is None:
        return None
    if field.refers == STAFF:
        return [value]
    if field.kind == "instant":
        return epoch(value) * 1000
    if field.kind == "date":
        return int(midnight(value).timestamp()) * 1000
    if field.kind == "flag":
        return bool(value)
    if field.kind == "list":
        return json.loads(value)
    return str(value)


def _wanted(field: Field, value: Any) -> Any:
    """A filter's value as the store holds it: times come as ms, as a number or as text."""
    if field.kind not in {"instant", "date"}:
        return float(value) if field.kind in {"integer", "decimal"} else value
    try:
        when = datetime.fromtimestamp(int(value) / 1000, UTC)
    except (TypeError, ValueError):
        raise Refusal(_error(PARAMETER, f"{value}不是毫秒时间戳")) from None
    if field.kind == "instant":
        return canonical(when)
    return datetime.fromtimestamp(int(value) / 1000 + 8 * 3600, UTC).date().isoformat()


def _ok(said: dict[str, Any]) -> Reply:
    return Reply({"errorCode": 0, "errorMessage": "OK", "traceId": "E-O.sandbox", **said})


def _error(code: int, words: str) -> Reply:
    return Reply({"errorCode": code, "errorMessage": words, "traceId": "E-O.sandbox"})
