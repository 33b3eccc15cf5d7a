"""聚水潭 (e-commerce ERP): orders, refunds, shops and goods of all shops, by form POST with an MD5 signature.

Limits: 5 calls a second and 100 a minute per interface; orders, refunds and goods are asked by modification time,
at most 7 days at once, so one pull is a row of weekly pieces. Errors come with HTTP 200 and `code` ≠ 0: frequency
(199, 200, or a message that names it) is asked again, a dead token (100), a wrong signature (10), an address that is
not on the list (110) and a wrong clock (140) end the pull, a missing API right (190) ends the stream.
Times are wall time in UTC+8 without a zone. Orders never vanish, they are Cancelled or Merged; lines that are
Merged, Replaced or Cancelled are no sales. An order can lose a line: rows inside orders are those of the last answer.
Rows that change while pages are read may be skipped by the system itself; the total that every answer names shows it.

Unverified: `date_type`, page sizes above 50 for orders (we ask for 50), and every path that is not named below: say
`object: /open/…/query`, and `request: {records: …}` if the rows are not at `data.datas`. A token lives about 30 days;
without the option `access_token` one is fetched for every pull, and again when it ends (own shops only; whether that
ends older tokens is unverified, so other programs of the same app should then do the same).
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from sources.connectors.connector import Ask, Connector, FieldMeta, ObjectMeta, Option
from sources.connectors.sampled import rows_inside, sampled_fields

if TYPE_CHECKING:
    from requests import PreparedRequest

INIT_TOKEN = "/openWeb/auth/getInitToken"
TIMES = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class _Object:
    """One interface; `modified`: its rows are asked by the time of their last change. `inside`: field → its key."""

    path: str
    title: str
    key: str
    records: str = "data.datas"
    size: int = 50
    modified: bool = True
    inside: tuple[tuple[str, str], ...] = ()


OBJECTS = {
    "orders": _Object(
        "/open/orders/single/query", "订单", "o_id", "data.orders", inside=(("items", "oi_id"),)
    ),
    "refunds": _Object("/open/refund/single/query", "售后单", "as_id", inside=(("items", "asi_id"),)),
    "shops": _Object("/open/shops/query", "店铺", "shop_id", size=100, modified=False),
    "sku": _Object("/open/sku/query", "商品", "sku_id"),
}

# What the vendor's own description names, for weeks in which nothing happened; more is proposed from rows.
_MONEY, _DAY = "decimal(18, 2)", "timestamp"
_KNOWN: dict[str, dict[str, str]] = {
    "orders": {"o_id": "bigint", "so_id": "text", "shop_id": "bigint", "shop_name": "text", "status": "text", "order_date": _DAY,
               "pay_date": _DAY, "send_date": _DAY, "modified": _DAY, "pay_amount": _MONEY, "freight": _MONEY, "wms_co_id": "bigint"},
    "orders.items": {"oi_id": "bigint", "sku_id": "text", "qty": "decimal(18, 4)", "price": "decimal(18, 4)", "amount": _MONEY, "refund_status": "text"},
    "refunds": {"as_id": "bigint", "outer_as_id": "text", "o_id": "bigint", "so_id": "text", "shop_id": "bigint", "type": "text",
                "status": "text", "good_status": "text", "refund": _MONEY, "created": _DAY, "modified": _DAY},
    "refunds.items": {"asi_id": "bigint", "sku_id": "text", "qty": "decimal(18, 4)", "amount": _MONEY},
    "shops": {"shop_id": "bigint", "shop_name": "text", "shop_site": "text"},
    "sku": {"sku_id": "text", "i_id": "text", "name": "text", "sale_price": _MONEY, "cost_price": _MONEY, "brand": "text",
            "enabled": "integer", "modified": _DAY},
}  # fmt: skip

_TITLES = {
    "o_id": "内部订单号", "so_id": "线上订单号", "oi_id": "子订单号", "shop_id": "店铺编号", "shop_name": "店铺名称",
    "status": "状态", "order_date": "下单时间", "pay_date": "付款时间", "send_date": "发货时间", "modified": "修改时间",
    "created": "创建时间", "pay_amount": "应付金额", "paid_amount": "实付金额", "freight": "运费", "wms_co_id": "分仓编号",
    "sku_id": "商品编码", "i_id": "款式编码", "name": "商品名称", "qty": "数量", "amount": "金额", "price": "单价",
    "refund_status": "退款状态", "as_id": "售后单号", "asi_id": "售后子单号", "outer_as_id": "平台售后单号", "as_date": "申请时间",
    "type": "类型", "refund": "退款金额", "payment": "补款金额", "good_status": "货物状态", "sale_price": "售价", "cost_price": "成本价",
    "properties_value": "规格", "brand": "品牌", "enabled": "启用", "supplier_id": "供应商编号", "shop_site": "平台",
    "shop_buyer_id": "买家账号", "receiver_name": "收件人", "receiver_mobile": "收件人手机",
}  # fmt: skip


class Jushuitan(Connector):
    vendor = "jushuitan"
    zh = "聚水潭"
    en = "Jushuitan"
    url = "https://openapi.jushuitan.com"
    module = "sales"
    options = (
        Option("app_key", "应用 App Key", "App key"),
        Option("app_secret", "应用 App Secret", "App secret", secret=True),
        Option(
            "access_token",
            "商家授权 token（自有商城可留空，每次取数时获取）",
            "Access token of the merchant (own shops: leave empty, it is then fetched at every pull)",
            secret=True,
            default="",
        ),
        Option(
            "since", "从哪一天的单据开始", "The first day to read", default="2020-01-01", example="2020-01-01"
        ),
    )
    limits: ClassVar[Mapping[str, Any]] = {"requests_per_second": 1.6, "concurrency": 2}
    missing = ("", "0000-00-00 00:00:00")
    describes = False

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        given = _options(document)
        arguments = {
            name: given[name] for name in ("app_key", "app_secret", "access_token") if given.get(name)
        }
        by_login = "access_token" not in arguments
        return {
            "auth": {
                "kind": "custom",
                "use": f"sources.connectors.jushuitan:{'Login' if by_login else 'Signature'}",
                "arguments": arguments,
            },
            "errors": {
                "code": "code",
                "message": "msg",
                "success": "issuccess",  # of older answers
                "ok": [0],
                "retry": [199, 200],
                "retry_words": ["频次", "频率", "频繁", "限流"],
                **(
                    {"expired": [100], "denied": [10, 110, 140, 150]}
                    if by_login
                    else {"denied": [10, 100, 110, 140, 150]}
                ),
                "scope": [190],
                "means": {
                    10: "the signature is not accepted: app_secret does not belong to this app_key. Copy both again from the "
                    "app's page in the open platform",
                    100: "the access token is wrong or has expired (they live about 30 days). Renew it in the open platform and "
                    "set connection.options.access_token again; an app of your own shop may leave the option out",
                    110: "this machine's address is not on the app's IP list. Add it in the open platform (应用详情 > IP 白名单)",
                    140: "this machine's clock differs by more than 15 minutes. Set it",
                    150: "a service provider's app may not renew the token. The merchant has to grant access again",
                    170: "the shop does not belong to the company that granted access. Check the token and the shop",
                    190: "the app has no right to this interface. Apply for it in the open platform (应用详情 > API 接口权限)",
                },
            },
        }

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        said = str(stream["object"])
        parent, _, field = said.rpartition(".")
        if parent in OBJECTS:
            return rows_inside(name, parent, field, document)
        if said not in OBJECTS and not said.startswith("/open/"):
            raise ValueError(
                f"streams.{name}: object {said!r} is none of {sorted(OBJECTS)}; write the path, /open/…/query"
            )
        found = OBJECTS.get(said) or _Object(said, said, "", modified=stream.get("load") == "incremental")
        biz: dict[str, Any] = {"page_index": "{page}", "page_size": "{size}"}
        request: dict[str, Any] = {
            "method": "post",
            "form": {"biz": biz},
            "records": found.records,
            "total": "data.data_count",
            "paging": {"kind": "page", "size": found.size, "end": "more", "more": "data.has_next"},
            "sparse": True,
        }
        if found.modified:
            biz |= {"modified_begin": "{from}", "modified_end": "{to}"}
            beginning = str(_options(document).get("since") or "2020-01-01")
            request |= {"span": "7d", "beginning": beginning, "times": {"format": TIMES}}
        made = {"from": found.path, "request": request}
        return {"lateness": "15m", **made} if stream.get("load") == "incremental" else made

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """There is no metadata: fields are those the vendor documents, and those of the rows of the last week."""
        if objects is not None and not (objects := tuple(objects)):
            _asked(ask, OBJECTS["shops"])
            return []
        wanted = list(OBJECTS) if objects is None else list(dict.fromkeys(o.split(".")[0] for o in objects))
        found = []
        for name in wanted:
            item = OBJECTS.get(name) or _Object(name, name, "", modified=False)
            rows = _asked(ask, item)
            found += _described(name, item, rows)
        return [item for item in found if objects is None or item.id in objects]


class Signature:
    """Signs the form of every attempt: `sign` is the MD5 of the secret and all names and values in order."""

    def __init__(self, app_key: str, app_secret: str, access_token: str = "") -> None:
        self._key, self._secret, self._token = app_key, app_secret, access_token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        body = request.body
        text = body.decode() if isinstance(body, bytes) else str(body or "")
        form = dict(parse_qsl(text, keep_blank_values=True))
        form |= {"access_token": self._token, "charset": "utf-8", "version": "2"}
        request.prepare_body(self.signed(form), None)
        return request

    def signed(self, form: dict[str, str]) -> dict[str, str]:
        form = {**form, "app_key": self._key, "timestamp": str(int(time.time()))}
        return {**form, "sign": signature(form, self._secret)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Login(Signature):
    """The same with a token that an app of one's own shop may fetch by itself."""

    def login(self, exchange: Callable[..., Any]) -> tuple[str, float | None]:
        form = {"grant_type": "authorization_code", "charset": "utf-8", "code": secrets.token_hex(3)}
        data = exchange("post", INIT_TOKEN, form=self.signed(form)).get("data") or {}
        if not data.get("access_token"):
            raise ValueError(
                f"the login {INIT_TOKEN} gives no token: an app of a service provider needs connection.options.access_token."
            )
        self._token = str(data["access_token"])
        lives = data.get("expires_in")
        return self._token, float(lives) if lives else None


