"""用友 YonBIP open API as one tenant's data centre answers it: token by signature, lists with a code in HTTP 200.

A table of the store is a list by its path (`scm/purchaseorder`, `digitalModel/vendor`). Of documents, head fields come
first; the first field whose name ends in `_id` and whose title says 行 begins the line.

Options: `tenant_id`, `app_key`, `app_secret`. What the sheet leaves open: `counts` (recordCount of lines asked for with
`isSum` false: `lines` or `documents`), `page_max` (500), `sign_window` (seconds, 300), `token_seconds` (7200),
`empty` (`absent`: keys without a value are left out, or `null`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.emulators.calls import Call, Refusal, Reply
from sandbox.emulators.server import Emulator
from sandbox.emulators.values import CHINA, canonical, local
from sandbox.store import Field, Table

GATEWAY, AUTH = "/iuap-api-gateway", "/iuap-api-auth"
TOKEN_PATHS = {f"{AUTH}/open-auth/selfAppAuth/{version}getAccessToken" for version in ("base/v1/", "")}
_COMPARED = {"eq": "=", "neq": "<>", "lt": "<", "gt": ">", "elt": "<=", "egt": ">="}
_LIKE = {"like": "%{}%", "leftlike": "{}%", "rightlike": "%{}"}
# Pages of documents say nothing of `elt` and `egt`; there they are taken for unknown.
_WITHOUT = {"scm/purchaseorder": {"elt", "egt"}, "sd/voucherorder": {"elt", "egt"}}
_MASTER = "digitalModel/"


class YonBip(Emulator):
    def answer(self, call: Call) -> Reply:
        if call.path == "/open-auth/dataCenter/getGatewayAddress":
            return self._addresses(call)
        if call.path in TOKEN_PATHS:
            return self._token(call)
        self._let_in(call)
        name = call.path.removeprefix(f"{GATEWAY}/yonbip/").removesuffix("/list")
        if (
            not call.path.startswith(f"{GATEWAY}/yonbip/")
            or name not in self.tables
            or not call.path.endswith("/list")
        ):
            return Reply(_said(310404, "请求的API不存在"), 404)
        if call.method != "POST":
            return Reply(_said(310405, "请求方法不支持"))
        if self.is_revoked(name):
            return Reply(_said(310037, f"应用未授权访问{self.tables[name].title}接口"))
        return self._list(name, call.json or {})

    def is_counted(self, call: Call) -> bool:
        return call.path.startswith(GATEWAY)

    def rate_error(self, call: Call) -> Reply:
        return Reply(_said(310046, "API调用频率超过限制"))

    quota_error = rate_error  # its quotas are calls a minute

    # --- who asks ---

    def _addresses(self, call: Call) -> Reply:
        if call.query.get("tenantId") != self.options["tenant_id"]:
            return Reply(_said(50000, "租户不存在"))
        urls = {"gatewayUrl": self.address + GATEWAY, "tokenUrl": self.address + AUTH}
        return Reply({"code": "00000", "message": "成功!", "data": urls})

    def _token(self, call: Call) -> Reply:
        key, stamp, sign = (call.query.get(name, "") for name in ("appKey", "timestamp", "signature"))
        if key != self.options["app_key"]:
            return Reply(_said(10018, "appKey无效"))
        if not stamp.isdigit() or abs(self.now() - int(stamp) / 1000) > float(
            self.options.get("sign_window", "300")
        ):
            return Reply(_said(10020, "时间戳已过期"))
        if not hmac.compare_digest(sign, signed(key, self.options["app_secret"], stamp)):
            return Reply(_said(10019, "签名错误"))
        seconds = float(self.options.get("token_seconds", "7200"))
        data = {"access_token": self.issue(seconds), "expire": int(seconds)}
        return Reply({"code": "00000", "message": "成功!", "data": data})

    def _let_in(self, call: Call) -> None:
        token = call.query.get("access_token") or call.headers.get("access_token", "")
        if not token:
            raise Refusal(Reply(_said(310001, "access_token为空")))
        if not self.alive(token):
            raise Refusal(Reply(_said(310036, "非法token")))

    # --- what is asked ---

    def _list(self, name: str, body: dict[str, Any]) -> Reply:
        table = self.tables[name]
        if None in body.values():
            raise _wrong("参数不能为null")
        where, values = self._where(table, body)
        heads = body.get("isSum") is True and not name.startswith(_MASTER)
        size = min(int(body.get("pageSize") or 10), int(self.options.get("page_max", "500")))
        page = int(body.get("pageIndex") or 1)
        lines = self.count(name, where, values)
        count = (
            self._documents(name, where, values)
            if heads or self.options.get("counts") == "documents"
            else lines
        )
        found = self._rows(table, where, values, body, size, page, heads=heads)
        write = [(field.name, _writer(field)) for field in table.fields]
        absent = self.options.get("empty", "absent") == "absent"
        rows = [
            {
                key: made
                for key, put in write
                if key in row and not ((made := put(row[key])) is None and absent)
            }
            for row in found
        ]
        pages = -(-(self._documents(name, where, values) if heads else lines) // size)
        data = {
            "pageIndex": page,
            "pageSize": size,
            "recordCount": count,
            "pageCount": pages,
            "beginPageIndex": 1,
            "endPageIndex": pages,
            "recordList": self.page(rows, name),
        }
        return Reply({"code": "200", "message": "操作成功", "data": data})

    def _rows(
        self,
        table: Table,
        where: str,
        values: list[Any],
        body: dict[str, Any],
        size: int,
        page: int,
        *,
        heads: bool,
    ) -> list[dict[str, Any]]:
        # rows that the order does not tell apart may come in another order on another page
        tie = "rowid" if page % 2 else "rowid desc"
        order = ""
        for part in body.get("queryOrders") or []:
            order += f"{self._column(table, str(part.get('field')))} {'desc' if part.get('order') == 'desc' else 'asc'}, "
        if not heads:
            # lines of one document stay in their order, or nobody could page through them
            return self.rows(table.name, where, values, f"{order}rowid", size, (page - 1) * size)
        names = _head(table)
        every = self.rows(table.name, where, values, f"{order}{tie}")
        found = {row["id"]: {name: row[name] for name in names} for row in every}
        return list(found.values())[(page - 1) * size : page * size]

    def _documents(self, name: str, where: str, values: list[Any]) -> int:
        return len({row["id"] for row in self.rows(name, where, values)})

    def _where(self, table: Table, body: dict[str, Any]) -> tuple[str, list[Any]]:
        parts, values = ["true"], []
        for item in body.get("simpleVOs") or []:
            field = str(item.get("field"))
            column, operator = self._column(table, field), item.get("op")
            kind = table.field(field)
            if operator in _WITHOUT.get(table.name, ()):
                raise _wrong(f"不支持的操作符{operator}")
            if operator in _COMPARED:
                parts.append(f"{column} {_COMPARED[operator]} ?")
                values.append(_value(kind, item.get("value1")))
            elif operator == "between":
                parts.append(f"{column} between ? and ?")
                values += [_value(kind, item.get("value1")), _value(kind, item.get("value2"))]
            elif operator == "in":
                listed = [_value(kind, one) for one in item.get("value1") or []]
                parts.append(f"{column} in ({', '.join('?' * len(listed))})")
                values += listed
            elif operator in _LIKE:
                parts.append(f"{column} like ?")
                values.append(_LIKE[operator].format(item.get("value1")))
            elif operator in ("is_null", "is_not_null"):
                parts.append(f"{column} is {'not ' if operator == 'is_not_null' else ''}null")
            else:
                raise _wrong(f"不支持的操作符{operator}")
        if table.name.startswith(_MASTER) and body.get("pubts"):
            # of staff those later than it, of others also those at it
            parts.append(f"{self._column(table, 'pubts')} {'>' if table.name.endswith('staff') else '>='} ?")
            values.append(_instant(body["pubts"]))
        simple = body.get("simple") or {}
        for key, operator in (("open_pubts_begin", ">="), ("open_pubts_end", "<=")):
            if simple.get(key):
                parts.append(f"{self._column(table, 'pubts')} {operator} ?")
                values.append(_instant(simple[key]))
        return " and ".join(parts), values

    def _column(self, table: Table, field: str) -> str:
        try:
            return self.column(table.name, field)
        except KeyError:
            raise _wrong(f"字段{field}不存在") from None


def signed(key: str, secret: str, stamp: str) -> str:
    """The signature of the token service: base64 of the raw HMAC."""
    text = "appKey" + key + "timestamp" + stamp
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha256)).decode()


def _said(code: int, message: str) -> dict[str, Any]:
    return {"code": str(code), "message": message}


def _wrong(message: str) -> Refusal:
    return Refusal(Reply(_said(310008, message)))


def _head(table: Table) -> list[str]:
    """The fields before those of the line."""
    names = []
    for field in table.fields:
        if field.name.endswith("_id") and "行" in field.title:
            break
        names.append(field.name)
    return names


def _instant(text: Any) -> str:
    try:
        return canonical(datetime.fromisoformat(str(text)).replace(tzinfo=CHINA))
    except ValueError:
        raise _wrong(f"日期格式错误：{text}") from None


def _value(field: Field, given: Any) -> Any:
    """A value as the store holds it."""
    if given is None:
        raise _wrong("参数不能为null")
    if field.kind == "instant":
        return _instant(given)
    return str(given)[:10] if field.kind == "date" else given


def _writer(field: Field) -> Callable[[Any], Any]:
    """How a field's values are written; ids are texts here and numbers there, as the store's kind says."""
    write: dict[str, Callable[[Any], Any]] = {
        "decimal": Decimal,
        "flag": bool,
        "date": lambda value: f"{value} 00:00:00",
        "instant": local,
    }
    made = write.get(field.kind, lambda value: value)
    return lambda value: None if value is None else made(value)
