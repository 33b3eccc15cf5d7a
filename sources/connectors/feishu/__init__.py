"""飞书 (and Lark, `url: https://open.larksuite.com`): directory, approvals and Bitable (多维表格) of a self-built app.

Objects: `department`, `user` (of every department, the root too), `approval/<approval_code>`, `bitable/<table_id>` of
the Bitable in `connection.options.app_token`, or `bitable/<app_token>/<table_id>`. The steps of an approval are a
stream of their own: `request: {parent: <stream>, records: task_list}`.

Limits: per app and interface, some as low as 100 a minute; asked at 5 a second. The free edition has a quota of calls
a month for all self-built apps together. Retried: 99991400 (after the seconds that x-ogw-ratelimit-reset says), HTTP
429, Bitable 1254290, 1254291, 1254607, approval 1395001. Errors come as `code` with HTTP 200 or 4xx.
A right that is missing often gives an empty answer, no error: a stream that comes empty is therefore refused.
Time: counts since 1970, in ms (approvals, Bitable) or s (`join_time`); 0 says that there is none.
Deletions: full loads find them, and so do `deletes: keys` of Bitable.

An approval is listed by when it began. One that changes after `lateness` (60 days, unless the contract says) keeps its
old state until a full pull.
A Bitable can be read by changes only if its owner put in a column of type 最后更新时间 (the cursor must be that
column). The filter counts days, perhaps not in company time [unverified], so `lateness` is three days at least.
Texts come in pieces (`[{text}]`): a column that names the field alone lands them all as JSON; `.0.text` is the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from sources.connectors.connector import Ask, Connector, FieldMeta, ObjectMeta, Option, source_names
from sources.connectors.feishu.metadata import DEPARTMENT, USER, approval_meta, field_meta

CONTACT, APPROVAL, BITABLE = "/open-apis/contact/v3", "/open-apis/approval/v4", "/open-apis/bitable/v1/apps"
ROOT = "0"
# What a count of 0 becomes, by the type of its column.
NEVER = ("1970-01-01 00:00:00+00", "1970-01-01 08:00:00", "1970-01-01")
_SECRET = "the app id or secret is not accepted: compare them with 凭证与基础信息 in the developer console"
MEANS = {
    10003: _SECRET,
    10014: _SECRET,
    99991672: "the app has no right to this: grant the permission that the message names, and publish a new version of it",
    99991403: "the calls of this month are used up for all self-built apps of the company: wait for the next month, or "
    "have an administrator upgrade the edition",
    99991400: "this interface is asked too often",
    99992402: "the request is not understood: check `object` and the columns' `from`",
    1254040: "there is no such Bitable, or the app was not added to it: check connection.options.app_token",
    1254041: "there is no such table in the Bitable: check `object`",
    1254045: "there is no such column in the Bitable: was it renamed? Check the columns' `from`",
    1254302: "the app may not read this Bitable: add it there (… > 添加文档应用)",
    1254018: "the filter is not understood: is the cursor a column of type 最后更新时间? Else use `load: full`",
    1390002: "there is no such approval: copy its code from the address of its page in the admin console",
    1390003: "there is no such approval instance",
}


class Feishu(Connector):
    """飞书 by its open API."""

    vendor, zh, en = "feishu", "飞书", "Feishu"
    url = "https://open.feishu.cn"
    options = (
        Option("app_id", "应用 ID", "App id", example="cli_a5f0c7e1d2b3900c"),
        Option("app_secret", "应用密钥", "App secret", secret=True),
        Option(
            "app_token", "多维表格 token", "Bitable token", default="", example="bascnCMII2ORej2RItqpZZUNMIe"
        ),
    )
    limits: ClassVar[Mapping[str, Any]] = {"requests_per_second": 5, "concurrency": 2}
    missing = ("", *NEVER)

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "auth": {
                "kind": "session",
                "path": "/open-apis/auth/v3/tenant_access_token/internal",
                "body": {"app_id": "{options.app_id}", "app_secret": "{options.app_secret}"},
                "token": "tenant_access_token",
                "expires": "expire",
                "header": "Authorization",
                "prefix": "Bearer ",
            },
            "errors": {
                "code": "code",
                "message": "msg",
                "retry": [99991400, 1254290, 1254291, 1254607, 1395001],
                "expired": [99991661, 99991663, 99991668],
                "denied": [10003, 10014],
                "scope": [99991672, 1254040, 1254302],
                "quota": [99991403],
                "wait": "x-ogw-ratelimit-reset",
                "means": MEANS,
            },
        }

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        whole, _, inside = str(stream["object"]).partition("#")
        if inside:  # its rows are in those of the approval
            request = {"records": inside, "times": {"numbers": "ms"}, "sparse": True}
            return {"from": inside, "request": request, **_late(stream)}
        kind, _, rest = whole.partition("/")
        if kind == "department" and not rest:
            return {
                "from": f"{CONTACT}/departments/{ROOT}/children",
                "request": {**_departments(), "sparse": True},
            }
        if kind == "user" and not rest:
            listed = {
                "path": f"{CONTACT}/departments/{ROOT}/children",
                "item": "open_department_id",
                **_departments(),
            }
            params = {"department_id": "{each}", "page_size": "{size}", "page_token": "{cursor}"}
            request = {"params": params, **_pages(50), "for_each": {"values": [ROOT], "list": listed}}
            request |= {"times": {"numbers": "s"}, "sparse": True}
            return {"from": f"{CONTACT}/users/find_by_department", "request": request}
        if kind == "approval" and rest:
            return _approval(rest, stream)
        if kind == "bitable" and rest:
            app, _, table = rest.rpartition("/")
            return _bitable(app or "{options.app_token}", table, name, stream)
        raise ValueError(
            f"streams.{name}: object {stream['object']!r} is none of department, user, approval/<code>, bitable/<table_id>"
        )

    # --- metadata ---

    def check(self, ask: Ask) -> None:
        ask("get", f"{CONTACT}/departments/{ROOT}/children", params={"page_size": 1})

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """The directory and the tables of the Bitable in the options; approvals (whose codes are not listed) by name."""
        wanted = None if objects is None else list(dict.fromkeys(name.partition("#")[0] for name in objects))
        if wanted == []:
            self.check(ask)
            return []
        found = [item for item in (DEPARTMENT, USER) if wanted is None or item.id in wanted]
        if wanted is None:
            wanted = [f"bitable/{item['table_id']}" for item in self._own_tables(ask)]
        for name in wanted:
            kind, _, rest = name.partition("/")
            if kind == "approval":
                found += approval_meta(rest)
            elif kind == "bitable":
                app, _, table = rest.rpartition("/")
                found.append(self._bitable_meta(ask, app or "{options.app_token}", table))
        return found

    def _own_tables(self, ask: Ask) -> list[dict[str, Any]]:
        """Tables of the Bitable in the options; none if there is none that the app may read (the account was proved)."""
        from tieout.ingest.errors import SourceError

        try:
            return self._tables(ask, "{options.app_token}")
        except SourceError:
            return []

    def _tables(self, ask: Ask, app: str) -> list[dict[str, Any]]:
        return list(_every(ask, f"{BITABLE}/{app}/tables", 100))

    def _bitable_meta(self, ask: Ask, app: str, table: str) -> ObjectMeta:
        title = next(item["name"] for item in self._tables(ask, app) if item["table_id"] == table)
        fields = [
            FieldMeta("record_id", "record_id", "记录 ID", "system", "text", required=True),
            FieldMeta("created_time", "created_time", "创建时间", "system", "timestamptz"),
            FieldMeta("last_modified_time", "last_modified_time", "修改时间", "system", "timestamptz"),
        ]
        modified = None
        for said in _every(ask, f"{BITABLE}/{app}/tables/{table}/fields", 100):
            fields.append(field_meta(said))
            modified = modified or (said["field_id"] if said["type"] == 1002 else None)
        doubt = "the table has no column of type 最后更新时间, so every pull reads it whole"
        return ObjectMeta(
            f"bitable/{table}" if app.startswith("{") else f"bitable/{app}/{table}",
            title,
            tuple(fields),
            key=("record_id",),
            cursor=(modified,) if modified else (),
            stream={"load": "incremental", "deletes": "keys"} if modified else {"load": "full"},
            doubt=None if modified else doubt,
        )


def _pages(size: int) -> dict[str, Any]:
    paging = {"kind": "cursor", "next": "data.page_token", "more": "data.has_more", "size": size}
    return {"records": "data.items", "paging": paging}


def _departments() -> dict[str, Any]:
    return {"params": {"fetch_child": "true", "page_size": "{size}", "page_token": "{cursor}"}, **_pages(50)}


def _approval(code: str, stream: Mapping[str, Any]) -> dict[str, Any]:
    params = {
        "approval_code": code,
        "start_time": "{from}",
        "end_time": "{to}",
        "page_size": "{size}",
        "page_token": "{cursor}",
    }
    listed = {
        "path": f"{APPROVAL}/instances",
        "item": "",
        "params": params,
        **_pages(100),
        "records": "data.instance_code_list",
        "span": "30d",
    }
    request = {
        "records": "data",
        "for_each": {"list": listed},
        "times": {"format": "epoch_ms", "numbers": "ms"},
        "beginning": "2017-01-01",
        "sparse": True,
    }
    return {"from": f"{APPROVAL}/instances/{{each}}", "request": request, **_late(stream)}


def _late(stream: Mapping[str, Any]) -> dict[str, str]:
    """How long an approval may stay open."""
    return {"lateness": "60d"} if stream.get("load") == "incremental" else {}


def _bitable(app: str, table: str, name: str, stream: Mapping[str, Any]) -> dict[str, Any]:
    names = source_names(stream)
    heads = dict.fromkeys(path.split(".")[1] for path in names.values() if path.startswith("fields."))
    body: dict[str, Any] = {"field_names": list(heads), "automatic_fields": True}
    request: dict[str, Any] = {
        "method": "post",
        "params": {"page_size": "{size}", "page_token": "{cursor}", "user_id_type": "open_id"},
        **_pages(500),
        "total": "data.total",
        "times": {"numbers": "ms"},
        "sparse": True,
    }
    made: dict[str, Any] = {"from": f"{BITABLE}/{app}/tables/{table}/records/search"}
    if stream.get("load") == "incremental":
        cursor = next(iter(_listed(stream.get("cursor"))), "")
        path = names.get(cursor, "")
        if not path.startswith("fields."):
            raise ValueError(
                f"streams.{name}: the cursor must be a column of the table of type 最后更新时间 (from: fields.…): what the "
                f"system keeps itself cannot be filtered by. Add one to the table, or use `load: full`"
            )
        field = path.split(".")[1]
        condition = {"field_name": field, "operator": "isGreater", "value": ["ExactDate", "{since}"]}
        keys = {"body": {**body, "field_names": list(heads)[:1]}}
        body["sort"] = [{"field_name": field, "desc": False}]
        body["filter"] = {"conjunction": "and", "conditions": [condition]}
        request |= {
            "times": {"format": "epoch_ms", "text": True, "numbers": "ms"},
            "beginning": "2017-01-01",
            "keys": keys,
        }
        made["lateness"] = "3d"
    return {**made, "request": {**request, "body": body}}


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _every(ask: Ask, path: str, size: int) -> Iterator[dict[str, Any]]:
    token = None
    while True:
        data = ask("get", path, params={"page_size": size, **({"page_token": token} if token else {})})[
            "data"
        ]
        yield from data.get("items") or ()
        if not data.get("has_more"):
            return
        token = data["page_token"]
