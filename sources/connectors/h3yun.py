"""氚云 (H3yun): rows of forms through the one endpoint of its open API; who we are is two static headers.

`object` is the SchemaCode of a form; child tables are forms of their own (their rows carry `ParentObjectId`), for
lists leave them out. Field codes (`F0000001`) are the columns' `from`.
A call gives 500 rows at most and **cannot sort**, so a table that changes while it is read can give a row twice or not
at all: rows are counted against `TotalCount`, and read again when they differ.
Errors are `Successful: false` with HTTP 200 and words; there are no codes, so what happened is known by the words
alone. Limits depend on the plan: 2 calls a second by default, and what names a limit is asked again.
Times are wall time in UTC+8 in two formats (`2026/1/5 9:01:00` and `2026-01-05 09:01:00`); numbers may be text; people
and departments are ids. Deleted rows vanish: `deletes: keys`, which reads every row once more (there is no list of ids).

Unverified: the place of `TotalCount` (without it the reading goes on to an empty page), the spelling of system fields
other than ObjectId, CreatedTime and ModifiedTime, the meaning of Status. Only the operators 0, 1, 2, 8 are documented;
we use 1 (at or after). There is no metadata: discovery proposes fields from rows, of the forms that are named. Inside
DingTalk there is, and sorting too, but its calls count against DingTalk's own quota.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from sources.connectors.connector import Ask, Connector, ObjectMeta, Option
from sources.connectors.sampled import sampled_fields

INVOKE = "/OpenApi/Invoke"
AT_OR_AFTER = 1
_TITLES = {
    "ObjectId": "数据编号", "Name": "数据标题", "SeqNo": "流水号", "CreatedTime": "创建时间", "ModifiedTime": "修改时间", "CreatedBy": "创建人",
    "ModifiedBy": "修改人", "OwnerId": "拥有者", "OwnerDeptId": "所属部门", "Status": "状态", "WorkflowInstanceId": "流程实例",
    "ParentObjectId": "主表数据编号",
}  # fmt: skip
_PEOPLE = {"CreatedBy", "ModifiedBy", "OwnerId"}


class H3yun(Connector):
    vendor = "h3yun"
    zh = "氚云"
    en = "H3yun"
    url = "https://www.h3yun.com"
    module = "general"
    options = (
        Option("engine_code", "企业引擎编码 EngineCode", "Engine code"),
        Option("engine_secret", "企业引擎密钥 EngineSecret", "Engine secret", secret=True),
    )
    limits: ClassVar[Mapping[str, Any]] = {"requests_per_second": 2, "concurrency": 1}
    missing = ("",)
    describes = False

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        given = (document.get("connection") or {}).get("options") or {}
        return {
            "headers": {"EngineCode": given.get("engine_code", "")},
            "auth": {"kind": "header", "name": "EngineSecret", "value": given.get("engine_secret", "")},
            "errors": {
                "code": "Successful",
                "ok": [True],
                "message": "ErrorMessage",
                "retry_words": ["频繁", "频率", "限流", "请求过多", "稍后"],
                "means": {
                    "false": "氚云 refuses, and only its words say why: a wrong EngineCode or EngineSecret (copy both again from "
                    "系统管理 > 系统集成), a form that is not there (check `object`), or calls that are used up for the day"
                },
            },
        }

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        changed = stream.get("load") == "incremental"
        request: dict[str, Any] = {
            "method": "post",
            "body": _body(str(stream["object"]), changed),
            "records": "ReturnData.BizObjectArray",
            "total": "ReturnData.TotalCount",
            "paging": {"kind": "offset", "size": 500},
            "sparse": True,
        }
        if stream.get("deletes") == "keys":
            request["keys"] = {"body": _body(str(stream["object"]), False)}
        if changed:
            request |= {"beginning": "2000-01-01", "times": {"format": "%Y-%m-%d %H:%M:%S"}}
        made = {"from": INVOKE, "request": request}
        return {"lateness": "10m", **made} if changed else made

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """Fields proposed from up to 500 rows of each form that is named; the forms cannot be listed."""
        found = []
        for name in tuple(objects or ()):
            answer = ask("post", INVOKE, body=_first(_body(name, False), 500))
            rows = (answer.get("ReturnData") or {}).get("BizObjectArray") or []
            fields = sampled_fields(rows, _TITLES)
            fields = tuple(
                replace(field, personal=True, refers="user") if field.path in _PEOPLE else field
                for field in fields
            )
            cursor = ("modified_time",) if any(field.path == "ModifiedTime" for field in fields) else ()
            doubt = f"from a sample of {len(rows)} rows; the API has no titles: take them from the form's designer"
            stream = {"deletes": "keys"} if cursor else None
            found.append(ObjectMeta(name, name, fields, ("object_id",), cursor, stream=stream, doubt=doubt))
        return found

    def check(self, ask: Ask) -> None:
        """One row of a form that no engine has: whoever is let in is told that, and anything else is an error."""
        from tieout.ingest.errors import SourceError

        try:
            ask("post", INVOKE, body=_first(_body("tieout", False), 1))
        except SourceError as error:
            if not any(word in str(error) for word in ("表单", "schema", "Schema")):
                raise


def _body(form: str, changed: bool) -> dict[str, str]:
    """The question for rows of a form; its filter is JSON inside a text, with numbers that the paging fills in."""
    since = {"Type": "Item", "Name": "ModifiedTime", "Operator": AT_OR_AFTER, "Value": "{since}"}
    question = {
        "FromRowNum": "{offset}",
        "ToRowNum": "{upto}",
        "RequireCount": True,
        "ReturnItems": [],
        "SortByCollection": [],
        "Matcher": {"Type": "And", "Matchers": [since] if changed else []},
    }
    text = json.dumps(question, ensure_ascii=False, separators=(",", ":"))
    text = text.replace('"{offset}"', "{offset}").replace('"{upto}"', "{upto}")
    return {"ActionName": "LoadBizObjects", "SchemaCode": form, "Filter": text}


def _first(body: dict[str, str], rows: int) -> dict[str, str]:
    return {**body, "Filter": body["Filter"].replace("{offset}", "0").replace("{upto}", str(rows))}
