"""钉钉: two generations of interfaces with hosts, tokens and errors of their own, so two connectors and two contracts
of one app.

`dingtalk` is the old one (oapi.dingtalk.com), objects `department`, `user`, `attendance`: token in the query, errors as
`errcode` with HTTP 200. `dingtalk_flow` is the new one (api.dingtalk.com), object `approval/<processCode>`: token in a
header, errors as `code` with HTTP 4xx (a rate error is HTTP 403).
Of an approval, its steps and form fields are streams of their own: `request: {parent: <stream>, records: tasks}`,
`records: formComponentValues`; the instance's id is `_each` (`parent._each` below it).

Limits: 20 a second per interface, asked at 10; the standard edition has 5000 calls a month (the directory and tokens
do not count), and every approval costs one: set limits.calls_per_month. An address that asks too much is shut out for
five minutes with an HTML page. Retried: 90018, 90002, …QpsLimitForApi, …QpsLimitForAppkeyAndApi.
Approvals are listed by when they began, at most 365 days ago, 120 days and 10 000 at a time; older ones can only be
exported by hand. One that changes after `lateness` (60 days, unless the contract says) keeps its old state.
Time: ms since 1970; approvals have `2026-01-05T10:00Z`. Whether that is UTC or company time is unverified: compare one
known instance, and if it is 8 hours off, promise `timestamp` in place of `timestamptz`.
Deletions: full loads find them in the directory; attendance and approvals are not deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from sources.connectors.connector import Ask, Connector, ObjectMeta, Option
from sources.connectors.dingtalk.metadata import CLOCK, DEPARTMENT, USER, approval_meta

ROOT = 1
DEPARTMENTS, USERS, ATTENDANCE = "/topapi/v2/department/listsub", "/topapi/v2/user/list", "/attendance/list"
LIST, INSTANCE = "/v1.0/workflow/processes/instanceIds/query", "/v1.0/workflow/processInstances"
_SECRET = "the AppKey or AppSecret is not accepted: compare them with 凭证与基础信息 in the developer console"
_RATE = "this interface is asked too often"
_QUOTA = "the edition's calls of this month are used up: wait for the next month, or have an administrator buy more"
_RIGHT = "the app has no right to this: grant the permission that the message names under 权限管理, and publish the app"
_FORBIDDEN = "Forbidden.AccessDenied."
OLD_ERRORS = {
    "code": "errcode",
    "message": "errmsg",
    "retry": [90018, 90002, -1],
    "expired": [40014, 42001],
    "denied": [40001, 40089],
    "scope": [60011, 88],
    "quota": [90020],
    "means": {
        40001: _SECRET,
        40089: _SECRET,
        60011: _RIGHT,
        88: _RIGHT,
        90018: _RATE,
        90002: _RATE,
        90020: _QUOTA,
        40035: "the request is not understood: check `request` of the stream",
        60121: "there is no such user",
    },
}
NEW_ERRORS = {
    "code": "code",
    "message": "message",
    "retry": [f"{_FORBIDDEN}QpsLimitForApi", f"{_FORBIDDEN}QpsLimitForAppkeyAndApi", "ServiceUnavailable"],
    "expired": ["InvalidAuthentication"],
    "denied": ["invalidClientIdOrSecret"],
    "scope": [f"{_FORBIDDEN}AccessTokenPermissionDenied"],
    "quota": [f"{_FORBIDDEN}ApiCountLimitForOrg"],
    "means": {
        "invalidClientIdOrSecret": _SECRET,
        f"{_FORBIDDEN}AccessTokenPermissionDenied": _RIGHT,
        f"{_FORBIDDEN}QpsLimitForApi": _RATE,
        f"{_FORBIDDEN}QpsLimitForAppkeyAndApi": _RATE,
        f"{_FORBIDDEN}ApiCountLimitForOrg": _QUOTA,
        "processCodeError": "there is no such approval: check `object`",
        "InvalidParameter": "the request is not understood; approvals of more than 365 days ago can only be exported by hand",
    },
}


class _Generation(Connector):
    """What both interfaces have in common: one application, and how hard it may ask."""

    module = "hr"
    options = (
        Option("app_key", "AppKey", "App key", example="dinghc7r2v0k5wq1xz"),
        Option("app_secret", "AppSecret", "App secret", secret=True),
    )
    limits: ClassVar[Mapping[str, Any]] = {"requests_per_second": 10, "concurrency": 1}
    missing = ("",)


class DingTalk(_Generation):
    """The old interface: the directory and attendance."""

    vendor, zh, en = "dingtalk", "钉钉", "DingTalk"
    url = "https://oapi.dingtalk.com"

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        auth = {
            "kind": "session",
            "path": "/gettoken",
            "method": "get",
            "params": {"appkey": "{options.app_key}", "appsecret": "{options.app_secret}"},
            "token": "access_token",
            "expires": "expires_in",
            "query": "access_token",
        }
        return {"auth": auth, "errors": OLD_ERRORS}

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        kind = stream["object"]
        if kind == "department":
            return {"from": DEPARTMENTS, "request": {**_departments(), "sparse": True}}
        if kind == "user":
            return {"from": USERS, "request": {**_users(), "times": {"numbers": "ms"}, "sparse": True}}
        if kind == "attendance":
            return _attendance(stream)
        raise ValueError(
            f"streams.{name}: object {kind!r} is none of department, user, attendance; approvals are read by "
            f"`connector: dingtalk_flow`, in a contract of their own"
        )

    def check(self, ask: Ask) -> None:
        ask("post", DEPARTMENTS, body={"dept_id": ROOT})

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """What the sheet says: the vendor describes none of them."""
        wanted = None if objects is None else list(objects)
        if wanted == []:
            self.check(ask)
        return [item for item in (DEPARTMENT, USER, CLOCK) if wanted is None or item.id in wanted]


class DingTalkFlow(_Generation):
    """The new interface: approvals."""

    vendor, zh, en = "dingtalk_flow", "钉钉审批", "DingTalk approvals"
    url = "https://api.dingtalk.com"

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        auth = {
            "kind": "session",
            "path": "/v1.0/oauth2/accessToken",
            "body": {"appKey": "{options.app_key}", "appSecret": "{options.app_secret}"},
            "token": "accessToken",
            "expires": "expireIn",
            "header": "x-acs-dingtalk-access-token",
        }
        return {"auth": auth, "errors": NEW_ERRORS}

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        whole, _, inside = str(stream["object"]).partition("#")
        kind, _, code = whole.partition("/")
        if kind != "approval" or not code:
            raise ValueError(
                f"streams.{name}: object {stream['object']!r} is no approval/<processCode>; the directory and attendance "
                f"are read by `connector: dingtalk`, in a contract of their own"
            )
        if inside:  # its rows are in those of the approval
            request = {"records": inside, "times": {"minutes": True}, "sparse": True}
            return {"from": inside, "request": request, **_late(stream)}
        return _approval(code, stream)

    def check(self, ask: Ask) -> None:
        """Nothing can be asked without a process code: the account is proved by `discover`, or by the first pull."""

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """What the sheet says of an approval; process codes are not listed, so they must be named."""
        codes = dict.fromkeys(name.partition("#")[0] for name in objects or ())
        return [item for name in codes for item in approval_meta(name)]


def _late(stream: Mapping[str, Any]) -> dict[str, str]:
    """How long an approval may stay open."""
    return {"lateness": "60d"} if stream.get("load") == "incremental" else {}


def _departments() -> dict[str, Any]:
    tree = {"tree": {"item": "dept_id", "roots": [ROOT]}}
    return {"method": "post", "body": {"dept_id": "{each}"}, "records": "result", "for_each": tree}


def _users() -> dict[str, Any]:
    """The members of the root and of every department below it."""
    listed = {"path": DEPARTMENTS, "item": "dept_id", **_departments()}
    return {
        "method": "post",
        "body": {"dept_id": "{each}", "cursor": "{cursor}", "size": "{size}"},
        "records": "result.list",
        "paging": {
            "kind": "cursor",
            "first": 0,
            "next": "result.next_cursor",
            "more": "result.has_more",
            "size": 100,
        },
        "for_each": {"values": [ROOT], "list": listed},
    }


def _attendance(stream: Mapping[str, Any]) -> dict[str, Any]:
    """Both days count and 7 may be asked for, hence 6 between them."""
    days = {"workDateFrom": "{from}", "workDateTo": "{to}"}
    request = {
        "method": "post",
        "body": {**days, "userIdList": "{each}", "offset": "{offset}", "limit": "{size}"},
        "records": "recordresult",
        "paging": {"kind": "offset", "size": 50, "end": "more", "more": "hasMore"},
        "for_each": {"together": 50, "list": {"path": USERS, "item": "userid", **_users()}},
        "span": "6d",
        "times": {"format": "%Y-%m-%d 00:00:00", "timezone": "Asia/Shanghai", "numbers": "ms"},
        "beginning": "180d",
        "sparse": True,
    }
    late = {"lateness": "14d"} if stream.get("load") == "incremental" else {}
    return {"from": ATTENDANCE, "request": request, **late}


def _approval(code: str, stream: Mapping[str, Any]) -> dict[str, Any]:
    body = {
        "processCode": code,
        "startTime": "{from}",
        "endTime": "{to}",
        "nextToken": "{cursor}",
        "maxResults": "{size}",
    }
    listed = {
        "path": LIST,
        "item": "",
        "method": "post",
        "body": body,
        "records": "result.list",
        "paging": {
            "kind": "cursor",
            "first": 0,
            "next": "result.nextToken",
            "more": "result.nextToken",
            "size": 20,
        },
        "span": "120d",
    }
    request = {
        "params": {"processInstanceId": "{each}"},
        "records": "result",
        "for_each": {"list": listed},
        "times": {"format": "epoch_ms", "minutes": True},
        "beginning": "364d",
        "sparse": True,
    }
    return {"from": INSTANCE, "request": request, **_late(stream)}
