"""企业微信: approvals (审批) of one app; every app has a secret of its own.

Object: `approval` (all templates the app may see), or `approval/<template_id>`. The steps come as a list without ids,
so they are landed as JSON text (`sp_record`), with the form (`apply_data.contents`), to be taken apart in staging.

Limits: 600 calls a minute, asked at 8 a second. Retried: 45009 (frequency), -1 (busy). Errors come as `errcode` with
HTTP 200. The caller's address must be on the app's list of trusted addresses (60020).
Approvals are listed by when they were handed in, 31 days and 100 at a time, then asked for one by one. One that changes
after `lateness` (60 days, unless the contract says) keeps its old state until a full pull; those withdrawn or deleted
stay with the status 4 or 7.
Time: seconds since 1970. `sp_status`: 1 running, 2 agreed, 3 refused, 4 withdrawn, 6 withdrawn afterwards, 7 deleted,
10 paid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from sources.connectors.connector import Ask, Connector, FieldMeta, ObjectMeta, Option

LIST, DETAIL = "/cgi-bin/oa/getapprovalinfo", "/cgi-bin/oa/getapprovaldetail"
STATES = (
    ("1", "审批中"),
    ("2", "已通过"),
    ("3", "已驳回"),
    ("4", "已撤销"),
    ("6", "通过后撤销"),
    ("7", "已删除"),
    ("10", "已支付"),
)
_SECRET = "the corp id or the app's secret is not accepted: compare them with 我的企业 and the app's page"
MEANS = {
    40001: _SECRET,
    40013: _SECRET,
    45009: "the app is asked too often",
    48002: "the app has no right to this interface: add it under 审批 > API > 可调用接口的应用",
    60020: "this machine's address is not on the app's list of trusted addresses: add it under 企业可信IP",
    301025: "more than 31 days were asked for at once: check `span` of the stream's request",
}


class WeCom(Connector):
    """企业微信 by its server API."""

    vendor, zh, en = "wecom", "企业微信", "WeCom"
    url = "https://qyapi.weixin.qq.com"
    options = (
        Option("corpid", "企业 ID", "Corp id", example="wwhc0f3a9d6b1c7e28"),
        Option("secret", "应用 Secret", "Secret of the app", secret=True),
    )
    limits: ClassVar[Mapping[str, Any]] = {"requests_per_second": 8, "concurrency": 1}
    missing = ("", "1970-01-01 00:00:00+00")

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "auth": {
                "kind": "session",
                "path": "/cgi-bin/gettoken",
                "method": "get",
                "params": {"corpid": "{options.corpid}", "corpsecret": "{options.secret}"},
                "token": "access_token",
                "expires": "expires_in",
                "query": "access_token",
            },
            "errors": {
                "code": "errcode",
                "message": "errmsg",
                "retry": [45009, -1],
                "expired": [40014, 42001],
                "denied": [40001, 40013, 60020],
                "scope": [48002],
                "means": MEANS,
            },
        }

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        kind, _, template = str(stream["object"]).partition("/")
        if kind != "approval":
            raise ValueError(
                f"streams.{name}: object {stream['object']!r} is neither approval nor approval/<template_id>"
            )
        body: dict[str, Any] = {
            "starttime": "{from}",
            "endtime": "{to}",
            "new_cursor": "{cursor}",
            "size": "{size}",
        }
        if template:
            body["filters"] = [{"key": "template_id", "value": template}]
        listed = {
            "path": LIST,
            "item": "",
            "method": "post",
            "body": body,
            "records": "sp_no_list",
            "paging": {"kind": "cursor", "first": "", "next": "new_next_cursor", "size": 100},
            "span": "31d",
        }
        request = {
            "method": "post",
            "body": {"sp_no": "{each}"},
            "records": "info",
            "for_each": {"list": listed},
            "times": {"format": "epoch", "text": True, "numbers": "s"},
            "beginning": "2018-01-01",
            "sparse": True,
        }
        late = {"lateness": "60d"} if stream.get("load") == "incremental" else {}
        return {"from": DETAIL, "request": request, **late}

    def check(self, ask: Ask) -> None:
        day = {"starttime": "1767225600", "endtime": "1767312000"}
        ask("post", LIST, body={**day, "new_cursor": "", "size": 1})

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """What the sheet says of an approval: the vendor lists neither templates nor their fields."""
        wanted = ["approval"] if objects is None else list(objects)
        self.check(ask)
        return [
            ObjectMeta(name, "审批单", FIELDS, ("sp_no",), ("applied_at",), stream={"load": "incremental"})
            for name in wanted
        ]


def _field(id_: str, path: str, title: str, kind: str = "text", **more: Any) -> FieldMeta:
    return FieldMeta(id_, path, title, "documented", kind, **more)


FIELDS = (
    _field("sp_no", "sp_no", "审批编号", required=True),
    _field("sp_name", "sp_name", "审批名称"),
    _field("sp_status", "sp_status", "状态", "integer", options=STATES),
    _field("template_id", "template_id", "模板"),
    _field("applied_at", "apply_time", "提交时间", "timestamptz"),
    _field("applicant", "applyer.userid", "申请人", personal=True),
    _field("department", "applyer.partyid", "申请部门"),
    _field(
        "steps",
        "sp_record",
        "审批节点",
        doubt="a list without ids, as JSON text: the order is that of the steps",
    ),
    _field(
        "contents",
        "apply_data.contents",
        "表单",
        doubt="the widgets and their values, as JSON text: take them out by id",
    ),
)
