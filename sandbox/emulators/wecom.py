"""企业微信: token and approvals of one app of one company. Tables: `approval` with its lines `record`.

Errors come with HTTP 200 and `errcode`; times are seconds. Options: corpid, secret; `trusted` (0: this address is on
no list of trusted addresses).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.emulators.server import Call, Emulator, Refusal, Reply
from sandbox.emulators.values import epoch

SECONDS = 7200
SPAN = 31 * 86_400


class WeCom(Emulator):
    def is_counted(self, call: Call) -> bool:
        return call.path != "/cgi-bin/gettoken"

    def rate_error(self, call: Call) -> Reply:
        return _error(45009, "api freq out of limit")

    def quota_error(self, call: Call) -> Reply:
        return _error(45009, "api freq out of limit, reach max api daily quota limit")

    def answer(self, call: Call) -> Reply:
        if call.path == "/cgi-bin/gettoken" and call.method == "GET":
            return self._token(call)
        found = {
            "/cgi-bin/oa/getapprovalinfo": self._numbers,
            "/cgi-bin/oa/getapprovaldetail": self._detail,
        }.get(call.path)
        if found is None or call.method != "POST":
            return Reply("404 page not found", 404)
        if "access_token" not in call.query:
            return _error(41001, "access_token missing")
        if not self.alive(call.query["access_token"]):
            return _error(42001, "access_token expired")
        if self.options.get("trusted") == "0":
            return _error(60020, "not allow to access from your ip")
        if self.is_revoked("approval"):
            return _error(48002, "api forbidden")
        return found(call)

    def _token(self, call: Call) -> Reply:
        if call.query.get("corpid") != self.options["corpid"]:
            return _error(40013, "invalid corpid")
        if call.query.get("corpsecret") != self.options["secret"]:
            return _error(40001, "invalid credential")
        return Reply(
            {"errcode": 0, "errmsg": "ok", "access_token": self.issue(SECONDS), "expires_in": SECONDS}
        )

    def _numbers(self, call: Call) -> Reply:
        asked: dict[str, Any] = call.json or {}
        start: Any = asked.get("starttime")
        end: Any = asked.get("endtime")
        size: Any = asked.get("size")
        cursor = asked.get("new_cursor")
        texts = all(isinstance(item, str) for item in (start, end, cursor))
        if (
            not texts
            or not (start.isdigit() and end.isdigit())
            or type(size) is not int
            or not 1 <= size <= 100
        ):
            raise Refusal(_error(40058, "invalid Request Parameter"))
        if int(end) - int(start) > SPAN:
            raise Refusal(_error(301025, "time range more than 31 days"))
        wanted = {item["key"]: item["value"] for item in asked.get("filters") or ()}
        rows = [
            {"sp_no": row["sp_no"]}
            for row in self.rows("approval", order='"apply_time", "sp_no"')
            if int(start) <= epoch(row["apply_time"]) <= int(end)
            and wanted.get("template_id", row["template_id"]) == row["template_id"]
        ]
        place = int(cursor or 0)
        page = self.page(rows[place : place + size], "approval")
        answer: dict[str, Any] = {"errcode": 0, "errmsg": "ok", "sp_no_list": [row["sp_no"] for row in page]}
        if place + size < len(rows):
            answer["new_next_cursor"] = str(place + size)
        return Reply(answer)

    def _detail(self, call: Call) -> Reply:
        found = self.rows("approval", '"sp_no" = ?', ((call.json or {}).get("sp_no"),))
        if not found:
            raise Refusal(_error(301022, "sp_no not exist"))
        row = found[0]
        steps = [
            {"sp_status": step["sp_status"], "approverattr": 1,
             "details": [{"approver": {"userid": step["approver_userid"]}, "speech": step["speech"] or "", "sp_status": step["sp_status"],
                          "sptime": epoch(step["sptime"]) if step["sptime"] else 0}]}
            for step in self.rows("record", '"sp_no" = ?', (row["sp_no"],))
        ]  # fmt: skip
        contents: list[dict[str, Any]] = [
            {"control": "Text", "id": "Text-15111111111", "title": [{"text": "报销事由", "lang": "zh_CN"}], "value": {"text": row.pop("reason")}},
            {"control": "Money", "id": "Money-15111111112", "title": [{"text": "报销金额", "lang": "zh_CN"}],
             "value": {"new_money": _plain(row.pop("amount"))}},
        ]  # fmt: skip
        shown = row | {
            "apply_time": epoch(row["apply_time"]),
            "applyer": {"userid": row.pop("applyer_userid"), "partyid": row.pop("partyid")},
            "sp_record": steps,
            "apply_data": {"contents": contents},
        }
        shown = {
            key: value
            for key, value in shown.items()
            if key not in {"applyer_userid", "partyid", "reason", "amount"}
        }
        if self.faults.add_field and self.faults.reach("approval"):
            shown[self.faults.add_field] = "new"
        return Reply({"errcode": 0, "errmsg": "ok", "info": shown})


def _plain(amount: str | None) -> str:
    return format(Decimal(amount), "f") if amount is not None else ""


def _error(code: int, message: str) -> Reply:
    return Reply({"errcode": code, "errmsg": f"{message}, hint: [1600000000]"})