def signature(form: Mapping[str, str], secret: str) -> str:
    """The signature of a form without `sign`: lower case hex."""
    text = secret + "".join(key + value for key, value in sorted(form.items()) if key != "sign")
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _options(document: Mapping[str, Any]) -> dict[str, Any]:
    return (document.get("connection") or {}).get("options") or {}


def _asked(ask: Ask, item: _Object) -> list[dict[str, Any]]:
    """Rows to look at: the first page, where a time is needed of the last week."""
    biz: dict[str, Any] = {"page_index": 1, "page_size": 50}
    if item.modified:
        now = datetime.now(ZoneInfo("Asia/Shanghai"))
        biz |= {"modified_begin": f"{now - timedelta(days=7):{TIMES}}", "modified_end": f"{now:{TIMES}}"}
    data = ask("post", item.path, form={"biz": biz}).get("data") or {}
    return data.get(item.records.removeprefix("data.")) or []


def _described(name: str, item: _Object, rows: list[dict[str, Any]]) -> list[ObjectMeta]:
    doubt = f"the system describes nothing: known fields, and those of {len(rows)} rows of the last week"
    inside = dict(item.inside)
    fields = sampled_fields(rows, _TITLES, inside, _KNOWN.get(name))
    cursor = ("modified",) if item.modified else ()
    key = (item.key,) if item.key else tuple(field.id for field in fields[:1])
    found = [ObjectMeta(name, item.title, fields, key, cursor, doubt=doubt)]
    for field, own in inside.items():
        lines = [line for row in rows for line in row.get(field) or ()]
        above = FieldMeta(
            item.key, f"parent.{item.key}", _TITLES[item.key], "parent", "bigint", required=True
        )
        dated = FieldMeta("modified", "parent.modified", _TITLES["modified"], "parent", _DAY, required=True)
        below = sampled_fields(lines, _TITLES, {item.key, "modified"}, _KNOWN[f"{name}.{field}"])
        fields = (above, *below, dated)
        key = (item.key, own)
        found.append(
            ObjectMeta(f"{name}.{field}", f"{item.title}明细", fields, key, cursor, parent=name, doubt=doubt)
        )
    return found
