"""What a contract of an HTTP system may say, and what is told when it says something else."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sources.contract.http import Http, Request
from sources.contract.http_auth import placeholders
from tests.http_server import http_source
from tieout.ingest.intake.http.values import Secrets, at, filled

TIMES = {"from": "{from}", "to": "{to}"}
PAGE = {"params": {"p": "{page}"}, "paging": {"kind": "page"}}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"pages": 3}, "Extra inputs are not permitted"),
        ({"paging": {"kind": "pages"}}, "does not match any of the expected tags"),
        ({"paging": {"kind": "page"}}, "needs {page} somewhere"),
        ({"paging": {"kind": "keyset", "by": "id"}}, "needs {cursor} somewhere"),
        (
            {"paging": {"kind": "keyset", "by": "id", "remaining": True, "inclusive": True}},
            "goes with neither",
        ),
        ({"params": {"p": "{page}"}}, "{page} has no value with paging 'none'"),
        ({"params": {"p": "{pgae}"}}, "unknown placeholder {pgae}"),
        ({"body": {"a": 1}}, "need `method: post`"),
        ({"method": "post", "body": {}, "form": {}}, "not both"),
        ({"parent": "order"}, "`parent` needs `records`"),
        ({"parent": "order", "records": "lines", "total": "n"}, "`total` belongs to the request of order"),
        ({"beginning": "yesterday"}, "is no date"),
        ({**PAGE, "paging": {"kind": "page", "end": "total"}}, "end `total` needs `total`"),
        ({**PAGE, "paging": {"kind": "page", "end": "more"}}, "end `more` needs `more`"),
        ({**PAGE, "paging": {"kind": "page", "end": "count"}}, "end `count` needs `count`"),
        ({"times": {"format": "yyyy-mm-dd"}}, "is none of iso, epoch"),
        ({"span": "7d", "params": TIMES}, "`span` needs a `beginning`"),
        (
            {"span": "7d", "params": {"from": "{from}"}, "beginning": "2020-01-01"},
            "needs {from} (or {since}) and {to}",
        ),
        ({"span": "a week"}, "is no duration"),
        ({"params": {"id": "{each}"}}, "{each} has no value without `for_each`"),
        ({"for_each": {}}, "say where items come from"),
        ({"for_each": {"values": [1], "option": "a"}}, "say where items come from"),
        ({"for_each": {"tree": {"item": "id", "roots": []}}}, "at least 1 item"),
        ({"for_each": {"tree": {"item": "id", "roots": [1]}, "together": 5}}, "`together` is not for it"),
        ({"for_each": {"list": {"path": "/a/{each}", "item": "id"}}}, "in the path has no value without"),
        (
            {"for_each": {"list": {"path": "/a", "item": "i", "for_each": {"values": [1]}}}},
            "list: `for_each` needs {each}",
        ),
        (
            {"for_each": {"list": {"path": "/a", "item": "i", "paging": {"kind": "page"}}}},
            "needs {page} somewhere",
        ),
        (
            {
                "for_each": {"list": {"path": "/a", "item": "i", "span": "7d", "params": TIMES}},
                "params": {"id": "{each}"},
            },
            "`span` needs a `beginning`",
        ),
        ({"params": {"to": "{upto}"}}, "{upto} has no value with paging 'none'"),
        ({"params": {"access_token": "abcdefgh12345"}}, "request.access_token: a secret is written here"),
        ({"method": "post", "body": {"login": [{"password": "abcdefgh12345"}]}}, "a secret is written here"),
    ],
)
def test_a_request_that_cannot_work_is_refused_with_words(said, words):
    with pytest.raises(ValidationError) as refused:
        Request.model_validate(said)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"auth": {"kind": "bearer", "token": "abc"}}, "a secret is written here; use env:NAME"),
        ({"auth": {"kind": "basic", "username": "a", "password": "b"}}, "a secret is written here"),
        ({"auth": {"kind": "custom", "use": "os:system"}}, "is no class of sources.connectors"),
        ({"auth": {"kind": "session", "path": "/l", "token": "t"}}, "one of `header`, `query`, `cookie`"),
        ({"errors": {"code": "c", "ok": [0], "retry": ["0"]}}, "code 0 cannot be two things"),
        ({"errors": {"retry": [1]}}, "`retry` needs `code`"),
        ({"errors": {"code": "c", "quota": [1], "scope": ["1"]}}, "code 1 cannot be two things"),
        ({"errors": {"means": {"1": "x"}}}, "`means` needs `code`"),
        ({"errors": {"ok": ["http 404"]}}, "'http 404' is no code"),
        ({"errors": {"retry_words": [" "]}}, "an empty text is in every message"),
        ({"headers": {"X-Api-Token": "abcdefgh12345"}}, "headers.X-Api-Token: a secret is written here"),
    ],
)
def test_what_all_requests_have_in_common_is_checked_too(said, words):
    with pytest.raises(ValidationError) as refused:
        Http.model_validate(said)
    assert words in str(refused.value)


VENDORS = {
    "jiandaoyun": {
        "method": "post",
        "body": {"app_id": "{options.app}", "entry_id": "e1", "limit": "{size}", "data_id": "{cursor}"},
        "records": "data",
        "paging": {"kind": "keyset", "by": "_id", "size": 100, "end": "short"},
    },
    "kingdee": {
        "method": "post",
        "body": {"data": {"FormId": "F", "FieldKeys": "FID,FBillNo", "FilterString": "FModifyDate >= '{since}'",
                          "OrderString": "FID", "StartRow": "{offset}", "Limit": "{size}"}},
        "fields": ["FID", "FBillNo"],
        "paging": {"kind": "offset", "size": 2000, "end": "short"},
        "times": {"format": "%Y-%m-%d %H:%M:%S"},
        "beginning": "2000-01-01",
    },
    "feishu": {
        "method": "post",
        "params": {"page_size": "{size}", "page_token": "{cursor}"},
        "body": {"automatic_fields": True},
        "records": "data.items",
        "total": "data.total",
        "paging": {"kind": "cursor", "size": 500, "next": "data.page_token", "more": "data.has_more"},
        "times": {"format": "epoch_ms", "numbers": "ms"},
    },
    "sap": {
        "params": {"$format": "json", "$inlinecount": "allpages", "$filter": "LastChangeDateTime ge datetimeoffset'{since}'"},
        "records": "d.results",
        "total": "d.__count",
        "paging": {"kind": "next_link", "next": "d.__next"},
        "times": {"format": "%Y-%m-%dT%H:%M:%SZ", "timezone": "UTC", "numbers": "ms"},
    },
    "jira": {
        "method": "post",
        "body": {"jql": 'updated >= "{since}" ORDER BY updated ASC, key ASC', "maxResults": "{size}", "nextPageToken": "{cursor}"},
        "records": "issues",
        "paging": {"kind": "cursor", "next": "nextPageToken"},
        "times": {"format": "%Y-%m-%d %H:%M"},
        "beginning": "2000-01-01",
    },
    "dingtalk_approvals": {
        "params": {"processInstanceId": "{each}"},
        "records": "result",
        "times": {"format": "epoch_ms"},
        "beginning": "364d",
        "for_each": {"list": {
            "path": "/v1.0/workflow/processes/instanceIds/query", "method": "post", "span": "120d",
            "body": {"processCode": "{each}", "startTime": "{from}", "endTime": "{to}", "nextToken": "{cursor}", "maxResults": "{size}"},
            "records": "result.list", "item": "", "for_each": {"option": "process_codes"},
            "paging": {"kind": "cursor", "next": "result.nextToken", "size": 20},
        }},
    },
    "dingtalk_people": {
        "method": "post",
        "body": {"dept_id": "{each}", "cursor": "{offset}", "size": "{size}"},
        "records": "result.list",
        "paging": {"kind": "offset", "size": 100, "more": "result.has_more"},
        "for_each": {"values": [1], "list": {
            "path": "/topapi/v2/department/listsub", "method": "post", "body": {"dept_id": "{each}"}, "records": "result",
            "item": "dept_id", "for_each": {"tree": {"item": "dept_id", "roots": [1]}},
        }},
    },
    "h3yun": {
        "method": "post",
        "body": {"Filter": '{"FromRowNum":{offset},"ToRowNum":{upto},"Matcher":{"Value":"{since}"}}'},
        "paging": {"kind": "offset", "size": 500, "end": "short"},
        "beginning": "2000-01-01",
    },
    "shopify": {
        "method": "post",
        "body": {"query": "query($n: Int!) { orders(first: $n) { nodes { id } pageInfo { endCursor } } }",
                 "variables": {"n": "{size}", "after": "{cursor}"}},
        "paging": {"kind": "cursor", "next": "data.orders.pageInfo.endCursor"},
    },
}  # fmt: skip


@pytest.mark.parametrize("vendor", list(VENDORS))
def test_what_vendors_do_can_be_said(vendor):
    Request.model_validate(VENDORS[vendor])


def test_a_placeholder_alone_keeps_its_type_and_what_has_no_value_is_left_out():
    template = {
        "Limit": "{size}",
        "text": "from {offset} on",
        "token": "{cursor}",
        "list": ["{cursor}", 1],
        "none": None,
    }
    assert filled(template, {"size": 10, "offset": 20, "cursor": None}) == {
        "Limit": 10,
        "text": "from 20 on",
        "list": [1],
        "none": None,
    }
    assert placeholders(template) == ["size", "offset", "cursor", "cursor"]


def test_an_object_in_a_list_is_left_out_with_its_value_but_not_the_one_around_it():
    since = {"field": "changed", "values": ["{since}"]}
    after = {"field": "id", "values": ["{cursor}"]}
    fixed = {"field": "state", "values": ["open"], "none": None}
    template = {"filters": [since, after, fixed], "groups": [{"logic": "and", "of": [after, fixed]}]}
    assert filled(template, {"since": 5, "cursor": None}) == {
        "filters": [{"field": "changed", "values": [5]}, fixed],
        "groups": [{"logic": "and", "of": [fixed]}],
    }


def test_other_braces_stay_and_a_list_in_a_text_is_joined():
    template = {
        "filter": '{"From":{offset},"To":{upto},"Matcher":{"Matchers":[]}}',
        "query": "query { orders { nodes { id } } }",
        "each": "{each}",
        "ids": "in:{each}",
        "listed": ["{each}"],
    }
    values = {"offset": 500, "upto": 1000, "each": [7, "甲"]}
    assert filled(template, values) == {
        "filter": '{"From":500,"To":1000,"Matcher":{"Matchers":[]}}',
        "query": "query { orders { nodes { id } } }",
        "each": [7, "甲"],
        "ids": "in:7,甲",
        "listed": [[7, "甲"]],
    }


def test_what_for_each_needs_of_the_path_and_the_columns_is_said():
    each = {"for_each": {"values": [1]}}
    rows = {"id": "bigint"}
    by_item = {"id": {"type": "bigint", "from": "_each"}}
    spanned = {"params": TIMES, "span": "7d", "beginning": "2020-01-01"}
    streams = {
        "a": {"from": "/a", "columns": rows, "request": each},
        "b": {"from": "/b/{each}", "columns": rows, "request": {}},
        "c": {
            "from": "/c/{each}",
            "columns": by_item,
            "request": {"for_each": {"values": [1], "together": 2}},
        },
        "d": {"from": "/d/{each}", "columns": by_item, "request": each},
        "e": {"from": "/e", "columns": rows, "request": spanned, "load": "append", "cursor": "id"},
    }
    with pytest.raises(ValueError) as refused:
        http_source("http://127.0.0.1:1", {name: {**one, "key": ["id"]} for name, one in streams.items()})
    said = str(refused.value)
    assert "streams.a: `for_each` needs {each} in the path" in said
    assert "streams.b: {each} in the path has no value" in said
    assert "streams.c: _each needs `for_each` with one item at a time" in said
    assert "streams.d" not in said
    assert "streams.e: `span` cuts time, but the cursor id is a number" in said


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", "whole"),
        ("d.results.0.id", 7),
        ("@odata.nextLink", "link"),
        ("d.a.b", "dotted"),
        ("d.missing", None),
        ("d.results.9", None),
        (None, None),
    ],
)
def test_paths_find_keys_that_hold_dots(path, found):
    document = {"@odata.nextLink": "link", "d": {"results": [{"id": 7}], "a.b": "dotted", "a": {"c": 1}}}
    assert at(document, path) == (document if found == "whole" else found)


def test_families_that_do_not_fit_are_named():
    column = {"id": "bigint"}
    with pytest.raises(ValueError) as refused:
        http_source(
            "http://127.0.0.1:1",
            {
                "a": {
                    "from": "/a",
                    "key": ["id"],
                    "columns": column,
                    "request": {},
                    "control": {"kind": "query"},
                },
                "b": {
                    "from": "/a",
                    "key": ["id"],
                    "columns": column,
                    "request": {"parent": "gone", "records": "x"},
                },
                "c": {
                    "from": "/a",
                    "key": ["id"],
                    "columns": column,
                    "request": {"parent": "a", "records": "x"},
                },
                "d": {
                    "from": "/a",
                    "key": ["id"],
                    "columns": column,
                    "request": {"parent": "c", "records": "x"},
                },
            },
        )
    said = str(refused.value)
    assert "control `query` needs `request.total`" in said
    assert "parent 'gone' is no stream" in said
    assert "parent 'c' is itself inside another stream" in said


def test_secrets_are_taken_out_of_every_form_of_a_text(monkeypatch):
    monkeypatch.setenv("SHOP_KEY", 'a/b+c"d e')
    source = http_source(
        "http://127.0.0.1:1", {"t": {"from": "/t", "key": ["id"], "columns": {"id": "bigint"}, "request": {}}}
    )
    secrets = Secrets(source)
    assert secrets.of("env:SHOP_KEY", "x") == 'a/b+c"d e'
    text = 'plain a/b+c"d e, query a%2Fb%2Bc%22d+e, path a%2Fb%2Bc%22d%20e, json "a/b+c\\"d e"'
    assert secrets.redacted(text) == 'plain …, query …, path …, json "…"'
    assert repr(secrets) == "Secrets(…)"
