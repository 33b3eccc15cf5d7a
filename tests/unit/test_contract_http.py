"""What a contract of an HTTP system may say, and what is told when it says something else."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sources.contract.http import Http, Request
from sources.contract.http_auth import placeholders
from tests.http_server import http_source
from tieout.ingest.intake.http.values import Secrets, at, filled

PAGE = {"params": {"p": "{page}"}, "paging": {"kind": "page"}}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"pages": 3}, "Extra inputs are not permitted"),
        ({"paging": {"kind": "pages"}}, "does not match any of the expected tags"),
        ({"paging": {"kind": "page"}}, "needs {page} somewhere"),
        ({"paging": {"kind": "keyset", "by": "id"}}, "needs {cursor} somewhere"),
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
        ({"errors": {"retry": [1]}}, "need `code`"),
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
