"""金蝶云星空 (Kingdee K3Cloud WebAPI): forms are asked for with `BillQuery`, each row a line with its head beside it.

Times: local wall clock of the server (UTC+8) without zone. Deletions leave no trace: `deletes: keys`. A date is a
midnight, an empty text one blank. Limits are the server's own settings: none is promised; a page is 2000 rows,
10 000 since the patch of 2023-11 (option `page`); a server that gives less is followed.
Who we are: `auth: session` logs in with LoginBySign and is asked to again when the session has ended (MsgCode 1);
`auth: signature` signs every request and has no session, so there MsgCode 1 means a wrong signature.
Errors come with HTTP 200 as `ResponseStatus.MsgCode`; 6, 13 and 14 are asked again, and see `_MEANS`. A wrong
data centre id is answered with another status than 200.
Unverified, so an option: servers before 2022-05 sign with SHA-1 (`hash`), old servers have no BillQuery (`query:
ExecuteBillQuery`). The metadata's type numbers are read as SQL Server's, an unknown one as text with a doubt.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlsplit

from sources.connectors.connector import Ask, Connector, ObjectMeta, Option, source_names
from sources.connectors.kingdee_metadata import form_of

if TYPE_CHECKING:
    from requests import PreparedRequest

_PATH = "/k3cloud/{}.common.kdsvc"
_FORMS = _PATH.format("Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.{}")
LOGIN = _PATH.format("Kingdee.BOS.WebApi.ServicesStub.AuthService.LoginBySign")
CENTRES = _PATH.format("Kingdee.BOS.ServiceFacade.ServicesStub.Account.AccountService.GetDataCenterList")
_SDK_KEY = b"0054f397c6234378b09ca7d3e5debce7"  # a constant of the vendor's SDK, the same for everybody
_HASHES = {"sha256": hashlib.sha256, "sha1": hashlib.sha1}

_MEANS = {
    2: "The integration user may not query this form. Grant it in 金蝶 (系统管理, 查询业务对象授权), then pull again.",
    4: "The form is not there, or the server failed on it. Check `object` of the stream against the form's 标识.",
    5: "No form was named. Check `object` of the stream.",
    7: "The licence does not cover this: the user has no licence group, or all are taken. Ask the 金蝶 administrator.",
    8: "The server does not accept a parameter. Check `request` of the stream.",
    9: "A field is not there (any more): renamed, or not on this version. Compare the columns' `from` with the form.",
    12: "The server does not allow this now. Ask the 金蝶 administrator.",
    15: "Administrators may not use the WebAPI. Take an integration user (集成用户) for option `user`.",
}
_SIGNATURE = (
    "The signature is not accepted: app_secret, app_id, user or acct_id is wrong, or this machine's clock."
)

# What a company usually has; forms that are not there or not granted are left out by discovery.
_USUAL = {
    "BD_Customer": "客户", "BD_Supplier": "供应商", "BD_MATERIAL": "物料", "BD_Department": "部门", "BD_Empinfo": "员工",
    "BD_Stock": "仓库", "BD_Account": "科目", "BD_Rate": "汇率", "SAL_SaleOrder": "销售订单", "SAL_OUTSTOCK": "销售出库单",
    "SAL_RETURNSTOCK": "销售退货单", "PUR_PurchaseOrder": "采购订单", "STK_InStock": "采购入库单", "PUR_MRB": "采购退料单",
    "STK_Inventory": "即时库存", "PRD_MO": "生产订单", "PRD_PickMtrl": "生产领料单", "PRD_INSTOCK": "生产入库单",
    "AR_receivable": "应收单", "AR_RECEIVEBILL": "收款单", "AP_Payable": "应付单", "AP_PAYBILL": "付款单", "GL_VOUCHER": "凭证",
}  # fmt: skip


class Kingdee(Connector):
    """The address of the connection is that of the server, without `/k3cloud`."""

    vendor: ClassVar[str] = "kingdee"
    zh: ClassVar[str] = "金蝶云星空"
    en: ClassVar[str] = "Kingdee K3Cloud"
    module: ClassVar[str] = "finance"
    options: ClassVar[tuple[Option, ...]] = (
        Option("acct_id", "数据中心 ID", "Data centre id (acctId)"),
        Option("user", "集成用户名", "Name of the integration user"),
        Option("app_id", "第三方系统登录授权：应用 ID", "App id of the third-party login"),
        Option("app_secret", "第三方系统登录授权：应用密钥", "App secret", secret=True),
        Option("auth", "认证方式：session 或 signature", "How to prove who we are: session or signature", default="session"),
        Option("language", "语言代码", "Language id", default="2052"),
        Option("organisation", "组织编码（仅 signature）", "Organisation number (signature only)", default="0"),
        Option("hash", "登录签名算法：sha256 或 sha1（2022-05 之前的版本）", "Hash of the login: sha256, or sha1 before 2022-05", default="sha256"),
        Option("query", "查询接口：BillQuery 或 ExecuteBillQuery（旧版本）", "Query service: BillQuery, or ExecuteBillQuery on old servers", default="BillQuery"),
        Option("page", "每页行数（上限 2000；2023-11 补丁后 10000）", "Rows a page (2000; 10000 since the patch of 2023-11)", default="2000"),
    )  # fmt: skip
    limits: ClassVar[Mapping[str, Any]] = {"concurrency": 2, "timeout": "60s"}
    missing: ClassVar[tuple[str, ...]] = (" ", "")

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        said = self.settings(document)
        by_session = _one_of(said, "auth", ("session", "signature")) == "session"
        _one_of(said, "hash", tuple(_HASHES))
        listed = _one_of(said, "query", ("BillQuery", "ExecuteBillQuery")) == "ExecuteBillQuery"
        shared = ("acct_id", "user", "app_id", "app_secret", "language")
        own = "hash" if by_session else "organisation"
        status = ("0.0." if listed else "") + "Result.ResponseStatus"
        return {
            "auth": {
                "kind": "custom",
                "use": f"sources.connectors.kingdee:{'Login' if by_session else 'Signature'}",
                "arguments": {name: said[name] for name in (*shared, own)},
            },
            "errors": {
                "code": f"{status}.MsgCode",
                "message": f"{status}.Errors.0.Message",
                "success": f"{status}.IsSuccess",  # what failed may say code 0 too
                "ok": [0],
                "retry": [6, 13, 14],
                "scope": [2],
                "means": {**_MEANS, **({} if by_session else {1: _SIGNATURE})},
                **({"expired": [1], "denied": [7, 15]} if by_session else {"denied": [1, 7, 15]}),
            },
        }

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        said = self.settings(document)
        names = source_names(stream)
        fields = list(dict.fromkeys(names.values()))
        key = [names[column] for column in _listed(stream.get("key")) if column in names]
        cursor = [names[column] for column in _listed(stream.get("cursor")) if column in names]

        def body(wanted: list[str], since: str | None) -> dict[str, Any]:
            query = {
                "FormId": stream["object"],
                "FieldKeys": ",".join(wanted),
                "OrderString": ",".join(key),
                "TopRowCount": 0,
                "StartRow": "{offset}",
                "Limit": "{size}",
            }
            return {"data": query | ({"FilterString": since} if since else {})}

        rows_are_lists = said["query"] == "ExecuteBillQuery"
        since = " or ".join(f"{field} >= '{{since}}'" for field in cursor)
        request: dict[str, Any] = {
            "method": "post",
            "body": body(fields, since),
            "times": {"format": "%Y-%m-%d %H:%M:%S"},
            # No answer names a total: a page that is short is not the last until an empty one says so, and the
            # last row of a page comes again with the next, so that rows which moved are noticed.
            "paging": {"kind": "offset", "size": int(said["page"]), "overlap": 1},
        }
        if rows_are_lists:
            request["fields"] = fields
        if stream.get("deletes") == "keys" and not rows_are_lists:
            request["keys"] = {"body": body(key, None)}
        elif stream.get("deletes") == "keys":
            request["keys"] = {"body": body(fields, None)}  # rows are lists of the same fields
        return {"from": _FORMS.format(said["query"]), "request": request}

    # --- what the system says of itself ---

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """Forms from QueryBusinessInfo; None: those of the usual forms that are there and granted."""
        from tieout.ingest.errors import SourceError

        if objects is not None:
            wanted = list(objects)
            if not wanted:
                ask("post", CENTRES, body={"parameters": []})  # signed or after a login: what `check` is for
            return [self._form(ask, form) for form in wanted]
        found = []
        refused: SourceError | None = None
        for form in _USUAL:
            try:
                found.append(self._form(ask, form))
            except SourceError as error:
                refused = error
        if not found and refused:
            raise refused
        return found

    def _form(self, ask: Ask, form: str) -> ObjectMeta:
        answer = ask("post", _FORMS.format("QueryBusinessInfo"), body={"data": {"FormId": form}})
        result = answer.get("Result", {}) if isinstance(answer, dict) else {}
        status, info = result.get("ResponseStatus") or {}, result.get("NeedReturnData") or {}
        if status.get("IsSuccess") is False or not info:
            from tieout.ingest.errors import SourceError

            words = ((status.get("Errors") or [{}])[0] or {}).get("Message") or "no metadata"
            raise SourceError(
                f"{form}: the server describes no such form: {words}. Nothing was drafted for it. "
                f"{_MEANS.get(status.get('MsgCode'), 'Check the 标识 of the form and the rights of the user.')}"
            )
        return form_of(form, info, _USUAL.get(form, form))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _one_of(said: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    if said[name] not in known:
        raise ValueError(f"connection.options.{name}: {said[name]!r} is none of {', '.join(known)}")
    return said[name]


# --- who we are ---


class Login:
    """A session by LoginBySign; it is sent back as header and cookie, for servers differ in which they read.

    The door calls `login` before the first request, and once more when the session has ended.
    """

    def __init__(
        self, acct_id: str, user: str, app_id: str, app_secret: str, language: str, hash: str
    ) -> None:
        self._who, self._secret, self._language, self._hash = (
            (acct_id, user, app_id),
            app_secret,
            int(language),
            hash,
        )
        self._session = ""

    def login(self, exchange: Callable[..., Any]) -> tuple[str, None]:
        """Raises: ValueError with the server's words if it lets us not in."""
        stamp = str(int(time.time()))
        body = {
            "parameters": [
                *self._who,
                stamp,
                sign(*self._who, self._secret, stamp, self._hash),
                self._language,
            ]
        }
        answer = exchange("post", LOGIN, body=body)
        said = answer if isinstance(answer, dict) else {}
        if said.get("LoginResultType") != 1 or not said.get("KDSVCSessionId"):
            words = " ".join(str(said.get("Message") or "no reason is given").split())[:200]
            raise ValueError(
                f'金蝶 lets us not in: "{words}" (LoginResultType {said.get("LoginResultType")}). Check acct_id, user, '
                f"app_id and app_secret (第三方系统登录授权), that the user is not locked, and this machine's clock."
            )
        self._session = str(said["KDSVCSessionId"])
        return self._session, None

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["kdservice-sessionid"] = self._session
        request.headers["Cookie"] = f"kdservice-sessionid={self._session}"
        return request

    def __repr__(self) -> str:
        return "Login(…)"


