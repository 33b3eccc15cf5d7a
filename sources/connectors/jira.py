"""Jira, Cloud (REST v3) and Server / Data Center (REST v2): issues by JQL, and every change of their fields.

Who we are: e-mail and API token (Cloud), or a personal access token as bearer (Server; leave `user` empty). Limits:
bursts are answered 429 with Retry-After, which is kept; with an API token there is no hourly quota (apps have one).
Errors come as HTTP statuses with `errorMessages`; what may not be seen is answered 404 or "does not exist".
JQL knows time to the minute, in the zone of the account's own profile (option `zone`; discovery reads the profile and
says if it can be told), so a pull begins a few minutes early. The instants in answers have a zone of their own.
Deleted issues vanish without a trace: `deletes: keys`. An issue that is moved changes its `key`, never its `id`.
The history in an issue's own answer is only its newest part, so `changelog` asks for each changed issue by itself.
No answer of Cloud names a total, and pages may be shorter than asked for: only the last one has no `nextPageToken`.

Unverified: whether the search sees every issue at once (it is "eventually consistent": widen `lateness` if not), and
on Server how many histories one issue may hold in its own answer (its total is checked).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from sources.connectors.connector import Ask, Connector, FieldMeta, ObjectMeta, Option, source_names
from sources.connectors.sampled import rows_inside

MINUTES = "%Y-%m-%d %H:%M"
_OBJECTS = ("issue", "changelog", "changelog.items", "project")
# Jira's schema type → our type and where in the value the readable part is.
_TYPES = {
    "string": ("text", ""), "number": ("decimal(18, 4)", ""), "date": ("date", ""), "datetime": ("timestamptz", ""),
    "user": ("text", ""), "option": ("text", ".value"), "array": ("text", ""), "issuelink": ("text", ".key"),
    "progress": ("text", ""), "timetracking": ("text", ""), "any": ("text", ""),
}  # fmt: skip
_SYSTEM = {"issuetype": "事务类型", "status": "状态", "priority": "优先级", "assignee": "经办人", "reporter": "报告人", "created": "创建时间",
           "updated": "更新时间", "resolutiondate": "解决时间", "duedate": "到期日", "summary": "概要", "project": "项目", "resolution": "解决结果",
           "labels": "标签", "components": "模块", "description": "描述"}  # fmt: skip


class Jira(Connector):
    vendor = "jira"
    zh = "Jira"
    en = "Jira"
    module = "service"
    options = (
        Option(
            "kind",
            "cloud（云版）或 server（自建）",
            "cloud, or server for Server / Data Center",
            default="cloud",
        ),
        Option(
            "user",
            "云版：账号邮箱；自建用 PAT 时留空",
            "Cloud: the account's e-mail; empty with a PAT",
            default="",
        ),
        Option("token", "API token 或 PAT", "API token, or personal access token", secret=True),
        Option("projects", "项目键，逗号分隔", "Keys of the projects, comma separated", example="AS,SUPPLY"),
        Option(
            "zone",
            "账号个人资料里的时区（JQL 按它解释时间）",
            "Time zone of the account's profile, in which JQL reads times",
            default="Asia/Shanghai",
        ),
    )
    limits: ClassVar[Mapping[str, Any]] = {"requests_per_second": 5, "concurrency": 2}

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        said = self._said(document)
        auth = {"kind": "bearer", "token": said.get("token", "")}
        if said.get("user"):
            auth = {"kind": "basic", "username": said["user"], "password": said.get("token", "")}
        return {
            "auth": auth,
            "errors": {
                "message": "errorMessages.0",
                "denied": ["http 401"],
                "scope": ["http 403"],
                "means": {
                    "http 400": "Jira does not accept the query; its words name the project or field. A project that the "
                    "account may not see is said not to exist: check connection.options.projects and ask for the right "
                    "to browse it",
                    "http 401": "the account or its token is not accepted: wrong, withdrawn or expired (tokens live a year "
                    "at most). Make a new one and set connection.options.token",
                    "http 403": "the account may not read this, or must answer a CAPTCHA after wrong logins. Log in once "
                    "with a browser, and ask for the right to browse the project",
                    "http 404": "this is not there, or the account may not see it. Check connection.url and the right to "
                    "browse the project",
                },
            },
        }

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        said = str(stream["object"])
        if said not in _OBJECTS:
            raise ValueError(f"streams.{name}: object {said!r} is none of {list(_OBJECTS)}")
        if said == "changelog.items":
            return rows_inside(name, "changelog", "items", document)
        cloud = self._said(document)["kind"] == "cloud"
        if said == "project":
            return _projects(cloud)
        changed = stream.get("load") == "incremental"
        paths = source_names(stream).values()
        wanted = sorted({path.split(".")[1] for path in paths if path.startswith("fields.")}) or ["updated"]
        search = _search(cloud, wanted if said == "issue" else ["updated"], changed)
        path, search = search.pop("path"), search
        made: dict[str, Any] = {"from": path, "request": search}
        if said == "changelog":
            made = _histories(cloud, {"path": path, **search, "item": "id"})
        request = made["request"]
        if changed:
            request["times"] = {"format": MINUTES, "timezone": self._said(document)["zone"]}
            request["beginning"] = "2000-01-01"
            made["lateness"] = "10m"
        if said == "issue" and stream.get("deletes") == "keys":
            keys = _search(cloud, ["updated"], changed=False)
            request["keys"] = {"body": keys["body"]}
        request["sparse"] = True
        return made

    # --- what the system says of itself ---

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """Issues with the fields this site has; histories and projects are everywhere the same."""
        profile = ask("get", "/rest/api/2/myself")
        if objects is not None and not (objects := tuple(objects)):
            return []
        zone = profile.get("timeZone")
        doubt = f"JQL reads times in the account's zone, {zone}: say it as option `zone`" if zone else None
        listed = ask("get", "/rest/api/2/field")
        fields = [_meta(item) for item in listed if (item.get("schema") or {}).get("type")]
        found = [
            ObjectMeta(
                "issue",
                "事务",
                (
                    FieldMeta("id", "id", "编号", "id", "text", required=True),
                    FieldMeta("key", "key", "键", "key", "text"),
                    *fields,
                ),
                ("id",),
                ("updated",) if any(field.id == "updated" for field in fields) else (),
                stream={"deletes": "keys"},
                doubt=doubt,
            ),
            *_KNOWN,
        ]
        return [item for item in found if objects is None or item.id in objects]

    def _said(self, document: Mapping[str, Any]) -> dict[str, Any]:
        given = (document.get("connection") or {}).get("options") or {}
        said = {item.name: item.default for item in self.options if item.default is not None} | dict(given)
        if said["kind"] not in {"cloud", "server"}:
            raise ValueError(f"connection.options.kind: {said['kind']!r} is neither cloud nor server")
        if not said.get("projects"):
            raise ValueError(
                "connection.options.projects: say which projects, for an unbounded query is refused"
            )
        return said


def _search(cloud: bool, fields: list[str], changed: bool) -> dict[str, Any]:
    """A search of issues, those changed or all, in an order in which none is passed over."""
    where = "project in ({options.projects})"
    jql = f"{where} ORDER BY key ASC"
    if changed:
        jql = f'{where} AND updated >= "{{since}}" ORDER BY updated ASC, key ASC'
    body: dict[str, Any] = {"jql": jql, "fields": fields, "maxResults": "{size}"}
    if cloud:
        return {
            "path": "/rest/api/3/search/jql",
            "method": "post",
            "body": {**body, "nextPageToken": "{cursor}"},
            "records": "issues",
            "paging": {"kind": "cursor", "next": "nextPageToken", "size": 100},
        }
    return {
        "path": "/rest/api/2/search",
        "method": "post",
        "body": {**body, "startAt": "{offset}"},
        "records": "issues",
        "total": "total",
        "paging": {"kind": "offset", "size": 100},
    }


def _histories(cloud: bool, changed: dict[str, Any]) -> dict[str, Any]:
    """Every history of each issue that the search finds."""
    if not cloud:
        request = {
            "params": {"expand": "changelog", "fields": "updated"},
            "records": "changelog.histories",
            "total": "changelog.total",
            "for_each": {"list": changed},
        }
        return {"from": "/rest/api/2/issue/{each}", "request": request}
    request = {
        "params": {"startAt": "{offset}", "maxResults": "{size}"},
        "records": "values",
        "total": "total",
        "paging": {"kind": "offset", "size": 100},
        "for_each": {"list": changed},
    }
    return {"from": "/rest/api/3/issue/{each}/changelog", "request": request}


def _projects(cloud: bool) -> dict[str, Any]:
    if not cloud:
        return {"from": "/rest/api/2/project", "request": {"sparse": True}}
    request = {
        "params": {"startAt": "{offset}", "maxResults": "{size}"},
        "records": "values",
        "total": "total",
        "paging": {"kind": "offset", "size": 50},
        "sparse": True,
    }
    return {"from": "/rest/api/3/project/search", "request": request}


def _meta(item: Mapping[str, Any]) -> FieldMeta:
    """A field of issues as the site describes it; custom fields are called by their number, for names change."""
    schema = item["schema"]
    kind = str(schema["type"])
    # what is not in the table is an object with a name: status, priority, project, resolution, version …
    to, below = _TYPES.get(kind, ("text", ".name"))
    doubt = None
    if kind == "user":
        below, doubt = ".accountId", "Server has `.name` in place of `.accountId`"
    elif kind not in _TYPES:
        doubt = None if schema.get("system") else f"{kind}: taken by its name"
    elif kind in {"array", "any", "progress", "timetracking"}:
        doubt = f"{kind} of {schema.get('items', 'anything')}: JSON"
    name = str(item["id"])
    title = str(item.get("name") or name)
    return FieldMeta(
        name.replace("-", "_").lower(), f"fields.{name}{below}", _SYSTEM.get(name, title), kind, to,
        refers="user" if kind == "user" else None, personal=kind == "user", doubt=doubt,
    )  # fmt: skip


_KNOWN = (
    ObjectMeta(
        "changelog",
        "变更记录",
        (
            FieldMeta("issue_id", "_each", "事务编号", "id", "text", required=True, refers="issue"),
            FieldMeta("id", "id", "变更编号", "id", "text", required=True),
            FieldMeta(
                "author",
                "author.accountId",
                "操作人",
                "user",
                "text",
                personal=True,
                doubt="Server: `author.name`",
            ),
            FieldMeta("created", "created", "变更时间", "datetime", "timestamptz", required=True),
        ),
        ("id",),
        ("created",),
    ),
    ObjectMeta(
        "changelog.items",
        "变更明细",
        (
            FieldMeta(
                "changelog_id", "parent.id", "变更编号", "id", "text", required=True, refers="changelog"
            ),
            FieldMeta("field", "field", "字段", "string", "text", required=True),
            FieldMeta("from_text", "fromString", "原值", "string", "text"),
            FieldMeta("to_text", "toString", "新值", "string", "text"),
            FieldMeta("created", "parent.created", "变更时间", "datetime", "timestamptz", required=True),
        ),
        ("changelog_id", "field"),
        ("created",),
        parent="changelog",
    ),
    ObjectMeta(
        "project",
        "项目",
        (
            FieldMeta("id", "id", "编号", "id", "text", required=True),
            FieldMeta("key", "key", "键", "string", "text", required=True),
            FieldMeta("name", "name", "名称", "string", "text"),
        ),
        ("id",),
    ),
)
