"""The emulated 飞书, 钉钉 and 企业微信 keep what their sheets say: tokens, page caps, spans, errors inside HTTP 200."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from sandbox.emulators.dingtalk import DingTalk
from sandbox.emulators.faults import Faults
from sandbox.emulators.feishu import Feishu
from sandbox.emulators.server import serving
from sandbox.emulators.wecom import WeCom
from sandbox.store import Field, Store, Table, write_store

NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
DAY = 86_400


def fields(*names: str, **kinds: Any) -> tuple[Field, ...]:
    return tuple(Field(name, kinds.get(name, "text"), name) for name in names)


def served(cls, tmp_path, tables, options):
    path = tmp_path / "store.sqlite"
    write_store(path, tables)
    return cls(Store(path), options, clock=lambda: NOW)


@pytest.fixture
def feishu(tmp_path):
    columns = (
        *fields("record_id", "created_time", "last_modified_time", created_time="instant", last_modified_time="instant"),
        Field("fldA", "text", "单号"), Field("fldB", "decimal", "金额"),
        Field("fldC", "instant", "最后更新时间", refers="last_modified_time"),
    )  # fmt: skip
    rows = [(f"rec{n}", "2026-01-01T00:00:00Z", f"2026-01-0{n}T00:00:00Z", f"CG-{n}", None if n == 2 else "1280.50", f"2026-01-0{n}T00:00:00Z") for n in range(1, 6)]  # fmt: skip
    options = {"app_id": "cli_a", "app_secret": "s", "app_token": "bascn"}
    emulator = served(Feishu, tmp_path, [Table("tbl1", "采购", ("record_id",), columns, rows)], options)
    with serving(emulator) as url:
        token = requests.post(
            f"{url}/open-apis/auth/v3/tenant_access_token/internal",
            json={"app_id": "cli_a", "app_secret": "s"},
        ).json()

        def search(params=None, body=None, bearer=token["tenant_access_token"]):
            address = f"{url}/open-apis/bitable/v1/apps/bascn/tables/tbl1/records/search"
            return requests.post(
                address, params=params, json=body or {}, headers={"Authorization": f"Bearer {bearer}"}
            ).json()

        yield emulator, url, token, search


def test_feishu_gives_the_same_token_again_and_refuses_a_wrong_one(feishu):
    _, url, token, search = feishu
    again = requests.post(
        f"{url}/open-apis/auth/v3/tenant_access_token/internal", json={"app_id": "cli_a", "app_secret": "s"}
    ).json()
    assert again == token and token["expire"] == 7200
    assert search(bearer="no")["code"] == 99991663


def test_feishu_page_tokens_hold_for_the_same_question_only(feishu):
    _, _, _, search = feishu
    first = search({"page_size": 2})["data"]
    assert (first["total"], first["has_more"], len(first["items"])) == (5, True, 2)
    second = search({"page_size": 2, "page_token": first["page_token"]})["data"]
    assert [item["record_id"] for item in second["items"]] == ["rec3", "rec4"]
    assert (
        search({"page_size": 2, "page_token": first["page_token"]}, {"field_names": ["单号"]})["code"]
        == 99992402
    )
    assert search({"page_size": 501})["code"] == 99992402


def test_feishu_fields_are_keyed_by_title_and_leave_out_what_is_empty(feishu):
    _, _, _, search = feishu
    items = search(body={"automatic_fields": True})["data"]["items"]
    assert items[0]["fields"] == {
        "单号": [{"text": "CG-1", "type": "text"}],
        "金额": 1280.5,
        "最后更新时间": 1767225600000,
    }
    assert "金额" not in items[1]["fields"] and items[1]["last_modified_time"] == 1767312000000


def test_feishu_filters_by_day_and_refuses_a_number_for_a_text(feishu):
    _, _, _, search = feishu

    def asked(value):
        return search(
            body={
                "filter": {
                    "conjunction": "and",
                    "conditions": [{"field_name": "最后更新时间", "operator": "isGreater", "value": value}],
                }
            }
        )

    # 2026-01-03 23:00 in Shanghai: the 3rd does not count as later than the 3rd
    assert [i["record_id"] for i in asked(["ExactDate", "1767452400000"])["data"]["items"]] == [
        "rec4",
        "rec5",
    ]
    assert asked(["ExactDate", 1767452400000])["code"] == 1254018


def test_feishu_throttles_with_a_header(feishu):
    emulator, url, token, _ = feishu
    emulator.faults = Faults(throttle_every=1)
    answer = requests.get(
        f"{url}/open-apis/x", headers={"Authorization": f"Bearer {token['tenant_access_token']}"}
    )
    assert answer.json()["code"] == 99991400 and answer.headers["x-ogw-ratelimit-reset"] == "1"


@pytest.fixture
def dingtalk(tmp_path):
    attendance = fields("id", "userId", "workDate", "baseCheckTime", "userCheckTime", "checkType", workDate="date", baseCheckTime="instant", userCheckTime="instant", id="integer")  # fmt: skip
    instance = fields("id", "processCode", "title", "status", "createTime", "finishTime", "leave_begin", "leave_days", createTime="instant")  # fmt: skip
    task = fields(
        "instance", "taskId", "userId", "createTime", "finishTime", "showName", "activityId", "result"
    )
    tables = [
        Table("attendance", "考勤", ("id",), attendance, [(1, "u1", "2026-05-01", "2026-05-01T01:00:00Z", None, "OnDuty")]),
        Table("instance", "审批", ("id",), instance, [(f"i{n}", "P", "t", "COMPLETED", "2026-05-01T02:00:00Z", None, None, None) for n in range(3)]),
        Table("task", "任务", ("instance", "taskId"), task, [], "instance", "instance"),
    ]  # fmt: skip
    emulator = served(DingTalk, tmp_path, tables, {"app_key": "k", "app_secret": "s", "calls_per_month": "6"})
    with serving(emulator) as url:
        token = requests.post(
            f"{url}/v1.0/oauth2/accessToken", json={"appKey": "k", "appSecret": "s"}
        ).json()["accessToken"]

        def old(path, body):
            return requests.post(f"{url}{path}", params={"access_token": token}, json=body)

        def new(body):
            headers = {"x-acs-dingtalk-access-token": token}
            return requests.post(
                f"{url}/v1.0/workflow/processes/instanceIds/query", json=body, headers=headers
            )

        yield emulator, url, old, new


def test_dingtalk_old_and_new_err_in_their_own_ways(dingtalk):
    emulator, url, old, new = dingtalk
    assert (
        requests.get(f"{url}/gettoken", params={"appkey": "k", "appsecret": "no"}).json()["errcode"] == 40089
    )
    wrong = requests.post(f"{url}/v1.0/oauth2/accessToken", json={"appKey": "k", "appSecret": "no"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalidClientIdOrSecret")
    emulator.faults = Faults(throttle_every=1)
    assert (new({}).status_code, new({}).json()["code"]) == (
        403,
        "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi",
    )
    answer = old("/attendance/list", {})
    assert (answer.status_code, answer.json()["errcode"]) == (200, 90018)


def test_dingtalk_keeps_its_spans_and_its_budget(dingtalk):
    _, _, old, new = dingtalk
    ms, end = 1000, int(NOW * 1000)

    def asked(start, **more):
        return new(
            {"processCode": "P", "startTime": start, "endTime": end, "nextToken": 0, "maxResults": 2, **more}
        ).json()

    assert asked(end - 60 * DAY * ms)["result"] == {"list": ["i0", "i1"], "nextToken": "2"}
    assert asked(end - 60 * DAY * ms, nextToken="2")["result"] == {"list": ["i2"]}
    assert "120" in asked(end - 121 * DAY * ms)["message"]
    assert "365" in asked(end - 366 * DAY * ms, endTime=end - 300 * DAY * ms)["message"]
    week = {"workDateFrom": "2026-05-01 00:00:00", "userIdList": ["u1"], "offset": 0, "limit": 50}
    assert old("/attendance/list", week | {"workDateTo": "2026-05-08 00:00:00"}).json()["errcode"] == 40035
    found = old("/attendance/list", week | {"workDateTo": "2026-05-07 00:00:00"}).json()
    assert (
        found["recordresult"][0]["workDate"] == 1777564800000 and found["hasMore"] is False
    )  # midnight in Shanghai
    assert old("/attendance/list", week).json()["errcode"] == 90020


def test_wecom_keeps_its_span_and_wants_texts(tmp_path):
    columns = fields(
        "sp_no",
        "template_id",
        "apply_time",
        "applyer_userid",
        "partyid",
        "reason",
        "amount",
        apply_time="instant",
    )
    rows = [(f"2026{n}", "T", "2026-05-01T02:00:00Z", "wc1", "1", "差旅", "1.50") for n in range(3)]
    record = Table(
        "record",
        "节点",
        ("sp_no", "place"),
        fields("sp_no", "place", "approver_userid"),
        [],
        "approval",
        "sp_no",
    )
    emulator = served(
        WeCom,
        tmp_path,
        [Table("approval", "审批", ("sp_no",), columns, rows), record],
        {"corpid": "ww", "secret": "s"},
    )
    with serving(emulator) as url:
        got = requests.get(f"{url}/cgi-bin/gettoken", params={"corpid": "ww", "corpsecret": "s"}).json()

        def asked(**body):
            start = {"starttime": "1777564800", "endtime": "1777651200", "new_cursor": "", "size": 2}
            address = f"{url}/cgi-bin/oa/getapprovalinfo"
            return requests.post(
                address, params={"access_token": got["access_token"]}, json=start | body
            ).json()

        assert got["expires_in"] == 7200
        first = asked()
        assert (first["sp_no_list"], first["new_next_cursor"]) == (["20260", "20261"], "2")
        assert "new_next_cursor" not in asked(new_cursor="2")
        assert asked(starttime=1777564800)["errcode"] == 40058
        assert asked(endtime=str(1777564800 + 31 * DAY + 1))["errcode"] == 301025
        assert asked(filters=[{"key": "template_id", "value": "U"}])["sp_no_list"] == []