def sign(acct_id: str, user: str, app_id: str, app_secret: str, stamp: str, how: str = "sha256") -> str:
    """The signature of LoginBySign: the parts in ordinal order, hashed."""
    return _HASHES[how]("".join(sorted((acct_id, user, app_id, app_secret, stamp))).encode()).hexdigest()


class Signature:
    """Headers that sign one request, as the vendor's SDK writes them; the nonce is the time stamp there too."""

    def __init__(
        self, acct_id: str, user: str, app_id: str, app_secret: str, language: str, organisation: str
    ) -> None:
        client, _, mixed = app_id.partition("_")
        try:
            key = base64.b64decode(mixed, validate=True)
        except binascii.Error:
            key = b""
        if not client or len(key) != 24:
            raise ValueError("app_id must be <number>_<32 characters>, as 第三方系统登录授权 shows it")
        self._app, self._secret, self._client = app_id, app_secret.encode(), client
        self._key = base64.b64encode(bytes(a ^ b for a, b in zip(key, _SDK_KEY, strict=False)))
        self._data = f"{acct_id},{user},{language},{organisation}"

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        stamp = str(int(time.time()))
        path = quote(urlsplit(request.url or "").path, safe="")
        text = f"POST\n{path}\n\nx-api-nonce:{stamp}\nx-api-timestamp:{stamp}\n"
        request.headers.update(
            {
                "X-Api-ClientID": self._client,
                "X-Api-Auth-Version": "2.0",
                "x-api-timestamp": stamp,
                "x-api-nonce": stamp,
                "x-api-signheaders": "x-api-timestamp,x-api-nonce",
                "X-Api-Signature": _mac(self._key, text),
                "X-Kd-Appkey": self._app,
                "X-Kd-Appdata": base64.b64encode(self._data.encode()).decode(),
                "X-Kd-Signature": _mac(self._secret, self._app + self._data),
            }
        )
        return request

    def __repr__(self) -> str:
        return "Signature(…)"


def _mac(key: bytes, text: str) -> str:
    """base64 of the hexadecimal HMAC-SHA256."""
    return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).hexdigest().encode()).decode()
