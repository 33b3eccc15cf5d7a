"""金蝶云星空 WebAPI as one tenant answers it: logins, signed calls, bill queries, metadata; errors come with HTTP 200.

A table of the store is a form; its field names are the FieldKeys, header and entry already joined, one row an entry.
The writer of the store lists the form's own key first, then header fields, then `<Entity>_FEntryID` and its fields.

Options: `acct_id`, `user`, `app_id`, `app_secret`, `password`. What the sheet leaves open: `limit_max` (2000; newer
servers 10000), `over_limit` (`cap`, or `refuse` with MsgCode 8), `any_case` (1: field keys in any case),
`sign_window` (seconds a signature may be old, 300), `session_seconds` (1200).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sandbox.emulators.kingdee.filters import FilterError, condition
from sandbox.emulators.kingdee.logins import SESSION, is_signed, login, signed_rightly
from sandbox.emulators.kingdee.metadata import business_info
from sandbox.emulators.server import Call, Emulator, Refusal, Reply
from sandbox.emulators.values import local
from sandbox.store import Field

DYNAMIC_FORM = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService."
AUTH = "Kingdee.BOS.WebApi.ServicesStub.AuthService."
DATA_CENTERS = "Kingdee.BOS.ServiceFacade.ServicesStub.Account.AccountService.GetDataCenterList"
LOST, NO_RIGHT, NO_FORM, NO_FORM_ID, DATABASE, LICENCE, PARAMETER, NO_FIELD, CALL_LIMIT = (
    1,
    2,
    4,
    5,
    6,
    7,
    8,
    9,
    14,
)


class Kingdee(Emulator):
    def answer(self, call: Call) -> Reply:
        service = _service(call)
        if call.method != "POST" or service is None:
            return Reply("404", 404)
        if service == DATA_CENTERS:
            return Reply([{"Id": self.options["acct_id"], "Number": "001", "Name": self._name()}])
        if service.startswith(AUTH):
            return self._auth(call, service.removeprefix(AUTH))
        self._let_in(call)
        data = _data(call)
        answers: dict[str, Callable[[Call, dict[str, Any]], Reply]] = {
            DYNAMIC_FORM + "ExecuteBillQuery": self._lists,
            DYNAMIC_FORM + "BillQuery": self._objects,
            DYNAMIC_FORM + "QueryBusinessInfo": self._business_info,
        }
        return answers[service](call, data) if service in answers else Reply("response_error:服务不存在", 404)

    def is_counted(self, call: Call) -> bool:
        return "AuthService" not in call.path

    def rate_error(self, call: Call) -> Reply:
        return _failure(call, CALL_LIMIT, "调用频率超出限制，请稍后再试")

    def quota_error(self, call: Call) -> Reply:
        return _failure(call, LICENCE, "许可不足，请联系管理员")

    # --- who asks ----------------------------------------------------------------------------------

    def _auth(self, call: Call, method: str) -> Reply:
        if method == "Logout":
            self.tokens.pop(_session(call), None)
            return Reply(True)
        given = _listed(call.json["parameters"])
        if str(given[0]) != self.options["acct_id"]:
            return Reply("数据中心不存在", 500)
        error = login(method, list(map(str, given)), self.options, self.now())
        said: dict[str, Any] = {
            "Message": error,
            "MessageCode": "",
            "LoginResultType": 0,
            "IsSuccessByAPI": False,
        }
        if error:
            return Reply(said | {"KDSVCSessionId": None, "Context": None})
        session = self.issue(float(self.options.get("session_seconds", "1200")))
        context = {
            "UserId": 100001,
            "UserName": self.options["user"],
            "DataCenterName": self._name(),
            "UserLocale": "zh-CN",
            "CurrentOrganizationInfo": {"ID": 1, "Name": self._name()},
        }
        said |= {"LoginResultType": 1, "IsSuccessByAPI": True, "KDSVCSessionId": session, "Context": context}
        return Reply(said, headers={"Set-Cookie": f"{SESSION}={session}; path=/; HttpOnly"})

    def _let_in(self, call: Call) -> None:
        """A signed call needs no session; any other needs a living one."""
        if is_signed(call):
            wrong_center, right = signed_rightly(call, self.options, self.now())
            if wrong_center:
                raise Refusal(Reply("数据中心不存在", 500))
        else:
            right = self.alive(_session(call))
        if not right:
            raise Refusal(_failure(call, LOST, "会话信息已丢失,请重新登录"))

    def _name(self) -> str:
        return self.options.get("name", self.options["acct_id"])

    # --- what is asked -----------------------------------------------------------------------------

    def _objects(self, call: Call, data: dict[str, Any]) -> Reply:
        return Reply(self._found(call, data)[0])

    def _lists(self, call: Call, data: dict[str, Any]) -> Reply:
        rows, keys = self._found(call, data)
        return Reply([[row[key] for key in keys] for row in rows])

    def _business_info(self, call: Call, data: dict[str, Any]) -> Reply:
        return Reply(business_info(self.tables[self._form(call, data)]))

    def _form(self, call: Call, data: dict[str, Any]) -> str:
        form = str(data.get("FormId") or "")
        if not form:
            raise Refusal(_failure(call, NO_FORM_ID, "FormId不能为空"))
        if form not in self.tables:
            raise Refusal(_failure(call, NO_FORM, f"业务对象{form}不存在"))
        if self.is_revoked(form):
            raise Refusal(_failure(call, NO_RIGHT, f"没有“{self.tables[form].title}”的“查看”权限"))
        return form

    def _found(self, call: Call, data: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
        """The rows of a query keyed by the field keys asked for, and those keys."""
        form = self._form(call, data)
        find = self._finder(form)
        keys = [key.strip() for key in str(data.get("FieldKeys") or "").split(",") if key.strip()]
        if not keys:
            raise Refusal(_failure(call, PARAMETER, "FieldKeys不能为空"))
        columns = []
        for key in keys:
            try:
                field = find(key)
                columns.append((key, field.name, _written(field)))
            except KeyError:
                columns.append((key, self._reference(call, find, key), _internal_id))
        where, values = self._where(call, form, find, str(data.get("FilterString") or ""))
        start, limit = self._window(call, data)
        # rows the order does not tell apart may come in another order on another page
        tie = "rowid" if not limit or (start // limit) % 2 == 0 else "rowid desc"
        order = self._order(call, form, find, str(data.get("OrderString") or ""))
        found = self.rows(form, where, values, f"{order}{tie}", limit, start)
        rows = [{key: write(row[name]) for key, name, write in columns} for row in found]
        return self.page(rows, form), keys

    def _finder(self, form: str) -> Callable[[str], Field]:
        """What finds a field by its key. It raises: KeyError with a key the form has not."""
        fold = str.lower if self.options.get("any_case") == "1" else str
        fields = {fold(item.name): item for item in self.tables[form].fields}
        return lambda key: fields[fold(key)]

    def _reference(self, call: Call, find: Callable[[str], Field], key: str) -> str:
        """The field behind a reference named without .FNumber; it answers with an internal id, useless elsewhere."""
        try:
            return find(f"{key}.FNumber").name
        except KeyError as error:
            raise Refusal(_failure(call, NO_FIELD, f"字段{key}不存在")) from error

    def _where(self, call: Call, form: str, find: Callable[[str], Field], text: str) -> tuple[str, list[Any]]:
        try:
            return condition(text, find, lambda name: self.column(form, name))
        except KeyError as error:
            raise Refusal(_failure(call, NO_FIELD, f"字段{error.args[0]}不存在")) from error
        except FilterError as error:
            raise Refusal(_failure(call, DATABASE, str(error))) from error

    def _order(self, call: Call, form: str, find: Callable[[str], Field], text: str) -> str:
        """SQL of an OrderString, with a comma behind."""
        made = ""
        for part in filter(None, map(str.strip, text.split(","))):
            name, _, way = part.partition(" ")
            try:
                field = find(name)
            except KeyError as error:
                raise Refusal(_failure(call, DATABASE, f"列名 '{name}' 无效。")) from error
            if way.strip().lower() not in ("", "asc", "desc"):
                raise Refusal(_failure(call, DATABASE, f"“{way.strip()}”附近有语法错误。"))
            column = self.column(form, field.name)
            made += f"cast({column} as real)" if field.kind == "decimal" else column
            made += f" {way.strip()}, "
        return made

    def _window(self, call: Call, data: dict[str, Any]) -> tuple[int, int]:
        """Where the page begins and how many rows it may hold."""
        most = int(self.options.get("limit_max", "2000"))
        start, limit, top = (int(data.get(name) or 0) for name in ("StartRow", "Limit", "TopRowCount"))
        if limit > most and self.options.get("over_limit") == "refuse":
            raise Refusal(_failure(call, PARAMETER, f"单次取数最大允许{most}行"))
        limit = min(limit or most, most)
        return start, max(0, min(limit, top - start)) if top > 0 else limit


def _service(call: Call) -> str | None:
    """The service a path names: `/k3cloud/<service>.common.kdsvc`."""
    head, tail = "/k3cloud/", ".common.kdsvc"
    return (
        call.path[len(head) : -len(tail)] if call.path.startswith(head) and call.path.endswith(tail) else None
    )


def _session(call: Call) -> str:
    return call.headers.get(SESSION) or call.cookies.get(SESSION, "")


def _data(call: Call) -> dict[str, Any]:
    """What is asked: in `data`, last in `parameters`, or in a form field `data`; each may be JSON in a text."""
    if "form-urlencoded" in call.headers.get("content-type", ""):
        said: Any = call.form.get("data", "{}")
    else:
        body = call.json or {}
        said = body["data"] if "data" in body else (_listed(body.get("parameters")) or [{}])[-1]
    return json.loads(said) if isinstance(said, str) else said


def _listed(parameters: Any) -> list[Any]:
    return json.loads(parameters) if isinstance(parameters, str) else list(parameters or [])


def _failure(call: Call, code: int, message: str) -> Reply:
    """An error as this system gives it: HTTP 200, and for ExecuteBillQuery a list in a list."""
    status = {
        "ErrorCode": 500,
        "IsSuccess": False,
        "Errors": [{"FieldName": None, "Message": message, "DIndex": 0}],
        "SuccessEntitys": [],
        "SuccessMessages": [],
        "MsgCode": code,
    }
    said = {"Result": {"ResponseStatus": status}}
    return Reply([[said]] if ".ExecuteBillQuery." in call.path else said)


def _written(field: Field) -> Callable[[Any], Any]:
    """How a field's values are written: local wall clock, one blank for an empty text, numbers with their digits."""
    if field.kind == "decimal":
        return lambda value: None if value is None else Decimal(value)
    if field.kind == "flag":
        return lambda value: None if value is None else bool(value)
    if field.kind == "date":
        return lambda value: value and f"{value}T00:00:00"
    if field.kind == "instant":
        return lambda value: value and local(value, "%Y-%m-%dT%H:%M:%S")
    if field.kind == "integer":
        return lambda value: value
    nothing = None if "." in field.name else " "
    return lambda value: nothing if value is None else value or " "


def _internal_id(number: Any) -> int:
    """The id behind a number, as good as any other: whoever reads it cannot tell what it stands for."""
    return 100_000 + zlib.crc32(str(number).encode()) % 900_000 if number else 0
