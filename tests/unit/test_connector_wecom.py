"""What a contract of 企业微信 becomes, against requests worked out by hand from the sheet."""

from __future__ import annotations

from typing import Any

import pytest

from sources.connectors import expanded
from sources.contract.http import Http, Request


def document(name: str) -> dict:
    streams = {"claim": {"object": name, "columns": {"sp_no": {}}}}
    return {
        "source": "wc",
        "connector": "wecom",
        "connection": {"url": "http://127.0.0.1"},
        "streams": streams,
    }


def test_approvals_are_listed_in_31_days_and_asked_for_one_by_one():
    stream = expanded(document("approval/T1"))["streams"]["claim"]
    request: Any = Request.model_validate(stream["request"])
    assert (
        stream["from"] == "/cgi-bin/oa/getapprovaldetail"
        and request.body == {"sp_no": "{each}"}
        and request.records == "info"
    )
    listing = request.for_each.list
    assert (
        listing.path == "/cgi-bin/oa/getapprovalinfo"
        and listing.span == "31d"
        and listing.records == "sp_no_list"
    )
    assert listing.body == {
        "starttime": "{from}", "endtime": "{to}", "new_cursor": "{cursor}", "size": "{size}",
        "filters": [{"key": "template_id", "value": "T1"}],
    }  # fmt: skip
    assert (listing.paging.first, listing.paging.next, listing.paging.size) == ("", "new_next_cursor", 100)
    assert (request.times.format, request.times.text, request.times.numbers) == ("epoch", True, "s")


def test_all_templates_are_asked_for_without_a_filter():
    body = expanded(document("approval"))["streams"]["claim"]["request"]["for_each"]["list"]["body"]
    assert "filters" not in body


def test_codes_are_told_apart():
    http: Any = Http.model_validate(expanded(document("approval"))["http"])
    assert (http.auth.path, http.auth.method, http.auth.query) == ("/cgi-bin/gettoken", "get", "access_token")
    assert {40014, 42001} == set(http.errors.expired) and 45009 in http.errors.retry
    assert 48002 in http.errors.scope and 60020 in http.errors.denied


def test_an_object_it_does_not_know_is_refused():
    with pytest.raises(ValueError, match=r"streams\.claim: object"):
        expanded(document("checkin"))
