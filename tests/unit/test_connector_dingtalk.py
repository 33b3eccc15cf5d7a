"""What a contract of 钉钉 becomes, against requests worked out by hand from the sheet."""

from __future__ import annotations

from typing import Any

import pytest

from sources.connectors import expanded
from sources.contract.http import Http, Request


def document(**objects: str) -> dict:
    streams = {key: {"object": name, "columns": {"id": {}}} for key, name in objects.items()}
    vendor = "dingtalk_flow" if any(name.startswith("approval/") for name in objects.values()) else "dingtalk"
    return {
        "source": "dt",
        "connector": vendor,
        "connection": {"url": "http://127.0.0.1"},
        "streams": streams,
    }


def test_the_two_generations_have_tokens_and_errors_of_their_own():
    old: Any = Http.model_validate(expanded(document(user="user"))["http"])
    assert (old.auth.path, old.auth.query, old.errors.code) == ("/gettoken", "access_token", "errcode")
    assert old.auth.params == {"appkey": "{options.app_key}", "appsecret": "{options.app_secret}"}
    new: Any = Http.model_validate(expanded(document(leave="approval/PROC-1"))["http"])
    assert (new.auth.path, new.auth.header, new.errors.code) == (
        "/v1.0/oauth2/accessToken",
        "x-acs-dingtalk-access-token",
        "code",
    )
    assert new.auth.body == {"appKey": "{options.app_key}", "appSecret": "{options.app_secret}"}
    assert (new.auth.token, new.auth.expires) == ("accessToken", "expireIn")
    assert "Forbidden.AccessDenied.QpsLimitForApi" in new.errors.retry and 90018 in old.errors.retry
    assert "Forbidden.AccessDenied.ApiCountLimitForOrg" in new.errors.quota and 90020 in old.errors.quota


def test_objects_of_both_in_one_contract_are_refused():
    with pytest.raises(ValueError, match="contract of their own"):
        expanded(document(user="user", leave="approval/PROC-1"))


def test_approvals_are_listed_twenty_at_a_time_in_120_days():
    stream = expanded(document(leave="approval/PROC-1"))["streams"]["leave"]
    request: Any = Request.model_validate(stream["request"])
    assert stream["from"] == "/v1.0/workflow/processInstances"
    assert (
        request.params == {"processInstanceId": "{each}"}
        and request.beginning == "364d"
        and request.times.minutes
    )
    listing = request.for_each.list
    assert listing.path == "/v1.0/workflow/processes/instanceIds/query" and listing.span == "120d"
    assert listing.body == {
        "processCode": "PROC-1", "startTime": "{from}", "endTime": "{to}", "nextToken": "{cursor}", "maxResults": "{size}",
    }  # fmt: skip
    assert (listing.paging.size, listing.paging.first, listing.paging.next) == (20, 0, "result.nextToken")


def test_attendance_is_asked_for_fifty_people_and_seven_days_of_every_department_below_the_root():
    request: Any = Request.model_validate(
        expanded(document(clock="attendance"))["streams"]["clock"]["request"]
    )
    assert request.body == {
        "workDateFrom": "{from}", "workDateTo": "{to}", "userIdList": "{each}", "offset": "{offset}", "limit": "{size}",
    }  # fmt: skip
    assert request.for_each.together == 50 and request.paging.size == 50
    assert request.span == "6d"  # and the day it ends on: seven
    assert request.times.format == "%Y-%m-%d 00:00:00"
    members = request.for_each.list
    assert (members.path, members.item, members.paging.first) == ("/topapi/v2/user/list", "userid", 0)
    departments = members.for_each.list
    assert members.for_each.values == (1,) and departments.for_each.tree.roots == (1,)
    assert departments.for_each.tree.item == departments.item == "dept_id"


def test_an_object_it_does_not_know_is_refused():
    with pytest.raises(ValueError, match=r"streams\.x: object"):
        expanded(document(x="roles"))
