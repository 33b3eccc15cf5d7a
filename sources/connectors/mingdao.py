"""明道云 (Mingdao / HAP): worksheets of one application by its open API v3; who we are is two static headers.

`object` is the id of a worksheet, a column's `from` the id of a field: aliases can be renamed, ids cannot. SaaS is
`https://api.mingdao.com`; for a private installation write its address with `/api`.
Limits: a page is 1000 rows; being too fast is answered HTTP 503, or with `success: false` and words that say so; both
are asked again. Other errors are `success: false` with `error_code`, also with HTTP 200; 1 is none. A key may be
limited to worksheets and views (10005).
Numbers come as text, an empty text is no value, times are wall time in UTC+8 (SaaS). Selects, members, relations and
departments are lists: `<field>.0.value`, `<field>.0.accountId`, `<field>.0.sid`. A sub-table is a worksheet of its own.
Rows are asked for by `_updatedAt` (what is edited meanwhile may come again, never too late); deleted rows vanish:
`deletes: keys`. Formulas and roll-ups may lag behind what they are made of.

Unverified: the operators `ge`/`gte` (we use `gt`), the meaning of most error codes, a monthly quota. Servers that only
know API v2 are not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from sources.connectors.connector import Ask, Connector, FieldMeta, ObjectMeta, Option, source_names

WORKSHEET = "/v3/app/worksheets/{}"
_KEYS = ("id", "rowid")
# The field's type → our type, and where in the value the wanted part is.
_TYPES = {
    "Text": ("text", ""), "RichText": ("text", ""), "AutoNumber": ("text", ""), "PhoneNumber": ("text", ""), "Email": ("text", ""),
    "Number": ("decimal(18, 4)", ""), "Currency": ("decimal(18, 2)", ""), "Formula": ("decimal(18, 4)", ""), "Date": ("date", ""),
    "DateTime": ("timestamp", ""), "Checkbox": ("boolean", ""), "SingleSelect": ("text", ".0.value"), "Dropdown": ("text", ".0.value"),
    "Collaborator": ("text", ".0.accountId"), "Relation": ("text", ".0.sid"), "Department": ("text", ".0.departmentId"),
}  # fmt: skip
_PERSONAL = {"PhoneNumber", "Email", "Collaborator"}


class Mingdao(Connector):
    vendor = "mingdao"
    zh = "明道云"
    en = "Mingdao (HAP)"
    url = "https://api.mingdao.com"
    module = "general"
    options = (
        Option("app_key", "应用 AppKey", "App key of the application"),
        Option(
            "sign",
            "应用 Sign（API 页面给出，不用计算）",
            "Sign of the application, as its page shows it",
            secret=True,
        ),
    )
    limits: ClassVar[Mapping[str, Any]] = {"requests_per_second": 10, "concurrency": 2}
    missing = ("",)

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        given = (document.get("connection") or {}).get("options") or {}
        return {
            "headers": {"HAP-Appkey": given.get("app_key", "")},
            "auth": {"kind": "header", "name": "HAP-Sign", "value": given.get("sign", "")},
            "errors": {
                "code": "error_code",
                "ok": [1],
                "success": "success",
                "message": "error_msg",
                "retry": ["http 503"],
                "retry_words": ["频繁", "频率", "限流", "too many", "rate limit"],
                "denied": [10101, 10102, "http 401"],
                "scope": [10005, "http 403"],
                "means": {
                    10001: "a parameter is missing, or the headers are not accepted: its words say which. Copy AppKey and Sign "
                    "again from the application's API page",
                    10002: "a parameter has a value that is not accepted: a field that is not there any more, or an operator "
                    "this server does not know. Compare the columns' `from` with the worksheet",
                    10005: "the key may not read this worksheet (or view). Grant it on the application's API page (授权管理)",
                    10007: "the worksheet or row is not there (any more). Check `object` of the stream",
                    10101: "the AppKey is not known. Copy it again from the application's API page",
                    10102: "the Sign does not belong to the AppKey. Copy both again from the application's API page",
                    "http 401": "AppKey and Sign are not accepted. Copy both again from the application's API page",
                },
            },
        }

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        paths = list(dict.fromkeys(path.split(".")[0] for path in source_names(stream).values()))
        fields = [path for path in paths if path not in _KEYS and not path.startswith("_")]
        changed = stream.get("load") == "incremental"
        body: dict[str, Any] = {
            "pageIndex": "{page}",
            "pageSize": "{size}",
            "fields": fields,
            "useFieldIdAsKey": True,
            "includeSystemFields": True,
            "includeTotalCount": True,
            "sorts": [{"field": "_createdAt", "isAsc": True}],
        }
        request: dict[str, Any] = {
            "method": "post",
            "body": body,
            "records": "data.rows",
            "total": "data.total",
            "paging": {"kind": "page", "size": 1000},
            "sparse": True,
        }
        if stream.get("deletes") == "keys":
            request["keys"] = {"body": {**body, "fields": fields[:1]}}
        if changed:
            since = {"type": "condition", "field": "_updatedAt", "operator": "gt", "value": ["{since}"]}
            request["body"] = {
                **body,
                "filter": {"type": "group", "logic": "AND", "children": [since]},
                "sorts": [{"field": "_updatedAt", "isAsc": True}],
            }
            request |= {"beginning": "2000-01-01", "times": {"format": "%Y-%m-%d %H:%M:%S"}}
        made = {"from": WORKSHEET.format(stream["object"]) + "/rows/list", "request": request}
        return {"lateness": "10m", **made} if changed else made

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """Worksheets of the application, or those named, with their fields."""
        listed = dict(_worksheets(ask("get", "/v3/app").get("data")))
        wanted = list(listed) if objects is None else list(objects)
        return [
            _meta(name, ask("get", WORKSHEET.format(name)).get("data") or {}, listed.get(name))
            for name in wanted
        ]


def _worksheets(tree: Any) -> Iterator[tuple[str, str]]:
    """Id and name of every worksheet in the application's structure, however deep its sections are."""
    if isinstance(tree, list):
        for item in tree:
            yield from _worksheets(item)
    elif isinstance(tree, Mapping):
        sheet = tree.get("worksheetId") or (
            tree.get("id") if tree.get("type") in {0, "0", "worksheet"} else None
        )
        if sheet:
            yield str(sheet), str(tree.get("name") or sheet)
        for part in tree.values():
            if isinstance(part, list | Mapping):
                yield from _worksheets(part)


