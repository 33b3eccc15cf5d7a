"""用友 YonBIP and YonSuite by their open API: lists of documents (head and line in one row) and of master data.

The address is that of the tenant's data centre, host only: what `getGatewayAddress?tenantId=…` of
apigateway.yonyoucloud.com names as `gatewayUrl` and `tokenUrl`, whose paths are the options `gateway` and `token`.
A token by HMAC-SHA256 lives two hours and is renewed in time, or when the gateway calls it illegal (310036).

Limits: 60 calls a minute for a list (40 in finance), so one every two seconds unless the contract says otherwise;
throttling (310032, 310039, 310042, 310043, 310046, 310071, 310072, 310504) is waited out.
Times: wall clock of UTC+8; `pubts` is the last change, of documents through `simpleVOs` with `between` (the one operator
all pages know), of finance through `simple.open_pubts_begin/end`, of master data as `pubts`. Ids have 19 digits: text.
Deletions leave no trace. No list of keys is cheaper than the list itself, so `load: full` finds them at less cost than
`deletes: keys`; of staff, `dr` 1 is a deleted one.

Unverified, so an option: whether `recordCount` counts lines or documents where lines are asked for (`counts`): with
`lines` a page that was cut short is noticed, and if that is wrong the stream is refused, in words. Keys that are empty
are perhaps left out of rows (then `sparse` keeps them). Paths differ a little by edition: `object` may also be a path.
Vouchers (an account book must be named) and current stock (no pages) are not offered.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sources.connectors.connector import Ask, Connector, FieldMeta, ObjectMeta, Option
from sources.connectors.sampled import sampled_fields

if TYPE_CHECKING:
    from requests import PreparedRequest

_PERMIT = "ask the tenant's administrator to authorise the app for this interface (开放平台 > API 授权)"
MEANS = {
    10018: "The app key is not known: compare app_key with the app in 开放平台, and the data centre with the tenant's.",
    310001: "The gateway saw no token: ask the vendor which way it wants it.",
    310008: "The gateway does not accept a parameter: check `object` and the columns' `from` of the stream.",
    310015: "The gateway does not accept a parameter: check `request` of the stream.",
    310023: "The gateway does not accept a parameter: check `request` of the stream.",
    310037: f"The app is not authorised for this interface: {_PERMIT}, then pull again.",
    310404: "There is no such interface here: editions differ. Check `object`, and option `gateway`.",
    310405: "The interface wants another method. Check `object` of the stream.",
    999: "The application itself refused. Its words say why; `displayCode` of the answer helps the vendor.",
    0: "The application itself refused. Its words say why.",
}
_THROTTLED = (310032, 310039, 310042, 310043, 310046, 310071, 310072, 310504)


@dataclass(frozen=True)
class Listed:
    """One list. `changed`: how rows changed since an instant are asked for; `lines`: head and line in one row."""

    path: str
    title: str
    key: str
    changed: Literal["simpleVOs", "simple", "pubts"] = "simpleVOs"
    lines: bool = True
    most: int = 500  # rows a page


OBJECTS: dict[str, Listed] = {
    "salesorder": Listed("sd/voucherorder/list", "销售订单", "orderDetailId"),
    "salesout": Listed("scm/salesout/list", "销售出库", "details_id"),
    "purchaseorder": Listed("scm/purchaseorder/list", "采购订单", "purchaseOrders_id"),
    "purinrecord": Listed("scm/purinrecord/list", "采购入库", "purInRecords_id"),
    "storeprorecord": Listed("scm/storeprorecord/list", "产品入库", "storeProRecords_id"),
    "materialout": Listed("scm/materialout/list", "材料出库", "materOuts_id"),
    "receivable": Listed("EFI/receivable/list", "应收单", "bodyItemId", "simple"),
    "payable": Listed("EFI/payable/list", "应付单", "bodyItemId", "simple"),
    "collection": Listed("EFI/collection/list", "收款单", "bodyItemId", "simple"),
    "payment": Listed("EFI/payment/list", "付款单", "bodyItemId", "simple"),
    "productionorder": Listed("mfg/productionorder/list", "生产订单", "id", "simple", lines=False),
    "vendor": Listed("digitalModel/vendor/list", "供应商", "id", "pubts", lines=False),
    "merchant": Listed("digitalModel/merchant/newlistrange", "客户", "id", "pubts", lines=False),
    "staff": Listed("digitalModel/staff/list", "员工", "id", "pubts", lines=False),
}
_SAMPLE = 50  # rows that fields are proposed from


class YonBip(Connector):
    vendor: ClassVar[str] = "yonbip"
    zh: ClassVar[str] = "用友 YonBIP / YonSuite"
    en: ClassVar[str] = "Yonyou YonBIP"
    module: ClassVar[str] = "purchasing"
    options: ClassVar[tuple[Option, ...]] = (
        Option("app_key", "应用 AppKey", "App key"),
        Option("app_secret", "应用 AppSecret", "App secret", secret=True),
        Option("gateway", "网关路径（gatewayUrl）", "Path of gatewayUrl", default="/iuap-api-gateway"),
        Option("token", "认证路径（tokenUrl）", "Path of tokenUrl", default="/iuap-api-auth"),
        Option("counts", "recordCount 的含义：lines（行）或 documents（单据）", "What recordCount counts: lines or documents", default="lines"),
        Option("page", "每页行数", "Rows a page", default="500"),
    )  # fmt: skip
    limits: ClassVar[Mapping[str, Any]] = {"requests_per_second": 0.5, "concurrency": 2, "timeout": "60s"}
    missing: ClassVar[tuple[str, ...]] = ("",)
    describes: ClassVar[bool] = False

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        said = self.settings(document)
        return {
            "auth": {
                "kind": "custom",
                "use": "sources.connectors.yonbip:Token",
                "arguments": {
                    "app_key": said["app_key"],
                    "app_secret": said["app_secret"],
                    "path": said["token"],
                },
            },
            "errors": {
                "code": "code",
                "ok": ["200", "00000"],
                "success": "success",
                "message": "message",
                "retry": list(_THROTTLED),
                "expired": [310036],
                "denied": [10018],
                "scope": [310037],
                "means": MEANS,
            },
        }

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        said = self.settings(document)
        if said["counts"] not in {"lines", "documents"}:
            raise ValueError(f"connection.options.counts: {said['counts']!r} is neither lines nor documents")
        listed = _listed(name, str(stream["object"]))
        whole = _body(listed)
        request: dict[str, Any] = {
            "method": "post",
            "body": whole,
            "records": "data.recordList",
            "paging": {
                "kind": "page",
                "size": min(int(said["page"]), listed.most),
                "end": "count",
                "count": "data.pageCount",
            },
            "times": {"format": "%Y-%m-%d %H:%M:%S"},
            "sparse": True,
        }
        if said["counts"] == "lines" or not listed.lines:
            request["total"] = "data.recordCount"
        if stream.get("cursor"):
            request |= {"body": {**whole, **_changed(listed)}, "beginning": "2000-01-01"}
        if stream.get("deletes") == "keys":
            request["keys"] = {"body": whole}
        return {"from": f"{said['gateway']}/yonbip/{listed.path}", "request": request}

    # --- what the system says of itself: nothing, so rows are looked at ---

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """Objects with fields guessed from some rows; None: those that the app is authorised for and that have rows."""
        from tieout.ingest.errors import SourceError

        gateway = self._gateway
        if objects is not None:
            # A list everybody may be granted; whether it is, a refusal says as well as an answer.
            wanted = list(objects)
            return [_sampled(ask, gateway, item) for item in wanted] if wanted else _proven(ask, gateway)
        found, refused = [], None
        for item in OBJECTS:
            try:
                found.append(_sampled(ask, gateway, item))
            except SourceError as error:
                refused = error
        if refused and not found:
            raise refused
        return [item for item in found if item.fields]

    @property
    def _gateway(self) -> str:
        return next(str(item.default) for item in self.options if item.name == "gateway")


def _listed(stream: str, name: str) -> Listed:
    """The list of that name; a path such as `scm/othinrecord/list` is one that is not known here."""
    if name in OBJECTS:
        return OBJECTS[name]
    if "/" not in name:
        raise ValueError(
            f"streams.{stream}: object {name!r} is none of {', '.join(OBJECTS)}, nor a path (scm/…/list)"
        )
    return Listed(name.strip("/").removeprefix("yonbip/"), name, "id")


def _body(listed: Listed) -> dict[str, Any]:
    """All rows, page by page. A key without a value is not sent: the gateway refuses null."""
    body: dict[str, Any] = {"pageIndex": "{page}", "pageSize": "{size}"}
    if listed.lines:
        body["isSum"] = False
    if listed.changed == "simpleVOs":
        body["queryOrders"] = [{"field": "id", "order": "asc"}]
    return body


def _changed(listed: Listed) -> dict[str, Any]:
    """What asks for the rows changed from `{since}` on."""
    if listed.changed == "simpleVOs":
        return {"simpleVOs": [{"field": "pubts", "op": "between", "value1": "{since}", "value2": "{to}"}]}
    if listed.changed == "simple":
        return {"simple": {"open_pubts_begin": "{since}", "open_pubts_end": "{to}"}}
    return {"pubts": "{since}"}


def _sampled(ask: Ask, gateway: str, name: str) -> ObjectMeta:
    listed = _listed(name, name)
    body = {**_body(listed), "pageIndex": 1, "pageSize": _SAMPLE}
    answer = ask("post", f"{gateway}/yonbip/{listed.path}", body=body)
    rows = (answer.get("data") or {}).get("recordList") or []
    fields = tuple(_as_day(item, rows) for item in sampled_fields(rows, {}))
    by_path = {item.path: item for item in fields}
    key = by_path.get(listed.key) or by_path.get("id")
    cursor = by_path.get("pubts")
    doubt = (
        "no row was seen"
        if not rows
        else None
        if listed.key in by_path
        else f"rows have no {listed.key}: check the key"
    )
    return ObjectMeta(
        name, listed.title, fields, (key.id,) if key else (), (cursor.id,) if cursor else (), stream={"load": "full"} if not cursor else None,
        doubt=doubt,
    )  # fmt: skip


def _as_day(item: FieldMeta, rows: list[dict[str, Any]]) -> FieldMeta:
    """Days are written as midnights."""
    always = all(str(row.get(item.path) or "00:00:00").endswith("00:00:00") for row in rows)
    return replace(item, type="date") if item.type == "timestamp" and always else item


def _proven(ask: Ask, gateway: str) -> list[ObjectMeta]:
    _sampled(ask, gateway, "vendor")
    return []


# --- who we are ---


class Token:
    """A token by `appKey` and a signature; it goes into the query of every request."""

    def __init__(self, app_key: str, app_secret: str, path: str) -> None:
        self._key, self._secret = app_key, app_secret
        self._path = f"{path}/open-auth/selfAppAuth/base/v1/getAccessToken"
        self._token = ""

    def login(self, exchange: Callable[..., Any]) -> tuple[str, float | None]:
        """Raises: ValueError if the answer holds no token."""
        stamp = str(int(time.time() * 1000))
        sent = {
            "appKey": self._key,
            "timestamp": stamp,
            "signature": signature(self._key, self._secret, stamp),
        }
        answer = exchange("get", self._path, params=sent)
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, dict) or not data.get("access_token"):
            words = answer.get("message") if isinstance(answer, dict) else None
            raise ValueError(
                f'用友 gives no token: "{words or "no reason is given"}". Check app_key, app_secret and option `token`.'
            )
        self._token = str(data["access_token"])
        lives = data.get("expire")
        return self._token, float(lives) if isinstance(lives, int | float | str) else None

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.prepare_url(request.url or "", {"access_token": self._token})
        return request

    def __repr__(self) -> str:
        return "Token(…)"


def signature(app_key: str, app_secret: str, stamp: str) -> str:
    """base64 of the HMAC-SHA256 of the parameters in order; whoever sends it in a query encodes it, once."""
    text = f"appKey{app_key}timestamp{stamp}"
    return base64.b64encode(hmac.new(app_secret.encode(), text.encode(), hashlib.sha256).digest()).decode()
