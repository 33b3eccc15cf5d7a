"""聚水潭 as one company's account answers it: signed form POST, modification windows of at most 7 days, errors in HTTP 200.

Tables: `orders` with `order_items`, `refunds` with `refund_items` (children by `parent`, sent as `items`), `shops`, `sku`
and `settlements`; the last one's path is invented, for the vendor's own report is not public.

Options: `app_key`, `app_secret`, `access_token`. What the sheet leaves open: `page_size_max` (per table as the sheet
says; set to see pages in small stores), `over_size` (`cap`, or `refuse`), `clock_window` (900 s).
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.emulators.server import Call, Emulator, Refusal, Reply
from sandbox.emulators.values import CHINA, canonical, local
from sandbox.store import Field

TOKEN_SECONDS = 2_592_000
WINDOW = timedelta(days=7)
# path → table, where its rows are, rows a page at most, whether a modification window must be named
PATHS = {
    "/open/orders/single/query": ("orders", "orders", 100, True),
    "/open/refund/single/query": ("refunds", "datas", 50, True),
    "/open/sku/query": ("sku", "datas", 50, True),
    "/open/shops/query": ("shops", "datas", 100, False),
    "/open/finance/settlement/query": ("settlements", "datas", 50, False),
}
LOGINS = ("/openWeb/auth/getInitToken", "/openWeb/auth/refreshToken")
SIGN, TOKEN, PARAMETER, CLOCK, NO_RIGHT, RATE, QUOTA = 10, 100, 120, 140, 190, 199, 201
# orders print their amounts as text, the other interfaces as numbers
AS_TEXT = {"orders", "order_items"}


class Jushuitan(Emulator):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if token := self.options.get("access_token"):
            self.tokens[token] = self.now() + TOKEN_SECONDS

    def answer(self, call: Call) -> Reply:
        if call.method != "POST" or call.path not in (*PATHS, *LOGINS):
            return Reply("Not Found", 404)
        form = call.form
        self._check_signature(form)
        if call.path in LOGINS:
            return self._login(call.path, form)
        if not self.alive(form.get("access_token", "")):
            raise Refusal(_error(TOKEN, "验证失败！无效的access_token或access_token已过期"))
        if self.is_revoked(PATHS[call.path][0]):
            raise Refusal(_error(NO_RIGHT, "验证失败！无API权限，请申请API权限"))
        try:
            biz = json.loads(form.get("biz") or "{}")
        except ValueError:
            raise Refusal(_error(PARAMETER, "biz不是有效的JSON")) from None
        return self._found(call.path, biz)

    def is_counted(self, call: Call) -> bool:
        return call.path not in LOGINS

    def rate_error(self, call: Call) -> Reply:
        return _error(RATE, "调用频次超过限制!请稍后再试")

    def quota_error(self, call: Call) -> Reply:
        return _error(QUOTA, "接口调用次数包已用完，请续费")

    # --- who asks ----------------------------------------------------------------------------------

    def _check_signature(self, form: dict[str, str]) -> None:
        text = self.options["app_secret"] + "".join(key + form[key] for key in sorted(form) if key != "sign")
        right = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        if form.get("app_key") != self.options["app_key"] or form.get("sign") != right:
            raise Refusal(_error(SIGN, "验证失败！无效签名"))
        sent = form.get("timestamp", "")
        if not sent.isdigit() or abs(int(sent) - self.now()) > float(self.options.get("clock_window", "900")):
            raise Refusal(_error(CLOCK, "验证失败！无效的timestamp，请求最大时间误差15分钟"))

    def _login(self, path: str, form: dict[str, str]) -> Reply:
        if path.endswith("getInitToken"):
            if form.get("grant_type") != "authorization_code" or len(form.get("code", "")) != 6:
                return _error(PARAMETER, "code必须为六位随机码")
        elif form.get("refresh_token") not in self.tokens or form.get("scope") != "all":
            return _error(TOKEN, "验证失败！无效的refresh_token")
        data = {
            "access_token": self.issue(TOKEN_SECONDS),
            "refresh_token": self.issue(TOKEN_SECONDS),
            "expires_in": TOKEN_SECONDS,
            "scope": "all",
        }
        return _ok(data)

    # --- what is asked -----------------------------------------------------------------------------

    def _found(self, path: str, biz: dict[str, Any]) -> Reply:
        table, place, cap, dated = PATHS[path]
        where, values = self._where(table, dated, biz)
        page, size = int(biz.get("page_index") or 1), int(biz.get("page_size") or 30)
        cap = int(self.options.get("page_size_max", cap))
        if size > cap and self.options.get("over_size") == "refuse":
            raise Refusal(_error(PARAMETER, f"page_size不能大于{cap}"))
        size = min(size, cap)
        key = self.tables[table].key[0]
        order = f'{self.column(table, "modified")}, "{key}"' if dated else f'"{key}"'
        rows = self.rows(table, where, values, order, size + 1, (page - 1) * size)
        more = len(rows) > size
        shown = self._dressed(table, rows[:size])
        data: dict[str, Any] = {"page_index": page, "page_size": size, "has_next": more}
        if biz.get("is_get_total", True) not in (False, "false"):
            count = self.count(table, where, values)
            data |= {"data_count": count, "page_count": -(-count // size)}
        return _ok(data | {place: self.page(shown, table)})

    def _where(self, table: str, dated: bool, biz: dict[str, Any]) -> tuple[str, list[Any]]:
        if not dated:
            return "true", []
        ids = next((name for name in ("so_id", "o_id", "sku_id") if biz.get(f"{name}s")), None)
        if ids:
            wanted = biz[f"{ids}s"]
            wanted = wanted.split(",") if isinstance(wanted, str) else wanted
            name = self.column(table, ids)
            return f"{name} in ({', '.join('?' * len(wanted))})", list(wanted)
        try:
            begin, end = (_instant(biz[f"modified_{side}"]) for side in ("begin", "end"))
        except (KeyError, TypeError, ValueError):
            raise Refusal(
                _error(PARAMETER, "modified_begin和modified_end必须同时存在，与线上单号不能同时为空")
            ) from None
        if end - begin > WINDOW:
            raise Refusal(_error(PARAMETER, "修改时间间隔不能超过七天"))
        where, values = (
            f"{self.column(table, 'modified')} between ? and ?",
            [canonical(begin), canonical(end)],
        )
        for name in ("shop_id", "status"):
            if biz.get(name) not in (None, "", 0):
                where, values = f"{where} and {self.column(table, name)} = ?", [*values, biz[name]]
        return where, values

    def _dressed(self, name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows as they are sent, with the rows that belong to them."""
        table = self.tables[name]
        sent = [
            {field.name: _value(field, row[field.name], name in AS_TEXT) for field in table.fields}
            for row in rows
        ]
        for child in self.tables.values():
            if child.parent == name and child.link:
                above = [row[table.key[0]] for row in rows]
                marks = ", ".join("?" * len(above))
                lines = self.rows(child.name, f"{self.column(child.name, child.link)} in ({marks})", above)
                by_parent: dict[Any, list[dict[str, Any]]] = {}
                for line, shown in zip(lines, self._dressed(child.name, lines), strict=True):
                    by_parent.setdefault(line[child.link], []).append(
                        {k: v for k, v in shown.items() if k != child.link}
                    )
                for row, made in zip(rows, sent, strict=True):
                    made["items"] = by_parent.get(row[table.key[0]], [])
        return sent


def _value(field: Field, value: Any, as_text: bool) -> Any:
    if value is None:
        # an instant that has not come is not mentioned with a value
        return "" if field.kind == "instant" else None
    if field.kind == "instant":
        return local(value)
    if field.kind == "decimal":
        return value if as_text else Decimal(value)
    return value


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)


def _ok(data: dict[str, Any]) -> Reply:
    return Reply({"code": 0, "msg": "执行成功", "data": data})


def _error(code: int, words: str) -> Reply:
    return Reply({"code": code, "msg": words, "data": None})
