"""简道云: forms (表单) of apps (应用), read row by row in the order of `_id`.

Object: `<entry_id>` of the app in `connection.options.app_id`, or `<app_id>/<entry_id>`. A subform (子表单) is a
stream of its own: `request: {parent: <stream>, records: <its field>}`, key `parent._id` and `_id`.

Limits: 30 reads a second per interface, 50 for the company; asked at 20. 100 rows a page, no total: a page that is
short ends the list, so a page the server cut short cannot be told from the last one.
Retried: 8303, 8304 (rate), HTTP 429 and 5xx. Errors come with HTTP 400 and `{code, msg}`.
Time: instants are UTC (`…Z`). A day typed by hand is midnight of company time, so 1 Feb arrives as 31 Jan 16:00Z:
promise `timestamptz` and cut it to a day in company time, never `date`.
Deletions: rows are simply absent. A full load (the default) finds them.
Unverified: that `updateTime` can be filtered by. The server ignores a filter it does not know and sends everything,
so `load: incremental` loses nothing there; but one that half works would. `discover` asks first (a window in the
future must be empty, one over all time must not) and proposes `incremental` only then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from sources.connectors.connector import Ask, Connector, FieldMeta, ObjectMeta, Option, source_names

PATH = "/api/v5/app"
UNASKED = {"_id", "appId", "entryId"}  # every answer holds them
_NO_KEY = (
    "the API key is not accepted: make one under 开放平台 > 密钥管理, and give it to the connection's api_key"
)
_USED_UP = "the plan's quota is used up: nothing more can be read until it is renewed or raised"
MEANS = {
    8301: _NO_KEY,
    17018: _NO_KEY,
    17052: "this machine's address is not on the key's list of addresses: add it under 密钥管理",
    8302: "the key has no right to this: grant it under 密钥管理",
    17053: "the key is not granted this app: add the app to the key under 密钥管理",
    17054: "the key is not granted this interface: allow it to read data under 密钥管理",
    30002: "this is a form of the built-in CRM, which the interface does not serve: ask for an export of it",
    8303: "the company asks more than 50 times a second",
    8304: "this interface is asked more than 30 times a second",
    2004: "there is no such app: check connection.options.app_id",
    3000: "there is no such form: check `object`; it was deleted, or is in another app",
    3005: "the request is not understood: check the columns' `from` against the form",
    4815: "the filter is not understood: use `load: full`",
    **dict.fromkeys((7103, 7206, 7212, 7221), _USED_UP),
}
_TYPES = {
    "number": "decimal(28, 8)", "aggregation": "decimal(28, 8)", "datetime": "timestamptz",
}  # fmt: skip
_JSON = {"checkboxgroup", "combocheck", "address", "location", "image", "upload", "signature", "usergroup", "deptgroup", "richtext"}  # fmt: skip
_PERSONAL = ("手机", "电话", "姓名", "联系人", "身份证", "邮箱", "微信", "住址")
_DAYS = "a day typed by hand is midnight in company time: cut it to a day there, not in UTC"


class Jiandaoyun(Connector):
    """简道云 by its open API v5."""

    vendor, zh, en = "jiandaoyun", "简道云", "Jiandaoyun"
    url = "https://api.jiandaoyun.com"
    options = (
        Option("api_key", "API 密钥", "API key", secret=True),
        Option("app_id", "应用 ID", "App id", default="", example="65a0000000000000000000a1"),
    )
    limits: ClassVar[Mapping[str, Any]] = {"requests_per_second": 20, "concurrency": 1}
    missing = ("",)

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        options = (document.get("connection") or {}).get("options") or {}
        if "api_key" not in options:
            raise ValueError(
                "connection.options.api_key: 简道云 needs the reference of an API key (secret:NAME)"
            )
        return {
            "auth": {"kind": "bearer", "token": options["api_key"]},
            "errors": {
                "code": "code",
                "message": "msg",
                "retry": [8303, 8304],
                "denied": [8301, 17018, 17052],
                "scope": [8302, 17053, 17054, 30002],
                "quota": [7103, 7206, 7212, 7221],
                "means": MEANS,
            },
        }

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        form, _, subform = str(stream["object"]).partition("#")
        if subform:  # its rows are in those of the form
            return {"from": subform, "request": {"records": subform, "sparse": True}}
        app, _, entry = form.rpartition("/")
        body: dict[str, Any] = {
            "app_id": app or "{options.app_id}",
            "entry_id": entry,
            "data_id": "{cursor}",
            "limit": "{size}",
            "fields": fields_of(name, stream, document),
        }
        made: dict[str, Any] = {
            "from": f"{PATH}/entry/data/list",
            "request": {
                "method": "post",
                "body": body,
                "records": "data",
                "sparse": True,
                "paging": {"kind": "keyset", "by": "_id", "size": 100, "end": "short"},
            },
        }
        if stream.get("load") == "incremental":
            # Whether a day of the filter is one of the company or of UTC is not said; a day's lateness covers both.
            body["filter"] = between("{since}", None)
            made["lateness"] = "1d"
            made["request"] |= {
                "beginning": "2000-01-01",
                "times": {"format": "%Y-%m-%d", "timezone": "Asia/Shanghai"},
                "keys": {
                    "body": {key: body[key] for key in ("app_id", "entry_id", "data_id", "limit")}
                    | {"fields": []}
                },
            }
        return made

    # --- metadata ---

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        wanted = None if objects is None else [name.partition("#")[0] for name in objects]
        if wanted == []:
            ask("post", f"{PATH}/list", body={"skip": 0, "limit": 1})
            return []
        found = []
        for app in paged(ask, f"{PATH}/list", {}, "apps"):
            for form in paged(ask, f"{PATH}/entry/list", {"app_id": app["app_id"]}, "forms"):
                name = f"{app['app_id']}/{form['entry_id']}"
                if wanted is None or name in wanted or form["entry_id"] in wanted:
                    found += self._form(ask, app["app_id"], form, name)
        return found

    def _form(self, ask: Ask, app: str, form: Mapping[str, Any], name: str) -> Iterator[ObjectMeta]:
        which = {"app_id": app, "entry_id": form["entry_id"]}
        said = ask("post", f"{PATH}/entry/widget/list", body=which)
        system = {item["name"] for item in said.get("sysWidgets") or ()}
        widgets = said["widgets"]
        fields = [
            FieldMeta("_id", "_id", "数据 ID", "system", "text", required=True),
            FieldMeta("create_time", "createTime", "提交时间", "system", "timestamptz"),
            FieldMeta("update_time", "updateTime", "更新时间", "system", "timestamptz"),
            FieldMeta("creator", "creator.username", "提交人", "system", "text", personal=True),
        ]
        if "flowState" in system:
            states = (("0", "进行中"), ("1", "已完成"), ("2", "手动结束"), ("3", "已否决"))
            fields.append(
                FieldMeta("flow_state", "flowState", "流程状态", "system", "integer", options=states)
            )
        plain = [field for widget in widgets if widget["type"] != "subform" for field in fields_meta(widget)]
        by_time = self._filters_by_update(ask, which)
        doubt = (
            None if by_time else "updateTime cannot be filtered by here, so every pull reads the whole form"
        )
        yield ObjectMeta(
            name,
            form["name"],
            (*fields, *plain),
            key=("_id",),
            cursor=("update_time",) if by_time else (),
            stream={"load": "incremental", "deletes": "keys"} if by_time else {"load": "full"},
            doubt=doubt,
        )
        for widget in widgets:
            if widget["type"] == "subform":
                key = (
                    FieldMeta(
                        "parent_id", "parent._id", f"{form['name']} 数据 ID", "system", "text", required=True
                    ),
                    FieldMeta("_id", "_id", "行 ID", "system", "text", required=True),
                )
                lines = [field for item in widget["items"] for field in fields_meta(item)]
                yield ObjectMeta(
                    f"{name}#{widget['widgetName']}",
                    f"{form['name']} {widget['label']}",
                    (*key, *lines),
                    key=("parent_id", "_id"),
                    parent=name,
                    stream={"load": "full", "request": {"records": widget["name"]}},
                )

    def _filters_by_update(self, ask: Ask, which: Mapping[str, Any]) -> bool:
        """Whether the server heeds `updateTime`: nothing in a window that has not come, something over all time."""

        def rows(since: str, until: str) -> int:
            body = {**which, "limit": 1, "fields": [], "filter": between(since, until)}
            return len(ask("post", f"{PATH}/entry/data/list", body=body)["data"])

        return rows("2900-01-01", "2900-01-31") == 0 and rows("2000-01-01", "2900-01-01") > 0


def between(since: str, until: str | None) -> dict[str, Any]:
    """A filter by `updateTime`, both ends included; None is open."""
    value = [since, until]
    return {
        "rel": "and",
        "cond": [{"field": "updateTime", "type": "datetime", "method": "range", "value": value}],
    }


def fields_of(name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """The form's fields that the stream's columns, and the streams inside its rows, need."""
    paths = list(source_names(stream).values())
    for child in (document.get("streams") or {}).values():
        request = child.get("request") if isinstance(child, Mapping) else None
        if isinstance(request, Mapping) and request.get("parent") == name:
            paths.append(str(request.get("records")))
            above = source_names(child).values()
            paths += [path.removeprefix("parent.") for path in above if path.startswith("parent.")]
    heads = dict.fromkeys(path.partition(".")[0] for path in paths)
    return [head for head in heads if head not in UNASKED]


def fields_meta(widget: Mapping[str, Any]) -> list[FieldMeta]:
    """The columns one widget becomes: a member is an account and a name."""
    name, title, kind = widget["name"], widget["label"], widget["type"]
    id_ = widget["widgetName"]
    personal = any(word in title for word in _PERSONAL)

    def made(
        part: str, title: str, type_: str = "text", doubt: str | None = None, personal: bool = personal
    ) -> FieldMeta:
        path, suffix = (f"{name}.{part}", f"_{part}") if part else (name, "")
        return FieldMeta(f"{id_}{suffix}", path, title, kind, type_, personal=personal, doubt=doubt)

    if kind == "user":
        return [made("username", f"{title}（账号）", personal=True), made("name", title, personal=True)]
    if kind == "dept":
        return [made("dept_no", f"{title}（编号）", "bigint"), made("name", title)]
    if kind == "phone":
        return [made("phone", title, personal=True)]
    if kind == "linkdata":
        return [made("id", title, doubt="the id of a row of another form; the system does not say which")]
    if kind in _JSON:
        return [made("", title, doubt="JSON text; addresses of files die after about 15 days" if kind in {"image", "upload", "signature"} else "JSON text")]  # fmt: skip
    return [made("", title, _TYPES.get(kind, "text"), doubt=_DAYS if kind == "datetime" else None)]


def paged(ask: Ask, path: str, body: dict[str, Any], records: str) -> Iterator[dict[str, Any]]:
    """Apps or forms, which are listed by `skip` and `limit`."""
    skip = 0
    while True:
        found = ask("post", path, body={**body, "skip": skip, "limit": 100})[records]
        yield from found
        if len(found) < 100:
            return
        skip += len(found)