def _meta(name: str, found: Mapping[str, Any], listed: str | None) -> ObjectMeta:
    own = (
        FieldMeta(
            "row_id", "id", "记录编号", "rowid", "text", required=True, doubt="some servers call it rowid"
        ),
        FieldMeta("created_at", "_createdAt", "创建时间", "DateTime", "timestamp", required=True),
        FieldMeta("updated_at", "_updatedAt", "更新时间", "DateTime", "timestamp", required=True),
        FieldMeta("owner", "_owner.id", "拥有者", "Collaborator", "text", personal=True),
    )
    fields = tuple(map(_field, found.get("fields") or ()))
    title = str(found.get("name") or listed or name)
    return ObjectMeta(name, title, (*own, *fields), ("row_id",), ("updated_at",), stream={"deletes": "keys"})


def _field(item: Mapping[str, Any]) -> FieldMeta:
    kind = str(item.get("type"))
    to, below = _TYPES.get(kind, ("text", ""))
    doubt = None if kind in _TYPES else f"{kind} is not known: its value as JSON"
    if kind == "Number" and str(item.get("precision")) == "0":
        to = "bigint"
    alias = str(item.get("alias") or "")
    usable = alias.isascii() and alias.isidentifier() and alias[:1].isalpha()
    options = tuple((str(o.get("key")), str(o.get("value"))) for o in item.get("options") or ())
    return FieldMeta(
        alias.lower() if usable else str(item["id"]),
        f"{item['id']}{below}",
        str(item.get("name") or item["id"]),
        kind,
        to,
        required=bool(item.get("required")),
        options=options,
        refers=str(item["dataSource"]) if kind == "Relation" and item.get("dataSource") else None,
        personal=kind in _PERSONAL,
        doubt=doubt,
    )
