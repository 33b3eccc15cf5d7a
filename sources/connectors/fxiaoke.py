"""纷享销客 (Fxiaoke): standard and custom objects of the CRM by its open API; tenants of another cloud write their address.

`object` is the API name of an object (`SalesOrderObj`); those that end in `__c` are custom and asked at their own path.
The token, the company and the operator go inside the JSON body of every request. What the operator may not see is left
out without a word, so take a user who may read all: fewer rights look like deletions. He is named by `open_user_id`, or
found by `mobile`.
Limits: 100 calls in 20 s per interface (asked at 4 a second); a purchased number of calls a day; the token is asked for
once in a pull and lives two hours. A page is 100 rows at most and offsets end early, so rows are asked for by `_id`
above the last one, until a page is empty; the total that every answer names (of rows still to come) shows a lost one.
Errors: always HTTP 200 with `errorCode`; its words may change. Being too fast is known by its words and asked again.
Amounts are text, times are ms since 1970 (a date is a midnight in company time), people and departments are lists
(`owner.0`), `<field>__r` holds a name; what is empty is left out.
Rows are asked for by `last_modified_time`; deleted ones vanish: `deletes: keys`, a call for every 100 rows of the
object. 作废 (`life_status: invalid`) is no deletion.

Unverified: all codes. 20005 and 20016 are taken for a token that has ended, which costs one login if it is wrong; the
code of a day that is used up is not known (`http: {errors: {quota: [<code>]}}` once you have seen it). Whether a
description is asked for by `apiName` at the top (as others do) or inside `data` (as newer documents say): both are sent.
Whether invalid rows come, and whether the list of keys honours `fieldProjection`. Whether every tenant names a `total`
(where it is 0 beside rows, say `request: {total: null}`). The newer way in (credentials in
headers, `/oauth2.0/token`) is not spoken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from sources.connectors.connector import Ask, Connector, FieldMeta, ObjectMeta, Option, source_names

if TYPE_CHECKING:
    from requests import PreparedRequest

TOKEN, BY_MOBILE = "/cgi/corpAccessToken/get/V2", "/cgi/user/getByMobile"
LIST, DESCRIBE = "/cgi/crm/v2/object/list", "/cgi/crm/v2/object/describe"
STANDARD, CUSTOM = "/cgi/crm/v2/data/query", "/cgi/crm/custom/v2/data/query"
_SECRET = (
    "app_id, app_secret and permanent_code do not belong together. Copy all three again from the application's page "
    "in the administration of 纷享销客"
)
# The field's type → our type, and where in the value the wanted part is; what is not here comes as JSON.
_TYPES = {
    "text": ("text", ""), "long_text": ("text", ""), "html_rich_text": ("text", ""), "auto_number": ("text", ""),
    "phone_number": ("text", ""), "email": ("text", ""), "url": ("text", ""), "select_one": ("text", ""),
    "record_type": ("text", ""), "object_reference": ("text", ""), "master_detail": ("text", ""),
    "number": ("decimal", ""), "currency": ("decimal", ""), "percentile": ("decimal", ""), "true_or_false": ("boolean", ""),
    "date": ("date", ""), "date_time": ("timestamptz", ""), "time": ("bigint", ""),
    "employee": ("text", ".0"), "department": ("text", ".0"), "out_employee": ("text", ".0"),
}  # fmt: skip
_COMPUTED = {"formula": "return_type", "count": "return_type", "quote": "quote_field_type"}
_NO_VALUE = {"group", "lock_rule", "button"}  # parts of a form, no fields with a value
_PERSONAL = {"phone_number", "email", "employee", "out_employee", "employee_many"}
# Every row has these, whether the description names them or not.
_ALWAYS = {
    "_id": ("记录编号", "text"),
    "create_time": ("创建时间", "date_time"),
    "last_modified_time": ("最后修改时间", "date_time"),
}


class Fxiaoke(Connector):
    """纷享销客 by its open API, credentials in the body."""

    vendor = "fxiaoke"
    zh = "纷享销客"
    en = "Fxiaoke"
    url = "https://open.fxiaoke.com"
    module = "sales"
    options = (
        Option("app_id", "应用 AppId", "App id", example="FSAID_1a2b3c"),
        Option("app_secret", "应用 AppSecret", "App secret", secret=True),
        Option("permanent_code", "企业永久授权码", "Permanent code of the company", secret=True),
        Option(
            "open_user_id",
            "以谁的身份读取（openUserId；可改填手机号）",
            "The user to read as (openUserId); or say mobile",
            default="",
            example="FSUID_1a2b3c",
        ),
        Option("mobile", "该用户的手机号", "The mobile number of that user", default=""),
    )
    limits: ClassVar[Mapping[str, Any]] = {"requests_per_second": 4, "concurrency": 2}
    missing = ("",)

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        arguments = {name: value for name, value in self.settings(document).items() if value}
        return {
            "auth": {"kind": "custom", "use": "sources.connectors.fxiaoke:Operator", "arguments": arguments},
            "errors": {
                "code": "errorCode",
                "message": "errorMessage",
                "ok": [0],
                "retry_words": ["频", "限流", "too many", "rate limit"],
                "expired": [20005, 20016],
                "means": {
                    10006: _SECRET,
                    20005: _SECRET,
                    20016: _SECRET,
                },
            },
        }

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        said = str(stream["object"])
        beyond = {"field_name": "_id", "operator": "GT", "field_values": ["{cursor}"]}
        request: dict[str, Any] = {
            "method": "post",
            "body": _query(said, [beyond]),
            "records": "data.dataList",
            "total": "data.total",
            "paging": {"kind": "keyset", "by": "_id", "size": 100, "remaining": True},
            "times": {"format": "epoch_ms", "numbers": "ms"},
            "sparse": True,
        }
        made = {"from": CUSTOM if said.endswith("__c") else STANDARD, "request": request}
        if stream.get("deletes") == "keys":
            request["keys"] = {"body": _query(said, [beyond], ["_id"])}
        if not (cursor := stream.get("cursor")):
            return made
        names = source_names(stream)
        first = cursor if isinstance(cursor, str) else cursor[0]
        changed = {
            "field_name": names.get(first, first),
            "operator": "GTE",
            "field_values": ["{since}"],
        }
        request["body"] = _query(said, [changed, beyond])
        return {"lateness": "10m", **made}

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """The objects in use, or those named, as they are described."""
        wanted = None if objects is None else list(objects)
        listed = _listed(ask)
        return [_meta(name, listed.get(name), ask) for name in (listed if wanted is None else wanted)]


def _query(said: str, filters: list[dict[str, Any]], only: list[str] | None = None) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "offset": 0,
        "limit": "{size}",
        "filters": filters,
        "orders": [{"fieldName": "_id", "isAsc": True}],
    }
    if only:
        asked["fieldProjection"] = only
    return {"data": {"dataObjectApiName": said, "find_explicit_total_num": True, "search_query_info": asked}}


def _listed(ask: Ask) -> dict[str, str]:
    """API name → title of every object in use."""
    answer = ask("post", LIST, body={})
    found = (answer.get("data") or answer).get("objects") or []
    return {
        str(item["describeApiName"]): str(item.get("describeDisplayName") or item["describeApiName"])
        for item in found
        if item.get("isActive", True)
    }


def _meta(name: str, listed: str | None, ask: Ask) -> ObjectMeta:
    named = {"apiName": name, "includeDetail": False}
    answer = ask("post", DESCRIBE, body={**named, "data": named})
    found = answer.get("data") or {}
    found = found.get("describe") or found
    said = found.get("fields") or {}
    items = {str(item["api_name"]): item for item in (said.values() if isinstance(said, Mapping) else said)}
    always = [
        {"api_name": one, "label": title, "type": kind}
        for one, (title, kind) in _ALWAYS.items()
        if one not in items
    ]
    fields = [
        _field(item)
        for item in (*always, *items.values())
        if item.get("is_active", True) and item.get("type") not in _NO_VALUE
    ]
    title = str(found.get("display_name") or listed or name)
    return ObjectMeta(
        name, title, tuple(fields), ("_id",), ("last_modified_time",), stream={"deletes": "keys"}
    )


def _field(item: Mapping[str, Any]) -> FieldMeta:
    one, kind = str(item["api_name"]), str(item.get("type"))
    result = str(item.get(_COMPUTED[kind]) or "text") if kind in _COMPUTED else kind
    to, below = _TYPES.get(result, ("text", ""))
    if to == "decimal":
        places = item.get("decimal_places")
        places = places if isinstance(places, int) and 0 <= places <= 18 else 4
        to = f"decimal({max(18, places + 14)}, {places})"
    doubt = None
    if kind in _COMPUTED:
        doubt = f"computed by the system ({kind}), as {result}"
    elif kind == "time":
        doubt = "ms since midnight"
    elif kind not in _TYPES:
        doubt = f"{kind}: its value as JSON"
    return FieldMeta(
        one,
        f"{one}{below}",
        str(item.get("label") or one),
        kind,
        to,
        required=one in _ALWAYS,
        options=tuple((str(o.get("value")), str(o.get("label"))) for o in item.get("options") or ()),
        refers=str(item["target_api_name"]) if item.get("target_api_name") else None,
        personal=kind in _PERSONAL,
        doubt=doubt,
    )


# --- who we are ---


class Operator:
    """Puts the token, the company and the operator into the JSON body of every attempt.

    Raises: ValueError if no operator is named.
    """

    def __init__(
        self, app_id: str, app_secret: str, permanent_code: str, open_user_id: str = "", mobile: str = ""
    ) -> None:
        if not (open_user_id or mobile):
            raise ValueError("connection.options: say open_user_id, or mobile: the user to read as")
        self._app = {"appId": app_id, "appSecret": app_secret, "permanentCode": permanent_code}
        self._user, self._mobile = open_user_id, mobile
        self._known: dict[str, str] = {}

    def login(self, exchange: Callable[..., Any]) -> tuple[str, float | None]:
        """The token and the seconds it lives.

        Raises: ValueError if there is no token, or nobody has the mobile number.
        """
        answer = exchange("post", TOKEN, body=self._app)
        token = answer.get("corpAccessToken") if isinstance(answer, dict) else None
        if not token:
            raise ValueError(f"the login {TOKEN} gives no token: {_SECRET}.")
        known = {"corpAccessToken": str(token), "corpId": str(answer.get("corpId") or "")}
        if not self._user:
            found = exchange("post", BY_MOBILE, body={**known, "mobile": self._mobile}).get("empList") or []
            if not found or not found[0].get("openUserId"):
                raise ValueError(
                    "no user has the number in connection.options.mobile. Correct it, or say open_user_id."
                )
            self._user = str(found[0]["openUserId"])
        self._known = {**known, "currentOpenUserId": self._user}
        lives = answer.get("expiresIn")
        return str(token), float(lives) if lives else None

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        body = request.body
        asked = json.loads(body if isinstance(body, bytes | str) else "{}")
        # ours last, so that nothing a contract writes can stand in for who we are
        request.prepare_body(None, None, json={**asked, **self._known})
        return request

    def __repr__(self) -> str:
        return "Operator(…)"
